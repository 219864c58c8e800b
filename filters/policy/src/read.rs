//! Reading a document: TOML in, a document or all of its problems out.

mod arguments;
mod conditions;
mod credentials;
mod holds;
mod place;
mod quotas;
mod rules;
mod services;
mod staleness;
mod values;

use std::{collections::BTreeMap, ops::Range, sync::Arc};

use creto_call::{NormalHost, Scheme};
use creto_expression::spelling::nearest;
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

pub(crate) use self::quotas::read_dollars;
use self::values::{Table, string, string_list};
use crate::{
    Document, MAX_DOCUMENT_BYTES, MAX_EXPRESSIONS, MAX_LIST, MAX_ROUTES, MAX_RULES, MAX_SERVICES, Mode,
    Problems, Route, Selector, Tier, Trust, problem::Collector, text_glob::TextGlob,
};

/// Longest name of a policy, rule, route or agent.
const MAX_NAME: usize = 63;
/// Longest label key or value.
const MAX_LABEL: usize = 256;
/// Longest route prefix or URL.
const MAX_URL: usize = 2048;

const DOCUMENT_KEYS: &[&str] = &[
    "version",
    "name",
    "mode",
    "agents",
    "staleness",
    "allow",
    "deny",
    "hold",
    "route",
    "provider",
    "mcp_server",
    "a2a_agent",
    "credential",
    "quota",
    "budget",
];
const NAME_HELP: &str = "names are 1 to 63 of a-z, 0-9 and `-`, beginning and ending with a letter or digit";
const SELECTOR_KEYS: &[&str] = &["names", "tiers", "trust", "labels"];
const ROUTE_KEYS: &[&str] = &["name", "prefix", "to"];

pub(crate) fn document(file: &str, text: &str) -> Result<Document, Problems> {
    let mut findings = Collector::of(if text.len() > MAX_DOCUMENT_BYTES { "" } else { text });
    if text.len() > MAX_DOCUMENT_BYTES {
        findings.add_help(
            0..0,
            format!("the document is {} bytes long; at most {MAX_DOCUMENT_BYTES} are read", text.len()),
            format!("split it into several policies; one has at most {MAX_RULES} rules"),
        );
        return Err(findings.into_problems(file));
    }
    let (table, errors) = DeTable::parse_recoverable(text);
    for error in &errors {
        // What follows from broken syntax would only be noise, so nothing else is looked at then.
        findings.add(error.span().unwrap_or(0..0), format!("this is not TOML: {}", error.message()));
    }
    if !errors.is_empty() {
        return Err(findings.into_problems(file));
    }
    let document = read_document(&table, &mut findings);
    match document {
        Some(document) if findings.is_empty() => Ok(document),
        _ => Err(findings.into_problems(file)),
    }
}

fn read_document(root: &Spanned<DeTable<'_>>, findings: &mut Collector<'_>) -> Option<Document> {
    let table = Table::open(root.get_ref(), 0..0, "the document", DOCUMENT_KEYS, findings);
    match table.required("version", findings) {
        Some(value) if value.get_ref().as_integer().is_some_and(|number| number.as_str() == "1") => {}
        Some(value) => findings.add_help(value.span(), "this is not a known version", "write `version = 1`"),
        None => {}
    }
    let name = table.required("name", findings).and_then(|value| name_of(value, "policy", findings));
    let mode = match table.get("mode") {
        None => Some(Mode::Enforce),
        Some(value) => choice(value, "mode", &["enforce", "observe"], findings).map(|mode| match mode {
            "observe" => Mode::Observe,
            _ => Mode::Enforce,
        }),
    };
    let selector = match table.get("agents") {
        None => Some(Selector::default()),
        Some(value) => selector(value, findings),
    };
    let staleness =
        table.get("staleness").map(|value| staleness::staleness(value, findings)).unwrap_or_default();
    let mut names = BTreeMap::new();
    let mut rules = Vec::new();
    let mut count = 0;
    let mut expressions = Expressions::default();
    for key in ["allow", "deny"] {
        for (entry, span) in tables(&table, key, findings) {
            count += 1;
            if count > MAX_RULES {
                findings.add_help(
                    span,
                    format!("a document has at most {MAX_RULES} rules"),
                    "split it into several policies",
                );
                break;
            }
            if !expressions.admit(entry, &span, findings) {
                break;
            }
            let rule = rules::rule(key, entry, span, &mut names, findings);
            rules.extend(rule.map(Arc::new));
        }
    }
    let holds = holds::holds(&table, &mut names, &mut expressions, findings);
    let routes = routes(&table, findings);
    let providers = named(&table, "provider", services::provider, findings);
    let mcp_servers = named(&table, "mcp_server", services::mcp_server, findings);
    let a2a_agents = named(&table, "a2a_agent", services::a2a_agent, findings);
    let credentials = credentials::credentials(&table, findings);
    let quotas = quotas::quotas(&table, name.as_deref(), findings);
    Some(Document {
        name: name?,
        mode: mode?,
        selector: selector?,
        staleness,
        rules,
        holds,
        routes,
        providers,
        mcp_servers,
        a2a_agents,
        credentials,
        quotas,
    })
}

/// How many `when` there are so far.
#[derive(Default)]
struct Expressions(usize);

impl Expressions {
    /// Whether the document may have that of one more rule, if it has one.
    fn admit(&mut self, rule: &DeTable<'_>, span: &Range<usize>, findings: &mut Collector<'_>) -> bool {
        self.0 += usize::from(rule.contains_key("when"));
        if self.0 <= MAX_EXPRESSIONS {
            return true;
        }
        findings.add_help(
            span.clone(),
            format!("a document has at most {MAX_EXPRESSIONS} `when`"),
            "split it into several policies, or ask with other keys",
        );
        false
    }
}

/// The tables of `[[key]]`.
fn tables<'d, 't>(
    table: &Table<'d, 't>,
    key: &str,
    findings: &mut Collector<'_>,
) -> Vec<(&'d DeTable<'t>, Range<usize>)> {
    let Some(value) = table.get(key) else { return Vec::new() };
    let wrong = |span, findings: &mut Collector<'_>| {
        findings.add_help(
            span,
            format!("`{key}` holds tables"),
            format!("begin each with `[[{key}]]` on a line of its own"),
        );
    };
    let Some(array) = value.get_ref().as_array() else {
        wrong(value.span(), findings);
        return Vec::new();
    };
    let mut out = Vec::new();
    for entry in array.iter() {
        match entry.get_ref().as_table() {
            Some(table) => out.push((table, entry.span())),
            None => wrong(entry.span(), findings),
        }
    }
    out
}

/// What stands in the tables of `[[key]]`, each with a name of its own.
fn named<'d, 't, T>(
    table: &Table<'d, 't>,
    key: &'static str,
    mut read: impl FnMut(
        &'d DeTable<'t>,
        Range<usize>,
        &mut BTreeMap<String, usize>,
        &mut Collector<'_>,
    ) -> Option<T>,
    findings: &mut Collector<'_>,
) -> Vec<Arc<T>> {
    let mut names = BTreeMap::new();
    let mut out = Vec::new();
    for (at, (entry, span)) in tables(table, key, findings).into_iter().enumerate() {
        if at >= MAX_SERVICES {
            findings.add_help(
                span,
                format!("a document has at most {MAX_SERVICES} `[[{key}]]`"),
                "split it into several policies",
            );
            break;
        }
        out.extend(read(entry, span, &mut names, findings).map(Arc::new));
    }
    out
}

fn selector(value: &Spanned<DeValue<'_>>, findings: &mut Collector<'_>) -> Option<Selector> {
    let Some(inner) = value.get_ref().as_table() else {
        findings.add_help(
            value.span(),
            "`agents` is a table",
            "write `[agents]`, then `names = [\"researcher-*\"]`",
        );
        return None;
    };
    let table = Table::open(inner, value.span(), "[agents]", SELECTOR_KEYS, findings);
    let mut selector = Selector::default();
    if let Some(value) = table.get("names") {
        for (glob, span) in string_list(value, "names", findings) {
            let known =
                |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'*');
            if glob.is_empty() || glob.len() > MAX_NAME || !glob.bytes().all(known) {
                findings.add_help(
                    span,
                    format!("`{}` can match no agent's name", shorten(&glob)),
                    "names are 1 to 63 of a-z, 0-9 and `-`; `*` stands for any of them",
                );
            } else {
                selector.names.push(TextGlob::new(&glob));
            }
        }
    }
    if let Some(value) = table.get("tiers") {
        selector.tiers = choices(value, "tiers", &Tier::NAMES, Tier::parse, findings);
    }
    if let Some(value) = table.get("trust") {
        selector.trust = choices(value, "trust", &Trust::NAMES, Trust::parse, findings);
    }
    if let Some(value) = table.get("labels") {
        labels(value, &mut selector.labels, findings);
    }
    Some(selector)
}

fn labels(value: &Spanned<DeValue<'_>>, labels: &mut BTreeMap<String, String>, findings: &mut Collector<'_>) {
    let Some(table) = value.get_ref().as_table() else {
        findings.add_help(
            value.span(),
            "`labels` is a table of texts",
            "write `labels = { team = \"search\" }`",
        );
        return;
    };
    if table.len() > MAX_LIST {
        findings.add(value.span(), format!("`labels` has more than {MAX_LIST} entries"));
        return;
    }
    for (key, value) in table {
        let Some(text) = string(value, key.get_ref(), findings) else { continue };
        if key.get_ref().len() > MAX_LABEL || text.len() > MAX_LABEL {
            findings.add(value.span(), format!("a label is at most {MAX_LABEL} bytes long"));
        } else {
            labels.insert(key.get_ref().to_string(), text.to_owned());
        }
    }
}

fn routes(table: &Table<'_, '_>, findings: &mut Collector<'_>) -> Vec<Arc<Route>> {
    let mut names = BTreeMap::new();
    let mut prefixes = BTreeMap::new();
    let mut out = Vec::new();
    for (at, (entry, span)) in tables(table, "route", findings).into_iter().enumerate() {
        if at >= MAX_ROUTES {
            findings.add(span, format!("a document has at most {MAX_ROUTES} routes"));
            break;
        }
        let table = Table::open(entry, span, "[[route]]", ROUTE_KEYS, findings);
        let name = table.required("name", findings).and_then(|value| {
            let name = name_of(value, "route", findings)?;
            unique(&mut names, &name, value.span(), "route", findings).then_some(name)
        });
        let prefix = table.required("prefix", findings).and_then(|value| {
            let prefix = prefix_of(value, findings)?;
            unique(&mut prefixes, &prefix, value.span(), "prefix", findings).then_some(prefix)
        });
        let upstream = table.required("to", findings).and_then(|value| upstream_of(value, findings));
        if let (Some(name), Some(prefix), Some((scheme, host, port, base))) = (name, prefix, upstream) {
            out.push(Arc::new(Route { name, prefix, scheme, host, port, base }));
        }
    }
    out
}

fn prefix_of(value: &Spanned<DeValue<'_>>, findings: &mut Collector<'_>) -> Option<String> {
    let prefix = string(value, "prefix", findings)?;
    let wrong = if !prefix.starts_with('/') {
        Some("a prefix begins with `/`")
    } else if prefix.ends_with('/') {
        Some("a prefix has no `/` at its end, and is more than `/`")
    } else if !is_plain_path(prefix) {
        Some(
            "a prefix is a plain path: no `%`, `*`, `?`, `#`, `\\`, `//`, dot segments or spaces, at most 2048 bytes",
        )
    } else {
        None
    };
    if let Some(wrong) = wrong {
        findings.add_help(value.span(), wrong, "write it as `prefix = \"/openai\"`");
        return None;
    }
    Some(prefix.to_owned())
}

fn is_plain_path(path: &str) -> bool {
    path.len() <= MAX_URL
        && path.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'*' | b'?' | b'#' | b'%'))
        && creto_authz::CallPath::new(path).is_plain()
}

/// Scheme, host, port and base path of a route's `to`.
fn upstream_of(
    value: &Spanned<DeValue<'_>>,
    findings: &mut Collector<'_>,
) -> Option<(Scheme, String, u16, String)> {
    let url = string(value, "to", findings)?;
    match upstream(url) {
        Ok(parts) => Some(parts),
        Err(wrong) => {
            findings.add_help(
                value.span(),
                format!("this is no upstream: {wrong}"),
                "write scheme://host, with :port and a base path if needed, as in `to = \"https://api.openai.com\"`",
            );
            None
        }
    }
}

/// Scheme, host, port and path of an absolute URL, or what is wrong with it.
fn upstream(url: &str) -> Result<(Scheme, String, u16, String), String> {
    if url.len() > MAX_URL {
        return Err(format!("it is longer than {MAX_URL} bytes"));
    }
    let (scheme, rest) = url.split_once("://").ok_or("it has no scheme")?;
    let scheme = match scheme {
        "https" => Scheme::Https,
        "http" => Scheme::Http,
        _ => return Err("its scheme is neither `https` nor `http`".into()),
    };
    let (authority, base) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    if authority.contains('@') {
        return Err("credentials do not belong in a policy".into());
    }
    // A colon inside brackets belongs to the address.
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (authority, None),
    };
    let port = match port {
        None => scheme.default_port(),
        Some(text) => values::port_number(text).ok_or("its port is not a number from 1 to 65535")?,
    };
    let host = NormalHost::parse(host).map_err(|error| error.to_string())?;
    let base = base.strip_suffix('/').unwrap_or(base);
    if !base.is_empty() && !is_plain_path(base) {
        return Err("its path is not plain, or has a query or fragment".into());
    }
    Ok((scheme, host.into_string(), port, base.to_owned()))
}

/// A name of 1 to 63 of a-z, 0-9 and `-`, beginning and ending with a letter or digit.
pub(crate) fn name_of(
    value: &Spanned<DeValue<'_>>,
    what: &str,
    findings: &mut Collector<'_>,
) -> Option<String> {
    let name = string(value, "name", findings)?;
    checked_name(name, value.span(), &format!("a {what}"), findings)
}

pub(crate) fn checked_name(
    name: &str,
    span: Range<usize>,
    what: &str,
    findings: &mut Collector<'_>,
) -> Option<String> {
    if !is_name(name) {
        findings.add_help(span, format!("`{}` is no name of {what}", shorten(name)), NAME_HELP);
        return None;
    }
    Some(name.to_owned())
}

fn is_name(name: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = name.as_bytes();
    bytes.len() <= MAX_NAME
        && bytes.iter().all(|byte| inner(*byte) || *byte == b'-')
        && bytes.first().is_some_and(|byte| inner(*byte))
        && bytes.last().is_some_and(|byte| inner(*byte))
}

/// Whether a name stands for the first time; says where it stood before if not.
pub(crate) fn unique(
    seen: &mut BTreeMap<String, usize>,
    name: &str,
    span: Range<usize>,
    what: &str,
    findings: &mut Collector<'_>,
) -> bool {
    let line = findings.line(span.start);
    if let Some(earlier) = seen.get(name) {
        let help = format!("it stands on line {earlier} already; give this one another");
        findings.add_help(span, format!("the {what} `{name}` stands twice"), help);
        return false;
    }
    seen.insert(name.to_owned(), line);
    true
}

/// One of a few known words.
pub(crate) fn choice<'k>(
    value: &Spanned<DeValue<'_>>,
    key: &str,
    known: &[&'k str],
    findings: &mut Collector<'_>,
) -> Option<&'k str> {
    let written = string(value, key, findings)?;
    known_word(written, value.span(), key, known, findings)
}

pub(crate) fn known_word<'k>(
    written: &str,
    span: Range<usize>,
    key: &str,
    known: &[&'k str],
    findings: &mut Collector<'_>,
) -> Option<&'k str> {
    let found = known.iter().find(|word| **word == written).copied();
    if found.is_none() {
        let all = known.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ");
        let help = match nearest(written, known) {
            Some(word) => format!("did you mean `{word}`?"),
            None => format!("write one of {all}"),
        };
        findings.add_help(span, format!("`{}` is unknown in `{key}`", shorten(written)), help);
    }
    found
}

fn choices<T>(
    value: &Spanned<DeValue<'_>>,
    key: &str,
    known: &[&str],
    parse: fn(&str) -> Option<T>,
    findings: &mut Collector<'_>,
) -> Vec<T> {
    string_list(value, key, findings)
        .into_iter()
        .filter_map(|(word, span)| parse(known_word(&word, span, key, known, findings)?))
        .collect()
}

/// At most 80 characters of what people wrote, for messages.
pub(crate) fn shorten(text: &str) -> String {
    let mut shown: String = text.chars().take(80).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.chars().nth(80).is_some() {
        shown.push('…');
    }
    shown
}
