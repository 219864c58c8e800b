//! What the tests share.

use std::{
    io::{self, Write},
    path::PathBuf,
    sync::{Arc, OnceLock},
    time::{Duration, SystemTime},
};

use creto_credentials::{Credential, CredentialKind, InjectFault, Injection, Injector, SecretSource};
use http::{Request, request::Parts};
use parking_lot::Mutex;
use tempfile::TempDir;

/// A folder with secret files.
pub(crate) struct Secrets(TempDir);

impl Secrets {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Writes a secret file; its time of change is long ago, as that of a file at rest.
    pub(crate) fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, content).unwrap();
        let file = std::fs::File::options().write(true).open(&path).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_secs(60)).unwrap();
        path
    }

    /// A credential over a new file.
    pub(crate) fn credential(
        &self,
        name: &str,
        kind: CredentialKind,
        secret: impl AsRef<[u8]>,
    ) -> Credential {
        Credential::new(name, kind, SecretSource::File(self.file(name, secret)))
    }
}

pub(crate) fn injector() -> Injector {
    Injector::new(None, None, None)
}

pub(crate) async fn injection(
    kind: CredentialKind,
    secret: impl AsRef<[u8]>,
) -> Result<Injection, InjectFault> {
    let secrets = Secrets::new();
    injector().prepare(&secrets.credential("openai", kind, secret)).await
}

/// The head of a GET.
pub(crate) fn request(uri: &str, headers: &[(&str, &str)]) -> Parts {
    let mut request = Request::builder().uri(uri);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(()).unwrap().into_parts().0
}

pub(crate) fn header(name: &'static str) -> CredentialKind {
    CredentialKind::Header { name: http::HeaderName::from_static(name) }
}

/// What all tests of this process log.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    /// One for all: tracing remembers for the whole process whether anybody listens.
    pub(crate) fn start() -> Self {
        static LOG: OnceLock<Log> = OnceLock::new();
        let start = || {
            let log = Self::default();
            let writer = log.clone();
            let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone());
            tracing::subscriber::set_global_default(subscriber.finish()).unwrap();
            log
        };
        LOG.get_or_init(start).clone()
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.lock().clone()).unwrap()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
