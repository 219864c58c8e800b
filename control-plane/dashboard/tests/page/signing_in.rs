//! Signing in, sessions, and how often somebody may try.

use creto_dashboard::{
    MAX_ATTEMPTS_AN_ACCOUNT, MAX_ATTEMPTS_AN_ADDRESS, MAX_SESSIONS, SESSION_IDLE_MS, SESSION_MS,
};
use http::{StatusCode, header};

use crate::world::{Browser, PASSWORD, World, digest, now, person};

/// A browser that holds a session which began at some time.
async fn with_session(world: &World, began_ms: u64) -> Browser {
    let token = world.people.begin_session("default", "bob", began_ms).await.unwrap();
    let mut browser = world.browser();
    let name = format!("creto-session-{}", browser.address.port());
    browser.cookies.insert(name, token.text().to_owned());
    browser
}

#[tokio::test]
async fn a_right_password_signs_in_and_a_wrong_one_and_no_account_look_alike() {
    let world = World::start().await;
    let mut wrong = Vec::new();
    for (name, password) in [("bob", "wrong horse battery"), ("nobody", PASSWORD), ("bob", "short"), ("", "")]
    {
        let mut browser = world.browser();
        let answer = browser.sign_in("default", name, password).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
        assert!(!browser.cookies.keys().any(|name| name.contains("session")));
        let (_, said) = answer.text.split_once("role=\"alert\">").unwrap();
        wrong.push(said.split('<').next().unwrap().to_owned());
    }
    wrong.dedup();
    assert_eq!(wrong.len(), 1);
    let other = world.browser().sign_in("other", "bob", PASSWORD).await;
    assert_eq!(other.status, StatusCode::UNAUTHORIZED);
    assert!(world.signed_in("bob").await.get("/").await.text.contains("<strong>bob</strong>"));
}

#[tokio::test]
async fn signing_in_leads_back_to_where_one_was_going_and_begins_a_new_session() {
    let world = World::start().await;
    let id = world.ask(1).await;
    let mut bob = world.signed_in("bob").await;
    let before = bob.cookies.clone();
    let page = bob.get(&format!("/sign-in?next=/approvals/{id}")).await;
    let form = [
        ("token", page.token()),
        ("namespace", "default".to_owned()),
        ("name", "bob".to_owned()),
        ("password", PASSWORD.to_owned()),
        ("next", format!("/approvals/{id}")),
    ];
    let form: Vec<(&str, &str)> = form.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let answer = bob.post("/sign-in", &form).await;
    assert_eq!(answer.location(), format!("/approvals/{id}"));
    assert_ne!(bob.cookies, before);
    // The session from before is over.
    let mut old = world.browser();
    old.cookies = before;
    assert_eq!(old.get("/").await.status, StatusCode::SEE_OTHER);
    assert_eq!(bob.get("/").await.status, StatusCode::OK);
}

#[tokio::test]
async fn the_sign_in_form_needs_its_own_token() {
    let world = World::start().await;
    let mut browser = world.browser();
    let token = browser.get("/sign-in").await.token();
    let account = [("namespace", "default"), ("name", "bob"), ("password", PASSWORD)];
    for forged in ["", &"0".repeat(64), &world.browser().get("/sign-in").await.token()] {
        let form: Vec<_> = account.into_iter().chain([("token", forged)]).collect();
        assert_eq!(browser.post("/sign-in", &form).await.status, StatusCode::FORBIDDEN);
    }
    let mut without = world.browser();
    let form: Vec<_> = account.into_iter().chain([("token", token.as_str())]).collect();
    assert_eq!(without.post("/sign-in", &form).await.status, StatusCode::FORBIDDEN);
    assert_eq!(browser.post("/sign-in", &form).await.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn sessions_end_by_time_by_idling_by_signing_out_and_with_the_account() {
    let world = World::start().await;
    let id = world.ask(1).await;
    for (began, works) in [
        (now() - SESSION_MS, false),
        (now() - SESSION_IDLE_MS, false),
        (now() - SESSION_IDLE_MS + 60_000, true),
    ] {
        let mut browser = with_session(&world, began).await;
        assert_eq!(browser.get("/").await.status == StatusCode::OK, works);
    }
    let mut expired = with_session(&world, now() - SESSION_MS).await;
    let answer = expired.post(&format!("/approvals/{id}/approve"), &[("digest", &digest(1))]).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    assert!(answer.text.contains("nothing was decided"));

    let mut bob = world.signed_in("bob").await;
    let stolen = bob.clone();
    let token = bob.get("/").await.token();
    let out = bob.post("/sign-out", &[("token", &token)]).await;
    assert_eq!((out.status, out.location()), (StatusCode::SEE_OTHER, "/sign-in"));
    assert_eq!(stolen.clone().get("/").await.status, StatusCode::SEE_OTHER);

    let mut carol = world.signed_in("carol").await;
    let token = carol.get("/").await.token();
    world.people.disable("default", &person("carol"), now()).await.unwrap();
    let form = [("token", token.as_str()), ("digest", &digest(1))];
    assert_eq!(carol.post(&format!("/approvals/{id}/approve"), &form).await.status, StatusCode::UNAUTHORIZED);
    let again = world.browser().sign_in("default", "carol", PASSWORD).await;
    assert_eq!(again.status, StatusCode::UNAUTHORIZED);
    world.people.enable("default", &person("carol"), now()).await.unwrap();
    assert_eq!(carol.get("/").await.status, StatusCode::SEE_OTHER);
    let mut carol = world.signed_in("carol").await;
    world.people.set_password("default", &person("carol"), "another horse battery", now()).await.unwrap();
    assert_eq!(carol.get("/").await.status, StatusCode::SEE_OTHER);
    assert_eq!(world.word(id).await, "pending");
}

#[tokio::test]
async fn a_page_that_looks_by_itself_keeps_no_session_alive_and_a_person_does() {
    let world = World::start().await;
    let began = now() - SESSION_IDLE_MS + 5_000;
    let (mut page, mut awake) = (with_session(&world, began).await, with_session(&world, began).await);
    page.headers.insert("x-creto-refresh", "1".to_owned());
    assert_eq!(page.get("/waiting").await.status, StatusCode::OK);
    assert_eq!(awake.get("/").await.status, StatusCode::OK);
    tokio::time::sleep(std::time::Duration::from_millis(5_100)).await;
    assert_eq!(page.get("/waiting").await.status, StatusCode::SEE_OTHER);
    assert_eq!(awake.get("/").await.status, StatusCode::OK);
}

#[tokio::test]
async fn an_account_has_so_many_sessions_and_the_oldest_goes() {
    let world = World::start().await;
    let mut browsers = Vec::new();
    for number in 0..=u64::from(MAX_SESSIONS) {
        browsers.push(with_session(&world, now() - 100_000 + number).await);
    }
    assert_eq!(browsers[0].get("/").await.status, StatusCode::SEE_OTHER);
    assert_eq!(browsers[1].get("/").await.status, StatusCode::OK);
}

#[tokio::test]
async fn what_is_kept_of_a_session_signs_nobody_in() {
    let world = World::start().await;
    let browser = world.signed_in("bob").await;
    let token = browser.cookies.values().next().unwrap().clone();
    world.people.close().await;
    let mut kept = Vec::new();
    for file in ["people.db", "people.db-wal"] {
        kept.extend(std::fs::read(world.folder.path().join(file)).unwrap_or_default());
    }
    let holds = |text: &str| kept.windows(text.len()).any(|window| window == text.as_bytes());
    assert!(!holds(&token) && !holds(PASSWORD) && holds("$argon2id$v=19$m=19456,t=2,p=1$"));
}

#[tokio::test]
async fn whoever_guesses_is_told_to_come_later_even_with_the_right_password() {
    let world = World::start().await;
    for _ in 0..MAX_ATTEMPTS_AN_ACCOUNT {
        let answer = world.browser().sign_in("default", "bob", "wrong horse battery").await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    }
    let late = world.browser().sign_in("default", "bob", PASSWORD).await;
    assert_eq!(late.status, StatusCode::TOO_MANY_REQUESTS);
    let seconds: u64 = late.headers[header::RETRY_AFTER].to_str().unwrap().parse().unwrap();
    assert!((800..=900).contains(&seconds), "{seconds}");
    // Others are not kept out by it.
    world.signed_in("carol").await;
    for attempt in MAX_ATTEMPTS_AN_ACCOUNT + 2..MAX_ATTEMPTS_AN_ADDRESS {
        world.browser().sign_in("default", &format!("guess-{attempt}"), "wrong horse battery").await;
    }
    let late = world.browser().sign_in("default", "carol", PASSWORD).await;
    assert_eq!(late.status, StatusCode::TOO_MANY_REQUESTS);
}

#[tokio::test]
async fn behind_a_proxy_cookies_are_secure_and_attempts_are_counted_by_the_address_it_notes() {
    let world = World::behind(Some("https://approvals.example.com")).await;
    let browser = |from: &str| {
        let mut browser = world.browser();
        browser.headers.insert("host", "approvals.example.com".to_owned());
        browser.headers.insert("x-forwarded-for", format!("203.0.113.9, {from}"));
        browser
    };
    let mut bob = browser("198.51.100.1");
    let answer = bob.sign_in("default", "bob", PASSWORD).await;
    let set = answer.headers[header::SET_COOKIE].to_str().unwrap();
    assert!(set.starts_with("__Host-creto-session=") && set.contains("; Secure"), "{set}");
    assert_eq!(bob.get("/").await.status, StatusCode::OK);
    for attempt in 1..MAX_ATTEMPTS_AN_ADDRESS {
        browser("198.51.100.1").sign_in("default", &format!("guess-{attempt}"), "wrong horse battery").await;
    }
    let status = |answer: crate::world::Answer| answer.status;
    assert_eq!(
        status(browser("198.51.100.1").sign_in("default", "carol", PASSWORD).await),
        StatusCode::TOO_MANY_REQUESTS
    );
    assert_eq!(
        status(browser("198.51.100.2").sign_in("default", "carol", PASSWORD).await),
        StatusCode::SEE_OTHER
    );
    assert_eq!(world.browser().get("/sign-in").await.status, StatusCode::MISDIRECTED_REQUEST);
}
