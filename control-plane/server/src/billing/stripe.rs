//! How Stripe is reached.

use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use creto_billing::{ApiKey, StripeAddress, StripeClient};
use zeroize::Zeroizing;

use crate::StartError;

/// Bytes a file with a key may have.
const MAX_KEY_FILE_BYTES: u64 = 1_024;

/// How Stripe is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StripeOptions {
    /// The file with the API key, which only its owner may read.
    pub key_file: PathBuf,
    /// Another server of the same interface in place of Stripe's own, such as a proxy: https, or http on this machine.
    pub url: Option<String>,
}

/// The client.
///
/// # Errors
/// [`StartError`] for a file that is none or that others may read, and an address that may not be used. The key is in no
/// message.
pub(crate) fn client(options: &StripeOptions) -> Result<StripeClient, StartError> {
    let address = match &options.url {
        None => StripeAddress::live(),
        Some(url) => {
            let base = url.parse().map_err(|error| StartError::StripeUrl(format!("`{url}`: {error}")))?;
            StripeAddress::at(base)
        }
    };
    let path = &options.key_file;
    let wrong = |cause: String| StartError::StripeKey { path: path.clone(), cause };
    let key = ApiKey::new(read(path).map_err(wrong)?).map_err(|error| wrong(error.to_string()))?;
    StripeClient::new(address, key).map_err(|error| StartError::StripeUrl(error.to_string()))
}

fn read(path: &Path) -> Result<Zeroizing<String>, String> {
    let file = File::open(path).map_err(|error| error.to_string())?;
    let mode = file.metadata().map_err(|error| error.to_string())?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(format!("it has mode {mode:o}, so others may read it: set it to 600"));
    }
    let mut text = Zeroizing::new(String::new());
    file.take(MAX_KEY_FILE_BYTES).read_to_string(&mut text).map_err(|error| error.to_string())?;
    Ok(Zeroizing::new(text.trim().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_others_may_read_is_refused_and_no_key_is_ever_shown() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("stripe.key");
        let key = "rk_test_0123456789abcdef";
        std::fs::write(&path, format!("{key}\n")).unwrap();
        let options = StripeOptions { key_file: path.clone(), url: Some("http://127.0.0.1:1".into()) };
        let mode = |mode| std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        mode(0o640);
        let refused = client(&options).unwrap_err().to_string();
        assert!(refused.contains("640") && refused.contains("set it to 600"), "{refused}");
        mode(0o600);
        let made = client(&options).unwrap();
        assert!(!format!("{made:?} {options:?}").contains(key));
        std::fs::write(&path, format!("{key} and more")).unwrap();
        let refused = client(&options).unwrap_err().to_string();
        assert!(refused.contains("no") && !refused.contains(key), "{refused}");
        let away = StripeOptions { url: Some("http://stripe.example".into()), ..options };
        std::fs::write(&path, key).unwrap();
        assert!(client(&away).unwrap_err().to_string().contains("TLS"));
    }
}
