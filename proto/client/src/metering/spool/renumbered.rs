//! Which frames of the spool were numbered anew since they were written: a small file beside the segments.
//!
//! It is on disk before a frame is sent under its new number, and so every process of the folder sends it under the same.

use std::collections::HashSet;
use std::fs::File;
use std::io::{Error, ErrorKind, Write as _};
use std::path::Path;

/// Its name, and that of the next one while it is written.
const NAME: &str = "renumbered";
const NEXT: &str = "renumbered.next";
/// Most lines it may have: epochs numbered anew while frames of them waited.
pub(super) const MAX_LINES: usize = 1_024;

/// What comes after a sequence of an epoch is numbered from 1 in another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Line {
    epoch: u64,
    after: u64,
    new: u64,
}

impl Line {
    fn read(line: &str) -> Option<Self> {
        let mut words = line.split(' ');
        let epoch = u64::from_str_radix(words.next()?, 16).ok()?;
        let after = words.next()?.parse().ok()?;
        let new = u64::from_str_radix(words.next()?, 16).ok()?;
        words.next().is_none().then_some(Self { epoch, after, new })
    }
}

/// The file.
#[derive(Debug, Default)]
pub(super) struct Renumbered(Vec<Line>);

impl Renumbered {
    /// Reads it.
    pub(super) fn read(folder: &Path) -> std::io::Result<Self> {
        let text = match std::fs::read_to_string(folder.join(NAME)) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(error),
        };
        let lines: Option<Vec<_>> = text.lines().map(Line::read).collect();
        let damaged = "the file renumbered is damaged: move the folder away, or events may count twice";
        lines.map(Self).ok_or_else(|| Error::new(ErrorKind::InvalidData, damaged))
    }

    /// Where a frame that was written as this is now.
    pub(super) fn place(&self, mut epoch: u64, mut sequence: u64) -> (u64, u64) {
        // Every line leads to an epoch that was new when it was written, so none is passed twice.
        for _ in 0..self.0.len() {
            let lines = self.0.iter().filter(|line| line.epoch == epoch && line.after < sequence);
            let Some(line) = lines.max_by_key(|line| line.after) else { break };
            (epoch, sequence) = (line.new, sequence - line.after);
        }
        (epoch, sequence)
    }

    /// Whether an epoch is named in it.
    pub(super) fn names(&self, epoch: u64) -> bool {
        self.0.iter().any(|line| line.epoch == epoch || line.new == epoch)
    }

    /// Adds a line; it is on disk when this returns.
    pub(super) fn add(&mut self, folder: &Path, epoch: u64, after: u64, new: u64) -> std::io::Result<()> {
        if self.0.len() >= MAX_LINES {
            return Err(Error::other(
                "too many epochs of the spool were numbered anew: send what is left of it",
            ));
        }
        let mut lines = self.0.clone();
        lines.push(Line { epoch, after, new });
        let mut text = String::new();
        for Line { epoch, after, new } in &lines {
            text.push_str(&format!("{epoch:016x} {after} {new:016x}\n"));
        }
        let next = folder.join(NEXT);
        let mut file = File::create(&next)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&next, folder.join(NAME))?;
        File::open(folder)?.sync_all()?;
        self.0 = lines;
        Ok(())
    }

    /// Forgets lines that no frame needs any more: `written` are the epochs of those that are left. The file is written
    /// when the next line comes.
    pub(super) fn keep(&mut self, written: &HashSet<u64>) {
        let mut needed = written.clone();
        let mut reached = 0;
        while reached != needed.len() {
            reached = needed.len();
            let news: Vec<u64> =
                self.0.iter().filter(|line| needed.contains(&line.epoch)).map(|line| line.new).collect();
            needed.extend(news);
        }
        self.0.retain(|line| needed.contains(&line.epoch));
    }
}
