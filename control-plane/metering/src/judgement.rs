//! Whether an event can be counted: the same rules for every store, however the event came.

use std::fmt;

use creto_rating::Quantity;

use crate::bounds::{
    DEFAULT_MAX_AGE_US, DEFAULT_MAX_AHEAD_US, MAX_DELEGATION_BYTES, MAX_DETAIL_BYTES, MAX_ID_BYTES,
    MAX_NAME_BYTES, MAX_PROPERTIES, MAX_SIGNATURE_BYTES, MAX_TEXT_BYTES,
};
use crate::frame::Cell;
use crate::meter::is_name;
use crate::{Aggregation, Catalog, Frame, Layout, NamedEvent, Value};

/// When events may have happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Acceptance {
    /// How far before now, in microseconds.
    pub max_age_us: i64,
    /// How far after now, in microseconds.
    pub max_ahead_us: i64,
}

impl Default for Acceptance {
    fn default() -> Self {
        Self { max_age_us: DEFAULT_MAX_AGE_US, max_ahead_us: DEFAULT_MAX_AHEAD_US }
    }
}

/// Why an event cannot be counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum RejectCode {
    /// No meter counts events of this type: it would be lost money.
    UnknownEventType = 1,
    /// It happened longer ago than is accepted.
    TimeTooOld = 2,
    /// It happens later than clocks may differ.
    TimeInFuture = 3,
    /// A text or flag where a meter needs a number, no number at all (NaN), or one out of range.
    BadValue = 4,
    /// None of the meters of its type finds the property it counts.
    MissingValue = 5,
    /// More than [`MAX_PROPERTIES`].
    TooManyProperties = 6,
    /// A name that is empty, too long, or holds control characters; or a property named twice.
    BadName = 7,
    /// A text value over [`MAX_TEXT_BYTES`], or a signature over [`MAX_SIGNATURE_BYTES`].
    TooLong = 8,
    /// A named event of the same source and id came before with another payload.
    Conflict = 9,
    /// Its producer has had more epochs than are held, this one is not held any more or was begun since, and the event is
    /// from a time when it may have been counted in one that is not held any more.
    EpochRetired = 10,
}

impl RejectCode {
    /// All there are.
    pub const ALL: [Self; 10] = [
        Self::UnknownEventType,
        Self::TimeTooOld,
        Self::TimeInFuture,
        Self::BadValue,
        Self::MissingValue,
        Self::TooManyProperties,
        Self::BadName,
        Self::TooLong,
        Self::Conflict,
        Self::EpochRetired,
    ];

    /// Its name on the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::UnknownEventType => "unknown_event_type",
            Self::TimeTooOld => "time_too_old",
            Self::TimeInFuture => "time_in_future",
            Self::BadValue => "bad_value",
            Self::MissingValue => "missing_value",
            Self::TooManyProperties => "too_many_properties",
            Self::BadName => "bad_name",
            Self::TooLong => "too_long",
            Self::Conflict => "conflict",
            Self::EpochRetired => "epoch_retired",
        }
    }

    /// Its number where it is kept.
    #[must_use]
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The code of a number.
    #[must_use]
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|code| code.number() == number)
    }
}

impl fmt::Display for RejectCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why one event cannot be counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// For machines.
    pub code: RejectCode,
    /// For people: at most [`MAX_DETAIL_BYTES`].
    pub detail: String,
}

impl Rejection {
    fn new(code: RejectCode, mut detail: String) -> Self {
        detail.truncate(detail.floor_char_boundary(MAX_DETAIL_BYTES));
        Self { code, detail }
    }

    /// Of an event up to `until_us` (microseconds since 1970) in an epoch that is new, or was when others of its producer
    /// had been retired.
    pub(crate) fn epoch_retired(until_us: i64) -> Self {
        let detail = format!(
            "the producer has had more epochs than are held: an event up to {until_us} (microseconds since 1970) may have been counted in one of them"
        );
        Self::new(RejectCode::EpochRetired, detail)
    }
}

/// What of a text is shown.
fn shown(text: &str) -> &str {
    &text[..text.floor_char_boundary(48)]
}

fn time(at_us: i64, now_us: i64, acceptance: &Acceptance) -> Result<(), Rejection> {
    if at_us < 0 || at_us < now_us.saturating_sub(acceptance.max_age_us) {
        let days = acceptance.max_age_us / 86_400_000_000;
        let detail = format!(
            "it happened at {at_us} (microseconds since 1970), more than {days} days before {now_us}"
        );
        return Err(Rejection::new(RejectCode::TimeTooOld, detail));
    }
    if at_us > now_us.saturating_add(acceptance.max_ahead_us) {
        let detail = format!(
            "it happens at {at_us} (microseconds since 1970) and now is {now_us}: check the producer's clock and its unit"
        );
        return Err(Rejection::new(RejectCode::TimeInFuture, detail));
    }
    Ok(())
}

fn plain_name(what: &str, name: &str, most: usize) -> Result<(), Rejection> {
    if name.len() <= most && !name.chars().any(char::is_control) {
        return Ok(());
    }
    let detail = format!("{what} `{}` is longer than {most} bytes or holds control characters", shown(name));
    Err(Rejection::new(RejectCode::BadName, detail.replace(char::is_control, "?")))
}

fn type_name(name: &str) -> Result<(), Rejection> {
    if is_name(name) {
        return Ok(());
    }
    let detail = format!("event type `{}`: 1 to {MAX_NAME_BYTES} visible ASCII characters", shown(name));
    Err(Rejection::new(RejectCode::BadName, detail.replace(char::is_control, "?")))
}

fn property_name(name: &str) -> Result<(), Rejection> {
    if is_name(name) {
        return Ok(());
    }
    let detail =
        format!("property `{}`: names are 1 to {MAX_NAME_BYTES} visible ASCII characters", shown(name));
    Err(Rejection::new(RejectCode::BadName, detail.replace(char::is_control, "?")))
}

fn too_many(properties: usize) -> Rejection {
    let detail = format!("{properties} properties: at most {MAX_PROPERTIES}");
    Rejection::new(RejectCode::TooManyProperties, detail)
}

fn text_value(name: &str, text: &str) -> Result<(), Rejection> {
    if text.len() <= MAX_TEXT_BYTES {
        return Ok(());
    }
    let detail =
        format!("property `{}` is a text of {} bytes: at most {MAX_TEXT_BYTES}", shown(name), text.len());
    Err(Rejection::new(RejectCode::TooLong, detail))
}

fn no_number(name: &str, text: &str) -> Rejection {
    let why = text.parse::<Quantity>().err().map_or_else(String::new, |error| error.to_string());
    Rejection::new(RejectCode::BadValue, format!("property `{}`: {why}", shown(name)))
}

fn out_of_range(name: &str) -> Rejection {
    let detail = format!("property `{}` has more than 18 digits before the point", shown(name));
    Rejection::new(RejectCode::BadValue, detail)
}

fn not_for(name: &str, what: &str, meter: &str) -> Rejection {
    let detail = format!("property `{}` is a {what} and meter {meter} needs a number", shown(name));
    Rejection::new(RejectCode::BadValue, detail)
}

fn unknown_type(name: &str) -> Rejection {
    let detail = format!("no meter counts events of type `{}`: define one, or correct the type", shown(name));
    Rejection::new(RejectCode::UnknownEventType, detail)
}

fn nothing_counted(name: &str) -> Rejection {
    let detail = format!("none of the meters of `{}` finds the property it counts", shown(name));
    Rejection::new(RejectCode::MissingValue, detail)
}

/// A property that a meter reads.
struct Read<'c> {
    column: Option<usize>,
    /// A meter that needs it to be a number.
    number_for: Option<&'c str>,
}

/// What is asked of events of one type.
struct Rule<'c> {
    /// Properties that are read; none for a count.
    reads: Vec<Read<'c>>,
    counts: bool,
}

impl<'c> Rule<'c> {
    fn of(
        layouts: impl Iterator<Item = (usize, &'c Layout)>,
        column: impl Fn(&str) -> Option<usize>,
    ) -> Self {
        let mut rule = Rule { reads: Vec::new(), counts: false };
        for meter in layouts.flat_map(|(_, layout)| &layout.meters) {
            if meter.aggregation == Aggregation::Count {
                rule.counts = true;
                continue;
            }
            let column = column(&meter.field);
            let number_for = meter.aggregation.needs_number().then_some(&*meter.name);
            match rule.reads.iter_mut().find(|read| read.column == column) {
                Some(read) => read.number_for = read.number_for.or(number_for),
                None => rule.reads.push(Read { column, number_for }),
            }
        }
        rule
    }
}

impl Catalog {
    /// The events of a frame that cannot be counted, by index, rising.
    #[must_use]
    pub fn judge_frame(
        &self,
        frame: &Frame,
        now_us: i64,
        acceptance: &Acceptance,
    ) -> Vec<(usize, Rejection)> {
        let strings = frame.string_count();
        // By index of string: what was found out about it once is not looked into again.
        let mut rules: Vec<Option<Result<Rule<'_>, Rejection>>> = (0..strings).map(|_| None).collect();
        let mut plain: Vec<Option<bool>> = vec![None; strings];
        let columns_ok: Vec<Result<(), Rejection>> =
            frame.columns().iter().map(|column| property_name(frame.string(column.name))).collect();
        let all_columns_ok = columns_ok.iter().all(Result::is_ok);
        let few_columns = frame.columns().len() <= MAX_PROPERTIES;
        let mut judge = |event: usize| -> Result<(), Rejection> {
            let type_index = frame.type_index(event);
            let type_text = frame.string(type_index);
            let rule = rules[type_index as usize].get_or_insert_with(|| {
                type_name(type_text)?;
                if self.layouts_of(type_text).next().is_none() {
                    return Err(unknown_type(type_text));
                }
                Ok(Rule::of(self.layouts_of(type_text), |name| frame.column(name)))
            });
            let rule = rule.as_ref().map_err(Clone::clone)?;
            time(frame.at_us(event), now_us, acceptance)?;
            for index in frame.who(event) {
                let text = frame.string(index);
                let ok = plain[index as usize]
                    .get_or_insert_with(|| plain_name("name", text, MAX_NAME_BYTES).is_ok());
                if !*ok {
                    plain_name("name", text, MAX_NAME_BYTES)?;
                }
            }
            let delegation = frame.delegation_index(event);
            if delegation != 0 && plain[delegation as usize] != Some(true) {
                plain_name("delegation", frame.string(delegation), MAX_DELEGATION_BYTES)?;
            }
            if !few_columns {
                let has = frame.columns().iter().filter(|column| column.cell(event) != Cell::Absent).count();
                if has > MAX_PROPERTIES {
                    return Err(too_many(has));
                }
            }
            for (index, column) in frame.columns().iter().enumerate() {
                let cell = column.cell(event);
                if cell == Cell::Absent {
                    continue;
                }
                if !all_columns_ok {
                    columns_ok[index].clone()?;
                }
                match cell {
                    Cell::Text(text) => text_value(frame.string(column.name), frame.string(text))?,
                    Cell::NoNumber(text) => {
                        return Err(no_number(frame.string(column.name), frame.string(text)));
                    }
                    Cell::Whole(..) if frame.number(cell).is_none() => {
                        return Err(out_of_range(frame.string(column.name)));
                    }
                    _ => {}
                }
            }
            let mut counted = rule.counts;
            for read in &rule.reads {
                let Some(column) = read.column.and_then(|index| frame.columns().get(index)) else { continue };
                match (column.cell(event), read.number_for) {
                    (Cell::Absent, _) => continue,
                    (Cell::Text(_), Some(meter)) => {
                        return Err(not_for(frame.string(column.name), "text", meter));
                    }
                    (Cell::Flag(_), Some(meter)) => {
                        return Err(not_for(frame.string(column.name), "flag", meter));
                    }
                    _ => counted = true,
                }
            }
            if counted { Ok(()) } else { Err(nothing_counted(type_text)) }
        };
        (0..frame.len()).filter_map(|event| judge(event).err().map(|why| (event, why))).collect()
    }

    /// Whether a named event can be counted.
    ///
    /// # Errors
    /// Why not.
    pub fn judge_named(
        &self,
        event: &NamedEvent,
        now_us: i64,
        acceptance: &Acceptance,
    ) -> Result<(), Rejection> {
        for (what, name) in [("source", &event.source), ("id", &event.id)] {
            if name.is_empty() {
                return Err(Rejection::new(RejectCode::BadName, format!("{what} is empty")));
            }
            plain_name(what, name, MAX_ID_BYTES)?;
        }
        type_name(&event.event_type)?;
        if self.layouts_of(&event.event_type).next().is_none() {
            return Err(unknown_type(&event.event_type));
        }
        time(event.at_us.unwrap_or(now_us), now_us, acceptance)?;
        for name in [&event.agent, &event.customer, &event.subscription] {
            plain_name("name", name, MAX_NAME_BYTES)?;
        }
        plain_name("delegation", &event.delegation, MAX_DELEGATION_BYTES)?;
        if event.properties.len() > MAX_PROPERTIES {
            return Err(too_many(event.properties.len()));
        }
        if event.signature.as_ref().is_some_and(|signature| signature.len() > MAX_SIGNATURE_BYTES) {
            let detail = format!("a signature over {MAX_SIGNATURE_BYTES} bytes");
            return Err(Rejection::new(RejectCode::TooLong, detail));
        }
        for (index, (name, value)) in event.properties.iter().enumerate() {
            property_name(name)?;
            if event.properties[..index].iter().any(|(other, _)| other == name) {
                let detail = format!("property `{}` is there twice", shown(name));
                return Err(Rejection::new(RejectCode::BadName, detail));
            }
            if let Value::Text(text) = value {
                text_value(name, text)?;
            }
        }
        let find = |name: &str| event.properties.iter().position(|(key, _)| &**key == name);
        let rule = Rule::of(self.layouts_of(&event.event_type), find);
        let mut counted = rule.counts;
        for read in &rule.reads {
            let Some((name, value)) = read.column.and_then(|index| event.properties.get(index)) else {
                continue;
            };
            match (value, read.number_for) {
                (Value::Text(_), Some(meter)) => return Err(not_for(name, "text", meter)),
                (Value::Flag(_), Some(meter)) => return Err(not_for(name, "flag", meter)),
                _ => counted = true,
            }
        }
        if counted { Ok(()) } else { Err(nothing_counted(&event.event_type)) }
    }
}
