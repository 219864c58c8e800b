//! Test files, and those of folders.

use std::fs;
use std::path::{Path, PathBuf};

use crate::failure::{Failure, Outcome};

/// Name of test files in folders.
const ENDING: &str = ".test.toml";
/// Most test files of one invocation.
const MAX_FILES: usize = 10_000;
/// Folders below each other that are looked into.
const MAX_DEPTH: usize = 32;

/// The files named, and of the folders named every test file in them and below, sorted. Hidden folders and links to
/// folders are left out.
///
/// # Errors
/// When something cannot be read, a folder holds no test file, or there are too many.
pub(super) fn found(named: &[PathBuf]) -> Outcome<Vec<PathBuf>> {
    let mut out = Vec::new();
    for path in named {
        let about = fs::metadata(path).map_err(|error| unreadable(path, &error))?;
        if !about.is_dir() {
            out.push(path.clone());
            continue;
        }
        let before = out.len();
        walk(path, MAX_DEPTH, &mut out)?;
        if out.len() == before {
            return Err(Failure::new(format!("There is no test file in {}.", path.display()))
                .why(format!("no name in it or below ends with {ENDING}"))
                .next("docs/test-a-policy.md shows a test file."));
        }
        out[before..].sort();
    }
    if out.len() > MAX_FILES {
        return Err(too_many());
    }
    Ok(out)
}

fn walk(folder: &Path, depth: usize, out: &mut Vec<PathBuf>) -> Outcome {
    if depth == 0 {
        return Err(Failure::new(format!("{} is nested too deeply.", folder.display()))
            .why(format!("folders are looked into {MAX_DEPTH} levels deep"))
            .next("Name the folder further down."));
    }
    for entry in fs::read_dir(folder).map_err(|error| unreadable(folder, &error))? {
        let entry = entry.map_err(|error| unreadable(folder, &error))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let kind = entry.file_type().map_err(|error| unreadable(&entry.path(), &error))?;
        if kind.is_dir() && !name.starts_with('.') {
            walk(&entry.path(), depth - 1, out)?;
        } else if !kind.is_dir() && name.ends_with(ENDING) {
            if out.len() >= MAX_FILES {
                return Err(too_many());
            }
            out.push(entry.path());
        }
    }
    Ok(())
}

fn unreadable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(format!("{} cannot be read.", path.display()))
        .why(error)
        .next("Name a test file, or a folder with files that end with .test.toml.")
}

fn too_many() -> Failure {
    Failure::new("There are too many test files.")
        .why(format!("at most {MAX_FILES} are read at once"))
        .next("Name some of the folders.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_walked_for_test_files() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        for path in ["b/x.test.toml", "a.test.toml", "a.toml", ".git/y.test.toml", "b/c/z.test.toml"] {
            let path = root.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        let names: Vec<String> = found(&[root.to_owned()])
            .unwrap()
            .iter()
            .map(|path| path.strip_prefix(root).unwrap().to_string_lossy().into_owned())
            .collect();
        assert_eq!(names, ["a.test.toml", "b/c/z.test.toml", "b/x.test.toml"]);
        // A file that is named is taken whatever its name.
        assert_eq!(found(&[root.join("a.toml")]).unwrap().len(), 1);
    }

    #[test]
    fn a_folder_without_test_files_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        assert!(found(&[folder.path().to_owned()]).is_err());
        assert!(found(&[folder.path().join("none.test.toml")]).is_err());
    }
}
