//! Why a generation is not enforced.

use creto_bundle::BundleError;
use creto_credentials::PlaceholdersError;
use creto_proto::v1::Rejection;
use thiserror::Error;

use crate::plane::events::cut;

/// Most resources named in a refusal, and the longest reason given for each and for the whole, in bytes: all of them
/// fit in a message of 64 KiB.
const REJECTIONS: usize = 12;
const REASON: usize = 4_000;

/// Why a generation is not enforced. Every one of them means: what is in force stays.
#[derive(Debug, Error)]
pub enum GenerationError {
    /// It does not verify.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// A resource cannot be read.
    #[error("resource {resource} cannot be read: {reason}")]
    Resource {
        /// Its name.
        resource: String,
        /// What is wrong.
        reason: String,
    },
    /// Policies do not compile.
    #[error("{}", rendered(.0))]
    Policies(Vec<Rejection>),
    /// Placeholders cannot be told apart.
    #[error("the placeholders of the credentials cannot be used: {0}")]
    Placeholders(#[from] PlaceholdersError),
    /// Quotas cannot be kept.
    #[error("quotas: {0}")]
    Quota(String),
    /// The chain does not hold.
    #[error("the delegation chain does not hold: {0}")]
    Chain(String),
    /// The thread that compiles ended.
    #[error("it could not be compiled: the sidecar is out of threads or memory")]
    Broken,
}

impl GenerationError {
    /// The resources that are to blame, where it is some of them.
    pub(crate) fn rejections(&self) -> Vec<Rejection> {
        let blamed =
            |resource: &str, reason: String| vec![Rejection { resource: resource.to_owned(), reason }];
        let mut rejections = match self {
            Self::Policies(rejections) => rejections.clone(),
            Self::Resource { resource, reason } => blamed(resource, reason.clone()),
            Self::Chain(reason) => blamed(creto_bundle::CHAIN, reason.clone()),
            Self::Bundle(BundleError::Missing(resource) | BundleError::Digest(resource)) => {
                blamed(resource, self.to_string())
            }
            Self::Bundle(_) | Self::Placeholders(_) | Self::Quota(_) | Self::Broken => Vec::new(),
        };
        rejections.truncate(REJECTIONS);
        for rejection in &mut rejections {
            rejection.resource = cut(&rejection.resource, creto_bundle::MAX_NAME).to_owned();
            rejection.reason = cut(&rejection.reason, REASON).to_owned();
        }
        rejections
    }

    /// Whether a delta does not fit what the sidecar has, or could not be looked at: sent whole it may do.
    pub(crate) fn is_misfit(&self) -> bool {
        matches!(self, Self::Bundle(BundleError::Missing(_)) | Self::Broken)
    }

    /// In words, for a `Nack`.
    pub(crate) fn reason(&self) -> String {
        cut(&self.to_string(), REASON).to_owned()
    }
}

fn rendered(rejections: &[Rejection]) -> String {
    let words = rejections.iter().map(|one| format!("{} does not compile:\n{}", one.resource, one.reason));
    words.collect::<Vec<_>>().join("\n")
}
