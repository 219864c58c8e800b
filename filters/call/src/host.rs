//! Destination names in one normal form, so that one host has one spelling.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use thiserror::Error;

/// Longest DNS name, RFC 1035 section 2.3.4.
const MAX_NAME: usize = 253;

/// Why a host is refused.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum HostError {
    /// Nothing there.
    #[error("the host is empty")]
    Empty,
    /// Over 253 bytes, or a label over 63.
    #[error("the host is longer than DNS allows")]
    TooLong,
    /// A byte that no host holds.
    #[error("the host holds a character that DNS names do not")]
    BadCharacter,
    /// A number that some read as an IPv4 address and some as a name: `0x7f.1`, `2130706433`, `127.1`.
    #[error("the host is an IPv4 address in a form that is read in more than one way")]
    AmbiguousAddress,
}

/// A host in normal form: lower case, no trailing dot, IP addresses in their shortest spelling without brackets,
/// IPv4-mapped IPv6 as IPv4.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct NormalHost(String);

impl NormalHost {
    /// Brings a host, as it stands in an authority (IPv6 with or without brackets), to normal form.
    ///
    /// # Errors
    /// [`HostError`] for what is no host, or can be read as more than one.
    pub fn parse(raw: &str) -> Result<Self, HostError> {
        let bare = raw.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        if let Some(inner) = bare {
            let address: Ipv6Addr = inner.parse().map_err(|_| HostError::BadCharacter)?;
            return Ok(Self::from_ip(IpAddr::V6(address)));
        }
        if let Ok(address) = raw.parse::<IpAddr>() {
            return Ok(Self::from_ip(address));
        }
        let name = raw.strip_suffix('.').unwrap_or(raw);
        if name.is_empty() {
            return Err(HostError::Empty);
        }
        if name.len() > MAX_NAME {
            return Err(HostError::TooLong);
        }
        for label in name.split('.') {
            if label.is_empty() {
                return Err(HostError::BadCharacter);
            }
            if label.len() > 63 {
                return Err(HostError::TooLong);
            }
            if !label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_') {
                return Err(HostError::BadCharacter);
            }
        }
        // WHATWG URL: a host whose last label is a number is an IPv4 address in some readers.
        let last = name.rsplit('.').next().unwrap_or(name);
        let numeric = last.bytes().all(|b| b.is_ascii_digit())
            || (last.len() >= 2
                && last.as_bytes()[0] == b'0'
                && (last.as_bytes()[1] | 0x20) == b'x'
                && last.bytes().skip(2).all(|b| b.is_ascii_hexdigit()));
        if numeric {
            return Err(HostError::AmbiguousAddress);
        }
        Ok(Self(name.to_ascii_lowercase()))
    }

    /// The normal form of an address.
    #[must_use]
    pub fn from_ip(address: IpAddr) -> Self {
        Self(address.to_canonical().to_string())
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The address, when the host is one.
    #[must_use]
    pub fn ip(&self) -> Option<IpAddr> {
        // A letter other than a hexadecimal digit cannot begin an address.
        self.0.parse().ok()
    }

    /// Takes the text out.
    #[must_use]
    pub fn into_string(self) -> String {
        self.0
    }
}

impl std::fmt::Display for NormalHost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether an address is of the instance-metadata services: never covered by `private = true`.
#[must_use]
pub fn is_metadata_address(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => v4.is_link_local() || v4 == Ipv4Addr::new(100, 100, 100, 200),
        IpAddr::V6(v6) => v6 == Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254),
    }
}

/// Whether an address is not one of the public Internet: private, loopback, link-local, shared, multicast, reserved.
#[must_use]
pub fn is_private_address(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => {
            let [a, b, c, _] = v4.octets();
            v4.is_private()
                || v4.is_loopback()
                || v4.is_link_local()
                || v4.is_multicast()
                || a == 0
                || a >= 240
                || (a == 100 && (64..128).contains(&b))
                || (a == 192 && b == 0 && (c == 0 || c == 2))
                || (a == 198 && (b == 18 || b == 19))
                || (a == 198 && b == 51 && c == 100)
                || (a == 203 && b == 0 && c == 113)
        }
        IpAddr::V6(v6) => {
            let [first, second, ..] = v6.segments();
            v6.is_loopback()
                || v6.is_unspecified()
                || v6.is_multicast()
                || (first & 0xfe00) == 0xfc00
                || (first & 0xffc0) == 0xfe80
                || (first & 0xffc0) == 0xfec0
                || (first == 0x2001 && second == 0xdb8)
                // Addresses that carry an IPv4 one inside: NAT64, 6to4, Teredo, IPv4-compatible.
                || (first == 0x64 && second == 0xff9b)
                || first == 0x2002
                || (first == 0x2001 && second == 0)
                || v6.segments()[..6] == [0; 6]
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn normal(raw: &str) -> Result<String, HostError> {
        NormalHost::parse(raw).map(NormalHost::into_string)
    }

    #[test]
    fn one_host_has_one_spelling() {
        for (raw, expected) in [
            ("API.GitHub.com", "api.github.com"),
            ("api.github.com.", "api.github.com"),
            ("[::1]", "::1"),
            ("0:0:0:0:0:0:0:1", "::1"),
            ("[::ffff:10.0.0.1]", "10.0.0.1"),
            ("127.0.0.1", "127.0.0.1"),
        ] {
            assert_eq!(normal(raw).as_deref(), Ok(expected), "{raw}");
        }
    }

    #[test]
    fn what_some_read_as_an_address_and_some_as_a_name_is_refused() {
        for raw in ["2130706433", "0x7f000001", "127.1", "0177.0.0.1", "1.2.3.4.5", "a.0x1"] {
            assert_eq!(normal(raw), Err(HostError::AmbiguousAddress), "{raw}");
        }
    }

    #[test]
    fn what_is_no_host_is_refused() {
        for raw in ["", ".", "a..b", "a b", "a/b", "user@host", "a\0b", "é.example", "[::1", "x%00y"] {
            assert!(normal(raw).is_err(), "{raw:?}");
        }
    }

    #[test]
    fn addresses_outside_the_public_internet_are_private() {
        for text in [
            "127.0.0.1",
            "10.1.2.3",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "::1",
            "fd00::1",
            "fe80::1",
            "::ffff:192.168.1.1",
            "64:ff9b::a00:1",
            "2002:a00:1::",
            "224.0.0.1",
            "255.255.255.255",
        ] {
            assert!(is_private_address(text.parse().unwrap()), "{text}");
        }
        for text in ["1.1.1.1", "8.8.8.8", "2606:4700::1111", "172.32.0.1", "100.128.0.1"] {
            assert!(!is_private_address(text.parse().unwrap()), "{text}");
        }
        assert!(is_metadata_address("169.254.169.254".parse().unwrap()));
        assert!(is_metadata_address("fd00:ec2::254".parse().unwrap()));
        assert!(!is_metadata_address("10.0.0.1".parse().unwrap()));
    }
}
