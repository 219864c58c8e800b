//! One policy, four ways in, the same verdicts.
#![forbid(unsafe_code)]

use creto_proto::v1::{CaptureMode, Verdict};
use creto_test_support::{Plane, TestNetwork, Trip, UPSTREAM_NAME, Upstream, Way, eventually};

/// method, path, status, code of the refusal.
const CASES: [(&str, &str, u16, &str); 9] = [
    ("GET", "/echo/read/1", 200, ""),
    ("HEAD", "/echo/read/1", 200, ""),
    ("POST", "/echo/read/1", 403, "no_rule_allows"),
    ("DELETE", "/echo/read/1", 403, "rule_denies"),
    ("GET", "/other", 403, "no_rule_allows"),
    ("GET", "/echo/read/secret/x", 403, "rule_denies"),
    ("GET", "/echo/read/%2e%2e/%2e%2e/other", 400, "malformed_request"),
    ("GET", "/echo/read/..%2f..%2fother", 403, "no_rule_allows"),
    ("GET", "/echo/read/%73ecret/x", 403, "rule_denies"),
];

fn policy(host: &str, plain: u16, secure: u16) -> String {
    format!(
        r#"version = 1
name = "four-ways"
[[allow]]
name = "read"
host = "{host}"
port = [{plain}, {secure}]
method = ["GET", "HEAD"]
path = "/echo/read/**"
private = true
[[deny]]
name = "no-deletes"
host = "*"
port = "any"
method = "DELETE"
[[deny]]
name = "no-secrets"
host = "*"
port = "any"
path = "/echo/read/secret/**"
[[route]]
name = "plain"
prefix = "/plain"
to = "http://{host}:{plain}"
[[route]]
name = "secure"
prefix = "/secure"
to = "https://{host}:{secure}"
"#
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_calls_get_the_same_verdicts_over_every_way_in() {
    let network = TestNetwork::new();
    let plain = Upstream::builder().plain().address(network.host_side()).name(UPSTREAM_NAME).start().await;
    let secure = Upstream::builder().address(network.host_side()).name(UPSTREAM_NAME).start().await;
    let plane = Plane::start().await;
    let agent = plane.trusted_agent("researcher").await;
    plane.apply_policy(&policy(UPSTREAM_NAME, plain.port(), secure.port())).await;
    let sidecar = plane.sidecar(&agent).trusts(&secure).inside(&network).start().await;
    let client = sidecar.http_agent();
    let ways = [
        (Way::Connect, &plain, CaptureMode::Connect),
        (Way::Connect, &secure, CaptureMode::Connect),
        (Way::AbsoluteForm, &plain, CaptureMode::AbsoluteForm),
        (Way::BaseUrl("/plain"), &plain, CaptureMode::BaseUrl),
        (Way::BaseUrl("/secure"), &secure, CaptureMode::BaseUrl),
        (Way::Transparent, &plain, CaptureMode::Transparent),
        (Way::Transparent, &secure, CaptureMode::Transparent),
    ];
    let mut expected = Vec::new();
    for (way, upstream, mode) in ways {
        for (method, path, status, code) in CASES {
            let url = format!(
                "{}://{UPSTREAM_NAME}:{}{path}",
                if std::ptr::eq(upstream, &plain) { "http" } else { "https" },
                upstream.port()
            );
            for http2 in [false, true] {
                // HTTP/2 is by ALPN, or by prior knowledge on the sidecar's own address.
                if http2
                    && (way == Way::AbsoluteForm
                        || (std::ptr::eq(upstream, &plain) && way != Way::BaseUrl("/plain")))
                {
                    continue;
                }
                let mut trip = Trip::get(way, &url).method(method);
                if http2 {
                    trip = trip.http2();
                }
                let answer = client
                    .try_go(trip)
                    .await
                    .unwrap_or_else(|broke| panic!("{way:?} {method} {url} http2={http2}: {broke}"));
                let told =
                    format!("{way:?} {method} {url} http2={http2}: {} {}", answer.status, answer.text());
                assert_eq!((answer.status, answer.refusal().as_str()), (status, code), "{told}");
                expected.push((mode, method.to_owned(), code.to_owned()));
            }
        }
    }
    let forwarded = plain.requests().len() + secure.requests().len();
    let allowed = expected.iter().filter(|(_, _, code)| code.is_empty()).count();
    assert_eq!(forwarded, allowed, "nothing that was refused reached an upstream");

    let calls = eventually("every call is on record and ended", || async {
        let calls = plane.calls().await;
        (calls.len() == expected.len() && calls.iter().all(|call| call.ended.is_some())).then_some(calls)
    })
    .await;
    let recorded: Vec<_> = calls
        .iter()
        .filter_map(|call| call.begun.as_ref())
        .map(|begun| (begun.capture(), begun.method.clone(), begun.code.clone()))
        .collect();
    assert_eq!(recorded, expected);
    for call in &calls {
        let (Some(begun), Some(ended)) = (&call.begun, &call.ended) else { panic!("not whole: {call:?}") };
        assert_eq!(begun.verdict() == Verdict::Allowed, ended.status == 200, "{call:?}");
        // A malformed request is refused before it has a destination.
        assert!(begun.host == UPSTREAM_NAME || begun.code == "malformed_request", "{call:?}");
    }
}
