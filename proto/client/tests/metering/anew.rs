//! A control plane that ended a silent stream, forgot an epoch, or lacks frames that the disk damaged.

use std::time::Duration;

use creto_client::metering::MeteringClient;
use tokio::time::timeout;

use crate::ledger::{Manners, Server};
use crate::{PATIENCE, channel, event, options};

async fn flush(client: &MeteringClient) {
    timeout(PATIENCE, client.flush()).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_stream_that_was_ended_for_its_silence_is_opened_again_and_nobody_is_told() {
    let manners = Manners { silence_ms: 50, ..Manners::default() };
    let (server, address) = Server::start(manners).await;
    let client = MeteringClient::over(channel(address), None, options()).unwrap();
    for nth in 0..5 {
        client.record(event(nth)).unwrap();
        flush(&client).await;
        tokio::time::sleep(Duration::from_millis(120)).await;
    }
    let counters = client.close().await.unwrap();
    assert_eq!((counters.sent, counters.accepted, counters.duplicate), (5, 5, 0));
    let ledger = server.ledger.lock();
    assert_eq!(ledger.numbers().len(), 5);
    assert_eq!(ledger.streams, 5, "each after a silence");
}

#[tokio::test]
async fn a_producer_whose_epoch_was_forgotten_goes_on_in_another() {
    let (server, address) = Server::start(Manners::default()).await;
    let client = MeteringClient::over(channel(address), None, options()).unwrap();
    for nth in 0..10 {
        client.record(event(nth)).unwrap();
    }
    flush(&client).await;
    for round in 1..4 {
        server.ledger.lock().forget();
        for nth in 0..200 {
            client.record(event(round * 1_000 + nth)).unwrap();
        }
        flush(&client).await;
    }
    let counters = client.close().await.unwrap();
    assert_eq!((counters.accepted, counters.sent), (610, 610));
    let mut numbers = server.ledger.lock().numbers();
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!(numbers.len(), 610, "each once");
}

#[tokio::test]
async fn a_spool_whose_epoch_was_forgotten_is_sent_once_though_the_process_ends_in_the_middle() {
    let folder = tempfile::tempdir().unwrap();
    let (server, address) = Server::start(Manners::default()).await;
    let spooled = || options().frame_events(10).spool(folder.path());
    let client = MeteringClient::over(channel(address), None, spooled()).unwrap();
    client.record_async(event(0)).await.unwrap();
    flush(&client).await;
    server.ledger.lock().forget();
    let refusing = Manners {
        refuses_streams: Some(tonic::Code::Unauthenticated),
        ends_before: 100,
        ..Manners::default()
    };
    // Frames are missing to the first of these, and the process ends when a few of them were acknowledged.
    for nth in 1..=5 {
        client.record_async(event(nth)).await.unwrap();
        flush(&client).await;
    }
    assert!(!server.ledger.lock().faults.is_empty(), "frames were missing by their old numbers");
    server.behave(refusing);
    for nth in 6..=100 {
        client.record_async(event(nth)).await.unwrap();
    }
    drop(client.close().await);
    // Every process sends a little of it and ends.
    for _ in 0..40 {
        server.behave(Manners { ends_before: 40, loses_answer: 20, ..Manners::default() });
        let client = MeteringClient::over(channel(address), None, spooled()).unwrap();
        let sent = timeout(Duration::from_millis(60), client.flush()).await;
        server.behave(refusing);
        drop(client.close().await);
        if sent.is_ok() {
            break;
        }
    }
    server.behave(Manners::default());
    let client = MeteringClient::over(channel(address), None, spooled()).unwrap();
    flush(&client).await;
    client.close().await.unwrap();
    let ledger = server.ledger.lock();
    let mut numbers = ledger.numbers();
    numbers.sort_unstable();
    assert_eq!(numbers, (0..=100).collect::<Vec<_>>(), "{:?}", ledger.faults);
    assert_eq!(
        ledger.faults.len(),
        1,
        "all of it went on under the numbers it had then: {:?}",
        ledger.faults
    );
}

#[tokio::test]
async fn what_comes_after_damage_in_the_spool_is_counted_once() {
    let folder = tempfile::tempdir().unwrap();
    let (server, address) = Server::start(Manners::default()).await;
    let refusing = Manners {
        refuses_streams: Some(tonic::Code::Unauthenticated),
        ends_before: 100,
        ..Manners::default()
    };
    server.behave(refusing);
    let spooled = || options().frame_events(1).spool(folder.path());
    let client = MeteringClient::over(channel(address), None, spooled()).unwrap();
    for nth in 0..20 {
        client.record_async(event(nth)).await.unwrap();
    }
    drop(client.close().await);
    let segment = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.extension().is_some_and(|suffix| suffix == "frames"))
        .unwrap();
    let mut bytes = std::fs::read(&segment).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&segment, &bytes).unwrap();
    server.behave(Manners::default());
    let client = MeteringClient::over(channel(address), None, spooled()).unwrap();
    let recovered = client.recovered();
    assert_eq!((recovered.events, recovered.missing, recovered.set_aside), (19, 1, 1));
    flush(&client).await;
    client.close().await.unwrap();
    let numbers = server.ledger.lock().numbers();
    let mut sorted = numbers.clone();
    sorted.sort_unstable();
    sorted.dedup();
    assert_eq!((numbers.len(), sorted.len()), (19, 19), "{numbers:?}");
    assert!(segment.with_extension("damaged").is_file(), "the segment is kept");
}
