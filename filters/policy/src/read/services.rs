//! Reading `[[provider]]`, `[[mcp_server]]` and `[[a2a_agent]]`.

use std::{collections::BTreeMap, ops::Range};

use creto_authz::PathGlob;
use creto_call::{ModelApi, ModelCall};
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{
    MAX_LIST, choice,
    conditions::glob,
    is_plain_path, name_of,
    place::place,
    shorten, unique,
    values::{Table, string},
};
use crate::{
    A2aAgent, MAX_CLASSES, McpServer, Place, Provider, Reversibility, ToolsChanged, problem::Collector,
    reversibility::Classes,
};

const PROVIDER_KEYS: &[&str] = &["name", "host", "port", "api", "base"];
const MCP_SERVER_KEYS: &[&str] = &["name", "host", "port", "path", "tools_changed", "pins", "reversibility"];
const A2A_AGENT_KEYS: &[&str] = &["name", "host", "port", "path"];
/// Longest name of a tool that is pinned.
const MAX_TOOL: usize = 256;

type Names = BTreeMap<String, usize>;

pub(super) fn provider(
    table: &DeTable<'_>,
    span: Range<usize>,
    names: &mut Names,
    findings: &mut Collector<'_>,
) -> Option<Provider> {
    let table = Table::open(table, span, "[[provider]]", PROVIDER_KEYS, findings);
    let name = own_name(&table, "provider", names, findings);
    if name.as_deref() == Some(ModelCall::UNNAMED) {
        findings.add_help(
            table.span_of("name"),
            format!("`{}` stands for providers that nobody named", ModelCall::UNNAMED),
            "give this one another name",
        );
        return None;
    }
    let mut place = place(&table, findings);
    let api = table.required("api", findings).and_then(|value| {
        let known = choice(value, "api", &ModelApi::NAMES, findings)?;
        ModelApi::parse(known)
    });
    let base = table.get("base").and_then(|value| base_of(value, findings));
    if let Some((base, paths)) = &base {
        place.paths.clone_from(paths);
        if base.is_empty() {
            place.paths.clear();
        }
    }
    Some(Provider { name: name?, api: api?, place, base: base.map(|(base, _)| base) })
}

/// A base path and the globs that mean it and what is below it.
fn base_of(value: &Spanned<DeValue<'_>>, findings: &mut Collector<'_>) -> Option<(String, Vec<PathGlob>)> {
    let written = string(value, "base", findings)?;
    let base = written.strip_suffix('/').unwrap_or(written);
    let globs = [base.to_owned(), format!("{base}/**")].iter().map(|glob| PathGlob::parse(glob)).collect();
    match globs {
        _ if written == "/" => Some((String::new(), Vec::new())),
        Ok(globs) if is_plain_path(base) => Some((base.to_owned(), globs)),
        _ => {
            findings.add_help(
                value.span(),
                format!("`{}` is no plain path", shorten(written)),
                "write what stands before /chat/completions, as in `base = \"/v1\"`, or leave it out for any path",
            );
            None
        }
    }
}

pub(super) fn mcp_server(
    table: &DeTable<'_>,
    span: Range<usize>,
    names: &mut Names,
    findings: &mut Collector<'_>,
) -> Option<McpServer> {
    let table = Table::open(table, span, "[[mcp_server]]", MCP_SERVER_KEYS, findings);
    let name = own_name(&table, "MCP server", names, findings);
    let place = place(&table, findings);
    let tools_changed = match table.get("tools_changed") {
        None => ToolsChanged::Refuse,
        Some(value) => match choice(value, "tools_changed", &["refuse", "allow"], findings)? {
            "allow" => ToolsChanged::Allow,
            _ => ToolsChanged::Refuse,
        },
    };
    let pins = table.get("pins").map(|value| pins(value, findings)).unwrap_or_default();
    let reversibility =
        table.get("reversibility").map(|value| reversibility(value, findings)).unwrap_or_default();
    Some(McpServer { name: name?, place, tools_changed, pins, reversibility })
}

/// Globs of tools, each with its class.
fn reversibility(value: &Spanned<DeValue<'_>>, findings: &mut Collector<'_>) -> Classes {
    let Some(table) = value.get_ref().as_table() else {
        findings.add_help(
            value.span(),
            "`reversibility` is a table from tools to classes",
            "write `reversibility = { \"get_*\" = \"read-only\", \"delete_*\" = \"irreversible\" }`",
        );
        return Classes::default();
    };
    if table.len() > MAX_CLASSES {
        findings.add_help(
            value.span(),
            format!("`reversibility` has {} entries; at most {MAX_CLASSES} are read", table.len()),
            "write globs that mean several tools",
        );
        return Classes::default();
    }
    let mut out = Vec::new();
    for (tool, value) in table {
        let written: &str = tool.get_ref();
        if written.is_empty() || written.chars().any(char::is_control) {
            findings.add(tool.span(), format!("`{}` can match no tool", shorten(written)));
            continue;
        }
        let glob = glob(written, tool.span(), findings);
        let class = choice(value, written, &Reversibility::NAMES, findings).and_then(Reversibility::parse);
        out.extend(glob.zip(class));
    }
    Classes(out)
}

fn pins(value: &Spanned<DeValue<'_>>, findings: &mut Collector<'_>) -> BTreeMap<String, [u8; 32]> {
    let mut out = BTreeMap::new();
    let Some(table) = value.get_ref().as_table() else {
        findings.add_help(
            value.span(),
            "`pins` is a table from tools to hashes",
            "write `pins = { search = \"sha256:…\" }`",
        );
        return out;
    };
    if table.len() > MAX_LIST {
        findings.add(value.span(), format!("`pins` has more than {MAX_LIST} entries"));
        return out;
    }
    for (tool, value) in table {
        let written: &str = tool.get_ref();
        if written.is_empty() || written.len() > MAX_TOOL {
            findings.add(tool.span(), format!("a tool's name has 1 to {MAX_TOOL} bytes"));
            continue;
        }
        let Some(text) = string(value, written, findings) else { continue };
        match text.strip_prefix("sha256:").and_then(sha256) {
            Some(hash) => {
                out.insert(written.to_owned(), hash);
            }
            None => findings.add_help(
                value.span(),
                format!("`{}` is no hash of a tool", shorten(text)),
                "write `sha256:` and 64 hexadecimal digits",
            ),
        }
    }
    out
}

fn sha256(digits: &str) -> Option<[u8; 32]> {
    let mut hash = [0; 32];
    if digits.len() != 64 || !digits.is_ascii() {
        return None;
    }
    for (at, byte) in hash.iter_mut().enumerate() {
        let pair = digits.get(2 * at..2 * at + 2)?;
        *byte = u8::from_str_radix(pair, 16).ok().filter(|_| !pair.starts_with('+'))?;
    }
    Some(hash)
}

pub(super) fn a2a_agent(
    table: &DeTable<'_>,
    span: Range<usize>,
    names: &mut Names,
    findings: &mut Collector<'_>,
) -> Option<A2aAgent> {
    let table = Table::open(table, span, "[[a2a_agent]]", A2A_AGENT_KEYS, findings);
    let name = own_name(&table, "agent", names, findings);
    let place: Place = place(&table, findings);
    Some(A2aAgent { name: name?, place })
}

/// A name that nothing else of its kind has.
pub(super) fn own_name(
    table: &Table<'_, '_>,
    what: &str,
    names: &mut Names,
    findings: &mut Collector<'_>,
) -> Option<String> {
    let value = table.required("name", findings)?;
    let name = name_of(value, what, findings)?;
    unique(names, &name, value.span(), what, findings).then_some(name)
}
