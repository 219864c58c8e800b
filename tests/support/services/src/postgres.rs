//! A real PostgreSQL on a free loopback port, with `fsync` on, in a folder that goes with it.
//!
//! The server refuses to run as root; started by root it runs as the user that its package made.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, geteuid, kill_process};
use tempfile::TempDir;

const MISSING: &str = "PostgreSQL 15 or later is missing: run deploy/setup.sh test";
/// Where packages put the programs: not on the search path. The newest first.
const FOLDERS: [&str; 3] =
    ["/usr/lib/postgresql/17/bin", "/usr/lib/postgresql/16/bin", "/usr/lib/postgresql/15/bin"];
/// How often, and how long apart, to look whether it answers, or what was killed is gone.
const LOOKS: usize = 1_000;
const PAUSE: Duration = Duration::from_millis(5);

/// A server of the test's own; gone, with its data, when it is dropped.
pub struct PostgresServer {
    folder: TempDir,
    programs: PathBuf,
    /// User and group it runs as, when we are root.
    owner: Option<(u32, u32)>,
    port: u16,
    settings: Vec<&'static str>,
    child: Option<Child>,
}

impl PostgresServer {
    /// A new, empty one that answers.
    pub async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// One with these settings, `name=value`, on top.
    pub async fn start_with(settings: &[&'static str]) -> Self {
        let folder = TempDir::with_prefix("creto-postgres-").unwrap();
        let owner = unprivileged();
        if let Some((user, group)) = owner {
            chown(folder.path(), Some(user), Some(group)).unwrap();
        }
        let found = FOLDERS.iter().map(Path::new).find(|folder| folder.join("initdb").is_file());
        let programs = found.expect(MISSING).to_owned();
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        let settings = settings.to_vec();
        let mut server = Self { folder, programs, owner, port, settings, child: None };
        let made = server
            .program("initdb")
            .args(["--no-sync", "--auth=trust", "--username=creto", "--encoding=UTF8", "--locale=C.UTF-8"])
            .arg("-D")
            .arg(server.data())
            .output()
            .unwrap();
        assert!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));
        server.run().await;
        server
    }

    /// For `--database-url`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("postgres://creto@127.0.0.1:{}/postgres?sslmode=disable", self.port)
    }

    /// Starts it on the data it has, after [`PostgresServer::kill9`], and waits until it answers.
    pub async fn run(&mut self) {
        self.start_again();
        self.answering().await;
    }

    /// The same without waiting.
    pub fn start_again(&mut self) {
        let log = fs::File::options().create(true).append(true).open(self.log_file()).unwrap();
        let child = self
            .program("postgres")
            .arg("-D")
            .arg(self.data())
            .args(["-p", &self.port.to_string()])
            .args(["-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="])
            .args(["-c", "fsync=on", "-c", "synchronous_commit=on", "-c", "full_page_writes=on"])
            .args(["-c", "max_connections=60", "-c", "shared_buffers=128MB", "-c", "max_wal_size=4GB"])
            .args(self.settings.iter().flat_map(|setting| ["-c", setting]))
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect(MISSING);
        self.child = Some(child);
    }

    /// Waits until it takes connections.
    pub async fn answering(&self) {
        for _ in 0..LOOKS {
            if self.answers() {
                return;
            }
            tokio::time::sleep(4 * PAUSE).await;
        }
        panic!("PostgreSQL does not answer:\n{}", self.log());
    }

    /// Whether it takes connections: not while it recovers.
    #[must_use]
    pub fn answers(&self) -> bool {
        let port = self.port.to_string();
        let mut asked = self.program("pg_isready");
        asked
            .args(["-q", "-h", "127.0.0.1", "-p", &port, "-U", "creto", "-d", "postgres"])
            .status()
            .unwrap()
            .success()
    }

    /// Whether it has ended by itself, and how.
    pub fn try_wait(&mut self) -> Option<ExitStatus> {
        self.child.as_mut().and_then(|child| child.try_wait().unwrap())
    }

    /// Everything it logged so far.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(self.log_file()).unwrap_or_default()
    }

    /// `kill -9` of the server and of all processes it made, at once.
    pub fn kill9(&mut self) {
        let Some(mut child) = self.child.take() else { return };
        let server = Pid::from_child(&child);
        // Stopped first, so that nothing is started meanwhile.
        let _ = kill_process(server, Signal::STOP);
        let made = children(server);
        for pid in &made {
            let _ = kill_process(*pid, Signal::KILL);
        }
        let _ = child.kill();
        let _ = child.wait();
        // The next server starts only when nobody has the memory of this one.
        for _ in 0..LOOKS {
            if made.iter().all(|pid| is_gone(*pid)) {
                return;
            }
            #[allow(clippy::disallowed_methods, reason = "also when dropped, where nothing can be awaited")]
            std::thread::sleep(PAUSE);
        }
    }

    /// `kill -9` of one process that serves a client; the server ends the others and recovers by itself.
    #[must_use]
    pub fn kill_a_backend(&self, which: usize) -> bool {
        let is_backend = |pid: &Pid| {
            let title = fs::read(format!("/proc/{}/cmdline", pid.as_raw_nonzero())).unwrap_or_default();
            String::from_utf8_lossy(&title).starts_with("postgres: creto ")
        };
        let made = self.child.as_ref().map(|child| children(Pid::from_child(child))).unwrap_or_default();
        let backends: Vec<Pid> = made.into_iter().filter(is_backend).collect();
        match backends.get(which % backends.len().max(1)) {
            Some(pid) => kill_process(*pid, Signal::KILL).is_ok(),
            None => false,
        }
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn log_file(&self) -> PathBuf {
        self.folder.path().join("server.log")
    }

    /// One of its programs, as the user that it runs as; it dies with the test's process.
    fn program(&self, name: &str) -> Command {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL"]).current_dir(self.folder.path());
        if let Some((user, group)) = self.owner {
            command.arg(format!("--reuid={user}")).arg(format!("--regid={group}")).arg("--clear-groups");
        }
        command.arg("--").arg(self.programs.join(name));
        command
    }
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        self.kill9();
    }
}

/// The user that the server runs as when we are root.
fn unprivileged() -> Option<(u32, u32)> {
    if !geteuid().is_root() {
        return None;
    }
    let users = fs::read_to_string("/etc/passwd").unwrap();
    let line = users.lines().find(|line| line.starts_with("postgres:")).expect(MISSING);
    let mut numbers = line.split(':').skip(2).map(|number| number.parse().unwrap());
    Some((numbers.next().unwrap(), numbers.next().unwrap()))
}

/// Processes that a process made: each backend is in a session of its own, so no signal to a group reaches them.
fn children(of: Pid) -> Vec<Pid> {
    let parent = of.as_raw_nonzero().to_string();
    let process = |entry: fs::DirEntry| {
        let pid: i32 = entry.file_name().to_str()?.parse().ok()?;
        let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
        // The name in brackets may hold spaces; state and parent follow it.
        let parent_of = stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.to_owned();
        (parent_of == parent).then(|| Pid::from_raw(pid)).flatten()
    };
    fs::read_dir("/proc").unwrap().flatten().filter_map(process).collect()
}

/// Whether a process has ended; one nobody has asked about yet counts as ended.
fn is_gone(pid: Pid) -> bool {
    match fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())) {
        Ok(stat) => stat.rsplit_once(')').is_none_or(|(_, rest)| rest.trim_start().starts_with('Z')),
        Err(_) => true,
    }
}
