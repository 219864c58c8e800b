//! Waiting for many at once, and following what moves.

use std::time::{Duration, Instant};

use creto_approvals::{ApprovalDesk, MAX_AWAITED, Payload, Selection};
use creto_oversight::{Decision, RequestId};

use crate::world::{Home, MINUTE, START, ask, ballot, taking};

async fn asked(desk: &ApprovalDesk, agent: &str, digest: u8) -> RequestId {
    desk.ask(ask(agent, digest), START).await.unwrap().kept.id()
}

#[tokio::test]
async fn one_wait_is_for_many_requests_of_one_agent() {
    for home in Home::both().await {
        let desk = home.desk().await;
        let mut ids = Vec::new();
        for digest in 1..=64 {
            ids.push(asked(&desk, "payer", digest).await);
        }
        let waited: Vec<_> = ids.iter().map(|id| (*id, 1)).collect();
        assert_eq!(waited.len(), MAX_AWAITED);
        let nothing = desk.changed_of("default", "payer", &waited, Duration::from_millis(50)).await.unwrap();
        assert!(nothing.is_empty());
        let waits = {
            let (desk, waited) = (desk.clone(), waited.clone());
            tokio::spawn(async move {
                desk.changed_of("default", "payer", &waited, Duration::from_secs(10)).await
            })
        };
        tokio::time::sleep(Duration::from_millis(100)).await;
        // Another agent's step wakes nobody.
        asked(&desk, "other", 1).await;
        let begun = Instant::now();
        desk.vote("default", ids[40], ballot("bob", Decision::Deny, 41), START).await.unwrap();
        let moved = waits.await.unwrap().unwrap();
        assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
        assert_eq!((moved.len(), moved[0].0), (1, ids[40]));
        let kept = moved[0].1.as_ref().unwrap();
        assert_eq!((kept.status.word(), kept.version), ("denied", 2));
    }
}

#[tokio::test]
async fn what_is_not_there_or_another_agents_is_none() {
    for home in Home::both().await {
        let desk = home.desk().await;
        let others = asked(&desk, "other", 1).await;
        for (namespace, id) in [("default", others), ("default", RequestId([9; 16])), ("elsewhere", others)] {
            let moved =
                desk.changed_of(namespace, "payer", &[(id, 1)], Duration::from_secs(10)).await.unwrap();
            assert_eq!(moved, [(id, None)]);
        }
    }
}

#[tokio::test]
async fn everything_an_agent_asks_ends_with_it_and_nothing_else() {
    for home in Home::both().await {
        let desk = home.desk().await;
        let (open, approved, others) =
            (asked(&desk, "payer", 1).await, asked(&desk, "payer", 2).await, asked(&desk, "other", 1).await);
        desk.vote("default", approved, ballot("bob", Decision::APPROVE_ONCE, 2), START).await.unwrap();
        let ended = desk.cancel_all("default", "payer", ("agent gone", "ops"), START + 1).await.unwrap();
        assert_eq!(ended, 1);
        for (id, word) in [(open, "cancelled"), (approved, "approved"), (others, "pending")] {
            assert_eq!(desk.get("default", id).await.unwrap().status.word(), word);
        }
        assert_eq!(desk.cancel_all("default", "payer", ("agent gone", "ops"), START + 2).await.unwrap(), 0);
    }
}

#[tokio::test]
async fn lists_and_steps_are_without_bodies_and_what_is_reviewed_is_whole() {
    for home in Home::both().await {
        let desk = home.desk().await;
        let id = asked(&desk, "payer", 1).await;
        let whole = desk.get("default", id).await.unwrap().context;
        assert_eq!(whole, ask("payer", 1).context);
        let listed = desk.list("default", &Selection::default()).await.unwrap().remove(0).context;
        assert_eq!((&listed, &listed.body), (&whole.summary(), &Payload::Nothing));
        let voted =
            desk.vote("default", id, ballot("bob", Decision::APPROVE_ONCE, 1), START + 1).await.unwrap();
        assert_eq!(voted.context, listed);
        assert_eq!(desk.get("default", id).await.unwrap().context, whole, "a step does not lose it");
    }
}

#[tokio::test]
async fn what_moved_and_how_can_be_followed() {
    for home in Home::both().await {
        let desk = home.desk().await;
        let (one, two) = (asked(&desk, "payer", 1).await, asked(&desk, "payer", 2).await);
        desk.vote("default", two, ballot("bob", Decision::APPROVE_ONCE, 2), START + MINUTE).await.unwrap();
        desk.take("default", two, taking(2), START + 2 * MINUTE).await.unwrap();
        let moved = desk.moved("default", START).await.unwrap();
        assert_eq!(moved.iter().map(|one| (one.id, one.version)).collect::<Vec<_>>(), [(one, 1), (two, 3)]);
        assert_eq!(desk.moved("default", START + 1).await.unwrap().len(), 1);
        assert!(desk.moved("elsewhere", START).await.unwrap().is_empty());
        let steps = desk.steps(two, 1).await.unwrap();
        let told: Vec<_> =
            steps.iter().map(|step| (step.version, step.what.as_str(), step.word.as_str())).collect();
        assert_eq!(told, [(2, "approve", "approved"), (3, "taken", "executing")]);
    }
}
