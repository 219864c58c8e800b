//! Reading `[[credential]]`. What may be a secret is never shown, not even where it is wrong.

use std::{collections::BTreeMap, ops::Range, sync::Arc};

use creto_authz::HostPattern;
use creto_call::Scheme;
use http::HeaderName;
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{
    choice, is_name, named,
    place::place,
    services::own_name,
    shorten, unique, upstream,
    values::{Table, boolean, string},
};
use crate::{Credential, CredentialKind, HostEntry, SecretFrom, problem::Collector};

/// Keys of every credential.
const COMMON_KEYS: &[&str] = &["name", "host", "port", "path", "type", "from", "placeholder", "plain_http"];
/// Keys by type; those marked true must be there.
const KINDS: [(&str, &[(&str, bool)]); 5] = [
    ("bearer", &[]),
    ("header", &[("header", true)]),
    ("basic", &[]),
    ("aws-sigv4", &[("region", true), ("service", true)]),
    ("oauth2-refresh", &[("token_url", true), ("client_id", true), ("scope", false)]),
];
const FROM_KEYS: &[&str] = &["file", "env", "secret"];
const FROM_HELP: &str = "write `from = { file = \"/run/secrets/name\" }`, `from = { env = \"NAME\" }` or `from = { secret = \"name\" }`";
/// A placeholder must be long enough not to be met by chance.
const PLACEHOLDER_BYTES: std::ops::RangeInclusive<usize> = 12..=128;
/// Longest path, variable, client id or scope.
const MAX_TEXT: usize = 1_024;
/// Headers that are the connection's own, or say where the request goes.
const NO_SECRET_IN: &[&str] = &[
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "expect",
    "host",
    "keep-alive",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

type Names = BTreeMap<String, usize>;

pub(super) fn credentials(table: &Table<'_, '_>, findings: &mut Collector<'_>) -> Vec<Arc<Credential>> {
    let mut placeholders = Names::new();
    named(
        table,
        "credential",
        |table, span, names, findings| credential(table, span, names, &mut placeholders, findings),
        findings,
    )
}

fn credential(
    table: &DeTable<'_>,
    span: Range<usize>,
    names: &mut Names,
    placeholders: &mut Names,
    findings: &mut Collector<'_>,
) -> Option<Credential> {
    let mut known = COMMON_KEYS.to_vec();
    known.extend(KINDS.iter().flat_map(|(_, keys)| keys.iter().map(|(key, _)| *key)));
    let table = Table::open(table, span, "[[credential]]", &known, findings);
    // A secret under a key that is not known, such as `token`.
    for (_, value) in table.entries().filter(|(key, _)| !known.contains(key)) {
        findings.hide(value.span());
    }
    let name = own_name(&table, "credential", names, findings);
    let place = place(&table, findings);
    if let Some(value) = table.get("host") {
        for host in &place.hosts {
            named_closely(host, value.span(), findings);
        }
    }
    let kind = table.required("type", findings).and_then(|value| kind(&table, value, findings));
    let from = table.required("from", findings).and_then(|value| from(value, findings));
    let placeholder = match table.get("placeholder") {
        Some(value) => placeholder(value, findings),
        None => name.as_ref().map(|name| format!("creto-placeholder-{name}")),
    };
    let plain_http = match table.get("plain_http") {
        Some(value) => boolean(value, "plain_http", findings)?,
        None => false,
    };
    let placeholder = placeholder?;
    let at = if table.get("placeholder").is_some() { "placeholder" } else { "name" };
    if !unique(placeholders, &placeholder, table.span_of(at), "placeholder", findings) {
        return None;
    }
    Some(Credential { name: name?, place, kind: kind?, from: from?, placeholder, plain_http })
}

/// A secret goes to a name or a single address, not to whatever there is.
fn named_closely(host: &HostEntry, span: Range<usize>, findings: &mut Collector<'_>) {
    match host {
        HostEntry::Pattern(HostPattern::Any) => findings.add_help(
            span,
            "a credential never belongs to every host",
            "name the host, or `*.example.com` for all names under one",
        ),
        HostEntry::Network(network) => findings.add_help(
            span,
            format!("a credential never belongs to a whole network such as {network}"),
            "name the host or its address",
        ),
        HostEntry::Pattern(_) => {}
    }
}

fn kind(
    table: &Table<'_, '_>,
    value: &Spanned<DeValue<'_>>,
    findings: &mut Collector<'_>,
) -> Option<CredentialKind> {
    let kinds = KINDS.map(|(kind, _)| kind);
    let chosen = choice(value, "type", &kinds, findings)?;
    let mut keys: &[(&str, bool)] = &[];
    for (kind, its_keys) in KINDS {
        if kind == chosen {
            keys = its_keys;
            continue;
        }
        for (key, _) in its_keys {
            if table.get(key).is_some() {
                findings.add_help(
                    table.span_of(key),
                    format!("`{key}` is no key of a credential with `type = \"{chosen}\"`"),
                    format!("remove it, or set `type = \"{kind}\"`"),
                );
            }
        }
    }
    // Every key is looked at, so that all problems are found at once.
    let mut text = |key: &str| {
        let needed = keys.iter().any(|(known, needed)| *known == key && *needed);
        let value = if needed { table.required(key, findings) } else { table.get(key) };
        checked_text(value?, key, table, findings)
    };
    match chosen {
        "bearer" => Some(CredentialKind::Bearer),
        "basic" => Some(CredentialKind::Basic),
        "header" => text("header").map(CredentialKind::Header),
        "aws-sigv4" => {
            let (region, service) = (text("region"), text("service"));
            Some(CredentialKind::AwsSigV4 { region: region?, service: service? })
        }
        _ => {
            let (token_url, client_id, scope) = (text("token_url"), text("client_id"), text("scope"));
            Some(CredentialKind::OAuth2Refresh { token_url: token_url?, client_id: client_id?, scope })
        }
    }
}

/// The value of one of the keys that belong to a type.
fn checked_text(
    value: &Spanned<DeValue<'_>>,
    key: &str,
    table: &Table<'_, '_>,
    findings: &mut Collector<'_>,
) -> Option<String> {
    let written = string(value, key, findings)?;
    let plain_http = table.get("plain_http").is_some_and(|value| value.get_ref().as_bool() == Some(true));
    let wrong = match key {
        "header" => match HeaderName::from_bytes(written.as_bytes()) {
            Ok(name) if NO_SECRET_IN.contains(&name.as_str()) => Some("this header is not one for secrets"),
            Ok(name) => return Some(name.as_str().to_owned()),
            Err(_) => Some("this is no name of a header"),
        },
        "region" | "service" if !is_name(written) => Some("it is 1 to 63 of a-z, 0-9 and `-`"),
        "token_url" => match upstream(written) {
            Ok((Scheme::Http, ..)) if !plain_http => Some("the refresh token would go out in plain text"),
            Ok(_) if written.contains(['?', '#']) => Some("it has a query or a fragment"),
            Ok(_) => None,
            Err(_) => Some("it is no URL such as https://login.example.com/token"),
        },
        _ if written.is_empty() || written.len() > MAX_TEXT => Some("it has 1 to 1024 bytes"),
        _ if !written.bytes().all(|byte| (b' '..=b'~').contains(&byte)) => Some("it is visible ASCII"),
        _ => None,
    };
    match wrong {
        Some(wrong) => {
            findings.add(value.span(), format!("`{}` is no `{key}`: {wrong}", shorten(written)));
            None
        }
        None => Some(written.to_owned()),
    }
}

fn placeholder(value: &Spanned<DeValue<'_>>, findings: &mut Collector<'_>) -> Option<String> {
    let written = string(value, "placeholder", findings)?;
    if !PLACEHOLDER_BYTES.contains(&written.len()) || !written.bytes().all(|byte| byte.is_ascii_graphic()) {
        findings.add_help(
            value.span(),
            format!("`{}` is no placeholder", shorten(written)),
            "write 12 to 128 visible ASCII characters without spaces that stand nowhere else, such as \"creto-placeholder-openai\"",
        );
        return None;
    }
    Some(written.to_owned())
}

fn from(value: &Spanned<DeValue<'_>>, findings: &mut Collector<'_>) -> Option<SecretFrom> {
    let Some(inner) = value.get_ref().as_table() else {
        findings.hide(value.span());
        findings.add_help(
            value.span(),
            "a secret never stands in a policy, only where it is kept",
            FROM_HELP,
        );
        return None;
    };
    let table = Table::open(inner, value.span(), "`from`", FROM_KEYS, findings);
    for (_, value) in table.entries().filter(|(key, _)| !FROM_KEYS.contains(key)) {
        findings.hide(value.span());
    }
    let mut given = FROM_KEYS.iter().filter_map(|key| Some((*key, table.get(key)?)));
    let (Some((key, value)), None) = (given.next(), given.next()) else {
        findings.add_help(value.span(), "`from` names one place where the secret is kept", FROM_HELP);
        return None;
    };
    let written = string(value, key, findings)?;
    let known = match key {
        "file" => {
            written.starts_with('/') && written.len() <= MAX_TEXT && !written.contains(char::is_control)
        }
        "env" => is_variable(written),
        _ => is_secret_name(written),
    };
    if !known {
        // What is no name may be the secret itself.
        findings.hide(value.span());
        let message = match key {
            "file" => "a file is named by its absolute path",
            "env" => "a variable's name is letters, digits and `_`, and is written without `$`",
            _ => {
                "a secret's name is 1 to 63 of a-z, 0-9, `-`, `_` and `.`, with a letter or digit at both ends"
            }
        };
        findings.add_help(value.span(), message, FROM_HELP);
        return None;
    }
    let written = written.to_owned();
    Some(match key {
        "file" => SecretFrom::File(written),
        "env" => SecretFrom::Env(written),
        _ => SecretFrom::Stored(written),
    })
}

/// As the control plane's store has them.
fn is_secret_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = name.as_bytes();
    bytes.len() <= 63
        && bytes.iter().all(|byte| plain(*byte) || matches!(byte, b'-' | b'_' | b'.'))
        && bytes.first().copied().is_some_and(plain)
        && bytes.last().copied().is_some_and(plain)
}

fn is_variable(name: &str) -> bool {
    name.len() <= MAX_TEXT
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        && !name.starts_with(|first: char| first.is_ascii_digit())
        && !name.is_empty()
}
