use std::collections::VecDeque;

use tokio::sync::mpsc;
use tokio::time::timeout;

use super::*;

const MS: Duration = Duration::from_millis(1);

fn door(bytes: Most) -> FramesIn {
    let patience = Patience { first: 100 * MS, room: 100 * MS, whole: 200 * MS, silence: 300 * MS };
    let streams = Most { all: 4, of_namespace: 3, of_caller: 2 };
    FramesIn { streams: Shares::new(streams), bytes: Shares::new(bytes), patience }
}

fn wide() -> FramesIn {
    door(Most { all: 1 << 20, of_namespace: 1 << 20, of_caller: 1 << 20 })
}

fn holder(caller: &str) -> Holder {
    Holder { namespace: "a".into(), caller: caller.into() }
}

/// A body, and what puts bytes into it.
fn body() -> (mpsc::UnboundedSender<Bytes>, Body) {
    let (say, said) = mpsc::unbounded_channel::<Bytes>();
    let said = stream::unfold(said, async |mut said| {
        let bytes = said.recv().await?;
        Some((Ok::<_, Status>(Frame::data(bytes)), said))
    });
    (say, Body::new(StreamBody::new(said)))
}

fn message(length: usize) -> Vec<u8> {
    let mut bytes = vec![0];
    bytes.extend_from_slice(&u32::try_from(length).unwrap().to_be_bytes());
    // A field that is skipped: number 1, of as many bytes as are left.
    bytes.extend(std::iter::repeat_n(0x09, length));
    bytes
}

async fn heard(body: &mut Body) -> Option<Result<Bytes, Status>> {
    let frame = timeout(Duration::from_secs(5), body.frame()).await.unwrap()?;
    Some(frame.map(|frame| frame.into_data().unwrap()))
}

#[tokio::test]
async fn messages_pass_unchanged_however_they_are_cut() {
    let whole: Vec<u8> = [message(3), message(0), message(1_000), message(9)].concat();
    for piece in [1, 2, 5, 7, 100, 5_000] {
        let (say, from) = body();
        let mut passed = wide().enter(holder("one"), from).unwrap();
        for piece in whole.chunks(piece) {
            say.send(Bytes::copy_from_slice(piece)).unwrap();
        }
        drop(say);
        let mut came = Vec::new();
        while let Some(bytes) = heard(&mut passed).await {
            came.extend_from_slice(&bytes.unwrap());
        }
        assert_eq!(came, whole, "in pieces of {piece}");
    }
}

#[tokio::test]
async fn a_stream_that_sends_nothing_ends_and_one_that_is_silent_after_a_frame_ends_without_an_error() {
    let (_say, from) = body();
    let mut passed = wide().enter(holder("one"), from).unwrap();
    let refused = heard(&mut passed).await.unwrap().unwrap_err();
    assert_eq!(refused.code(), tonic::Code::DeadlineExceeded);

    let (say, from) = body();
    let mut passed = wide().enter(holder("one"), from).unwrap();
    say.send(message(3).into()).unwrap();
    for _ in 0..2 {
        heard(&mut passed).await.unwrap().unwrap();
    }
    assert!(heard(&mut passed).await.is_none());
}

#[tokio::test]
async fn a_frame_that_does_not_come_whole_ends_its_stream() {
    for sent in [2, 6] {
        let (say, from) = body();
        let mut passed = wide().enter(holder("one"), from).unwrap();
        say.send(Bytes::copy_from_slice(&message(100)[..sent])).unwrap();
        let ended = loop {
            match heard(&mut passed).await.unwrap() {
                Ok(_) => {}
                Err(status) => break status,
            }
        };
        assert_eq!(ended.code(), tonic::Code::DeadlineExceeded, "after {sent} bytes");
    }
}

#[tokio::test]
async fn a_caller_has_its_share_of_streams_and_gives_it_back_with_the_body() {
    let door = wide();
    let mut open: VecDeque<_> = (0..2).map(|_| door.enter(holder("one"), body().1).unwrap()).collect();
    let refused = door.enter(holder("one"), body().1).unwrap_err();
    assert_eq!(refused.code(), tonic::Code::ResourceExhausted);
    let other = door.enter(holder("two"), body().1).unwrap();
    assert!(door.enter(holder("three"), body().1).is_err(), "the namespace has its share too");
    let elsewhere = Holder { namespace: "b".into(), ..holder("one") };
    assert!(door.enter(elsewhere, body().1).is_ok(), "another namespace still has room");
    open.pop_front();
    assert!(door.enter(holder("one"), body().1).is_ok());
    drop(other);
}

#[tokio::test]
async fn a_message_passes_only_once_there_is_room_for_all_of_it() {
    let door = door(Most { all: 1_000, of_namespace: 1_000, of_caller: 1_000 });
    let (say, from) = body();
    let mut first = door.enter(holder("one"), from).unwrap();
    say.send(message(700).into()).unwrap();
    for _ in 0..2 {
        heard(&mut first).await.unwrap().unwrap();
    }
    // The first is still being taken in: it asked for no more.
    let (second_say, from) = body();
    let mut second = door.enter(holder("two"), from).unwrap();
    second_say.send(message(400).into()).unwrap();
    let refused = heard(&mut second).await.unwrap().unwrap_err();
    assert_eq!(refused.code(), tonic::Code::ResourceExhausted);

    let (third_say, from) = body();
    let mut third = door.enter(holder("two"), from).unwrap();
    third_say.send(message(400).into()).unwrap();
    let waiting = tokio::spawn(async move { heard(&mut third).await.unwrap() });
    tokio::time::sleep(20 * MS).await;
    assert!(!waiting.is_finished(), "it waits for room");
    let asks = tokio::spawn(async move { heard(&mut first).await });
    assert_eq!(waiting.await.unwrap().unwrap().len(), PREFIX);
    asks.abort();
}
