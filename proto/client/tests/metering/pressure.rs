//! A control plane that is away, refuses, or is slow: bounds hold and callers are told.

use std::time::{Duration, Instant};

use creto_client::metering::{FlushError, MAX_WINDOW_FRAMES, MeteringClient, RecordError, StartError};
use tokio::net::TcpListener;
use tokio::time::timeout;
use tonic::Code;

use crate::ledger::{Manners, Server};
use crate::{PATIENCE, channel, event, options};

/// An address where nobody listens.
async fn nowhere() -> std::net::SocketAddr {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
}

#[tokio::test]
async fn a_full_ring_refuses_at_once_and_counts_what_it_refused() {
    let client = MeteringClient::over(channel(nowhere().await), None, options().ring_events(100)).unwrap();
    let most = 100 + MAX_WINDOW_FRAMES as u64 * 50;
    let begun = Instant::now();
    let mut taken = 0;
    let mut full = 0;
    while full < 50 {
        match client.record(event(taken)) {
            Ok(()) => taken += 1,
            Err(RecordError::Full) => {
                full += 1;
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            Err(other) => panic!("{other}"),
        }
        assert!(taken <= most, "more than the ring and the window hold");
        assert!(begun.elapsed() < PATIENCE);
    }
    assert_eq!(client.counters().dropped, full);
    assert_eq!(client.counters().recorded, taken);
    let waited = timeout(Duration::from_millis(50), client.record_async(event(0))).await;
    assert!(waited.is_err(), "the other way of recording waits for room");
    let left = client.clone().close().await.unwrap_err();
    assert!(matches!(left, FlushError::Unacknowledged { events, .. } if events == taken), "{left}");
    assert_eq!(client.counters().dropped, full + taken, "what was given up is counted");
    assert_eq!(client.record(event(1)), Err(RecordError::Closed));
    assert_eq!(client.flush().await, Err(FlushError::Closed));
}

#[tokio::test]
async fn what_was_recorded_while_the_control_plane_was_away_is_counted_when_it_comes() {
    let address = nowhere().await;
    let client = MeteringClient::over(channel(address), None, options()).unwrap();
    for nth in 0..500 {
        client.record(event(nth)).unwrap();
    }
    let flushing = tokio::spawn({
        let client = client.clone();
        async move { client.flush().await }
    });
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(!flushing.is_finished(), "a flush waits while it is away");
    let listener = TcpListener::bind(address).await.unwrap();
    let (server, real) = Server::start(Manners::default()).await;
    tokio::spawn(async move {
        while let Ok((mut near, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut far = tokio::net::TcpStream::connect(real).await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
            });
        }
    });
    timeout(PATIENCE, flushing).await.unwrap().unwrap().unwrap();
    assert_eq!(server.ledger.lock().numbers(), (0..500).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_flush_tells_that_the_token_is_refused_and_the_events_are_kept() {
    let refusing = Manners { refuses_streams: Some(Code::Unauthenticated), ..Manners::default() };
    let (server, address) = Server::start(refusing).await;
    let client = MeteringClient::over(channel(address), Some("a-token"), options()).unwrap();
    client.record(event(1)).unwrap();
    let refused = timeout(PATIENCE, client.flush()).await.unwrap().unwrap_err();
    let expected = FlushError::Refused { code: "Unauthenticated".into(), message: "not today".into() };
    assert_eq!(refused, expected);
    server.behave(Manners::default());
    timeout(PATIENCE, client.flush()).await.unwrap().unwrap();
    assert_eq!(server.ledger.lock().numbers(), [1]);
}

#[tokio::test]
async fn an_event_that_no_control_plane_takes_is_refused_where_it_is_recorded() {
    use creto_client::metering::EventDraft;
    let client = MeteringClient::over(channel(nowhere().await), None, options()).unwrap();
    let long = "x".repeat(2_000);
    let bad = [
        EventDraft::new(""),
        EventDraft::new(long.clone()),
        EventDraft::new("a").agent(long.clone()),
        EventDraft::new("a").text("p", long),
        EventDraft::new("a").text("p", "1").flag("p", true),
        EventDraft::new("a").number("p", u64::MAX),
        EventDraft::new("a").at_us(-1),
        EventDraft::new("a").at_us(i64::MAX),
        (0..65).fold(EventDraft::new("a"), |draft, at| draft.flag(format!("p{at}"), true)),
        (0..20).fold(EventDraft::new("a"), |draft, at| draft.text(format!("p{at}"), "x".repeat(1_000))),
    ];
    for draft in bad {
        assert!(matches!(client.record(draft.clone()), Err(RecordError::Invalid { .. })), "{draft:?}");
    }
    assert_eq!(client.counters().recorded, 0);
}

#[tokio::test]
async fn options_out_of_range_do_not_start() {
    let address = nowhere().await;
    for wrong in [
        options().ring_events(0),
        options().frame_events(8_193),
        options().linger(Duration::from_secs(100)),
        creto_client::metering::MeteringOptions::new("default", "has space"),
        creto_client::metering::MeteringOptions::new("", "producer"),
    ] {
        let refused = MeteringClient::over(channel(address), None, wrong).unwrap_err();
        assert!(matches!(refused, StartError::Option { .. }), "{refused}");
    }
}
