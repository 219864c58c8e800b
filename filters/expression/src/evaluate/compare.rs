//! Equality, order and `in`.

use std::{cmp::Ordering, ops::ControlFlow};

use super::{Machine, Outcome};
use crate::{
    MAX_VALUE_DEPTH,
    plan::Set,
    problem::{FaultKind, Stop},
    syntax::Span,
    value::{List, Map, Value},
};

impl<'e> Machine<'e> {
    /// Values of different types are different; numbers are compared as numbers.
    pub(super) fn equal(&mut self, left: Value<'_>, right: Value<'_>, span: Span) -> Outcome<bool> {
        match (left, right) {
            // What most comparisons are.
            (Value::Str(a), Value::Str(b)) => {
                self.spend_bytes(a.len().min(b.len()), span)?;
                Ok(a == b)
            }
            (left, right) => self.equal_at(left, right, span, 0),
        }
    }

    fn equal_at(&mut self, left: Value<'_>, right: Value<'_>, span: Span, depth: usize) -> Outcome<bool> {
        if depth > MAX_VALUE_DEPTH {
            return Err(Stop::fault(FaultKind::TooDeep, span));
        }
        match (left, right) {
            (Value::Unknown, _) | (_, Value::Unknown) => Err(Stop::Unknown),
            (Value::Absent, _) | (_, Value::Absent) => Err(Stop::fault(FaultKind::Absent, span)),
            (Value::Null, Value::Null) => Ok(true),
            (Value::Bool(a), Value::Bool(b)) => Ok(a == b),
            (Value::Str(a), Value::Str(b)) => {
                self.spend_bytes(a.len().min(b.len()), span)?;
                Ok(a == b)
            }
            (Value::Bytes(a), Value::Bytes(b)) => {
                self.spend_bytes(a.len().min(b.len()), span)?;
                Ok(a == b)
            }
            (Value::Timestamp(a), Value::Timestamp(b)) => Ok(a == b),
            (Value::Duration(a), Value::Duration(b)) => Ok(a == b),
            (Value::List(a), Value::List(b)) => self.equal_lists(a, b, span, depth),
            (Value::Map(a), Value::Map(b)) => self.equal_maps(a, b, span, depth),
            (a, b) => Ok(a.number().zip(b.number()).is_some_and(|(a, b)| a.equals(b))),
        }
    }

    fn equal_lists(&mut self, left: List<'_>, right: List<'_>, span: Span, depth: usize) -> Outcome<bool> {
        if left.len() != right.len() {
            return Ok(false);
        }
        for (a, b) in left.iter().zip(right.iter()) {
            self.spend(1, span)?;
            if !self.equal_at(a, b, span, depth + 1)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn equal_maps(&mut self, left: Map<'_>, right: Map<'_>, span: Span, depth: usize) -> Outcome<bool> {
        if left.len() != right.len() {
            return Ok(false);
        }
        let mut equal = Ok(true);
        left.each(&mut |key, value| {
            equal = self.spend(right.effort(), span).and_then(|()| match right.get(key) {
                Some(other) => self.equal_at(value, other, span, depth + 1),
                None => Ok(false),
            });
            if equal == Ok(true) { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        equal
    }

    /// Which comes first; nothing beside a number that is none (NaN).
    pub(super) fn compare(
        &mut self,
        left: Value<'e>,
        right: Value<'e>,
        span: Span,
    ) -> Outcome<Option<Ordering>> {
        match (left, right) {
            (Value::Bool(a), Value::Bool(b)) => Ok(Some(a.cmp(&b))),
            // UTF-8 keeps the order of code points.
            (Value::Str(a), Value::Str(b)) => {
                self.spend_bytes(a.len().min(b.len()), span)?;
                Ok(Some(a.cmp(b)))
            }
            (Value::Bytes(a), Value::Bytes(b)) => {
                self.spend_bytes(a.len().min(b.len()), span)?;
                Ok(Some(a.cmp(b)))
            }
            (Value::Timestamp(a), Value::Timestamp(b)) => Ok(Some(a.cmp(&b))),
            (Value::Duration(a), Value::Duration(b)) => Ok(Some(a.cmp(&b))),
            (a, b) => match a.number().zip(b.number()) {
                Some((a, b)) => Ok(a.compare(b)),
                None => Err(Stop::fault(FaultKind::NoOverload, span)),
            },
        }
    }

    /// `in` a list of literals.
    pub(super) fn among(&mut self, value: Value<'e>, set: &'e Set, span: Span) -> Outcome<bool> {
        if let Value::Str(text) = value {
            self.spend_bytes(text.len(), span)?;
            return Ok(set.has_text(text));
        }
        self.spend(set.others().len(), span)?;
        for other in set.others() {
            if self.equal(value, other, span)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    pub(super) fn is_in(&mut self, element: Value<'e>, within: Value<'e>, span: Span) -> Outcome<bool> {
        match within {
            Value::Map(map) => {
                let is_key = matches!(element, Value::Bool(_) | Value::Str(_)) || element.number().is_some();
                if !is_key {
                    return Err(Stop::fault(FaultKind::NoOverload, span));
                }
                self.spend(map.effort(), span)?;
                Ok(map.contains(element))
            }
            Value::List(list) => {
                let mut row = super::Row::new(true);
                for other in list.iter() {
                    self.spend(1, span)?;
                    let equal = self.equal(element, other, span);
                    if row.add(equal)? {
                        return Ok(true);
                    }
                }
                row.end()
            }
            _ => Err(Stop::fault(FaultKind::NoOverload, span)),
        }
    }
}
