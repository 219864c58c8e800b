//! Private keys of the principals that this home acts for: one file a name, the seed in hexadecimal, mode 0600.

use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;

use ed25519_dalek::SigningKey;

use crate::failure::{Failure, Outcome};
use crate::home::{Home, make_private_folder, write_private};

fn path(home: &Home, name: &str) -> PathBuf {
    home.keys().join(format!("{name}.key"))
}

/// A fresh Ed25519 key.
///
/// # Errors
/// When the system gives no randomness.
pub(crate) fn generate() -> Outcome<SigningKey> {
    Ok(SigningKey::from_bytes(&random::<32>()?))
}

/// Random bytes from the system.
///
/// # Errors
/// When the system gives none.
pub(crate) fn random<const N: usize>() -> Outcome<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)
        .map_err(|error| Failure::new("The system gives no randomness.").why(error))?;
    Ok(bytes)
}

/// The key of `name`, if this home holds it.
///
/// # Errors
/// When the file is there but is no key, or cannot be read.
pub(crate) fn find(home: &Home, name: &str) -> Outcome<Option<SigningKey>> {
    let path = path(home, name);
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => {
            return Err(Failure::new(format!("The key of {name} cannot be read from {}.", path.display()))
                .why(error)
                .next("Run as the user who owns the home folder."));
        }
    };
    let mut seed = [0; 32];
    hex::decode_to_slice(text.trim(), &mut seed).map_err(|_| {
        Failure::new(format!("{} holds no key.", path.display()))
            .why("a key file is 64 hexadecimal digits")
            .next("Restore the file, or rotate the key of this agent.")
    })?;
    Ok(Some(SigningKey::from_bytes(&seed)))
}

/// The key of `name`.
///
/// # Errors
/// As [`find`]; and when this home does not hold it.
pub(crate) fn load(home: &Home, name: &str) -> Outcome<SigningKey> {
    find(home, name)?.ok_or_else(|| {
        Failure::new(format!("The private key of {name} is not in this home."))
            .why(format!("{} is not there", path(home, name).display()))
            .next("Run the command where the key is, or copy the key file there.")
    })
}

/// Keeps the key of `name`, in place of an older one.
///
/// # Errors
/// When the file cannot be written.
pub(crate) fn keep(home: &Home, name: &str, key: &SigningKey) -> Outcome {
    make_private_folder(&home.keys())?;
    write_private(&path(home, name), format!("{}\n", hex::encode(key.to_bytes())).as_bytes())
}

/// Removes the key of `name`; that there is none is fine.
///
/// # Errors
/// When the file cannot be removed.
pub(crate) fn forget(home: &Home, name: &str) -> Outcome {
    match fs::remove_file(path(home, name)) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(Failure::new(format!("The key file of {name} cannot be removed.")).why(error))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_key_is_kept_for_the_owner_only_and_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::find(Some(folder.path()), None).unwrap();
        let key = generate().unwrap();
        keep(&home, "a", &key).unwrap();
        assert_eq!(load(&home, "a").unwrap().to_bytes(), key.to_bytes());
        assert_eq!(fs::metadata(path(&home, "a")).unwrap().permissions().mode() & 0o777, 0o600);
        forget(&home, "a").unwrap();
        assert!(find(&home, "a").unwrap().is_none());
    }

    #[test]
    fn a_file_that_is_no_key_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::find(Some(folder.path()), None).unwrap();
        make_private_folder(&home.keys()).unwrap();
        fs::write(path(&home, "a"), "nonsense").unwrap();
        assert!(find(&home, "a").unwrap_err().to_string().contains("a.key"));
        assert!(load(&home, "b").unwrap_err().to_string().contains("not in this home"));
    }
}
