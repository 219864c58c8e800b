//! Connections to upstreams: resolved by us, guarded by policy, secured, pooled.

mod dial;
mod guard;
mod origin;
mod pool;
mod sender;

pub(crate) use dial::{DialError, Dialer};
pub(crate) use guard::Guard;
pub(crate) use origin::Origin;
pub(crate) use pool::{Lease, Upstreams};
pub(crate) use sender::SendError;
