//! Links between their API form and the one that is verified.

use creto_authz::{AgentId, Link, MAX_LINKS, SignedLink};
use creto_proto::v1::{Delegation, DelegationLink};
use creto_store::StoreError;
use prost::Message as _;

use crate::IdentityError;

/// Reads links as sent. Only their shape is checked here.
pub(crate) fn read(links: Vec<DelegationLink>) -> Result<Vec<SignedLink>, IdentityError> {
    if links.is_empty() || links.len() > MAX_LINKS {
        return Err(IdentityError::invalid("links", format!("send 1 to {MAX_LINKS} links, root first")));
    }
    links.into_iter().map(read_one).collect()
}

fn read_one(link: DelegationLink) -> Result<SignedLink, IdentityError> {
    Ok(SignedLink {
        link: Link {
            delegator_id: AgentId(sized("links.delegator_id", &link.delegator_id)?),
            agent_id: AgentId(sized("links.agent_id", &link.agent_id)?),
            permissions: link.permissions,
            audience: link.audience,
            not_before_s: link.not_before_s,
            expires_at_s: link.expires_at_s,
            nonce: sized("links.nonce", &link.nonce)?,
        },
        signature: sized("links.signature", &link.signature)?,
    })
}

/// Bytes of a fixed length out of a field.
pub(crate) fn sized<const N: usize>(field: &'static str, bytes: &[u8]) -> Result<[u8; N], IdentityError> {
    bytes.try_into().map_err(|_| IdentityError::invalid(field, format!("send exactly {N} bytes")))
}

fn message(signed: &SignedLink) -> DelegationLink {
    DelegationLink {
        delegator_id: signed.link.delegator_id.0.to_vec(),
        agent_id: signed.link.agent_id.0.to_vec(),
        permissions: signed.link.permissions.clone(),
        audience: signed.link.audience.clone(),
        not_before_s: signed.link.not_before_s,
        expires_at_s: signed.link.expires_at_s,
        nonce: signed.link.nonce.to_vec(),
        signature: signed.signature.to_vec(),
    }
}

/// The form links are kept in: a `Delegation` message with nothing but links.
pub(crate) fn encode(links: &[SignedLink]) -> Vec<u8> {
    Delegation { links: links.iter().map(message).collect(), ..Delegation::default() }.encode_to_vec()
}

/// Links as kept, in their API form.
pub(crate) fn decode(bytes: &[u8]) -> Result<Vec<DelegationLink>, IdentityError> {
    let damaged = |_| IdentityError::Store(StoreError::Damaged("delegations.links does not decode".into()));
    Delegation::decode(bytes).map(|kept| kept.links).map_err(damaged)
}
