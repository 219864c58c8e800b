//! Runs a plan over the view of a call.

mod arithmetic;
mod compare;
mod convert;
mod macros;
mod member;
mod moment;
mod text;

use bumpalo::Bump;

use crate::{
    MAX_MEMORY, MAX_SOURCE_BYTES, MAX_STEPS, MAX_VARIABLES, View,
    cost::BYTES_A_UNIT,
    plan::{Node, Step},
    problem::{FaultKind, Stop, Verdict},
    syntax::Span,
    value::{Constant, List, Map, Value},
};

pub(crate) type Outcome<T> = Result<T, Stop>;

/// What the expression says of the call.
pub(crate) fn verdict(plan: &Step, view: &dyn View) -> Verdict {
    // Takes memory only when something is written to it.
    let memory = Bump::new();
    let mut machine = Machine::new(view, &memory);
    match machine.truth(plan) {
        Ok(true) => Verdict::True,
        Ok(false) => Verdict::False,
        Err(Stop::Unknown) => Verdict::Unknown,
        Err(Stop::Fault(fault)) => Verdict::Error(fault),
    }
}

/// The value of a step that reads nothing of a call, if it has one that is not long.
pub(crate) fn fold(step: &Step) -> Option<Constant> {
    struct Nothing;
    impl View for Nothing {
        fn get<'v>(&'v self, _: crate::Slot) -> Value<'v> {
            Value::Absent
        }
    }
    let memory = Bump::new();
    let value = Machine::new(&Nothing, &memory).value(step).ok()?;
    match value {
        // Text that grew is made anew in each evaluation, so that a short source stays a small program.
        Value::Str(text) if text.len() > MAX_SOURCE_BYTES => None,
        Value::Bytes(bytes) if bytes.len() > MAX_SOURCE_BYTES => None,
        value => Constant::of(value),
    }
}

/// One evaluation: what it reads, and what it may still spend.
pub(crate) struct Machine<'e> {
    view: &'e dyn View,
    memory: &'e Bump,
    variables: [Value<'e>; MAX_VARIABLES],
    steps: usize,
    bytes: usize,
}

impl<'e> Machine<'e> {
    fn new(view: &'e dyn View, memory: &'e Bump) -> Self {
        Self { view, memory, variables: [Value::Null; MAX_VARIABLES], steps: MAX_STEPS, bytes: MAX_MEMORY }
    }

    /// Pays for so many units of work.
    fn spend(&mut self, units: usize, span: Span) -> Outcome<()> {
        self.steps = self.steps.checked_sub(units).ok_or(Stop::fault(FaultKind::Steps, span))?;
        Ok(())
    }

    /// Pays for looking at so many bytes.
    fn spend_bytes(&mut self, bytes: usize, span: Span) -> Outcome<()> {
        self.spend(bytes / BYTES_A_UNIT, span)
    }

    /// Pays for so many bytes of memory, and for writing to them.
    fn reserve(&mut self, bytes: usize, span: Span) -> Outcome<()> {
        self.bytes = self.bytes.checked_sub(bytes).ok_or(Stop::fault(FaultKind::Memory, span))?;
        self.spend_bytes(bytes, span)
    }

    fn keep_text(&mut self, parts: &[&str], span: Span) -> Outcome<Value<'e>> {
        let length = parts.iter().map(|part| part.len()).fold(0, usize::saturating_add);
        self.reserve(length, span)?;
        let mut text = bumpalo::collections::String::with_capacity_in(length, self.memory);
        parts.iter().for_each(|part| text.push_str(part));
        Ok(Value::Str(text.into_bump_str()))
    }

    /// A value that was read: there, and known.
    fn settle(value: Value<'e>, span: Span) -> Outcome<Value<'e>> {
        match value.plain() {
            Value::Absent => Err(Stop::fault(FaultKind::Absent, span)),
            Value::Unknown => Err(Stop::Unknown),
            value => Ok(value),
        }
    }

    /// The value of the whole.
    fn truth(&mut self, step: &'e Step) -> Outcome<bool> {
        if step.node.is_condition() {
            return self.condition(step);
        }
        match self.value(step)? {
            Value::Bool(value) => Ok(value),
            _ => Err(Stop::fault(FaultKind::NotBool, step.span)),
        }
    }

    /// A value that must be true or false, as a term of logic is.
    fn condition(&mut self, step: &'e Step) -> Outcome<bool> {
        let span = step.span;
        if !step.node.is_condition() {
            return match self.value(step)? {
                Value::Bool(value) => Ok(value),
                _ => Err(Stop::fault(FaultKind::NoOverload, span)),
            };
        }
        self.spend(1, span)?;
        match &step.node {
            Node::HasAttribute(slot) => match self.view.get(*slot) {
                Value::Unknown => Err(Stop::Unknown),
                value => Ok(!matches!(value, Value::Absent)),
            },
            Node::Has { of, key } => self.has(of, key, span),
            Node::Not(of) => self.condition(of).map(|value| !value),
            Node::And(steps) => self.settle_row(steps, false),
            Node::Or(steps) => self.settle_row(steps, true),
            Node::Equal { sides, negated } => {
                let [left, right] = &**sides;
                let (left, right) = (self.value(left)?, self.value(right)?);
                Ok(self.equal(left, right, span)? != *negated)
            }
            Node::Compare { sides, order } => {
                let [left, right] = &**sides;
                let (left, right) = (self.value(left)?, self.value(right)?);
                let found = self.compare(left, right, span)?;
                Ok(found.is_some_and(|found| order.holds(found)))
            }
            Node::Among { of, set } => {
                let value = self.value(of)?;
                self.among(value, set, span)
            }
            Node::In(sides) => {
                let [element, within] = &**sides;
                let (element, within) = (self.value(element)?, self.value(within)?);
                self.is_in(element, within, span)
            }
            Node::Find { sides, place } => self.find(sides, *place, span),
            Node::Matches { of, pattern } => match self.value(of)? {
                Value::Str(text) => {
                    // A pattern looks at each byte for longer than a search does.
                    self.spend_bytes(text.len().saturating_mul(16), span)?;
                    Ok(pattern.is_match(text))
                }
                _ => Err(Stop::fault(FaultKind::NoOverload, span)),
            },
            _ => Err(Stop::fault(FaultKind::NoOverload, span)),
        }
    }

    /// The value of a step. As deep as the plan, which is bounded when it is made.
    fn value(&mut self, step: &'e Step) -> Outcome<Value<'e>> {
        let span = step.span;
        match &step.node {
            Node::Constant(constant) => {
                self.spend(1, span)?;
                Ok(constant.value())
            }
            Node::Attribute(slot) => {
                self.spend(1, span)?;
                Self::settle(self.view.get(*slot), span)
            }
            node if node.is_condition() => self.condition(step).map(Value::Bool),
            _ => self.make(step),
        }
    }

    /// The value of a step that is neither a leaf nor a condition. Apart, so that those need little of the stack.
    #[inline(never)]
    fn make(&mut self, step: &'e Step) -> Outcome<Value<'e>> {
        let span = step.span;
        self.spend(1, span)?;
        match &step.node {
            Node::Variable(number) => {
                self.variables.get(*number).copied().ok_or(Stop::fault(FaultKind::NoOverload, span))
            }
            Node::Index { of, key } => self.index(of, key, span),
            Node::Negate(of) => {
                let value = self.value(of)?;
                Self::negate(value, span)
            }
            Node::Choose(steps) => {
                let [condition, yes, no] = &**steps;
                if self.condition(condition)? { self.value(yes) } else { self.value(no) }
            }
            Node::Arithmetic { sides, operator } => {
                let [left, right] = &**sides;
                let (left, right) = (self.value(left)?, self.value(right)?);
                self.arithmetic(*operator, left, right, span)
            }
            Node::List(steps) => self.list(steps, span),
            Node::Map(entries) => self.map(entries, span),
            Node::Call { function, arguments } => self.call(*function, arguments, span),
            Node::Moment { of, part, offset } => {
                let value = self.value(of)?;
                Self::moment(value, *part, *offset, span)
            }
            Node::Macro(parts) => self.run_macro(parts, span),
            _ => Err(Stop::fault(FaultKind::NoOverload, span)),
        }
    }

    /// `&&` and `||`: `decides` settles them whatever the other terms are; unknown comes before an error, because what
    /// is not known yet may still decide.
    fn settle_row(&mut self, steps: &'e [Step], decides: bool) -> Outcome<bool> {
        let mut row = Row::new(decides);
        for step in steps {
            let term = self.condition(step);
            if row.add(term)? {
                return Ok(decides);
            }
        }
        row.end()
    }

    fn list(&mut self, steps: &'e [Step], span: Span) -> Outcome<Value<'e>> {
        self.reserve(size_of::<Value<'_>>() * steps.len(), span)?;
        let mut values = bumpalo::collections::Vec::with_capacity_in(steps.len(), self.memory);
        for step in steps {
            values.push(self.value(step)?);
        }
        Ok(Value::List(List::from_values(values.into_bump_slice())))
    }

    fn map(&mut self, entries: &'e [(Step, Step)], span: Span) -> Outcome<Value<'e>> {
        self.reserve(2 * size_of::<Value<'_>>() * entries.len(), span)?;
        let mut pairs: bumpalo::collections::Vec<'_, (Value<'e>, Value<'e>)> =
            bumpalo::collections::Vec::with_capacity_in(entries.len(), self.memory);
        for (key_step, value_step) in entries {
            let key = self.value(key_step)?;
            if !matches!(key, Value::Bool(_) | Value::Int(_) | Value::Uint(_) | Value::Str(_)) {
                return Err(Stop::fault(FaultKind::NoOverload, key_step.span));
            }
            self.spend(pairs.len(), span)?;
            if pairs.iter().any(|(known, _)| known.same_key(key)) {
                return Err(Stop::fault(FaultKind::DuplicateKey, key_step.span));
            }
            pairs.push((key, self.value(value_step)?));
        }
        Ok(Value::Map(Map::from_pairs(pairs.into_bump_slice())))
    }
}

/// Terms of `&&` or `||` as they come in.
pub(crate) struct Row {
    decides: bool,
    unknown: bool,
    fault: Option<Stop>,
}

impl Row {
    pub(crate) fn new(decides: bool) -> Self {
        Self { decides, unknown: false, fault: None }
    }

    /// Whether this term settles the whole. Used-up budgets end the evaluation.
    pub(crate) fn add(&mut self, term: Outcome<bool>) -> Outcome<bool> {
        match term {
            Ok(value) => return Ok(value == self.decides),
            Err(Stop::Unknown) => self.unknown = true,
            Err(Stop::Fault(fault)) if fault.kind.is_final() => return Err(Stop::Fault(fault)),
            Err(stop) => self.fault = self.fault.or(Some(stop)),
        }
        Ok(false)
    }

    pub(crate) fn end(self) -> Outcome<bool> {
        match (self.unknown, self.fault) {
            (true, _) => Err(Stop::Unknown),
            (false, Some(stop)) => Err(stop),
            (false, None) => Ok(!self.decides),
        }
    }
}
