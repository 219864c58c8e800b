//! A real PostgreSQL on a free loopback port, with `fsync` on, in a folder that goes with it.
//!
//! The server refuses to run as root; started by root it runs as the user its package made.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, geteuid, kill_process};
use sqlx::{Connection as _, PgConnection};
use tempfile::TempDir;

/// How often to look whether it answers, or is gone, every 20 ms.
const LOOKS: usize = 1_500;
const PAUSE: Duration = Duration::from_millis(20);
const MISSING: &str = "PostgreSQL 15 or later is missing: run deploy/setup.sh test";
/// Where packages put the programs: not on the search path. The newest first.
const FOLDERS: [&str; 3] =
    ["/usr/lib/postgresql/17/bin", "/usr/lib/postgresql/16/bin", "/usr/lib/postgresql/15/bin"];

/// A server of the test's own; gone, with its data, when it is dropped.
pub struct PostgresServer {
    folder: TempDir,
    programs: PathBuf,
    owner: Option<(u32, u32)>,
    port: u16,
    settings: Vec<&'static str>,
    child: Option<Child>,
}

/// The user the server runs as when we are root.
fn unprivileged() -> Option<(u32, u32)> {
    if !geteuid().is_root() {
        return None;
    }
    let users = fs::read_to_string("/etc/passwd").unwrap();
    let line = users.lines().find(|line| line.starts_with("postgres:")).expect(MISSING);
    let mut numbers = line.split(':').skip(2).map(|number| number.parse().unwrap());
    Some((numbers.next().unwrap(), numbers.next().unwrap()))
}

fn programs() -> PathBuf {
    let found = FOLDERS.iter().map(Path::new).find(|folder| folder.join("initdb").is_file());
    found.expect(MISSING).to_owned()
}

impl PostgresServer {
    /// A new, empty one.
    pub async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// One with these settings on top.
    pub async fn start_with(settings: &[&'static str]) -> Self {
        let folder = TempDir::with_prefix("creto-postgres-").unwrap();
        let owner = unprivileged();
        if let Some((user, group)) = owner {
            chown(folder.path(), Some(user), Some(group)).unwrap();
        }
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        let mut server =
            Self { folder, programs: programs(), owner, port, settings: settings.to_vec(), child: None };
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

    fn program(&self, name: &str) -> Command {
        let mut command = Command::new(self.programs.join(name));
        command.current_dir(self.folder.path());
        if let Some((user, group)) = self.owner {
            command.uid(user).gid(group);
        }
        command
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Starts it on the folder it had, and waits until it answers.
    pub async fn run(&mut self) {
        let log = fs::File::options()
            .create(true)
            .append(true)
            .open(self.folder.path().join("server.log"))
            .unwrap();
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
        self.wait_until_it_answers().await;
    }

    /// Waits, as after a crash of one of its processes.
    pub async fn wait_until_it_answers(&self) {
        for _ in 0..LOOKS {
            if let Ok(connection) = PgConnection::connect(&self.url()).await {
                let _ = connection.close().await;
                return;
            }
            tokio::time::sleep(PAUSE).await;
        }
        let log = fs::read_to_string(self.folder.path().join("server.log")).unwrap_or_default();
        panic!("PostgreSQL does not answer on port {}:\n{log}", self.port);
    }

    pub fn url(&self) -> String {
        format!("postgres://creto@127.0.0.1:{}/postgres?sslmode=disable", self.port)
    }

    /// Processes the server made: backends, and its own background workers.
    fn children(&self) -> Vec<Pid> {
        let Some(parent) = self.child.as_ref().map(|child| child.id().to_string()) else {
            return Vec::new();
        };
        let process = |entry: fs::DirEntry| {
            let pid: i32 = entry.file_name().to_str()?.parse().ok()?;
            let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
            // The name in brackets may hold spaces; state and parent follow it.
            let parent_of = stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.to_owned();
            (parent_of == parent).then(|| Pid::from_raw(pid)).flatten()
        };
        fs::read_dir("/proc").unwrap().flatten().filter_map(process).collect()
    }

    /// kill -9 of one process that serves a client; the server ends the others and recovers by itself.
    pub fn kill_a_backend(&self, which: usize) -> bool {
        let is_backend = |pid: &Pid| {
            let title = fs::read(format!("/proc/{}/cmdline", pid.as_raw_nonzero())).unwrap_or_default();
            String::from_utf8_lossy(&title).starts_with("postgres: creto ")
        };
        let backends: Vec<Pid> = self.children().into_iter().filter(is_backend).collect();
        match backends.get(which % backends.len().max(1)) {
            Some(pid) => kill_process(*pid, Signal::KILL).is_ok(),
            None => false,
        }
    }

    /// kill -9 of all of it.
    pub fn kill(&mut self) {
        let Some(mut child) = self.child.take() else { return };
        let postmaster = Pid::from_child(&child);
        // Stopped first, so that nothing is started meanwhile.
        let _ = kill_process(postmaster, Signal::STOP);
        self.child = Some(child);
        let children = self.children();
        for pid in &children {
            let _ = kill_process(*pid, Signal::KILL);
        }
        child = self.child.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        // The next server starts only when nobody has the memory of this one.
        for _ in 0..LOOKS {
            if children.iter().all(|pid| is_gone(*pid)) {
                return;
            }
            #[allow(
                clippy::disallowed_methods,
                reason = "also called when dropped, where nothing can be awaited"
            )]
            std::thread::sleep(PAUSE);
        }
    }
}

/// Whether a process has ended; one nobody has asked about yet counts as ended.
fn is_gone(pid: Pid) -> bool {
    match fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())) {
        Ok(stat) => stat.rsplit_once(')').is_none_or(|(_, rest)| rest.trim_start().starts_with('Z')),
        Err(_) => true,
    }
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        self.kill();
    }
}
