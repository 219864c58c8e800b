//! What is wrong with an expression, and what went wrong while it ran.

use std::ops::Range;

use crate::{MAX_ELEMENTS, syntax::Span};

/// Most problems kept of one expression.
const MAX_PROBLEMS: usize = 20;

/// One reason why an expression is refused when it is loaded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct CompileProblem {
    /// Where, in bytes of the source; always on character boundaries.
    pub span: Range<usize>,
    /// What is wrong.
    pub message: String,
    /// What to do, if there is more to say.
    pub help: Option<String>,
}

/// Collects problems while an expression is read and checked.
#[derive(Default)]
pub(crate) struct Findings {
    problems: Vec<CompileProblem>,
}

impl Findings {
    pub(crate) fn add(&mut self, span: Span, message: impl Into<String>) {
        self.push(span, message.into(), None);
    }

    pub(crate) fn add_help(&mut self, span: Span, message: impl Into<String>, help: impl Into<String>) {
        self.push(span, message.into(), Some(help.into()));
    }

    /// Whether no more are kept: then there is no use in working out what to say.
    pub(crate) fn is_full(&self) -> bool {
        self.problems.len() >= MAX_PROBLEMS
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.problems.is_empty()
    }

    /// The problems in the order of the source.
    pub(crate) fn into_problems(mut self) -> Vec<CompileProblem> {
        self.problems.sort_by_key(|problem| (problem.span.start, problem.span.end));
        self.problems
    }

    fn push(&mut self, span: Span, message: String, help: Option<String>) {
        if !self.is_full() {
            self.problems.push(CompileProblem { span: span.range(), message, help });
        }
    }
}

/// Why an expression has no value for a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum FaultKind {
    /// An attribute that does not apply to the call, such as `mcp.method` of a plain call.
    #[error("the call does not have this attribute")]
    Absent,
    /// A key that the map does not have.
    #[error("no such key in the map")]
    NoSuchKey,
    /// An index past the end of the list, below zero, or not a whole number.
    #[error("no such index in the list")]
    NoSuchIndex,
    /// The operator or function is not defined for values of these types.
    #[error("the operator or function does not take values of these types")]
    NoOverload,
    /// A whole number does not fit in 64 bits, or a time is out of range.
    #[error("the number or time is out of range")]
    Overflow,
    /// Division or remainder by zero.
    #[error("division by zero")]
    DivisionByZero,
    /// Text that cannot be converted to the type asked for.
    #[error("the value cannot be converted")]
    Conversion,
    /// A map literal that says one key twice.
    #[error("the map has a key twice")]
    DuplicateKey,
    /// More elements than a macro goes through.
    #[error("more than {MAX_ELEMENTS} elements")]
    TooManyElements,
    /// Values nested too deeply to compare.
    #[error("the values are nested too deeply")]
    TooDeep,
    /// The step budget is used up.
    #[error("the step budget is used up")]
    Steps,
    /// The memory budget is used up.
    #[error("the memory budget is used up")]
    Memory,
    /// The expression has a value, but not true or false.
    #[error("the value is neither true nor false")]
    NotBool,
}

impl FaultKind {
    /// Budgets end the whole evaluation: no operator absorbs them.
    pub(crate) fn is_final(self) -> bool {
        matches!(self, Self::Steps | Self::Memory)
    }
}

/// An error of evaluation: what, and where in the source. Holds no data of the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[error("{kind} (bytes {} to {} of the expression)", span.start, span.end)]
pub struct ExpressionFault {
    pub(crate) kind: FaultKind,
    pub(crate) span: Span,
}

impl ExpressionFault {
    /// What went wrong.
    #[must_use]
    pub fn kind(&self) -> FaultKind {
        self.kind
    }

    /// Where, in bytes of the source.
    #[must_use]
    pub fn span(&self) -> Range<usize> {
        self.span.range()
    }
}

/// What an expression says of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// It holds.
    True,
    /// It does not hold.
    False,
    /// It depends on an attribute that is not known yet, such as one of the body.
    Unknown,
    /// It has no value.
    Error(ExpressionFault),
}

/// Why a part of an expression has no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    Unknown,
    Fault(ExpressionFault),
}

impl Stop {
    pub(crate) fn fault(kind: FaultKind, span: Span) -> Self {
        Self::Fault(ExpressionFault { kind, span })
    }
}
