//! Fields, indexes and `has()`.

use super::{Machine, Outcome};
use crate::{
    plan::{Node, Step},
    problem::{FaultKind, Stop},
    syntax::Span,
    value::Value,
};

/// Where a path of fields and indexes begins.
fn root(step: &Step) -> &Step {
    let mut at = step;
    while let Node::Index { of, .. } = &at.node {
        at = of;
    }
    at
}

impl<'e> Machine<'e> {
    /// Whether a map has a key. An attribute that the call does not have has no fields, at any depth.
    pub(super) fn has(&mut self, of: &'e Step, key: &'e str, span: Span) -> Outcome<bool> {
        let map = match self.value(of) {
            Ok(Value::Map(map)) => map,
            Ok(_) => return Err(Stop::fault(FaultKind::NoOverload, span)),
            Err(Stop::Fault(fault)) if fault.kind == FaultKind::Absent && fault.span == root(of).span => {
                return Ok(false);
            }
            Err(stop) => return Err(stop),
        };
        self.spend(map.effort(), span)?;
        Ok(map.contains(Value::Str(key)))
    }

    pub(super) fn index(&mut self, of: &'e Step, key: &'e Step, span: Span) -> Outcome<Value<'e>> {
        let of = self.value(of)?;
        let key = self.value(key)?;
        let found = match of {
            Value::Map(map) => {
                self.spend(map.effort(), span)?;
                map.get(key).ok_or(FaultKind::NoSuchKey)
            }
            Value::List(list) => match key.number() {
                Some(number) => {
                    number.index().and_then(|index| list.get(index)).ok_or(FaultKind::NoSuchIndex)
                }
                None => Err(FaultKind::NoOverload),
            },
            _ => Err(FaultKind::NoOverload),
        };
        Self::settle(found.map_err(|kind| Stop::fault(kind, span))?, span)
    }
}
