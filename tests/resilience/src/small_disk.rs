//! A disk that is soon full.

use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

/// A tmpfs of a few MiB; unmounted when dropped. Needs root.
pub struct SmallDisk {
    folder: TempDir,
}

impl SmallDisk {
    /// Mounts one of this size, MiB.
    #[must_use]
    pub fn mount(mib: u32) -> Self {
        let folder = tempfile::Builder::new().prefix("creto-small-disk-").tempdir().unwrap();
        let size = format!("size={mib}m");
        let status = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &size, "tmpfs"])
            .arg(folder.path())
            .status()
            .unwrap();
        assert!(status.success(), "a tmpfs cannot be mounted: this test needs root");
        Self { folder }
    }

    /// Where it is mounted.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.folder.path()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: a process that is just ending may still hold a file.
        Command::new("umount").arg("-l").arg(self.folder.path()).status().ok();
    }
}
