//! The process that keeps a control plane for as long as any `creto run` uses it.
//!
//! Every such run holds a shared lock on one file. This process waits for that lock alone: it gets it when the last of
//! the runs has ended, however it ended, and then asks the control plane to end.

use std::ffi::OsString;
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use rustix::process::Signal;

use crate::failure::{Failure, Outcome, exit};
use crate::{guard, signals, turns};

/// How long the control plane may take to end before it is ended.
const STOP_WAIT: Duration = Duration::from_secs(10);

/// Runs `program` until nobody shares the lock on `users` any more; the file tells its process id.
///
/// # Errors
/// When the program cannot be started or the file not be written.
pub(crate) fn keep(users: &Path, program: &OsString, arguments: Vec<OsString>) -> Outcome<u8> {
    let failed = |error: std::io::Error| {
        Failure::new("The control plane cannot be kept.").why(error).code(exit::NOT_STARTED)
    };
    let mut file = turns::open(users)?;
    let mut command: Command = guard::blocking_command(Path::new(program))?;
    let mut child = command.args(arguments).stdin(Stdio::null()).spawn().map_err(failed)?;
    let pid = child.id();
    file.set_len(0)
        .and_then(|()| file.seek(SeekFrom::Start(0)))
        .and_then(|_| write!(file, "{pid}"))
        .map_err(failed)?;
    let watcher = thread::Builder::new().spawn(move || {
        if file.lock().is_err() {
            return;
        }
        let pid = i32::try_from(pid).unwrap_or(0);
        signals::send(pid, Signal::TERM);
        thread::park_timeout(STOP_WAIT);
        signals::send(pid, Signal::KILL);
        // The lock is held until this process ends, so that whoever comes next finds the data free.
        loop {
            thread::park();
        }
    });
    watcher.map_err(failed)?;
    // On this thread: the kernel tells the child of the end of the thread that started it.
    let status = child.wait().map_err(failed)?;
    Ok(signals::exit_code(status))
}
