//! A program under test as a child process.

use std::fs::{File, OpenOptions};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use crate::patience::eventually;

/// Most of a log that a failed test prints, bytes from its end.
const SHOWN_LOG: usize = 8 * 1024;

/// A child process; killed when dropped, its log printed when the test is failing.
pub struct ServerProcess {
    name: String,
    child: Child,
    log: PathBuf,
}

impl ServerProcess {
    /// Starts `program` with a clean environment (`PATH`, `HOME`, `RUST_LOG`, `RUST_BACKTRACE` are kept), both outputs
    /// appended to `log`. It dies with the test's process. `before` stands in front of the program, such as
    /// `ip netns exec NAME`.
    #[must_use]
    pub fn start(
        name: &str,
        before: &[String],
        program: &Path,
        arguments: &[String],
        environment: &[(String, String)],
        log: &Path,
    ) -> Self {
        let file = OpenOptions::new().create(true).append(true).open(log).unwrap();
        let errors: File = file.try_clone().unwrap();
        // setpriv ties the child's life to ours, even when the test's process is killed.
        let mut words: Vec<&str> = before.iter().map(String::as_str).collect();
        words.extend(["setpriv", "--pdeathsig", "KILL"]);
        let mut command = Command::new(words[0]);
        command.args(&words[1..]);
        command.arg(program).args(arguments).env_clear();
        for variable in ["PATH", "HOME", "RUST_LOG", "RUST_BACKTRACE"] {
            if let Some(value) = std::env::var_os(variable) {
                command.env(variable, value);
            }
        }
        command.envs(environment.iter().map(|(key, value)| (key, value)));
        command.stdin(Stdio::null()).stdout(file).stderr(errors);
        let child = command.spawn().unwrap_or_else(|e| panic!("{name} cannot be started: {e}"));
        Self { name: name.to_owned(), child, log: log.to_owned() }
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Panics, with the log, when it has ended.
    pub fn assert_running(&mut self) {
        if let Some(status) = self.child.try_wait().unwrap() {
            panic!("{} ended: {status} (signal {:?}); its log:\n{}", self.name, status.signal(), self.log());
        }
    }

    /// Whether it has ended, and how.
    pub fn try_wait(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// `kill -9`, and waits for the end.
    pub fn kill9(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }

    /// SIGTERM, and waits for the end.
    pub async fn terminate(&mut self) -> ExitStatus {
        self.signal(Signal::TERM);
        let name = self.name.clone();
        eventually(&format!("{name} ends after SIGTERM"), || std::future::ready(self.try_wait())).await
    }

    /// SIGSTOP: it hangs without ending.
    pub fn freeze(&self) {
        self.signal(Signal::STOP);
    }

    /// SIGCONT.
    pub fn thaw(&self) {
        self.signal(Signal::CONT);
    }

    /// Everything it wrote so far.
    #[must_use]
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.pid()).unwrap()).unwrap();
        kill_process(pid, signal).ok();
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        self.kill9();
        if std::thread::panicking() {
            let log = self.log();
            let mut from = log.len().saturating_sub(SHOWN_LOG);
            while !log.is_char_boundary(from) {
                from += 1;
            }
            println!("--- log of {} ---\n{}", self.name, &log[from..]);
        }
    }
}
