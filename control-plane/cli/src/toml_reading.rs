//! Reading TOML that people write, with every problem shown where it stands: line, caret, and what was meant.

use std::ops::Range;

use creto_expression::spelling::nearest;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::failure::Failure;

/// Most problems kept of one file; a last one says that there are more.
const MAX_PROBLEMS: usize = 100;
/// Most characters shown of a line.
const MAX_SHOWN: usize = 160;

/// One thing that is wrong.
#[derive(Debug)]
struct Problem {
    span: Range<usize>,
    message: String,
    help: Option<String>,
}

/// Collects what is wrong with a file while it is read.
#[derive(Debug)]
pub(crate) struct Findings<'t> {
    file: &'t str,
    text: &'t str,
    problems: Vec<Problem>,
}

impl<'t> Findings<'t> {
    /// None yet.
    pub(crate) fn of(file: &'t str, text: &'t str) -> Self {
        Self { file, text, problems: Vec::new() }
    }

    /// The file as a table; what is not TOML is a problem.
    pub(crate) fn parse(&mut self) -> Option<Spanned<DeTable<'t>>> {
        let (table, errors) = DeTable::parse_recoverable(self.text);
        for error in &errors {
            let message = format!("this is not TOML: {}", error.message());
            self.add(error.span().unwrap_or(0..0), message, None);
        }
        errors.is_empty().then_some(table)
    }

    /// Adds a problem.
    pub(crate) fn add(&mut self, span: Range<usize>, message: impl Into<String>, help: Option<&str>) {
        if self.problems.len() <= MAX_PROBLEMS {
            let help = help.map(str::to_owned);
            self.problems.push(Problem { span, message: message.into(), help });
        }
    }

    /// Whether nothing is wrong so far.
    pub(crate) fn is_empty(&self) -> bool {
        self.problems.is_empty()
    }

    /// Line of a byte, from 1.
    pub(crate) fn line(&self, at: usize) -> usize {
        self.text.get(..floor(self.text, at)).map_or(1, |before| before.matches('\n').count() + 1)
    }

    /// The problems as a failure.
    pub(crate) fn into_failure(mut self, what: String) -> Failure {
        self.problems.sort_by_key(|problem| problem.span.start);
        let mut shown = String::new();
        for problem in self.problems.iter().take(MAX_PROBLEMS) {
            self.render(problem, &mut shown);
        }
        let more = if self.problems.len() > MAX_PROBLEMS { "more than " } else { "" };
        let count = self.problems.len().min(MAX_PROBLEMS);
        let noun = if count == 1 { "problem" } else { "problems" };
        shown.push_str(&format!("{}: {more}{count} {noun}\n", self.file));
        Failure::new(what).why(&shown).next("Correct the places shown.").shown_as(shown)
    }

    fn render(&self, problem: &Problem, out: &mut String) {
        let start = floor(self.text, problem.span.start);
        let number = self.line(start);
        let begins = self.text[..start].rfind('\n').map_or(0, |at| at + 1);
        let line = self.text[begins..].lines().next().unwrap_or_default();
        let column = self.text[begins..start].chars().count();
        let skip = column.saturating_sub(MAX_SHOWN / 2);
        // One character stays one column: tabs and control characters become spaces.
        let letters = line.chars().skip(skip).take(MAX_SHOWN);
        let excerpt: String = letters.map(|c| if c.is_control() { ' ' } else { c }).collect();
        let wanted = self
            .text
            .get(problem.span.clone())
            .map_or(1, |part| part.lines().next().unwrap_or_default().chars().count());
        let room = excerpt.chars().count().saturating_sub(column - skip);
        let caret = "^".repeat(wanted.clamp(1, room.max(1)));
        let margin = " ".repeat(number.to_string().len());
        let indent = " ".repeat(column - skip);
        let Problem { message, help, .. } = problem;
        out.push_str(&format!("error: {message}\n{margin}--> {}:{number}:{}\n", self.file, column + 1));
        out.push_str(&format!("{margin} |\n{number} | {excerpt}\n{margin} | {indent}{caret}\n"));
        if let Some(help) = help {
            out.push_str(&format!("{margin} = help: {help}\n"));
        }
        out.push('\n');
    }
}

/// A table of which every key is known.
#[derive(Clone, Debug)]
pub(crate) struct Table<'d, 't> {
    table: &'d DeTable<'t>,
    /// Where it stands.
    pub(crate) span: Range<usize>,
    what: &'static str,
}

impl<'d, 't> Table<'d, 't> {
    /// Takes a table and reports its unknown keys, each with the known one that was probably meant.
    pub(crate) fn open(
        table: &'d DeTable<'t>,
        span: Range<usize>,
        what: &'static str,
        keys: &[&str],
        findings: &mut Findings<'_>,
    ) -> Self {
        for (key, _) in table {
            let written: &str = key.get_ref();
            if !keys.contains(&written) {
                let help = match nearest(written, keys) {
                    Some(word) => format!("did you mean `{word}`?"),
                    None => format!("known here: {}", keys.join(", ")),
                };
                findings.add(key.span(), format!("`{}` is no key of {what}", shorten(written)), Some(&help));
            }
        }
        Self { table, span, what }
    }

    /// The value of a key.
    pub(crate) fn get(&self, key: &str) -> Option<&'d Spanned<DeValue<'t>>> {
        self.table.get(key)
    }

    /// The value of a key that must be there.
    pub(crate) fn required(
        &self,
        key: &str,
        example: &str,
        findings: &mut Findings<'_>,
    ) -> Option<&'d Spanned<DeValue<'t>>> {
        let value = self.get(key);
        if value.is_none() {
            let help = format!("add a line `{key} = {example}`");
            findings.add(self.span.clone(), format!("{} has no `{key}`", self.what), Some(&help));
        }
        value
    }

    /// The text of a key.
    pub(crate) fn text(&self, key: &str, findings: &mut Findings<'_>) -> Option<&'d str> {
        text(self.get(key)?, key, findings)
    }

    /// The texts of a key: one or a list.
    pub(crate) fn texts(
        &self,
        key: &str,
        findings: &mut Findings<'_>,
    ) -> Option<Vec<(&'d str, Range<usize>)>> {
        let value = self.get(key)?;
        let Some(array) = value.get_ref().as_array() else {
            return Some(vec![(text(value, key, findings)?, value.span())]);
        };
        Some(array.iter().filter_map(|one| Some((text(one, key, findings)?, one.span()))).collect())
    }

    /// The whole number of a key, not below 0.
    pub(crate) fn count(&self, key: &str, findings: &mut Findings<'_>) -> Option<u64> {
        let value = self.get(key)?;
        let number = value.get_ref().as_integer();
        let count = number.and_then(|number| u64::from_str_radix(number.as_str(), number.radix()).ok());
        if count.is_none() {
            findings.add(value.span(), format!("`{key}` is a whole number from 0, without quotes"), None);
        }
        count
    }

    /// One of a few known words.
    pub(crate) fn choice<'k>(
        &self,
        key: &str,
        words: &[&'k str],
        findings: &mut Findings<'_>,
    ) -> Option<&'k str> {
        let written = self.text(key, findings)?;
        let found = words.iter().find(|word| **word == written).copied();
        if found.is_none() {
            let help = match nearest(written, words) {
                Some(word) => format!("did you mean `{word}`?"),
                None => format!("write one of {}", words.join(", ")),
            };
            let span = self.get(key).map_or_else(|| self.span.clone(), Spanned::span);
            findings.add(span, format!("`{}` is unknown in `{key}`", shorten(written)), Some(&help));
        }
        found
    }
}

/// A text.
pub(crate) fn text<'d>(
    value: &'d Spanned<DeValue<'_>>,
    key: &str,
    findings: &mut Findings<'_>,
) -> Option<&'d str> {
    let text = value.get_ref().as_str();
    if text.is_none() {
        let kind = value.get_ref().type_str();
        let help = Some("put it in double quotes");
        findings.add(value.span(), format!("`{}` is a text, not this {kind}", shorten(key)), help);
    }
    text
}

/// At most 80 characters of what people wrote, for messages.
pub(crate) fn shorten(text: &str) -> String {
    let mut shown: String = text.chars().take(80).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.chars().nth(80).is_some() {
        shown.push('…');
    }
    shown
}

/// The nearest character boundary at or before a byte.
fn floor(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_is_shown_with_its_line_a_caret_and_what_was_meant() {
        let text = "a = 1\n  hots = \"ü\"\n";
        let mut findings = Findings::of("f.toml", text);
        let root = findings.parse().unwrap();
        Table::open(root.get_ref(), 0..0, "the file", &["a", "host"], &mut findings);
        let shown = findings.into_failure("It does not hold.".to_owned()).render();
        for part in [
            "error: `hots` is no key of the file",
            " --> f.toml:2:3",
            "2 |   hots = \"ü\"",
            "  |   ^^^^",
            "= help: did you mean `host`?",
            "f.toml: 1 problem",
        ] {
            assert!(shown.contains(part), "{part} is missing in\n{shown}");
        }
    }

    #[test]
    fn what_is_not_toml_is_said() {
        let mut findings = Findings::of("f.toml", "a = \"");
        assert!(findings.parse().is_none());
        assert!(findings.into_failure(String::new()).render().contains("f.toml:1:"));
    }
}
