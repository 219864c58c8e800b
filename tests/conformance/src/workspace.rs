//! The crates of the workspace as cargo sees them.

use std::path::{Path, PathBuf};

use cargo_metadata::{DependencyKind, MetadataCommand, TargetKind};

/// A crate of the workspace.
#[derive(Debug)]
pub struct Member {
    /// Name of the package.
    pub name: String,
    /// Folder from the root of the workspace, such as `filters/call`.
    pub folder: String,
    /// Names of the crates it depends on to build and run.
    pub dependencies: Vec<String>,
    /// Names of the crates its tests and benchmarks use besides.
    pub dev_dependencies: Vec<String>,
    /// Root file of every target but the build script: library, programs, tests, benchmarks.
    pub roots: Vec<PathBuf>,
}

impl Member {
    /// The top-level folder it lives in.
    #[must_use]
    pub fn area(&self) -> &str {
        self.folder.split('/').next().unwrap_or(&self.folder)
    }
}

/// The root of the workspace.
#[must_use]
pub fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).to_path_buf()
}

/// Every crate of the workspace.
///
/// # Panics
/// When `cargo metadata` fails: then nothing can be said about the house.
#[must_use]
pub fn members() -> Vec<Member> {
    let root = root();
    let metadata = MetadataCommand::new()
        .manifest_path(root.join("Cargo.toml"))
        .no_deps()
        .exec()
        .unwrap_or_else(|error| panic!("cargo metadata: {error}"));
    metadata
        .packages
        .iter()
        .map(|package| {
            let folder = package.manifest_path.parent().map_or("", |folder| folder.as_str());
            let of_kind = |wanted: &[DependencyKind]| {
                let chosen = package.dependencies.iter().filter(|found| wanted.contains(&found.kind));
                chosen.map(|found| found.name.clone()).collect()
            };
            Member {
                name: package.name.to_string(),
                folder: Path::new(folder)
                    .strip_prefix(&root)
                    .map_or_else(|_| folder.to_owned(), |path| path.to_string_lossy().into_owned()),
                dependencies: of_kind(&[DependencyKind::Normal, DependencyKind::Build]),
                dev_dependencies: of_kind(&[DependencyKind::Development]),
                roots: package
                    .targets
                    .iter()
                    .filter(|target| !target.kind.contains(&TargetKind::CustomBuild))
                    .map(|target| target.src_path.clone().into_std_path_buf())
                    .collect(),
            }
        })
        .collect()
}
