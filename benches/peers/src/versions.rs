//! The versions of the peers, as this workspace locks them.

const LOCK: &str = include_str!("../Cargo.lock");

/// The version of a crate; empty for one that is not locked.
pub(crate) fn version(name: &str) -> &'static str {
    let wanted = format!("name = \"{name}\"");
    let mut lines = LOCK.lines().skip_while(|line| *line != wanted);
    lines.nth(1).and_then(|line| line.split('"').nth(1)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::version;

    #[test]
    fn every_peer_has_a_version() {
        for name in ["biscuit-auth", "cedar-policy", "cel", "regorus"] {
            assert!(version(name).contains('.'), "{name}");
        }
        assert_eq!(version("nobody"), "");
    }
}
