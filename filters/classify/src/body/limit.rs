//! The most tokens that an answer may have.

use std::borrow::Cow;

use crate::{BodyProblem, json::Scalar, problem::shown};

/// What the members that limit the answer say together.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Limit {
    largest: Option<u64>,
    unlimited: bool,
}

impl Limit {
    /// Adds what one member says. A negative number means no limit, as some servers have it.
    pub(crate) fn add(&mut self, value: Scalar<'_>) -> Result<(), BodyProblem> {
        let written = match value {
            Scalar::Null => return Ok(()),
            Scalar::Number(number) => Cow::Borrowed(number),
            // JSON of protocol buffers may write numbers as strings.
            Scalar::Text(text) => match text.read_up_to(32) {
                Some(text) if text.bytes().all(|byte| byte.is_ascii_digit()) && !text.is_empty() => text,
                _ => return Err(wrong("a string")),
            },
            Scalar::Bool(_) => return Err(wrong("true or false")),
        };
        match whole(&written) {
            Some(Whole::Negative) => self.unlimited = true,
            Some(Whole::Is(tokens)) => self.largest = self.largest.max(Some(tokens)),
            None => return Err(wrong(&written)),
        }
        Ok(())
    }

    /// The largest of what was said: whichever the server follows, the answer is no longer.
    pub(crate) fn tokens(self) -> Option<u64> {
        self.largest.filter(|_| !self.unlimited)
    }
}

fn wrong(written: &str) -> BodyProblem {
    BodyProblem::Unclear(format!(
        "the most tokens of the answer are given as {}, which is no whole number",
        shown(written)
    ))
}

pub(crate) enum Whole {
    Negative,
    Is(u64),
}

/// A whole number as JSON may write it: `100`, `100.0`, `1e2`. Over 64 bits: the most that 64 bits hold.
fn whole(written: &str) -> Option<Whole> {
    if written.starts_with('-') {
        let is_zero = written.bytes().skip(1).all(|byte| matches!(byte, b'0' | b'.'));
        return Some(if is_zero { Whole::Is(0) } else { Whole::Negative });
    }
    if written.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(Whole::Is(written.parse().unwrap_or(u64::MAX)));
    }
    let value: f64 = written.parse().ok()?;
    // 2^53: beyond it a float has no whole part of its own.
    (value.fract() == 0.0 && value <= 9_007_199_254_740_992.0).then_some(Whole::Is(value as u64))
}
