//! What agents and the provider saw, held against what is on record and what is metered.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use creto_proto::v1::{CallEnded, CallRecord, ListQuotasRequest, Outcome, QueryMeterRequest, Usage};
use creto_test_support::NAMESPACE;

use crate::callers::{CALLERS, Kind, MOST_OUTPUT, Made, path};
use crate::system::{AGENTS, QUOTA, SCARCE, System};

/// How long the spools may take to be empty.
const DRAIN: Duration = Duration::from_secs(120);
pub(crate) const MINUTE_MS: i64 = 60_000;

/// A call on record and what is known of it besides.
pub(crate) struct Kept {
    pub(crate) record: CallRecord,
    /// Index of the agent.
    pub(crate) agent: usize,
}

/// Everything about the calls of a test.
pub(crate) struct Account {
    /// As the agents saw them, by id.
    made: BTreeMap<String, Made>,
    /// As they are on record, by path.
    kept: BTreeMap<String, Kept>,
    /// How often each id came to the provider.
    came: BTreeMap<String, u64>,
    /// Input and output tokens that the provider counted, by id.
    spent: BTreeMap<String, (u64, u64)>,
    /// Calls of the model with the quota that came to the provider.
    scarce: u64,
    /// From when to when calls may have been made, whole minutes.
    pub(crate) from_ms: i64,
    pub(crate) to_ms: i64,
    drained_in: Duration,
}

/// How often in a row the spools must be empty.
const LOOKS: u32 = 4;

/// What calls come to, as meters count them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sums {
    pub(crate) calls: u64,
    pub(crate) input: u64,
    pub(crate) output: u64,
    pub(crate) request_bytes: u64,
}

impl Account {
    /// Waits until the spools are empty, and reads everything.
    pub(crate) async fn draw_up(system: &System, made: &BTreeMap<String, Made>) -> Self {
        let begun = Instant::now();
        // The gauge is told every tenth of a second: what ended last shows in the next, so one look is none.
        let mut empty = 0;
        while empty < LOOKS {
            let pending = system.pending().await;
            empty = if pending.as_ref().is_some_and(|all| all.iter().all(|left| *left == 0)) {
                empty + 1
            } else {
                0
            };
            assert!(begun.elapsed() < DRAIN, "spools are not empty: {pending:?}");
            tokio::time::sleep(Duration::from_millis(150)).await;
        }
        let drained_in = begun.elapsed();
        let mut ids = BTreeSet::new();
        let mut kept: BTreeMap<String, Kept> = BTreeMap::new();
        for record in system.plane.calls().await {
            assert!(ids.insert(record.call_id.clone()), "a call id is on record twice: {record:?}");
            let path = record.begun.as_ref().map(|begun| begun.path.clone()).unwrap_or_default();
            let agent = AGENTS.iter().position(|name| *name == record.agent_name).unwrap();
            if let Some(twice) = kept.insert(path, Kept { record, agent }) {
                panic!("one call is on record twice: {:?}", twice.record);
            }
        }
        let mut came: BTreeMap<String, u64> = BTreeMap::new();
        for request in system.upstream.requests() {
            *came.entry(request.header("x-id").expect("agents say who calls").to_owned()).or_default() += 1;
        }
        let calls = system.provider.calls();
        let id = |call: &creto_test_support::SeenCall| call.header("x-id").unwrap_or_default().to_owned();
        let spent =
            calls.iter().filter_map(|call| Some((id(call), (call.tokens?.input, call.tokens?.output))));
        let now_ms =
            i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap();
        Self {
            made: made.clone(),
            kept,
            came,
            spent: spent.collect(),
            scarce: calls.iter().filter(|call| call.model == SCARCE).count() as u64,
            from_ms: now_ms / MINUTE_MS * MINUTE_MS - 24 * 60 * MINUTE_MS,
            to_ms: now_ms / MINUTE_MS * MINUTE_MS + 10 * MINUTE_MS,
            drained_in,
        }
    }

    /// The calls on record.
    pub(crate) fn kept(&self) -> impl Iterator<Item = &Kept> {
        self.kept.values()
    }

    fn on_record(&self, id: &str, made: &Made) -> Option<&Kept> {
        self.kept.get(&path(id, made.kind))
    }

    /// Every call that an agent was answered is on record once, completed, with the tokens that the answer and the provider
    /// tell of; every refusal is, by its id; whatever came to the provider is, and came once; and nothing else is.
    pub(crate) fn assert_every_answer_is_on_record_once(&self) {
        let mut known = 0;
        for (id, made) in &self.made {
            let kept = self.on_record(id, made);
            let told =
                || format!("{id}: the agent saw {made:?}, on record is {:?}", kept.map(|kept| &kept.record));
            known += usize::from(kept.is_some());
            let came = self.came.get(id).copied().unwrap_or_default();
            assert!(came <= 1, "forwarded {came} times: {}", told());
            assert!(came == 0 || kept.is_some(), "forwarded without a record: {}", told());
            let Some(status) = made.status.filter(|_| made.whole) else { continue };
            let Some(kept) = kept else { panic!("answered and not on record: {}", told()) };
            let ended =
                kept.record.ended.as_ref().unwrap_or_else(|| panic!("answered without an end: {}", told()));
            assert_eq!(kept.agent, made.agent, "{}", told());
            assert_eq!(ended.status, u32::from(status), "{}", told());
            if made.is_answered() {
                assert_eq!(came, 1, "answered by nobody: {}", told());
                assert_eq!(ended.outcome(), Outcome::Completed, "{}", told());
                assert_eq!(Some(tokens(ended.usage.as_ref())), made.tokens, "{}", told());
                assert_eq!(self.spent.get(id).copied(), made.tokens, "{}", told());
            } else {
                assert_eq!(kept.record.call_id, made.call_id, "{}", told());
                assert_eq!(came, 0, "refused and forwarded: {}", told());
                let expected = ["rule_denies", "over_quota", "quota_unavailable"];
                assert!(expected.contains(&made.refusal.as_str()), "{}", told());
            }
        }
        assert_eq!(known, self.kept.len(), "calls are on record that nobody made");
        assert_eq!(self.came.keys().filter(|id| !self.made.contains_key(*id)).count(), 0);
        assert!(self.kept.values().all(|kept| kept.record.ended.is_some()), "a call has no end");
    }

    /// Calls whose end the sidecar took with it.
    fn ambiguous(&self) -> impl Iterator<Item = (&String, &CallEnded)> {
        self.made.iter().filter_map(|(id, made)| {
            let ended = self.on_record(id, made)?.record.ended.as_ref()?;
            (ended.outcome() == Outcome::Ambiguous).then_some((id, ended))
        })
    }

    /// What the provider counted for them, and what they are on record with.
    fn ambiguous_tokens(&self) -> (u64, u64) {
        let spent = |id: &String| self.spent.get(id).map_or(0, |(input, output)| input + output);
        let kept = |ended: &CallEnded| {
            let (input, output) = tokens(ended.usage.as_ref());
            input + output
        };
        self.ambiguous().fold((0, 0), |(all, most), (id, ended)| (all + spent(id), most + kept(ended)))
    }

    /// A call of a model whose end nobody knows is on record with the most that it can have used, marked as estimated:
    /// never with less than the provider counted.
    pub(crate) fn assert_what_is_not_known_is_estimated(&self) {
        for (id, ended) in self.ambiguous().filter(|(id, _)| self.made[*id].kind != Kind::Secret) {
            let told = || format!("{id}: {ended:?}, the provider counted {:?}", self.spent.get(id));
            let usage = ended.usage.as_ref().unwrap_or_else(|| panic!("nothing is known: {}", told()));
            let (input, output) = tokens(Some(usage));
            let (read, wrote) = self.spent.get(id).copied().unwrap_or_default();
            assert!(usage.estimated && output == MOST_OUTPUT && input > 0, "{}", told());
            assert!(input >= read && output >= wrote, "{}", told());
        }
    }

    /// No kill of a sidecar costs the ends of more calls than were under way at it, and nothing else costs any.
    pub(crate) fn assert_in_flight_is_bounded(&self, kills: u64) {
        let ambiguous = self.ambiguous().count() as u64;
        let most = kills * CALLERS as u64;
        assert!(ambiguous <= most, "{ambiguous} calls without a known end after {kills} kills of sidecars");
    }

    /// The provider never got more calls than the quota allows, and the quota says so too.
    pub(crate) async fn assert_quota_was_kept(&self, system: &System) {
        assert!(self.scarce <= system.limit, "{} calls of a quota of {}", self.scarce, system.limit);
        let request = ListQuotasRequest { namespace: NAMESPACE.to_owned(), agent_name: String::new() };
        let quotas = system.plane.operator().quotas().list_quotas(request).await.unwrap().into_inner().quotas;
        let state = quotas.iter().find(|state| state.quota == QUOTA).expect("the quota is known");
        let taken = state.spent + state.leased + state.stranded;
        assert!(taken <= system.limit && state.overage == 0, "{state:?}");
        println!(
            "quota: {} of {} came to the provider; spent {}, leased {}, stranded {}",
            self.scarce, system.limit, state.spent, state.leased, state.stranded
        );
    }

    /// What meters must come to, for each agent: every call on record counts once.
    pub(crate) fn expected(&self) -> Vec<Sums> {
        let mut sums = vec![Sums::default(); AGENTS.len()];
        for kept in self.kept.values() {
            let Some(ended) = &kept.record.ended else { continue };
            let (input, output) = tokens(ended.usage.as_ref());
            let sum = &mut sums[kept.agent];
            sum.calls += 1;
            sum.input += input;
            sum.output += output;
            sum.request_bytes += ended.request_bytes;
        }
        sums
    }

    /// The control plane's own answer about each meter, over its API.
    pub(crate) async fn assert_the_plane_says_the_same(&self, system: &System) {
        for (meter, value) in metered() {
            let request = QueryMeterRequest {
                namespace: NAMESPACE.to_owned(),
                meter: meter.to_owned(),
                from_ms: self.from_ms,
                to_ms: self.to_ms,
                group_by: vec!["agent".to_owned()],
                ..QueryMeterRequest::default()
            };
            let values =
                system.plane.operator().meters().query_meter(request).await.unwrap().into_inner().values;
            let found: BTreeMap<String, String> =
                values.into_iter().map(|found| (found.group["agent"].clone(), found.value)).collect();
            let sums = self.expected();
            let expected: BTreeMap<String, String> = AGENTS
                .iter()
                .zip(&sums)
                .map(|(name, sums)| ((*name).to_owned(), value(sums).to_string()))
                .collect();
            assert_eq!(found, expected, "{meter}");
        }
    }
}

/// What of the sums a meter is.
type OfSums = fn(&Sums) -> u64;

/// Built-in meters, and what of the sums each is.
pub(crate) fn metered() -> [(&'static str, OfSums); 5] {
    [
        ("calls", |sums| sums.calls),
        ("llm.tokens", |sums| sums.input + sums.output),
        ("llm.input_tokens", |sums| sums.input),
        ("llm.output_tokens", |sums| sums.output),
        ("egress.bytes", |sums| sums.request_bytes),
    ]
}

/// All input and all output.
pub(crate) fn tokens(usage: Option<&Usage>) -> (u64, u64) {
    let Some(usage) = usage else { return (0, 0) };
    let input = usage.input + usage.cached_input + usage.cache_write + usage.cache_write_1h;
    (input + usage.audio_input + usage.image_input, usage.output + usage.reasoning + usage.audio_output)
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = |wanted: &dyn Fn(&Made) -> bool| self.made.values().filter(|made| wanted(made)).count();
        let answered = count(&Made::is_answered);
        let refused = count(&|made| !made.refusal.is_empty());
        let began = self.made.iter().filter(|(id, made)| self.on_record(id, made).is_some()).count();
        let broken = began - answered - refused;
        let ambiguous = self.ambiguous().count();
        let (counted, most) = self.ambiguous_tokens();
        let forwarded =
            self.made.iter().filter(|(id, made)| !made.is_answered() && self.came.contains_key(*id));
        let sums = self.expected();
        let tokens: u64 = sums.iter().map(|sums| sums.input + sums.output).sum();
        write!(
            f,
            "calls tried {}, on record {began}: answered {answered}, refused {refused}, under way when their sidecar died \
             {broken}; {} of those came to the provider\n\
             ambiguous on record {ambiguous}: the provider counted {counted} tokens for them, and they count as {most}\n\
             events {}, tokens metered {tokens}; spools empty after {} ms",
            self.made.len(),
            forwarded.count(),
            sums.iter().map(|sums| sums.calls).sum::<u64>(),
            self.drained_in.as_millis(),
        )
    }
}
