//! Policy in the control plane: the documents people write, the bundles made of them, and the streams that bring
//! bundles to sidecars.
//!
//! A [`Changes`] hub says that something changed in a namespace; each [`SyncSession`] then builds its sidecar's
//! bundle anew and sends it if its content is another.
#![forbid(unsafe_code)]

mod bundle;
mod changes;
mod connections;
mod documents;
mod error;
mod session;
mod signer;
mod sync;

pub use bundle::{BUNDLE_SCHEMA, facts};
pub use changes::Changes;
pub use connections::DEFAULT_MAX_STREAMS;
pub use documents::{MAX_NAMESPACE_BYTES, MAX_POLICIES, MAX_POLICY_BYTES, PolicyDocuments};
pub use error::{PolicyError, SyncEnd};
pub use session::{
    ANSWER_TIMEOUT, DEBOUNCE, HEARTBEAT, HELLO_TIMEOUT, MAX_REASON_CHARS, SEND_TIMEOUT, SyncSession,
};
pub use signer::{BUNDLE_DOMAIN, BundleSigner};
pub use sync::{PolicySync, SidecarIdentity};
