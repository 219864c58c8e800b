//! The `when` of a rule: an expression over the attributes of a call.

use creto_expression::{CompileProblem, FaultKind, Program, Verdict};

use crate::{
    Effect,
    attributes::{Attributes, of_the_destination, schema},
    facts::Facts,
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

    /// Whether it holds. An error counts as a match for what denies and as none for what allows. An expression that
    /// comes down to an attribute of another protocol than the call's does not hold, for either.
    pub(crate) fn truth(&self, effect: Effect, facts: &Facts<'_>) -> Truth {
        self.value(facts).unwrap_or_else(|_| Truth::of(effect == Effect::Deny))
    }

    /// Why it has no value, if it has none.
    pub(crate) fn fault(&self, facts: &Facts<'_>) -> Option<FaultKind> {
        self.value(facts).err()
    }

    fn value(&self, facts: &Facts<'_>) -> Result<Truth, FaultKind> {
        let attributes = Attributes::of(facts);
        match self.program.evaluate(&attributes) {
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
