//! Points and lengths of time.

use creto_expression::FaultKind;

use crate::facts::{all_fail, all_false, all_refused, all_true};

#[test]
fn points_and_lengths_of_time_are_added_and_compared() {
    all_true(&[
        "t.time > timestamp('2009-02-13T23:31:30Z') && t.time < timestamp('2009-02-13T23:31:31Z')",
        "t.time == timestamp('2009-02-14T01:31:30.123456789+02:00')",
        "t.time - timestamp('2009-02-13T23:31:30.123456789Z') == duration('0')",
        "t.time + duration('1h') - t.time == duration('60m')",
        "duration('1h') + timestamp(0) == timestamp(3600)",
        "timestamp(0) - duration('1s') == timestamp('1969-12-31T23:59:59Z')",
        "duration('1h') - duration('90m') == duration('-30m')",
        "duration('1.5s') < duration('1501ms')",
        "int(timestamp('2009-02-13T23:31:30Z')) == 1234567890",
        "int(timestamp('1969-12-31T23:59:59.5Z')) == -1",
        "string(t.time) == '2009-02-13T23:31:30.123456789Z'",
        "string(t.length) == '5400.123s' && string(duration('-1.5s')) == '-1.5s'",
        "timestamp(string(t.time)) == t.time && duration(string(t.length)) == t.length",
        "timestamp(t.time) == t.time && duration(t.length) == t.length",
    ]);
    all_false(&["t.length == duration('90m')", "duration('1s') == duration('1001ms')"]);
}

#[test]
fn accessors_give_the_parts_of_the_calendar() {
    all_true(&[
        "t.time.getFullYear() == 2009 && t.time.getMonth() == 1",
        "t.time.getDate() == 13 && t.time.getDayOfMonth() == 12",
        "t.time.getDayOfWeek() == 5 && t.time.getDayOfYear() == 43",
        "t.time.getHours() == 23 && t.time.getMinutes() == 31 && t.time.getSeconds() == 30",
        "t.time.getMilliseconds() == 123",
        "t.time.getHours('+02:00') == 1 && t.time.getDate('+02:00') == 14",
        "t.time.getHours('-09:30') == 14 && t.time.getMinutes('-09:30') == 1 && t.time.getHours('UTC') == 23",
        "t.length.getHours() == 1 && t.length.getMinutes() == 90 && t.length.getSeconds() == 5400",
        "t.length.getMilliseconds() == 123",
        "dyn(t.time).getHours() == 23 && dyn(t.length).getHours() == 1",
        "timestamp('2024-02-29T00:00:00Z').getDayOfYear() == 59",
    ]);
    all_fail(
        FaultKind::NoOverload,
        &[
            ("dyn(t.length).getFullYear() == 1", "dyn(t.length).getFullYear()"),
            ("t.any.getHours() == 1", "t.any.getHours()"),
        ],
    );
    all_refused(&[
        (
            "t.time.getHours('Europe/Paris') == 1",
            "'Europe/Paris'",
            "this is not a time zone that is known here",
        ),
        ("t.time.getHours(request.host) == 1", "request.host", "this is not a time zone that is known here"),
        ("t.length.getDate() == 1", "t.length", "getDate() does not take a value of type duration"),
    ]);
}

#[test]
fn times_out_of_range_are_errors() {
    all_fail(
        FaultKind::Overflow,
        &[
            (
                "timestamp('9999-12-31T23:59:59.999999999Z') + duration('1ns') == t.time",
                "timestamp('9999-12-31T23:59:59.999999999Z') + duration('1ns')",
            ),
            (
                "timestamp('0001-01-01T00:00:00Z') - duration('1ns') == t.time",
                "timestamp('0001-01-01T00:00:00Z') - duration('1ns')",
            ),
            (
                "timestamp('9999-01-01T00:00:00Z') - timestamp('0001-01-01T00:00:00Z') == t.length",
                "timestamp('9999-01-01T00:00:00Z') - timestamp('0001-01-01T00:00:00Z')",
            ),
            ("duration('2562047h') + duration('1h') == t.length", "duration('2562047h') + duration('1h')"),
            ("timestamp(t.int * 36893488147419) == t.time", "timestamp(t.int * 36893488147419)"),
        ],
    );
    all_fail(
        FaultKind::Conversion,
        &[
            ("timestamp(request.host) == t.time", "timestamp(request.host)"),
            ("duration(request.host) == t.length", "duration(request.host)"),
        ],
    );
}

#[test]
fn literals_that_are_no_times_are_refused_at_load() {
    all_refused(&[
        ("timestamp('yesterday') == t.time", "'yesterday'", "timestamp() cannot read this"),
        (
            "timestamp('10000-01-01T00:00:00Z') == t.time",
            "'10000-01-01T00:00:00Z'",
            "timestamp() cannot read this",
        ),
        ("duration('1d') == t.length", "'1d'", "duration() cannot read this"),
        ("duration('320000000000s') == t.length", "'320000000000s'", "duration() cannot read this"),
        ("duration(5) == t.length", "5", "duration() does not take a value of type int here"),
    ]);
}
