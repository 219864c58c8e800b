//! The `when` of a rule: an expression over the attributes of a call.

use creto_expression::{CompileProblem, FaultKind, Program, Slot, Slots, Value, Verdict, View};

use crate::{
    Effect,
    attributes::{Attributes, of_the_destination, schema},
    facts::Facts,
    terms::KnownTo,
    truth::Truth,
};

/// An expression that was read without a problem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct When {
    program: Program,
}

impl When {
    /// Compiles it against the closed schema.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub(crate) fn compile(source: &str) -> Result<Self, Vec<CompileProblem>> {
        let schema = schema().map_err(|error| {
            vec![CompileProblem { span: 0..source.len(), message: error.to_string(), help: None }]
        })?;
        Program::compile(source, schema).map(|program| Self { program })
    }

    /// Whether it needs nothing of the request.
    pub(crate) fn is_about_destination_only(&self) -> bool {
        let known = of_the_destination();
        self.program.slots().union(known) == known
    }

    /// Its text.
    pub(crate) fn source(&self) -> &str {
        self.program.source()
    }

    /// Whether no call meets it, as far as can be told without one: it is false whatever its attributes are, or, in an
    /// allow rule, has no value for a reason that no attribute changes.
    pub(crate) fn never_holds(&self, effect: Effect) -> bool {
        match self.program.evaluate(&NothingKnown) {
            Verdict::False => true,
            Verdict::Error(_) => effect == Effect::Allow && self.program.slots() == Slots::default(),
            Verdict::True | Verdict::Unknown => false,
        }
    }

    /// Whether it holds. An error counts as a match for what denies and as none for what allows. An expression that
    /// comes down to an attribute of another protocol than the call's does not hold, for either.
    ///
    /// `places` are those of its terms, where the set that asks remembers some.
    pub(crate) fn truth(&self, effect: Effect, facts: &Facts<'_>, places: &[u8]) -> Truth {
        self.value(facts, places).unwrap_or_else(|_| Truth::of(effect == Effect::Deny))
    }

    /// Why it has no value, if it has none.
    pub(crate) fn fault(&self, facts: &Facts<'_>) -> Option<FaultKind> {
        self.value(facts, &[]).err()
    }

    /// The terms that may be remembered.
    pub(crate) fn terms(&self) -> impl Iterator<Item = String> {
        self.program.terms()
    }

    fn value(&self, facts: &Facts<'_>, places: &[u8]) -> Result<Truth, FaultKind> {
        let attributes = Attributes::of(facts);
        let verdict = match places {
            [] => self.program.evaluate(&attributes),
            places => self.program.evaluate_among(&attributes, &KnownTo { known: &facts.terms, places }),
        };
        match verdict {
            Verdict::True => Ok(Truth::True),
            Verdict::False => Ok(Truth::False),
            Verdict::Unknown => Ok(Truth::Unknown),
            // Once the rest is known there may be no error.
            Verdict::Error(_) if attributes.met_unknown() => Ok(Truth::Unknown),
            Verdict::Error(fault) if fault.kind() == FaultKind::Absent && !attributes.left_out() => {
                Ok(Truth::False)
            }
            Verdict::Error(fault) => Err(fault.kind()),
        }
    }
}

/// A call of which nothing is known.
struct NothingKnown;

impl View for NothingKnown {
    fn get<'v>(&'v self, _: Slot) -> Value<'v> {
        Value::Unknown
    }
}
