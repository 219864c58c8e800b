//! Who decides, and who does not.

use creto_proto::v1::*;
use tonic::Code;

use crate::fixture::*;
use crate::world::*;

#[tokio::test]
async fn the_requester_and_everybody_along_the_chain_do_not_decide() {
    let scene = Scene::new().await;
    create_agent(&scene.admin, SPACE, "broker", &key(9), false).await;
    let links =
        vec![link(SPACE, &key(1), &key(9), &["*:*"], 600), link(SPACE, &key(9), &key(2), &["*:*"], 600)];
    let delegation = submit(&scene.admin, SPACE, links).await;
    apply(&scene.admin, SPACE, &policy(&["alice", "broker", "payer", "bob"])).await;
    let asked = scene.payer.ask_with(question(&delegation, 1)).await.unwrap();
    let shown = get(&scene.admin, &asked.id).await;
    assert_eq!(shown.delegation, ["alice", "broker", "payer"]);
    assert_eq!(shown.excluded, ["alice", "broker", "payer"]);
    for name in ["alice", "broker", "payer"] {
        let person = scene.person(name).await;
        let refused = decided(&person, &asked.id, 1, "approve").await.unwrap_err();
        assert!(refused.contains("nobody decides about their own request"), "{refused}");
        let request = ReassignApprovalRequest {
            namespace: SPACE.into(),
            id: asked.id.clone(),
            from: name.into(),
            to: "carol".into(),
        };
        let status = person.approvals().reassign_approval(request).await.unwrap_err();
        assert_eq!(status.code(), Code::PermissionDenied, "{status}");
    }
    let bob = scene.person("bob").await;
    assert_eq!(decided(&bob, &asked.id, 1, "approve").await, Ok("approved".into()));
}

#[tokio::test]
async fn of_many_decisions_each_counts_by_itself() {
    let scene = Scene::new().await;
    let bob = scene.person("bob").await;
    let (one, two, three) = (
        scene.payer.ask(1).await.unwrap(),
        scene.payer.ask(2).await.unwrap(),
        scene.payer.ask(3).await.unwrap(),
    );
    let answers = decide(
        &bob,
        vec![
            decision(&one.id, 1, "approve"),
            // Not what was shown.
            decision(&two.id, 9, "approve"),
            decision(&"f".repeat(32), 1, "deny"),
            decision("nonsense", 1, "deny"),
            decision(&one.id, 1, "approve"),
            decision(&three.id, 3, "deny"),
        ],
    )
    .await
    .unwrap();
    let states: Vec<&str> = answers.iter().map(|answer| answer.state.as_str()).collect();
    assert_eq!(states, ["approved", "", "", "", "", "denied"]);
    for (place, why) in [
        (1, "look at it again"),
        (2, "there is no request"),
        (3, "32 hexadecimal"),
        (4, "it cannot be decided"),
    ] {
        assert!(answers[place].refused.contains(why), "{}", answers[place].refused);
    }
    assert_eq!(get(&bob, &two.id).await.state, "pending");
    let denied = scene.payer.ask(3).await.unwrap();
    assert_eq!((denied.state.as_str(), denied.reason.as_str()), ("denied", "because"));
    let many = vec![decision(&two.id, 2, "approve"); 101];
    assert_eq!(decide(&bob, many).await.unwrap_err().code(), Code::InvalidArgument);
}

#[tokio::test]
async fn a_token_of_another_namespace_lists_but_does_not_vote() {
    let scene = Scene::new().await;
    let asked = scene.payer.ask(1).await.unwrap();
    let endpoint = scene.plane.endpoint();
    // The same name elsewhere is another person.
    let bob_elsewhere = person_as(&endpoint, &scene.admin, ("b", "bob"), OperatorRole::Admin).await;
    assert_eq!(inbox(&bob_elsewhere).await.len(), 1);
    let status = decide(&bob_elsewhere, vec![decision(&asked.id, 1, "approve")]).await.unwrap_err();
    assert_eq!(status.code(), Code::PermissionDenied);
    assert!(status.message().contains("vote with a token of `a`"), "{status}");
    let stranger = person_as(&endpoint, &scene.admin, ("b", "carol"), OperatorRole::Operator).await;
    let request = GetApprovalRequest { namespace: SPACE.into(), id: asked.id.clone() };
    let status = stranger.approvals().get_approval(request).await.unwrap_err();
    assert_eq!(status.code(), Code::PermissionDenied);
    let producer = person_as(&endpoint, &scene.admin, (SPACE, "carol"), OperatorRole::Producer).await;
    let status = decide(&producer, vec![decision(&asked.id, 1, "approve")]).await.unwrap_err();
    assert_eq!(status.code(), Code::PermissionDenied);
    assert_eq!(get(&scene.admin, &asked.id).await.state, "pending");
}

#[tokio::test]
async fn people_ask_back_hand_over_escalate_and_cancel() {
    let scene = Scene::new().await;
    let (bob, carol, dave) =
        (scene.person("bob").await, scene.person("carol").await, scene.person("dave").await);
    let asked = scene.payer.ask(1).await.unwrap();
    assert_eq!(decided(&bob, &asked.id, 1, "request_info").await, Ok("info_requested".into()));
    let answer =
        AnswerApprovalRequest { namespace: SPACE.into(), id: asked.id.clone(), text: "for rent".into() };
    let shown = scene.admin.approvals().answer_approval(answer).await.unwrap().into_inner();
    assert_eq!((shown.state.as_str(), shown.questions[0].answer.as_str()), ("pending", "for rent"));
    assert_eq!(
        shown.steps.last().unwrap().by,
        "default/first",
        "an admin of another namespace is told apart"
    );

    let over = |from: &str, to: &str| ReassignApprovalRequest {
        namespace: SPACE.into(),
        id: asked.id.clone(),
        from: from.into(),
        to: to.into(),
    };
    let status = carol.approvals().reassign_approval(over("bob", "eve")).await.unwrap_err();
    assert_eq!(status.code(), Code::PermissionDenied, "only bob himself or an admin");
    let status = bob.approvals().reassign_approval(over("bob", "payer")).await.unwrap_err();
    assert_eq!(status.code(), Code::PermissionDenied, "not to the requester");
    let shown = bob.approvals().reassign_approval(over("bob", "eve")).await.unwrap().into_inner();
    assert_eq!(shown.tiers[0].people, ["carol", "eve"]);
    assert!(decided(&bob, &asked.id, 1, "approve").await.unwrap_err().contains("not among the people"));
    assert_eq!(decided(&carol, &asked.id, 1, "escalate").await, Ok("escalated".into()));
    assert_eq!(decided(&dave, &asked.id, 1, "approve").await, Ok("approved".into()));

    let revoke = |id: &str| RevokeApprovalRequest {
        namespace: SPACE.into(),
        id: id.into(),
        reason: "changed my mind".into(),
    };
    let shown = bob.approvals().revoke_approval(revoke(&asked.id)).await.unwrap().into_inner();
    assert_eq!((shown.state.as_str(), shown.reason.as_str()), ("revoked", "changed my mind"));
    let next = scene.payer.ask(2).await.unwrap();
    let status = bob.approvals().revoke_approval(revoke(&next.id)).await.unwrap_err();
    assert_eq!(status.code(), Code::FailedPrecondition);
    let cancel =
        CancelApprovalRequest { namespace: SPACE.into(), id: next.id.clone(), reason: "not needed".into() };
    let shown = bob.approvals().cancel_approval(cancel).await.unwrap().into_inner();
    assert_eq!((shown.state.as_str(), shown.reason.as_str()), ("cancelled", "not needed"));
}

#[tokio::test]
async fn lists_are_of_a_state_and_refuse_what_is_none() {
    let scene = Scene::new().await;
    let bob = scene.person("bob").await;
    for digest in 1..=3 {
        let asked = scene.payer.ask(digest).await.unwrap();
        if digest == 2 {
            decided(&bob, &asked.id, digest, "deny").await.unwrap();
        }
    }
    let list = |state: &str, page_size| {
        let request =
            ListApprovalsRequest { namespace: SPACE.into(), state: state.into(), page_size, inbox: false };
        let mut client = bob.approvals();
        async move { client.list_approvals(request).await.map(|answer| answer.into_inner().approvals.len()) }
    };
    assert_eq!(list("denied", 0).await.unwrap(), 1);
    assert_eq!(list("", 0).await.unwrap(), 3);
    assert_eq!(list("", 2).await.unwrap(), 2);
    assert_eq!(list("open", 0).await.unwrap_err().code(), Code::InvalidArgument);
    assert_eq!(list("", 501).await.unwrap_err().code(), Code::InvalidArgument);
}
