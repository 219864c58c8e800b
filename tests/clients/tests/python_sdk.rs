//! The Python SDK for metering: its own tests, and events sent with it to a real control plane.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use creto_proto::v1;
use creto_test_clients::Program;
use creto_test_support::{NAMESPACE, Plane};

const SDK: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../sdk/python");

/// Python with the package installed.
fn python() -> &'static str {
    static PYTHON: OnceLock<String> = OnceLock::new();
    PYTHON.get_or_init(|| {
        let output =
            Command::new("bash").arg(format!("{SDK}/tests/install.sh")).output().expect("bash starts");
        assert!(output.status.success(), "install.sh: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    })
}

#[tokio::test]
async fn the_sdk_passes_its_own_tests_and_its_code_is_what_the_api_says() {
    let tests = format!("{SDK}/tests");
    let ran = Program::new(python()).args(&["-m", "unittest", "discover", "-s", &tests]).run(&[]).await;
    assert_eq!(ran.code, Some(0), "{}{}", ran.out, ran.err);
    let generate = format!("{SDK}/generate.py");
    let ran = Program::new(python()).args(&[&generate, "--check"]).run(&[]).await;
    assert_eq!(ran.code, Some(0), "{}{}", ran.out, ran.err);
}

async fn producer_token(plane: &Plane) -> String {
    let request = v1::CreateOperatorTokenRequest {
        namespace: NAMESPACE.into(),
        name: "python".into(),
        role: v1::OperatorRole::Producer.into(),
    };
    plane.operator().operator_tokens().create_operator_token(request).await.unwrap().into_inner().token
}

async fn put_meters(plane: &Plane) {
    for (name, aggregation, field) in [("images", "count", ""), ("images.size", "sum", "size")] {
        let meter = v1::Meter {
            name: name.into(),
            event_type: "image.rendered".into(),
            aggregation: aggregation.into(),
            field: field.into(),
            dimensions: vec!["format".into()],
            unit: String::new(),
        };
        let request = v1::PutMeterRequest { namespace: NAMESPACE.into(), meter: Some(meter) };
        plane.operator().meters().put_meter(request).await.unwrap();
    }
}

/// What a meter comes to by format.
async fn by_format(plane: &Plane, meter: &str) -> Vec<(String, String)> {
    let request = v1::QueryMeterRequest {
        namespace: NAMESPACE.into(),
        meter: meter.into(),
        from_ms: 1_500_000_000_000 / 60_000 * 60_000,
        to_ms: 4_000_000_000_000 / 60_000 * 60_000,
        window: String::new(),
        group_by: vec!["format".into()],
        r#where: [("customer".to_owned(), "acme".to_owned())].into(),
    };
    let values = plane.operator().meters().query_meter(request).await.unwrap().into_inner().values;
    values.into_iter().map(|value| (value.group["format"].clone(), value.value)).collect()
}

async fn accounts(plane: &Plane) -> Vec<v1::ProducerAccount> {
    let request = v1::VerifyProducersRequest { namespace: NAMESPACE.into(), producer: "python-sdk".into() };
    plane.operator().meters().verify_producers(request).await.unwrap().into_inner().producers
}

async fn account(plane: &Plane) -> v1::ProducerAccount {
    let mut accounts = accounts(plane).await;
    assert_eq!(accounts.len(), 1, "{accounts:?}");
    accounts.remove(0)
}

fn program(plane: &Plane, token: &str, events: u64) -> Program {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/programs/python/with_creto_metering.py");
    Program::new(python())
        .args(&[script])
        .env("ADDRESS", plane.address())
        .env("CA_FILE", plane.ca_file().display().to_string())
        .env("TOKEN", token)
        .env("EVENTS", events.to_string())
}

#[tokio::test]
async fn events_of_the_python_sdk_are_counted_once_though_the_control_plane_is_killed() {
    const EVENTS: u64 = 50_000;
    let plane = Plane::start().await;
    put_meters(&plane).await;
    let token = producer_token(&plane).await;
    let running = tokio::spawn({
        let program = program(&plane, &token, EVENTS);
        async move { program.run(&[]).await }
    });
    // In the middle of it.
    while accounts(&plane).await.is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    plane.kill9();
    plane.restart().await;
    let ran = running.await.unwrap();
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    let said: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    let counter = |name: &str| said["counters"][name].as_u64().unwrap();
    assert_eq!(counter("sent"), EVENTS + 1, "{said}");
    assert_eq!(counter("accepted") + counter("duplicate") + counter("rejected"), EVENTS + 1, "{said}");
    assert_eq!(said["rejected"], serde_json::json!(["time_too_old"]));

    let half = (EVENTS / 2).to_string();
    assert_eq!(by_format(&plane, "images").await, [("jpeg".into(), half.clone()), ("png".into(), half)]);
    // The sum of 0, 2, 4, … and that of 1, 3, 5, …, in thousandths.
    assert_eq!(
        by_format(&plane, "images.size").await,
        [("jpeg".into(), "624975".to_owned()), ("png".into(), "625000".to_owned())]
    );
    let account = account(&plane).await;
    assert_eq!((account.accepted, account.rejected), (EVENTS, 1));
    assert_eq!(account.sent, account.accepted + account.duplicate + account.rejected);
}

#[tokio::test]
async fn what_is_left_is_sent_when_the_interpreter_ends() {
    let plane = Plane::start().await;
    put_meters(&plane).await;
    let token = producer_token(&plane).await;
    let ran = program(&plane, &token, 3_000).env("END", "exit").run(&[]).await;
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    let account = account(&plane).await;
    assert_eq!((account.sent, account.accepted, account.rejected), (3_001, 3_000, 1));
}
