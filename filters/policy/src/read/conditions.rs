//! Reading what a rule asks beyond destination, method and path.

use creto_expression::spelling::nearest;
use toml::{Spanned, de::DeValue};

use super::{
    arguments::arguments,
    checked_name, shorten,
    values::{Table, string, string_list},
};
use crate::{MAX_TEXT_GLOB, conditions::Conditions, problem::Collector, text_glob::TextGlob, when::When};

/// The keys of a rule that ask what a call means.
pub(super) const CONDITION_KEYS: &[&str] =
    &["provider", "model", "mcp_server", "mcp_method", "tool", "arguments", "a2a_agent", "skill", "when"];
/// The keys of a rule by the protocol that they are about.
const PROTOCOLS: [(&str, &[&str]); 3] = [
    ("model calls", &["provider", "model"]),
    ("MCP messages", &["mcp_server", "mcp_method", "tool", "arguments"]),
    ("A2A messages", &["a2a_agent", "skill"]),
];
/// Methods of the Model Context Protocol, revisions 2024-11-05 to 2026-07-28, that a client sends.
const MCP_METHODS: &[&str] = &[
    "initialize",
    "ping",
    "server/discover",
    "tools/list",
    "tools/call",
    "resources/list",
    "resources/templates/list",
    "resources/read",
    "resources/subscribe",
    "resources/unsubscribe",
    "subscriptions/listen",
    "prompts/list",
    "prompts/get",
    "completion/complete",
    "logging/setLevel",
    "tasks/get",
    "tasks/list",
    "tasks/result",
    "tasks/cancel",
    "notifications/initialized",
    "notifications/cancelled",
    "notifications/progress",
    "notifications/roots/list_changed",
];

/// What a glob may be made of.
#[derive(Clone, Copy)]
pub(super) struct Alphabet {
    key: &'static str,
    allows: fn(char) -> bool,
    /// Words that are meant when one near to them is written.
    known: &'static [&'static str],
    help: &'static str,
}

pub(super) const MODEL: Alphabet = Alphabet {
    key: "model",
    allows: |letter| letter.is_ascii_graphic(),
    known: &[],
    help: "names of models hold no spaces and only ASCII; `*` stands for any characters",
};
const MCP_METHOD: Alphabet = Alphabet {
    key: "mcp_method",
    allows: |letter| letter.is_ascii_graphic(),
    known: MCP_METHODS,
    help: "methods are written as in `tools/call`; `*` stands for any characters",
};
const TOOL: Alphabet = Alphabet {
    key: "tool",
    allows: |letter| !letter.is_control(),
    known: &[],
    help: "name a tool, or write a glob; `*` stands for any characters",
};
const SKILL: Alphabet = Alphabet {
    key: "skill",
    allows: |letter| !letter.is_control(),
    known: &[],
    help: "name a skill by its id, or write a glob; `*` stands for any characters",
};

pub(super) fn conditions(table: &Table<'_, '_>, findings: &mut Collector<'_>) -> Conditions {
    let conditions = Conditions {
        providers: names(table, "provider", findings),
        models: globs(table, MODEL, findings),
        mcp_servers: names(table, "mcp_server", findings),
        mcp_methods: globs(table, MCP_METHOD, findings),
        tools: globs(table, TOOL, findings),
        arguments: table.get("arguments").map(|value| arguments(value, findings)).unwrap_or_default(),
        a2a_agents: names(table, "a2a_agent", findings),
        skills: globs(table, SKILL, findings),
        when: table.get("when").and_then(|value| when(value, findings)),
    };
    one_protocol(table, findings);
    tools_are_called(table, findings);
    conditions
}

/// A rule about two protocols would match nothing.
fn one_protocol(table: &Table<'_, '_>, findings: &mut Collector<'_>) {
    let mut first: Option<(&str, &str)> = None;
    for (protocol, keys) in PROTOCOLS {
        for key in keys.iter().filter(|key| table.get(key).is_some()) {
            match first {
                None => first = Some((protocol, key)),
                Some((earlier, earlier_key)) if earlier != protocol => {
                    findings.add_help(
                        table.span_of(key),
                        format!("`{key}` is about {protocol}, and `{earlier_key}` about {earlier}: no call is both"),
                        "make two rules of it",
                    );
                    break;
                }
                Some(_) => {}
            }
        }
    }
}

/// Only some methods have a tool or arguments; with others a rule would match nothing.
fn tools_are_called(table: &Table<'_, '_>, findings: &mut Collector<'_>) {
    let Some(methods) = table.get("mcp_method") else { return };
    // A list that is wrong has its problem already.
    let written = match methods.get_ref() {
        DeValue::Array(list) => list.iter().map(|entry| (entry.get_ref().as_str(), entry.span())).collect(),
        value => vec![(value.as_str(), methods.span())],
    };
    for (key, known, said) in [
        ("tool", &["tools/call"][..], "only `tools/call` names a tool"),
        ("arguments", &["tools/call", "prompts/get"], "only `tools/call` and `prompts/get` have arguments"),
    ] {
        let wrong = written.iter().find(|(method, _)| method.is_some_and(|method| !known.contains(&method)));
        if table.get(key).is_some()
            && let Some((_, span)) = wrong
        {
            findings.add_help(
                span.clone(),
                format!("{said}, so a rule with `{key}` is about nothing else"),
                "put other methods in a rule of their own, or leave `mcp_method` out",
            );
            return;
        }
    }
}

pub(super) fn names(table: &Table<'_, '_>, key: &str, findings: &mut Collector<'_>) -> Vec<String> {
    let Some(value) = table.get(key) else { return Vec::new() };
    let what = match key {
        "provider" => "a provider",
        "mcp_server" => "an MCP server",
        _ => "an agent",
    };
    string_list(value, key, findings)
        .into_iter()
        .filter_map(|(name, span)| checked_name(&name, span, what, findings))
        .collect()
}

pub(super) fn globs(
    table: &Table<'_, '_>,
    alphabet: Alphabet,
    findings: &mut Collector<'_>,
) -> Vec<TextGlob> {
    let Some(value) = table.get(alphabet.key) else { return Vec::new() };
    let mut out = Vec::new();
    for (text, span) in string_list(value, alphabet.key, findings) {
        if text.is_empty() || !text.chars().all(alphabet.allows) {
            let message = format!("`{}` can match no {}", shorten(&text), alphabet.key);
            findings.add_help(span, message, alphabet.help);
        } else if let Some(meant) = misspelt(&text, alphabet.known) {
            let message = format!("`{}` is unknown in `{}`", shorten(&text), alphabet.key);
            findings.add_help(span, message, format!("did you mean `{meant}`?"));
        } else {
            out.extend(glob(&text, span, findings));
        }
    }
    out
}

/// The known word that was probably meant. What is near to none may be one that is not known here.
fn misspelt<'k>(written: &str, known: &[&'k str]) -> Option<&'k str> {
    let looked_up = !written.contains('*') && !known.contains(&written);
    if looked_up { nearest(written, known) } else { None }
}

/// A glob within its bounds.
pub(super) fn glob(
    text: &str,
    span: std::ops::Range<usize>,
    findings: &mut Collector<'_>,
) -> Option<TextGlob> {
    if text.len() > MAX_TEXT_GLOB {
        findings.add(span, format!("a glob is at most {MAX_TEXT_GLOB} bytes long"));
        return None;
    }
    let glob = TextGlob::new(text);
    if glob.stars() > TextGlob::MAX_STARS {
        findings.add(span, format!("a glob has at most {} stars", TextGlob::MAX_STARS));
        return None;
    }
    Some(glob)
}

fn when(value: &Spanned<DeValue<'_>>, findings: &mut Collector<'_>) -> Option<When> {
    let source = string(value, "when", findings)?;
    match When::compile(source) {
        Ok(when) => Some(when),
        Err(problems) => {
            let written = value.span();
            let begins = content(findings.text(), written.clone(), source);
            for problem in problems {
                // Escapes shift what comes after them, so then the whole value is pointed at.
                let span = match begins {
                    Some(begins) => begins + problem.span.start..begins + problem.span.end,
                    None => written.clone(),
                };
                match problem.help {
                    Some(help) => findings.add_help(span, problem.message, help),
                    None => findings.add(span, problem.message),
                }
            }
            None
        }
    }
}

/// Where the content of a string begins in the document, if it stands there letter by letter.
fn content(text: &str, written: std::ops::Range<usize>, source: &str) -> Option<usize> {
    let raw = text.get(written.clone())?;
    let inner = ["'''", "\"\"\"", "'", "\""].iter().find_map(|quotes| raw.strip_prefix(quotes))?;
    // A line break right behind the quotes is no part of the text.
    let lines = inner.strip_prefix("\r\n").or_else(|| inner.strip_prefix('\n')).unwrap_or(inner);
    [inner, lines]
        .into_iter()
        .find(|inner| inner.starts_with(source) && inner.len() <= source.len() + 3)
        .map(|inner| written.end - inner.len())
}
