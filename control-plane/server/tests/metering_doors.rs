//! What stands before metering: shares of room, names and types that are reserved, signatures.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is a test's failure report")]

mod fixture;

use std::time::Duration;

use creto_client::metering::{EventDraft, MeteringClient, MeteringOptions};
use creto_client::{OperatorClient, PlaneEndpoint};
use creto_event_store::{NamedEvent, Value as Property};
use creto_proto::v1::metering_client::MeteringClient as Rpc;
use creto_proto::v1::*;
use ed25519_dalek::Signer as _;
use fixture::{PATIENCE, Plane, create_agent, key, now_s, plane, sidecar};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;
use tokio_stream::StreamExt as _;
use tonic::transport::{Certificate, Channel, ClientTlsConfig};
use tonic::{Code, Request};

async fn token(plane: &Plane, namespace: &str, name: &str) -> String {
    let role = OperatorRole::Producer.into();
    let request = CreateOperatorTokenRequest { namespace: namespace.into(), name: name.into(), role };
    plane.admin().await.operator_tokens().create_operator_token(request).await.unwrap().into_inner().token
}

async fn put_meter(operator: &OperatorClient, namespace: &str) {
    let meter = Meter {
        name: "images".into(),
        event_type: "image.rendered".into(),
        aggregation: "count".into(),
        ..Meter::default()
    };
    let request = PutMeterRequest { namespace: namespace.into(), meter: Some(meter) };
    operator.meters().put_meter(request).await.unwrap();
}

async fn total(operator: &OperatorClient, namespace: &str, meter: &str) -> String {
    let minute = i64::try_from(now_s()).unwrap() / 60 * 60_000;
    let request = QueryMeterRequest {
        namespace: namespace.into(),
        meter: meter.into(),
        from_ms: minute - 3_600_000,
        to_ms: minute + 3_600_000,
        ..QueryMeterRequest::default()
    };
    let values = operator.meters().query_meter(request).await.unwrap().into_inner().values;
    values.first().map_or_else(|| "0".into(), |value| value.value.clone())
}

async fn channel(endpoint: &PlaneEndpoint) -> Channel {
    let tls = ClientTlsConfig::new()
        .ca_certificate(Certificate::from_pem(&endpoint.ca_pem))
        .domain_name("localhost");
    Channel::from_shared(endpoint.address.clone()).unwrap().tls_config(tls).unwrap().connect().await.unwrap()
}

fn with_token<T>(message: T, token: &str) -> Request<T> {
    let mut request = Request::new(message);
    request.metadata_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
    request
}

fn frame(types: &[&str]) -> IngestFrame {
    let now_us = i64::try_from(now_s()).unwrap() * 1_000_000;
    let count = u32::try_from(types.len()).unwrap();
    IngestFrame {
        epoch: 7,
        first_sequence: 1,
        count,
        strings: types.iter().map(|one| (*one).to_owned()).collect(),
        event_type: (1..=count).collect(),
        at_us: (0..count).map(|at| if at == 0 { now_us } else { 0 }).collect(),
        ..IngestFrame::default()
    }
}

/// Opens streams that never send a frame, 200 a connection. How many of them were refused at once.
async fn open_silent(
    plane: &Plane,
    token: &str,
    streams: usize,
) -> (Vec<tokio::task::JoinHandle<Code>>, usize) {
    let mut open = Vec::new();
    let mut rpc = Rpc::new(channel(&plane.endpoint()).await);
    for nth in 0..streams {
        if nth % 200 == 199 {
            rpc = Rpc::new(channel(&plane.endpoint()).await);
        }
        let (mut rpc, token) = (rpc.clone(), token.to_owned());
        open.push(tokio::spawn(async move {
            let request = with_token(tokio_stream::pending(), &token);
            rpc.ingest_frames(request).await.map_or_else(|status| status.code(), |_| Code::Ok)
        }));
    }
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    let refused = open.iter().filter(|stream| stream.is_finished()).count();
    (open, refused)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_producer_that_opens_streams_and_sends_nothing_holds_up_itself_only() {
    let plane = plane().await;
    let (in_a, in_b) = (plane.operator("a").await, plane.operator("b").await);
    put_meter(&in_a, "a").await;
    put_meter(&in_b, "b").await;
    let greedy = token(&plane, "a", "greedy").await;
    let elsewhere = token(&plane, "b", "painter").await;
    let (streams, refused) = open_silent(&plane, &greedy, 1_100).await;
    assert_eq!(refused, 1_100 - 128, "a token has 128 streams");
    // Operators' calls go through, and so do events of others.
    let list = ListAgentsRequest { namespace: "a".into(), ..ListAgentsRequest::default() };
    in_a.agents().list_agents(list).await.unwrap();
    let client =
        MeteringClient::connect(&plane.endpoint(), &elsewhere, MeteringOptions::new("b", "painter")).unwrap();
    client.record(EventDraft::new("image.rendered")).unwrap();
    timeout(PATIENCE, client.flush()).await.unwrap().unwrap();
    assert_eq!(total(&in_b, "b", "images").await, "1");
    // Whoever sends nothing is told so soon.
    for stream in streams {
        let code = timeout(Duration::from_secs(15), stream).await.unwrap().unwrap();
        assert!(matches!(code, Code::DeadlineExceeded | Code::ResourceExhausted), "{code:?}");
    }
}

#[tokio::test]
async fn a_frame_with_more_columns_than_there_may_be_is_refused_before_it_is_decoded() {
    let plane = plane().await;
    let token = token(&plane, "a", "painter").await;
    let mut rpc = Rpc::new(channel(&plane.endpoint()).await);
    let mut wide = frame(&["image.rendered"]);
    wide.producer = "painter".into();
    wide.properties = vec![PropertyColumn::default(); 100_000];
    let refused = rpc.ingest_frames(with_token(tokio_stream::once(wide), &token)).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    assert!(refused.message().contains("256 property columns"), "{}", refused.message());
}

#[tokio::test]
async fn events_of_the_control_planes_own_types_are_refused_one_by_one() {
    let plane = plane().await;
    let operator = plane.operator("a").await;
    put_meter(&operator, "a").await;
    create_agent(&operator, "a", "one", &key(1), false).await;
    let enrolled = sidecar(&plane.endpoint(), &operator, "a", "one").await;
    let token = token(&plane, "a", "painter").await;
    let sent = frame(&["creto.call", "image.rendered", "creto.anything"]);
    let named = IngestFrame { producer: "painter".into(), ..sent.clone() };
    let by_token = with_token(tokio_stream::once(named), &token);
    let mut of_token = Rpc::new(channel(&plane.endpoint()).await);
    let mut of_sidecar = Rpc::new(enrolled.client.channel());
    let answers = [
        of_token.ingest_frames(by_token).await.unwrap(),
        of_sidecar.ingest_frames(tokio_stream::once(sent)).await.unwrap(),
    ];
    for answer in answers {
        let mark = answer.into_inner().next().await.unwrap().unwrap();
        assert_eq!((mark.sequence, mark.accepted), (3, 1));
        let rejected: Vec<_> = mark.rejected.iter().map(|one| (one.sequence, one.code.as_str())).collect();
        assert_eq!(rejected, [(1, "reserved_event_type"), (3, "reserved_event_type")]);
        assert!(mark.rejected[0].detail.contains("creto."), "{}", mark.rejected[0].detail);
    }
    assert_eq!(total(&operator, "a", "calls").await, "0");
    assert_eq!(total(&operator, "a", "images").await, "2");

    let event = |id: &str, source: &str, event_type: &str| {
        serde_json::json!({
            "specversion": "1.0", "id": id, "source": source, "type": event_type, "time": time(),
            "data": { "total_tokens": 5 },
        })
    };
    let batch = serde_json::json!([
        event("1", "/studio", "creto.call"),
        event("2", "calls/somebody", "image.rendered"),
        event("3", "/studio", "image.rendered"),
    ]);
    let (status, answer) = post(&plane, &token, &batch).await;
    assert_eq!(status, 207);
    let codes: Vec<_> =
        answer["items"].as_array().unwrap().iter().map(|item| item["code"].as_str().unwrap_or("")).collect();
    assert_eq!(codes, ["reserved_event_type", "reserved_source", ""]);
    assert_eq!(total(&operator, "a", "calls").await, "0");
}

/// The beginning of this hour.
fn time() -> String {
    let output = std::process::Command::new("date").args(["-u", "+%Y-%m-%dT%H:00:00Z"]).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn hour_us() -> i64 {
    i64::try_from(now_s()).unwrap() / 3_600 * 3_600_000_000
}

async fn post(plane: &Plane, token: &str, batch: &serde_json::Value) -> (u16, serde_json::Value) {
    let mut child = tokio::process::Command::new("curl")
        .args([
            "--silent",
            "--show-error",
            "--write-out",
            "\n%{http_code}",
            "--data-binary",
            "@-",
            "--cacert",
        ])
        .arg(plane.folder.path().join("ca.pem"))
        .args(["-H", "Content-Type: application/cloudevents-batch+json"])
        .args([
            "-H",
            &format!("Authorization: Bearer {token}"),
            &format!("{}/v1/events", plane.running.url()),
        ])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(batch.to_string().as_bytes()).await.unwrap();
    let text = String::from_utf8(child.wait_with_output().await.unwrap().stdout).unwrap();
    let (body, status) = text.rsplit_once('\n').unwrap();
    (status.parse().unwrap(), serde_json::from_str(body).unwrap())
}

#[tokio::test]
async fn a_signed_event_is_counted_only_with_the_signature_of_its_agent() {
    let plane = plane().await;
    let operator = plane.operator("a").await;
    put_meter(&operator, "a").await;
    create_agent(&operator, "a", "painter", &key(1), false).await;
    create_agent(&operator, "a", "other", &key(2), false).await;
    let token = token(&plane, "a", "studio").await;
    let signed = |id: &str, agent: &str, by: u8, pixels: u64, said: u64| {
        let event = NamedEvent {
            source: "/studio".into(),
            id: id.into(),
            event_type: "image.rendered".into(),
            agent: agent.into(),
            customer: "acme".into(),
            subscription: "".into(),
            delegation: "".into(),
            at_us: Some(hour_us()),
            logical: 0,
            properties: vec![("pixels".into(), Property::Number(pixels.to_string().parse().unwrap()))],
            signature: None,
        };
        let message = [&b"creto.event.v1\n"[..], &event.key("a"), &event.digest()].concat();
        let signature = key(by).sign(&message).to_bytes();
        serde_json::json!({
            "specversion": "1.0", "id": id, "source": "/studio", "type": "image.rendered", "time": time(),
            "agent": agent, "customer": "acme", "signature": base64(&signature),
            "data": { "pixels": said },
        })
    };
    let batch = serde_json::json!([
        signed("right", "painter", 1, 5, 5),
        signed("changed", "painter", 1, 5, 6),
        signed("by another", "painter", 2, 5, 5),
        signed("of nobody", "nobody", 1, 5, 5),
    ]);
    let (status, answer) = post(&plane, &token, &batch).await;
    assert_eq!(status, 207, "{answer}");
    let codes: Vec<_> =
        answer["items"].as_array().unwrap().iter().map(|item| item["code"].as_str().unwrap_or("")).collect();
    assert_eq!(codes, ["", "bad_signature", "bad_signature", "bad_signature"]);
    assert_eq!(total(&operator, "a", "images").await, "1");
}

fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for three in bytes.chunks(3) {
        let word = (0..3).fold(0_u32, |word, at| word << 8 | u32::from(three.get(at).copied().unwrap_or(0)));
        for at in 0..4 {
            let letter = LETTERS[(word >> (18 - 6 * at) & 63) as usize];
            text.push(if at > three.len() { '=' } else { char::from(letter) });
        }
    }
    text
}

#[tokio::test]
async fn a_token_whose_posts_never_end_leaves_room_for_others() {
    let plane = plane().await;
    let operator = plane.operator("a").await;
    put_meter(&operator, "a").await;
    let (slow, other) = (token(&plane, "a", "slow").await, token(&plane, "a", "other").await);
    let mut children = Vec::new();
    for _ in 0..64 {
        // Says that much will come, sends a little and waits.
        let mut child = tokio::process::Command::new("curl")
            .args([
                "--silent",
                "--http1.1",
                "--write-out",
                "\n%{http_code}",
                // Also while nothing comes from its input.
                "-T",
                ".",
                "-X",
                "POST",
                "--cacert",
            ])
            .arg(plane.folder.path().join("ca.pem"))
            .args(["-H", "Content-Type: application/cloudevents-batch+json"])
            .args([
                "-H",
                &format!("Authorization: Bearer {slow}"),
                &format!("{}/v1/events", plane.running.url()),
            ])
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        child.stdin.as_mut().unwrap().write_all(b"[").await.unwrap();
        children.push(child);
    }
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    let event = serde_json::json!([{
        "specversion": "1.0", "id": "1", "source": "/s", "type": "image.rendered", "time": time(),
    }]);
    let (status, answer) = post(&plane, &other, &event).await;
    assert_eq!(status, 200, "{answer}");
    let (status, answer) = post(&plane, &slow, &event).await;
    assert_eq!((status, answer["code"].as_str()), (429, Some("busy")), "its own share is used up");
    let until = tokio::time::Instant::now() + Duration::from_secs(30);
    let mut refused = 0;
    for mut child in children {
        let mut said = String::new();
        let mut out = child.stdout.take().unwrap();
        // Those with room wait for their ten seconds; the others are told at once, and after a look whether the rest comes.
        if tokio::time::timeout_at(until, out.read_to_string(&mut said)).await.is_ok() {
            refused += usize::from(said.ends_with("429"));
        }
    }
    // A machine so slow that the first were done before the last began would have room for those.
    assert!(
        (32..=48).contains(&refused),
        "sixteen of one token at once, and no more: {refused} of 64 were refused"
    );
}
