//! The control plane's certificate authority: its own server certificate and those of sidecars.

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, PKCS_ED25519, PublicKeyData, SerialNumber, SignatureAlgorithm, date_time_ymd,
};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::{IdentityError, now_s, random_bytes};

const NAME: &str = "Creto control plane CA";
/// Years the authority and the sidecars' certificates last. Sidecars are cut off in the store, not by expiry.
const LONG_YEARS: i32 = 10;
/// Years a server certificate lasts; each start issues another.
const SERVER_YEARS: i32 = 2;
const SECONDS_A_YEAR: u64 = 31_556_952;

/// SHA-256 over a certificate's DER.
#[must_use]
pub fn fingerprint(certificate_der: &[u8]) -> [u8; 32] {
    Sha256::digest(certificate_der).into()
}

/// A certificate with its key, both PEM.
pub struct IssuedCertificate {
    /// The certificate.
    pub certificate_pem: String,
    /// PKCS#8.
    pub key_pem: Zeroizing<String>,
}

/// Issues certificates under one ECDSA P-256 key.
pub struct CertificateAuthority {
    issuer: Issuer<'static, KeyPair>,
    certificate_pem: String,
}

impl CertificateAuthority {
    /// Makes a new authority; the PEM texts are what [`Self::load`] takes.
    ///
    /// # Errors
    /// [`IdentityError::Certificate`] or [`IdentityError::Random`].
    pub fn generate() -> Result<IssuedCertificate, IdentityError> {
        let key = KeyPair::generate()?;
        let certificate = authority_params(current_year())?.self_signed(&key)?;
        Ok(IssuedCertificate {
            certificate_pem: certificate.pem(),
            key_pem: Zeroizing::new(key.serialize_pem()),
        })
    }

    /// Takes up an authority made by [`Self::generate`].
    ///
    /// # Errors
    /// [`IdentityError::Certificate`] when the key does not load.
    pub fn load(certificate_pem: String, key_pem: &str) -> Result<Self, IdentityError> {
        let key = KeyPair::from_pem(key_pem)?;
        // Of the authority's certificate an issuer needs its name and key only.
        let issuer = Issuer::new(authority_params(current_year())?, key);
        Ok(Self { issuer, certificate_pem })
    }

    /// The authority's own certificate.
    #[must_use]
    pub fn certificate_pem(&self) -> &str {
        &self.certificate_pem
    }

    /// A certificate with a new key for a server under these names and addresses.
    ///
    /// # Errors
    /// [`IdentityError::Certificate`] for a name that is none.
    pub fn issue_server(&self, names: &[String]) -> Result<IssuedCertificate, IdentityError> {
        let key = KeyPair::generate()?;
        let mut params = leaf("Creto control plane", names.to_vec(), SERVER_YEARS)?;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let certificate = params.signed_by(&key, &self.issuer)?;
        Ok(IssuedCertificate {
            certificate_pem: certificate.pem(),
            key_pem: Zeroizing::new(key.serialize_pem()),
        })
    }

    /// A client certificate (DER) for a sidecar's Ed25519 key.
    ///
    /// # Errors
    /// [`IdentityError::Certificate`] or [`IdentityError::Random`].
    pub fn issue_sidecar(&self, sidecar_id: &str, public_key: &[u8; 32]) -> Result<Vec<u8>, IdentityError> {
        let mut params = leaf(sidecar_id, Vec::new(), LONG_YEARS)?;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let certificate = params.signed_by(&SidecarKey(*public_key), &self.issuer)?;
        Ok(certificate.der().to_vec())
    }
}

/// The public half of a sidecar's key; the private half never leaves the sidecar.
struct SidecarKey([u8; 32]);

impl PublicKeyData for SidecarKey {
    fn der_bytes(&self) -> &[u8] {
        &self.0
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &PKCS_ED25519
    }
}

fn authority_params(year: i32) -> Result<CertificateParams, IdentityError> {
    let mut params = named(NAME, Vec::new(), year, LONG_YEARS)?;
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    Ok(params)
}

fn leaf(name: &str, names: Vec<String>, years: i32) -> Result<CertificateParams, IdentityError> {
    let mut params = named(name, names, current_year(), years)?;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.use_authority_key_identifier_extension = true;
    Ok(params)
}

fn named(name: &str, names: Vec<String>, year: i32, years: i32) -> Result<CertificateParams, IdentityError> {
    let mut params = CertificateParams::new(names)?;
    let mut subject = DistinguishedName::new();
    subject.push(DnType::CommonName, name);
    params.distinguished_name = subject;
    // RFC 5280 section 4.1.2.2: at most 20 octets, positive.
    let mut serial = random_bytes::<16>()?;
    serial[0] &= 0x7f;
    params.serial_number = Some(SerialNumber::from_slice(&serial));
    // A year back, so that a clock that is behind does not refuse it.
    params.not_before = date_time_ymd(year - 1, 1, 1);
    params.not_after = date_time_ymd(year + years, 1, 1);
    Ok(params)
}

fn current_year() -> i32 {
    1970 + i32::try_from(now_s() / SECONDS_A_YEAR).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_authority_loads_again_and_issues() {
        let made = CertificateAuthority::generate().unwrap();
        let authority = CertificateAuthority::load(made.certificate_pem.clone(), &made.key_pem).unwrap();
        assert_eq!(authority.certificate_pem(), made.certificate_pem);
        let server = authority.issue_server(&["localhost".into(), "127.0.0.1".into()]).unwrap();
        assert!(server.certificate_pem.starts_with("-----BEGIN CERTIFICATE-----"));
        let first = authority.issue_sidecar("one", &[7; 32]).unwrap();
        let second = authority.issue_sidecar("one", &[7; 32]).unwrap();
        assert_ne!(fingerprint(&first), fingerprint(&second), "serial numbers differ");
        assert!(CertificateAuthority::load(made.certificate_pem, "no key").is_err());
    }
}
