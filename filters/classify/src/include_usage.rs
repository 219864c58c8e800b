//! Asking OpenAI's streams for their usage.

use std::ops::Range;

use creto_call::{ModelApi, ModelCall, ModelOperation};

use crate::{
    BodyProblem,
    json::{self, Scalar, Shape, Sink},
};

/// The body with `"stream_options": {"include_usage": true}`, where a streamed chat or completion does not ask for it.
///
/// The edit is as small as can be; every other byte stays as it was sent. None when there is nothing to change: another
/// call, one that asks already, or a body that says something about it that the server will refuse. When there is an
/// edited body, the client did not ask: the chunk with the usage is to be taken out of the answer.
#[must_use]
pub fn add_include_usage(body: &[u8], call: &ModelCall) -> Option<Vec<u8>> {
    let speaks = matches!(call.api, ModelApi::OpenAi | ModelApi::AzureOpenAi);
    let streams = matches!(call.operation, ModelOperation::Chat | ModelOperation::Completions);
    if !speaks || !streams || !call.streaming {
        return None;
    }
    let mut reading = Reading::default();
    json::walk(json::utf8(body).ok()?, &mut reading).ok()?;
    let Reading { root, options, include, .. } = reading;
    let (at, text) = match (include, options) {
        (Found::Replaceable(span), _) => (span, "true".to_owned()),
        (Found::Fixed, _) | (_, Found::Fixed) => return None,
        (_, Found::Replaceable(span)) => (span, r#"{"include_usage":true}"#.to_owned()),
        (_, Found::Object { start, empty }) => {
            (after(start), format!(r#""include_usage":true{}"#, comma(empty)))
        }
        (_, Found::Nothing) => {
            let Found::Object { start, empty } = root else { return None };
            (after(start), format!(r#""stream_options":{{"include_usage":true}}{}"#, comma(empty)))
        }
    };
    let mut edited = Vec::with_capacity(body.len() + text.len());
    edited.extend_from_slice(body.get(..at.start)?);
    edited.extend_from_slice(text.as_bytes());
    edited.extend_from_slice(body.get(at.end..)?);
    Some(edited)
}

/// The empty range after a bracket.
fn after(bracket: usize) -> Range<usize> {
    bracket + 1..bracket + 1
}

fn comma(empty: bool) -> &'static str {
    if empty { "" } else { "," }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Root,
    Options,
    Include,
    Elsewhere,
}

/// What stands at a place of interest.
#[derive(Clone, Default)]
enum Found {
    #[default]
    Nothing,
    /// `null` or `false`.
    Replaceable(Range<usize>),
    /// `true`, or something of a wrong type.
    Fixed,
    Object {
        start: usize,
        empty: bool,
    },
}

#[derive(Default)]
struct Reading {
    root: Found,
    options: Found,
    include: Found,
}

impl Sink for Reading {
    type Place = Place;

    fn top(&mut self) -> Place {
        Place::Root
    }

    fn member(&mut self, object: Place, key: &str) -> Result<Place, BodyProblem> {
        let (found, place) = match object {
            Place::Root => (&mut self.root, ("stream_options", Place::Options)),
            Place::Options => (&mut self.options, ("include_usage", Place::Include)),
            _ => return Ok(Place::Elsewhere),
        };
        if let Found::Object { empty, .. } = found {
            *empty = false;
        }
        Ok(if key == place.0 { place.1 } else { Place::Elsewhere })
    }

    fn element(&mut self, _array: Place) -> Result<Place, BodyProblem> {
        Ok(Place::Elsewhere)
    }

    fn scalar(&mut self, place: Place, value: Scalar<'_>, span: Range<usize>) -> Result<(), BodyProblem> {
        let found = match (place, value) {
            (Place::Options, Scalar::Null) | (Place::Include, Scalar::Null | Scalar::Bool(false)) => {
                Found::Replaceable(span)
            }
            _ => Found::Fixed,
        };
        match place {
            Place::Options => self.options = found,
            Place::Include => self.include = found,
            Place::Root | Place::Elsewhere => {}
        }
        Ok(())
    }

    fn open(&mut self, place: Place, shape: Shape, at: usize) -> Result<(), BodyProblem> {
        let found =
            if shape == Shape::Object { Found::Object { start: at, empty: true } } else { Found::Fixed };
        match place {
            Place::Root => self.root = found,
            Place::Options => self.options = found,
            Place::Include => self.include = Found::Fixed,
            Place::Elsewhere => {}
        }
        Ok(())
    }
}
