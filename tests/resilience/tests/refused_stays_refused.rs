//! Once an agent has been refused, no crash brings back what it was allowed before.
#![forbid(unsafe_code)]

use std::time::Duration;

use creto_test_resilience::{WAY_IN, policy};
use creto_test_support::{Plane, Upstream, eventually, within};

/// The kill comes at another moment after the first refusal each time.
const ROUNDS: u32 = 6;
const LATER_EACH_ROUND: Duration = Duration::from_micros(500);
/// From the operator's call to the refusal.
const AT_ONCE: Duration = Duration::from_secs(1);

#[tokio::test(flavor = "multi_thread")]
async fn a_suspension_seen_once_outlives_kill_9_of_the_sidecar_and_the_plane() {
    let upstream = Upstream::start_plain().await;
    let plane = Plane::start().await;
    let agent = plane.trusted_agent("researcher").await;
    plane.apply_policy(&policy(upstream.port())).await;
    let sidecar = plane.sidecar(&agent).start().await;
    let client = sidecar.http_agent();
    let url = upstream.url("/echo/open");
    let mut forgotten = Vec::new();

    for round in 0..ROUNDS {
        assert_eq!(client.get(WAY_IN, &url).await.status, 200, "round {round}");
        let suspended = async {
            while client.get(WAY_IN, &url).await.refusal() != "agent_suspended" {}
            tokio::time::sleep(LATER_EACH_ROUND * round).await;
            sidecar.kill9();
        };
        let request = creto_proto::v1::SuspendAgentRequest {
            namespace: creto_test_support::NAMESPACE.to_owned(),
            name: agent.name.clone(),
        };
        let mut agents = plane.operator().agents();
        let (answer, ()) =
            tokio::join!(agents.suspend_agent(request), within(AT_ONCE, "the agent is refused", suspended));
        answer.unwrap();
        plane.kill9();
        sidecar.restart().await;
        let after = client.get(WAY_IN, &url).await;
        if after.refusal() != "agent_suspended" {
            forgotten.push((round, after.status));
        }
        plane.restart().await;
        eventually("the sidecar is connected again", || async {
            plane.sidecars().await.iter().all(|sidecar| sidecar.connected).then_some(())
        })
        .await;
        plane.resume(&agent).await;
        eventually("the agent is resumed", || async {
            (client.get(WAY_IN, &url).await.status == 200).then_some(())
        })
        .await;
    }
    assert!(forgotten.is_empty(), "refused, killed, and let through again (round, status): {forgotten:?}");
}
