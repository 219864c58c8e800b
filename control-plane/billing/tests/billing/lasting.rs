//! Charges whose units last, billed month by month for longer than events are kept.

use std::ops::ControlFlow;
use std::sync::Arc;

use creto_billing::{
    BillingError, BillingRun, CARRIED_APART_MICROS, InvoiceDocument, MAX_CARRIED, SourceError, SourcedEvent,
    SqlStore, UsageSource,
};
use creto_rating::{Moment, Order, UsageEvent, Value};
use creto_test_services::PostgresServer;
use parking_lot::Mutex;
use proptest::prelude::*;

use crate::world::{World, adds_up, at};

const DAY: i64 = 86_400_000_000;

/// Seats by the day, stored gigabytes by the second, credits bought, and calls, which do not last.
pub(crate) const LASTING: &str = r#"
code = "lasting"
effective_from = "2025-01-01T00:00:00Z"
currency = "EUR"
interval = "monthly"
amount = "20"
taxes = [{ code = "vat", percent = "19" }]
[[charges]]
code = "seats"
attribute_by = ["team"]
metric = { meter = "seat", recurring = true, prorated = true, aggregation = { type = "unique_count", field = "user" } }
model = { type = "graduated", tiers = [{ from = 0, to = 3, rate = "7.77" }, { from = 3, rate = "5" }] }
[[charges]]
code = "stored"
group_by = ["team"]
metric = { meter = "disk", recurring = true, aggregation = { type = "weighted_sum", field = "gigabytes" } }
model = { type = "standard", rate = "0.37" }
[[charges]]
code = "licences"
metric = { meter = "licence", recurring = true, aggregation = { type = "sum", field = "gigabytes" } }
model = { type = "standard", rate = "1.10" }
[[charges]]
code = "calls"
metric = { meter = "call", aggregation = { type = "count" } }
model = { type = "standard", rate = "0.05" }
"#;

/// Events with when they came in. Like the event store it refuses to show what is older than ninety days, and it shows only
/// what came in by now.
struct Kept {
    events: Vec<(SourcedEvent, Moment)>,
    now: Mutex<Moment>,
    forgets: bool,
    furthest: Mutex<i64>,
}

#[async_trait::async_trait]
impl UsageSource for Kept {
    async fn scan(
        &self,
        _: &str,
        from: Moment,
        to: Moment,
        each: &mut (dyn for<'e> FnMut(&'e SourcedEvent) -> ControlFlow<()> + Send),
    ) -> Result<(), SourceError> {
        let now = *self.now.lock();
        let back = now.micros() - from.micros();
        if self.forgets && back > 90 * DAY {
            return Err(SourceError("events of that time are not kept any more".into()));
        }
        let mut furthest = self.furthest.lock();
        *furthest = back.max(*furthest);
        for (event, received) in &self.events {
            if *received <= now && (from..to).contains(&event.event.order.at) && each(event).is_break() {
                break;
            }
        }
        Ok(())
    }
}

impl Kept {
    fn new(events: Vec<(SourcedEvent, Moment)>, forgets: bool) -> Self {
        Self { events, now: Mutex::new(at("2025-01-01T00:00:00Z")), forgets, furthest: Mutex::new(0) }
    }
}

fn moment(micros: i64) -> Moment {
    Moment::from_micros(micros).unwrap()
}

/// What is told of one thing that happened.
type Happened = (i64, i64, usize, usize, usize, i32, bool);

/// An event so many minutes into January 2025 that came in so many minutes later.
fn told(place: usize, (minute, late, meter, user, team, n, removes): Happened) -> (SourcedEvent, Moment) {
    let start = at("2025-01-01T00:00:00Z").micros();
    let when = start + minute * 60_000_000;
    let mut properties = vec![
        ("user", Value::Text(["ann", "bob", "cy", "di", "ed"][user].into())),
        ("gigabytes", Value::Number(n.into())),
        ("operation_type", Value::Text(if removes { "remove" } else { "add" }.into())),
    ];
    if team > 0 {
        properties.push(("team", Value::Text(["", "red", "blue"][team].into())));
    }
    let event = UsageEvent {
        id: format!("event-{place}"),
        meter: ["seat", "disk", "licence", "call"][meter].into(),
        order: Order { at: moment(when), sequence: place as u64 },
        agent: ["one", "two", "three"][(place + user) % 3].into(),
        properties: properties.into_iter().map(|(key, value)| (key.to_owned(), value)).collect(),
    };
    let sourced = SourcedEvent { subscription: "sub".into(), customer: String::new(), event };
    (sourced, moment(when + late * 60_000_000))
}

async fn subscribed(world: &World) {
    world.customer("acme").await;
    world.publish(LASTING).await;
    world.subscribed("sub", "acme", "lasting", "2025-01-01T00:00:00Z").await;
}

/// Draws up and issues what is due, in order.
async fn issue(world: &World, usage: &Kept, when: Moment) -> Vec<InvoiceDocument> {
    *usage.now.lock() = when;
    let run = BillingRun::new(&world.namespace, when);
    let mut issued = Vec::new();
    // What is issued changes what is booked: several periods take several runs.
    loop {
        let report = run.draw_up(&*world.store, usage).await.unwrap();
        assert!(report.refused.is_empty(), "{:?}", report.refused);
        let Some(first) = report.drafts.first() else { return issued };
        let finalize =
            creto_billing::Finalize { invoice: &first.id, key: &first.id, at: when, signer: &world.key };
        issued.push(world.store.finalize(&world.namespace, &finalize).await.unwrap().document);
    }
}

/// An invoice without what two worlds have to themselves.
fn told_apart(document: &InvoiceDocument) -> String {
    adds_up(document);
    let InvoiceDocument { lines, total_minor, due_minor, attribution, period, .. } = document;
    format!("{period:?} {total_minor} {due_minor} {lines:#?} {attribution:#?}")
}

/// Lets go of what a world carries, so that it counts from the first event.
async fn forget(world: &World) {
    use sqlx::Connection as _;
    let path = world.folder().join("billing.db");
    let url = format!("sqlite://{}", path.display());
    let mut raw = sqlx::sqlite::SqliteConnection::connect(&url).await.unwrap();
    sqlx::query("DELETE FROM billing_carried").execute(&mut raw).await.unwrap();
    raw.close().await.unwrap();
}

/// Bills drawn up so many days into each month from February to June 2025.
async fn bills(world: &World, usage: &Kept, days: [i64; 5], forgetful: bool) -> Vec<String> {
    subscribed(world).await;
    let mut bills = Vec::new();
    for (month, days) in (2..=6).zip(days) {
        let first = at(&format!("2025-{month:02}-01T00:00:00Z"));
        if forgetful {
            forget(world).await;
        }
        let issued = issue(world, usage, moment(first.micros() + days * DAY)).await;
        bills.extend(issued.iter().map(told_apart));
    }
    bills
}

fn happened() -> impl Strategy<Value = Vec<Happened>> {
    // Up to the end of May, and in at most thirty-four days late.
    let late = prop_oneof![3 => Just(0_i64), 1 => 0_i64..34 * 1_440];
    let one = (0_i64..151 * 1_440, late, 0_usize..4, 0_usize..5, 0_usize..3, -3_i32..9, any::<bool>());
    proptest::collection::vec(one, 0..40)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]
    #[test]
    fn five_months_of_bills_from_what_was_carried_are_those_from_all_events(
        happened in happened(), days in proptest::array::uniform5(0_i64..9),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let events: Vec<_> =
                happened.into_iter().enumerate().map(|(place, one)| told(place, one)).collect();
            let (recent, all) = (Kept::new(events.clone(), true), Kept::new(events, false));
            let carried = bills(&World::new().await, &recent, days, false).await;
            let counted = bills(&World::new().await, &all, days, true).await;
            assert_eq!(carried.len(), 5);
            assert_eq!(carried, counted);
            assert!(*all.furthest.lock() > 140 * DAY);
        });
    }
}

/// A seat added on the 3rd of January that stays, one of the 10th that is gone on the 20th of February and told of late,
/// and a licence a month.
fn example() -> Vec<(SourcedEvent, Moment)> {
    let day = |day: i64| day * 1_440 + 600;
    let mut all: Vec<Happened> = vec![
        (day(2), 0, 0, 0, 1, 0, false),
        (day(9), 0, 0, 1, 2, 0, false),
        (day(50), 30 * 1_440, 0, 1, 2, 0, true),
    ];
    all.extend((0..5).map(|month| (day(month * 30 + 1), 0, 2, 0, 0, 1, false)));
    all.into_iter().enumerate().map(|(place, one)| told(place, one)).collect()
}

#[tokio::test]
async fn a_subscription_older_than_its_events_is_billed_on_either_database() {
    let server = PostgresServer::start().await;
    let mut of_each = Vec::new();
    for database in ["sqlite", "postgresql"] {
        let world = match database {
            "sqlite" => World::new().await,
            _ => World::on(Arc::new(SqlStore::postgres(&server.url()).await.unwrap()), "default").await,
        };
        let usage = Kept::new(example(), true);
        subscribed(&world).await;
        let mut nets = Vec::new();
        for month in 2..=6 {
            let when = at(&format!("2025-{month:02}-01T00:00:00Z"));
            for document in issue(&world, &usage, when).await {
                nets.push(document.lines.iter().map(|line| line.net_minor).collect::<Vec<_>>());
            }
        }
        assert!(*usage.furthest.lock() <= 80 * DAY, "the scan is shared with others");
        let notes = world.store.credit_notes(&world.namespace, "acme").await.unwrap();
        let given_back: Vec<i64> =
            notes.iter().map(|note| note.document.total_minor - note.document.tax_minor).collect();
        assert_eq!(given_back, [222]);
        of_each.push(nets);
    }
    // The plan; seats: January (29 + 22) / 31 of 7.77, February two; licences at 1.10, one more each month. On the 1st of
    // April it is known that the second seat left on the 20th of February: (28 + 20) / 28 of 7.77 are 13.32 instead of 15.54.
    let expected = vec![
        vec![2_000, 1_278, 110],
        vec![2_000, 1_554, 220],
        vec![2_000, 777, 330],
        vec![2_000, 777, 440],
        vec![2_000, 777, 550],
    ];
    assert_eq!(of_each[0], expected);
    assert_eq!(of_each[1], expected);
}

#[tokio::test]
async fn units_are_kept_with_the_draft_or_not_at_all_and_a_new_start_goes_on_from_them() {
    let world = World::new().await;
    let usage = Kept::new(example(), true);
    subscribed(&world).await;
    let carried = async || world.store.carried_at(&world.namespace, "sub").await.unwrap();
    for month in 2..=3 {
        issue(&world, &usage, at(&format!("2025-{month:02}-01T00:00:00Z"))).await;
    }
    let before = carried().await;
    assert_eq!(before, [at("2025-01-24T00:00:00Z")]);
    let when = at("2025-04-01T00:00:00Z");
    *usage.now.lock() = when;
    let report = BillingRun::new(&world.namespace, when).draw_up(&*world.store, &usage).await.unwrap();
    let kept = carried().await;
    assert_eq!(kept, [before[0], at("2025-02-01T00:00:00Z"), at("2025-02-24T00:00:00Z")]);
    // A draft that is refused leaves nothing.
    let units = world.store.carried(&world.namespace, "sub", kept[2]).await.unwrap().unwrap();
    let draft = report.drafts[0].draft().unwrap();
    let stale = creto_billing::Draft { bookings_revision: 0, ..draft.clone() };
    let later = {
        let subscription = world.store.rateable(&world.namespace, "sub").await.unwrap();
        let mut later =
            creto_rating::Carrying::new(Some(&units), &subscription, at("2025-03-20T00:00:00Z")).unwrap();
        usage.events.iter().for_each(|(sourced, _)| later.add(&sourced.event).unwrap());
        later.finish().unwrap()
    };
    let refused = world.store.put_draft(&world.namespace, &stale, &[later]).await;
    assert!(matches!(refused, Err(BillingError::StaleDraft(_))), "{refused:?}");
    assert_eq!(carried().await, kept);
    // Another program goes on from the file.
    let store = Arc::new(SqlStore::sqlite(&world.folder().join("billing.db")).await.unwrap());
    let second = World::on(store, &world.namespace).await;
    assert_eq!(issue(&second, &usage, when).await.len(), 1);
    assert_eq!(issue(&second, &usage, at("2025-05-01T00:00:00Z")).await.len(), 1);
}

#[tokio::test]
async fn a_voided_invoice_of_two_months_ago_is_billed_again_to_the_cent() {
    let world = World::new().await;
    let usage = Kept::new(example(), true);
    subscribed(&world).await;
    let mut issued = Vec::new();
    for month in 2..=5 {
        issued.extend(issue(&world, &usage, at(&format!("2025-{month:02}-01T00:00:00Z"))).await);
    }
    let march = &issued[2];
    let when = at("2025-05-02T00:00:00Z");
    world.store.void(&world.namespace, &march.id, "Wrong address", when, "void").await.unwrap();
    let again = issue(&world, &usage, when).await;
    assert_eq!(again.len(), 1);
    let counted = |document: &InvoiceDocument| {
        let lines = document.lines.iter().filter(|line| line.facts.period_from == document.period.from());
        lines.map(|line| line.net_minor).collect::<Vec<_>>()
    };
    // What came late was billed with it, and is in the period's own lines now or given back already.
    assert_eq!(again[0].period, march.period);
    assert_eq!(counted(&again[0])[0], 2_000);
    assert_eq!(again[0].lines.len(), march.lines.len());
}

#[tokio::test]
async fn a_plan_that_counts_otherwise_after_the_events_are_gone_is_refused_alone_with_the_reason() {
    let world = World::new().await;
    let usage = Kept::new(example(), true);
    subscribed(&world).await;
    for month in 2..=5 {
        issue(&world, &usage, at(&format!("2025-{month:02}-01T00:00:00Z"))).await;
    }
    let dearer = LASTING.replace("7.77", "9").replace("2025-01-01", "2025-05-01");
    world.publish(&dearer).await;
    let change = at("2025-05-10T00:00:00Z");
    world.store.change_plan(&world.namespace, "sub", "lasting", change).await.unwrap();
    let june = issue(&world, &usage, at("2025-06-01T00:00:00Z")).await;
    // A new price goes on with the units: 9 and 22 days of 31 of one seat at 7.77 and at 9.
    let seats: Vec<i64> = june[0]
        .lines
        .iter()
        .filter(|line| line.facts.charge.as_deref() == Some("seats"))
        .map(|line| line.net_minor)
        .collect();
    assert_eq!(seats, [226, 639]);
    let grouped = dearer
        .replace("attribute_by = [\"team\"]", "group_by = [\"team\"]")
        .replace("2025-05-01", "2025-06-01");
    world.publish(&grouped).await;
    world.store.change_plan(&world.namespace, "sub", "lasting", at("2025-06-10T00:00:00Z")).await.unwrap();
    let when = at("2025-07-01T00:00:00Z");
    *usage.now.lock() = when;
    let report = BillingRun::new(&world.namespace, when).draw_up(&*world.store, &usage).await.unwrap();
    let [(refused, error)] = report.refused.as_slice() else { panic!("{report:?}") };
    assert_eq!(refused, "sub");
    let error = error.to_string();
    assert!(
        error.contains("charge `seats` counts otherwise") && error.contains("not kept any more"),
        "{error}"
    );
}

/// Units of a subscription at an instant, of users who have names of a hundred bytes.
async fn units(world: &World, at: Moment, users: usize) -> creto_rating::Carried {
    let subscription = world.store.rateable(&world.namespace, "sub").await.unwrap();
    let mut carrying = creto_rating::Carrying::new(None, &subscription, at).unwrap();
    let (mut sourced, _) = told(0, (0, 0, 0, 0, 0, 0, false));
    for user in 0..users {
        sourced.event.properties.insert("user".into(), Value::Text(format!("{user:0100}")));
        carrying.add(&sourced.event).unwrap();
    }
    carrying.finish().unwrap()
}

#[tokio::test]
async fn what_is_carried_is_bounded_and_old_instants_go() {
    let world = World::new().await;
    subscribed(&world).await;
    let usage = Kept::new(Vec::new(), true);
    let report = BillingRun::new(&world.namespace, at("2025-02-01T00:00:00Z"));
    let report = report.draw_up(&*world.store, &usage).await.unwrap();
    let draft = report.drafts[0].draft().unwrap();
    let day = |day: i64| moment(at("2025-01-01T00:00:00Z").micros() + day * DAY);
    // Three copies of each name: in all, by agent and by team.
    let large = units(&world, day(1), 120_000).await;
    let refused = world.store.put_draft(&world.namespace, draft, &[large]).await;
    assert!(matches!(refused, Err(BillingError::TooMany { found: 36_000_000.., .. })), "{refused:?}");
    let mut many = Vec::new();
    for place in 0..MAX_CARRIED as i64 + 3 {
        many.push(units(&world, day(7 * place), 1).await);
        // Too near to the one before.
        many.push(units(&world, moment(day(7 * place).micros() + CARRIED_APART_MICROS - 1), 1).await);
    }
    world.store.put_draft(&world.namespace, draft, &many).await.unwrap();
    let kept = world.store.carried_at(&world.namespace, "sub").await.unwrap();
    assert_eq!(kept, (0..MAX_CARRIED as i64).map(|place| day(7 * place)).collect::<Vec<_>>());
    // Once the period is billed, later ones start from later instants.
    let id = &report.drafts[0].id;
    world.try_finalize(id, "key", "2025-02-01T00:00:00Z").await.unwrap();
    let other = World::new().await;
    subscribed(&other).await;
    for month in 2..=9 {
        issue(&other, &usage, at(&format!("2025-{month:02}-01T00:00:00Z"))).await;
    }
    let kept = other.store.carried_at(&other.namespace, "sub").await.unwrap();
    assert_eq!(kept.first(), Some(&at("2025-03-26T00:00:00Z")), "{kept:?}");
    assert_eq!(kept.last(), Some(&at("2025-07-27T00:00:00Z")));
}
