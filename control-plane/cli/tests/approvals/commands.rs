//! What the commands do, and what they refuse.

use std::os::unix::fs::PermissionsExt as _;

use crate::asker::Asker;
use crate::plane::{Plane, stderr};

const POLICY: &str = r#"
version = 1
name = "payments"
[[allow]]
name = "bank"
host = "bank.example"
[[hold]]
name = "transfers"
host = "bank.example"
method = "POST"
approvers = ["bob", "carol", "operator"]
quorum = 2
wait = "1h"
escalate = [{ approvers = ["dana"], wait = "1h" }]
uses = 5
holds_for = "15m"
reason = "money leaves"
"#;

/// A control plane with the policy, bob and carol with tokens, and somebody who asks.
async fn ready() -> (Plane, Asker, [String; 2]) {
    let plane = Plane::start();
    let file = plane.file("payments.toml", POLICY);
    plane.done(&["policy", "apply", &file]);
    let tokens = ["bob", "carol"].map(|name| {
        let path = plane.path(&format!("{name}.token")).display().to_string();
        plane.done(&["operators", "create", name, "--out", &path]);
        path
    });
    let asker = Asker::new(&plane).await;
    (plane, asker, tokens)
}

#[tokio::test]
async fn two_people_approve_what_they_were_shown_and_it_is_taken() {
    let (plane, asker, [bob, carol]) = ready().await;
    let id = asker.asks(7, b"{\"amount\": 100}", "").await;
    let listed = plane.done(&["approvals", "list", "--token-file", &bob]);
    for part in [&id[..12], "pending", "payer", "money leaves (method POST)", "bob,carol", "59m"] {
        assert!(listed.contains(part), "{part}: {listed}");
    }
    let shown = plane.done(&["approvals", "show", &id[..8], "--token-file", &bob]);
    let digest = format!("sha256:{}", "07".repeat(32));
    for part in [
        id.as_str(),
        "POST https://bank.example/transfers?to=17",
        "  | content-type: application/json",
        "  | {\"amount\": 100}",
        "Body: 15 bytes",
        "Tier 1: 2 of bob, carol, 1h 0m, decides now",
        "Must not decide: operator, payer",
        "under operator > payer",
        "at most 5 uses within 15m",
        digest.as_str(),
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }

    // Nobody is there to be asked.
    let refused = plane.refused(&["approvals", "approve", &id, "--token-file", &bob]);
    assert!(refused.contains("nobody can be asked"), "{refused}");
    let other = format!("sha256:{}", "08".repeat(32));
    let refused =
        plane.refused(&["approvals", "approve", &id, "--yes", "--digest", &other, "--token-file", &bob]);
    assert!(refused.contains("another digest"), "{refused}");
    let approve = |token: &str| {
        plane.json(&[
            "approvals",
            "approve",
            &id,
            "--yes",
            "--digest",
            &digest,
            "--reason",
            "fine",
            "--uses",
            "2",
            "--for",
            "10m",
            "--token-file",
            token,
            "--json",
        ])
    };
    assert_eq!(approve(&bob)[0]["state"], "pending");
    assert_eq!(approve(&carol)[0]["state"], "approved");
    let shown = plane.json(&["approvals", "show", &id, "--json"]);
    assert_eq!((&shown["uses_left"], &shown["votes"][1]["reason"]), (&2.into(), &"fine".into()), "{shown}");
    assert_eq!(asker.takes(&id, 7).await.unwrap(), 1);
    let shown = plane.done(&["approvals", "show", &id]);
    assert!(shown.contains("executing") && shown.contains("Use 1:") && shown.contains("Vote: "), "{shown}");
    assert!(plane.done(&["approvals", "list"]).lines().count() == 1, "nothing is left to decide");
    assert!(plane.done(&["approvals", "list", "--state", "executing"]).contains(&id[..12]));
}

#[tokio::test]
async fn what_is_refused_is_told_item_by_item_with_exit_code_1() {
    let (plane, asker, [bob, _]) = ready().await;
    let (one, two) = (asker.asks(1, b"", "").await, asker.asks(2, b"", "").await);
    plane.done(&["approvals", "deny", &one, "--reason", "no", "--token-file", &bob]);
    let output = plane.creto(&["approvals", "deny", &one, &two, "--token-file", &bob, "--json"]);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    let told: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(told[0]["refused"].as_str().unwrap().contains("it cannot be decided"), "{told}");
    assert_eq!(told[1]["state"], "denied");

    // The admin of the home hands on the permission, as `operator`; its token is `first`, who is not asked.
    let three = asker.asks(3, b"", "").await;
    let output = plane.creto(&["approvals", "approve", &three, "--yes"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stdout).contains("first is not among the people"));
    let path = plane.path("operator-person.token").display().to_string();
    plane.done(&["operators", "create", "operator", "--out", &path]);
    let output = plane.creto(&["approvals", "approve", &three, "--yes", "--token-file", &path]);
    assert!(String::from_utf8_lossy(&output.stdout).contains("nobody decides about their own request"));

    for (named, why) in [("12345", "6 or more"), ("zzzzzzz", "hexadecimal"), ("ffffff", "no request ffffff")]
    {
        let refused = plane.refused(&["approvals", "show", named]);
        assert!(refused.contains(why), "{refused}");
    }
    let refused = plane.refused(&["approvals", "show", &"f".repeat(32)]);
    assert!(refused.contains("there is no request"), "{refused}");
    let output = plane.creto(&["approvals", "approve", "--yes"]);
    assert_eq!(output.status.code(), Some(2));
}

#[tokio::test]
async fn tokens_are_made_once_for_their_owner_and_ended() {
    let plane = Plane::start();
    let path = plane.path("bob.token");
    let out = path.display().to_string();
    plane.done(&["operators", "create", "bob", "--out", &out]);
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    plane.done(&["approvals", "list", "--token-file", &out]);
    let again = plane.path("again.token");
    plane.refused(&["operators", "create", "bob", "--out", &again.display().to_string()]);
    assert!(!again.try_exists().unwrap(), "nothing is left of what was refused");
    let refused = plane.refused(&["operators", "create", "carol", "--out", &out]);
    assert!(refused.contains("cannot be written"), "{refused}");
    // bob is no admin.
    let refused = plane.refused(&["operators", "create", "carol", "--token-file", &out]);
    assert!(refused.contains("role admin"), "{refused}");
    plane.done(&["operators", "revoke", "bob"]);
    let refused = plane.refused(&["approvals", "list", "--token-file", &out]);
    assert!(refused.contains("valid operator token"), "{refused}");
    let shown = plane.json(&["operators", "create", "carol", "--role", "admin", "--json"]);
    assert_eq!((&shown["role"], shown["token"].is_string()), (&"admin".into(), true));
}

#[tokio::test]
async fn what_an_agent_writes_is_shown_harmlessly() {
    let (plane, asker, [bob, _]) = ready().await;
    let evil = "{\"to\": \"\x1b[2J\x1b[1;1Hsafe\u{202e}\u{200b}\u{9b}31m\"}\r\nDigest   sha256:00\nTier 9: any of you";
    let id = asker.asks(5, evil.as_bytes(), "\x1b]0;pwned\x07 please \u{2066}approve").await;
    let show = ["approvals", "show", &id, "--token-file", &bob];
    let shown = plane.done(&show);
    let controls = |text: &str| {
        text.chars().any(|character| {
            character.is_control() && character != '\n' || "\u{202e}\u{2066}\u{200b}".contains(character)
        })
    };
    assert!(!controls(&shown), "{shown:?}");
    for part in ["<U+001B>[2J", "safe<U+202E><U+200B><U+009B>31m", "  | Digest   sha256:00", "  | Tier 9"] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    let (facts, said) = shown.split_once("The agent says this.").unwrap();
    assert!(said.contains("  | <U+001B>]0;pwned<U+0007> please <U+2066>approve"), "{said}");
    assert!(!facts.contains("pwned"));
    let json = plane.done(&[show.as_slice(), &["--json"]].concat());
    assert!(!controls(&json), "{json:?}");
    let value: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(value["body"], evil, "programs get it byte for byte");
    let listed = plane.done(&["approvals", "list", "--token-file", &bob]);
    assert!(!controls(&listed), "{listed:?}");
    // What is no text is shown in digits.
    let id = asker.asks(6, b"\xff\xfe\x1b[31m", "").await;
    assert!(plane.done(&["approvals", "show", &id]).contains("  | fffe1b5b33316d"));
}
