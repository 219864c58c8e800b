//! How long a call that was let through may go on: for as long as what it was let through by stands. Whatever lasts, a
//! tunnel, a WebSocket, a body, an answer that is waited for, looks here again and again.

use std::sync::Arc;
use std::time::Duration;

use creto_call::RefusalCode;
use creto_policy::RiskClass;

use crate::enforcement::Enforced;
use crate::path::identify::Footing;
use crate::path::judge::now_s;
use crate::plane::Freshness;

/// How often what lasts looks whether it still may.
pub(crate) const LOOK: Duration = Duration::from_secs(1);

/// By what one call was let through.
#[derive(Debug)]
pub(crate) struct Tenure {
    enforced: Arc<Enforced>,
    freshness: Arc<Freshness>,
    footing: Footing,
    class: RiskClass,
}

impl Tenure {
    pub(crate) fn new(
        enforced: &Arc<Enforced>,
        freshness: &Arc<Freshness>,
        footing: Footing,
        class: RiskClass,
    ) -> Arc<Self> {
        Arc::new(Self { enforced: Arc::clone(enforced), freshness: Arc::clone(freshness), footing, class })
    }

    /// Whether the agent may still have what it asked for: it is in good standing and its delegation is there.
    ///
    /// # Errors
    /// What a call that is made now would be refused with; never one that says that the call did not leave.
    pub(crate) fn stands(&self) -> Result<(), RefusalCode> {
        self.footing.stands(&self.enforced.load(), now_s())
    }

    /// Whether the agent may also do more under it: there is a policy, and it is not too old for what the call risks.
    ///
    /// # Errors
    /// What a call that is made now would be refused with.
    pub(crate) fn may_act(&self) -> Result<(), RefusalCode> {
        let now_s = now_s();
        let enforcement = self.enforced.load();
        self.footing.stands(&enforcement, now_s)?;
        if enforcement.policy.is_none() {
            return Err(RefusalCode::NoPolicy);
        }
        let expired = self.freshness.level(now_s).expired(self.class);
        if expired { Err(RefusalCode::PolicyExpired) } else { Ok(()) }
    }

    /// Waits until it may not any more; `look` says what else may end it.
    pub(crate) async fn over(&self, mut look: impl FnMut() -> Result<(), RefusalCode>) -> RefusalCode {
        let mut every = tokio::time::interval(LOOK);
        every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            every.tick().await;
            if let Err(code) = self.may_act().and_then(|()| look()) {
                return code;
            }
        }
    }
}
