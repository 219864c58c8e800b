//! One pass over a document, without recursion.

use std::ops::Range;

use super::{
    MAX_DEPTH, MAX_OPEN_KEYS,
    keys::{Added, Keys, ObjectKeys},
    text::{self, Text},
};
use crate::{BodyProblem, problem::shown};

/// Who is told what goes by. A place says where in the document a value stands, as far as the sink cares.
pub(crate) trait Sink {
    /// Where a value stands.
    type Place: Copy;

    /// The place of the document's one value.
    fn top(&mut self) -> Self::Place;

    /// The place of a member's value. Called once a key.
    fn member(&mut self, object: Self::Place, key: &str) -> Result<Self::Place, BodyProblem>;

    /// The place of an array's next element.
    fn element(&mut self, array: Self::Place) -> Result<Self::Place, BodyProblem>;

    /// A value that holds no others.
    fn scalar(
        &mut self,
        place: Self::Place,
        value: Scalar<'_>,
        span: Range<usize>,
    ) -> Result<(), BodyProblem>;

    /// An object or array begins; its bracket stands at `at`.
    fn open(&mut self, place: Self::Place, shape: Shape, at: usize) -> Result<(), BodyProblem>;

    /// An object or array has ended; its bracket stands at `at`.
    fn close(&mut self, _place: Self::Place, _shape: Shape, _at: usize) -> Result<(), BodyProblem> {
        Ok(())
    }

    /// A key stands twice in an object. Refused, unless the sink goes on.
    fn twice(&mut self, problem: BodyProblem) -> Result<(), BodyProblem> {
        Err(problem)
    }
}

/// A value that holds no others.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Scalar<'t> {
    Null,
    Bool(bool),
    /// As written; a number by RFC 8259.
    Number(&'t str),
    Text(Text<'t>),
}

/// A value that holds others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    Object,
    Array,
}

/// The body as text, or where it is not UTF-8.
pub(crate) fn utf8(body: &[u8]) -> Result<&str, BodyProblem> {
    std::str::from_utf8(body).map_err(|error| BodyProblem::at(error.valid_up_to(), "it is not UTF-8"))
}

struct Open<'t, P> {
    place: P,
    /// The keys of an object; an array has none.
    keys: Option<ObjectKeys<'t>>,
}

/// What may come next.
enum Next {
    Value,
    /// A value, or the end of an array that has just begun.
    FirstElement,
    /// A key; `true`: or the end of an object that has just begun.
    Key(bool),
    /// A comma or the end of what is open.
    More,
}

/// Reads the whole text and tells the sink.
pub(crate) fn walk<S: Sink>(document: &str, sink: &mut S) -> Result<(), BodyProblem> {
    let bytes = document.as_bytes();
    let mut stack: Vec<Open<'_, S::Place>> = Vec::new();
    let mut keys = Keys::default();
    let mut place = sink.top();
    let mut next = Next::Value;
    let mut at = 0;
    loop {
        at = after_blanks(bytes, at);
        let Some(&byte) = bytes.get(at) else {
            return Err(BodyProblem::at(at, "it ends too early"));
        };
        match (&next, byte) {
            (Next::FirstElement, b']') | (Next::Key(true), b'}') => {
                at = close(&mut stack, &mut keys, sink, at, byte)?;
                next = Next::More;
            }
            (Next::Value | Next::FirstElement, _) => {
                if matches!(next, Next::FirstElement)
                    && let Some(open) = stack.last()
                {
                    place = sink.element(open.place)?;
                }
                match byte {
                    b'{' | b'[' => {
                        if stack.len() >= MAX_DEPTH {
                            return Err(BodyProblem::at(at, "it is nested deeper than 128 levels"));
                        }
                        let object = byte == b'{';
                        sink.open(place, if object { Shape::Object } else { Shape::Array }, at)?;
                        stack.push(Open { place, keys: object.then(|| keys.open()) });
                        next = if object { Next::Key(true) } else { Next::FirstElement };
                        at += 1;
                        continue;
                    }
                    b'"' => {
                        let (text, end) = text::string(document, at + 1)?;
                        sink.scalar(place, Scalar::Text(text), at..end)?;
                        at = end;
                    }
                    _ => {
                        let (scalar, end) = bare(document, at)?;
                        sink.scalar(place, scalar, at..end)?;
                        at = end;
                    }
                }
                next = Next::More;
            }
            (Next::Key(_), b'"') => {
                let (key, end) = text::string(document, at + 1)?;
                let written = key;
                let key = written.read();
                let Some(open) = stack.last_mut() else {
                    return Err(BodyProblem::at(at, "a key stands outside of an object"));
                };
                let object = open.keys.get_or_insert_default();
                place = sink.member(open.place, &key)?;
                match keys.add(object, key) {
                    Added::New => {}
                    Added::Twice => {
                        let words =
                            format!("the key \"{}\" stands twice in one object", shown(&written.read()));
                        sink.twice(BodyProblem::at(at, &words))?;
                    }
                    Added::TooMany => {
                        let words = format!("its open objects have more than {MAX_OPEN_KEYS} keys");
                        return Err(BodyProblem::at(at, &words));
                    }
                }
                at = after_blanks(bytes, end);
                if bytes.get(at) != Some(&b':') {
                    return Err(BodyProblem::at(at, "a colon is missing after a key"));
                }
                at += 1;
                next = Next::Value;
                continue;
            }
            (Next::Key(_), _) => return Err(BodyProblem::at(at, "a key is expected here")),
            (Next::More, b',') => {
                at += 1;
                match stack.last() {
                    Some(Open { keys: Some(_), .. }) => next = Next::Key(false),
                    Some(open) => {
                        place = sink.element(open.place)?;
                        next = Next::Value;
                    }
                    None => return Err(BodyProblem::at(at, "something stands after its end")),
                }
                continue;
            }
            (Next::More, _) => {
                at = close(&mut stack, &mut keys, sink, at, byte)?;
            }
        }
        if stack.is_empty() {
            break;
        }
    }
    let end = after_blanks(bytes, at);
    if end == bytes.len() { Ok(()) } else { Err(BodyProblem::at(end, "something stands after its end")) }
}

/// Ends what is open; where to go on.
fn close<'t, S: Sink>(
    stack: &mut Vec<Open<'t, S::Place>>,
    keys: &mut Keys<'t>,
    sink: &mut S,
    at: usize,
    byte: u8,
) -> Result<usize, BodyProblem> {
    match (stack.pop(), byte) {
        (Some(Open { place, keys: Some(object) }), b'}') => {
            keys.close(&object);
            sink.close(place, Shape::Object, at)?;
        }
        (Some(Open { place, keys: None }), b']') => sink.close(place, Shape::Array, at)?,
        _ => return Err(BodyProblem::at(at, "a comma or a closing bracket is expected here")),
    }
    Ok(at + 1)
}

fn after_blanks(bytes: &[u8], mut at: usize) -> usize {
    while matches!(bytes.get(at), Some(b' ' | b'\t' | b'\n' | b'\r')) {
        at += 1;
    }
    at
}

/// A number, `true`, `false` or `null`, and where it ends.
fn bare(document: &str, from: usize) -> Result<(Scalar<'_>, usize), BodyProblem> {
    let bytes = document.as_bytes();
    let rest = bytes.get(from..).unwrap_or_default();
    for (word, scalar) in [
        (&b"true"[..], Scalar::Bool(true)),
        (&b"false"[..], Scalar::Bool(false)),
        (&b"null"[..], Scalar::Null),
    ] {
        if rest.starts_with(word) {
            return Ok((scalar, from + word.len()));
        }
    }
    let wrong = || BodyProblem::at(from, "a value is expected here");
    let end = number_end(rest).ok_or_else(wrong)?;
    let number = document.get(from..from + end).ok_or_else(wrong)?;
    Ok((Scalar::Number(number), from + end))
}

/// Length of the number that the bytes begin with, by RFC 8259 section 6.
fn number_end(bytes: &[u8]) -> Option<usize> {
    let digits = |from: usize| {
        let count =
            bytes.get(from..).unwrap_or_default().iter().take_while(|byte| byte.is_ascii_digit()).count();
        (count > 0).then_some(from + count)
    };
    let start = usize::from(bytes.first() == Some(&b'-'));
    let mut at = digits(start)?;
    if bytes.get(start) == Some(&b'0') {
        at = start + 1;
    }
    if bytes.get(at) == Some(&b'.') {
        at = digits(at + 1)?;
    }
    if matches!(bytes.get(at), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(at + 1), Some(b'+' | b'-')));
        at = digits(at + 1 + sign)?;
    }
    Some(at)
}
