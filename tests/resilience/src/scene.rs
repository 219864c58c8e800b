//! What most tests begin with, and what they end with.

use std::collections::BTreeMap;
use std::sync::Arc;

use creto_proto::v1::CallRecord;
use creto_test_support::{Plane, Sidecar, SidecarBuilder, Upstream};

use crate::{Journal, Traffic, policy};

/// An upstream, a control plane and a sidecar under [`policy`], and the journal of the calls made through it.
pub struct Scene {
    /// Empty at first.
    pub journal: Arc<Journal>,
    /// Of a trusted agent.
    pub sidecar: Sidecar,
    /// With the policy applied.
    pub plane: Plane,
    /// Plain.
    pub upstream: Upstream,
}

impl Scene {
    /// Starts everything.
    pub async fn set() -> Self {
        Self::set_with(|sidecar| sidecar).await
    }

    /// Starts everything, the sidecar as `change` has it.
    pub async fn set_with(change: impl for<'p> FnOnce(SidecarBuilder<'p>) -> SidecarBuilder<'p>) -> Self {
        let upstream = Upstream::start_plain().await;
        let plane = Plane::start().await;
        let agent = plane.trusted_agent("researcher").await;
        plane.apply_policy(&policy(upstream.port())).await;
        let sidecar = change(plane.sidecar(&agent)).start().await;
        Self { journal: Arc::default(), sidecar, plane, upstream }
    }

    /// Begins quick calls, so many at once.
    #[must_use]
    pub fn traffic(&self, tag: &str, callers: usize) -> Traffic {
        Traffic::begin(&self.sidecar.http_agent(), &self.journal, tag, callers)
    }

    /// [`Journal::assert_on_record`].
    pub async fn assert_on_record(&self) -> BTreeMap<String, CallRecord> {
        self.journal.assert_on_record(&self.plane, &self.sidecar, &self.upstream).await
    }

    /// The policy held for every call, and every call is on record: the one that asks for the last of all, too.
    pub async fn assert_nothing_was_lost(&self) {
        self.journal.assert_the_policy_held();
        let records = self.assert_on_record().await;
        assert_eq!(records.len() + 1, self.journal.made().len());
    }
}
