//! A grant: signed proof that one use of an approval was given to one call.

use crate::encoding::{Malformed, Reader, Writer};
use crate::{ActionDigest, ApprovalKey, ApprovalSigner, Person, RequestId};

/// Bytes of a grant with its signature.
pub const MAX_GRANT_BYTES: usize = 32 * 1024;
const DOMAIN: &str = "creto-grant-v1";

/// One use of an approval, for one call of one sidecar.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// The request that was approved.
    pub request: RequestId,
    /// The namespace.
    pub namespace: String,
    /// The sidecar that may use it.
    pub sidecar: String,
    /// The id of the call that may use it.
    pub call: String,
    /// Exactly what may leave.
    pub digest: ActionDigest,
    /// The policy that held the call.
    pub policy: String,
    /// The rule in it.
    pub rule: String,
    /// Which use it is, from 1.
    pub number: u16,
    /// Who approved.
    pub by: Vec<Person>,
    /// When it was given, milliseconds since 1970.
    pub at_ms: u64,
    /// Nothing leaves under it at or after this instant.
    pub not_after_ms: u64,
}

/// A grant with its signature, as it travels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedGrant {
    /// The grant, encoded.
    pub content: Vec<u8>,
    /// Over the content.
    pub signature: Vec<u8>,
}

/// Why a grant lets nothing through.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum GrantError {
    /// Forged or changed.
    #[error("the grant is not signed by the approval service, or was changed since")]
    Signature,
    /// Signed and unreadable: of a newer version.
    #[error("the grant is of a format this sidecar does not know: upgrade the sidecar")]
    Format,
    /// Too long.
    #[error("the grant has {0} bytes: at most {MAX_GRANT_BYTES}")]
    Size(usize),
    /// For something else.
    #[error("the grant is for another {0}")]
    Another(&'static str),
    /// Too late.
    #[error("the grant ended at {0} (milliseconds since 1970)")]
    Lapsed(u64),
}

impl Grant {
    /// Signs it.
    #[must_use]
    pub fn sign(&self, signer: &ApprovalSigner) -> SignedGrant {
        let content = self.encode();
        let signature = signer.sign(&content).to_vec();
        SignedGrant { content, signature }
    }

    fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::new(DOMAIN);
        writer.bytes(1, &self.request.0);
        writer.text(2, &self.namespace);
        writer.text(3, &self.sidecar);
        writer.text(4, &self.call);
        writer.bytes(5, &self.digest.0);
        writer.text(6, &self.policy);
        writer.text(7, &self.rule);
        writer.number(8, u64::from(self.number));
        writer.number(9, self.at_ms);
        writer.number(10, self.not_after_ms);
        for person in &self.by {
            writer.text(11, person.as_str());
        }
        writer.finish()
    }

    fn decode(content: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(content, DOMAIN)?;
        let mut grant = Self {
            request: RequestId(reader.array(1)?),
            namespace: reader.text(2)?,
            sidecar: reader.text(3)?,
            call: reader.text(4)?,
            digest: ActionDigest(reader.array(5)?),
            policy: reader.text(6)?,
            rule: reader.text(7)?,
            number: u16::try_from(reader.number(8)?).map_err(|_| Malformed)?,
            at_ms: reader.number(9)?,
            not_after_ms: reader.number(10)?,
            by: Vec::new(),
        };
        while reader.next_is(11) {
            grant.by.push(reader.text(11)?.parse().map_err(|_| Malformed)?);
        }
        reader.end()?;
        Ok(grant)
    }
}

impl SignedGrant {
    /// The grant, if the approval service signed it.
    ///
    /// # Errors
    /// [`GrantError::Signature`], [`GrantError::Format`], [`GrantError::Size`].
    pub fn open(&self, key: &ApprovalKey) -> Result<Grant, GrantError> {
        let size = self.content.len() + self.signature.len();
        if size > MAX_GRANT_BYTES {
            return Err(GrantError::Size(size));
        }
        // Nothing is read before it is known whose it is.
        if !key.verifies(&self.content, &self.signature) {
            return Err(GrantError::Signature);
        }
        Grant::decode(&self.content).map_err(|Malformed| GrantError::Format)
    }
}

impl Grant {
    /// Whether it lets this call leave now.
    ///
    /// # Errors
    /// [`GrantError::Another`] for another sidecar, call or action; [`GrantError::Lapsed`].
    pub fn allows(
        &self,
        (sidecar, call): (&str, &str),
        digest: ActionDigest,
        now_ms: u64,
    ) -> Result<(), GrantError> {
        if self.sidecar != sidecar {
            return Err(GrantError::Another("sidecar"));
        }
        if self.call != call {
            return Err(GrantError::Another("call"));
        }
        if self.digest != digest {
            return Err(GrantError::Another("action"));
        }
        if now_ms >= self.not_after_ms {
            return Err(GrantError::Lapsed(self.not_after_ms));
        }
        Ok(())
    }
}
