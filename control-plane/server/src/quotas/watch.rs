//! What triggers are made of: events with their figures.

use creto_quota_issuer::QuotaEvent;

use super::limits::named_parts;
use super::{QuotaDesk, QuotaError};

/// Percent at which a quota warns that does not say otherwise.
const DEFAULT_WARN_PERCENT: u8 = 80;

impl QuotaDesk {
    /// The namespaces in which quotas were ever used.
    pub(crate) async fn namespaces(&self) -> Vec<String> {
        self.namespaces.all().await
    }

    /// Whether the issuer is of this control plane alone: its events are counted by nobody else.
    pub(crate) fn is_own(&self) -> bool {
        self.embedded.is_some()
    }

    /// Events after a sequence number, oldest first, at most [`creto_quota_issuer::MAX_EVENTS_READ`].
    ///
    /// # Errors
    /// [`QuotaError`].
    pub(crate) async fn events_after(
        &self,
        namespace: &str,
        after: u64,
    ) -> Result<Vec<QuotaEvent>, QuotaError> {
        Ok(self.issuer.events(namespace, after).await?)
    }

    /// Percent at which the quota of a limit warns.
    ///
    /// # Errors
    /// [`QuotaError`].
    pub(crate) async fn warn_percent(&self, namespace: &str, limit: &str) -> Result<u8, QuotaError> {
        let (policy, quota, _) = named_parts(limit);
        let said = self.documents.warn_percent(namespace, policy, quota).await?;
        Ok(said.unwrap_or(DEFAULT_WARN_PERCENT))
    }
}
