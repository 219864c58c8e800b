//! Tables for people: an engine a row, a size a column.

use std::collections::BTreeMap;
use std::io::Write as _;

use crate::Outcome;

/// The columns of a table: title, the name of each and what figures of it are called after the engine.
pub type Columns = (&'static str, &'static [(&'static str, &'static str)]);

/// Rules about host, method and path.
pub const RULES: Columns = (
    "rules on host, method and path",
    &[("10", "rules_10"), ("100", "rules_100"), ("1,000", "rules_1000"), ("10,000", "rules_10000")],
);
/// Rules with an expression.
pub const WHEN: Columns =
    ("rules with an expression of four terms", &[("1 rule", "when_1"), ("8 rules", "when_8")]);
/// Delegation chains.
pub const CHAIN: Columns =
    ("links of a delegation", &[("1", "chain_1"), ("2", "chain_2"), ("3", "chain_3"), ("8", "chain_8")]);

/// Prints one table: `p50 / p99` in nanoseconds, and allocations of the last column.
///
/// # Errors
/// When nothing can be printed.
pub fn print(
    (title, columns): Columns,
    suffix: &str,
    engines: &[String],
    figures: &BTreeMap<String, f64>,
) -> Outcome<()> {
    let mut out = std::io::stdout().lock();
    write!(out, "\n{title}, p50 / p99 ns\n{:<20}", "")?;
    for (name, _) in columns {
        write!(out, " {name:>23}")?;
    }
    writeln!(out, " {:>12}", "allocations")?;
    for engine in engines {
        let figure = |column: &str, what: &str| {
            figures.get(&format!("peer.{engine}.{column}{suffix}_{what}")).copied()
        };
        if !columns.iter().any(|(_, column)| figure(column, "p50_ns").is_some()) {
            continue;
        }
        write!(out, "{engine:<20}")?;
        for (_, column) in columns {
            let cell = match (figure(column, "p50_ns"), figure(column, "p99_ns")) {
                (Some(p50), Some(p99)) => format!("{} / {}", grouped(p50), grouped(p99)),
                _ => String::new(),
            };
            write!(out, " {cell:>23}")?;
        }
        let last = columns.last().and_then(|(_, column)| figure(column, "allocations")).unwrap_or(f64::NAN);
        writeln!(out, " {last:>12.1}")?;
    }
    Ok(())
}

/// A whole number, its thousands apart.
fn grouped(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::grouped;

    #[test]
    fn thousands_stand_apart() {
        assert_eq!(
            [0.0, 999.4, 1_000.0, 1_234_567.0].map(grouped),
            ["0", "999", "1,000", "1,234,567"].map(String::from)
        );
    }
}
