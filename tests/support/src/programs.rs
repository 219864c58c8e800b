//! Where the built programs are.

use std::path::PathBuf;

/// The path of one of ours: in `CRETO_BIN_DIR`, else beside the test's own target folder.
///
/// # Panics
/// When it is not built: `make test` builds all programs first.
#[must_use]
pub fn program(name: &str) -> PathBuf {
    let folder = std::env::var_os("CRETO_BIN_DIR").map(PathBuf::from).unwrap_or_else(|| {
        // <target>/<profile>/deps/<test>
        let test = std::env::current_exe().expect("the test's own path");
        let folder = test.parent().expect("its folder");
        if folder.ends_with("deps") { folder.parent().expect("the profile folder").to_owned() } else { folder.to_owned() }
    });
    let path = folder.join(name);
    assert!(path.is_file(), "{} is not built: run `cargo build --workspace --bins` first", path.display());
    path
}
