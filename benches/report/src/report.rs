//! A table for people, a file for machines.

use std::io::Write as _;
use std::path::PathBuf;

use serde::Serialize;

/// One figure.
#[derive(Clone, Debug, Serialize)]
pub struct Figure {
    /// Dotted name: group, what, unit.
    pub name: String,
    /// How much.
    pub value: f64,
    /// Of what.
    pub unit: &'static str,
    /// What it was measured against, or how.
    pub note: String,
}

/// The figures of one group.
#[derive(Debug)]
pub struct Report {
    group: &'static str,
    figures: Vec<Figure>,
}

impl Report {
    /// A report without figures.
    #[must_use]
    pub fn new(group: &'static str) -> Self {
        Self { group, figures: Vec::new() }
    }

    /// Adds a figure and says it.
    pub fn add(&mut self, name: &str, value: f64, unit: &'static str, note: impl Into<String>) {
        // Groups take minutes: what is known is said at once.
        eprintln!("  {name} {value:.3} {unit}");
        self.figures.push(Figure { name: name.to_owned(), value, unit, note: note.into() });
    }

    /// Prints the table and writes `target/bench/<group>.json`, below the folder it runs in.
    ///
    /// # Errors
    /// When the table cannot be printed or the file not be written.
    pub fn finish(self) -> Result<(), Box<dyn std::error::Error>> {
        let mut out = std::io::stdout().lock();
        writeln!(out, "\n{} on {}", self.group, machine())?;
        writeln!(out, "{:<34} {:>12} {:<8} note", "name", "value", "unit")?;
        for figure in &self.figures {
            writeln!(out, "{:<34} {:>12.3} {:<8} {}", figure.name, figure.value, figure.unit, figure.note)?;
        }
        self.write()
    }

    /// Writes `target/bench/<group>.json`, below the folder it runs in, and prints nothing.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write(&self) -> Result<(), Box<dyn std::error::Error>> {
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
#[must_use]
pub fn machine() -> String {
    let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or("unknown CPU");
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    format!("{}, {cores} cores, Linux {}", model.trim_start_matches([' ', '\t', ':']), kernel.trim())
}
