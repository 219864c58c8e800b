//! The files of the workspace, without what is built or installed into it.

use std::fs;
use std::path::{Path, PathBuf};

/// Folders that hold nothing written by hand.
const SKIPPED: [&str; 5] = ["target", ".git", ".venv", "node_modules", "__pycache__"];

/// Endings of what people write and review.
const WRITTEN: [&str; 13] =
    ["rs", "toml", "proto", "sql", "sh", "py", "js", "mjs", "md", "yml", "yaml", "json", "html"];

/// One file that somebody wrote.
#[derive(Debug)]
pub struct SourceFile {
    /// Path from the root of the workspace, with `/`.
    pub path: String,
    /// Its text.
    pub text: String,
}

impl SourceFile {
    /// Whether the path ends with `.` and this.
    #[must_use]
    pub fn is(&self, ending: &str) -> bool {
        self.path.rsplit_once('.').is_some_and(|(_, found)| found == ending)
    }

    /// The lines, numbered from 1.
    pub fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text.lines().enumerate().map(|(at, line)| (at + 1, line))
    }
}

/// Every file below `root` that somebody wrote, sorted by path.
///
/// # Panics
/// When a folder or file cannot be read: then nothing can be said about the house.
#[must_use]
pub fn source_files(root: &Path) -> Vec<SourceFile> {
    let mut found = Vec::new();
    let mut folders = vec![root.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for path in entries(&folder) {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if path.is_dir() {
                if !SKIPPED.contains(&name.as_str()) {
                    folders.push(path);
                }
            } else if is_written(&name) {
                let text = fs::read_to_string(&path)
                    .unwrap_or_else(|error| panic!("{} cannot be read as text: {error}", path.display()));
                let relative = path.strip_prefix(root).unwrap_or(&path);
                found.push(SourceFile { path: relative.to_string_lossy().into_owned(), text });
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

fn is_written(name: &str) -> bool {
    match name.rsplit_once('.') {
        Some((_, ending)) => WRITTEN.contains(&ending) && name != "package-lock.json",
        None => matches!(name, "Makefile" | "run"),
    }
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder)
        .unwrap_or_else(|error| panic!("{} cannot be listed: {error}", folder.display()))
        .map(|entry| entry.unwrap_or_else(|error| panic!("{}: {error}", folder.display())).path())
        .collect()
}
