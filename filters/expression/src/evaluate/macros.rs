//! `all`, `exists`, `exists_one`, `filter` and `map`.

use std::ops::ControlFlow;

use super::{Machine, Outcome, Row};
use crate::{
    MAX_ELEMENTS,
    plan::{Macro, MacroKind},
    problem::{FaultKind, Stop},
    syntax::Span,
    value::{List, Value},
};

impl<'e> Machine<'e> {
    pub(super) fn run_macro(&mut self, parts: &'e Macro, span: Span) -> Outcome<Value<'e>> {
        let over = self.value(&parts.over)?;
        let elements = self.elements(over, parts.over.span)?;
        match parts.kind {
            MacroKind::All => self.quantify(parts, elements, false).map(Value::Bool),
            MacroKind::Exists => self.quantify(parts, elements, true).map(Value::Bool),
            MacroKind::ExistsOne => {
                let mut count = 0usize;
                for element in elements.iter() {
                    self.bind(parts, element)?;
                    count += usize::from(self.condition(&parts.body)?);
                }
                Ok(Value::Bool(count == 1))
            }
            MacroKind::Filter | MacroKind::Map => self.collect(parts, elements, span),
        }
    }

    /// The elements of a list or the keys of a map, if they are not too many.
    fn elements(&mut self, over: Value<'e>, span: Span) -> Outcome<List<'e>> {
        let count = match over {
            Value::List(list) => list.len(),
            Value::Map(map) => map.len(),
            _ => return Err(Stop::fault(FaultKind::NoOverload, span)),
        };
        if count > MAX_ELEMENTS {
            return Err(Stop::fault(FaultKind::TooManyElements, span));
        }
        let map = match over {
            Value::Map(map) => map,
            Value::List(list) => return Ok(list),
            _ => return Err(Stop::fault(FaultKind::NoOverload, span)),
        };
        self.reserve(count * size_of::<Value<'_>>(), span)?;
        let mut keys = bumpalo::collections::Vec::with_capacity_in(count, self.memory);
        map.each(&mut |key, _| {
            // A map that shows more keys than it said is cut off.
            if keys.len() == count {
                return ControlFlow::Break(());
            }
            keys.push(key);
            ControlFlow::Continue(())
        });
        Ok(List::from_values(keys.into_bump_slice()))
    }

    fn bind(&mut self, parts: &'e Macro, element: Value<'e>) -> Outcome<()> {
        self.spend(1, parts.over.span)?;
        let element = Self::settle(element, parts.over.span)?;
        match self.variables.get_mut(parts.variable) {
            Some(variable) => *variable = element,
            None => return Err(Stop::fault(FaultKind::NoOverload, parts.over.span)),
        }
        Ok(())
    }

    /// One `&&` or `||` over all elements.
    fn quantify(&mut self, parts: &'e Macro, elements: List<'e>, decides: bool) -> Outcome<bool> {
        let mut row = Row::new(decides);
        for element in elements.iter() {
            let term = self.bind(parts, element).and_then(|()| self.condition(&parts.body));
            if row.add(term)? {
                return Ok(decides);
            }
        }
        row.end()
    }

    fn collect(&mut self, parts: &'e Macro, elements: List<'e>, span: Span) -> Outcome<Value<'e>> {
        self.reserve(elements.len() * size_of::<Value<'_>>(), span)?;
        let mut values = bumpalo::collections::Vec::with_capacity_in(elements.len(), self.memory);
        for element in elements.iter() {
            self.bind(parts, element)?;
            if parts.kind == MacroKind::Filter {
                if self.condition(&parts.body)? {
                    values.push(element);
                }
                continue;
            }
            let wanted = match &parts.filter {
                Some(filter) => self.condition(filter)?,
                None => true,
            };
            if wanted {
                values.push(self.value(&parts.body)?);
            }
        }
        Ok(Value::List(List::from_values(values.into_bump_slice())))
    }
}
