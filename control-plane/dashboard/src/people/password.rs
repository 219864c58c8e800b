//! Passwords: argon2id (RFC 9106), with the parameters of OWASP's password storage cheat sheet, as PHC strings.

use argon2::{Algorithm, Argon2, Params, Version};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use subtle::ConstantTimeEq as _;

use super::PeopleError;

/// Memory of one hash, in KiB: 19 MiB.
const MEMORY_KIB: u32 = 19_456;
/// Passes over it.
const PASSES: u32 = 2;
/// Lanes.
const LANES: u32 = 1;
/// Bytes of a salt, and of a hash.
const SALT_BYTES: usize = 16;
const HASH_BYTES: usize = 32;
/// Most memory and passes that a kept hash may ask for.
const MOST: (u32, u32) = (1 << 20, 16);

/// A hash of a password, with a salt of its own.
pub(super) fn hash(password: &[u8]) -> Result<String, PeopleError> {
    let mut salt = [0; SALT_BYTES];
    getrandom::fill(&mut salt)?;
    let failed = |error: argon2::Error| PeopleError::Hash(error.to_string());
    let hash = derive(password, &salt, (MEMORY_KIB, PASSES, LANES)).map_err(failed)?;
    let (salt, hash) = (STANDARD_NO_PAD.encode(salt), STANDARD_NO_PAD.encode(hash));
    Ok(format!("$argon2id$v=19$m={MEMORY_KIB},t={PASSES},p={LANES}${salt}${hash}"))
}

/// What is compared with where there is no account: as much work, and never right.
pub(super) fn decoy() -> String {
    let (salt, hash) = (STANDARD_NO_PAD.encode([0; SALT_BYTES]), STANDARD_NO_PAD.encode([0; HASH_BYTES]));
    format!("$argon2id$v=19$m={MEMORY_KIB},t={PASSES},p={LANES}${salt}${hash}")
}

/// Whether a password has this hash.
pub(super) fn verifies(password: &[u8], kept: &str) -> bool {
    let Some((cost, salt, hash)) = parse(kept) else { return false };
    derive(password, &salt, cost).is_ok_and(|found| found.as_slice().ct_eq(&hash).into())
}

type Parsed = ((u32, u32, u32), Vec<u8>, Vec<u8>);

fn parse(kept: &str) -> Option<Parsed> {
    let mut parts = kept.strip_prefix("$argon2id$v=19$")?.split('$');
    let (cost, salt, hash) = (parts.next()?, parts.next()?, parts.next()?);
    let mut numbers =
        cost.split(',').zip(["m=", "t=", "p="]).map(|(part, name)| part.strip_prefix(name)?.parse().ok());
    let cost: (u32, u32, u32) = (numbers.next()??, numbers.next()??, numbers.next()??);
    if cost.0 > MOST.0 || cost.1 > MOST.1 {
        return None;
    }
    Some((cost, STANDARD_NO_PAD.decode(salt).ok()?, STANDARD_NO_PAD.decode(hash).ok()?))
}

fn derive(
    password: &[u8],
    salt: &[u8],
    (memory, passes, lanes): (u32, u32, u32),
) -> Result<[u8; HASH_BYTES], argon2::Error> {
    let params = Params::new(memory, passes, lanes, Some(HASH_BYTES))?;
    let mut hash = [0; HASH_BYTES];
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params).hash_password_into(password, salt, &mut hash)?;
    Ok(hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_has_its_hash_and_no_other() {
        let kept = hash(b"correct horse battery").unwrap();
        assert!(kept.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{kept}");
        assert!(verifies(b"correct horse battery", &kept));
        assert!(!verifies(b"correct horse batterz", &kept));
        assert_ne!(kept, hash(b"correct horse battery").unwrap());
        for damaged in ["", "$argon2id$v=19$", "$argon2i$v=19$m=8,t=1,p=1$AAAA$AAAA", &kept[..60]] {
            assert!(!verifies(b"correct horse battery", damaged), "{damaged}");
        }
        assert!(!verifies(b"", &decoy()) && parse(&decoy()).is_some());
    }

    /// The reference implementation's (phc-winner-argon2): `echo -n password | argon2 somesalt -id -t 2 -k 65536 -p 1`.
    #[test]
    fn hashes_of_other_programs_verify() {
        let kept = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";
        assert!(verifies(b"password", kept));
    }
}
