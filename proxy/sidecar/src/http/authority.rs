//! `host:port`, taken apart in one way only.

use creto_call::{HostError, NormalHost};

/// A destination as an authority names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Authority {
    pub(crate) host: NormalHost,
    pub(crate) port: Option<u16>,
}

/// Why an authority is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum AuthorityError {
    #[error(transparent)]
    Host(#[from] HostError),
    #[error("user information does not belong in an authority")]
    UserInfo,
    #[error("the port is not a number from 1 to 65535")]
    Port,
}

impl Authority {
    pub(crate) fn parse(text: &str) -> Result<Self, AuthorityError> {
        if text.contains('@') {
            return Err(AuthorityError::UserInfo);
        }
        let (host, port) = match text.rfind(':') {
            // A colon inside brackets belongs to an IPv6 address.
            Some(at) if !text[at..].contains(']') => (&text[..at], Some(&text[at + 1..])),
            _ => (text, None),
        };
        // Without brackets, more colons are an IPv6 address whose end nobody can tell from a port.
        if host.contains(':') && !host.starts_with('[') {
            return Err(AuthorityError::Host(HostError::BadCharacter));
        }
        let port = match port {
            None => None,
            Some(digits) => {
                let number =
                    digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse::<u16>().ok()).flatten();
                Some(number.filter(|n| *n != 0).ok_or(AuthorityError::Port)?)
            }
        };
        Ok(Self { host: NormalHost::parse(host)?, port })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn authorities_are_read_in_one_way() {
        for (text, host, port) in [
            ("api.example.com", "api.example.com", None),
            ("API.example.com:443", "api.example.com", Some(443)),
            ("[::1]:8080", "::1", Some(8080)),
            ("[::1]", "::1", None),
            ("10.0.0.1:1", "10.0.0.1", Some(1)),
        ] {
            let read = Authority::parse(text).unwrap();
            assert_eq!((read.host.as_str(), read.port), (host, port), "{text}");
        }
    }

    #[test]
    fn ambiguous_authorities_are_refused() {
        for text in
            ["", ":443", "a:", "a:0", "a:65536", "a:+1", "a:4 3", "u@a", "a:1:2", "::1", "a b", "127.1:80"]
        {
            assert!(Authority::parse(text).is_err(), "{text:?}");
        }
    }
}
