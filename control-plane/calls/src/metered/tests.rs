use std::collections::BTreeMap;
use std::path::Path;

use creto_event_store::{EmbeddedEventStore, EmbeddedOptions, Event, MeterQuery, Value};
use creto_proto::v1::{
    CallBegun, CallEnded, CallEntry, CallMeaning, Outcome, ReportCallsRequest, Usage, Verdict,
    call_entry::Entry,
};
use creto_store::{AgentStore as _, CallStore as _, DelegationStore as _};
use creto_store::{KeptAgent, KeptDelegation, KeptState, SqliteStore};

use super::*;
use crate::CallJournal;

const REPORTER: Reporter<'_> = Reporter { namespace: "a", sidecar_id: "s", agent_name: "one" };
const SPOOL: u64 = 0xfeed_face_dead_beef;

/// Store and events over a folder, as a control plane has them.
struct Plane {
    store: SqliteStore,
    events: EmbeddedEventStore,
}

impl Plane {
    async fn open(folder: &Path) -> Self {
        let store = SqliteStore::open(&folder.join("creto.db")).await.unwrap();
        let events =
            EmbeddedEventStore::open(&folder.join("events"), EmbeddedOptions::default()).await.unwrap();
        Self { store, events }
    }

    fn meter(&self) -> CallMeter {
        let prices = Arc::new(PriceList::built_in().unwrap());
        CallMeter::new(Arc::new(self.store.clone()), Arc::new(self.events.clone()), prices)
    }

    fn journal(&self) -> CallJournal {
        CallJournal::new(Arc::new(self.store.clone())).metered(self.meter())
    }

    /// Of the namespace's events, in the order they came in.
    async fn events(&self) -> Vec<Event> {
        let mut found = Vec::new();
        let mut each = |event: &Event, _order: u64| {
            found.push(event.clone());
            std::ops::ControlFlow::Continue(())
        };
        self.events.scan("a", 0, i64::MAX / 2, &mut each).await.unwrap();
        found
    }

    async fn total(&self, meter: &str) -> String {
        let minute = 60_000_000;
        let now = now_us() / minute * minute;
        let query = MeterQuery::new(meter, now - 60 * minute, now + 60 * minute);
        let counted = self.events.query("a", &query).await.unwrap();
        assert_eq!(counted, self.events.recompute("a", &query).await.unwrap());
        counted.first().map_or_else(|| "0".into(), |value| value.value.to_string())
    }

    /// Ends without closing anything, as a process that is killed does, as far as one process can show it.
    async fn leave(self) {
        self.store.close().await;
        self.events.close().await.unwrap();
    }
}

fn begun(sequence: u64, change: impl FnOnce(&mut CallBegun)) -> CallEntry {
    let mut begun = CallBegun {
        at_us: now_us(),
        verdict: Verdict::Allowed.into(),
        host: "api.anthropic.com".into(),
        method: "POST".into(),
        meaning: Some(CallMeaning {
            protocol: "model".into(),
            service: "anthropic".into(),
            operation: "chat".into(),
            subjects: vec!["claude-haiku-4-5".into()],
        }),
        ..CallBegun::default()
    };
    change(&mut begun);
    CallEntry { sequence, entry: Some(Entry::Begun(begun)) }
}

fn ended(sequence: u64, begun_sequence: u64, usage: Option<Usage>) -> CallEntry {
    let ended = CallEnded {
        begun_sequence,
        at_us: now_us(),
        outcome: Outcome::Completed.into(),
        request_bytes: 1_000,
        response_bytes: 2_000,
        duration_us: 1_500,
        usage,
        ..CallEnded::default()
    };
    CallEntry { sequence, entry: Some(Entry::Ended(ended)) }
}

fn usage() -> Usage {
    Usage { input: 200, cached_input: 9_000, output: 300, reasoning: 50, ..Usage::default() }
}

fn report(entries: &[CallEntry]) -> ReportCallsRequest {
    ReportCallsRequest { spool_epoch: SPOOL, entries: entries.to_vec() }
}

fn shown(event: &Event) -> BTreeMap<String, String> {
    event.properties.iter().map(|(name, value)| (name.to_string(), Value::text(value).into_owned())).collect()
}

/// Six entries, three of which end a call; the second begins in one half and ends in the other.
fn six() -> [CallEntry; 6] {
    [
        begun(1, |_| {}),
        begun(2, |_| {}),
        ended(3, 1, Some(usage())),
        ended(4, 2, Some(usage())),
        begun(5, |_| {}),
        ended(6, 5, Some(usage())),
    ]
}

#[tokio::test]
async fn an_ended_call_is_one_event_with_what_it_used_and_cost() {
    let folder = tempfile::tempdir().unwrap();
    let plane = Plane::open(folder.path()).await;
    let journal = plane.journal();
    journal.report(REPORTER, report(&[begun(1, |_| {})])).await.unwrap();
    assert!(plane.events().await.is_empty(), "a call that is under way is none yet");
    journal.report(REPORTER, report(&[ended(2, 1, Some(usage()))])).await.unwrap();
    let events = plane.events().await;
    assert_eq!(events.len(), 1);
    assert_eq!(&*events[0].event_type, "creto.call");
    assert_eq!(&*events[0].agent, "one");
    let id = creto_event_store::EventId::Sequenced { producer: "calls/s".into(), epoch: SPOOL, sequence: 1 };
    assert_eq!(events[0].id, id);
    let expected = [
        ("host", "api.anthropic.com"),
        ("method", "POST"),
        ("verdict", "allowed"),
        ("outcome", "completed"),
        ("operation", "chat"),
        ("provider", "anthropic"),
        ("model", "claude-haiku-4-5"),
        ("request_bytes", "1000"),
        ("response_bytes", "2000"),
        ("duration_us", "1500"),
        ("input_tokens", "9200"),
        ("cached_input_tokens", "9000"),
        ("cache_write_tokens", "0"),
        ("output_tokens", "350"),
        ("reasoning_tokens", "50"),
        ("total_tokens", "9550"),
        ("cost", "0.00285"),
        ("estimated", "false"),
        ("unpriced", "false"),
    ];
    let expected: BTreeMap<String, String> =
        expected.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    assert_eq!(shown(&events[0]), expected);
    assert_eq!(plane.total("llm.cost").await, "0.00285");
}

#[tokio::test]
async fn a_report_that_comes_again_counts_once_however_it_is_cut() {
    let folder = tempfile::tempdir().unwrap();
    let plane = Plane::open(folder.path()).await;
    let entries = six();
    let journal = plane.journal();
    for batch in [&entries[..2], &entries[..4], &entries[1..4], &entries[2..], &entries[..]] {
        journal.report(REPORTER, report(batch)).await.unwrap();
    }
    assert_eq!(plane.total("calls").await, "3");
    assert_eq!(plane.total("llm.tokens").await, "28650");
    let accounts = plane.events.producers("a").await.unwrap();
    assert_eq!((accounts[0].accepted, accounts[0].rejected), (3, 0));
}

#[tokio::test]
async fn a_control_plane_killed_between_events_and_calls_counts_once() {
    // Killed after the events of some of the entries, which are sent again cut elsewhere.
    let entries = six();
    for taken in [3, 4, 6] {
        for again in [2, 3, 5] {
            let folder = tempfile::tempdir().unwrap();
            let plane = Plane::open(folder.path()).await;
            let read: Vec<_> =
                entries[..taken].iter().cloned().map(|one| crate::message::entry(one).unwrap()).collect();
            plane.meter().take_in(REPORTER, SPOOL, &read, &MostCosts::new()).await.unwrap();
            // The calls were never committed.
            plane.leave().await;
            let plane = Plane::open(folder.path()).await;
            assert_eq!(plane.store.reported(("a", "s", SPOOL)).await.unwrap(), Reported::default());
            let journal = plane.journal();
            for batch in [&entries[..again], &entries[again..]] {
                journal.report(REPORTER, report(batch)).await.unwrap();
            }
            assert_eq!(plane.events().await.len(), 3, "killed after {taken}, sent again up to {again}");
            plane.leave().await;
        }
    }
}

#[tokio::test]
async fn a_store_of_events_that_never_had_the_earlier_ones_counts_on_and_nothing_twice() {
    let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let entries = six();
    let mut plane = Plane::open(folder.path()).await;
    plane.journal().report(REPORTER, report(&entries[..4])).await.unwrap();
    // To another store, and back again.
    let moved = EmbeddedEventStore::open(other.path(), EmbeddedOptions::default()).await.unwrap();
    let first = std::mem::replace(&mut plane.events, moved);
    for _ in 0..2 {
        plane.journal().report(REPORTER, report(&entries)).await.unwrap();
    }
    assert_eq!(plane.total("calls").await, "1", "the one that ended since");
    let more = [begun(7, |_| {}), ended(8, 7, None)];
    plane.journal().report(REPORTER, report(&more)).await.unwrap();
    assert_eq!(plane.total("calls").await, "2");
    let second = std::mem::replace(&mut plane.events, first);
    let last = [begun(9, |_| {}), ended(10, 9, None)];
    for _ in 0..2 {
        plane.journal().report(REPORTER, report(&last)).await.unwrap();
    }
    assert_eq!(plane.total("calls").await, "3", "two before, and one since it is back");
    second.close().await.unwrap();
}

#[tokio::test]
async fn a_refused_call_counts_as_denied_and_used_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let plane = Plane::open(folder.path()).await;
    let denied = begun(1, |begun| {
        begun.verdict = Verdict::Denied.into();
        begun.code = "no_rule_allows".into();
    });
    plane.journal().report(REPORTER, report(&[denied, ended(2, 1, Some(usage()))])).await.unwrap();
    let events = plane.events().await;
    let shown = shown(&events[0]);
    assert_eq!(shown["verdict"], "denied");
    assert!(
        !shown.contains_key("input_tokens") && !shown.contains_key("cost") && !shown.contains_key("unpriced")
    );
    assert_eq!(plane.total("calls").await, "1");
    assert_eq!(plane.total("llm.tokens").await, "0");
}

#[tokio::test]
async fn a_model_without_a_price_is_flagged_and_has_no_cost() {
    let folder = tempfile::tempdir().unwrap();
    let plane = Plane::open(folder.path()).await;
    let unknown = begun(1, |begun| {
        begun.meaning.as_mut().unwrap().subjects = vec!["no-such-model".into()];
    });
    plane.journal().report(REPORTER, report(&[unknown, ended(2, 1, Some(usage()))])).await.unwrap();
    let shown = shown(&plane.events().await[0]);
    assert_eq!(shown["unpriced"], "true");
    assert!(!shown.contains_key("cost"));
    assert_eq!(plane.total("llm.tokens").await, "9550");
}

#[tokio::test]
async fn a_call_whose_end_nobody_knows_counts_as_the_most_it_can_have_come_to() {
    let folder = tempfile::tempdir().unwrap();
    let plane = Plane::open(folder.path()).await;
    let bound = Usage { input: 1_500, output: 8_192, estimated: true, ..Usage::default() };
    let ambiguous = |mut entry: CallEntry, most| {
        let Some(Entry::Ended(ended)) = &mut entry.entry else { panic!("no end: {entry:?}") };
        ended.outcome = Outcome::Ambiguous.into();
        ended.most_nanodollars = most;
        entry
    };
    // Its money is known too; only its tokens are; a sidecar of before knew nothing.
    let money = [begun(1, |_| {}), ambiguous(ended(2, 1, Some(bound)), 123_456_789)];
    let tokens = [begun(3, |_| {}), ambiguous(ended(4, 3, Some(bound)), 0)];
    let nothing = [begun(5, |_| {}), ambiguous(ended(6, 5, None), 0)];
    // Reported twice: once with the beginning, once when nobody had heard that it was taken in.
    for entries in [&money, &money, &tokens, &nothing, &nothing] {
        plane.journal().report(REPORTER, report(entries)).await.unwrap();
    }
    let events = plane.events().await;
    assert_eq!(events.len(), 3);
    let [money, tokens, nothing] = [0, 1, 2].map(|at| shown(&events[at]));
    for known in [&money, &tokens] {
        assert_eq!((known["outcome"].as_str(), known["estimated"].as_str()), ("ambiguous", "true"));
        assert_eq!((known["input_tokens"].as_str(), known["output_tokens"].as_str()), ("1500", "8192"));
    }
    assert_eq!((money["cost"].as_str(), money["unpriced"].as_str()), ("0.123456789", "false"));
    // $1 a million of input, $5 of output.
    assert_eq!((tokens["cost"].as_str(), tokens["unpriced"].as_str()), ("0.04246", "false"));
    assert_eq!(nothing["outcome"], "ambiguous");
    assert!(!nothing.contains_key("input_tokens"));
    assert_eq!(plane.total("llm.tokens").await, "19384");
    assert_eq!(plane.total("calls").await, "3");
}

#[tokio::test]
async fn a_tool_call_names_server_and_tool_and_an_end_without_a_beginning_still_counts() {
    let folder = tempfile::tempdir().unwrap();
    let plane = Plane::open(folder.path()).await;
    let tool = begun(1, |begun| {
        begun.meaning = Some(CallMeaning {
            protocol: "mcp".into(),
            service: "tickets".into(),
            operation: "tools/call".into(),
            subjects: vec!["search".into()],
        });
    });
    // The second end names an entry that began nothing.
    let entries = [tool, ended(2, 1, None), ended(3, 2, None)];
    plane.journal().report(REPORTER, report(&entries)).await.unwrap();
    let events = plane.events().await;
    let tool = shown(&events[0]);
    assert_eq!((tool["server"].as_str(), tool["tool"].as_str()), ("tickets", "search"));
    assert!(!shown(&events[1]).contains_key("host"));
    assert_eq!(plane.total("calls").await, "2");
}

#[tokio::test]
async fn labels_say_who_pays_and_the_delegation_is_told_by_names() {
    let folder = tempfile::tempdir().unwrap();
    let plane = Plane::open(folder.path()).await;
    let labels: &[(&str, &str)] = &[("customer", "acme"), ("subscription", "sub-1"), ("team", "search")];
    for (name, id, labels) in [("root", 1, &[][..]), ("one", 2, labels)] {
        let agent = KeptAgent {
            namespace: "a".into(),
            name: name.into(),
            agent_id: [id; 32],
            public_key: [id; 32],
            tier: 2,
            trust_level: 1,
            state: KeptState::Active,
            labels: labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(),
            root: name == "root",
            created_at_ms: 1,
            updated_at_ms: 1,
        };
        plane.store.create_agent(&agent, 10).await.unwrap();
    }
    let link = |from: u8, to: u8| creto_proto::v1::DelegationLink {
        delegator_id: vec![from; 32],
        agent_id: vec![to; 32],
        ..Default::default()
    };
    let links = creto_proto::v1::Delegation { links: vec![link(1, 9), link(9, 2)], ..Default::default() };
    let delegation = KeptDelegation {
        namespace: "a".into(),
        delegation_id: [7; 32],
        holder_id: [2; 32],
        holder_name: "one".into(),
        expires_at_s: u64::MAX / 4,
        revoked: false,
        created_at_ms: 1,
        encoded_links: prost::Message::encode_to_vec(&links),
        links: Vec::new(),
    };
    plane.store.add_delegation(&delegation, 10).await.unwrap();
    let under = begun(1, |begun| begun.delegation_id = vec![7; 32]);
    plane.journal().report(REPORTER, report(&[under, ended(2, 1, None)])).await.unwrap();
    let event = plane.events().await.remove(0);
    assert_eq!((&*event.customer, &*event.subscription), ("acme", "sub-1"));
    // The one between has another key by now.
    assert_eq!(&*event.delegation, "root/0909090909090909/one");
}

#[tokio::test]
async fn a_gap_takes_in_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let plane = Plane::open(folder.path()).await;
    let refused = plane.journal().report(REPORTER, report(&[begun(1, |_| {}), ended(3, 1, None)])).await;
    assert!(matches!(refused, Err(CallsError::Gap { mark: 0 })), "{refused:?}");
    assert!(plane.events().await.is_empty());
}
