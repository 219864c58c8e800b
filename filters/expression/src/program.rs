//! Expressions that were loaded.

use std::{fmt, sync::Arc};

use crate::{
    CompileProblem, MAX_COST, Schema, Slots, Verdict, View, check::check, cost, evaluate::verdict,
    parser::parse, plan::Step, problem::Findings, syntax::Span,
};

/// An expression that was parsed, checked and compiled. Cheap to clone.
#[derive(Clone)]
pub struct Program {
    inner: Arc<Inner>,
}

struct Inner {
    source: Box<str>,
    plan: Step,
    slots: Slots,
    cost: u64,
}

impl Program {
    /// Loads an expression that says true or false of a call with these attributes.
    ///
    /// # Errors
    /// Every problem, in the order of the source: what CEL does not allow, what is not supported here, unknown
    /// attributes, types that do not fit, and a worst case above [`MAX_COST`].
    pub fn compile(source: &str, schema: &Schema) -> Result<Self, Vec<CompileProblem>> {
        let mut findings = Findings::default();
        let Some(expr) = parse(source, &mut findings) else { return Err(findings.into_problems()) };
        let plan = check(&expr, schema, &mut findings);
        let cost = cost::worst(&plan);
        if findings.is_empty() && cost > MAX_COST {
            findings.add_help(
                Span::new(0, source.len()),
                format!("the worst case costs {cost} steps, and at most {MAX_COST} are allowed"),
                "take macros out of each other, or split the expression into several rules",
            );
        }
        if !findings.is_empty() {
            return Err(findings.into_problems());
        }
        let slots = plan.slots();
        Ok(Self { inner: Arc::new(Inner { source: source.into(), plan, slots, cost }) })
    }

    /// What it says of a call.
    #[must_use]
    pub fn evaluate(&self, view: &dyn View) -> Verdict {
        verdict(&self.inner.plan, view)
    }

    /// Its text, as it was loaded.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.inner.source
    }

    /// The attributes that it reads.
    #[must_use]
    pub fn slots(&self) -> Slots {
        self.inner.slots
    }

    /// The estimate of its worst case, in steps.
    #[must_use]
    pub fn cost(&self) -> u64 {
        self.inner.cost
    }
}

impl PartialEq for Program {
    /// By text: one text and one schema make one program.
    fn eq(&self, other: &Self) -> bool {
        self.inner.source == other.inner.source
    }
}

impl Eq for Program {}

impl fmt::Debug for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Program").field(&self.inner.source).finish()
    }
}
