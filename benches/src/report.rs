//! A table for people, a file for machines.

use std::io::Write as _;
use std::path::PathBuf;

use serde::Serialize;

/// One figure.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Figure {
    pub(crate) name: String,
    pub(crate) value: f64,
    pub(crate) unit: &'static str,
    /// What it was measured against, or how.
    pub(crate) note: String,
}

/// The figures of one group.
#[derive(Debug)]
pub(crate) struct Report {
    group: &'static str,
    figures: Vec<Figure>,
}

impl Report {
    pub(crate) fn new(group: &'static str) -> Self {
        Self { group, figures: Vec::new() }
    }

    pub(crate) fn add(&mut self, name: &str, value: f64, unit: &'static str, note: impl Into<String>) {
        // Groups take minutes: what is known is said at once.
        eprintln!("  {name} {value:.3} {unit}");
        self.figures.push(Figure { name: name.to_owned(), value, unit, note: note.into() });
    }

    /// Prints the table and writes `target/bench/<group>.json`.
    pub(crate) fn finish(self) -> Result<(), Box<dyn std::error::Error>> {
        let mut out = std::io::stdout().lock();
        writeln!(out, "\n{} on {}", self.group, machine())?;
        writeln!(out, "{:<34} {:>12} {:<8} note", "name", "value", "unit")?;
        for figure in &self.figures {
            writeln!(out, "{:<34} {:>12.3} {:<8} {}", figure.name, figure.value, figure.unit, figure.note)?;
        }
        let folder = PathBuf::from("target/bench");
        std::fs::create_dir_all(&folder)?;
        std::fs::write(
            folder.join(format!("{}.json", self.group)),
            serde_json::to_vec_pretty(&self.figures)?,
        )?;
        Ok(())
    }
}

/// The machine the figures are of.
fn machine() -> String {
    let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or("unknown CPU");
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    format!("{}, {cores} cores, Linux {}", model.trim_start_matches([' ', '\t', ':']), kernel.trim())
}
