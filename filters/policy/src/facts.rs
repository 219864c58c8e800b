//! What is known of a call while rules are asked about it.

use std::cell::Cell;

use creto_call::{Call, Capture, Details, Kind, Meaning, Scheme};
use creto_expression::{Entry, Key};

use crate::{AgentFacts, terms::Known};

/// A call, with how much of it is known.
#[derive(Debug)]
pub(crate) struct Facts<'c> {
    pub(crate) call: Call<'c>,
    /// None when the set was compiled for no particular agent.
    pub(crate) agent: Option<&'c AgentFacts>,
    /// Whether anything beyond the destination is known: not of a tunnel, and not before a request has come.
    pub(crate) request_known: bool,
    /// Whether what stands in the body is known. There is nothing to read of an empty one.
    pub(crate) body_known: bool,
    /// False when the question is whether some call of a tool could be allowed, whatever its arguments.
    pub(crate) arguments_known: bool,
    /// Headers that expressions asked for.
    pub(crate) found: Found<'c>,
    /// Terms of expressions that were asked already.
    pub(crate) terms: Known,
}

/// Most headers that are remembered while a call is decided; others are looked up each time.
const REMEMBERED: usize = 8;

/// A header by the short form of its name, and what it holds.
type Header<'c> = ([u64; 3], Entry<'c>);

/// Headers that were looked up, each once for all rules that ask.
#[derive(Debug, Default)]
pub(crate) struct Found<'c> {
    entries: [Cell<Option<Header<'c>>>; REMEMBERED],
}

impl<'c> Found<'c> {
    #[inline]
    pub(crate) fn entry(&self, key: &Key, look_up: impl FnOnce() -> Entry<'c>) -> Entry<'c> {
        let Some(short) = key.short() else { return look_up() };
        for place in &self.entries {
            match place.get() {
                Some((known, entry)) if known == short => return entry,
                Some(_) => {}
                None => {
                    let entry = look_up();
                    place.set(Some((short, entry)));
                    return entry;
                }
            }
        }
        look_up()
    }
}

impl<'c> Facts<'c> {
    pub(crate) fn of_call(call: &Call<'c>, agent: Option<&'c AgentFacts>) -> Self {
        let has_body = matches!(call.kind, Kind::Http | Kind::Grpc) && call.details.size != Some(0);
        let body_known = call.details.body_read || !has_body;
        let request_known = call.kind != Kind::Opaque;
        Self {
            call: *call,
            agent,
            request_known,
            body_known,
            arguments_known: body_known,
            found: Found::default(),
            terms: Known::default(),
        }
    }

    /// The tool of the call in general: whatever its arguments, and however long.
    pub(crate) fn of_any_such_call(call: &Call<'c>, agent: Option<&'c AgentFacts>) -> Self {
        Self { arguments_known: false, ..Self::of_call(call, agent) }
    }

    /// Whether there is a body that can be read and has not been: never one of gRPC, which may be a stream both ways.
    pub(crate) fn body_to_read(&self) -> bool {
        !self.body_known && self.call.kind == Kind::Http
    }

    /// Whether the body may still turn out to be a message of MCP or A2A, on a host that no policy names for it.
    pub(crate) fn may_be_message(&self) -> bool {
        self.body_to_read() && matches!(self.call.details.meaning, Meaning::Plain)
    }

    pub(crate) fn of_destination(host: &'c str, port: u16, agent: Option<&'c AgentFacts>) -> Self {
        let call = Call {
            capture: Capture::Connect,
            kind: Kind::Opaque,
            scheme: Scheme::Https,
            method: "",
            host,
            port,
            path: "",
            details: Details::default(),
        };
        Self {
            call,
            agent,
            request_known: false,
            body_known: false,
            arguments_known: false,
            found: Found::default(),
            terms: Known::default(),
        }
    }
}
