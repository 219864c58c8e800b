//! Where a call would go: its URL, taken apart as a sidecar does.

use creto_call::{NormalHost, Scheme};

use crate::failure::{Failure, Outcome};

/// Where a call would go.
#[derive(Clone, Debug)]
pub(super) struct Target {
    pub(super) scheme: Scheme,
    /// The URL asks for a WebSocket.
    pub(super) websocket: bool,
    pub(super) host: NormalHost,
    pub(super) port: u16,
    pub(super) path: String,
    /// Without `?`.
    pub(super) query: String,
}

impl Target {
    /// Takes a URL apart.
    ///
    /// # Errors
    /// When it is no absolute URL of http, https, ws or wss.
    pub(super) fn parse(url: &str) -> Outcome<Self> {
        Self::of(url).map_err(|why| {
            Failure::new(format!("'{url}' is no URL of a call."))
                .why(why)
                .next("Write it as https://host/path, or http://host:port/path.")
        })
    }

    /// As [`Target::parse`].
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn of(url: &str) -> Result<Self, String> {
        let (scheme, rest) = url.split_once("://").ok_or("it has no scheme")?;
        let websocket = matches!(scheme, "ws" | "wss");
        let scheme = match scheme {
            "http" | "ws" => Scheme::Http,
            "https" | "wss" => Scheme::Https,
            _ => return Err("its scheme is none of http, https, ws and wss".to_owned()),
        };
        let rest = rest.split('#').next().unwrap_or_default();
        let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        // A colon inside brackets belongs to an IPv6 address.
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => {
                (host, port.parse().map_err(|_| "its port is no number from 1 to 65535")?)
            }
            _ => (authority, scheme.default_port()),
        };
        let host = NormalHost::parse(host).map_err(|error| error.to_string())?;
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let path = if path.is_empty() { "/" } else { path };
        Ok(Self { scheme, websocket, host, port, path: path.to_owned(), query: query.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_taken_apart_as_a_sidecar_does() {
        for (url, host, port, path, query) in [
            ("https://API.github.com/repos/a?x=1", "api.github.com", 443, "/repos/a", "x=1"),
            ("http://h:8080", "h", 8080, "/", ""),
            ("https://h?x=/a", "h", 443, "/", "x=/a"),
            ("https://h/a#b?c", "h", 443, "/a", ""),
            ("https://[::1]:9443/a", "::1", 9443, "/a", ""),
            ("wss://[::1]/a", "::1", 443, "/a", ""),
        ] {
            let target = Target::parse(url).unwrap();
            assert_eq!(
                (target.host.as_str(), target.port, target.path.as_str(), target.query.as_str()),
                (host, port, path, query),
                "{url}"
            );
        }
        for url in ["github.com", "ftp://h/", "https://h:x/", "https:///a", "https://127.1/"] {
            assert!(Target::parse(url).is_err(), "{url}");
        }
    }
}
