//! Connections that break, answers that are late or lost.

use std::net::SocketAddr;
use std::time::Duration;

use creto_client::metering::{Counters, MeteringClient};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use crate::ledger::{Dice, Manners, Server};
use crate::{PATIENCE, channel, event, options};

/// Between client and server: every connection is cut after a while, in the middle of whatever it carries.
async fn cutting(server: SocketAddr, most_ms: u64) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let mut dice = Dice(77);
        while let Ok((mut near, _)) = listener.accept().await {
            let lives = Duration::from_millis(1 + dice.below(most_ms));
            tokio::spawn(async move {
                let Ok(mut far) = TcpStream::connect(server).await else { return };
                let _ = timeout(lives, copy_bidirectional(&mut near, &mut far)).await;
            });
        }
    });
    address
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_event_is_counted_once_though_connections_are_cut_and_answers_late_or_lost() {
    const EVENTS: u64 = 20_000;
    let manners = Manners { ends_before: 3, loses_answer: 5, late_ms: 3, ..Manners::default() };
    let (server, address) = Server::start(manners).await;
    let cut = cutting(address, 60).await;
    let client = MeteringClient::over(channel(cut), None, options()).unwrap();
    for nth in 0..EVENTS {
        client.record_async(event(nth)).await.unwrap();
    }
    timeout(PATIENCE, client.flush()).await.expect("all is acknowledged in time").unwrap();

    let ledger = server.ledger.lock();
    assert_eq!(ledger.faults, [""; 0]);
    assert_eq!(ledger.numbers(), (0..EVENTS).collect::<Vec<_>>(), "each once, in the order recorded");
    let stamps: Vec<_> = ledger.events.values().map(|event| (event.at_us, event.logical)).collect();
    assert!(stamps.windows(2).all(|pair| pair[0] < pair[1]), "time never stands still nor goes back");
    assert!(
        ledger.streams > 3 && ledger.answers_lost > 0 && ledger.repeated_frames > 0,
        "it was broken at all"
    );
    let counters = client.counters();
    assert_eq!(counters.recorded, EVENTS);
    assert_eq!(counters.sent, EVENTS);
    assert_eq!(counters.accepted + counters.duplicate, EVENTS, "{counters:?}");
    assert!(counters.duplicate > 0, "lost answers show as duplicates");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn handles_of_many_threads_lose_nothing_and_the_epoch_is_one() {
    const EACH: u64 = 2_000;
    let (server, address) = Server::start(Manners { loses_answer: 3, ..Manners::default() }).await;
    let client = MeteringClient::over(channel(address), None, options()).unwrap();
    let mut tasks = Vec::new();
    for handle in 0..4 {
        let own = client.handle().unwrap();
        tasks.push(tokio::spawn(async move {
            for nth in 0..EACH {
                own.record_async(event(handle * EACH + nth)).await.unwrap();
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    timeout(PATIENCE, client.flush()).await.unwrap().unwrap();
    let ledger = server.ledger.lock();
    let mut numbers = ledger.numbers();
    numbers.sort_unstable();
    assert_eq!(numbers, (0..4 * EACH).collect::<Vec<_>>());
    let sequences: Vec<_> = ledger.events.keys().map(|(_, sequence)| *sequence).collect();
    assert_eq!(sequences, (1..=4 * EACH).collect::<Vec<_>>());
}

#[tokio::test]
async fn rejected_events_reach_their_handler_with_code_detail_and_the_event() {
    let (server, address) = Server::start(Manners { refuses_multiples_of: 10, ..Manners::default() }).await;
    let (told, mut hears) = tokio::sync::mpsc::unbounded_channel();
    let options = options().on_rejected(move |rejection| told.send(rejection.clone()).unwrap());
    let client = MeteringClient::over(channel(address), None, options).unwrap();
    for nth in 0..100 {
        client.record(event(nth)).unwrap();
    }
    timeout(PATIENCE, client.flush()).await.unwrap().unwrap();
    let mut rejections = Vec::new();
    while let Ok(rejection) = hears.try_recv() {
        rejections.push(rejection);
    }
    let numbers: Vec<_> =
        rejections.iter().map(|rejection| crate::ledger::nth(rejection.event.as_ref().unwrap())).collect();
    assert_eq!(numbers, [0, 10, 20, 30, 40, 50, 60, 70, 80, 90]);
    assert!(rejections.iter().all(|one| one.code == "bad_value" && one.detail == "a multiple"));
    let expected = Counters { recorded: 100, sent: 100, accepted: 90, rejected: 10, ..Counters::default() };
    assert_eq!(client.counters(), expected);
    assert_eq!(server.ledger.lock().rejected, 10);
}
