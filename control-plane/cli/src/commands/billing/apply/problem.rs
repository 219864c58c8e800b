//! What is wrong with files, all of it, each with its place.

use crate::failure::{Failure, Outcome};

/// Most problems that are told; a last one says how many more there are.
const MAX_PROBLEMS: usize = 200;

/// Where a document stands in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// The file.
    pub(super) file: String,
    /// Its line, where the file has lines that are known.
    pub(super) line: Option<usize>,
    /// The table: `[settings]`, `[[plans]] 2`.
    pub(super) table: String,
}

impl Place {
    /// The file as a whole.
    pub(super) fn of_file(file: &str) -> Self {
        Self { file: file.to_owned(), line: None, table: String::new() }
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.file)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        if self.table.is_empty() { Ok(()) } else { write!(f, ": {}", self.table) }
    }
}

/// The problems found so far.
#[derive(Debug, Default)]
pub(super) struct Problems {
    told: Vec<String>,
    more: usize,
}

impl Problems {
    /// Adds one.
    pub(super) fn add(&mut self, place: &Place, problem: impl std::fmt::Display) {
        let text = format!("{place}: {problem}");
        if self.told.contains(&text) {
            return;
        }
        if self.told.len() < MAX_PROBLEMS { self.told.push(text) } else { self.more += 1 }
    }

    /// Goes on only when there are none.
    ///
    /// # Errors
    /// With all of them.
    pub(super) fn settle(&self) -> Outcome {
        if self.told.is_empty() {
            return Ok(());
        }
        let count = self.told.len() + self.more;
        let noun = if count == 1 { "problem" } else { "problems" };
        let mut text = self.told.join("\n");
        if self.more > 0 {
            text.push_str(&format!("\nand {} more", self.more));
        }
        let shown = format!("{text}\n\n{count} {noun}; nothing was sent");
        Err(Failure::new("The files do not hold; nothing was sent.")
            .why(&text)
            .next("Correct the places named.")
            .shown_as(shown))
    }

    #[cfg(test)]
    pub(super) fn told(&self) -> &[String] {
        &self.told
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn problems_are_told_once_with_their_place_and_are_bounded() {
        let mut problems = Problems::default();
        assert!(problems.settle().is_ok());
        let place = Place { file: "a.toml".into(), line: Some(3), table: "[[plans]] 2".into() };
        for number in 0..=MAX_PROBLEMS {
            problems.add(&place, number);
        }
        problems.add(&place, 0);
        let text = problems.settle().unwrap_err().render();
        assert!(text.starts_with("a.toml:3: [[plans]] 2: 0\n"), "{text}");
        assert!(text.ends_with("and 1 more\n\n201 problems; nothing was sent"), "{text}");
    }
}
