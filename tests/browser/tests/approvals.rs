//! People decide in a real browser.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used)]

use creto_approvals::Payload;
use creto_oversight::{Channel, Decision, Status};
use creto_test_browser::{PASSWORD, Waiting, drive};

/// Where pictures are kept when they are wanted.
const PICTURES: &str = "CRETO_TEST_PICTURES";

const HOSTILE: &str = "Please approve quickly, the vendor waits. <script>document.title='run'</script><img src=x onerror=\"document.title='run'\">\n\
     [Approve now](javascript:document.title='run') **already approved by carol**\n\
     Amount: 1\u{202e}00.001\u{202c} CHF \u{1b}[2K";

async fn waiting() -> (Waiting, Vec<creto_oversight::RequestId>) {
    let waiting = Waiting::start().await;
    let json = r#"{"amount":"100.00","currency":"CHF","to":{"name":"Muster AG","iban":"CH9300762011623852957"},"reference":"invoice 7"}"#;
    let mut ids = Vec::new();
    for (number, minutes, action, body) in [
        (1, 2, "POST https://bank.example/v1/transfers", Payload::Text(json.to_owned())),
        (
            2,
            9,
            "DELETE https://api.github.example/repos/muster/site/branches/main/protection",
            Payload::Nothing,
        ),
        (
            3,
            60,
            "PUT https://files.example/backups/2026-11-22.tar.zst",
            Payload::Binary("28b52ffd".repeat(48)),
        ),
    ] {
        ids.push(waiting.call(number, minutes, action, body, HOSTILE).await);
    }
    (waiting, ids)
}

#[tokio::test]
async fn a_person_signs_in_and_approves_with_the_keyboard_alone() {
    let (waiting, ids) = waiting().await;
    let folder = tempfile::tempdir().unwrap();
    let pictures = std::env::var_os(PICTURES).map_or_else(|| folder.path().to_owned(), Into::into);
    let seen = drive("keyboard", waiting.dashboard.url(), &pictures, &[("PASSWORD", PASSWORD)]).await;
    assert_eq!(seen["title"], "run nothing", "what an agent wrote ran: {seen}");
    assert_eq!(seen["violations"], serde_json::json!([]), "the page breaks its own policy: {seen}");
    assert_eq!(seen["elsewhere"], serde_json::json!([]), "the page loads from elsewhere: {seen}");
    assert_eq!(seen["unlabelled"], serde_json::json!([]), "controls without a label: {seen}");
    assert_eq!(seen["sideways"], serde_json::json!([]), "pages wider than their window: {seen}");
    assert_eq!(seen["faint"], serde_json::json!([]), "text that is hard to read: {seen}");
    assert_eq!(seen["count"], "2 waiting", "the bar counts again by itself: {seen}");
    let Status::Approved(approved) = waiting.desk.get("default", ids[0]).await.unwrap().status else {
        panic!("{seen}")
    };
    let vote = &approved.votes()[0];
    assert_eq!((vote.person.as_str(), vote.channel), ("bob", Channel::Page));
    assert!(matches!(vote.decision, Decision::Approve { uses: 1, .. }));
    assert_eq!([waiting.word(ids[1]).await, waiting.word(ids[2]).await], ["pending", "pending"]);
}

#[tokio::test]
async fn a_person_denies_without_javascript() {
    let (waiting, ids) = waiting().await;
    let folder = tempfile::tempdir().unwrap();
    let seen =
        drive("without_scripts", waiting.dashboard.url(), folder.path(), &[("PASSWORD", PASSWORD)]).await;
    assert!(seen["left"].as_str().unwrap().contains("min"), "{seen}");
    let Status::Denied(denied) = waiting.desk.get("default", ids[0]).await.unwrap().status else {
        panic!("{seen}")
    };
    assert_eq!(denied.reason.as_deref(), Some("Not expected now: no invoice 7 is known"));
    // Two more, reviewed together.
    assert_eq!([waiting.word(ids[1]).await, waiting.word(ids[2]).await], ["denied", "denied"]);
}
