//! Verifying a whole chain of signed links, once, before it is minted into its compact form.

use ed25519_dalek::{Signature, VerifyingKey};
use thiserror::Error;

use crate::{AgentId, MAX_LINK_LIFETIME_S, MAX_LINKS, PermissionError, Scope, SignedLink};

/// Longest audience, in bytes.
const MAX_AUDIENCE_BYTES: usize = 63;

/// What is known of a delegator: its key, and whether it may begin a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DelegatorKey {
    /// Ed25519, 32 bytes.
    pub public_key: [u8; 32],
    /// Whether it may sign the first link.
    pub root: bool,
}

/// Why a chain of links does not hold: which link, and what of it.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("link {link} of the delegation: {problem}")]
pub struct LinkError {
    /// Counts from 1; 0 for the chain as a whole is never used: an empty or over-long chain names its first bad link.
    pub link: usize,
    /// What is wrong.
    pub problem: LinkProblem,
}

/// What can be wrong with a link.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum LinkProblem {
    /// No links at all.
    #[error("is missing: send at least one link, the first signed by a root key")]
    Missing,
    /// More than 8.
    #[error(
        "is one too many: a chain has at most {MAX_LINKS} links; delegate from someone nearer to the root"
    )]
    TooDeep,
    /// The delegator is not registered (any more).
    #[error(
        "its delegator {0} is not registered and active in this namespace: create it, or delegate from one that is"
    )]
    UnknownDelegator(AgentId),
    /// The registry gave a key that does not belong to the id.
    #[error("the registered key of its delegator {0} does not hash to that id: register the key again")]
    KeyMismatch(AgentId),
    /// The first delegator may not begin a chain.
    #[error("its delegator {0} is no root: the first link is signed by an agent registered as root")]
    NotRoot(AgentId),
    /// Not delegated by the agent of the link before.
    #[error("its delegator is not the agent of the link before it: put the links in order, root first")]
    Unconnected,
    /// An agent stands twice in the chain, or delegates to itself.
    #[error("its agent {0} already stands in the chain: delegate to someone new")]
    Loop(AgentId),
    /// The signature does not hold.
    #[error("its signature does not hold: sign exactly these fields with the delegator's current key")]
    Signature,
    /// For another namespace.
    #[error("it is for namespace `{found}`, not `{wanted}`: sign a link for this namespace")]
    Audience {
        /// What the link says.
        found: Box<str>,
        /// Where it was shown.
        wanted: Box<str>,
    },
    /// A permission is wrong.
    #[error("{0}")]
    Permission(#[from] PermissionError),
    /// Permits what the link before does not.
    #[error("permission `{0}` is not covered by the link before it: a link may only narrow")]
    Widened(Box<str>),
    /// Lives longer than the link before.
    #[error("it expires at {found}, after the link before it ({limit}): a link may only shorten")]
    OutlivesParent {
        /// Seconds since the Unix epoch.
        found: u64,
        /// Seconds since the Unix epoch.
        limit: u64,
    },
    /// Ends before it begins, or lives too long.
    #[error("it must expire after it begins, and within {} days of that", MAX_LINK_LIFETIME_S / 86_400)]
    Lifetime,
    /// Not yet.
    #[error(
        "it begins at {0} seconds since the Unix epoch, which is still to come: wait, or check the clocks"
    )]
    NotYet(u64),
    /// Over.
    #[error("it expired at {0} seconds since the Unix epoch: ask the delegator for a new one")]
    Expired(u64),
    /// A nonce stands twice.
    #[error("its nonce stands in another link of the chain too: sign it again with 16 fresh random bytes")]
    NonceRepeated,
}

/// One link of a chain that holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedLink {
    /// Who may act.
    pub agent_id: AgentId,
    /// Until then, seconds since the Unix epoch.
    pub expires_at_s: u64,
    /// What it permits.
    pub scope: Scope,
    /// SHA-256 of the signed link: revoking it ends everything after it.
    pub id: [u8; 32],
}

/// A chain of links that holds, made by [`verify_links`] only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedDelegation {
    root: AgentId,
    links: Vec<VerifiedLink>,
    last: VerifiedLink,
}

impl VerifiedDelegation {
    /// Who began the chain.
    #[must_use]
    pub fn root(&self) -> &AgentId {
        &self.root
    }

    /// Who may act under it: the agent of the last link.
    #[must_use]
    pub fn holder(&self) -> &AgentId {
        &self.last.agent_id
    }

    /// What it permits: the scope of the last link.
    #[must_use]
    pub fn scope(&self) -> &Scope {
        &self.last.scope
    }

    /// When it ends, seconds since the Unix epoch: the earliest of its links.
    #[must_use]
    pub fn expires_at_s(&self) -> u64 {
        self.last.expires_at_s
    }

    /// Its id: that of the last link.
    #[must_use]
    pub fn id(&self) -> &[u8; 32] {
        &self.last.id
    }

    /// All links, root first: 1 to 8.
    #[must_use]
    pub fn links(&self) -> &[VerifiedLink] {
        &self.links
    }
}

/// Verifies a chain of links, root first.
///
/// `audience` is the namespace it is shown in, `now_s` seconds since the Unix epoch, and `keys` the registered and
/// active delegators: none for one that is unknown, suspended or revoked.
///
/// # Errors
/// [`LinkError`] for the first link that does not hold.
pub fn verify_links(
    links: &[SignedLink],
    audience: &str,
    now_s: u64,
    keys: impl Fn(&AgentId) -> Option<DelegatorKey>,
) -> Result<VerifiedDelegation, LinkError> {
    if links.len() > MAX_LINKS {
        return Err(LinkError { link: MAX_LINKS + 1, problem: LinkProblem::TooDeep });
    }
    let mut verified: Vec<VerifiedLink> = Vec::with_capacity(links.len());
    for (at, signed) in links.iter().enumerate() {
        let next = verify_one(signed, &links[..at], verified.last(), (audience, now_s), &keys)
            .map_err(|problem| LinkError { link: at + 1, problem })?;
        verified.push(next);
    }
    match (links.first(), verified.last().cloned()) {
        (Some(first), Some(last)) => {
            Ok(VerifiedDelegation { root: first.link.delegator_id, links: verified, last })
        }
        _ => Err(LinkError { link: 1, problem: LinkProblem::Missing }),
    }
}

/// Cheap checks first: a signature is only verified for what would hold otherwise.
fn verify_one(
    signed: &SignedLink,
    before: &[SignedLink],
    parent: Option<&VerifiedLink>,
    (audience, now_s): (&str, u64),
    keys: &impl Fn(&AgentId) -> Option<DelegatorKey>,
) -> Result<VerifiedLink, LinkProblem> {
    let link = &signed.link;
    if link.audience != audience {
        let shown = link.audience.chars().take(MAX_AUDIENCE_BYTES).collect::<String>();
        return Err(LinkProblem::Audience { found: shown.into(), wanted: audience.into() });
    }
    if parent.is_some_and(|parent| parent.agent_id != link.delegator_id) {
        return Err(LinkProblem::Unconnected);
    }
    let stands_before = |id: &AgentId| before.iter().any(|earlier| earlier.link.delegator_id == *id);
    if link.agent_id == link.delegator_id || stands_before(&link.agent_id) {
        return Err(LinkProblem::Loop(link.agent_id));
    }
    if before.iter().any(|earlier| earlier.link.nonce == link.nonce) {
        return Err(LinkProblem::NonceRepeated);
    }
    let lifetime = link.expires_at_s.checked_sub(link.not_before_s);
    if !lifetime.is_some_and(|life| life > 0 && life <= MAX_LINK_LIFETIME_S) {
        return Err(LinkProblem::Lifetime);
    }
    if let Some(parent) = parent
        && link.expires_at_s > parent.expires_at_s
    {
        return Err(LinkProblem::OutlivesParent { found: link.expires_at_s, limit: parent.expires_at_s });
    }
    if now_s < link.not_before_s {
        return Err(LinkProblem::NotYet(link.not_before_s));
    }
    if now_s >= link.expires_at_s {
        return Err(LinkProblem::Expired(link.expires_at_s));
    }
    let scope = Scope::parse(&link.permissions)?;
    if let Some(wider) = parent.and_then(|parent| parent.scope.uncovered(&scope)) {
        return Err(LinkProblem::Widened(wider.as_str().into()));
    }
    let delegator = keys(&link.delegator_id).ok_or(LinkProblem::UnknownDelegator(link.delegator_id))?;
    if AgentId::of_key(&delegator.public_key) != link.delegator_id {
        return Err(LinkProblem::KeyMismatch(link.delegator_id));
    }
    if parent.is_none() && !delegator.root {
        return Err(LinkProblem::NotRoot(link.delegator_id));
    }
    let key = VerifyingKey::from_bytes(&delegator.public_key).map_err(|_| LinkProblem::Signature)?;
    // Strict: neither keys of small order nor signatures that only some verifiers take.
    key.verify_strict(&link.signed_bytes(), &Signature::from_bytes(&signed.signature))
        .map_err(|_| LinkProblem::Signature)?;
    Ok(VerifiedLink { agent_id: link.agent_id, expires_at_s: link.expires_at_s, scope, id: signed.id() })
}
