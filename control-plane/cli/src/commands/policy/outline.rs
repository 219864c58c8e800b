//! What a document says, without how it is written: order, spelling of lists, spaces and defaults aside.

mod fields;

pub(super) use self::fields::default_of;

use std::collections::{BTreeMap, BTreeSet};

use creto_policy::{Document, Place, PortRange};
use toml::{Table, Value};

use super::documents::Written;
use crate::failure::{Failure, Outcome};

/// What a key says.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Field {
    /// One thing.
    One(String),
    /// Any of these.
    AnyOf(BTreeSet<String>),
}

impl Field {
    fn any_of<T: ToString>(all: impl IntoIterator<Item = T>) -> Self {
        Self::AnyOf(all.into_iter().map(|one| one.to_string()).collect())
    }
}

impl std::fmt::Display for Field {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::One(text) => f.write_str(text),
            Self::AnyOf(all) => {
                let all: Vec<&str> = all.iter().map(String::as_str).collect();
                f.write_str(&all.join(", "))
            }
        }
    }
}

/// What the keys of a table say; those that say what holds without them are left out.
pub(super) type Fields = BTreeMap<String, Field>;

/// What kind of thing stands in a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Rule,
    Route,
    Provider,
    McpServer,
    A2aAgent,
    Credential,
}

impl Kind {
    /// As people read it.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Rule => "rule",
            Self::Route => "route",
            Self::Provider => "provider",
            Self::McpServer => "mcp_server",
            Self::A2aAgent => "a2a_agent",
            Self::Credential => "credential",
        }
    }
}

/// All that a document says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Outline {
    /// Name, mode, agents and staleness.
    pub(super) settings: Fields,
    /// What has a name of its own.
    pub(super) items: BTreeMap<(Kind, String), Fields>,
}

impl Outline {
    /// Of a document that holds.
    ///
    /// # Errors
    /// When its text is not TOML, which one that holds never is.
    pub(super) fn of(written: &Written) -> Outcome<Self> {
        let table: Table = toml::from_str(&written.text).map_err(|error| {
            Failure::new(format!("{} cannot be read again.", written.from)).why(error.message())
        })?;
        Ok(Self { settings: settings(&table), items: items(&table, &written.document) })
    }

    /// What a rule says.
    pub(super) fn rule(&self, name: &str) -> Option<&Fields> {
        self.items.get(&(Kind::Rule, name.to_owned()))
    }
}

fn settings(table: &Table) -> Fields {
    let mut fields = Fields::new();
    let mode = table.get("mode").and_then(Value::as_str).unwrap_or("enforce");
    fields.insert("mode".to_owned(), Field::One(mode.to_owned()));
    for key in ["name", "agents", "staleness"] {
        if let Some(value) = table.get(key) {
            fields::add(&mut fields, key, value);
        }
    }
    fields
}

fn items(table: &Table, document: &Document) -> BTreeMap<(Kind, String), Fields> {
    let mut items = BTreeMap::new();
    let mut tables = BTreeMap::new();
    for (key, kind) in [
        ("allow", Kind::Rule),
        ("deny", Kind::Rule),
        ("route", Kind::Route),
        ("provider", Kind::Provider),
        ("mcp_server", Kind::McpServer),
        ("a2a_agent", Kind::A2aAgent),
        ("credential", Kind::Credential),
    ] {
        for entry in table.get(key).and_then(Value::as_array).into_iter().flatten() {
            if let (Some(entry), Some(name)) = (entry.as_table(), entry.get("name").and_then(Value::as_str)) {
                tables.insert((kind, name), entry);
            }
        }
    }
    let mut add = |kind: Kind, name: &str, mut fields: Fields| {
        if let Some(entry) = tables.get(&(kind, name)) {
            for (key, value) in
                entry.iter().filter(|(key, _)| !matches!(key.as_str(), "name" | "host" | "port"))
            {
                fields::add(&mut fields, key, value);
            }
            fields::drop_defaults(&mut fields, name);
        }
        items.insert((kind, name.to_owned()), fields);
    };
    for rule in document.rules() {
        let mut fields = Fields::new();
        fields.insert("effect".to_owned(), Field::One(rule.effect().as_str().to_owned()));
        fields.insert("host".to_owned(), Field::any_of(rule.hosts()));
        fields.insert("port".to_owned(), ports(rule.ports()));
        add(Kind::Rule, rule.name(), fields);
    }
    for route in document.routes() {
        add(Kind::Route, route.name(), Fields::new());
    }
    for provider in document.providers() {
        add(Kind::Provider, provider.name(), place(provider.place()));
    }
    for server in document.mcp_servers() {
        add(Kind::McpServer, server.name(), place(server.place()));
    }
    for agent in document.a2a_agents() {
        add(Kind::A2aAgent, agent.name(), place(agent.place()));
    }
    for credential in document.credentials() {
        add(Kind::Credential, credential.name(), place(credential.place()));
    }
    items
}

fn place(place: &Place) -> Fields {
    [("host".to_owned(), Field::any_of(place.hosts())), ("port".to_owned(), ports(place.ports()))].into()
}

/// Ports in ascending ranges that neither touch nor overlap, so that `[80, 81]` is `80-81`.
fn ports(ranges: &[PortRange]) -> Field {
    let mut ranges = ranges.to_vec();
    ranges.sort_unstable();
    let mut merged: Vec<PortRange> = Vec::new();
    for range in ranges {
        match merged.last_mut() {
            Some(last) if range.first <= last.last.saturating_add(1) => last.last = last.last.max(range.last),
            _ => merged.push(range),
        }
    }
    if merged == [PortRange::ANY] { Field::any_of(["any"]) } else { Field::any_of(merged) }
}
