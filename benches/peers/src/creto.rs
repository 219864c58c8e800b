//! Ours: [`PolicySet::decide`] over a borrowed [`Call`].

use std::fmt::Write as _;

use creto_call::{Call, Capture, Decision, Details, Kind, Meaning, Scheme};
use creto_policy::{AgentFacts, Document, PolicySet, Tier, Trust};

use crate::Outcome;
use crate::engine::Engine;
use crate::expressions::{Asked, HOST, in_cel};
use crate::rules::{DENIED_METHOD, Facts, METHODS, PREFIX, Rules};

/// Rules of one document; a document is at most 1 MiB.
const RULES_A_DOCUMENT: usize = 5_000;

/// Rules about host, method and path.
pub(crate) struct Creto(PolicySet);

impl Creto {
    pub(crate) fn load(rules: Rules) -> Outcome<Self> {
        let mut written = Vec::new();
        for (n, host) in rules.hosts().enumerate() {
            written.push(format!(
                "[[allow]]\nname = \"a{n}\"\nhost = \"{host}\"\nmethod = {METHODS:?}\npath = \"{PREFIX}**\"\n"
            ));
        }
        for (n, prefix) in rules.denied_prefixes().enumerate() {
            written.push(format!(
                "[[deny]]\nname = \"d{n}\"\nhost = \"*\"\nmethod = \"{DENIED_METHOD}\"\npath = \"{prefix}**\"\n"
            ));
        }
        let documents: Outcome<Vec<Document>> = written
            .chunks(RULES_A_DOCUMENT)
            .enumerate()
            .map(|(n, rules)| document(&format!("bench-{n}"), &rules.concat()))
            .collect();
        Ok(Self(PolicySet::compile(&documents?)))
    }
}

impl Engine for Creto {
    type Facts = Facts;
    type Request<'f> = Call<'f>;

    fn prepare<'f>(&self, facts: &'f Facts) -> Option<Call<'f>> {
        Some(call(&facts.method, &facts.host, &facts.path, Details::default()))
    }

    fn allows(&self, request: &Call<'_>) -> bool {
        matches!(self.0.decide(request), Decision::Allow { .. })
    }
}

/// Rules with a `when`.
pub(crate) struct When(PolicySet);

impl When {
    pub(crate) fn load(rules: usize) -> Outcome<Self> {
        let mut text = format!("[[provider]]\nname = \"models\"\nhost = \"{HOST}\"\napi = \"openai\"\n");
        for n in 0..rules {
            writeln!(text, "[[allow]]\nname = \"w{n}\"\nhost = \"{HOST}\"\nwhen = '{}'", in_cel(n))?;
        }
        let agent = AgentFacts {
            name: "bench".into(),
            tier: Tier::Standard,
            trust: Trust::Trusted,
            labels: [("team".to_owned(), "search".to_owned())].into(),
        };
        Ok(Self(PolicySet::for_agent([&document("bench", &text)?], &agent)))
    }
}

impl Engine for When {
    type Facts = Asked;
    type Request<'f> = Call<'f>;

    fn prepare<'f>(&self, asked: &'f Asked) -> Option<Call<'f>> {
        let details = Details {
            headers: Some(&asked.headers),
            size: Some(2000),
            body_read: true,
            meaning: Meaning::Model(&asked.model),
            ..Details::default()
        };
        Some(call("POST", HOST, "/v1/chat/completions", details))
    }

    fn allows(&self, request: &Call<'_>) -> bool {
        matches!(self.0.decide(request), Decision::Allow { .. })
    }
}

fn document(name: &str, rules: &str) -> Outcome<Document> {
    let text = format!("version = 1\nname = \"{name}\"\n{rules}");
    Ok(Document::parse(name, &text).map_err(|problems| problems.render(false))?)
}

fn call<'f>(method: &'f str, host: &'f str, path: &'f str, details: Details<'f>) -> Call<'f> {
    Call {
        capture: Capture::Connect,
        kind: Kind::Http,
        scheme: Scheme::Https,
        method,
        host,
        port: 443,
        path,
        details,
    }
}
