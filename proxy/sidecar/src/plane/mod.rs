//! The control plane, from the sidecar's side: enrol once, then one stream down and reports up.

pub(crate) mod bundle;
pub(crate) mod enroll;
mod link;
mod report;
mod status;
mod sync;

pub(crate) use link::{LinkParts, PlaneLink};
pub(crate) use status::PlaneStatus;

pub use bundle::BundleError;
pub use enroll::EnrollError;
