//! A real Redis on a free loopback port, in a folder that goes with it.

use std::net::{Ipv4Addr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// How often to look whether it answers, every 20 ms.
const LOOKS: usize = 500;

/// A server of the test's own; gone, with its data, when it is dropped.
pub struct RedisServer {
    folder: TempDir,
    port: u16,
    child: Option<Child>,
}

impl RedisServer {
    /// One that keeps what it answers.
    pub async fn durable() -> Self {
        Self::start(&["--appendonly", "yes", "--appendfsync", "always"]).await
    }

    /// One with these settings.
    pub async fn start(settings: &[&str]) -> Self {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        let mut server = Self { folder: TempDir::new().unwrap(), port, child: None };
        server.run(settings).await;
        server
    }

    /// Starts it on the folder it had.
    pub async fn run(&mut self, settings: &[&str]) {
        let child = Command::new("redis-server")
            .args(["--bind", "127.0.0.1", "--save", "", "--port"])
            .arg(self.port.to_string())
            .arg("--dir")
            .arg(self.folder.path())
            .args(settings)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("redis-server is missing: run deploy/setup.sh test");
        self.child = Some(child);
        for _ in 0..LOOKS {
            if self.answers().await.is_ok_and(|answers| answers) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("redis-server does not answer on port {}", self.port);
    }

    /// Whether it answers, and is not reading its files.
    async fn answers(&self) -> std::io::Result<bool> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).await?;
        stream.write_all(b"PING\r\n").await?;
        let mut answer = [0; 5];
        stream.read_exact(&mut answer).await?;
        Ok(&answer == b"+PONG")
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// kill -9.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Throws away what it kept, as a lost disk does.
    pub fn lose_data(&self) {
        for entry in std::fs::read_dir(self.folder.path()).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                std::fs::remove_dir_all(path).unwrap();
            } else {
                std::fs::remove_file(path).unwrap();
            }
        }
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        self.kill();
    }
}
