//! What a command prints: tables for people, JSON for programs.

use std::io::{self, Write};

use serde_json::Value;

use crate::failure::{Failure, Outcome};
use crate::plain;

/// Where results go.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Output {
    json: bool,
}

impl Output {
    /// JSON, or text for people.
    #[must_use]
    pub(crate) fn new(json: bool) -> Self {
        Self { json }
    }

    /// Whether programs read it.
    #[must_use]
    pub(crate) fn is_json(self) -> bool {
        self.json
    }

    /// One value: pretty for people's eyes is `text`, programs get `value` on one line.
    ///
    /// # Errors
    /// When standard output cannot be written.
    pub(crate) fn value(self, value: &Value, text: &str) -> Outcome {
        if self.json { write(&plain::json(&value.to_string())) } else { write(text) }
    }

    /// A list: a table with a heading for people, an array for programs.
    ///
    /// # Errors
    /// When standard output cannot be written.
    pub(crate) fn list(self, heading: &[&str], rows: &[(Vec<String>, Value)]) -> Outcome {
        if self.json {
            let values: Vec<&Value> = rows.iter().map(|(_, value)| value).collect();
            return write(&plain::json(&Value::from_iter(values.into_iter().cloned()).to_string()));
        }
        let cells: Vec<&[String]> = rows.iter().map(|(cells, _)| cells.as_slice()).collect();
        write(&table(heading, &cells))
    }
}

/// Aligns rows under a heading, two spaces between the columns.
#[must_use]
pub(crate) fn table(heading: &[&str], rows: &[&[String]]) -> String {
    let mut widths: Vec<usize> = heading.iter().map(|title| title.len()).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row.iter()) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let titles: Vec<String> = heading.iter().map(|title| title.to_uppercase()).collect();
    let lines: Vec<String> = std::iter::once(titles.as_slice())
        .chain(rows.iter().copied())
        .map(|row| {
            let padded: Vec<String> =
                row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
            padded.join("  ").trim_end().to_owned()
        })
        .collect();
    lines.join("\n")
}

/// A number of bytes as people read it, in powers of 1024.
#[must_use]
pub(crate) fn bytes(count: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut unit = 0;
    let mut whole = count;
    let mut rest = 0;
    while whole >= 1024 && unit + 1 < UNITS.len() {
        rest = whole % 1024;
        whole /= 1024;
        unit += 1;
    }
    if unit == 0 || whole >= 100 {
        format!("{whole} {}", UNITS[unit])
    } else {
        format!("{whole}.{} {}", rest * 10 / 1024, UNITS[unit])
    }
}

/// A time in milliseconds since the Unix epoch, as RFC 3339 in UTC.
#[must_use]
pub(crate) fn moment(at_ms: i64) -> String {
    jiff::Timestamp::from_millisecond(at_ms).map_or_else(|_| at_ms.to_string(), |at| format!("{at:.0}"))
}

fn write(text: &str) -> Outcome {
    match writeln!(io::stdout().lock(), "{text}") {
        Ok(()) => Ok(()),
        // The reader has seen enough (`creto calls | head`).
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        Err(error) => Err(Failure::new("The result cannot be printed.").why(error)),
    }
}

/// A remark on standard error, beside the result.
pub(crate) fn remark(text: &str) {
    // Nothing is lost for the result when nobody reads the remark.
    let _ = writeln!(io::stderr().lock(), "{text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_under_their_titles() {
        let rows = [vec!["a".to_owned(), "1".to_owned()], vec!["longer".to_owned(), "2".to_owned()]];
        let rows: Vec<&[String]> = rows.iter().map(Vec::as_slice).collect();
        assert_eq!(table(&["name", "n"], &rows), "NAME    N\na       1\nlonger  2");
    }

    #[test]
    fn bytes_are_told_in_the_unit_that_fits() {
        for (count, text) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (1536, "1.5 KiB"),
            (1 << 30, "1.0 GiB"),
            (200 << 20, "200 MiB"),
        ] {
            assert_eq!(bytes(count), text);
        }
    }
}
