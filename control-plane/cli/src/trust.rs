//! What an agent under a sidecar trusts: the system's authorities and the sidecar's own.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::process::Command;

use crate::failure::{Failure, Outcome};

/// Where systems keep their authorities in one file.
const SYSTEM: [&str; 6] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/cert.pem",
    "/usr/local/share/certs/ca-root-nss.crt",
];

/// Programs that run on Java; for others no trust store is made, because `keytool` takes a second.
const JAVA_PROGRAMS: [&str; 11] =
    ["java", "mvn", "mvnw", "gradle", "gradlew", "sbt", "ant", "kotlin", "scala", "lein", "clojure"];

/// How long `keytool` may take.
const KEYTOOL_WAIT: Duration = Duration::from_secs(20);

/// Largest file of authorities that is read.
const LARGEST_BUNDLE: u64 = 16 << 20;

/// Writes the bundle: `SSL_CERT_FILE` if the user has one, else the system's, then the sidecar's authority.
///
/// # Errors
/// When the sidecar's authority cannot be read or the bundle not be written.
pub(crate) fn write_bundle(authority: &Path, bundle: &Path) -> Outcome {
    let mut text = system_authorities();
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    let ours = fs::read_to_string(authority).map_err(|error| {
        Failure::new(format!("The sidecar's authority {} cannot be read.", authority.display())).why(error)
    })?;
    text.push_str(&ours);
    fs::write(bundle, text).map_err(|error| {
        Failure::new(format!("The bundle {} cannot be written.", bundle.display())).why(error)
    })
}

fn system_authorities() -> String {
    system_bundle().and_then(|path| fs::read_to_string(path).ok()).unwrap_or_default()
}

/// The file of authorities that programs here trust: `SSL_CERT_FILE`, else the system's.
#[must_use]
pub(crate) fn system_bundle() -> Option<PathBuf> {
    let chosen = std::env::var_os("SSL_CERT_FILE").map(PathBuf::from);
    let mut places = chosen.into_iter().chain(SYSTEM.iter().map(PathBuf::from));
    places.find(|path| fs::metadata(path).is_ok_and(|found| found.is_file() && found.len() <= LARGEST_BUNDLE))
}

/// Options for Java: proxy and a trust store made beside `bundle`, when `program` runs on Java and the system has
/// `keytool`. Without either: none.
pub(crate) async fn java_options(
    program: &str,
    proxy: &str,
    authority: &Path,
    folder: &Path,
) -> Option<String> {
    let name = Path::new(program).file_name()?.to_str()?;
    if !JAVA_PROGRAMS.contains(&name) {
        return None;
    }
    let keytool = find_on_path("keytool")?;
    let store = folder.join("trust.p12");
    // The Java machine's own authorities lie beside its keytool.
    let home = fs::canonicalize(&keytool).ok()?;
    let own = home.parent()?.parent()?.join("lib/security/cacerts");
    let _ = fs::copy(own, &store);
    let import = Command::new(&keytool)
        .args(["-importcert", "-noprompt", "-alias", "creto-sidecar", "-storepass", "changeit", "-file"])
        .arg(authority)
        .arg("-keystore")
        .arg(&store)
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .kill_on_drop(true)
        .status();
    let imported = tokio::time::timeout(KEYTOOL_WAIT, import).await.ok()?.ok()?;
    if !imported.success() {
        return None;
    }
    let (host, port) = proxy.rsplit_once(':')?;
    Some(format!(
        "-Dhttp.proxyHost={host} -Dhttp.proxyPort={port} -Dhttps.proxyHost={host} -Dhttps.proxyPort={port} \
         -Djavax.net.ssl.trustStore={} -Djavax.net.ssl.trustStorePassword=changeit",
        store.display()
    ))
}

/// The first executable of this name on `PATH`.
#[must_use]
pub(crate) fn find_on_path(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|folder| folder.join(program))
        .find(|file| fs::metadata(file).is_ok_and(|found| found.is_file()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bundle_ends_with_the_sidecars_authority() {
        let folder = tempfile::tempdir().unwrap();
        let (ours, bundle) = (folder.path().join("ca.pem"), folder.path().join("bundle.pem"));
        fs::write(&ours, "-----BEGIN CERTIFICATE-----\nours\n").unwrap();
        write_bundle(&ours, &bundle).unwrap();
        assert!(fs::read_to_string(&bundle).unwrap().ends_with("-----BEGIN CERTIFICATE-----\nours\n"));
    }

    #[test]
    fn a_missing_authority_is_an_error_with_its_path() {
        let folder = tempfile::tempdir().unwrap();
        let error =
            write_bundle(&folder.path().join("ca.pem"), &folder.path().join("bundle.pem")).unwrap_err();
        assert!(error.to_string().contains("ca.pem"), "{error}");
    }
}
