//! What a document says, without how it is written: order, spelling of lists, spaces and defaults aside.

mod fields;

pub(super) use self::fields::default_of;

use std::collections::{BTreeMap, BTreeSet};

use creto_policy::{Away, Document, Place, PortRange, QuotaPeriod, QuotaRule};
use toml::{Table, Value};

use super::documents::Written;
use crate::commands::quota::amount;
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
    Quota,
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
            Self::Quota => "quota",
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
        ("hold", Kind::Rule),
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
            for (key, value) in entry.iter().filter(|(key, _)| !fields::is_told_otherwise(key)) {
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
    for hold in document.holds() {
        let mut fields = Fields::new();
        fields.insert("effect".to_owned(), Field::One("hold".to_owned()));
        fields.insert("host".to_owned(), Field::any_of(hold.hosts()));
        fields.insert("port".to_owned(), ports(hold.ports()));
        // Who is asked, in which order and for how long, is one thing.
        fields.insert("asks".to_owned(), Field::One(hold.to_string()));
        add(Kind::Rule, hold.name(), fields);
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
    for quota in document.quotas() {
        items.insert((Kind::Quota, quota.name().to_owned()), of_quota(quota, table));
    }
    items
}

/// What a quota or budget says, and what holds where it says nothing.
fn of_quota(quota: &QuotaRule, table: &Table) -> Fields {
    let period = match quota.period() {
        period @ QuotaPeriod::Custom { anchor_ms, .. } => format!("{period} from {anchor_ms} ms"),
        period => period.to_string(),
    };
    let away = match quota.away() {
        Away::Refuse => "refuse",
        Away::Allow => "allow",
    };
    let mut fields: Fields = [
        ("meter", quota.meter().as_str().to_owned()),
        ("limit", amount(quota.limit(), quota.unit())),
        ("period", period),
        ("zone", quota.zone().to_owned()),
        ("per", quota.per().as_str().to_owned()),
        ("action", quota.action().as_str().to_owned()),
        ("warn", quota.warn_percent().to_string()),
        ("away", away.to_owned()),
        ("cut_streams", quota.cut_streams().to_string()),
    ]
    .map(|(key, text)| (key.to_owned(), Field::One(text)))
    .into();
    let entries = ["quota", "budget"].into_iter().filter_map(|key| table.get(key)?.as_array()).flatten();
    let named = |entry: &&Value| entry.get("name").and_then(Value::as_str) == Some(quota.name());
    let entry = entries.into_iter().find(named);
    for key in ["host", "model", "provider"] {
        let texts = match entry.and_then(|entry| entry.get(key)) {
            Some(Value::Array(all)) => all.iter().filter_map(Value::as_str).collect(),
            Some(Value::String(one)) => vec![one.as_str()],
            _ => continue,
        };
        fields.insert(key.to_owned(), Field::any_of(texts));
    }
    fields
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
