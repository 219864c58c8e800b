//! A real PostgreSQL on a free loopback port, spoken to through its own `psql`, in a folder that goes with it.
//!
//! It is a calculator here, not a store: nothing has to outlive it, so it syncs nothing.

use std::io::Write;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, geteuid, kill_process};
use tempfile::TempDir;

use super::Failed;

const MISSING: &str = "PostgreSQL 15 or later is missing: run deploy/setup.sh test";
/// Where packages put the programs: not on the search path. The newest first.
const FOLDERS: [&str; 3] =
    ["/usr/lib/postgresql/17/bin", "/usr/lib/postgresql/16/bin", "/usr/lib/postgresql/15/bin"];
/// How often, and how long apart, to look whether it answers.
const LOOKS: usize = 1_500;
const PAUSE: Duration = Duration::from_millis(20);
const SETTINGS: [&str; 14] = [
    "listen_addresses=127.0.0.1",
    "unix_socket_directories=",
    "fsync=off",
    "full_page_writes=off",
    "synchronous_commit=off",
    "wal_level=minimal",
    "max_wal_senders=0",
    "max_connections=40",
    "autovacuum=off",
    "shared_buffers=512MB",
    "work_mem=512MB",
    "max_parallel_workers_per_gather=2",
    "jit=off",
    "checkpoint_timeout=1h",
];

pub(super) struct Postgres {
    folder: TempDir,
    programs: PathBuf,
    /// User and group it runs as, when we are root: it refuses to run as root.
    owner: Option<(u32, u32)>,
    port: u16,
    child: Option<Child>,
}

impl Postgres {
    /// A new, empty one that answers.
    pub(super) fn start() -> Result<Self, Failed> {
        let folder = TempDir::with_prefix("creto-month-")?;
        let owner = unprivileged()?;
        if let Some((user, group)) = owner {
            chown(folder.path(), Some(user), Some(group))?;
        }
        let programs = FOLDERS.iter().map(Path::new).find(|folder| folder.join("initdb").is_file());
        let programs = programs.ok_or(MISSING)?.to_owned();
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let mut server = Self { folder, programs, owner, port, child: None };
        let made = server
            .program("initdb")
            .args(["--no-sync", "--auth=trust", "--username=creto", "--encoding=UTF8", "--locale=C.UTF-8"])
            .arg("-D")
            .arg(server.data())
            .output()?;
        if !made.status.success() {
            return Err(format!("initdb: {}", String::from_utf8_lossy(&made.stderr)).into());
        }
        let log = std::fs::File::create(server.folder.path().join("server.log"))?;
        let mut command = server.program("postgres");
        command.arg("-D").arg(server.data()).args(["-p", &port.to_string()]);
        command.args(SETTINGS.iter().flat_map(|setting| ["-c", setting]));
        server.child = Some(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn()?);
        for _ in 0..LOOKS {
            if server.run("SELECT 1;").is_ok() {
                return Ok(server);
            }
            #[allow(clippy::disallowed_methods, reason = "on a thread of its own")]
            std::thread::sleep(PAUSE);
        }
        let log = std::fs::read_to_string(server.folder.path().join("server.log")).unwrap_or_default();
        Err(format!("PostgreSQL does not answer on port {port}:\n{log}").into())
    }

    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Runs a script up to its first error; what it gives, a row a line.
    pub(super) fn run(&self, script: &str) -> Result<String, Failed> {
        let mut child = self.psql("--file=-").stdout(Stdio::piped()).spawn()?;
        if let Some(mut stdin) = child.stdin.take() {
            // A script that failed is not read to its end; its status says why.
            let _ = stdin.write_all(script.as_bytes());
        }
        let ended = child.wait_with_output()?;
        if ended.status.success() {
            Ok(String::from_utf8(ended.stdout)?)
        } else {
            Err(format!("SQL: {}", String::from_utf8_lossy(&ended.stderr)).into())
        }
    }

    /// Begins to copy rows into a table.
    pub(super) fn copy_in(&self, table: &str) -> Result<CopyIn, Failed> {
        let mut child =
            self.psql(&format!("--command=COPY {table} FROM STDIN")).stdout(Stdio::null()).spawn()?;
        let stdin = child.stdin.take();
        Ok(CopyIn { child, stdin })
    }

    fn psql(&self, what: &str) -> Command {
        let mut command = Command::new(self.programs.join("psql"));
        command.args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1"]);
        command.args(["--host=127.0.0.1", "--username=creto", "--dbname=postgres"]);
        command.arg(format!("--port={}", self.port)).arg(what);
        command.stdin(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn program(&self, name: &str) -> Command {
        let mut command = Command::new(self.programs.join(name));
        command.current_dir(self.folder.path());
        if let Some((user, group)) = self.owner {
            command.uid(user).gid(group);
        }
        command
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            // At once, its own processes too.
            let _ = kill_process(Pid::from_child(&child), Signal::QUIT);
            let _ = child.wait();
        }
    }
}

/// A COPY under way.
pub(super) struct CopyIn {
    child: Child,
    stdin: Option<ChildStdin>,
}

impl CopyIn {
    /// Ends it; every row is in the table then.
    pub(super) fn finish(mut self) -> Result<(), Failed> {
        drop(self.stdin.take());
        let ended = self.child.wait_with_output()?;
        if ended.status.success() {
            Ok(())
        } else {
            Err(format!("COPY: {}", String::from_utf8_lossy(&ended.stderr)).into())
        }
    }
}

impl Write for CopyIn {
    fn write(&mut self, rows: &[u8]) -> std::io::Result<usize> {
        self.stdin.as_mut().ok_or(std::io::ErrorKind::BrokenPipe)?.write(rows)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// The user that the server runs as when we are root.
fn unprivileged() -> Result<Option<(u32, u32)>, Failed> {
    if !geteuid().is_root() {
        return Ok(None);
    }
    let users = std::fs::read_to_string("/etc/passwd")?;
    let line = users.lines().find(|line| line.starts_with("postgres:")).ok_or(MISSING)?;
    let mut numbers = line.split(':').skip(2).map(str::parse);
    match (numbers.next(), numbers.next()) {
        (Some(user), Some(group)) => Ok(Some((user?, group?))),
        _ => Err(MISSING.into()),
    }
}
