//! What agents write, and clients that misbehave.

use std::time::Duration;

use creto_approvals::{Header, Payload};
use creto_dashboard::{HEAD_TIMEOUT, MAX_BODY_BYTES, MAX_CONNECTIONS};
use http::StatusCode;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use crate::world::{World, ask, now};

/// What somebody who would like to be approved might write.
const HOSTILE: &[&str] = &[
    "<script>fetch('/approvals')</script>",
    "<img src=x onerror=alert(1)>",
    "</pre></section><form action=/approvals/x/approve method=post><button>ok</button></form>",
    "\" autofocus onfocus=alert(1) x=\"",
    "' hx-get='/sign-out' hx-trigger='load' x='",
    "{{ 7*7 }} {% raw %} ${7*7} <%= 7*7 %>",
    "[approve](javascript:alert(1)) ![x](http://evil.example/x.png) **APPROVED**",
    "\u{1b}[2K\u{1b}[1A\u{1b}]8;;http://evil.example\u{7}click\u{1b}]8;;\u{7}",
    "amount 1\u{202e}000,1 tnuoma\u{202c} \u{2066}x\u{2069}",
    "zero\u{200b}width\u{feff} tag\u{e0061}\u{e0062} soft\u{ad}hyphen",
    "nul\u{0} bell\u{7} back\u{8}space\r\nhead: x",
    "--><!-- ]]> &lt;b&gt;",
];

#[tokio::test]
async fn nothing_that_others_write_becomes_markup_or_stays_hidden_wherever_it_is_shown() {
    let world = World::start().await;
    let (mut bob, mut ids) = (world.signed_in("bob").await, Vec::new());
    for (number, text) in (0_u8..).zip(HOSTILE) {
        let mut ask = ask(number);
        let said = || (*text).to_owned();
        let context = &mut ask.context;
        (context.action, context.method, context.url) = (said(), said(), said());
        (context.trigger, context.cost, context.risks) = (said(), said(), vec![said()]);
        (context.said_by_agent, context.delegation) = (Some(said()), vec![said()]);
        context.headers = vec![Header { name: said(), value: said() }];
        context.body = Payload::Text(format!("{{\"x\":{}}}", serde_json::to_string(text).unwrap()) + text);
        (ask.policy, ask.rule) = (said(), said());
        let id = world.desk.ask(ask, now()).await.unwrap().kept.id();
        ids.push(id);
        let token = bob.get("/").await.token();
        let form = [("token", token.as_str()), ("digest", &crate::world::digest(number)), ("reason", text)];
        assert_eq!(bob.post(&format!("/approvals/{id}/ask"), &form).await.status, StatusCode::SEE_OTHER);
    }
    let all = ids.iter().map(|id| format!("id={id}")).collect::<Vec<_>>().join("&");
    let mut paths =
        vec!["/".to_owned(), "/?state=all".to_owned(), format!("/review?{all}"), "/insights".to_owned()];
    paths.extend(ids.iter().map(|id| format!("/approvals/{id}")));
    paths.extend(ids.iter().map(|id| format!("/approvals/{id}/standing")));
    for path in paths {
        let page = bob.get(&path).await;
        assert_eq!(page.status, StatusCode::OK, "{path}");
        for markup in [
            "<script>",
            "<img",
            "onerror=alert(1)>",
            "<form action=/approvals",
            "\" autofocus onf",
            "' hx-get",
            "--><!--",
            "<b>",
        ] {
            assert!(!page.text.contains(markup), "{markup} on {path}");
        }
        let hidden = |c: char| {
            c.is_control() && c != '\n'
                || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}' | '\u{ad}')
        };
        let found: Vec<char> = page.text.chars().filter(|c| hidden(*c)).collect();
        assert!(found.is_empty(), "{found:?} on {path}");
    }
    let bidi = bob.get(&format!("/approvals/{}", ids[8])).await.text;
    assert!(bidi.contains("amount 1<i class=\"unseen\">U+202E</i>000,1 tnuoma"));
    let ansi = bob.get(&format!("/approvals/{}", ids[7])).await.text;
    assert!(ansi.contains("<i class=\"unseen\">\\x1b</i>[2K"));
    let links = bob.get(&format!("/approvals/{}", ids[6])).await.text;
    assert!(!links.contains("href=\"javascript") && !links.contains("src=\"http"));
}

#[tokio::test]
async fn a_megabyte_is_shown_to_its_last_byte() {
    let world = World::start().await;
    let mut bob = world.signed_in("bob").await;
    let mut text = ask(1);
    let filler = "x".repeat((1 << 20) - 4);
    text.context.body = Payload::Text(format!("{filler}ende"));
    let id = world.desk.ask(text, now()).await.unwrap().kept.id();
    let page = bob.get(&format!("/approvals/{id}")).await.text;
    assert!(page.contains(&format!("{filler}ende</pre>")) && page.contains("1048576 bytes"));
    // One that is nothing but what cannot be seen, in turns with what can.
    let mut worst = ask(2);
    worst.context.body = Payload::Text("\u{1}a".repeat(1 << 17));
    let id = world.desk.ask(worst, now()).await.unwrap().kept.id();
    let page = bob.get(&format!("/approvals/{id}")).await;
    assert_eq!((page.status, page.text.matches("\\x01</i>a").count()), (StatusCode::OK, 1 << 17));
    let mut binary = ask(3);
    binary.context.body = Payload::Binary("ff00".repeat(1 << 18));
    let id = world.desk.ask(binary, now()).await.unwrap().kept.id();
    let page = bob.get(&format!("/approvals/{id}")).await.text;
    assert_eq!(page.matches("ff 00").count(), 1 << 18);
    assert!(page.contains("07ffe0  ff 00"));
    // Five such are too much for one page.
    let mut query = Vec::new();
    for byte in 10..15 {
        let mut large = ask(byte);
        large.context.body = Payload::Text("y".repeat(1 << 20));
        query.push(format!("id={}", world.desk.ask(large, now()).await.unwrap().kept.id()));
    }
    assert_eq!(bob.get(&format!("/review?{}", query.join("&"))).await.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(bob.get(&format!("/review?{}", query[..4].join("&"))).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_form_is_bounded_and_other_methods_are_refused() {
    let world = World::start().await;
    let id = world.ask(1).await;
    let mut bob = world.signed_in("bob").await;
    let large = "x".repeat(MAX_BODY_BYTES);
    let answer = bob.step(id, "deny", &[("reason", &large)]).await;
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
    for method in ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT"] {
        let answer = bob.send(method.parse().unwrap(), "/", None).await;
        assert!(answer.status.is_client_error(), "{method} {}", answer.status);
    }
    assert_eq!(bob.post("/", &[]).await.status, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(bob.get("/nowhere").await.status, StatusCode::NOT_FOUND);
    assert_eq!(bob.get("/assets/../Cargo.toml").await.status, StatusCode::NOT_FOUND);
    assert_eq!(
        bob.get(&format!("/approvals/{}", id.to_string().to_uppercase())).await.status,
        StatusCode::NOT_FOUND
    );
    assert_eq!(world.word(id).await, "pending");
}

#[tokio::test]
async fn every_answer_says_what_a_browser_may_do_with_it() {
    let world = World::start().await;
    let id = world.ask(1).await;
    let mut bob = world.signed_in("bob").await;
    let paths = ["/", "/sign-in", &format!("/approvals/{id}"), "/insights", "/nowhere", "/assets/page.js"];
    for path in paths {
        let answer = bob.get(path).await;
        let header = |name: &str| answer.headers[name].to_str().unwrap().to_owned();
        let policy = header("content-security-policy");
        for part in [
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "form-action 'self'",
            "frame-ancestors 'none'",
            "base-uri 'none'",
        ] {
            assert!(policy.contains(part), "{part}");
        }
        assert!(!policy.contains("unsafe"));
        assert_eq!(
            (header("x-content-type-options"), header("x-frame-options")),
            ("nosniff".into(), "DENY".into())
        );
        assert_eq!(
            (header("referrer-policy"), header("x-robots-tag").contains("noindex")),
            ("no-referrer".into(), true)
        );
        let caching = if path.starts_with("/assets") { "private, max-age=600" } else { "no-store" };
        assert_eq!(header("cache-control"), caching, "{path}");
        // Nothing is loaded from elsewhere, and no script or style stands in the page.
        assert!(!answer.text.contains("style=\"") || path.starts_with("/assets"), "{path}");
        assert!(path.starts_with("/assets") || !answer.text.contains("src=\"http"), "{path}");
    }
}

#[tokio::test]
async fn clients_that_say_nothing_keep_nobody_out_for_long() {
    let world = World::start().await;
    let address = world.dashboard.address();
    let mut silent = Vec::new();
    for _ in 0..MAX_CONNECTIONS {
        silent.push(TcpStream::connect(address).await.unwrap());
    }
    let mut slow = TcpStream::connect(address).await.unwrap();
    slow.write_all(b"GET /sign-in HTTP/1.1\r\n").await.unwrap();
    let begun = Instant::now();
    let answer =
        timeout(HEAD_TIMEOUT + Duration::from_secs(10), world.browser().get("/sign-in")).await.unwrap();
    assert_eq!(answer.status, StatusCode::OK);
    assert!(
        begun.elapsed() >= HEAD_TIMEOUT / 2,
        "all places were taken until the silent ones were sent away"
    );
    let mut rest = Vec::new();
    timeout(HEAD_TIMEOUT + Duration::from_secs(10), slow.read_to_end(&mut rest)).await.unwrap().unwrap();
    world.dashboard.close().await;
    assert!(TcpStream::connect(address).await.is_err());
}
