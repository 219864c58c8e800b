//! A request as it is reviewed: all of it.

use creto_approvals::{Kept, Payload};
use creto_oversight::{Person, Status};

use super::json::laid_out;
use super::{Visible, duration, instant};

/// Bytes in one line of hexadecimal digits.
const LINE_BYTES: usize = 32;

/// A request as it is reviewed.
pub(crate) struct Item {
    kept: Kept,
    laid_out: Option<String>,
    lines: Vec<String>,
}

impl Item {
    /// Of a request with headers and body.
    pub(crate) fn new(kept: Kept) -> Self {
        let (laid_out, lines) = match &kept.context.body {
            Payload::Nothing => (None, Vec::new()),
            Payload::Text(text) => (laid_out(text), Vec::new()),
            Payload::Binary(digits) => (None, lines(digits)),
        };
        Self { kept, laid_out, lines }
    }

    pub(crate) fn id(&self) -> String {
        self.kept.id().to_string()
    }

    pub(crate) fn digest(&self) -> String {
        self.kept.digest().to_string()
    }

    pub(crate) fn action(&self) -> Visible<'_> {
        Visible(&self.kept.context.action)
    }

    pub(crate) fn method(&self) -> Visible<'_> {
        Visible(&self.kept.context.method)
    }

    pub(crate) fn url(&self) -> Visible<'_> {
        Visible(&self.kept.context.url)
    }

    pub(crate) fn headers(&self) -> Vec<(Visible<'_>, Visible<'_>)> {
        let headers = &self.kept.context.headers;
        headers.iter().map(|header| (Visible(&header.name), Visible(&header.value))).collect()
    }

    /// The body as text, when it is.
    pub(crate) fn text(&self) -> Option<Visible<'_>> {
        match &self.kept.context.body {
            Payload::Text(text) => Some(Visible(text)),
            _ => None,
        }
    }

    /// The body's bytes in lines of hexadecimal digits, when it is no text.
    pub(crate) fn lines(&self) -> &[String] {
        &self.lines
    }

    /// The same JSON with other white space.
    pub(crate) fn laid_out(&self) -> Option<Visible<'_>> {
        self.laid_out.as_deref().map(Visible)
    }

    /// How large the body is.
    pub(crate) fn body_bytes(&self) -> usize {
        body_bytes(&self.kept)
    }

    pub(crate) fn trigger(&self) -> Visible<'_> {
        Visible(&self.kept.context.trigger)
    }

    pub(crate) fn risks(&self) -> Vec<Visible<'_>> {
        self.kept.context.risks.iter().map(|risk| Visible(risk)).collect()
    }

    pub(crate) fn cost(&self) -> Option<Visible<'_>> {
        Some(self.kept.context.cost.as_str()).filter(|cost| !cost.is_empty()).map(Visible)
    }

    pub(crate) fn chain(&self) -> Vec<Visible<'_>> {
        self.kept.context.delegation.iter().map(|name| Visible(name)).collect()
    }

    pub(crate) fn said(&self) -> Option<Visible<'_>> {
        self.kept.context.said_by_agent.as_deref().map(Visible)
    }

    pub(crate) fn agent(&self) -> Visible<'_> {
        Visible(&self.kept.facts.agent)
    }

    pub(crate) fn policy(&self) -> Visible<'_> {
        Visible(&self.kept.facts.policy)
    }

    pub(crate) fn rule(&self) -> Visible<'_> {
        Visible(&self.kept.facts.rule)
    }

    pub(crate) fn made(&self) -> String {
        instant(self.kept.facts.request.created_at_ms)
    }

    /// What one approval gives at most.
    pub(crate) fn most(&self) -> String {
        let request = &self.kept.facts.request;
        let times =
            if request.most_uses == 1 { "once".to_owned() } else { format!("{} times", request.most_uses) };
        format!("{times}, for {}", duration(request.most_ms))
    }
}

/// How large a body is.
pub(crate) fn body_bytes(kept: &Kept) -> usize {
    match &kept.context.body {
        Payload::Nothing => 0,
        Payload::Text(text) => text.len(),
        Payload::Binary(digits) => digits.len() / 2,
    }
}

fn lines(digits: &str) -> Vec<String> {
    let lines = digits.as_bytes().chunks(LINE_BYTES * 2).enumerate();
    let line = |(number, line): (usize, &[u8])| {
        let pairs = line.chunks(2).map(|pair| String::from_utf8_lossy(pair).into_owned());
        format!("{:06x}  {}", number * LINE_BYTES, pairs.collect::<Vec<_>>().join(" "))
    };
    lines.map(line).collect()
}

/// A request in a list.
pub(crate) struct Row {
    kept: Kept,
    now_ms: u64,
    asks_you: bool,
}

impl Row {
    pub(crate) fn new(kept: Kept, person: &Person, now_ms: u64) -> Self {
        let asks_you = match &kept.status {
            Status::Open(open) => open.awaited().any(|awaited| awaited == person),
            _ => false,
        };
        Self { kept, now_ms, asks_you }
    }

    pub(crate) fn id(&self) -> String {
        self.kept.id().to_string()
    }

    pub(crate) fn action(&self) -> Visible<'_> {
        Visible(&self.kept.context.action)
    }

    pub(crate) fn agent(&self) -> Visible<'_> {
        Visible(&self.kept.facts.agent)
    }

    pub(crate) fn policy(&self) -> Visible<'_> {
        Visible(&self.kept.facts.policy)
    }

    pub(crate) fn rule(&self) -> Visible<'_> {
        Visible(&self.kept.facts.rule)
    }

    pub(crate) fn trigger(&self) -> Visible<'_> {
        Visible(&self.kept.context.trigger)
    }

    pub(crate) fn cost(&self) -> Visible<'_> {
        Visible(&self.kept.context.cost)
    }

    pub(crate) fn word(&self) -> &'static str {
        self.kept.status.word()
    }

    pub(crate) fn state(&self) -> &'static str {
        super::standing::state(self.word())
    }

    pub(crate) fn asks_you(&self) -> bool {
        self.asks_you
    }

    pub(crate) fn is_open(&self) -> bool {
        matches!(self.kept.status, Status::Open(_))
    }

    /// When people's time ends.
    pub(crate) fn until_ms(&self) -> u64 {
        match &self.kept.status {
            Status::Open(open) => open.until_ms(),
            _ => 0,
        }
    }

    pub(crate) fn left(&self) -> String {
        duration(self.until_ms().saturating_sub(self.now_ms))
    }

    pub(crate) fn is_urgent(&self) -> bool {
        self.until_ms().saturating_sub(self.now_ms) < 120_000
    }

    pub(crate) fn changed(&self) -> String {
        instant(self.kept.changed_ms)
    }
}
