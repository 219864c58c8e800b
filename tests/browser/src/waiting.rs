//! A page, its people, and calls that wait for them.

use std::collections::BTreeSet;
use std::time::{SystemTime, UNIX_EPOCH};

use creto_approvals::{ApprovalDesk, Ask, Context, Header, Payload, RequestStore};
use creto_dashboard::people::{PeopleDesk, Role};
use creto_dashboard::{Dashboard, DashboardOptions};
use creto_oversight::{ActionDigest, ApprovalSigner, Panel, Quorum, RequestId, Tier};
use tempfile::TempDir;

/// Everybody's.
pub const PASSWORD: &str = "correct horse battery";
const MINUTE: u64 = 60_000;

/// A page with calls that wait; bob and carol decide them, then dave.
pub struct Waiting {
    /// Where they are decided.
    pub desk: ApprovalDesk,
    /// The page.
    pub dashboard: Dashboard,
    _folder: TempDir,
}

impl Waiting {
    /// With nothing that waits yet.
    pub async fn start() -> Self {
        let folder = TempDir::new().unwrap();
        let store = RequestStore::sqlite(&folder.path().join("approvals.db")).await.unwrap();
        let desk = ApprovalDesk::new(store, ApprovalSigner::from_seed(&[5; 32]));
        let people = PeopleDesk::sqlite(&folder.path().join("people.db")).await.unwrap();
        for name in ["bob", "carol", "dave"] {
            people.add("default", &name.parse().unwrap(), Role::Approver, PASSWORD, now()).await.unwrap();
        }
        let options = DashboardOptions { listen: "127.0.0.1:0".parse().unwrap(), url: None };
        let dashboard = Dashboard::start(&options, desk.clone(), people).await.unwrap();
        Self { desk, dashboard, _folder: folder }
    }

    /// One more call, decided within so many minutes.
    pub async fn call(&self, number: u8, minutes: u64, action: &str, body: Payload, said: &str) -> RequestId {
        let tier = |names: &[&str], wait_ms| Tier {
            people: names.iter().map(|name| name.parse().unwrap()).collect(),
            quorum: Quorum::Any,
            wait_ms,
        };
        let (method, url) = action.split_once(' ').unwrap();
        let ask = Ask {
            namespace: "default".to_owned(),
            agent: "payer".to_owned(),
            digest: ActionDigest([number; 32]),
            policy: "payments".to_owned(),
            rule: "transfers".to_owned(),
            panel: Panel::new(vec![tier(&["bob", "carol"], minutes * MINUTE), tier(&["dave"], 30 * MINUTE)])
                .unwrap(),
            excluded: BTreeSet::from(["alice".parse().unwrap()]),
            most_uses: 3,
            most_ms: 24 * 60 * MINUTE,
            context: Context {
                action: action.to_owned(),
                method: method.to_owned(),
                url: url.to_owned(),
                headers: vec![
                    Header { name: "content-type".to_owned(), value: "application/json".to_owned() },
                    Header {
                        name: "idempotency-key".to_owned(),
                        value: "7f3c2a10-9d51-4c62-8a54-0b8f6c1d2e3f".to_owned(),
                    },
                ],
                body,
                trigger: "rule `transfers` holds every transfer of more than 50 CHF".to_owned(),
                risks: vec![
                    "money moves, and does not come back".to_owned(),
                    "the recipient is new".to_owned(),
                ],
                cost: "100.00 CHF".to_owned(),
                delegation: vec!["alice".to_owned(), "payer".to_owned()],
                said_by_agent: Some(said.to_owned()),
            },
            delegation: "ab".repeat(32),
        };
        self.desk.ask(ask, now()).await.unwrap().kept.id()
    }

    /// Where a request stands.
    pub async fn word(&self, id: RequestId) -> String {
        self.desk.summary("default", id).await.unwrap().status.word().to_owned()
    }
}

fn now() -> u64 {
    u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap()
}
