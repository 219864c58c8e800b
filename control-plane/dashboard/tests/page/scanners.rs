//! Links are opened by machines: none of them decides.

use creto_oversight::RequestId;
use http::{Method, StatusCode};

use crate::world::{Browser, World, digest};

/// Those that open links that people are sent.
const AGENTS: &[&str] = &[
    "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)",
    "Slackbot 1.0 (+https://api.slack.com/robots)",
    "Slack-ImgProxy (+https://api.slack.com/robots)",
    "Mozilla/5.0 (Windows NT 6.1; WOW64) SkypeUriPreview Preview/0.5 skype-url-preview@microsoft.com",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 BingPreview/1.0b",
    "Microsoft Office/16.0 (Microsoft Outlook 16.0.17328; Pro)",
    "Mozilla/5.0 (compatible; MSOffice 16) SafeLinks",
    "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)",
    "Twitterbot/1.0",
    "LinkedInBot/1.0 (compatible; Mozilla/5.0; Apache-HttpClient +http://www.linkedin.com)",
    "TelegramBot (like TwitterBot)",
    "WhatsApp/2.23.20.0 A",
    "Discordbot/2.0; +https://discordapp.com",
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)",
    "Mozilla/5.0 (compatible; Proofpoint URL Defense)",
    "Mozilla/5.0 (compatible; Mimecast URL Protect)",
    "Barracuda Sentinel (EE)",
    "curl/8.5.0",
    "python-requests/2.32.0",
    "",
];

fn paths(id: RequestId, token: &str) -> Vec<String> {
    let query = format!("token={token}&digest={}&decision=approve&item={id}+{}", digest(1), digest(1));
    let steps = [
        "approve", "deny", "ask", "answer", "escalate", "reassign", "cancel", "revoke", "standing", "decide",
    ];
    let steps = steps.iter().map(|step| format!("/approvals/{id}/{step}?{query}"));
    let pages = [
        format!("/approvals/{id}?{query}"),
        format!("/review?id={id}&{query}"),
        format!("/sign-out?{query}"),
        format!("/?{query}"),
        "/insights".to_owned(),
    ];
    steps.chain(pages).collect()
}

#[tokio::test]
async fn no_get_or_head_decides_whoever_sends_it_and_however_signed_in_they_are() {
    let world = World::start().await;
    let id = world.ask(1).await;
    let mut bob = world.signed_in("bob").await;
    let token = bob.get("/").await.token();
    let before = world.desk.get("default", id).await.unwrap();
    for agent in AGENTS {
        for signed_in in [true, false] {
            let mut browser = if signed_in { bob.clone() } else { world.browser() };
            browser.headers.insert("user-agent", (*agent).to_owned());
            for path in paths(id, &token) {
                for method in [Method::GET, Method::HEAD] {
                    let answer = browser.send(method.clone(), &path, None).await;
                    assert_ne!(answer.status, StatusCode::INTERNAL_SERVER_ERROR, "{method} {path}");
                }
            }
        }
    }
    assert_eq!(world.desk.get("default", id).await.unwrap(), before);
    // Nor did any of it sign bob out.
    assert_eq!(bob.get("/").await.status, StatusCode::OK);
    let voted = bob.step(id, "approve", &[("digest", &digest(1))]).await;
    assert_eq!(
        (voted.status, world.word(id).await.as_str()),
        (StatusCode::SEE_OTHER, "approved"),
        "{}",
        voted.text
    );
}

#[tokio::test]
async fn a_browser_that_looks_ahead_decides_nothing_even_with_a_post() {
    let world = World::start().await;
    let id = world.ask(1).await;
    let mut bob = world.signed_in("bob").await;
    let token = bob.get("/").await.token();
    for (name, value) in [
        ("sec-purpose", "prefetch"),
        ("sec-purpose", "prefetch;prerender"),
        ("purpose", "prefetch"),
        ("x-moz", "prefetch"),
    ] {
        let mut ahead = bob.clone();
        ahead.headers.insert(name, value.to_owned());
        assert_eq!(ahead.get(&format!("/approvals/{id}")).await.status, StatusCode::OK);
        let form = [("token", token.as_str()), ("digest", &digest(1))];
        let answer = ahead.post(&format!("/approvals/{id}/approve"), &form).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{name}: {value}");
    }
    assert_eq!(world.word(id).await, "pending");
}

#[tokio::test]
async fn whoever_is_not_signed_in_learns_nothing_of_a_request() {
    let world = World::start().await;
    let id = world.ask(1).await;
    let mut nobody = world.browser();
    let path = format!("/approvals/{id}");
    let there = nobody.get(&path).await;
    assert_eq!(
        (there.status, there.location()),
        (StatusCode::SEE_OTHER, format!("/sign-in?next={path}").as_str())
    );
    let other = format!("/approvals/{}", "0".repeat(32));
    assert_eq!(nobody.get(&other).await.status, StatusCode::SEE_OTHER);
    for path in ["/", "/insights", "/waiting", &format!("/review?id={id}"), &format!("{path}/standing")] {
        let answer = nobody.get(path).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{path}");
        assert!(!answer.text.contains("bank.example"));
    }
    let page = nobody.get(&format!("/sign-in?next={path}")).await;
    assert!(page.text.contains(&path) && !page.text.contains("bank.example"));
    // A page that looks again by itself goes to sign in as a whole.
    let mut part: Browser = nobody.clone();
    part.headers.insert("hx-request", "true".to_owned());
    let answer = part.get("/waiting").await;
    assert_eq!(
        (answer.status, &answer.headers["hx-redirect"]),
        (StatusCode::UNAUTHORIZED, &"/sign-in".parse().unwrap())
    );
}
