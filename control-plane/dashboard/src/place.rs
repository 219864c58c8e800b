//! Where the page is: which `Host` and which `Origin` are its own, and whether cookies travel over TLS.
//!
//! A page on loopback is reached by any web site that makes its own name point there (DNS rebinding); such requests carry that
//! site's name in `Host`.

use std::net::SocketAddr;

use http::{HeaderMap, Uri, header};

use crate::DashboardError;

/// Where the page is.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    scheme: &'static str,
    hosts: Vec<String>,
    port: u16,
}

impl Place {
    /// A page that listens there, and is reached at `url` when that is given.
    ///
    /// # Errors
    /// [`DashboardError::PlainHttp`] or [`DashboardError::Url`].
    pub(crate) fn new(listen: SocketAddr, url: Option<&str>) -> Result<Self, DashboardError> {
        let port = listen.port();
        let Some(url) = url else {
            if !listen.ip().is_loopback() {
                return Err(DashboardError::PlainHttp(listen));
            }
            let mut hosts = vec![listen.to_string(), format!("localhost:{port}")];
            if port == 80 {
                hosts.extend([listen.ip().to_string(), "localhost".to_owned()]);
            }
            return Ok(Self { scheme: "http", hosts, port });
        };
        let wrong = |cause| DashboardError::Url { url: url.to_owned(), cause };
        let parsed: Uri = url.parse().map_err(|_| wrong("it is no address"))?;
        if parsed.scheme_str() != Some("https") {
            return Err(wrong("it must begin with https://"));
        }
        let authority = parsed.authority().ok_or_else(|| wrong("it names no host"))?;
        if authority.as_str().contains('@') {
            return Err(wrong("it must hold no user"));
        }
        if parsed.path() != "/" || parsed.query().is_some() {
            return Err(wrong("the page is at the root of its host: leave the path out"));
        }
        let host = authority.host().to_ascii_lowercase();
        let hosts = match authority.port_u16() {
            None | Some(443) => vec![host.clone(), format!("{host}:443")],
            Some(port) => vec![format!("{host}:{port}")],
        };
        Ok(Self { scheme: "https", hosts, port })
    }

    /// Whether it is reached over TLS, through a proxy.
    pub(crate) fn is_secure(&self) -> bool {
        self.scheme == "https"
    }

    /// Its address for people.
    pub(crate) fn url(&self) -> String {
        format!("{}://{}", self.scheme, self.hosts.first().map_or("", String::as_str))
    }

    /// The name of a cookie. Pages on other ports of this machine have cookies of their own.
    pub(crate) fn cookie(&self, name: &str) -> String {
        if self.is_secure() { format!("__Host-{name}") } else { format!("{name}-{}", self.port) }
    }

    /// Whether a request is for this page, by its `Host`.
    pub(crate) fn is_host(&self, headers: &HeaderMap) -> bool {
        self.host(headers).is_some()
    }

    /// Whether a request comes from this page: a browser says so with `Sec-Fetch-Site`, older ones with `Origin`. Whoever says
    /// neither is refused.
    pub(crate) fn is_same_origin(&self, headers: &HeaderMap) -> bool {
        let Some(host) = self.host(headers) else { return false };
        let own = format!("{}://{host}", self.scheme);
        let mut origins = headers.get_all(header::ORIGIN).iter();
        let (origin, more) = (origins.next(), origins.next());
        let same = origin.is_some_and(|origin| origin.as_bytes().eq_ignore_ascii_case(own.as_bytes()));
        // Browsers write `null` where the page sends no referrer, which this one does not.
        let hidden = origin.is_none_or(|origin| origin == "null");
        match headers.get("sec-fetch-site") {
            Some(site) => more.is_none() && site == "same-origin" && (same || hidden),
            None => more.is_none() && same,
        }
    }

    fn host(&self, headers: &HeaderMap) -> Option<&str> {
        let mut given = headers.get_all(header::HOST).iter();
        let (host, more) = (given.next()?, given.next());
        let known = self.hosts.iter().find(|known| host.as_bytes().eq_ignore_ascii_case(known.as_bytes()));
        known.filter(|_| more.is_none()).map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value))).collect()
    }

    fn place(url: Option<&str>) -> Place {
        Place::new("127.0.0.1:8444".parse().unwrap(), url).unwrap()
    }

    #[test]
    fn plain_http_is_for_loopback_and_elsewhere_needs_a_proxy_that_speaks_tls() {
        for address in ["0.0.0.0:8444", "10.0.0.1:8444", "[::]:8444"] {
            let address: SocketAddr = address.parse().unwrap();
            let error = Place::new(address, None).unwrap_err();
            assert!(error.to_string().contains("TLS proxy") && error.to_string().contains("--dashboard-url"));
            assert!(Place::new(address, Some("https://approvals.example.com")).is_ok());
        }
        assert!(Place::new("[::1]:1".parse().unwrap(), None).is_ok());
        for url in ["http://a.example", "a.example", "https://a.example/x", "https://u@a.example", "https://"]
        {
            assert!(Place::new("127.0.0.1:1".parse().unwrap(), Some(url)).is_err(), "{url}");
        }
    }

    #[test]
    fn names_that_point_here_by_rebinding_are_not_this_page() {
        for (host, own) in [
            ("127.0.0.1:8444", true),
            ("localhost:8444", true),
            ("LOCALHOST:8444", true),
            ("127.0.0.1", false),
            ("127.0.0.1:8445", false),
            ("evil.example:8444", false),
            ("127.0.0.1:8444.evil.example", false),
        ] {
            assert_eq!(place(None).is_host(&headers(&[("host", host)])), own, "{host}");
        }
        assert!(!place(None).is_host(&HeaderMap::new()));
        let proxied = place(Some("https://approvals.example.com"));
        assert!(proxied.is_host(&headers(&[("host", "approvals.example.com")])));
        assert!(!proxied.is_host(&headers(&[("host", "127.0.0.1:8444")])));
        let mut twice = headers(&[("host", "localhost:8444")]);
        twice.append("host", HeaderValue::from_static("localhost:8444"));
        assert!(!place(None).is_host(&twice));
    }

    #[test]
    fn only_a_browser_that_says_it_comes_from_this_page_is_believed() {
        for (origin, site, own) in [
            (Some("http://localhost:8444"), Some("same-origin"), true),
            (Some("http://localhost:8444"), None, true),
            (Some("null"), Some("same-origin"), true),
            (None, Some("same-origin"), true),
            (None, None, false),
            (Some("null"), None, false),
            (Some("http://localhost:8444"), Some("cross-site"), false),
            (Some("http://localhost:8444"), Some("same-site"), false),
            (Some("http://localhost:8444"), Some("none"), false),
            (Some("https://localhost:8444"), None, false),
            (Some("http://localhost:8445"), Some("same-origin"), false),
            (Some("http://evil.example"), None, false),
            (Some("http://evil.example"), Some("same-origin"), false),
        ] {
            let mut sent = headers(&[("host", "localhost:8444")]);
            if let Some(origin) = origin {
                sent.insert("origin", HeaderValue::from_static(origin));
            }
            if let Some(site) = site {
                sent.insert("sec-fetch-site", HeaderValue::from_static(site));
            }
            assert_eq!(place(None).is_same_origin(&sent), own, "{origin:?} {site:?}");
        }
    }
}
