//! Agents that call without end, and what they saw.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use creto_test_support::{Answer, HttpAgent, Trip, Way};
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::numbers::Numbers;
use crate::system::{AGENTS, SCARCE, System};

/// Callers at each sidecar.
pub(crate) const CALLERS: usize = 5;
/// Between two calls of one caller, and after one that came to nothing.
const PAUSE: Duration = Duration::from_millis(8);
const WAIT: Duration = Duration::from_millis(25);
/// Between two events of a stream, milliseconds: a stream takes about 50 ms.
const PACE: &str = "4";
/// Tokens of answer that a call asks for at most.
pub(crate) const MOST_OUTPUT: u64 = 50;

/// What is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A model, answered at once.
    Chat,
    /// A model, answered in a stream of events.
    Stream,
    /// A model that has a quota.
    Scarce,
    /// What policy refuses.
    Secret,
}

/// A call as its agent saw it.
#[derive(Clone, Debug)]
pub(crate) struct Made {
    /// Index of the agent.
    pub(crate) agent: usize,
    pub(crate) kind: Kind,
    /// Of the answer; none when no status line came.
    pub(crate) status: Option<u16>,
    /// Whether the answer came whole: to the end of its body, and the body says that it is the end.
    pub(crate) whole: bool,
    /// Code of the refusal; empty if there was none.
    pub(crate) refusal: String,
    /// The id that a refusal names.
    pub(crate) call_id: String,
    /// Input and output tokens, as the answer says.
    pub(crate) tokens: Option<(u64, u64)>,
}

impl Made {
    /// Answered by the upstream, to the end.
    pub(crate) fn is_answered(&self) -> bool {
        self.status == Some(200) && self.whole
    }
}

/// All calls, by their id, which is also in the path: no two have the same.
#[derive(Clone, Default)]
pub(crate) struct Journal(Arc<Kept>);

#[derive(Default)]
struct Kept {
    made: Mutex<BTreeMap<String, Made>>,
    /// Answered by the upstream, for each agent.
    answered: [AtomicU64; AGENTS.len()],
}

impl Journal {
    fn note(&self, id: String, made: Made) {
        if made.is_answered() {
            self.0.answered[made.agent].fetch_add(1, Ordering::SeqCst);
        }
        let before = self.0.made.lock().insert(id, made);
        assert!(before.is_none());
    }

    /// All of them.
    pub(crate) fn made(&self) -> BTreeMap<String, Made> {
        self.0.made.lock().clone()
    }

    /// How many calls of each agent the upstream has answered so far.
    pub(crate) fn answered(&self) -> Vec<u64> {
        self.0.answered.iter().map(|count| count.load(Ordering::SeqCst)).collect()
    }
}

/// The path that a call of this id goes to.
pub(crate) fn path(id: &str, kind: Kind) -> String {
    match kind {
        Kind::Secret => format!("/secret/{id}"),
        _ => format!("/base/{id}/v1/chat/completions"),
    }
}

/// Callers at every sidecar, until they are stopped.
pub(crate) struct Callers {
    stop: Arc<AtomicBool>,
    tasks: Vec<JoinHandle<()>>,
}

impl Callers {
    pub(crate) fn begin(system: &System, journal: &Journal, seed: u64) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let mut tasks = Vec::new();
        for (agent, sidecar) in system.sidecars.iter().enumerate() {
            for caller in 0..CALLERS {
                let (client, journal, stop) = (sidecar.http_agent(), journal.clone(), Arc::clone(&stop));
                let numbers = Numbers::new(seed ^ ((agent * CALLERS + caller + 1) as u64) << 32);
                let name = format!("{}-{caller}", AGENTS[agent]);
                tasks.push(tokio::spawn(call_on(client, journal, stop, numbers, (agent, name))));
            }
        }
        Self { stop, tasks }
    }

    /// Lets each finish its call.
    pub(crate) async fn end(self) {
        self.stop.store(true, Ordering::SeqCst);
        for task in self.tasks {
            task.await.unwrap();
        }
    }
}

async fn call_on(
    client: HttpAgent,
    journal: Journal,
    stop: Arc<AtomicBool>,
    mut numbers: Numbers,
    (agent, name): (usize, String),
) {
    for n in 0.. {
        if stop.load(Ordering::SeqCst) {
            return;
        }
        let id = format!("{name}-{n}");
        let kind = match numbers.below(20) {
            0 => Kind::Secret,
            1..=3 => Kind::Scarce,
            4..=10 => Kind::Stream,
            _ => Kind::Chat,
        };
        let words = numbers.between(1, 12);
        let answer = client.try_go(trip(&id, kind, words)).await;
        let made = seen(agent, kind, answer.as_ref().ok());
        let pause = if made.whole { PAUSE } else { WAIT };
        journal.note(id, made);
        tokio::time::sleep(pause).await;
    }
}

fn trip(id: &str, kind: Kind, words: u64) -> Trip {
    let url = format!("http://upstream{}", path(id, kind));
    let trip = Trip::get(Way::BaseUrl("/up"), &url).header("x-id", id);
    if kind == Kind::Secret {
        return trip;
    }
    let model = if kind == Kind::Scarce { SCARCE } else { "gpt-4o" };
    let said: Vec<String> = (0..words).map(|word| format!("word{word}")).collect();
    let mut body = json!({"model": model, "max_tokens": MOST_OUTPUT, "messages": [{"role": "user", "content": said.join(" ")}]});
    if kind == Kind::Stream {
        body["stream"] = true.into();
        body["stream_options"] = json!({"include_usage": true});
    }
    trip.method("POST")
        .header("content-type", "application/json")
        .header("authorization", "Bearer sk-test")
        .header("x-fake-pace", PACE)
        .body(body.to_string())
}

fn seen(agent: usize, kind: Kind, answer: Option<&Answer>) -> Made {
    let mut made = Made {
        agent,
        kind,
        status: None,
        whole: false,
        refusal: String::new(),
        call_id: String::new(),
        tokens: None,
    };
    let Some(answer) = answer else { return made };
    made.status = Some(answer.status);
    made.whole = answer.broke.is_none();
    if !made.whole {
        return made;
    }
    made.refusal = answer.refusal();
    made.call_id = answer.header("creto-call-id");
    if answer.status == 200 {
        let text = answer.text();
        made.whole = kind != Kind::Stream || text.trim_end().ends_with("data: [DONE]");
        made.tokens = usage(&text);
        assert!(!made.whole || made.tokens.is_some(), "answered whole, without usage: {text}");
    }
    made
}

/// Of an answer, or of the last event that has it.
fn usage(text: &str) -> Option<(u64, u64)> {
    let documents = text.lines().rev().map(|line| line.strip_prefix("data: ").unwrap_or(line));
    let whole = serde_json::from_str::<Value>(text).ok();
    let found = whole.into_iter().chain(documents.filter_map(|line| serde_json::from_str(line).ok()));
    found
        .map(|document| document["usage"].clone())
        .find_map(|usage| Some((usage["prompt_tokens"].as_u64()?, usage["completion_tokens"].as_u64()?)))
}
