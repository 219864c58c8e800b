//! The certificate authority of one sidecar. Its key never leaves the state folder; only its own agent trusts it.

use std::fs;
use std::io::Write as _;
use std::net::IpAddr;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, SanType,
};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use time::OffsetDateTime;
use zeroize::Zeroizing;

use crate::TlsError;

const CERTIFICATE: &str = "ca.pem";
const KEY: &str = "ca.key";
const LIFE: Duration = Duration::from_secs(365 * 86_400);
/// An authority this old is replaced at start, so that none ends while it serves.
const RENEW_AFTER: Duration = Duration::from_secs(270 * 86_400);
/// Clocks differ: certificates hold from an hour ago.
const BACKDATE: Duration = Duration::from_secs(3600);
/// Below the 398 days that clients accept; `interception` mints anew long before.
const LEAF_LIFE: Duration = Duration::from_secs(90 * 86_400);

/// Makes certificates for the names an agent calls.
pub struct InterceptionAuthority {
    issuer: Issuer<'static, KeyPair>,
    certificate: CertificateDer<'static>,
    // One key serves every leaf: making a key a name would cost more and protect nothing, all lie in one process.
    leaf_key: KeyPair,
    provider: Arc<CryptoProvider>,
}

impl std::fmt::Debug for InterceptionAuthority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("InterceptionAuthority")
    }
}

impl InterceptionAuthority {
    /// Loads the authority from `ca.pem` and `ca.key` in `folder`, or makes it there (key mode 0600).
    /// `owner` names it, so that a person who finds it in a trust store knows whose it is.
    ///
    /// # Errors
    /// [`TlsError`] when files cannot be read, written or understood.
    pub fn load_or_make(folder: &Path, owner: &str, provider: Arc<CryptoProvider>) -> Result<Self, TlsError> {
        let certificate_path = folder.join(CERTIFICATE);
        let key_path = folder.join(KEY);
        let fresh = fs::metadata(&certificate_path)
            .and_then(|meta| meta.modified())
            .is_ok_and(|made| SystemTime::now().duration_since(made).is_ok_and(|age| age < RENEW_AFTER));
        let (key, pem) = if fresh {
            let key_pem = Zeroizing::new(fs::read_to_string(&key_path).map_err(TlsError::file(&key_path))?);
            let key = KeyPair::from_pem(&key_pem).map_err(|error| TlsError::Pem {
                path: key_path.clone(),
                wanted: "a private key",
                reason: error.to_string(),
            })?;
            let pem = fs::read_to_string(&certificate_path).map_err(TlsError::file(&certificate_path))?;
            (key, pem)
        } else {
            let mint =
                |error: rcgen::Error| TlsError::Mint { name: owner.to_owned(), reason: error.to_string() };
            let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(mint)?;
            let pem = authority_params(owner).self_signed(&key).map_err(mint)?.pem();
            write_private(&key_path, Zeroizing::new(key.serialize_pem()).as_bytes())?;
            fs::write(&certificate_path, &pem).map_err(TlsError::file(&certificate_path))?;
            (key, pem)
        };
        let certificate = first_certificate(&certificate_path, &pem)?;
        let leaf_key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)
            .map_err(|error| TlsError::Mint { name: owner.to_owned(), reason: error.to_string() })?;
        Ok(Self { issuer: Issuer::new(authority_params(owner), key), certificate, leaf_key, provider })
    }

    /// A certificate for a name or an address, with this authority's own behind it.
    ///
    /// # Errors
    /// [`TlsError::Mint`] for what no certificate can name.
    pub fn mint(&self, host: &str) -> Result<CertifiedKey, TlsError> {
        let failed = |reason: String| TlsError::Mint { name: host.to_owned(), reason };
        let mut params = CertificateParams::default();
        params.subject_alt_names = vec![match host.parse::<IpAddr>() {
            Ok(address) => SanType::IpAddress(address),
            Err(_) => SanType::DnsName(host.try_into().map_err(|e: rcgen::Error| failed(e.to_string()))?),
        }];
        params.distinguished_name = DistinguishedName::new();
        // RFC 5280 bounds the common name at 64 characters; the name that counts is the alternative one.
        if host.len() <= 64 {
            params.distinguished_name.push(DnType::CommonName, host);
        }
        let now = SystemTime::now();
        params.not_before = OffsetDateTime::from(now - BACKDATE);
        params.not_after = OffsetDateTime::from(now + LEAF_LIFE);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        let leaf = params.signed_by(&self.leaf_key, &self.issuer).map_err(|e| failed(e.to_string()))?;
        let key = PrivateKeyDer::try_from(self.leaf_key.serialize_der()).map_err(|e| failed(e.to_owned()))?;
        let chain = vec![leaf.der().clone(), self.certificate.clone()];
        Ok(CertifiedKey::from_der(chain, key, &self.provider)?)
    }

    /// The authority's certificate: what the agent must trust.
    #[must_use]
    pub fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }
}

// The issuer is rebuilt from the same name and key at every start: that is all an issued certificate refers to.
fn authority_params(owner: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::OrganizationName, "Creto");
    let shown: String = owner.chars().take(40).collect();
    params.distinguished_name.push(DnType::CommonName, format!("Creto sidecar {shown}"));
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let now = SystemTime::now();
    params.not_before = OffsetDateTime::from(now - BACKDATE);
    params.not_after = OffsetDateTime::from(now + LIFE);
    params
}

pub(crate) fn first_certificate(path: &Path, pem: &str) -> Result<CertificateDer<'static>, TlsError> {
    use rustls::pki_types::pem::PemObject as _;
    CertificateDer::from_pem_slice(pem.as_bytes()).map_err(|error| TlsError::Pem {
        path: path.to_owned(),
        wanted: "a certificate",
        reason: error.to_string(),
    })
}

fn write_private(path: &Path, bytes: &[u8]) -> Result<(), TlsError> {
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
        .map_err(TlsError::file(path))?;
    file.write_all(bytes).map_err(TlsError::file(path))
}
