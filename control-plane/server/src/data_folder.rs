//! The files of a control plane.

use std::fs::{DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io::{ErrorKind, Write as _};
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use creto_identity::{CertificateAuthority, SecretToken, random_bytes};
use creto_secrets::KeyRing;
use zeroize::Zeroizing;

use crate::StartError;

const DATABASE: &str = "creto.db";
const EVENTS: &str = "events";
const QUOTAS: &str = "quota.db";
const QUOTA_NAMESPACES: &str = "quota.namespaces";
const BILLS: &str = "billing.db";
const INVOICE_KEY: &str = "invoice.key";
const APPROVALS: &str = "approvals.db";
/// The accounts of people.
pub(crate) const PEOPLE: &str = "people.db";
const APPROVAL_KEY: &str = "approval.key";
const AUTHORITY: &str = "ca.pem";
const AUTHORITY_KEY: &str = "ca.key";
const SERVER: &str = "server.pem";
const SERVER_KEY: &str = "server.key";
const BUNDLE_KEY: &str = "bundle.key";
const CHAIN_KEY: &str = "chain.key";
const SECRETS_KEY: &str = "secrets.key";
const OPERATOR_TOKEN: &str = "operator.token";
const ADDRESS: &str = "control-plane.json";
const LOCK: &str = "lock";

/// Mode of what only its owner may read.
const SECRET: u32 = 0o600;
/// Mode of what everyone may read.
const PUBLIC: u32 = 0o644;

/// The folder, held by this process alone.
pub(crate) struct DataFolder {
    folder: PathBuf,
    // Its lock ends with the process, however that ends.
    _lock: File,
}

/// The keys that sidecars trust; they last as long as the database.
pub(crate) struct Keys {
    pub(crate) authority: CertificateAuthority,
    pub(crate) bundle_seed: Zeroizing<[u8; 32]>,
    pub(crate) chain_master: Zeroizing<[u8; 32]>,
}

impl DataFolder {
    /// Takes the folder, making it (mode 0700) if it is not there.
    pub(crate) fn take(folder: &Path) -> Result<Self, StartError> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .map_err(|source| failed(folder, source))?;
        let path = folder.join(LOCK);
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(SECRET)
            .open(&path)
            .map_err(|source| failed(&path, source))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { folder: folder.into(), _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(StartError::InUse(folder.into())),
            Err(TryLockError::Error(source)) => Err(failed(&path, source)),
        }
    }

    /// Where the database is.
    pub(crate) fn database(&self) -> PathBuf {
        self.folder.join(DATABASE)
    }

    /// Where events of metering are kept, unless PostgreSQL keeps them.
    pub(crate) fn events(&self) -> PathBuf {
        self.folder.join(EVENTS)
    }

    /// Where leases of quotas are kept, unless Redis keeps them.
    pub(crate) fn quotas(&self) -> PathBuf {
        self.folder.join(QUOTAS)
    }

    /// Where it is kept in which namespaces quotas were ever used.
    pub(crate) fn quota_namespaces(&self) -> PathBuf {
        self.folder.join(QUOTA_NAMESPACES)
    }

    /// Where bills are kept, unless PostgreSQL keeps them.
    pub(crate) fn bills(&self) -> PathBuf {
        self.folder.join(BILLS)
    }

    /// Where the key of invoices is. It is made where it is used first; beside bills that it signed it is not made anew,
    /// for whoever has its public key trusts no other.
    pub(crate) fn invoice_key(&self, bills_are_here: bool) -> Result<PathBuf, StartError> {
        let (bills, path) = (self.bills(), self.folder.join(INVOICE_KEY));
        let there = |path: &Path| path.try_exists().map_err(|source| failed(path, source));
        if bills_are_here && there(&bills)? && !there(&path)? {
            return Err(StartError::InvoiceKeyMissing(path));
        }
        Ok(path)
    }

    /// Where requests for approval are kept, unless PostgreSQL keeps them.
    pub(crate) fn approvals(&self) -> PathBuf {
        self.folder.join(APPROVALS)
    }

    /// Where people who sign in are kept, unless PostgreSQL keeps them.
    pub(crate) fn people(&self) -> PathBuf {
        self.folder.join(PEOPLE)
    }

    /// The seed of the key that signs grants; made if it is missing, which a folder of an earlier version is. Sidecars are sent
    /// its public half, and a grant is for the next seconds: another key costs nothing but those.
    pub(crate) fn approval_seed(&self) -> Result<Zeroizing<[u8; 32]>, StartError> {
        self.secret(APPROVAL_KEY, true)
    }

    /// Loads the keys; makes them at the first start only, which is one without a database.
    pub(crate) fn keys(&self) -> Result<Keys, StartError> {
        let database = self.database();
        let first_start = !database.try_exists().map_err(|source| failed(&database, source))?;
        if first_start && self.read(AUTHORITY_KEY)?.is_none() {
            let made = CertificateAuthority::generate()?;
            // The key comes last: while it is missing, the pair is made again.
            self.write(AUTHORITY, made.certificate_pem.as_bytes(), PUBLIC)?;
            self.write(AUTHORITY_KEY, made.key_pem.as_bytes(), SECRET)?;
        }
        let certificate = self.required(AUTHORITY)?;
        let key = Zeroizing::new(self.required(AUTHORITY_KEY)?);
        let authority = CertificateAuthority::load(certificate, &key)
            .map_err(|_| StartError::KeyDamaged(self.folder.join(AUTHORITY_KEY)))?;
        Ok(Keys {
            authority,
            bundle_seed: self.secret(BUNDLE_KEY, first_start)?,
            chain_master: self.secret(CHAIN_KEY, first_start)?,
        })
    }

    /// The keys of secrets. One is made if the file is missing, unless the database holds secrets that need it: a
    /// folder of an earlier version has a database and no such key.
    pub(crate) fn secrets_keys(&self, any_secret: bool) -> Result<KeyRing, StartError> {
        let path = self.folder.join(SECRETS_KEY);
        let text = match self.read(SECRETS_KEY)?.map(Zeroizing::new) {
            Some(text) => {
                // Whoever added a line may have written it anew, for all to read.
                std::fs::set_permissions(&path, Permissions::from_mode(SECRET))
                    .map_err(|source| failed(&path, source))?;
                text
            }
            None if any_secret => return Err(StartError::SecretsKeyMissing(path)),
            None => {
                let bytes = Zeroizing::new(random_bytes::<32>()?);
                let mut text = Zeroizing::new(hex::encode(bytes.as_slice()));
                text.push('\n');
                self.write(SECRETS_KEY, text.as_bytes(), SECRET)?;
                text
            }
        };
        KeyRing::parse(&text).map_err(|source| StartError::SecretsKeys { path, source })
    }

    /// The operator token's file; made if it is missing.
    pub(crate) fn operator_token(&self) -> Result<Zeroizing<String>, StartError> {
        if let Some(text) = self.read(OPERATOR_TOKEN)? {
            let text = Zeroizing::new(text);
            let token = text.trim();
            if !token.is_empty() {
                return Ok(Zeroizing::new(token.to_owned()));
            }
        }
        let token = SecretToken::random()?;
        self.write(OPERATOR_TOKEN, format!("{}\n", token.text()).as_bytes(), SECRET)?;
        Ok(Zeroizing::new(token.text().to_owned()))
    }

    /// Writes the server's certificate and key, for those who look.
    pub(crate) fn keep_server(&self, certificate_pem: &str, key_pem: &str) -> Result<(), StartError> {
        self.write(SERVER, certificate_pem.as_bytes(), PUBLIC)?;
        self.write(SERVER_KEY, key_pem.as_bytes(), SECRET)
    }

    /// Tells where the control plane listens.
    pub(crate) fn announce(&self, address: SocketAddr) -> Result<(), StartError> {
        let text = serde_json::json!({
            "address": format!("https://{}", reachable(address)),
            "pid": std::process::id(),
        });
        self.write(ADDRESS, format!("{text}\n").as_bytes(), PUBLIC)
    }

    /// Takes back what [`Self::announce`] wrote.
    pub(crate) fn withdraw(&self) {
        let path = self.folder.join(ADDRESS);
        if let Err(error) = std::fs::remove_file(&path)
            && error.kind() != ErrorKind::NotFound
        {
            tracing::warn!(path = %path.display(), %error, "the file that tells the address is not removed");
        }
    }

    fn secret(&self, name: &str, first_start: bool) -> Result<Zeroizing<[u8; 32]>, StartError> {
        let path = self.folder.join(name);
        match self.read(name)? {
            Some(text) => {
                let mut bytes = Zeroizing::new([0; 32]);
                hex::decode_to_slice(Zeroizing::new(text).trim(), bytes.as_mut_slice())
                    .map_err(|_| StartError::KeyDamaged(path))?;
                Ok(bytes)
            }
            None if first_start => {
                let bytes = Zeroizing::new(random_bytes::<32>()?);
                let text = Zeroizing::new(format!("{}\n", hex::encode(bytes.as_slice())));
                self.write(name, text.as_bytes(), SECRET)?;
                Ok(bytes)
            }
            None => Err(StartError::KeyMissing(path)),
        }
    }

    fn required(&self, name: &str) -> Result<String, StartError> {
        self.read(name)?.ok_or_else(|| StartError::KeyMissing(self.folder.join(name)))
    }

    fn read(&self, name: &str) -> Result<Option<String>, StartError> {
        let path = self.folder.join(name);
        match std::fs::read_to_string(&path) {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) if error.kind() == ErrorKind::InvalidData => Err(StartError::KeyDamaged(path)),
            Err(source) => Err(failed(&path, source)),
        }
    }

    /// Whole or not at all: a new file, synced, renamed over the old one.
    fn write(&self, name: &str, bytes: &[u8], mode: u32) -> Result<(), StartError> {
        let path = self.folder.join(name);
        let fresh = self.folder.join(format!("{name}.new"));
        let written = (|| {
            let mut file =
                OpenOptions::new().create(true).truncate(true).write(true).mode(mode).open(&fresh)?;
            // A left-over of a crash keeps the mode it had.
            file.set_permissions(Permissions::from_mode(mode))?;
            file.write_all(bytes)?;
            file.sync_all()?;
            std::fs::rename(&fresh, &path)?;
            File::open(&self.folder)?.sync_all()
        })();
        written.map_err(|source| failed(&path, source))
    }
}

/// An address clients can use: the loopback one where any address is listened on.
pub(crate) fn reachable(address: SocketAddr) -> SocketAddr {
    let mut reachable = address;
    if address.ip().is_unspecified() {
        reachable.set_ip(if address.is_ipv4() {
            std::net::Ipv4Addr::LOCALHOST.into()
        } else {
            std::net::Ipv6Addr::LOCALHOST.into()
        });
    }
    reachable
}

fn failed(path: &Path, source: std::io::Error) -> StartError {
    StartError::File { path: path.into(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_last_and_are_for_their_owner_only() {
        let folder = tempfile::tempdir().unwrap();
        let data = DataFolder::take(&folder.path().join("data")).unwrap();
        let first = data.keys().unwrap();
        std::fs::write(data.database(), "").unwrap();
        let second = data.keys().unwrap();
        assert_eq!(*first.bundle_seed, *second.bundle_seed);
        assert_eq!(*first.chain_master, *second.chain_master);
        assert_eq!(first.authority.certificate_pem(), second.authority.certificate_pem());
        assert_eq!(*data.operator_token().unwrap(), *data.operator_token().unwrap());
        assert_eq!(*data.approval_seed().unwrap(), *data.approval_seed().unwrap());
        for secret in [AUTHORITY_KEY, BUNDLE_KEY, CHAIN_KEY, OPERATOR_TOKEN, APPROVAL_KEY] {
            let mode =
                std::fs::metadata(folder.path().join("data").join(secret)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{secret}");
        }
    }

    #[test]
    fn a_key_missing_beside_a_database_is_not_made_anew() {
        let folder = tempfile::tempdir().unwrap();
        let data = DataFolder::take(folder.path()).unwrap();
        data.keys().unwrap();
        std::fs::write(data.database(), "").unwrap();
        for missing in [AUTHORITY, AUTHORITY_KEY, BUNDLE_KEY, CHAIN_KEY] {
            let path = folder.path().join(missing);
            let kept = std::fs::read(&path).unwrap();
            std::fs::remove_file(&path).unwrap();
            assert!(matches!(data.keys(), Err(StartError::KeyMissing(_))), "{missing}");
            std::fs::write(&path, "damaged").unwrap();
            assert!(
                missing == AUTHORITY || matches!(data.keys(), Err(StartError::KeyDamaged(_))),
                "{missing}"
            );
            std::fs::write(&path, kept).unwrap();
        }
        assert!(data.keys().is_ok());
    }

    #[test]
    fn the_key_of_secrets_is_made_while_there_are_none_and_never_again() {
        let folder = tempfile::tempdir().unwrap();
        let data = DataFolder::take(folder.path()).unwrap();
        let path = folder.path().join(SECRETS_KEY);
        // A folder of an earlier version: a database, no key, no secrets.
        std::fs::write(data.database(), "").unwrap();
        let made = format!("{:?}", data.secrets_keys(false).unwrap());
        std::fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        assert_eq!(format!("{:?}", data.secrets_keys(true).unwrap()), made);
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let kept = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, format!("{}\n{kept}", "7".repeat(64))).unwrap();
        let rotated = format!("{:?}", data.secrets_keys(true).unwrap());
        assert!(rotated != made && rotated.contains("1 older"), "{rotated}");
        std::fs::write(&path, format!("{kept}nonsense\n")).unwrap();
        let refused = data.secrets_keys(true).unwrap_err().to_string();
        assert!(refused.contains("secrets.key: line 2 is not a key"), "{refused}");
        assert!(!refused.contains(kept.trim()), "no key is shown");
        std::fs::remove_file(&path).unwrap();
        assert!(matches!(data.secrets_keys(true), Err(StartError::SecretsKeyMissing(_))));
        assert!(!path.try_exists().unwrap());
    }

    #[test]
    fn a_folder_is_held_by_one_control_plane() {
        let folder = tempfile::tempdir().unwrap();
        let held = DataFolder::take(folder.path()).unwrap();
        assert!(matches!(DataFolder::take(folder.path()), Err(StartError::InUse(_))));
        drop(held);
        assert!(DataFolder::take(folder.path()).is_ok());
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_told_with_its_path() {
        let error = DataFolder::take(Path::new("/proc/none")).err().unwrap();
        assert!(error.to_string().starts_with("/proc/none: "), "{error}");
    }
}
