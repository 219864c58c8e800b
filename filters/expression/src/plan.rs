//! The lowered form of an expression: names are slots, literals are values, patterns are compiled.

use std::cmp::Ordering;

use regex::Regex;

use crate::{
    Slot, Slots,
    syntax::{Operator, Span},
    value::{Constant, Value},
};

/// One step of the plan and where it stands in the source.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    pub(crate) node: Node,
    pub(crate) span: Span,
}

#[derive(Clone, Debug)]
pub(crate) enum Node {
    Constant(Constant),
    Attribute(Slot),
    /// A variable of a macro, by how many macros stand around the one that binds it.
    Variable(usize),
    HasAttribute(Slot),
    Has {
        of: Box<Step>,
        key: Box<str>,
    },
    Index {
        of: Box<Step>,
        key: Box<Step>,
    },
    Not(Box<Step>),
    Negate(Box<Step>),
    And(Box<[Step]>),
    Or(Box<[Step]>),
    Choose(Box<[Step; 3]>),
    Equal {
        sides: Box<[Step; 2]>,
        negated: bool,
    },
    Compare {
        sides: Box<[Step; 2]>,
        order: Order,
    },
    /// `in` a list of literals.
    Among {
        of: Box<Step>,
        set: Set,
    },
    In(Box<[Step; 2]>),
    /// Whether a text has a part.
    Find {
        sides: Box<[Step; 2]>,
        place: Place,
    },
    Arithmetic {
        sides: Box<[Step; 2]>,
        operator: Arithmetic,
    },
    List(Box<[Step]>),
    Map(Box<[(Step, Step)]>),
    Matches {
        of: Box<Step>,
        pattern: Regex,
    },
    Call {
        function: Function,
        arguments: Box<[Step]>,
    },
    /// A part of the calendar, so many seconds east of UTC.
    Moment {
        of: Box<Step>,
        part: Moment,
        offset: i64,
    },
    Macro(Box<Macro>),
}

impl Node {
    /// Whether the value can only be true or false.
    pub(crate) fn is_condition(&self) -> bool {
        matches!(
            self,
            Self::HasAttribute(_)
                | Self::Has { .. }
                | Self::Not(_)
                | Self::And(_)
                | Self::Or(_)
                | Self::Equal { .. }
                | Self::Compare { .. }
                | Self::Among { .. }
                | Self::In(_)
                | Self::Find { .. }
                | Self::Matches { .. }
        )
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Macro {
    pub(crate) kind: MacroKind,
    pub(crate) over: Step,
    /// The number of the variable.
    pub(crate) variable: usize,
    /// Only for `map` with three arguments: which elements to map.
    pub(crate) filter: Option<Step>,
    pub(crate) body: Step,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MacroKind {
    All,
    Exists,
    ExistsOne,
    Filter,
    Map,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
}

impl Order {
    pub(crate) fn holds(self, found: Ordering) -> bool {
        match self {
            Self::Less => found.is_lt(),
            Self::LessEqual => found.is_le(),
            Self::Greater => found.is_gt(),
            Self::GreaterEqual => found.is_ge(),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arithmetic {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}

impl Arithmetic {
    pub(crate) fn of(operator: Operator) -> Option<Self> {
        Some(match operator {
            Operator::Add => Self::Add,
            Operator::Subtract => Self::Subtract,
            Operator::Multiply => Self::Multiply,
            Operator::Divide => Self::Divide,
            Operator::Remainder => Self::Remainder,
            _ => return None,
        })
    }
}

/// Functions that are not operators, macros, patterns or parts of the calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Function {
    Size,
    Contains,
    StartsWith,
    EndsWith,
    LowerAscii,
    UpperAscii,
    Trim,
    IndexOf,
    LastIndexOf,
    CharAt,
    Substring,
    Replace,
    Split,
    Join,
    Reverse,
    ToBool,
    ToInt,
    ToUint,
    ToDouble,
    ToText,
    ToBytes,
    ToTimestamp,
    ToDuration,
    /// Only hides the type from the checker.
    Dyn,
}

/// Where a text should have a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Anywhere,
    Start,
    End,
}

impl Place {
    pub(crate) fn of(function: Function) -> Option<Self> {
        Some(match function {
            Function::Contains => Self::Anywhere,
            Function::StartsWith => Self::Start,
            Function::EndsWith => Self::End,
            _ => return None,
        })
    }
}

/// Parts of points and lengths of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    FullYear,
    Month,
    Date,
    DayOfMonth,
    DayOfWeek,
    DayOfYear,
    Hours,
    Minutes,
    Seconds,
    Milliseconds,
}

/// Literals to search in.
#[derive(Clone, Debug)]
pub(crate) struct Set {
    /// In order, each once.
    texts: Box<[Box<str>]>,
    others: Box<[Constant]>,
}

impl Set {
    pub(crate) fn of(elements: &[Constant]) -> Self {
        let mut texts: Vec<Box<str>> = elements.iter().filter_map(Constant::text).map(Box::from).collect();
        texts.sort_unstable();
        texts.dedup();
        let others = elements.iter().filter(|element| element.text().is_none()).cloned().collect();
        Self { texts: texts.into(), others }
    }

    pub(crate) fn has_text(&self, text: &str) -> bool {
        self.texts.binary_search_by(|known| (**known).cmp(text)).is_ok()
    }

    pub(crate) fn others(&self) -> impl ExactSizeIterator<Item = Value<'_>> {
        self.others.iter().map(Constant::value)
    }
}

impl Step {
    pub(crate) fn constant(&self) -> Option<&Constant> {
        match &self.node {
            Node::Constant(constant) => Some(constant),
            _ => None,
        }
    }

    /// The steps directly below.
    pub(crate) fn below(&self) -> Vec<&Self> {
        match &self.node {
            Node::Constant(_) | Node::Attribute(_) | Node::Variable(_) | Node::HasAttribute(_) => Vec::new(),
            Node::Has { of, .. }
            | Node::Among { of, .. }
            | Node::Matches { of, .. }
            | Node::Moment { of, .. }
            | Node::Not(of)
            | Node::Negate(of) => vec![of],
            Node::Index { of, key } => vec![of, key],
            Node::And(steps) | Node::Or(steps) | Node::List(steps) | Node::Call { arguments: steps, .. } => {
                steps.iter().collect()
            }
            Node::Choose(steps) => steps.iter().collect(),
            Node::Equal { sides, .. }
            | Node::Compare { sides, .. }
            | Node::In(sides)
            | Node::Find { sides, .. }
            | Node::Arithmetic { sides, .. } => sides.iter().collect(),
            Node::Map(entries) => entries.iter().flat_map(|(key, value)| [key, value]).collect(),
            Node::Macro(parts) => {
                [Some(&parts.over), parts.filter.as_ref(), Some(&parts.body)].into_iter().flatten().collect()
            }
        }
    }

    /// The attributes that this step and those below it read.
    pub(crate) fn slots(&self) -> Slots {
        let own = match self.node {
            Node::Attribute(slot) | Node::HasAttribute(slot) => Slots::default().with(slot),
            _ => Slots::default(),
        };
        self.below().into_iter().fold(own, |slots, step| slots.union(step.slots()))
    }
}
