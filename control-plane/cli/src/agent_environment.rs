//! The variables that bring an unmodified program to its sidecar, for every toolchain that has one.

use std::ffi::OsString;
use std::path::Path;

/// Variables of the proxy's address: `http://host:port`.
const PROXY: [&str; 6] = ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"];

/// Variables naming hosts that programs call past their proxy.
const PAST: [&str; 2] = ["NO_PROXY", "no_proxy"];

/// Variables naming a file that *replaces* the authorities a program trusts: system authorities and ours.
const BUNDLE: [&str; 13] = [
    // OpenSSL and what is built on it, Go, rustls-native-certs, Ruby, .NET.
    "SSL_CERT_FILE",
    "NIX_SSL_CERT_FILE",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "GIT_SSL_CAINFO",
    "PIP_CERT",
    "CARGO_HTTP_CAINFO",
    "AWS_CA_BUNDLE",
    "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH",
    "DENO_CERT",
    "HTTPLIB2_CA_CERTS",
    "CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE",
    "PERL_LWP_SSL_CA_FILE",
];

/// Variables naming a file of authorities trusted *besides*: ours alone.
const BESIDES: [&str; 1] = ["NODE_EXTRA_CA_CERTS"];

/// Switches that make a program read the variables above.
const SWITCHES: [(&str, &str); 2] = [("NODE_USE_ENV_PROXY", "1"), ("UV_NATIVE_TLS", "1")];

/// The names of the proxy and authority variables.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    PROXY.into_iter().chain(BUNDLE).chain(BESIDES)
}

/// Where the sidecar is and what to trust.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Way<'a> {
    /// `host:port` of the sidecar's proxy.
    pub(crate) proxy: &'a str,
    /// The sidecar's own authority, PEM.
    pub(crate) authority: &'a Path,
    /// System authorities and the sidecar's, PEM.
    pub(crate) bundle: &'a Path,
    /// Options for Java machines, when this system has any.
    pub(crate) java: Option<&'a str>,
}

/// What to set for the agent, and what its user had set already.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Variables {
    /// To set.
    pub(crate) set: Vec<(&'static str, OsString)>,
    /// To take away.
    pub(crate) unset: Vec<&'static str>,
    /// Found with another value and left alone.
    pub(crate) kept: Vec<&'static str>,
}

impl Variables {
    /// The variables of `way`; `is_set` tells which exist already. None of those is overwritten unless `replace`.
    pub(crate) fn choose(way: Way<'_>, replace: bool, is_set: impl Fn(&str) -> bool) -> Self {
        let address = OsString::from(format!("http://{}", way.proxy));
        let wanted = PROXY
            .iter()
            .map(|name| (*name, address.clone()))
            .chain(BUNDLE.iter().map(|name| (*name, way.bundle.as_os_str().to_owned())))
            .chain(BESIDES.iter().map(|name| (*name, way.authority.as_os_str().to_owned())))
            .chain(SWITCHES.iter().map(|(name, value)| (*name, OsString::from(*value))))
            .chain(way.java.map(|options| ("JAVA_TOOL_OPTIONS", OsString::from(options))));
        let mut variables = Self::default();
        for (name, value) in wanted {
            if !replace && is_set(name) {
                variables.kept.push(name);
            } else {
                variables.set.push((name, value));
            }
        }
        for name in PAST.into_iter().filter(|name| is_set(name)) {
            if replace {
                variables.unset.push(name);
            } else {
                variables.kept.push(name);
            }
        }
        // Ours: a program that knows them reads where it is.
        variables.set.push(("CRETO_PROXY", address.clone()));
        variables.set.push(("CRETO_BASE_URL", address));
        variables.set.push(("CRETO_CA_FILE", way.authority.as_os_str().to_owned()));
        variables
    }

    /// What to tell the user about the variables that were kept; nothing when none was.
    #[must_use]
    pub(crate) fn remarks(&self) -> Vec<String> {
        let (past, others): (Vec<&str>, Vec<&str>) = self.kept.iter().partition(|name| PAST.contains(name));
        let (proxies, files): (Vec<&str>, Vec<&str>) = others.iter().partition(|name| PROXY.contains(name));
        let mut remarks = Vec::new();
        if !past.is_empty() {
            remarks.push(format!(
                "creto: kept {} as set: calls to the hosts in it go PAST the sidecar. Unset it, or use --replace-env.",
                past.join(", ")
            ));
        }
        if !proxies.is_empty() {
            remarks.push(format!(
                "creto: kept {} as set: calls made through it go PAST the sidecar. Unset it, or use --replace-env.",
                proxies.join(", ")
            ));
        }
        if !files.is_empty() {
            remarks.push(format!(
                "creto: kept {} as set: programs that read it will not trust the sidecar unless it holds its \
                 authority. Unset it, or use --replace-env.",
                files.join(", ")
            ));
        }
        remarks
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn way() -> Way<'static> {
        Way {
            proxy: "127.0.0.1:4000",
            authority: Path::new("/state/ca.pem"),
            bundle: Path::new("/state/bundle.pem"),
            java: None,
        }
    }

    fn value<'a>(variables: &'a Variables, name: &str) -> Option<&'a str> {
        variables.set.iter().find(|(found, _)| *found == name).and_then(|(_, value)| value.to_str())
    }

    #[test]
    fn programs_that_replace_their_authorities_get_the_bundle_and_node_gets_ours_alone() {
        let variables = Variables::choose(way(), false, |_| false);
        assert_eq!(value(&variables, "https_proxy"), Some("http://127.0.0.1:4000"));
        assert_eq!(value(&variables, "REQUESTS_CA_BUNDLE"), Some("/state/bundle.pem"));
        assert_eq!(value(&variables, "NODE_EXTRA_CA_CERTS"), Some("/state/ca.pem"));
        assert_eq!(value(&variables, "NODE_USE_ENV_PROXY"), Some("1"));
        assert_eq!(value(&variables, "NO_PROXY"), None);
        assert!(variables.kept.is_empty() && variables.remarks().is_empty());
    }

    #[test]
    fn what_is_set_is_never_overwritten_and_said_to_be_kept() {
        let variables =
            Variables::choose(way(), false, |name| matches!(name, "HTTPS_PROXY" | "SSL_CERT_FILE"));
        assert_eq!(variables.kept, ["HTTPS_PROXY", "SSL_CERT_FILE"]);
        assert_eq!(value(&variables, "HTTPS_PROXY"), None);
        let remarks = variables.remarks();
        assert!(remarks[0].contains("HTTPS_PROXY") && remarks[0].contains("PAST the sidecar"), "{remarks:?}");
        assert!(remarks[1].contains("SSL_CERT_FILE"), "{remarks:?}");
    }

    #[test]
    fn hosts_called_past_the_proxy_are_said_or_taken_away() {
        let kept = Variables::choose(way(), false, |name| name == "no_proxy");
        assert!(kept.unset.is_empty() && kept.remarks()[0].contains("no_proxy"), "{kept:?}");
        let replaced = Variables::choose(way(), true, |name| name == "no_proxy");
        assert_eq!(replaced.unset, ["no_proxy"]);
        assert!(replaced.remarks().is_empty());
    }

    #[test]
    fn replacing_is_a_choice_of_the_user() {
        let variables = Variables::choose(way(), true, |_| true);
        assert!(variables.kept.is_empty());
        assert_eq!(value(&variables, "HTTPS_PROXY"), Some("http://127.0.0.1:4000"));
    }
}
