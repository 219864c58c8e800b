//! Expressions that were loaded.

use std::{fmt, sync::Arc};

use crate::{
    CompileProblem, MAX_COST, Schema, Slots, Verdict, View,
    check::check,
    cost,
    evaluate::verdict,
    fast::{Answer, Fast},
    parser::parse,
    plan::Step,
    problem::Findings,
    syntax::Span,
};

/// An expression that was parsed, checked and compiled. Cheap to clone.
#[derive(Clone)]
pub struct Program {
    inner: Arc<Inner>,
}

struct Inner {
    source: Box<str>,
    plan: Step,
    /// The plan again, as far as it is simple.
    fast: Option<Fast>,
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
        let fast = Fast::of(&plan);
        Ok(Self { inner: Arc::new(Inner { source: source.into(), plan, fast, slots, cost }) })
    }

    /// What it says of a call.
    #[must_use]
    #[inline]
    pub fn evaluate<V: View>(&self, view: &V) -> Verdict {
        match self.inner.fast.as_ref().map_or(Answer::Plan, |fast| fast.answer(view)) {
            Answer::True => Verdict::True,
            Answer::False => Verdict::False,
            Answer::Open | Answer::Plan => verdict(&self.inner.plan, view),
        }
    }

    /// The same, for an expression among others that are asked about the same view: terms whose value is known already
    /// are not asked again.
    #[inline]
    pub fn evaluate_among<V: View>(&self, view: &V, known: &impl KnownTerms) -> Verdict {
        let Some(Fast::All(terms)) = &self.inner.fast else { return self.evaluate(view) };
        let mut open = false;
        for (number, term) in terms.iter().enumerate() {
            let answer = known.get(number).map_or_else(
                || {
                    let answer = term.answer(view);
                    match answer {
                        Answer::True => known.set(number, true),
                        Answer::False => known.set(number, false),
                        Answer::Open | Answer::Plan => {}
                    }
                    answer
                },
                Answer::of,
            );
            match answer {
                Answer::True => {}
                Answer::False => return Verdict::False,
                Answer::Open => open = true,
                Answer::Plan => return verdict(&self.inner.plan, view),
            }
        }
        if open { verdict(&self.inner.plan, view) } else { Verdict::True }
    }

    /// The terms of a conjunction that are simple enough for [`Program::evaluate_among`], numbered from 0; each as a text
    /// that equal terms share.
    pub fn terms(&self) -> impl Iterator<Item = String> {
        let terms = match &self.inner.fast {
            Some(Fast::All(terms)) => &**terms,
            _ => &[],
        };
        terms.iter().map(|term| format!("{term:?}"))
    }

    /// Its text, as it was loaded.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.inner.source
    }

    #[cfg(test)]
    pub(crate) fn plan(&self) -> &Step {
        &self.inner.plan
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

/// Values of terms that several expressions share, for one view.
pub trait KnownTerms {
    /// The value of the term with this number ([`Program::terms`]), if it is known.
    fn get(&self, number: usize) -> Option<bool>;

    /// Remembers the value of a term; may forget it.
    fn set(&self, number: usize, value: bool);
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
