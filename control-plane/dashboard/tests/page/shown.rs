//! What people see before they decide.

use creto_dashboard::{Dashboard, DashboardError, DashboardOptions};
use creto_oversight::{ActionDigest, Quorum, Taking};
use http::StatusCode;

use crate::world::{MINUTE, World, ask, digest, now, person};

#[tokio::test]
async fn a_request_shows_everything_that_is_approved_and_who_decides() {
    let world = World::start().await;
    let id = world.ask(1).await;
    let page = world.signed_in("bob").await.get(&format!("/approvals/{id}")).await.text;
    for part in [
        "POST https://bank.example/transfers",
        "https://bank.example/transfers?dry_run=false",
        "content-type",
        "application/json",
        "{&#34;amount&#34;:100,&#34;to&#34;:&#34;CH93&#34;}",
        "The same JSON, laid out for reading",
        "rule `transfers` holds every transfer",
        "money moves, and does not come back",
        "100.00 CHF",
        "alice → payer",
        "payments / transfers",
        "The invoice is due today.",
        "Written by the agent",
        "any one of",
        ">bob</span>, <span class=\"person\">carol</span>",
        ">dave</span>",
        "0 of 1 approvals at tier 1 of 2",
        "3 times, for 1 h",
        "Nothing yet.",
        "Every step (1)",
        &digest(1),
    ] {
        assert!(page.contains(part), "{part} is not on the page:\n{page}");
    }
}

#[tokio::test]
async fn others_votes_and_what_ran_are_shown() {
    let world = World::start().await;
    let mut two = ask(1);
    let mut tiers = two.panel.tiers().to_vec();
    tiers[0].quorum = Quorum::All;
    two.panel = creto_oversight::Panel::new(tiers).unwrap();
    let id = world.desk.ask(two, now()).await.unwrap().kept.id();
    let (mut bob, mut carol) = (world.signed_in("bob").await, world.signed_in("carol").await);
    let shown = digest(1);
    bob.step(id, "approve", &[("digest", &shown), ("reason", "I know the vendor")]).await;
    let page = carol.get(&format!("/approvals/{id}")).await.text;
    assert!(
        page.contains("1 of 2 approvals") && page.contains("I know the vendor") && page.contains("all of")
    );
    let own = bob.get(&format!("/approvals/{id}")).await.text;
    assert!(own.contains("You have said what you think of it.") && !own.contains("id=\"approve\""));
    carol.step(id, "approve", &[("digest", &shown)]).await;
    let taking = Taking { digest: ActionDigest([1; 32]), by: "sidecar-1".into(), call: "call-9".into() };
    world.desk.take("default", id, taking, now()).await.unwrap();
    let page = carol.get(&format!("/approvals/{id}")).await.text;
    assert!(page.contains("Approved by bob, carol") && page.contains("call-9") && page.contains("running"));
    let part = carol.get(&format!("/approvals/{id}/standing?seen=1")).await.text;
    assert!(part.contains("Something happened since") && !part.contains("<html"));
}

#[tokio::test]
async fn the_inbox_shows_what_ends_first_first_and_states_can_be_chosen() {
    let world = World::start().await;
    let mut late = ask(1);
    let mut tiers = late.panel.tiers().to_vec();
    tiers[0].wait_ms = 60 * MINUTE;
    late.panel = creto_oversight::Panel::new(tiers).unwrap();
    let late = world.desk.ask(late, now()).await.unwrap().kept.id();
    let (soon, denied) = (world.ask(2).await, world.ask(3).await);
    let mut bob = world.signed_in("bob").await;
    let shown = digest(3);
    bob.step(denied, "deny", &[("digest", &shown)]).await;
    let inbox = bob.get("/").await.text;
    let at = |id: creto_oversight::RequestId| inbox.find(&format!("/approvals/{id}"));
    assert!(at(soon).unwrap() < at(late).unwrap() && at(denied).is_none());
    assert!(inbox.contains("59 min") && inbox.contains("9 min") && inbox.contains("asks you"));
    assert!(inbox.contains("<strong>2</strong> waiting"));
    let only = bob.get("/?state=denied").await.text;
    assert!(only.contains(&denied.to_string()) && !only.contains(&soon.to_string()));
    let all = bob.get("/?state=all").await.text;
    assert!([late, soon, denied].iter().all(|id| all.contains(&id.to_string())));
    let vera = world.signed_in("vera").await.get("/").await.text;
    assert!(!vera.contains("type=\"checkbox\"") && !vera.contains("asks you"));
    assert_eq!(bob.get("/?state=%3Cscript%3E").await.status, StatusCode::OK);
}

#[tokio::test]
async fn insights_show_who_approves_without_looking() {
    let world = World::start().await;
    let mut bob = world.signed_in("bob").await;
    assert!(bob.get("/insights").await.text.contains("Nothing was asked yet."));
    for byte in 0..12 {
        let id = world.desk.ask(ask(byte), now() - 60_000).await.unwrap().kept.id();
        let shown = digest(byte);
        bob.step(id, "approve", &[("digest", &shown)]).await;
    }
    let slow = world.desk.ask(ask(20), now() - 60_000).await.unwrap().kept.id();
    let shown = digest(20);
    world.signed_in("carol").await.step(slow, "deny", &[("digest", &shown)]).await;
    let page = bob.get("/insights").await.text;
    // Eleven of bob's twelve came right after the one before.
    assert!(page.contains("<td>12</td><td>100 %</td>") && page.contains("<td>91 %</td>"), "{page}");
    assert!(page.contains("<td>1</td><td>0 %</td>"), "{page}");
    assert_eq!(page.matches("looks like nobody looks").count(), 1, "{page}");
    assert_eq!(page.matches("<strong>bob</strong> approved").count(), 11);
}

#[tokio::test]
async fn a_page_that_others_could_reach_in_the_clear_does_not_start() {
    let world = World::start().await;
    for listen in ["0.0.0.0:0", "[::]:0"] {
        let options = DashboardOptions { listen: listen.parse().unwrap(), url: None };
        let error = Dashboard::start(&options, world.desk.clone(), world.people.clone()).await.unwrap_err();
        assert!(
            matches!(error, DashboardError::PlainHttp(_)) && error.to_string().contains("TLS"),
            "{error}"
        );
        let url = Some("https://approvals.example.com".to_owned());
        let options = DashboardOptions { listen: listen.parse().unwrap(), url };
        assert!(Dashboard::start(&options, world.desk.clone(), world.people.clone()).await.is_ok());
    }
    assert!(world.people.list("default").await.unwrap().iter().any(|account| account.name == person("bob")));
}
