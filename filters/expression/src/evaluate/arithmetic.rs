//! `+ - * / %` and the sign.

use super::{Machine, Outcome};
use crate::{
    plan::Arithmetic,
    problem::{FaultKind, Stop},
    syntax::Span,
    value::{List, Value},
};

impl<'e> Machine<'e> {
    pub(super) fn negate(value: Value<'e>, span: Span) -> Outcome<Value<'e>> {
        match value {
            Value::Int(value) => {
                value.checked_neg().map(Value::Int).ok_or(Stop::fault(FaultKind::Overflow, span))
            }
            Value::Double(value) => Ok(Value::Double(-value)),
            _ => Err(Stop::fault(FaultKind::NoOverload, span)),
        }
    }

    pub(super) fn arithmetic(
        &mut self,
        operator: Arithmetic,
        left: Value<'e>,
        right: Value<'e>,
        span: Span,
    ) -> Outcome<Value<'e>> {
        use Arithmetic::{Add, Divide, Multiply, Remainder, Subtract};
        let by_zero = matches!(operator, Divide | Remainder);
        let done = match (left, right) {
            (Value::Int(_), Value::Int(0)) | (Value::Uint(_), Value::Uint(0)) if by_zero => {
                return Err(Stop::fault(FaultKind::DivisionByZero, span));
            }
            (Value::Int(a), Value::Int(b)) => match operator {
                Add => a.checked_add(b),
                Subtract => a.checked_sub(b),
                Multiply => a.checked_mul(b),
                Divide => a.checked_div(b),
                Remainder => a.checked_rem(b),
            }
            .map(Value::Int),
            (Value::Uint(a), Value::Uint(b)) => match operator {
                Add => a.checked_add(b),
                Subtract => a.checked_sub(b),
                Multiply => a.checked_mul(b),
                Divide => a.checked_div(b),
                Remainder => a.checked_rem(b),
            }
            .map(Value::Uint),
            (Value::Double(a), Value::Double(b)) if operator != Remainder => {
                Some(Value::Double(match operator {
                    Add => a + b,
                    Subtract => a - b,
                    Multiply => a * b,
                    _ => a / b,
                }))
            }
            (Value::Timestamp(a), Value::Duration(b)) if operator == Add => {
                a.checked_add(b).map(Value::Timestamp)
            }
            (Value::Duration(a), Value::Timestamp(b)) if operator == Add => {
                b.checked_add(a).map(Value::Timestamp)
            }
            (Value::Timestamp(a), Value::Duration(b)) if operator == Subtract => {
                a.checked_sub(b).map(Value::Timestamp)
            }
            (Value::Timestamp(a), Value::Timestamp(b)) if operator == Subtract => {
                a.since(b).map(Value::Duration)
            }
            (Value::Duration(a), Value::Duration(b)) if operator == Add => {
                a.checked_add(b).map(Value::Duration)
            }
            (Value::Duration(a), Value::Duration(b)) if operator == Subtract => {
                a.checked_sub(b).map(Value::Duration)
            }
            (Value::Str(a), Value::Str(b)) if operator == Add => return self.keep_text(&[a, b], span),
            (Value::Bytes(a), Value::Bytes(b)) if operator == Add => return self.join_bytes(a, b, span),
            (Value::List(a), Value::List(b)) if operator == Add => return self.join_lists(a, b, span),
            _ => return Err(Stop::fault(FaultKind::NoOverload, span)),
        };
        done.ok_or(Stop::fault(FaultKind::Overflow, span))
    }

    fn join_bytes(&mut self, left: &[u8], right: &[u8], span: Span) -> Outcome<Value<'e>> {
        let length = left.len().saturating_add(right.len());
        self.reserve(length, span)?;
        let mut bytes = bumpalo::collections::Vec::with_capacity_in(length, self.memory);
        bytes.extend_from_slice_copy(left);
        bytes.extend_from_slice_copy(right);
        Ok(Value::Bytes(bytes.into_bump_slice()))
    }

    fn join_lists(&mut self, left: List<'e>, right: List<'e>, span: Span) -> Outcome<Value<'e>> {
        let length = left.len().saturating_add(right.len());
        self.reserve(length.saturating_mul(size_of::<Value<'_>>()), span)?;
        let mut values = bumpalo::collections::Vec::with_capacity_in(length, self.memory);
        values.extend(left.iter().chain(right.iter()));
        Ok(Value::List(List::from_values(values.into_bump_slice())))
    }
}
