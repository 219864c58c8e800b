//! What every issuer must do, sentence by sentence. Each scenario opens a namespace of its own.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a panic is a test's failure report"
)]

mod leases;
mod loss;
mod notices;
mod reports;
mod sidecars;
mod terms;
mod time;

use creto_quota::{Lease, LeaseReport, Report};

pub use self::{leases::*, loss::*, notices::*, reports::*, sidecars::*, terms::*, time::*};
use crate::{Answer, Ask, Granted, Holder, Issuer, Period, QuotaLimit, Reported, Usage};

/// A moment within an hour, a day, a week and a month: Wednesday, 14 October 2026, 10:20:00 UTC.
pub const NOW_MS: u64 = 1_791_973_200_000;

/// Calls a macro with the name of every scenario.
#[macro_export]
macro_rules! every_scenario {
    ($call:ident) => {
        $call! {
            a_lease_is_cut_from_what_is_available_and_no_more
            a_request_asked_again_gets_the_same_lease
            a_request_before_the_last_is_refused
            leases_shrink_as_holders_come_and_units_go
            a_waiting_call_gets_what_it_needs_or_word_of_what_is_left
            leases_end_with_their_life_or_their_window
            holders_with_too_many_open_leases_are_refused
            a_report_counts_once
            what_is_given_back_can_be_granted_again
            overrun_and_overage_count_on_top
            a_report_goes_along_with_a_request
            a_foreign_lease_cannot_be_given_back
            a_report_of_a_lease_never_granted_is_refused_and_changes_nothing
            a_report_left_out_costs_its_sender_alone
            the_first_report_may_have_any_number
            a_lease_told_of_to_the_end_frees_nothing_of_others
            a_sidecar_has_few_processes_however_many_it_makes
            who_had_leases_of_a_limit_is_found_again
            reports_beyond_the_bounds_are_refused
            a_holder_is_asked_to_give_back_when_others_go_without
            amounts_are_exact_up_to_the_largest
            a_new_window_starts_over_and_the_old_one_settles_on_its_own
            a_dead_holders_lease_is_stranded_never_granted_again
            a_late_report_brings_stranded_units_back
            after_a_day_the_rest_is_written_off
            a_clock_that_goes_back_over_a_window_is_refused
            old_windows_and_holders_are_forgotten
            the_warning_comes_once_a_window
            exhausted_is_told_once_a_window
            an_hour_above_its_mean_is_a_spike_once
            no_spike_without_enough_hours_or_below_the_floor
            events_are_read_in_order_and_forgotten_on_demand
            unit_and_period_stay_with_the_name
            a_raise_holds_at_once_and_an_older_revision_is_refused
            who_says_the_same_under_an_older_revision_is_served
            an_older_revision_may_report_and_expire
            a_lowered_amount_grants_nothing_until_use_is_below_it
            wrong_limits_are_refused_with_what_to_do
            namespaces_do_not_see_each_other
            an_unknown_namespace_grants_nothing_in_the_windows_under_way
            what_holders_say_of_leases_from_before_a_loss_frees_nothing
            a_loss_closes_every_window_that_may_have_been_used_before_it
            who_read_events_before_a_loss_reads_of_it
            limits_nobody_uses_make_room_for_others
            limits_nobody_uses_are_swept_a_few_at_a_time
            expire_says_when_to_come_again
            settling_a_loss_opens_the_window
            a_loss_in_a_short_window_is_not_settled_while_it_lasts
            a_raise_after_a_loss_opens_nothing_of_a_limit_of_zero
            a_need_no_window_can_meet_troubles_nobody
            holders_are_not_asked_for_what_would_not_do
        }
    };
}

/// A limit of tokens an hour without spikes.
pub(crate) fn limit(namespace: &str, amount: u64) -> QuotaLimit {
    QuotaLimit { spike: None, ..QuotaLimit::new(namespace, "tokens", "token", amount, Period::Hourly) }
}

/// The first run of a sidecar.
pub(crate) fn holder(name: &str) -> Holder {
    Holder::new(name, 1)
}

/// A request for so many units.
pub(crate) fn ask(request: u64, wanted: u64) -> Ask {
    Ask { request, wanted, needed: 0 }
}

/// What became of a lease since the last report.
pub(crate) fn line(lease: &Lease, spent: u64, given_back: u64, last: bool) -> LeaseReport {
    LeaseReport { id: lease.id, epoch: lease.epoch, spent, given_back, overrun: 0, last }
}

/// A report.
pub(crate) fn told(sequence: u64, leases: &[LeaseReport]) -> Report {
    Report { sequence, leases: leases.to_vec(), overage: 0 }
}

/// A lease of all that is needed.
pub(crate) async fn lease_of(
    issuer: &dyn Issuer,
    limit: &QuotaLimit,
    holder: &Holder,
    request: u64,
    units: u64,
) -> Lease {
    let ask = Ask { request, wanted: 0, needed: units };
    lease(&issuer.grant(limit, holder, &ask, None, NOW_MS).await.unwrap())
}

/// The lease that was granted.
pub(crate) fn lease(granted: &Granted) -> Lease {
    match granted.answer {
        Answer::Lease(lease) => lease,
        refused => panic!("no lease: {refused:?}"),
    }
}

/// A report that is taken in.
pub(crate) async fn report(
    issuer: &dyn Issuer,
    limit: &QuotaLimit,
    holder: &Holder,
    report: &Report,
) -> Reported {
    issuer.report(limit, holder, report, NOW_MS).await.unwrap()
}

/// The account of the window of [`NOW_MS`].
pub(crate) async fn usage(issuer: &dyn Issuer, limit: &QuotaLimit) -> Usage {
    issuer.usage(limit, NOW_MS).await.unwrap().usage
}
