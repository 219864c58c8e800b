//! Parts of points and lengths of time.

use super::{Machine, Outcome};
use crate::{
    plan::Moment,
    problem::{FaultKind, Stop},
    syntax::Span,
    value::Value,
};

impl<'e> Machine<'e> {
    pub(super) fn moment(value: Value<'e>, part: Moment, offset: i64, span: Span) -> Outcome<Value<'e>> {
        let found = match value {
            Value::Timestamp(timestamp) => {
                let calendar = timestamp.calendar(offset);
                match part {
                    Moment::FullYear => calendar.year,
                    Moment::Month => calendar.month - 1,
                    Moment::Date => calendar.day,
                    Moment::DayOfMonth => calendar.day - 1,
                    Moment::DayOfWeek => calendar.day_of_week,
                    Moment::DayOfYear => calendar.day_of_year,
                    Moment::Hours => calendar.hours,
                    Moment::Minutes => calendar.minutes,
                    Moment::Seconds => calendar.seconds,
                    Moment::Milliseconds => calendar.milliseconds,
                }
            }
            Value::Duration(length) => match part {
                Moment::Hours => length.as_nanos() / 3_600_000_000_000,
                Moment::Minutes => length.as_nanos() / 60_000_000_000,
                Moment::Seconds => length.as_nanos() / 1_000_000_000,
                // The part below a second, not the whole: so the specification's tests have it.
                Moment::Milliseconds => length.as_nanos() / 1_000_000 % 1_000,
                _ => return Err(Stop::fault(FaultKind::NoOverload, span)),
            },
            _ => return Err(Stop::fault(FaultKind::NoOverload, span)),
        };
        Ok(Value::Int(found))
    }
}
