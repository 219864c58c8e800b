//! How requests come in, are decided, and are taken.

use std::time::Duration;

use creto_approvals::{
    ApprovalError, DENIAL_HOLDS_MS, EXECUTION_MS, MAX_OPEN_AN_AGENT, MAX_REVIEWED_BYTES, Selection,
};
use creto_oversight::{ApprovalKey, Decision, ExecutionEnd, RequestId, Status, TakeError, VoteError};

use crate::world::{Home, MINUTE, START, ask, ballot, context, person, taking, taking_as};

#[tokio::test]
async fn a_call_is_asked_for_approved_taken_once_and_executed() {
    for home in Home::both().await {
        let desk = home.desk().await;
        let asked = desk.ask(ask("payer", 1), START).await.unwrap();
        assert!(!asked.joined);
        let id = asked.kept.id();
        assert!(matches!(
            desk.take("default", id, taking(1), START).await,
            Err(ApprovalError::Illegal { asked: "taken", .. })
        ));
        let kept =
            desk.vote("default", id, ballot("bob", Decision::APPROVE_ONCE, 1), START + 1).await.unwrap();
        assert_eq!((kept.status.word(), kept.version), ("approved", 2));

        let taken = desk.take("default", id, taking(1), START + 2).await.unwrap();
        let key = ApprovalKey::from_bytes(&desk.public_key()).unwrap();
        let grant = taken.grant.open(&key).unwrap();
        assert_eq!(grant.allows(("sidecar-1", "call-1"), taking(1).digest, START + 3), Ok(()));
        assert_eq!((grant.number, grant.by.clone()), (1, vec![person("bob")]));
        // The same call whose answer was lost gets its proof again; nothing is taken, and no step is noted.
        let lost = desk.take("default", id, taking(1), START + 3).await.unwrap();
        assert_eq!((lost.execution, lost.kept.version), (taken.execution, 3));
        assert_eq!(lost.grant.open(&key).unwrap().number, 1);
        let again = desk.take("default", id, taking_as("call-2", 1), START + 3).await.unwrap_err();
        assert!(matches!(again, ApprovalError::Take(TakeError::UsedUp(1))), "{again}");

        let end = ExecutionEnd::Answered { status: 201 };
        let kept = desk.ended("default", id, (1, &end, "sidecar-1"), START + 4).await.unwrap();
        assert_eq!(kept.status.word(), "executed");
        let steps = desk.history("default", id).await.unwrap();
        let told: Vec<_> = steps.iter().map(|step| (step.what.as_str(), step.by.as_str())).collect();
        assert_eq!(
            told,
            [("asked", "payer"), ("approve", "bob"), ("taken", "sidecar-1"), ("ended", "sidecar-1")]
        );
        // The same call again is another request.
        assert!(!desk.ask(ask("payer", 1), START + 5).await.unwrap().joined);
    }
}

#[tokio::test]
async fn the_same_call_again_joins_and_another_one_asks_again() {
    for home in Home::both().await {
        let desk = home.desk().await;
        let first = desk.ask(ask("payer", 1), START).await.unwrap().kept.id();
        let again = desk.ask(ask("payer", 1), START + MINUTE).await.unwrap();
        assert!(again.joined && again.kept.id() == first);
        assert!(!desk.ask(ask("payer", 2), START).await.unwrap().joined);
        assert!(!desk.ask(ask("other", 1), START).await.unwrap().joined);
        assert_eq!(desk.open("default").await.unwrap(), 3);
    }
}

#[tokio::test]
async fn many_at_once_make_one_request() {
    for home in Home::both().await {
        let desk = home.desk().await;
        let mut asking = tokio::task::JoinSet::new();
        for _ in 0..32 {
            let desk = desk.clone();
            asking.spawn(async move { desk.ask(ask("payer", 1), START).await.unwrap() });
        }
        let asked = asking.join_all().await;
        assert_eq!(asked.iter().filter(|asked| !asked.joined).count(), 1);
        assert!(asked.iter().all(|one| one.kept.id() == asked[0].kept.id()));
    }
}

#[tokio::test]
async fn of_two_approvers_at_once_one_decides_and_of_many_takers_one_takes() {
    for home in Home::both().await {
        let desk = home.desk().await;
        let id = desk.ask(ask("payer", 1), START).await.unwrap().kept.id();
        let votes = [("bob", Decision::APPROVE_ONCE), ("carol", Decision::Deny)];
        let mut voting = tokio::task::JoinSet::new();
        for (name, decision) in votes {
            let desk = desk.clone();
            voting.spawn(async move { desk.vote("default", id, ballot(name, decision, 1), START + 1).await });
        }
        let decided = voting.join_all().await;
        assert_eq!(decided.iter().filter(|vote| vote.is_ok()).count(), 1, "{decided:?}");

        let id = desk.ask(ask("payer", 2), START).await.unwrap().kept.id();
        desk.vote("default", id, ballot("bob", Decision::APPROVE_ONCE, 2), START + 1).await.unwrap();
        let mut taking_all = tokio::task::JoinSet::new();
        for call in 0..16 {
            let (desk, call) = (desk.clone(), format!("call-{call}"));
            taking_all.spawn(async move { desk.take("default", id, taking_as(&call, 2), START + 2).await });
        }
        let taken = taking_all.join_all().await;
        assert_eq!(taken.iter().filter(|taken| taken.is_ok()).count(), 1);
    }
}

#[tokio::test]
async fn a_denial_answers_the_same_call_for_a_while_without_asking_again() {
    for home in Home::both().await {
        let desk = home.desk().await;
        let id = desk.ask(ask("payer", 1), START).await.unwrap().kept.id();
        desk.vote("default", id, ballot("bob", Decision::Deny, 1), START + 1).await.unwrap();
        let again = desk.ask(ask("payer", 1), START + 2).await.unwrap();
        assert_eq!((again.joined, again.kept.status.word()), (true, "denied"));
        let later = desk.ask(ask("payer", 1), START + 1 + DENIAL_HOLDS_MS).await.unwrap();
        assert_eq!((later.joined, later.kept.status.word()), (false, "pending"));
    }
}

#[tokio::test]
async fn time_escalates_then_denies_whether_somebody_looks_at_the_clock_or_not() {
    for home in Home::both().await {
        let desk = home.desk().await;
        let id = desk.ask(ask("payer", 1), START).await.unwrap().kept.id();
        assert_eq!(desk.tick(START + 10 * MINUTE - 1).await.unwrap(), 0);
        assert_eq!(desk.tick(START + 10 * MINUTE).await.unwrap(), 1);
        let kept = desk.get("default", id).await.unwrap();
        assert_eq!((kept.status.word(), kept.version), ("escalated", 2));
        let error =
            desk.vote("default", id, ballot("bob", Decision::APPROVE_ONCE, 1), START + 10 * MINUTE).await;
        assert!(matches!(error, Err(ApprovalError::Vote(VoteError::NotAsked(_)))));
        // Nobody looked at the clock, and the second tier is too late all the same.
        let late = START + 20 * MINUTE;
        let error = desk.vote("default", id, ballot("dave", Decision::APPROVE_ONCE, 1), late).await;
        assert!(matches!(error, Err(ApprovalError::Vote(VoteError::Expired { .. }))));
        let again = desk.ask(ask("payer", 1), late).await.unwrap();
        assert_eq!((again.joined, again.kept.status.word()), (true, "timed_out"));
    }
}

#[tokio::test]
async fn a_use_whose_end_is_never_told_becomes_ambiguous_and_is_not_tried_again() {
    for home in Home::both().await {
        let desk = home.desk().await;
        let id = desk.ask(ask("payer", 1), START).await.unwrap().kept.id();
        let twice = Decision::Approve { uses: 2, for_ms: 0 };
        desk.vote("default", id, ballot("bob", twice, 1), START).await.unwrap();
        desk.take("default", id, taking(1), START + 1).await.unwrap();
        desk.tick(START + EXECUTION_MS).await.unwrap();
        assert_eq!(desk.get("default", id).await.unwrap().status.word(), "executing");
        desk.tick(START + 1 + EXECUTION_MS).await.unwrap();
        assert_eq!(desk.get("default", id).await.unwrap().status.word(), "ambiguous");
        // It stays, whatever time passes, until a person has looked.
        desk.tick(START + 30 * 86_400_000).await.unwrap();
        let again = desk.ask(ask("payer", 1), START + 2 + EXECUTION_MS).await.unwrap();
        assert_eq!((again.joined, again.kept.status.word()), (true, "ambiguous"));
        let refused = desk.take("default", id, taking(1), START + 3 + EXECUTION_MS).await.unwrap_err();
        assert!(matches!(refused, ApprovalError::Take(TakeError::Ambiguous(1))), "{refused}");
        let known = ExecutionEnd::NeverLeft { cause: "the bank has no such transfer".to_owned() };
        desk.ended("default", id, (1, &known, "carol"), START + 4 + EXECUTION_MS).await.unwrap();
        assert!(desk.take("default", id, taking(1), START + 5 + EXECUTION_MS).await.is_ok());
    }
}

#[tokio::test]
async fn an_approval_that_nobody_used_in_time_is_asked_for_again() {
    for home in Home::both().await {
        let desk = home.desk().await;
        let id = desk.ask(ask("payer", 1), START).await.unwrap().kept.id();
        desk.vote("default", id, ballot("bob", Decision::Approve { uses: 1, for_ms: MINUTE }, 1), START)
            .await
            .unwrap();
        let refused = desk.take("default", id, taking(1), START + MINUTE).await.unwrap_err();
        assert!(matches!(refused, ApprovalError::Take(TakeError::Lapsed(_))));
        let again = desk.ask(ask("payer", 1), START + MINUTE).await.unwrap();
        assert!(!again.joined && again.kept.id() != id);
    }
}

#[tokio::test]
async fn what_is_taken_back_is_taken_by_nobody_and_what_ran_still_ends() {
    for home in Home::both().await {
        let desk = home.desk().await;
        let id = desk.ask(ask("payer", 1), START).await.unwrap().kept.id();
        desk.vote("default", id, ballot("bob", Decision::Approve { uses: 2, for_ms: 0 }, 1), START)
            .await
            .unwrap();
        desk.take("default", id, taking(1), START + 1).await.unwrap();
        desk.revoke("default", id, ("wrong account", "carol"), START + 2).await.unwrap();
        assert!(desk.take("default", id, taking(1), START + 3).await.is_err());
        let end = ExecutionEnd::Answered { status: 200 };
        let kept = desk.ended("default", id, (1, &end, "sidecar-1"), START + 4).await.unwrap();
        let Status::Revoked(revoked) = &kept.status else { panic!("{:?}", kept.status) };
        assert_eq!(revoked.was.executions()[0].end, Some(end));
    }
}

#[tokio::test]
async fn whoever_waits_hears_of_the_decision_at_once_and_of_others_of_another_control_plane_soon() {
    for home in Home::both().await {
        let (desk, other) = (home.desk().await, home.desk().await);
        for (decides, longest) in [(&desk, Duration::from_millis(400)), (&other, Duration::from_secs(5))] {
            // A file belongs to one control plane.
            if longest.as_secs() > 0 && matches!(home, Home::Folder(_)) {
                continue;
            }
            let digest = if longest.as_secs() > 0 { 1 } else { 2 };
            let kept = desk.ask(ask("payer", digest), START).await.unwrap().kept;
            let (id, version) = (kept.id(), kept.version);
            let waits = {
                let desk = desk.clone();
                tokio::spawn(async move { desk.changed_since("default", id, version, longest).await })
            };
            tokio::time::sleep(Duration::from_millis(50)).await;
            let vote = ballot("bob", Decision::APPROVE_ONCE, digest);
            decides.vote("default", id, vote, START).await.unwrap();
            assert_eq!(waits.await.unwrap().unwrap().status.word(), "approved");
        }
    }
}

#[tokio::test]
async fn the_inbox_shows_what_ends_first_and_nobody_sees_another_namespace() {
    for home in Home::both().await {
        let desk = home.desk().await;
        let late = desk.ask(ask("payer", 1), START + MINUTE).await.unwrap().kept.id();
        let soon = desk.ask(ask("payer", 2), START).await.unwrap().kept.id();
        let inbox = desk.list("default", &Selection { inbox: true, ..Selection::default() }).await.unwrap();
        assert_eq!(inbox.iter().map(creto_approvals::Kept::id).collect::<Vec<_>>(), [soon, late]);
        assert!(desk.list("other", &Selection::default()).await.unwrap().is_empty());
        assert!(matches!(desk.get("other", soon).await, Err(ApprovalError::NotFound(_))));
        let vote = desk.vote("other", soon, ballot("bob", Decision::APPROVE_ONCE, 2), START).await;
        assert!(matches!(vote, Err(ApprovalError::NotFound(_))));
        assert!(matches!(desk.history("other", soon).await, Err(ApprovalError::NotFound(_))));
        let unknown = desk.get("default", RequestId([0; 16])).await.unwrap_err();
        assert_eq!(unknown.to_string(), format!("there is no request {}", "0".repeat(32)));
        desk.vote("default", soon, ballot("bob", Decision::Deny, 2), START + 1).await.unwrap();
        let denied = Selection { word: Some("denied".to_owned()), ..Selection::default() };
        assert_eq!(desk.list("default", &denied).await.unwrap()[0].id(), soon);
        assert_eq!(desk.open("default").await.unwrap(), 1);
    }
}

#[tokio::test]
async fn one_agent_cannot_fill_the_inbox_and_what_cannot_be_shown_whole_is_not_asked() {
    for home in Home::both().await {
        let desk = home.desk().await;
        for digest in 0..MAX_OPEN_AN_AGENT {
            desk.ask(ask("payer", u8::try_from(digest).unwrap()), START).await.unwrap();
        }
        let full = desk.ask(ask("payer", 200), START).await.unwrap_err();
        assert!(matches!(full, ApprovalError::AgentFull(_)), "{full}");
        assert!(desk.ask(ask("other", 200), START).await.is_ok());

        let mut long = ask("third", 1);
        long.context = context(&"x".repeat(MAX_REVIEWED_BYTES));
        assert!(desk.ask(long.clone(), START).await.is_ok());
        long.digest = ask("third", 2).digest;
        long.context = context(&"x".repeat(MAX_REVIEWED_BYTES + 1));
        assert!(matches!(desk.ask(long, START).await, Err(ApprovalError::Context(_))));
    }
}

#[tokio::test]
async fn questions_are_answered_and_votes_handed_on() {
    for home in Home::both().await {
        let desk = home.desk().await;
        let id = desk.ask(ask("payer", 1), START).await.unwrap().kept.id();
        let kept = desk.vote("default", id, ballot("bob", Decision::RequestInfo, 1), START).await.unwrap();
        assert_eq!(kept.status.word(), "info_requested");
        let kept = desk.answer("default", id, ("it is the yearly fee", "alice"), START).await.unwrap();
        assert_eq!(kept.status.word(), "pending");
        let handed = (&person("bob"), &person("erin"), "bob");
        desk.reassign("default", id, handed, START).await.unwrap();
        let vote = desk.vote("default", id, ballot("bob", Decision::APPROVE_ONCE, 1), START).await;
        assert!(matches!(vote, Err(ApprovalError::Vote(VoteError::NotAsked(_)))));
        let own = (&person("carol"), &person("alice"), "carol");
        assert!(matches!(desk.reassign("default", id, own, START).await, Err(ApprovalError::Reassign(_))));
        desk.cancel("default", id, ("the agent is gone", "sidecar-1"), START).await.unwrap();
        let vote = desk.vote("default", id, ballot("erin", Decision::APPROVE_ONCE, 1), START).await;
        assert!(matches!(vote, Err(ApprovalError::Illegal { .. })));
    }
}
