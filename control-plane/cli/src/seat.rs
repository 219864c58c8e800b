//! A run's place at a control plane that was started for runs: with the last of them it ends.

use std::fs::File;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::failure::Outcome;
use crate::home::Home;
use crate::hosted::Hosted;
use crate::operator::Operator;
use crate::session::Session;
use crate::turns::{self, With};

/// How long the last run waits for the control plane to end.
const END_WAIT: Duration = Duration::from_secs(12);

/// Between two looks.
const LOOK: Duration = Duration::from_millis(10);

/// While this is held, the control plane stays.
#[derive(Debug)]
pub(crate) struct Seat {
    home: Home,
    lock: File,
}

impl Seat {
    /// The address of the control plane running in the home, and a seat when it is one for runs; one is started where
    /// none runs.
    ///
    /// # Errors
    /// When it cannot be started.
    pub(crate) async fn take(session: &Session) -> Outcome<(Option<Self>, String)> {
        let home = &session.home;
        // Held by a control plane for runs that is just ending: then this waits until it has.
        let lock = turns::take(&home.users_lock(), With::Others).await?;
        // Of several runs that begin at once, the first starts it.
        let _turn = turns::take(&home.start_lock(), With::Nobody).await?;
        let seat = Self { home: home.clone(), lock };
        if let Some(running) = home.running()
            // The file of one that was killed may name a process that is another's now.
            && Operator::connect(&session.access_at(&running.address), session.namespace()).await.is_ok()
        {
            let seat = home.is_for_runs(&running).then_some(seat);
            return Ok((seat, running.address));
        }
        let hosted = Hosted::start_for_runs(home.data(), &home.users_lock()).await?;
        Ok((Some(seat), hosted.address))
    }

    /// Gives the seat up; the last run waits until the control plane has ended.
    pub(crate) async fn leave(self) {
        let path = self.home.users_lock();
        drop(self.lock);
        let Ok(probe) = turns::open(&path) else { return };
        // Nobody has it, or the control plane's keeper has it already: this run was the last.
        let nobody = turns::try_take(&probe, &path, With::Nobody).unwrap_or(false);
        let last = nobody || !turns::try_take(&probe, &path, With::Others).unwrap_or(true);
        drop(probe);
        if !last {
            return;
        }
        let end = Instant::now() + END_WAIT;
        while self.home.running().is_some() && Instant::now() < end {
            sleep(LOOK).await;
        }
    }
}
