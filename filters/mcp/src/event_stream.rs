//! Server-sent events taken apart and put together again (WHATWG HTML, "Server-sent events").
//!
//! Lines end with LF, CR or CRLF; a blank line ends an event; a byte order mark at the start is skipped. What is not
//! rewritten goes on byte for byte.

use std::ops::Range;

use crate::answer::AnswerProblem;
use crate::tool_list::may_hold_tools;

/// Most lines of one event: what is noted of each takes more memory than a short line does.
const MAX_LINES: usize = 1 << 16;

const BOM: &[u8] = b"\xEF\xBB\xBF";

/// What may follow a CR that ends a line alone: another one, or the fields `data`, `event`, `id` and `retry`.
///
/// Some clients (mcp-go, and whatever splits at LF only) take the CR for a blank in the middle of a `data` line, and read
/// on. No JSON goes on with one of these letters, nor with the colon of a comment unless a key stands before it, so that
/// nothing that we do not see as one text is one to them.
const FIELD_STARTS: &[u8] = b"\rdeir";

/// Looks at a message; what it gives back is sent in its place.
type OnMessage<'m> = dyn FnMut(&[u8]) -> Result<Option<Vec<u8>>, AnswerProblem> + 'm;

/// The event that is being received.
#[derive(Debug, Default)]
pub(crate) struct EventStream {
    /// Bytes of the event that are not handed on yet.
    held: Vec<u8>,
    /// Where in `held` the line that is being received begins.
    line: usize,
    /// The last byte was a CR: an LF now belongs to it.
    after_cr: bool,
    /// The last byte that is no blank.
    significant: u8,
    /// The start of the stream is over: a byte order mark is text from here on.
    started: bool,
}

impl EventStream {
    pub(crate) fn push(
        &mut self,
        mut chunk: &[u8],
        limit: usize,
        message: &mut OnMessage<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), AnswerProblem> {
        while !chunk.is_empty() {
            if self.after_cr {
                self.after_cr = false;
                if chunk[0] == b'\n' {
                    chunk = &chunk[1..];
                    // The line it ends is held, or has been handed on with its CR.
                    if self.held.is_empty() {
                        out.push(b'\n');
                    } else {
                        self.held.push(b'\n');
                        self.line = self.held.len();
                    }
                    continue;
                }
                let comment = chunk[0] == b':' && self.significant != b'"';
                if !comment && !FIELD_STARTS.contains(&chunk[0]) {
                    return Err(AnswerProblem::HiddenLine);
                }
            }
            // What may be a byte order mark is taken by itself: it does not count, however the chunks are cut.
            let mark = if self.started { chunk.len() } else { BOM.len() - self.held.len() };
            let near = &chunk[..mark.min(chunk.len())];
            let end = memchr::memchr2(b'\n', b'\r', near);
            let taken = end.map_or(near.len(), |at| at + 1);
            if taken > limit.saturating_sub(self.held.len()) {
                return Err(AnswerProblem::TooLarge { limit });
            }
            self.held.extend_from_slice(&chunk[..taken]);
            if let Some(last) = chunk[..taken].trim_ascii_end().last() {
                self.significant = *last;
            }
            self.skip_mark(out);
            if let Some(at) = end {
                self.after_cr = chunk[at] == b'\r';
                self.end_line(message, out)?;
            }
            chunk = &chunk[taken..];
        }
        Ok(())
    }

    pub(crate) fn finish(
        &mut self,
        message: &mut OnMessage<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), AnswerProblem> {
        // An event without its blank line is none by the standard, but some clients take it for one.
        let held = std::mem::take(&mut self.held);
        self.line = 0;
        hand_on(&held, message, out)
    }

    fn skip_mark(&mut self, out: &mut Vec<u8>) {
        if self.started {
            return;
        }
        if self.held.starts_with(BOM) {
            out.extend_from_slice(BOM);
            self.held.drain(..BOM.len());
            self.started = true;
        } else {
            self.started = !BOM.starts_with(&self.held);
        }
    }

    /// A line is complete in `held`, its terminator included (of a CRLF at least the CR).
    fn end_line(&mut self, message: &mut OnMessage<'_>, out: &mut Vec<u8>) -> Result<(), AnswerProblem> {
        let line = &self.held[self.line..self.held.len() - 1];
        let blank = line.is_empty();
        // A comment between events is a sign of life: it goes on at once.
        let comment = self.line == 0 && line.first() == Some(&b':');
        if comment {
            out.append(&mut self.held);
        } else if blank {
            let held = std::mem::take(&mut self.held);
            hand_on(&held, message, out)?;
        }
        self.line = self.held.len();
        Ok(())
    }
}

/// One line of an event.
struct Line<'e> {
    /// All of it with its terminator.
    whole: Range<usize>,
    terminator: Range<usize>,
    name: &'e [u8],
    value: &'e [u8],
}

fn hand_on(event: &[u8], message: &mut OnMessage<'_>, out: &mut Vec<u8>) -> Result<(), AnswerProblem> {
    if may_hold_tools(event) && hides_a_line(event) {
        return Err(AnswerProblem::HiddenLine);
    }
    let lines = lines(event)?;
    let data = || lines.iter().filter(|line| line.name == b"data");
    let mut text = Vec::new();
    for (index, line) in data().enumerate() {
        if index > 0 {
            text.push(b'\n');
        }
        text.extend_from_slice(line.value);
    }
    // The last `event` field counts.
    let kind = lines.iter().rev().find(|line| line.name == b"event").map_or(&b""[..], |line| line.value);
    let rewritten = match message(&text) {
        _ if text.is_empty() => None,
        // What is not JSON is a message to nobody when the event is called otherwise: `endpoint` of HTTP+SSE. But some
        // clients (mcp-go) never look at what an event is called, and their JSON is not as strict.
        Err(AnswerProblem::Json(_)) if !matches!(kind, b"" | b"message") && !text.contains(&b'{') => None,
        looked_at => looked_at?,
    };
    let (Some(rewritten), Some(first)) = (rewritten, data().next()) else {
        out.extend_from_slice(event);
        return Ok(());
    };
    for line in &lines {
        if line.whole == first.whole {
            for part in rewritten.split(|byte| *byte == b'\n') {
                out.extend_from_slice(b"data: ");
                out.extend_from_slice(part);
                out.extend_from_slice(&event[first.terminator.clone()]);
            }
        } else if line.name != b"data" {
            out.extend_from_slice(&event[line.whole.clone()]);
        }
    }
    Ok(())
}

/// Whether a `data` field begins behind a character that ends a line for Unicode but not for events.
///
/// The Python client with `httpx-sse` before 0.4.2 split lines as `str.splitlines` does: a string in one message could
/// be a message of its own there.
fn hides_a_line(event: &[u8]) -> bool {
    let ends_line = |before: &[u8]| {
        matches!(before, [.., 0x0B | 0x0C | 0x1C..=0x1E] | [.., 0xC2, 0x85] | [.., 0xE2, 0x80, 0xA8 | 0xA9])
    };
    memchr::memmem::find_iter(event, b"data").any(|at| ends_line(&event[..at]))
}

fn lines(event: &[u8]) -> Result<Vec<Line<'_>>, AnswerProblem> {
    let mut found = Vec::new();
    let mut start = 0;
    while start < event.len() {
        let rest = &event[start..];
        let text = memchr::memchr2(b'\n', b'\r', rest).unwrap_or(rest.len());
        let terminator = match rest.get(text..) {
            Some([b'\r', b'\n', ..]) => 2,
            Some([_, ..]) => 1,
            _ => 0,
        };
        if found.len() == MAX_LINES {
            return Err(AnswerProblem::TooManyLines { limit: MAX_LINES });
        }
        let (name, value) = field(&rest[..text]);
        let end = start + text + terminator;
        found.push(Line { whole: start..end, terminator: start + text..end, name, value });
        start = end;
    }
    Ok(found)
}

fn field(line: &[u8]) -> (&[u8], &[u8]) {
    match memchr::memchr(b':', line) {
        Some(colon) => {
            let value = &line[colon + 1..];
            (&line[..colon], value.strip_prefix(b" ").unwrap_or(value))
        }
        None => (line, b""),
    }
}
