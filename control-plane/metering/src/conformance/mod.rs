//! What every event store must do, sentence by sentence. Each scenario uses namespaces of its own, beginning with its name. The store
//! holds as many epochs as [`EPOCHS`] says, and keeps as many series apart as [`SERIES`].
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a panic is a test's failure report"
)]

mod accounts;
mod aggregations;
mod bad_input;
mod epochs;
mod frames;
mod meters;
mod named;
mod questions;
mod reading;
mod sample;
mod series;

pub use self::{
    accounts::*, aggregations::*, bad_input::*, epochs::*, frames::*, meters::*, named::*, questions::*,
    reading::*, sample::*, series::*,
};

/// Calls a macro with the name of every scenario.
#[macro_export]
macro_rules! every_scenario {
    ($call:ident) => {
        $call! {
            a_frame_counts_once_however_often_it_is_sent
            a_frame_that_overlaps_the_mark_adds_what_is_new
            a_gap_is_refused_and_names_the_mark
            producers_and_epochs_have_marks_of_their_own
            a_frame_that_says_another_namespace_is_refused
            frames_sent_at_the_same_time_all_count
            half_a_frame_that_is_bad_is_rejected_and_the_rest_counts
            each_kind_of_bad_event_has_its_code
            each_kind_of_bad_named_event_has_its_code
            time_is_accepted_up_to_its_bounds
            what_only_some_meters_find_is_counted_by_those
            a_named_event_counts_once
            a_named_event_with_another_payload_is_a_conflict
            named_events_of_one_request_are_told_apart
            a_rejected_named_event_may_be_corrected
            a_named_event_without_a_time_counts_when_it_comes_in
            the_same_named_event_sent_at_the_same_time_counts_once
            built_in_meters_are_everywhere
            a_meter_does_not_change
            a_wrong_meter_is_refused
            a_meter_counts_from_its_definition_on
            a_meter_is_defined_while_events_come_in
            every_aggregation_comes_to_its_number
            a_weighted_sum_is_that_of_the_field
            sums_are_exact_at_both_ends
            the_latest_is_the_last_by_time_and_clock
            distinct_values_are_counted_over_windows_and_groups
            more_distinct_values_than_are_counted_are_said
            a_late_event_counts_in_its_own_window
            windows_are_those_of_the_calendar
            groups_and_filters_tell_events_apart
            a_span_may_begin_and_end_in_the_middle_of_windows
            a_wrong_question_is_refused
            rollups_equal_a_recomputation
            events_are_shown_in_the_order_they_came
            reading_ends_when_told
            accounts_add_up
            namespaces_do_not_see_each_other
            a_namespace_must_have_a_name
            a_namespace_full_of_epochs_leaves_others_room
            a_retired_epoch_counts_once
            series_beyond_what_is_kept_apart_change_no_total
        }
    };
}
