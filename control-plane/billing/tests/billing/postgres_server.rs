//! A real PostgreSQL on a free loopback port, in a folder that goes with it. Not run as root.

use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

/// How often to look whether it answers, every 50 ms.
const LOOKS: usize = 400;
const PROGRAMS: &str = "/usr/lib/postgresql/15/bin";

/// A server of the test's own; gone, with its data, when it is dropped.
pub(crate) struct PostgresServer {
    folder: TempDir,
    port: u16,
    child: Option<Child>,
}

fn as_postgres(program: &str) -> Command {
    let root = Command::new("id").arg("-u").output().unwrap().stdout == b"0\n";
    let path = format!("{PROGRAMS}/{program}");
    if !root {
        return Command::new(path);
    }
    // The server refuses to run as root. `setpriv` becomes the server, so that killing it kills the server.
    let mut command = Command::new("setpriv");
    command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups", "--"]).arg(path);
    command
}

impl PostgresServer {
    pub(crate) async fn start() -> Self {
        let folder = TempDir::new().unwrap();
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
        let data = folder.path().join("data");
        let made = as_postgres("initdb")
            .args(["--username=postgres", "--auth=trust", "--no-sync", "--encoding=UTF8", "--locale=C", "-D"])
            .arg(&data)
            .current_dir("/")
            .output()
            .expect("PostgreSQL 15 is missing: run deploy/setup.sh test");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        let mut server = Self { folder, port, child: None };
        server.run().await;
        server
    }

    /// Starts it on the data it has.
    pub(crate) async fn run(&mut self) {
        let child = as_postgres("postgres")
            .args(["-h", "127.0.0.1", "-c", "unix_socket_directories=", "-p", &self.port.to_string(), "-D"])
            .arg(self.folder.path().join("data"))
            .current_dir("/")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .unwrap();
        self.child = Some(child);
        for _ in 0..LOOKS {
            let ready = Command::new(format!("{PROGRAMS}/pg_isready"))
                .args(["-q", "-h", "127.0.0.1", "-p", &self.port.to_string()])
                .status()
                .unwrap();
            if ready.success() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("PostgreSQL does not answer on port {}", self.port);
    }

    pub(crate) fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres", self.port)
    }

    /// kill -9 of the server and its workers.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let group = format!("-{}", child.id());
            Command::new("kill").args(["-9", "--", &group]).status().unwrap();
            child.wait().unwrap();
        }
    }
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        self.kill();
    }
}
