//! reserve: quotas and budgets are taken before the call leaves. Most calls are covered by leases in hand; one that is not
//! waits for the control plane's word, once.

use creto_call::{Call, Meaning};

use crate::enforcement::Enforcement;
use crate::http::refuse::Refused;
use crate::path::record::CallRecord;
use crate::quota::{QuotaAsk, Reach};
use crate::sidecar::Sidecar;

/// Reserves what leases in hand cover; gives back what has to be waited for. `most`: bytes of the body, where they are known,
/// and how far a call of a model can go.
///
/// # Errors
/// A budget applies and what the call can cost is not known.
pub(crate) fn at_once(
    sidecar: &Sidecar,
    enforcement: &Enforcement,
    call: &Call<'_>,
    meanings: &[Meaning<'_>],
    most: (Option<u64>, Option<&Reach>),
    record: &CallRecord,
) -> Result<Option<Box<QuotaAsk>>, Refused> {
    let Some(policy) = enforcement.policy.as_deref() else { return Ok(None) };
    if enforcement.quotas.is_empty() {
        return Ok(None);
    }
    let asked = enforcement.quotas.ask(policy, call, meanings, most);
    let Some(ask) = asked.map_err(|refused| counted(sidecar, record, refused))? else { return Ok(None) };
    match ask.at_once(&sidecar.leases) {
        Ok(hold) => {
            record.hold(hold);
            Ok(None)
        }
        Err(ask) => Ok(Some(ask)),
    }
}

/// Waits for leases that cover the call.
///
/// # Errors
/// A quota is used up, or the control plane does not say in time.
pub(crate) async fn wait(sidecar: &Sidecar, ask: Box<QuotaAsk>, record: &CallRecord) -> Result<(), Refused> {
    sidecar.metrics.quota_waits();
    match ask.wait().await {
        Ok(hold) => {
            record.hold(hold);
            Ok(())
        }
        Err(refused) => Err(counted(sidecar, record, refused)),
    }
}

/// A refusal for a quota, in metrics and on record.
fn counted(sidecar: &Sidecar, record: &CallRecord, refused: Refused) -> Refused {
    sidecar.metrics.quota_refused();
    record.refused(refused.code);
    refused
}
