//! Reading test files.

use std::collections::BTreeMap;
use std::net::IpAddr;

use creto_authz::Scope;
use creto_call::RefusalCode;
use creto_policy::{AgentFacts, Hold, Tier, Trust};
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Map, Value};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::expectation::Expectation;
use super::ruling::Verdict;
use super::suite::TestCall;
use crate::commands::policy::meaning::Asked;
use crate::commands::policy::target::Target;
use crate::failure::Outcome;
use crate::toml_reading::{Findings, Table, shorten, text};

/// Most calls in a test file.
const MAX_CALLS: usize = 10_000;
/// Most documents that a test file is about.
const MAX_DOCUMENTS: usize = 100;
/// Longest name of a call, in characters.
const MAX_NAME: usize = 200;

const FILE_KEYS: &[&str] = &["policy", "agent", "delegation", "call"];
const AGENT_KEYS: &[&str] = &["name", "tier", "trust", "labels"];
const TIERS: &[&str] = &["basic", "standard", "premium"];
const TRUSTS: &[&str] = &["trusted", "untrusted"];
const CALL_KEYS: &[&str] = &[
    "name",
    "url",
    "method",
    "headers",
    "body_size",
    "cost",
    "address",
    "model",
    "provider",
    "streaming",
    "max_output_tokens",
    "offered_tools",
    "mcp_server",
    "mcp_method",
    "tool",
    "resource",
    "prompt",
    "arguments",
    "a2a_agent",
    "a2a_method",
    "skill",
    "agent",
    "delegation",
    "expect",
    "rule",
    "code",
];

/// What stands in a test file.
#[derive(Debug)]
pub(super) struct TestFile {
    /// Paths of documents, from the folder of the file.
    pub(super) documents: Vec<String>,
    pub(super) calls: Vec<TestCall>,
}

/// Reads a test file.
///
/// # Errors
/// Everything that is wrong with it, each with its line; a file without a call among it.
pub(super) fn file(file: &str, text: &str) -> Outcome<TestFile> {
    let mut findings = Findings::of(file, text);
    let read = findings.parse().map(|root| {
        let table = Table::open(root.get_ref(), 0..0, "a test file", FILE_KEYS, &mut findings);
        test_file(&table, &mut findings)
    });
    match read {
        Some(read) if findings.is_empty() => Ok(read),
        _ => Err(findings.into_failure(format!("The test file {file} does not hold."))),
    }
}

fn test_file(table: &Table<'_, '_>, findings: &mut Findings<'_>) -> TestFile {
    table.required("policy", "\"policy.toml\"", findings);
    let documents: Vec<String> = table
        .texts("policy", findings)
        .unwrap_or_default()
        .into_iter()
        .map(|(path, _)| path.to_owned())
        .collect();
    if documents.len() > MAX_DOCUMENTS {
        let span = table.get("policy").map_or(0..0, Spanned::span);
        findings.add(span, format!("a test file is about at most {MAX_DOCUMENTS} documents"), None);
    }
    let agent = table.get("agent").and_then(|value| agent(value, None, findings));
    let scope = scope(table, findings);
    let entries = table.get("call").map(|value| (value.get_ref().as_array(), value.span()));
    let mut calls = Vec::new();
    match entries {
        None => findings.add(
            0..0,
            "there is no call in this file, so it tests nothing",
            Some("begin each with `[[call]]` on a line of its own"),
        ),
        Some((None, span)) => {
            let help = Some("begin each with `[[call]]` on a line of its own");
            findings.add(span, "`call` holds tables", help);
        }
        Some((Some(array), span)) if array.is_empty() || array.len() > MAX_CALLS => {
            findings.add(span, format!("a test file has 1 to {MAX_CALLS} calls"), None);
        }
        Some((Some(array), _)) => {
            for entry in array.iter() {
                let Some(inner) = entry.get_ref().as_table() else {
                    findings.add(entry.span(), "a call is a table", Some("begin it with `[[call]]`"));
                    continue;
                };
                calls.extend(call(inner, entry, agent.as_ref(), scope.as_ref(), findings));
            }
        }
    }
    TestFile { documents, calls }
}

fn call(
    inner: &DeTable<'_>,
    entry: &Spanned<DeValue<'_>>,
    agent_of_file: Option<&AgentFacts>,
    scope_of_file: Option<&Scope>,
    findings: &mut Findings<'_>,
) -> Option<TestCall> {
    let line = findings.line(entry.span().start);
    let table = Table::open(inner, entry.span(), "[[call]]", CALL_KEYS, findings);
    table.required("url", "\"https://api.github.com/repos/a/b\"", findings);
    let url = table.text("url", findings);
    let target = url.and_then(|url| {
        let wrong = |why: String| {
            let span = table.get("url").map_or_else(|| entry.span(), Spanned::span);
            let help = Some("write it as https://host/path, or http://host:port/path");
            findings.add(span, format!("this is no URL of a call: {why}"), help);
        };
        Target::of(url).map_err(wrong).ok()
    });
    let asked = asked(&table, findings);
    if let Err(why) = asked.check() {
        let help = Some("leave out the keys of all but one protocol");
        findings.add(entry.span(), format!("this call is about several protocols: {why}"), help);
    }
    let method = method(&table, &asked, findings);
    let agent = match table.get("agent") {
        Some(value) => agent(value, agent_of_file, findings),
        None => agent_of_file.cloned(),
    };
    let scope = match table.get("delegation") {
        Some(_) => scope(&table, findings),
        None => scope_of_file.cloned(),
    };
    let expected = expected(&table, findings);
    let headers = headers(&table, findings);
    let size = table.count("body_size", findings);
    let cost = table.text("cost", findings).and_then(|text| {
        let cost = Hold::parse_cost(text);
        if cost.is_none() {
            let span = table.get("cost").map_or_else(|| entry.span(), Spanned::span);
            let help = Some("write an exact amount and its currency, as in `cost = \"5.00 USD\"`");
            findings.add(span, format!("`{}` is no amount of money", shorten(text)), help);
        }
        cost
    });
    let address = address(&table, findings);
    let name = table.text("name", findings).map(|name| name.chars().take(MAX_NAME).collect());
    let url = url?.to_owned();
    Some(TestCall {
        name: name.unwrap_or_else(|| format!("{method} {url}")),
        line,
        url,
        target: target?,
        method,
        asked,
        headers,
        size,
        cost,
        address,
        agent,
        scope,
        expected: expected?,
    })
}

/// Registered methods stand in capitals everywhere; the case of others counts.
fn method(table: &Table<'_, '_>, asked: &Asked, findings: &mut Findings<'_>) -> String {
    let method = table.text("method", findings).unwrap_or_else(|| asked.method());
    if http::Method::from_bytes(method.as_bytes()).is_err()
        && let Some(value) = table.get("method")
    {
        findings.add(
            value.span(),
            format!("`{}` is no method", shorten(method)),
            Some("write it as in `GET`"),
        );
    }
    method.to_owned()
}

fn expected(table: &Table<'_, '_>, findings: &mut Findings<'_>) -> Option<Expectation> {
    table.required("expect", "\"allow\"", findings)?;
    let rule = table.text("rule", findings).map(str::to_owned);
    let codes: Vec<&str> = RefusalCode::ALL.iter().map(|code| code.as_str()).collect();
    let code = table.choice("code", &codes, findings).map(str::to_owned);
    let verdict = table.choice("expect", &Verdict::NAMES, findings).and_then(Verdict::parse)?;
    if matches!(verdict, Verdict::Allow | Verdict::Hold)
        && let (Some(_), Some(value)) = (&code, table.get("code"))
    {
        findings.add(value.span(), "a call that is not refused has no `code`", Some("remove `code`"));
    }
    Some(Expectation { verdict, rule, code })
}

fn asked(table: &Table<'_, '_>, findings: &mut Findings<'_>) -> Asked {
    let mut text = |key: &str| table.text(key, findings).map(str::to_owned);
    let mut asked = Asked {
        model: text("model"),
        provider: text("provider"),
        mcp_server: text("mcp_server"),
        mcp_method: text("mcp_method"),
        tool: text("tool"),
        resource: text("resource"),
        prompt: text("prompt"),
        a2a_agent: text("a2a_agent"),
        a2a_method: text("a2a_method"),
        skill: text("skill"),
        ..Asked::default()
    };
    asked.max_output_tokens = table.count("max_output_tokens", findings);
    asked.offered_tools = table
        .texts("offered_tools", findings)
        .map(|tools| tools.into_iter().map(|(tool, _)| tool.to_owned()).collect());
    if let Some(value) = table.get("streaming") {
        asked.streaming = value.get_ref().as_bool();
        if asked.streaming.is_none() {
            findings.add(value.span(), "`streaming` is `true` or `false`, without quotes", None);
        }
    }
    if let Some(value) = table.get("arguments") {
        asked.arguments = json(value, findings);
        if !matches!(asked.arguments, None | Some(Value::Object(_))) {
            let help = Some("write `arguments = { repo = \"acme/x\", limit = 10 }`");
            findings.add(value.span(), "`arguments` is a table", help);
        }
    }
    asked
}

fn agent(
    value: &Spanned<DeValue<'_>>,
    of_file: Option<&AgentFacts>,
    findings: &mut Findings<'_>,
) -> Option<AgentFacts> {
    let mut facts = of_file.cloned().unwrap_or_else(|| AgentFacts {
        name: String::new(),
        tier: Tier::Standard,
        trust: Trust::Trusted,
        labels: BTreeMap::new(),
    });
    if let Some(name) = value.get_ref().as_str() {
        facts.name = name.to_owned();
        return Some(facts);
    }
    let Some(inner) = value.get_ref().as_table() else {
        let help =
            Some("write `agent = \"researcher-1\"`, or a table with `name`, `tier`, `trust` and `labels`");
        findings.add(value.span(), "`agent` is a name or a table", help);
        return None;
    };
    let table = Table::open(inner, value.span(), "[agent]", AGENT_KEYS, findings);
    if of_file.is_none() {
        table.required("name", "\"researcher-1\"", findings);
    }
    if let Some(name) = table.text("name", findings) {
        facts.name = name.to_owned();
    }
    if table.get("tier").is_some() {
        facts.tier = table.choice("tier", TIERS, findings).and_then(Tier::parse)?;
    }
    if table.get("trust").is_some() {
        facts.trust = table.choice("trust", TRUSTS, findings).and_then(Trust::parse)?;
    }
    if let Some(value) = table.get("labels") {
        let Some(labels) = value.get_ref().as_table() else {
            let help = Some("write `labels = { team = \"search\" }`");
            findings.add(value.span(), "`labels` is a table of texts", help);
            return None;
        };
        facts.labels = labels
            .iter()
            .filter_map(|(key, value)| {
                Some((key.get_ref().to_string(), text(value, key.get_ref(), findings)?.to_owned()))
            })
            .collect();
    }
    Some(facts)
}

/// The permissions of `delegation`, in any order.
fn scope(table: &Table<'_, '_>, findings: &mut Findings<'_>) -> Option<Scope> {
    let mut permissions: Vec<&str> =
        table.texts("delegation", findings)?.into_iter().map(|(text, _)| text).collect();
    permissions.sort_unstable();
    permissions.dedup();
    Scope::parse(&permissions)
        .map_err(|error| {
            let span = table.get("delegation").map_or(0..0, Spanned::span);
            let help = Some("write permissions as in `get:api.github.com/repos/**`");
            findings.add(span, format!("this delegation does not hold: {error}"), help);
        })
        .ok()
}

fn headers(table: &Table<'_, '_>, findings: &mut Findings<'_>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let Some(value) = table.get("headers") else { return headers };
    let Some(inner) = value.get_ref().as_table() else {
        let help = Some("write `headers = { accept = \"application/json\" }`");
        findings.add(value.span(), "`headers` is a table of texts", help);
        return headers;
    };
    for (key, value) in inner {
        let Some(text) = text(value, key.get_ref(), findings) else { continue };
        match (HeaderName::from_bytes(key.get_ref().as_bytes()), HeaderValue::from_str(text)) {
            (Ok(name), Ok(value)) => {
                headers.insert(name, value);
            }
            (Err(_), _) => findings.add(key.span(), "this is no name of a header", None),
            (_, Err(_)) => findings.add(value.span(), "this is no value of a header", None),
        }
    }
    headers
}

fn address(table: &Table<'_, '_>, findings: &mut Findings<'_>) -> Option<IpAddr> {
    let text = table.text("address", findings)?;
    let address = text.parse().ok();
    if address.is_none()
        && let Some(value) = table.get("address")
    {
        let help = Some("write the address that the name has, as in `address = \"10.0.0.7\"`");
        findings.add(value.span(), format!("`{}` is no IP address", shorten(text)), help);
    }
    address
}

/// A value as JSON has it. The parser bounds how deep tables stand in each other.
fn json(value: &Spanned<DeValue<'_>>, findings: &mut Findings<'_>) -> Option<Value> {
    let number = |found: Option<serde_json::Number>, findings: &mut Findings<'_>| {
        if found.is_none() {
            findings.add(value.span(), "JSON has no such number", None);
        }
        found.map(Value::Number)
    };
    Some(match value.get_ref() {
        DeValue::String(text) => Value::String(text.to_string()),
        DeValue::Boolean(truth) => Value::Bool(*truth),
        DeValue::Integer(integer) => {
            let whole = i64::from_str_radix(integer.as_str(), integer.radix()).ok();
            return number(whole.map(Into::into), findings);
        }
        DeValue::Float(float) => {
            let real: Option<f64> = float.as_str().parse().ok();
            return number(real.and_then(serde_json::Number::from_f64), findings);
        }
        DeValue::Datetime(_) => {
            findings.add(value.span(), "JSON has no dates", Some("put it in double quotes"));
            return None;
        }
        DeValue::Array(array) => {
            Value::Array(array.iter().map(|one| json(one, findings)).collect::<Option<_>>()?)
        }
        DeValue::Table(table) => {
            let mut map = Map::new();
            for (key, value) in table {
                map.insert(key.get_ref().to_string(), json(value, findings)?);
            }
            Value::Object(map)
        }
    })
}
