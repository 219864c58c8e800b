//! Sidecars, the control plane and PostgreSQL are killed with `kill -9` at random points while agents call models through
//! them: whatever an agent was answered is metered exactly once, to the token.
//!
//! `CRETO_KILLS` says how often (12), `CRETO_SEED` with which random numbers.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is a test's failure report")]
#![allow(clippy::print_stdout, reason = "what happened is printed")]

mod account;
mod ambiguous;
mod callers;
mod events;
mod killer;
mod numbers;
mod system;

use account::Account;
use callers::{Callers, Journal};
use killer::Killer;
use numbers::Numbers;
use system::{EventsIn, System};

/// How often something is killed, unless `CRETO_KILLS` says otherwise.
const KILLS: u64 = 12;
const SEED: u64 = 20_261_121;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn answered_calls_are_metered_once_over_kills_of_sidecars_and_plane() {
    calls_are_metered_once(EventsIn::TheDataFolder).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn answered_calls_are_metered_once_over_kills_of_sidecars_plane_and_postgres() {
    calls_are_metered_once(EventsIn::Postgres).await;
}

async fn calls_are_metered_once(events_in: EventsIn) {
    let told = |name: &str, usual: u64| std::env::var(name).map_or(usual, |text| text.parse().unwrap());
    let (kills, seed) = (told("CRETO_KILLS", KILLS), told("CRETO_SEED", SEED));
    println!("events in {events_in:?}: {kills} kills, CRETO_SEED={seed}");
    let mut system = System::start(events_in, kills).await;
    let journal = Journal::default();
    let callers = Callers::begin(&system, &journal, seed);
    let mut killer = Killer::new(Numbers::new(seed));
    for _ in 0..kills {
        killer.kill_once(&mut system, &journal).await;
    }
    killer.wait_until_all_work(&mut system, &journal).await;
    callers.end().await;
    println!("{}", killer.report());

    let account = Account::draw_up(&system, &journal.made()).await;
    account.assert_every_answer_is_on_record_once();
    account.assert_what_is_not_known_is_estimated();
    account.assert_in_flight_is_bounded(killer.sidecar_kills());
    account.assert_quota_was_kept(&system).await;
    account.assert_the_plane_says_the_same(&system).await;
    system.assert_producers_add_up().await;
    // Killed once more: what is read now is what is on disk.
    let events = system.open_events().await;
    account.assert_one_event_a_call(events.as_ref()).await;
    account.assert_rollups_are_what_the_events_come_to(events.as_ref()).await;
    println!("{account}");
}
