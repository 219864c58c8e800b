//! Identity: agents and their keys, who speaks for whom, which sidecar serves which agent, and who operates.
//!
//! * [`Registry`] keeps agents.
//! * [`Delegations`] verifies signed chains and mints compact ones.
//! * [`EnrollmentDesk`] trades single-use tokens for sidecar certificates of the [`CertificateAuthority`].
//! * [`OperatorDesk`] hands out operator tokens.
#![forbid(unsafe_code)]

mod authority;
mod clock;
mod delegations;
mod enrollment;
mod error;
mod links;
mod name;
mod operators;
mod page;
mod registry;
mod secret;

pub use authority::{CertificateAuthority, IssuedCertificate, fingerprint};
pub use clock::{now_ms, now_s, now_us};
pub use delegations::{CurrentChain, Delegations, MAX_DELEGATIONS};
pub use enrollment::{DEFAULT_TOKEN_TTL_S, EnrollmentDesk, MAX_ENROLLMENT_TOKENS, MAX_TOKEN_TTL_S};
pub use error::IdentityError;
pub use name::check_name;
pub use operators::{MAX_OPERATOR_TOKENS, OperatorDesk};
pub use page::{DEFAULT_PAGE, MAX_PAGE, MAX_PAGE_BYTES, page_limit, page_of};
pub use registry::{MAX_AGENTS, MAX_LABEL_BYTES, MAX_LABELS, Registry, agent_message, state_of};
pub use secret::{SecretToken, random_bytes, random_id};
