//! What every page is made from.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use creto_approvals::ApprovalDesk;
use tokio::sync::Semaphore;

use crate::people::PeopleDesk;
use crate::place::Place;
use crate::throttle::Throttle;

/// What every page is made from.
pub(crate) struct Shared {
    pub(crate) desk: ApprovalDesk,
    pub(crate) people: PeopleDesk,
    pub(crate) place: Place,
    pub(crate) throttle: Throttle,
    /// Room for pages with whole requests in them.
    pub(crate) whole_pages: Arc<Semaphore>,
}

/// Where a request comes from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Source(pub(crate) IpAddr);

/// Now, milliseconds since 1970.
pub(crate) fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
