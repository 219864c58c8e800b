//! Child processes that end with this one, even when it is killed.
//!
//! A child is started through this program: it asks the kernel for SIGTERM at its parent's death (`PR_SET_PDEATHSIG`,
//! kept across `exec`) and becomes the program wanted.

use std::ffi::OsString;
use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};

use tokio::process::Command;

use crate::failure::{Failure, Outcome, exit};
use crate::host;

/// First argument of an invocation that only becomes another program.
const FIRST: &str = "--become-child-of";

/// First argument of an invocation that keeps a control plane for the runs that use it.
const KEEPER: &str = "--keep-for-runs";

/// A command for `program`, through the guard.
///
/// # Errors
/// When this program cannot find itself.
pub(crate) fn command(program: &Path) -> Outcome<Command> {
    Ok(blocking_command(program)?.into())
}

/// The same, for a thread that waits for the child itself and must live as long.
///
/// # Errors
/// As [`command`].
pub(crate) fn blocking_command(program: &Path) -> Outcome<std::process::Command> {
    let mut command = std::process::Command::new(own()?);
    command.arg(FIRST).arg(std::process::id().to_string()).arg(program);
    Ok(command)
}

/// A command for `program`, kept until no `creto run` shares the lock on `users`.
///
/// # Errors
/// As [`command`].
pub(crate) fn kept_command(program: &Path, users: &Path) -> Outcome<Command> {
    let mut command = Command::new(own()?);
    command.arg(KEEPER).arg(users).arg(program);
    Ok(command)
}

fn own() -> Outcome<PathBuf> {
    std::env::current_exe()
        .map_err(|error| Failure::new("The program cannot find itself.").why(error).code(exit::NOT_STARTED))
}

/// Does what an invocation by `creto` itself is for, and gives its exit code; none when a user invoked it. As guard it
/// becomes the program wanted, and returns only on failure.
pub fn become_child(mut arguments: impl Iterator<Item = OsString>) -> Option<Outcome<u8>> {
    match arguments.next()?.to_str()? {
        FIRST => become_guarded(arguments).map(Err),
        KEEPER => {
            let users = PathBuf::from(arguments.next()?);
            let program = arguments.next()?;
            Some(host::keep(&users, &program, arguments.collect()))
        }
        _ => None,
    }
}

fn become_guarded(mut arguments: impl Iterator<Item = OsString>) -> Option<Failure> {
    let parent = arguments.next().and_then(|pid| pid.to_str()?.parse::<i32>().ok());
    let program = arguments.next()?;
    let failed = |why: String| Failure::new("The child cannot be started.").why(why).code(exit::NOT_STARTED);
    if let Err(error) = rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::TERM))
    {
        return Some(failed(error.to_string()));
    }
    // The parent may have died before the kernel was asked.
    if rustix::process::getppid().map(rustix::process::Pid::as_raw_nonzero).map(i32::from) != parent {
        return Some(failed("the parent is gone".to_owned()));
    }
    let error = std::process::Command::new(program).args(arguments).exec();
    Some(failed(error.to_string()))
}

/// A program of ours: named by `variable`, else beside this one.
///
/// # Errors
/// When it is at neither place.
pub(crate) fn beside(name: &str, variable: &str) -> Outcome<PathBuf> {
    let given = std::env::var_os(variable).filter(|value| !value.is_empty()).map(PathBuf::from);
    let place = match given {
        Some(given) => given,
        None => {
            std::env::current_exe().ok().and_then(|own| Some(own.parent()?.join(name))).unwrap_or_default()
        }
    };
    if fs::metadata(&place).is_ok_and(|found| found.is_file()) {
        return Ok(place);
    }
    Err(Failure::new(format!("The program {name} is missing."))
        .why(format!("{} is not there", place.display()))
        .next(format!("Build it (cargo build -p {name}) or name it with {variable}."))
        .code(exit::NOT_STARTED))
}
