//! A desk, people, and calls that wait for them.

use std::collections::BTreeSet;

use creto_approvals::{ApprovalDesk, Ask, Context, Header, Payload, RequestStore};
use creto_oversight::{
    ActionDigest, ApprovalSigner, Ballot, Channel, Decision, Panel, Person, Quorum, Taking, Tier,
};
use creto_test_services::PostgresServer;
use tempfile::TempDir;

pub(crate) const MINUTE: u64 = 60_000;
pub(crate) const START: u64 = 1_790_000_000_000;

/// Where a desk keeps things; gone with it.
pub(crate) enum Home {
    Folder(TempDir),
    Server(Box<PostgresServer>),
}

impl Home {
    /// One of each kind.
    pub(crate) async fn both() -> [Self; 2] {
        [Self::Folder(TempDir::new().unwrap()), Self::Server(Box::new(PostgresServer::start().await))]
    }

    pub(crate) async fn desk(&self) -> ApprovalDesk {
        let store = match self {
            Self::Folder(folder) => RequestStore::sqlite(&folder.path().join("oversight.db")).await,
            Self::Server(server) => RequestStore::postgres(&server.url()).await,
        };
        ApprovalDesk::new(store.unwrap(), ApprovalSigner::from_seed(&[5; 32]))
    }
}

pub(crate) fn person(name: &str) -> Person {
    name.parse().unwrap()
}

pub(crate) fn tier(names: &[&str], quorum: Quorum) -> Tier {
    let people: BTreeSet<Person> = names.iter().map(|name| person(name)).collect();
    Tier { people, quorum, wait_ms: 10 * MINUTE }
}

/// A call whose digest is made of one byte, decided by bob or carol, then by dave.
pub(crate) fn ask(agent: &str, digest: u8) -> Ask {
    Ask {
        namespace: "default".to_owned(),
        agent: agent.to_owned(),
        digest: ActionDigest([digest; 32]),
        policy: "payments".to_owned(),
        rule: "transfers".to_owned(),
        panel: Panel::new(vec![tier(&["bob", "carol"], Quorum::Any), tier(&["dave"], Quorum::Any)]).unwrap(),
        excluded: BTreeSet::from([person("alice")]),
        most_uses: 2,
        most_ms: 60 * MINUTE,
        context: context("{\"amount\":100}"),
        delegation: "ab".repeat(32),
    }
}

pub(crate) fn context(body: &str) -> Context {
    Context {
        action: "POST https://bank.example/transfers".to_owned(),
        method: "POST".to_owned(),
        url: "https://bank.example/transfers".to_owned(),
        headers: vec![Header { name: "content-type".to_owned(), value: "application/json".to_owned() }],
        body: Payload::Text(body.to_owned()),
        trigger: "rule `transfers` holds every transfer".to_owned(),
        risks: Vec::new(),
        cost: String::new(),
        delegation: vec!["alice".to_owned(), agent_name()],
        said_by_agent: None,
    }
}

pub(crate) fn agent_name() -> String {
    "payer".to_owned()
}

pub(crate) fn ballot(name: &str, decision: Decision, digest: u8) -> Ballot {
    let shown = ActionDigest([digest; 32]);
    Ballot {
        person: person(name),
        decision,
        reason: Some("because".to_owned()),
        channel: Channel::Page,
        shown,
    }
}

pub(crate) fn taking(digest: u8) -> Taking {
    taking_as("call-1", digest)
}

/// For a call of this id.
pub(crate) fn taking_as(call: &str, digest: u8) -> Taking {
    Taking { digest: ActionDigest([digest; 32]), by: "sidecar-1".to_owned(), call: call.to_owned() }
}
