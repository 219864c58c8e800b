//! Functions of text and size.

use super::{Machine, Outcome};
use crate::{
    MAX_ELEMENTS,
    plan::{Function, Place, Step},
    problem::{FaultKind, Stop},
    syntax::Span,
    value::{List, Value},
};

/// Most arguments of a function, the value before the dot among them.
pub(crate) const MAX_ARGUMENTS: usize = 4;

impl<'e> Machine<'e> {
    pub(super) fn call(&mut self, function: Function, steps: &'e [Step], span: Span) -> Outcome<Value<'e>> {
        let mut values = [Value::Null; MAX_ARGUMENTS];
        for (value, step) in values.iter_mut().zip(steps) {
            *value = self.value(step)?;
        }
        let no_overload = Stop::fault(FaultKind::NoOverload, span);
        let arguments = values.get(..steps.len()).ok_or(no_overload)?;
        match (function, arguments) {
            (Function::Dyn, [value]) => Ok(*value),
            (Function::Size, [value]) => self.size(*value, span),
            (Function::Join, [Value::List(list)]) => self.join(*list, "", span),
            (Function::Join, [Value::List(list), Value::Str(between)]) => self.join(*list, between, span),
            (
                Function::ToBool
                | Function::ToInt
                | Function::ToUint
                | Function::ToDouble
                | Function::ToText
                | Function::ToBytes
                | Function::ToTimestamp
                | Function::ToDuration,
                [value],
            ) => self.convert(function, *value, span),
            (function, [Value::Str(text), rest @ ..]) => self.text(function, text, rest, span),
            _ => Err(no_overload),
        }
    }

    fn size(&mut self, value: Value<'e>, span: Span) -> Outcome<Value<'e>> {
        let size = match value {
            Value::Str(text) => {
                self.spend_bytes(text.len(), span)?;
                text.chars().count()
            }
            Value::Bytes(bytes) => bytes.len(),
            Value::List(list) => list.len(),
            Value::Map(map) => map.len(),
            _ => return Err(Stop::fault(FaultKind::NoOverload, span)),
        };
        i64::try_from(size).map(Value::Int).map_err(|_| Stop::fault(FaultKind::Overflow, span))
    }

    /// Whether a text has a part.
    pub(super) fn find(&mut self, sides: &'e [Step; 2], place: Place, span: Span) -> Outcome<bool> {
        let [text, part] = sides;
        let (Value::Str(text), Value::Str(part)) = (self.value(text)?, self.value(part)?) else {
            return Err(Stop::fault(FaultKind::NoOverload, span));
        };
        match place {
            Place::Start => Ok(text.starts_with(part)),
            Place::End => Ok(text.ends_with(part)),
            Place::Anywhere => {
                self.spend_bytes(text.len().saturating_add(part.len()), span)?;
                Ok(text.contains(part))
            }
        }
    }

    /// Functions whose first argument is text.
    fn text(
        &mut self,
        function: Function,
        text: &'e str,
        rest: &[Value<'e>],
        span: Span,
    ) -> Outcome<Value<'e>> {
        self.spend_bytes(text.len(), span)?;
        match (function, rest) {
            (Function::LowerAscii, []) => {
                self.recase(text, str::make_ascii_lowercase, u8::is_ascii_uppercase, span)
            }
            (Function::UpperAscii, []) => {
                self.recase(text, str::make_ascii_uppercase, u8::is_ascii_lowercase, span)
            }
            (Function::Trim, []) => Ok(Value::Str(text.trim())),
            (Function::IndexOf, [Value::Str(part)]) => Ok(index_of(text, part, 0)),
            (Function::IndexOf, [Value::Str(part), Value::Int(from)]) => {
                let from = usize::try_from(*from).ok().filter(|from| *from <= text.chars().count());
                let from = from.ok_or(Stop::fault(FaultKind::NoSuchIndex, span))?;
                Ok(index_of(text, part, from))
            }
            (Function::LastIndexOf, [Value::Str(part)]) => Ok(last_index_of(text, part)),
            (Function::LastIndexOf, [Value::Str(part), Value::Int(from)]) => {
                let start = usize::try_from(*from).ok().and_then(|from| slice(text, from, None));
                let start = start.ok_or(Stop::fault(FaultKind::NoSuchIndex, span))?;
                // A match may begin at the last, and end behind it.
                let mut end = (text.len() - start.len()).saturating_add(part.len()).min(text.len());
                while !text.is_char_boundary(end) {
                    end -= 1;
                }
                Ok(last_index_of(text.get(..end).unwrap_or_default(), part))
            }
            (Function::Reverse, []) => {
                self.reserve(text.len(), span)?;
                let mut out = bumpalo::collections::String::with_capacity_in(text.len(), self.memory);
                out.extend(text.chars().rev());
                Ok(Value::Str(out.into_bump_str()))
            }
            (Function::CharAt, [Value::Int(index)]) => {
                let found = usize::try_from(*index).ok().and_then(|index| slice(text, index, None));
                let found = found.ok_or(Stop::fault(FaultKind::NoSuchIndex, span))?;
                let end = found.chars().next().map_or(0, char::len_utf8);
                Ok(Value::Str(found.get(..end).unwrap_or_default()))
            }
            (Function::Substring, [Value::Int(from), to @ ..]) => {
                let to = match to {
                    [] => None,
                    [Value::Int(to)] => Some(usize::try_from(*to).unwrap_or(usize::MAX)),
                    _ => return Err(Stop::fault(FaultKind::NoOverload, span)),
                };
                let found = usize::try_from(*from).ok().and_then(|from| slice(text, from, to));
                found.map(Value::Str).ok_or(Stop::fault(FaultKind::NoSuchIndex, span))
            }
            (Function::Replace, [Value::Str(old), Value::Str(new), limit @ ..]) => {
                let limit = match limit {
                    [] => usize::MAX,
                    [Value::Int(limit)] => usize::try_from(*limit).unwrap_or(usize::MAX),
                    _ => return Err(Stop::fault(FaultKind::NoOverload, span)),
                };
                self.replace(text, old, new, limit, span)
            }
            (Function::Split, [Value::Str(between), limit @ ..]) => {
                let limit = match limit {
                    [] => usize::MAX,
                    [Value::Int(limit)] => usize::try_from(*limit).unwrap_or(usize::MAX),
                    _ => return Err(Stop::fault(FaultKind::NoOverload, span)),
                };
                self.split(text, between, limit, span)
            }
            _ => Err(Stop::fault(FaultKind::NoOverload, span)),
        }
    }

    /// The text itself when no letter changes.
    fn recase(
        &mut self,
        text: &'e str,
        change: fn(&mut str),
        changes: fn(&u8) -> bool,
        span: Span,
    ) -> Outcome<Value<'e>> {
        if !text.bytes().any(|b| changes(&b)) {
            return Ok(Value::Str(text));
        }
        self.reserve(text.len(), span)?;
        let copy = self.memory.alloc_str(text);
        change(copy);
        Ok(Value::Str(copy))
    }

    fn replace(&mut self, text: &str, old: &str, new: &str, limit: usize, span: Span) -> Outcome<Value<'e>> {
        let count = text.matches(old).take(limit).count();
        let length = text.len().saturating_add(count.saturating_mul(new.len()));
        self.reserve(length, span)?;
        let mut out = bumpalo::collections::String::with_capacity_in(length, self.memory);
        let mut rest = 0;
        for (at, found) in text.match_indices(old).take(count) {
            out.push_str(text.get(rest..at).unwrap_or_default());
            out.push_str(new);
            rest = at + found.len();
        }
        out.push_str(text.get(rest..).unwrap_or_default());
        Ok(Value::Str(out.into_bump_str()))
    }

    /// Parts between separators, or single characters when the separator is empty.
    fn split(&mut self, text: &'e str, between: &str, limit: usize, span: Span) -> Outcome<Value<'e>> {
        let mut parts = bumpalo::collections::Vec::new_in(self.memory);
        let mut rest = (limit > 0).then_some(text);
        while let Some(current) = rest {
            if parts.len() == MAX_ELEMENTS {
                return Err(Stop::fault(FaultKind::TooManyElements, span));
            }
            // Growing a list copies it: twice its size in all.
            self.reserve(2 * size_of::<Value<'_>>(), span)?;
            let cut = if parts.len() + 1 >= limit {
                None
            } else if between.is_empty() {
                let first = current.chars().next().map_or(0, char::len_utf8);
                current.split_at_checked(first).filter(|(_, after)| !after.is_empty())
            } else {
                current.split_once(between)
            };
            let part = cut.map_or(current, |(part, _)| part);
            rest = cut.map(|(_, after)| after);
            if !(between.is_empty() && part.is_empty()) {
                parts.push(Value::Str(part));
            }
        }
        Ok(Value::List(List::from_values(parts.into_bump_slice())))
    }

    fn join(&mut self, list: List<'e>, between: &str, span: Span) -> Outcome<Value<'e>> {
        let mut length = 0usize;
        for element in list.iter() {
            self.spend(1, span)?;
            let Value::Str(text) = element else { return Err(Stop::fault(FaultKind::NoOverload, span)) };
            length = length.saturating_add(text.len()).saturating_add(between.len());
        }
        self.reserve(length, span)?;
        let mut out = bumpalo::collections::String::with_capacity_in(length, self.memory);
        for (index, element) in list.iter().enumerate() {
            let Value::Str(text) = element else { continue };
            if index > 0 {
                out.push_str(between);
            }
            out.push_str(text);
        }
        Ok(Value::Str(out.into_bump_str()))
    }
}

fn count<'v>(text: &str) -> Value<'v> {
    Value::Int(i64::try_from(text.chars().count()).unwrap_or(i64::MAX))
}

/// Where a part begins for the last time, in characters; -1 if nowhere.
fn last_index_of<'v>(text: &str, part: &str) -> Value<'v> {
    text.rfind(part).and_then(|at| text.get(..at)).map_or(Value::Int(-1), count)
}

/// Where a part begins, in characters, at or after so many of them; -1 if nowhere.
fn index_of<'v>(text: &str, part: &str, from: usize) -> Value<'v> {
    let found = slice(text, from, None).and_then(|rest| {
        let skipped = text.len() - rest.len();
        rest.find(part).and_then(|at| text.get(..skipped + at))
    });
    found.map_or(Value::Int(-1), count)
}

/// From one character up to another, or to the end; nothing when that is outside the text or backwards.
fn slice(text: &str, from: usize, to: Option<usize>) -> Option<&str> {
    let place = |index: usize| match text.char_indices().nth(index) {
        Some((at, _)) => Some(at),
        None => (index == text.chars().count()).then_some(text.len()),
    };
    let start = place(from)?;
    let end = match to {
        Some(to) if to >= from => place(to)?,
        Some(_) => return None,
        None => text.len(),
    };
    text.get(start..end)
}
