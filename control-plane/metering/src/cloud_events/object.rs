//! A JSON object, member by member, each value as it is written: numbers keep every digit, and a name that is there
//! twice is noticed.

use std::fmt;

use serde::de::{Deserializer, Error as _, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::problem::{ItemProblem, quoted};

/// Members in the order they are written.
pub(super) type Members<'t> = Vec<(String, &'t RawValue)>;

/// The members of the object a text is; at most `most`.
pub(super) fn members(
    text: &str,
    most: usize,
    too_many: impl FnOnce() -> ItemProblem,
) -> Result<Members<'_>, ItemProblem> {
    let mut reader = serde_json::Deserializer::from_str(text);
    let mut stopped = None;
    let read = reader
        .deserialize_map(Reader { most, stopped: &mut stopped })
        .and_then(|members| reader.end().map(|()| members));
    match (read, stopped) {
        (Ok(members), _) => Ok(members),
        (Err(_), Some(Stopped::TooMany)) => Err(too_many()),
        (Err(_), Some(Stopped::Twice(name))) => Err(ItemProblem::DuplicateKey(quoted(&name))),
        (Err(error), None) => Err(ItemProblem::BadJson(error.to_string())),
    }
}

enum Stopped {
    TooMany,
    Twice(String),
}

struct Reader<'s> {
    most: usize,
    stopped: &'s mut Option<Stopped>,
}

impl<'t> Visitor<'t> for Reader<'_> {
    type Value = Members<'t>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'t>>(self, mut map: A) -> Result<Members<'t>, A::Error> {
        let mut members = Members::new();
        while let Some((name, value)) = map.next_entry::<String, &'t RawValue>()? {
            let stopped = if members.iter().any(|(known, _)| *known == name) {
                Stopped::Twice(name)
            } else if members.len() == self.most {
                Stopped::TooMany
            } else {
                members.push((name, value));
                continue;
            };
            *self.stopped = Some(stopped);
            return Err(A::Error::custom("stopped"));
        }
        Ok(members)
    }
}
