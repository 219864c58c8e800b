//! What is wrong with a document, shown where it stands.

use std::{fmt, ops::Range};

/// Most problems kept of one document; a last one says that there are more.
const MAX_PROBLEMS: usize = 100;
/// Most characters shown of a line.
const MAX_SHOWN: usize = 160;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// What is wrong.
    pub message: String,
    /// Where, in bytes of the document.
    pub span: Range<usize>,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// What to do, if there is more to say.
    pub help: Option<String>,
}

/// Everything that is wrong with a document, in the order in which it stands there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problems {
    file: String,
    text: String,
    problems: Vec<Problem>,
}

impl Problems {
    /// The problems, first in the document first.
    #[must_use]
    pub fn as_slice(&self) -> &[Problem] {
        &self.problems
    }

    /// Shows every problem with its line, a caret and help, as rustc does; `color` adds ANSI colours.
    #[must_use]
    pub fn render(&self, color: bool) -> String {
        let paint = Paint::error(color);
        let mut out = String::new();
        for problem in &self.problems {
            paint.headline(&mut out, "error", &problem.message);
            frame(&mut out, problem, &self.file, &self.text, &paint);
            out.push('\n');
        }
        let count = self.problems.len();
        let noun = if count == 1 { "problem" } else { "problems" };
        out.push_str(&format!("{}: {count} {noun}\n", self.file));
        out
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

impl std::error::Error for Problems {}

/// Colours of what is shown; all empty for none.
pub(crate) struct Paint {
    /// Of the word before the message, and of carets.
    strong: &'static str,
    frame: &'static str,
    bold: &'static str,
    end: &'static str,
}

impl Paint {
    const NONE: Self = Self { strong: "", frame: "", bold: "", end: "" };

    pub(crate) fn error(color: bool) -> Self {
        Self::strong(color, "\x1b[1;31m")
    }

    pub(crate) fn warning(color: bool) -> Self {
        Self::strong(color, "\x1b[1;33m")
    }

    fn strong(color: bool, strong: &'static str) -> Self {
        if color { Self { strong, frame: "\x1b[1;34m", bold: "\x1b[1m", end: "\x1b[0m" } } else { Self::NONE }
    }

    /// The line that says what is wrong.
    pub(crate) fn headline(&self, out: &mut String, word: &str, message: &str) {
        let Self { strong, bold, end, .. } = self;
        out.push_str(&format!("{strong}{word}{end}{bold}: {message}{end}\n"));
    }
}

/// Shows the line of a problem with carets under it, and what to do.
pub(crate) fn frame(out: &mut String, problem: &Problem, file: &str, text: &str, paint: &Paint) {
    let Paint { strong, frame, bold, end } = paint;
    let number = problem.line.to_string();
    let margin = " ".repeat(number.len());
    let (line, from, length) = excerpt(problem, text);
    let caret = "^".repeat(length);
    let indent = " ".repeat(from);
    let Problem { line: at_line, column, help, .. } = problem;
    out.push_str(&format!("{margin}{frame}-->{end} {file}:{at_line}:{column}\n"));
    out.push_str(&format!("{margin} {frame}|{end}\n"));
    out.push_str(&format!("{frame}{number} |{end} {line}\n"));
    out.push_str(&format!("{margin} {frame}|{end} {indent}{strong}{caret}{end}\n"));
    if let Some(help) = help {
        out.push_str(&format!("{margin} {frame}={end} {bold}help{end}: {help}\n"));
    }
}

/// The part of the line to show, where its carets begin, and how many there are; in characters.
fn excerpt(problem: &Problem, text: &str) -> (String, usize, usize) {
    let line = text.lines().nth(problem.line - 1).unwrap_or_default();
    let at = problem.column - 1;
    let skip = at.saturating_sub(MAX_SHOWN / 2);
    // One character stays one column: tabs and control characters become spaces.
    let shown: String =
        line.chars().skip(skip).take(MAX_SHOWN).map(|c| if c.is_control() { ' ' } else { c }).collect();
    let room = shown.chars().count().saturating_sub(at - skip);
    let wanted = text
        .get(problem.span.clone())
        .map_or(1, |part| part.lines().next().unwrap_or_default().chars().count());
    (shown, at - skip, wanted.clamp(1, room.max(1)))
}

/// Collects problems while a document is read.
pub(crate) struct Collector<'t> {
    text: &'t str,
    /// Where each line begins.
    lines: Vec<usize>,
    /// What is not shown: it may be a secret.
    hidden: Vec<Range<usize>>,
    problems: Vec<Problem>,
}

impl<'t> Collector<'t> {
    pub(crate) fn of(text: &'t str) -> Self {
        let lines = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Self { text, lines, hidden: Vec::new(), problems: Vec::new() }
    }

    pub(crate) fn add(&mut self, span: Range<usize>, message: impl Into<String>) {
        self.push(span, message.into(), None);
    }

    pub(crate) fn add_help(
        &mut self,
        span: Range<usize>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.push(span, message.into(), Some(help.into()));
    }

    /// Keeps a part of the document out of everything that is shown.
    pub(crate) fn hide(&mut self, span: Range<usize>) {
        self.hidden.push(span);
    }

    /// The document.
    pub(crate) fn text(&self) -> &'t str {
        self.text
    }

    /// Line of a byte, from 1.
    pub(crate) fn line(&self, at: usize) -> usize {
        self.lines.partition_point(|start| *start <= at)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.problems.is_empty()
    }

    fn push(&mut self, span: Range<usize>, message: String, help: Option<String>) {
        if self.problems.len() > MAX_PROBLEMS {
            return;
        }
        let (message, help) = if self.problems.len() == MAX_PROBLEMS {
            (
                "there are more problems, which are not shown".to_owned(),
                Some("correct those above first".to_owned()),
            )
        } else {
            (message, help)
        };
        let start = floor(self.text, span.start);
        let end = floor(self.text, span.end).max(start);
        let line = self.line(start);
        let begins = self.lines.get(line - 1).copied().unwrap_or(0);
        let column = self.text.get(begins..start).map_or(1, |before| before.chars().count() + 1);
        self.problems.push(Problem { message, span: start..end, line, column, help });
    }

    /// The problems for people, or nothing if there are none.
    pub(crate) fn into_problems(mut self, file: &str) -> Problems {
        self.problems.sort_by_key(|problem| problem.span.start);
        Problems { file: file.to_owned(), text: masked(self.text, &self.hidden), problems: self.problems }
    }
}

/// The text with stars where something is hidden, so that every byte keeps its place.
fn masked(text: &str, hidden: &[Range<usize>]) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = 0;
    let mut hidden: Vec<Range<usize>> =
        hidden.iter().map(|span| floor(text, span.start)..floor(text, span.end)).collect();
    hidden.sort_by_key(|span| span.start);
    for span in hidden {
        let start = span.start.max(rest);
        out.push_str(text.get(rest..start).unwrap_or_default());
        for letter in text.get(start..span.end).unwrap_or_default().chars() {
            let kept = matches!(letter, '"' | '\'' | '\n' | '\r');
            (0..letter.len_utf8()).for_each(|_| out.push(if kept { letter } else { '*' }));
        }
        rest = span.end.max(rest);
    }
    out.push_str(text.get(rest..).unwrap_or_default());
    out
}

/// The nearest character boundary at or before a byte.
fn floor(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}
