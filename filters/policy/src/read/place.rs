//! Reading host, port and path: where something is.

use creto_authz::{HostPattern, PathGlob};
use toml::{Spanned, de::DeValue};

use super::{
    shorten,
    values::{Table, list, port_number, string_list},
};
use crate::{HostEntry, NetworkError, Place, PortRange, problem::Collector};

/// Ports of what names none.
const DEFAULT_PORTS: [u16; 2] = [80, 443];

/// Reads `host`, `port` and `path` of a table; what is wrong with them is in the findings.
pub(super) fn place(table: &Table<'_, '_>, findings: &mut Collector<'_>) -> Place {
    let hosts = match table.required("host", findings) {
        Some(value) => hosts(value, findings),
        None => Vec::new(),
    };
    let ports = match table.get("port") {
        None => DEFAULT_PORTS.map(|port| PortRange { first: port, last: port }).to_vec(),
        Some(value) => ports(value, findings),
    };
    let paths = match table.get("path") {
        None => Vec::new(),
        Some(value) => paths(value, findings),
    };
    Place { hosts, ports, paths }
}

pub(super) fn hosts(value: &Spanned<DeValue<'_>>, findings: &mut Collector<'_>) -> Vec<HostEntry> {
    let mut out = Vec::new();
    for (text, span) in string_list(value, "host", findings) {
        match host(&text) {
            Ok(entry) => out.push(entry),
            Err((message, help)) => match help {
                Some(help) => findings.add_help(span, message, help),
                None => findings.add(span, message),
            },
        }
    }
    out
}

/// A host entry, or what is wrong with it and what to do.
fn host(text: &str) -> Result<HostEntry, (String, Option<String>)> {
    let shown = shorten(text);
    if let Some((scheme, rest)) = text.split_once("://") {
        let bare = rest.split(['/', ':']).next().unwrap_or(rest);
        let message = format!("`{shown}` is a URL, not a host");
        return Err((
            message,
            Some(format!("write `host = \"{}\"`; `{}` is no part of it", shorten(bare), shorten(scheme))),
        ));
    }
    if text.contains('/') {
        return match text.parse() {
            Ok(network) => Ok(HostEntry::Network(network)),
            Err(NetworkError::HostBits { network, .. }) => Err((
                format!("`{shown}` has bits set behind its prefix"),
                Some(format!(
                    "write `{network}` for the network, or the address without `/` for the address"
                )),
            )),
            Err(_) if text.starts_with(|c: char| c.is_ascii_alphabetic()) && !text.contains(':') => Err((
                format!("`{shown}` holds a path, which is no part of the host"),
                Some("put the path in `path = [\"/…\"]`".to_owned()),
            )),
            Err(error) => Err((format!("`{shown}` is no network: {error}"), None)),
        };
    }
    HostPattern::parse(text).map(HostEntry::Pattern).map_err(|error| {
        let port = text.rsplit_once(':').and_then(|(host, port)| Some((host, port_number(port)?)));
        let help = match port {
            Some((host, port)) if !host.contains(':') => {
                Some(format!("put the port in `port = {port}`, and write `host = \"{}\"`", shorten(host)))
            }
            _ => None,
        };
        (format!("`{shown}` is no host: {error}"), help)
    })
}

fn ports(value: &Spanned<DeValue<'_>>, findings: &mut Collector<'_>) -> Vec<PortRange> {
    let mut out = Vec::new();
    for entry in list(value, "port", findings) {
        match port(entry.get_ref()) {
            Some(range) => out.push(range),
            None => findings.add_help(
                entry.span(),
                "this is no port",
                "write a number from 1 to 65535, a range as in \"8000-8999\" (low-high), or \"any\"",
            ),
        }
    }
    out
}

fn port(value: &DeValue<'_>) -> Option<PortRange> {
    if let Some(number) = value.as_integer() {
        let port = if number.radix() == 10 { port_number(number.as_str())? } else { return None };
        return Some(PortRange { first: port, last: port });
    }
    let text = value.as_str()?;
    if text == "any" {
        return Some(PortRange::ANY);
    }
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let range = PortRange { first: port_number(first.trim())?, last: port_number(last.trim())? };
    (range.first <= range.last).then_some(range)
}

fn paths(value: &Spanned<DeValue<'_>>, findings: &mut Collector<'_>) -> Vec<PathGlob> {
    let mut out = Vec::new();
    for (text, span) in string_list(value, "path", findings) {
        match PathGlob::parse(&text) {
            Ok(glob) => out.push(glob),
            Err(error) => findings.add(span, format!("`{}` is no path: {error}", shorten(&text))),
        }
    }
    out
}
