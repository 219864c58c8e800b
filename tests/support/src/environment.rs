//! The variables that bring an unmodified program to its sidecar, as `creto run` sets them.

use std::path::Path;

/// Where Debian keeps the system's authorities.
const SYSTEM_AUTHORITIES: &str = "/etc/ssl/certs/ca-certificates.crt";

/// Proxy and authority variables of every toolchain. `ca_file` is the sidecar's authority alone, `bundle` that and the
/// system's ([`write_bundle`]).
#[must_use]
pub fn agent_environment(proxy_url: &str, ca_file: &Path, bundle: &Path) -> Vec<(String, String)> {
    let mut variables = Vec::new();
    let mut set = |name: &str, value: String| variables.push((name.to_owned(), value));
    for name in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"] {
        set(name, proxy_url.to_owned());
        set(&name.to_lowercase(), proxy_url.to_owned());
    }
    set("NO_PROXY", String::new());
    set("no_proxy", String::new());
    for name in [
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
    ] {
        set(name, bundle.display().to_string());
    }
    set("NODE_EXTRA_CA_CERTS", ca_file.display().to_string());
    set("NODE_USE_ENV_PROXY", "1".to_owned());
    set("UV_NATIVE_TLS", "1".to_owned());
    variables
}

/// Writes the system's authorities, if there are any, and the sidecar's to one file.
pub fn write_bundle(ca_file: &Path, bundle: &Path) {
    let mut text = std::fs::read_to_string(SYSTEM_AUTHORITIES).unwrap_or_default();
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    text.push_str(&std::fs::read_to_string(ca_file).unwrap());
    std::fs::write(bundle, text).unwrap();
}
