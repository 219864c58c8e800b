//! Waiting for requests to move: by being told, and where other control planes write to the same database by looking.

use std::time::Duration;

use creto_oversight::RequestId;
use tokio::time::{Instant, timeout_at};

use crate::bounds::{MAX_AWAITED, MAX_WAIT_MS};
use crate::desk::ApprovalDesk;
use crate::error::ApprovalError;
use crate::record::Kept;

/// How often one who waits looks at the store, since another control plane may have changed it.
const LOOK_EVERY: Duration = Duration::from_millis(500);

impl ApprovalDesk {
    /// How often one who waits for steps of others looks at the store: never when nobody else writes to it.
    #[must_use]
    pub fn look_every(&self) -> Option<Duration> {
        self.store.is_shared().then_some(LOOK_EVERY)
    }

    /// Waits until a request took more than `version` steps, or `longest` is over; gives it as it is then.
    ///
    /// # Errors
    /// [`ApprovalError::NotFound`], or the store's.
    pub async fn changed_since(
        &self,
        namespace: &str,
        id: RequestId,
        version: i64,
        longest: Duration,
    ) -> Result<Kept, ApprovalError> {
        let until = Instant::now() + longest;
        // Listening begins before looking, so that nothing falls between.
        let mut heard = self.listen();
        loop {
            let kept = self.store.read(namespace, id).await?;
            if kept.version > version || Instant::now() >= until {
                return Ok(kept);
            }
            let look = self.look_every().map_or(until, |every| until.min(Instant::now() + every));
            loop {
                match timeout_at(look, heard.recv()).await {
                    Ok(Ok(step)) if step.id != id => {}
                    // It moved, or so much did that some was missed, or it is time to look.
                    _ => break,
                }
            }
        }
    }

    /// Waits until one of an agent's requests took more steps than told, or `longest` is over, at most [`crate::MAX_WAIT_MS`].
    /// Gives those that did, without headers and body; none in the place of one that is not there. At most
    /// [`crate::MAX_AWAITED`] are looked at.
    ///
    /// # Errors
    /// The store's.
    pub async fn changed_of(
        &self,
        namespace: &str,
        agent: &str,
        awaited: &[(RequestId, i64)],
        longest: Duration,
    ) -> Result<Vec<(RequestId, Option<Kept>)>, ApprovalError> {
        let awaited = &awaited[..awaited.len().min(MAX_AWAITED)];
        let ids: Vec<RequestId> = awaited.iter().map(|(id, _)| *id).collect();
        let until = Instant::now() + longest.min(Duration::from_millis(MAX_WAIT_MS));
        // Listening begins before looking, so that nothing falls between.
        let mut heard = self.listen();
        loop {
            let now = self.store.versions(namespace, agent, &ids).await?;
            let mut moved = Vec::new();
            for (id, version) in awaited {
                match now.iter().find(|(found, _)| found == id) {
                    Some((_, now)) if now <= version => {}
                    Some(_) => moved.push((*id, Some(self.store.read(namespace, *id).await?))),
                    None => moved.push((*id, None)),
                }
            }
            if !moved.is_empty() || Instant::now() >= until {
                return Ok(moved);
            }
            let look = self.look_every().map_or(until, |every| until.min(Instant::now() + every));
            loop {
                match timeout_at(look, heard.recv()).await {
                    Ok(Ok(step)) if !ids.contains(&step.id) => {}
                    // One moved, or so much did that some was missed, or it is time to look.
                    _ => break,
                }
            }
        }
    }
}
