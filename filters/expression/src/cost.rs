//! The worst case of an expression, before it runs.
//!
//! One unit is about the work of one operator. A macro over data of the call is taken to go through as many elements as
//! it may.

use crate::{
    MAX_ELEMENTS,
    plan::{Arithmetic, Function, MacroKind, Node, Place, Step},
    value::Constant,
};

/// What a function that reads a whole text is taken to cost: 64 bytes a unit, 512 bytes of text. Longer ones are left to
/// the budget of steps.
const TEXT: u64 = 8;

/// How many bytes of text or data are one unit while an expression runs.
pub(crate) const BYTES_A_UNIT: usize = 64;

pub(crate) fn worst(step: &Step) -> u64 {
    if let Node::Macro(parts) = &step.node {
        let each =
            worst(&parts.body).saturating_add(parts.filter.as_ref().map_or(0, worst)).saturating_add(1);
        return worst(&parts.over).saturating_add(elements(&parts.over).saturating_mul(each));
    }
    let below = step.below().into_iter().map(worst).fold(0u64, u64::saturating_add);
    let own = match &step.node {
        Node::Matches { .. } => 16 * TEXT,
        Node::Arithmetic { operator: Arithmetic::Add, sides } if !sides.iter().any(is_number) => TEXT,
        Node::Call { function, .. } => match function {
            Function::Dyn => 0,
            _ => TEXT,
        },
        Node::Find { place: Place::Anywhere, .. } => TEXT,
        Node::In(_) => elements(step),
        Node::Equal { .. } | Node::Among { .. } => 2,
        _ => 1,
    };
    below.saturating_add(own)
}

fn is_number(step: &Step) -> bool {
    step.constant().is_some_and(|constant| constant.value().number().is_some())
}

/// How many elements a value can have.
fn elements(step: &Step) -> u64 {
    let most = MAX_ELEMENTS as u64;
    match &step.node {
        Node::Constant(Constant::List(elements)) => elements.len() as u64,
        Node::Constant(Constant::Map(entries)) => entries.len() as u64,
        Node::List(elements) => elements.len() as u64,
        Node::Map(entries) => entries.len() as u64,
        Node::Choose(steps) => steps.iter().skip(1).map(elements).max().unwrap_or(most),
        Node::In(sides) => sides.last().map_or(most, elements),
        Node::Macro(parts) if matches!(parts.kind, MacroKind::Filter | MacroKind::Map) => {
            elements(&parts.over)
        }
        _ => most,
    }
}
