//! More series than are kept apart.

use std::collections::BTreeMap;

use super::{NOW_US, Sample, frame, sample, today};
use crate::{Aggregation, EventStore, Meter, OTHER_SERIES};

/// Series of a namespace that a store keeps apart by all they say, on which the suite is run.
pub const SERIES: u64 = 400;

const BATCH: usize = 100;

/// A request of an agent, for a customer.
fn request(number: u64, agent: &str, customer: &str) -> Sample {
    Sample { customer: customer.into(), ..sample().agent(agent) }
        .number("units", "2")
        .text("request", &format!("r{number}"))
}

/// What [`MANY`] comes to in all, by a property, and of how many events.
async fn by(store: &dyn EventStore, namespace: &str, property: &str) -> BTreeMap<String, u64> {
    let answer = store.query(namespace, &today(MANY).by(&[property])).await.unwrap();
    answer.into_iter().map(|value| (value.group[0].1.to_string(), value.events)).collect()
}

const MANY: &str = "many";

/// Sends requests of which each is a series of its own: as many as are kept apart, and more, of agents and customers
/// that are there and of such that are not. Returns how many.
pub async fn send_many_series(store: &dyn EventStore, namespace: &str) -> u64 {
    let meter = Meter::new(MANY, "use", Aggregation::Sum, "units").by(&["request"]);
    store.put_meter(namespace, &meter).await.unwrap();
    let kept = (0..SERIES).map(|number| request(number, "a", "acme"));
    // Of one that is there, and of one that is not.
    let more = (SERIES..SERIES + 50).map(|number| request(number, "a", "acme"));
    let agent = (0..10).map(|number| request(5_000 + number, "late", "acme"));
    // So many customers that these alone are too many.
    let customers = (0..SERIES + 20).map(|number| request(number, "a", &format!("customer-{number}")));
    let all: Vec<Sample> = kept.chain(more).chain(agent).chain(customers).collect();
    let mut first = 1;
    for samples in all.chunks(BATCH) {
        let outcome = store.ingest_frame(namespace, frame("p", 1, first, samples), NOW_US).await.unwrap();
        assert_eq!((outcome.accepted, outcome.rejected.len()), (samples.len() as u64, 0));
        first += samples.len() as u64;
    }
    // One that was there at first is still told apart.
    let known = frame("p", 1, first, &[request(7, "a", "acme")]);
    store.ingest_frame(namespace, known, NOW_US).await.unwrap();
    first
}

/// What has no series of its own counts as other: dimensions first, then who used and who pays.
pub async fn assert_the_rest_is_other(store: &dyn EventStore, namespace: &str) {
    let requests = by(store, namespace, "request").await;
    assert_eq!(requests.len() as u64, SERIES + 1);
    assert_eq!(requests["r7"], 2);
    assert_eq!(requests[OTHER_SERIES], 50 + 10 + SERIES + 20);
    let agents = by(store, namespace, "agent").await;
    assert_eq!(agents["late"], 10);
    let customers = by(store, namespace, "customer").await;
    assert_eq!(customers["acme"], SERIES + 50 + 10 + 1);
    assert_eq!(customers["customer-0"], 1);
    // Those of `acme` are two more than are kept apart.
    assert_eq!(customers.len() as u64, 1 + SERIES - 2 + 1);
    assert_eq!(customers[OTHER_SERIES], 22);
    assert_eq!(agents[OTHER_SERIES], 22);
}

/// However many series there are, everything is taken in, and every total is what the events come to.
pub async fn series_beyond_what_is_kept_apart_change_no_total(store: &dyn EventStore) {
    let namespace = "series-many";
    let sent = send_many_series(store, namespace).await;
    let all = store.query(namespace, &today(MANY)).await.unwrap();
    assert_eq!(all, store.recompute(namespace, &today(MANY)).await.unwrap());
    assert_eq!((all[0].value.to_string(), all[0].events), ((2 * sent).to_string(), sent));
    for property in ["request", "agent", "customer"] {
        assert_eq!(by(store, namespace, property).await.values().sum::<u64>(), sent, "{property}");
    }
    // Recomputing tells all apart.
    let exact = store.recompute(namespace, &today(MANY).by(&["request"])).await.unwrap();
    assert_eq!(exact.len() as u64, SERIES + 50 + 10);
    let accounts = store.producers(namespace).await.unwrap();
    assert_eq!((accounts[0].accepted, accounts[0].rejected), (sent, 0));
    // Others have their own.
    let other = "series-others";
    let meter = Meter::new(MANY, "use", Aggregation::Sum, "units").by(&["request"]);
    store.put_meter(other, &meter).await.unwrap();
    store.ingest_frame(other, frame("p", 1, 1, &[request(1, "a", "acme")]), NOW_US).await.unwrap();
    assert_eq!(by(store, other, "request").await, BTreeMap::from([("r1".into(), 1)]));
}
