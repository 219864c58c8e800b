//! Taking tools out of a `tools/list` answer, leaving every other byte.

use std::ops::Range;

use serde_json::Value;

use crate::answer::AnswerProblem;
use crate::span;
use crate::strict_json::{self, Bounds, looks_like};
use crate::tool::ToolDefinition;

/// What became of one text.
#[derive(Debug, Default)]
pub(crate) struct Shown {
    /// The text without the refused tools; none when nothing was taken out.
    pub(crate) rewritten: Option<Vec<u8>>,
    /// Tools in it.
    pub(crate) tools: usize,
    /// Tools taken out.
    pub(crate) removed: usize,
}

/// Whether a text can hold a tool list for any reader: the letters `tool` in either case, an escape that may hide them,
/// or a NUL, as in UTF-16.
pub(crate) fn may_hold_tools(text: &[u8]) -> bool {
    memchr::memchr(0, text).is_some()
        || memchr::memchr3_iter(b't', b'T', b'\\', text).any(|at| match text[at] {
            b'\\' => text.get(at + 1) == Some(&b'u'),
            _ => text.get(at..at + 4).is_some_and(|word| word.eq_ignore_ascii_case(b"tool")),
        })
}

/// Takes the tools that `keep` refuses out of every response in `text`: a message or an array of them.
///
/// An element that is no tool definition (see [`ToolDefinition::of`]) is taken out too: nobody can have judged it.
pub(crate) fn show(
    text: &[u8],
    bounds: Bounds,
    keep: &mut dyn FnMut(&ToolDefinition<'_>) -> bool,
) -> Result<Shown, AnswerProblem> {
    let value = strict_json::parse(text, bounds)?;
    let mut cuts = Vec::new();
    let mut shown = Shown::default();
    let whole = span::document(text);
    match &value {
        Value::Array(messages) => {
            for (message, at) in messages.iter().zip(span::elements(text, whole)) {
                judge(message, text, at, keep, &mut cuts, &mut shown)?;
            }
        }
        message => judge(message, text, whole, keep, &mut cuts, &mut shown)?,
    }
    if !cuts.is_empty() {
        shown.rewritten = Some(without(text, &cuts));
    }
    Ok(shown)
}

fn judge(
    message: &Value,
    text: &[u8],
    at: Range<usize>,
    keep: &mut dyn FnMut(&ToolDefinition<'_>) -> bool,
    cuts: &mut Vec<Range<usize>>,
    shown: &mut Shown,
) -> Result<(), AnswerProblem> {
    no_look_alike(message, "result")?;
    let Some(result) = message.get("result") else { return Ok(()) };
    no_look_alike(result, "tools")?;
    let Some(Value::Array(tools)) = result.get("tools") else { return Ok(()) };
    let list = span::member(text, at, "result").and_then(|result| span::member(text, result, "tools"));
    let spans = list.map(|list| span::elements(text, list)).unwrap_or_default();
    if spans.len() != tools.len() {
        return Err(AnswerProblem::Unclear);
    }
    shown.tools += tools.len();
    let mut any_kept = false;
    for (index, tool) in tools.iter().enumerate() {
        if ToolDefinition::of(tool).is_some_and(|tool| keep(&tool)) {
            any_kept = true;
            continue;
        }
        shown.removed += 1;
        // With a kept element before it the comma before it goes too, otherwise the comma behind it.
        let start = if any_kept { spans[index - 1].end } else { spans[index].start };
        let end = match spans.get(index + 1) {
            Some(next) if !any_kept => next.start,
            _ => spans[index].end,
        };
        cuts.push(start..end);
    }
    Ok(())
}

fn no_look_alike(value: &Value, known: &'static str) -> Result<(), AnswerProblem> {
    let twin = |object: &serde_json::Map<String, Value>| object.keys().any(|key| looks_like(key, known));
    if value.as_object().is_some_and(twin) { Err(AnswerProblem::LookAlike { known }) } else { Ok(()) }
}

/// `cuts` are in order and do not overlap.
fn without(text: &[u8], cuts: &[Range<usize>]) -> Vec<u8> {
    let mut rest = Vec::with_capacity(text.len());
    let mut from = 0;
    for cut in cuts {
        rest.extend_from_slice(&text[from..cut.start]);
        from = cut.end;
    }
    rest.extend_from_slice(&text[from..]);
    rest
}
