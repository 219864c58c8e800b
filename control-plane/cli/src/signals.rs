//! Signals on their way to the agent.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::Duration;

use rustix::process::{Pid, Signal, getpgrp, kill_process};
use tokio::process::Child;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::timeout;

use crate::failure::{Failure, Outcome, exit};

/// The signals that are passed on.
const PASSED: [(SignalKind, Signal); 6] = [
    (SignalKind::interrupt(), Signal::INT),
    (SignalKind::terminate(), Signal::TERM),
    (SignalKind::hangup(), Signal::HUP),
    (SignalKind::quit(), Signal::QUIT),
    (SignalKind::user_defined1(), Signal::USR1),
    (SignalKind::user_defined2(), Signal::USR2),
];

/// Signals that have come and wait to be passed on.
const WAITING: usize = 16;

/// A signal that comes this soon after the agent's end is the one that ended it: a terminal sends to both.
const SAME: Duration = Duration::from_millis(300);

/// Sends a signal; a process that is gone is fine.
pub(crate) fn send(pid: i32, which: Signal) {
    if let Some(pid) = Pid::from_raw(pid) {
        let _ = kill_process(pid, which);
    }
}

/// Asks a child to end, and ends it when it has not within `wait`. Says whether it ended by itself.
pub(crate) async fn stop(child: &mut Child, wait: Duration) -> bool {
    if let Some(pid) = child.id().and_then(|pid| i32::try_from(pid).ok()) {
        send(pid, Signal::TERM);
    }
    let ended = timeout(wait, child.wait()).await.is_ok();
    if !ended {
        let _ = child.kill().await;
    }
    ended
}

/// The signals that come to this process, from now on.
#[derive(Debug)]
pub(crate) struct Incoming {
    received: tokio::sync::mpsc::Receiver<Signal>,
}

impl Incoming {
    /// Listens; from here on the signals no longer end this process.
    ///
    /// # Errors
    /// When the system refuses.
    pub(crate) fn listen() -> Outcome<Self> {
        let (sender, received) = tokio::sync::mpsc::channel(WAITING);
        for (kind, which) in PASSED {
            let mut stream = signal(kind).map_err(|error| {
                Failure::new("Signals cannot be listened to.").why(error).code(exit::NOT_STARTED)
            })?;
            let sender = sender.clone();
            tokio::spawn(async move {
                while stream.recv().await.is_some() {
                    // A full queue holds the same signals already.
                    let _ = sender.try_send(which);
                }
            });
        }
        Ok(Self { received })
    }

    /// The next signal that is not the one that ended the agent: those of the first moment do not count.
    pub(crate) async fn next_one_more(&mut self) -> Signal {
        tokio::time::sleep(SAME).await;
        while self.received.try_recv().is_ok() {}
        self.next().await
    }

    /// The next signal.
    pub(crate) async fn next(&mut self) -> Signal {
        match self.received.recv().await {
            Some(which) => which,
            None => std::future::pending().await,
        }
    }
}

/// Whether the terminal itself sends this signal to the agent: then passing it on would send it twice.
#[must_use]
pub(crate) fn comes_from_the_terminal(which: Signal) -> bool {
    if !matches!(which, Signal::INT | Signal::QUIT) {
        return false;
    }
    let Ok(terminal) = std::fs::File::open("/dev/tty") else { return false };
    rustix::termios::tcgetpgrp(&terminal).is_ok_and(|group| group == getpgrp())
}

/// The exit code a shell gives for this status: 128 + n for signal n.
#[must_use]
pub(crate) fn exit_code(status: ExitStatus) -> u8 {
    let code = status
        .code()
        .or_else(|| status.signal().map(|signal| 128 + signal))
        .unwrap_or(i32::from(exit::FAILED));
    u8::try_from(code & 0xff).unwrap_or(exit::FAILED)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_becomes_128_and_its_number() {
        assert_eq!(exit_code(ExitStatus::from_raw(15)), 143);
        assert_eq!(exit_code(ExitStatus::from_raw(7 << 8)), 7);
        assert_eq!(exit_code(ExitStatus::from_raw(0)), 0);
    }
}
