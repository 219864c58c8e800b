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

/// First argument of an invocation that only becomes another program.
const FIRST: &str = "--become-child-of";

/// A command for `program`, through the guard.
///
/// # Errors
/// When this program cannot find itself.
pub(crate) fn command(program: &Path) -> Outcome<Command> {
    let own = std::env::current_exe().map_err(|error| {
        Failure::new("The program cannot find itself.").why(error).code(exit::NOT_STARTED)
    })?;
    let mut command = Command::new(own);
    command.arg(FIRST).arg(std::process::id().to_string()).arg(program);
    Ok(command)
}

/// Becomes the program wanted, when this invocation is the guard's: then it returns only on failure.
#[must_use]
pub fn become_child(mut arguments: impl Iterator<Item = OsString>) -> Option<Failure> {
    if arguments.next()? != FIRST {
        return None;
    }
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
