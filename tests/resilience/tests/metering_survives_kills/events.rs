//! The events themselves, read from where they are kept.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use creto_event_store::{Event, EventId, EventStore, MeterQuery, Value, Window};
use creto_proto::v1::{CallRecord, Outcome};
use creto_test_support::NAMESPACE;

use crate::account::{Account, metered, tokens};
use crate::system::AGENTS;

/// What an event and the record of its call both say. The end's time is in microseconds, so that hardly two are alike;
/// where they are, they are counted.
type Mark = (String, String, i64, String, [u64; 4]);

fn mark_of_call(record: &CallRecord) -> Mark {
    let ended = record.ended.as_ref().expect("every call has ended");
    let outcome = match ended.outcome() {
        Outcome::Completed => "completed",
        Outcome::Refused => "refused",
        Outcome::UpstreamFailed => "upstream_failed",
        Outcome::ClientGone => "client_gone",
        Outcome::Ambiguous => "ambiguous",
        other => panic!("{other:?} is no end"),
    };
    let (input, output) = tokens(ended.usage.as_ref());
    let numbers = [ended.duration_us, ended.request_bytes, ended.response_bytes, input + output];
    let producer = format!("calls/{}", record.sidecar_id);
    (producer, record.agent_name.clone(), ended.at_us, outcome.to_owned(), numbers)
}

fn mark_of_event(event: &Event, producer: &str) -> Mark {
    let text = |name: &str| event.property(name).map(|value| value.text().into_owned());
    let number = |name: &str| text(name).map_or(0, |number| number.parse().unwrap());
    let numbers = ["duration_us", "request_bytes", "response_bytes", "total_tokens"].map(number);
    let outcome = text("outcome").unwrap_or_default();
    (producer.to_owned(), event.agent.to_string(), event.at_us, outcome, numbers)
}

/// The epoch of the spool, from "<sidecar id>/<spool epoch hex>/<sequence>".
fn spool_of(record: &CallRecord) -> (String, u64) {
    let mut parts = record.call_id.split('/');
    let sidecar = parts.next().unwrap();
    (format!("calls/{sidecar}"), u64::from_str_radix(parts.next().unwrap(), 16).unwrap())
}

impl Account {
    /// There is one event for every call on record and none besides; each producer's are numbered without a gap, in the
    /// epoch of its spool; and what is on record as used is priced.
    pub(crate) async fn assert_one_event_a_call(&self, events: &dyn EventStore) {
        let mut balance: BTreeMap<Mark, i64> = BTreeMap::new();
        let mut calls: BTreeMap<(String, u64), u64> = BTreeMap::new();
        for kept in self.kept() {
            *balance.entry(mark_of_call(&kept.record)).or_default() += 1;
            *calls.entry(spool_of(&kept.record)).or_default() += 1;
        }
        let mut sequences: BTreeMap<(String, u64), Vec<u64>> = BTreeMap::new();
        let mut strange = Vec::new();
        let mut each = |event: &Event, _order: u64| {
            let EventId::Sequenced { producer, epoch, sequence } = &event.id else {
                strange.push(event.clone());
                return ControlFlow::Continue(());
            };
            *balance.entry(mark_of_event(event, producer)).or_default() -= 1;
            sequences.entry((producer.to_string(), *epoch)).or_default().push(*sequence);
            let unpriced = event.property("unpriced") == Some(&Value::Flag(true));
            if unpriced || &*event.event_type != "creto.call" {
                strange.push(event.clone());
            }
            ControlFlow::Continue(())
        };
        events.scan(NAMESPACE, 0, i64::MAX, &mut each).await.unwrap();
        assert!(strange.is_empty(), "{} events that no call makes, as {:?}", strange.len(), strange.first());
        let off: Vec<_> = balance.iter().filter(|(_, balance)| **balance != 0).take(5).collect();
        assert!(
            off.is_empty(),
            "calls without an event (1), events without a call (-1), among them: {off:?}"
        );
        let counted: BTreeMap<(String, u64), u64> =
            sequences.iter().map(|(spool, all)| (spool.clone(), all.len() as u64)).collect();
        assert_eq!(counted, calls, "events and calls of each spool");
        for (spool, mut all) in sequences {
            all.sort_unstable();
            assert!(all.iter().copied().eq(1..=all.len() as u64), "{spool:?} has gaps or doubles");
        }
        for account in events.producers(NAMESPACE).await.unwrap() {
            let own = calls.get(&(account.producer.to_string(), account.epoch)).copied();
            assert_eq!(Some(account.accepted), own, "{account:?}");
            assert_eq!(account.rejected, 0, "{account:?}");
            assert_eq!(account.sent, account.accepted + account.duplicate, "{account:?}");
            println!("{}: sent {}, {} of them again", account.producer, account.sent, account.duplicate);
        }
    }

    /// Every meter's rollups, in windows of every length, are what the events come to and what the calls come to.
    pub(crate) async fn assert_rollups_are_what_the_events_come_to(&self, events: &dyn EventStore) {
        let sums = self.expected();
        for (meter, value) in metered() {
            for window in [None].into_iter().chain(Window::ALL.map(Some)) {
                let query = MeterQuery {
                    window,
                    ..MeterQuery::new(meter, self.from_ms * 1_000, self.to_ms * 1_000).by(&["agent"])
                };
                let found = events.query(NAMESPACE, &query).await.unwrap();
                assert_eq!(found, events.recompute(NAMESPACE, &query).await.unwrap(), "{query:?}");
                for (name, sums) in AGENTS.iter().zip(&sums) {
                    let own = found.iter().filter(|value| &*value.group[0].1 == *name);
                    let total: u64 = own.map(|value| value.value.to_string().parse::<u64>().unwrap()).sum();
                    assert_eq!(total, value(sums), "{meter} of {name}, {window:?}");
                }
            }
        }
        let cost = MeterQuery::new("llm.cost", self.from_ms * 1_000, self.to_ms * 1_000).by(&["model"]);
        let found = events.query(NAMESPACE, &cost).await.unwrap();
        assert_eq!(found, events.recompute(NAMESPACE, &cost).await.unwrap());
        assert!(!found.is_empty(), "nothing cost anything");
    }
}
