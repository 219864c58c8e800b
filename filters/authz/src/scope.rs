//! Scopes: all that one link permits, compiled, under a digest.

use creto_call::Call;
use sha2::{Digest, Sha256};

use crate::{CallPath, MAX_PERMISSIONS, Permission, PermissionError, permission::verb_of};

/// First 20 bytes of SHA-256 over the permissions: what stands for a scope in a compact chain.
pub type ScopeDigest = [u8; 20];

/// Keeps the digest apart from every other use of SHA-256.
const DOMAIN: &[u8] = b"creto-scope-v1";

/// A compiled list of permissions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    permissions: Box<[Permission]>,
    digest: ScopeDigest,
}

impl Scope {
    /// Compiles 1 to 64 permissions, sorted and without repeats, each in its one spelling.
    ///
    /// # Errors
    /// [`PermissionError`] for the first that does not hold.
    pub fn parse<S: AsRef<str>>(permissions: &[S]) -> Result<Self, PermissionError> {
        if permissions.is_empty() || permissions.len() > MAX_PERMISSIONS {
            return Err(PermissionError::Count { max: MAX_PERMISSIONS });
        }
        if let Some(pair) = permissions.windows(2).find(|pair| pair[0].as_ref() >= pair[1].as_ref()) {
            return Err(PermissionError::NotSorted { permission: pair[1].as_ref().into() });
        }
        let permissions = permissions
            .iter()
            .map(|text| Permission::parse(text.as_ref()))
            .collect::<Result<Box<[_]>, _>>()?;
        let digest = digest_of(&permissions);
        Ok(Self { permissions, digest })
    }

    /// Whether one of the permissions permits the call. Allocates only for a path that is not plain.
    #[must_use]
    pub fn permits(&self, call: &Call<'_>) -> bool {
        let verb = verb_of(call);
        let path = CallPath::new(call.path);
        self.permissions.iter().any(|permission| permission.permits_verb(verb, call, &path))
    }

    /// The first permission of `other` that no permission here covers; none when `other` only narrows.
    #[must_use]
    pub fn uncovered<'o>(&self, other: &'o Self) -> Option<&'o Permission> {
        other.permissions.iter().find(|narrow| !self.permissions.iter().any(|wide| wide.covers(narrow)))
    }

    /// The permissions, sorted.
    #[must_use]
    pub fn permissions(&self) -> &[Permission] {
        &self.permissions
    }

    /// What stands for this scope in a compact chain.
    #[must_use]
    pub fn digest(&self) -> &ScopeDigest {
        &self.digest
    }
}

fn digest_of(permissions: &[Permission]) -> ScopeDigest {
    let mut hash = Sha256::new();
    hash.update(DOMAIN);
    for permission in permissions {
        // A permission is at most 256 bytes.
        hash.update((permission.as_str().len() as u64).to_be_bytes());
        hash.update(permission.as_str());
    }
    let full = hash.finalize();
    let mut digest = ScopeDigest::default();
    digest.copy_from_slice(&full[..20]);
    digest
}

#[cfg(test)]
mod tests {
    use creto_call::{Capture, Details, Kind, Scheme};

    use super::*;

    #[test]
    fn a_scope_permits_what_one_of_its_permissions_does() {
        let scope = Scope::parse(&["get:a.example", "post:a.example/upload"]).unwrap();
        let call = |method, path| Call {
            capture: Capture::Connect,
            kind: Kind::Http,
            scheme: Scheme::Https,
            method,
            host: "a.example",
            port: 443,
            path,
            details: Details::default(),
        };
        assert!(scope.permits(&call("GET", "/")));
        assert!(scope.permits(&call("POST", "/upload")));
        assert!(!scope.permits(&call("POST", "/")));
    }

    #[test]
    fn a_scope_has_one_digest_whatever_made_it() {
        let one = Scope::parse(&["get:a.example", "get:b.example"]).unwrap();
        let same = Scope::parse(&["get:a.example".to_owned(), "get:b.example".to_owned()]).unwrap();
        let other = Scope::parse(&["get:a.example"]).unwrap();
        assert_eq!(one.digest(), same.digest());
        assert_ne!(one.digest(), other.digest());
    }

    #[test]
    fn permissions_are_sorted_and_bounded() {
        assert!(matches!(Scope::parse::<&str>(&[]), Err(PermissionError::Count { .. })));
        assert!(matches!(Scope::parse(&["get:b.c", "get:a.c"]), Err(PermissionError::NotSorted { .. })));
        assert!(matches!(Scope::parse(&["get:b.c", "get:b.c"]), Err(PermissionError::NotSorted { .. })));
        let many: Vec<String> = (0..65).map(|n| format!("get:h{n:03}.example")).collect();
        assert!(Scope::parse(&many[..64]).is_ok());
        assert!(matches!(Scope::parse(&many), Err(PermissionError::Count { max: 64 })));
    }
}
