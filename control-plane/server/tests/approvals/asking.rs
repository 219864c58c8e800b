//! What is asked, and what is not.

use creto_proto::v1::*;
use tonic::Code;

use crate::fixture::*;
use crate::world::*;

#[tokio::test]
async fn what_is_asked_is_shown_whole_and_the_same_call_again_joins_it() {
    let scene = Scene::new().await;
    let asked = scene.payer.ask(1).await.unwrap();
    assert_eq!((asked.state.as_str(), asked.version, asked.joined), ("pending", 1, false));
    let again = scene.payer.ask(1).await.unwrap();
    assert_eq!((again.id.as_str(), again.joined), (asked.id.as_str(), true));
    assert_ne!(scene.other.ask(1).await.unwrap().id, asked.id, "another agent's is another request");

    let bob = scene.person("bob").await;
    let listed = inbox(&bob).await.into_iter().find(|one| one.id == asked.id).unwrap();
    assert!(listed.steps.is_empty());
    let brief = listed.context.unwrap();
    assert!(brief.body.is_empty() && brief.headers.is_empty() && brief.url.starts_with("https://bank"));

    let shown = get(&bob, &asked.id).await;
    let told = question(&scene.payer.delegation, 1).context.unwrap();
    let context = shown.context.unwrap();
    assert_eq!((&context.body, &context.headers), (&told.body, &told.headers), "byte for byte");
    assert_eq!(context.trigger, "money moves (costs USD 100)");
    assert_eq!(context.said_by_agent, "it is fine");
    assert_eq!(shown.delegation, ["alice", "payer"]);
    assert_eq!(shown.excluded, ["alice", "payer"]);
    assert_eq!((shown.most_uses, shown.most_ms), (3, 3_600_000));
    let tiers: Vec<_> = shown.tiers.iter().map(|tier| tier.people.join("+")).collect();
    assert_eq!((tiers, shown.tier), (vec!["bob+carol".to_owned(), "dave".to_owned()], 1));
    assert_eq!((shown.steps.len(), shown.steps[0].what.as_str()), (1, "asked"));
}

#[tokio::test]
async fn what_the_control_plane_has_no_hold_or_delegation_for_is_not_asked() {
    let scene = Scene::new().await;
    let good = question(&scene.payer.delegation, 1);
    let refused = |change: &dyn Fn(&mut AskApprovalRequest)| {
        let mut request = good.clone();
        change(&mut request);
        scene.payer.ask_with(request)
    };
    for (what, request) in [
        ("no such policy", refused(&|one| one.policy = "other".into())),
        ("no such hold", refused(&|one| one.rule = "bank".into())),
        ("no such delegation", refused(&|one| one.delegation_id = vec![7; 32])),
        ("no such delegation", refused(&|one| one.delegation_id = scene.other.delegation.clone())),
    ] {
        let status = request.await.unwrap_err();
        assert_eq!(status.code(), Code::FailedPrecondition, "{status}");
        assert!(status.message().contains(what), "{status}");
    }
    for request in [
        refused(&|one| one.delegation_id.clear()),
        refused(&|one| one.digest = vec![1; 31]),
        refused(&|one| one.context = None),
        refused(&|one| one.context.as_mut().unwrap().url = "x".repeat(40_000)),
        refused(&|one| one.context.as_mut().unwrap().body = vec![b'x'; (1 << 20) + 1]),
    ] {
        let status = request.await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument, "{status}");
    }
    // A policy for others is none.
    let others = policy(&["bob"]).replace("[[allow]]", "[agents]\nnames = [\"other\"]\n[[allow]]");
    apply(&scene.admin, SPACE, &others).await;
    let status = scene.payer.ask(1).await.unwrap_err();
    assert!(status.message().contains("not for this agent"), "{status}");
    scene.other.ask(1).await.unwrap();
    let suspend = SuspendAgentRequest { namespace: SPACE.into(), name: "other".into() };
    scene.admin.agents().suspend_agent(suspend).await.unwrap();
    assert_eq!(scene.other.ask(2).await.unwrap_err().code(), Code::FailedPrecondition);
    assert_eq!(inbox(&scene.admin).await.len(), 1);
}

#[tokio::test]
async fn a_mebibyte_is_reviewed_whole() {
    let scene = Scene::new().await;
    let mut large = question(&scene.payer.delegation, 1);
    large.context.as_mut().unwrap().body = vec![b'x'; 1 << 20];
    let asked = scene.payer.ask_with(large).await.unwrap();
    assert_eq!(get(&scene.admin, &asked.id).await.context.unwrap().body.len(), 1 << 20);
}

#[tokio::test]
async fn an_agent_that_asks_too_much_is_told() {
    let scene = Scene::new().await;
    for digest in 1..=64 {
        scene.payer.ask(digest).await.unwrap();
    }
    let status = scene.payer.ask(65).await.unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted, "{status}");
    assert!(scene.payer.ask(1).await.unwrap().joined);
    scene.other.ask(1).await.unwrap();
}

#[tokio::test]
async fn when_nobody_may_decide_it_is_denied_at_once() {
    let scene = Scene::new().await;
    let alone = policy(&["alice"]).replace("\"dave\"", "\"payer\"");
    apply(&scene.admin, SPACE, &alone).await;
    let asked = scene.payer.ask(1).await.unwrap();
    assert_eq!(asked.state, "denied");
    assert!(asked.reason.contains("nobody may decide"), "{}", asked.reason);
}
