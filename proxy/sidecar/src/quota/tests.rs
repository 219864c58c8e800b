use std::sync::Arc;
use std::time::Duration;

use creto_call::{
    Call, Capture, Demand, Details, Kind, Meaning, ModelApi, ModelCall, ModelOperation, RefusalCode, Scheme,
};
use creto_metering::{Settled, Usage};
use creto_policy::{AgentFacts, Document, PolicySet, QuotaMeter, Tier, Trust};
use creto_prices::PriceList;
use creto_quota::Lease;

use super::line::Said;
use super::{Bound, LeaseDesk, Most, QuotaAsk, QuotaBook, Reach, Sending, Used};
use crate::http::refuse::Refused;
use crate::path::judge::now_s;

struct Scene {
    desk: LeaseDesk,
    policy: PolicySet,
    book: QuotaBook,
}

impl Scene {
    fn of(quotas: &str) -> Self {
        let text = format!(
            "version = 1\nname = \"p\"\n[[allow]]\nname = \"all\"\nhost = \"*\"\nport = \"any\"\n{quotas}\n"
        );
        let document =
            Document::parse("p.toml", &text).unwrap_or_else(|problems| panic!("{}", problems.render(false)));
        let facts = AgentFacts {
            name: "caller".into(),
            tier: Tier::Standard,
            trust: Trust::Trusted,
            labels: Default::default(),
        };
        let policy = PolicySet::for_agent(vec![&document], &facts);
        let desk = LeaseDesk::new();
        let book = desk.book(&policy).unwrap();
        Self { desk, policy, book }
    }

    fn grant(&self, quota: &str, amount: u64) {
        let line = self.desk.lines().into_iter().find(|line| &*line.name == quota).unwrap();
        let id = line.quota.lease().map_or(1, |lease| lease.id + 1);
        assert!(line.granted(&Lease { id, epoch: 1, amount, not_after_s: now_s() + 60 }, now_s()));
    }

    fn ask(&self, meaning: Meaning<'_>, bytes: Option<u64>) -> Result<Option<Box<QuotaAsk>>, Refused> {
        let reach = Reach::of(&[meaning], bytes, self.book.prices());
        self.book.ask(&self.policy, &call(meaning), &[meaning], (bytes, reach.as_ref()))
    }

    fn left(&self, quota: &str) -> u64 {
        self.desk.lines().into_iter().find(|line| &*line.name == quota).unwrap().quota.left()
    }
}

fn chat(model: &str, most: Option<u64>) -> ModelCall {
    ModelCall {
        provider: "openai".into(),
        api: ModelApi::OpenAi,
        operation: ModelOperation::Chat,
        model: Some(model.into()),
        streaming: false,
        max_output_tokens: most,
        tools: Vec::new(),
        demand: Demand::default(),
    }
}

fn call<'a>(meaning: Meaning<'a>) -> Call<'a> {
    Call {
        capture: Capture::Connect,
        kind: Kind::Http,
        scheme: Scheme::Https,
        method: "POST",
        host: "api.openai.com",
        port: 443,
        path: "/v1/chat/completions",
        details: Details { meaning, body_read: true, ..Details::default() },
    }
}

fn most_of(model: &ModelCall, bytes: u64, prices: &Arc<PriceList>) -> Most {
    let (meaning, bytes) = (Meaning::Model(model), Some(bytes));
    Most::of(&call(meaning), bytes, Reach::of(&[meaning], bytes, Some(prices)).as_ref(), Some(prices))
}

fn used(settled: Option<&Settled>) -> Used<'_> {
    Used { left: true, request_bytes: 0, failed: false, settled }
}

fn answer(usage: Usage) -> Settled {
    Settled { usage, complete: true, ..Settled::default() }
}

const TOKENS: &str =
    "[[quota]]\nname = \"tokens\"\nmeter = \"llm.tokens\"\nlimit = 1_000_000\nperiod = \"daily\"";
const MONEY: &str = "[[budget]]\nname = \"money\"\nlimit = \"10\"\ncurrency = \"USD\"\nperiod = \"daily\"";

#[test]
fn a_call_holds_its_bound_and_gives_back_what_it_did_not_use() {
    let scene = Scene::of(&format!("{TOKENS}\n{MONEY}"));
    scene.grant("tokens", 100_000);
    scene.grant("money", 1_000_000_000);
    let model = chat("gpt-4o", Some(500));
    let ask = scene.ask(Meaning::Model(&model), Some(2_000)).unwrap().unwrap();
    let hold = ask.at_once(&scene.desk).unwrap();
    // Bytes and what providers add, read; and the answer.
    assert_eq!(scene.left("tokens"), 100_000 - (2_000 + 1_024 + 500));
    // 2.50 dollars a million read, 10 written.
    assert_eq!(scene.left("money"), 1_000_000_000 - (3_024 * 2_500 + 500 * 10_000));
    let settled = answer(Usage { input: 300, cached_input: 100, output: 20, ..Usage::default() });
    hold.settle(used(Some(&settled)));
    assert_eq!(scene.left("tokens"), 100_000 - 420);
    assert_eq!(scene.left("money"), 1_000_000_000 - (300 * 2_500 + 100 * 1_250 + 20 * 10_000));
}

#[test]
fn what_the_record_says_a_call_can_come_to_is_what_its_quotas_reserve() {
    let scene = Scene::of(&format!("{TOKENS}\n{MONEY}"));
    scene.grant("tokens", 100_000);
    scene.grant("money", 1_000_000_000);
    let model = chat("gpt-4o", Some(500));
    let bound_by = |model: &ModelCall, prices| Reach::of(&[Meaning::Model(model)], Some(2_000), prices);
    let bound = bound_by(&model, scene.book.prices()).unwrap().bound();
    let _hold =
        scene.ask(Meaning::Model(&model), Some(2_000)).unwrap().unwrap().at_once(&scene.desk).unwrap();
    assert_eq!(bound.input_tokens + bound.output_tokens, 100_000 - scene.left("tokens"));
    assert_eq!(bound.nanodollars, 1_000_000_000 - scene.left("money"));
    // Without a quota that asks for prices, what the call itself says is known.
    let unpriced = bound_by(&model, None).unwrap().bound();
    assert_eq!(unpriced, Bound { nanodollars: 0, ..bound });
    let words = ModelCall { operation: ModelOperation::Embeddings, ..chat("text-embedding-3-small", None) };
    assert_eq!(bound_by(&words, None).unwrap().bound().output_tokens, 0);
    let count = ModelCall { operation: ModelOperation::CountTokens, ..chat("gpt-4o", None) };
    assert!(bound_by(&count, None).is_none());
}

#[test]
fn what_is_not_known_counts_as_reserved_and_what_never_left_as_nothing() {
    let scene = Scene::of(TOKENS);
    scene.grant("tokens", 100_000);
    let model = chat("gpt-4o", Some(500));
    let hold = || {
        let ask = scene.ask(Meaning::Model(&model), Some(1_000)).unwrap().unwrap();
        ask.at_once(&scene.desk).unwrap()
    };
    hold().settle(Used { left: false, ..used(None) });
    assert_eq!(scene.left("tokens"), 100_000);
    hold().settle(Used { failed: true, ..used(None) });
    assert_eq!(scene.left("tokens"), 100_000, "an error used nothing");
    hold().settle(used(None));
    assert_eq!(scene.left("tokens"), 100_000 - 2_524, "nobody knows");
    let broken = Settled {
        usage: Usage { input: 10, output: 5, estimated: true, ..Usage::default() },
        complete: false,
        ..Settled::default()
    };
    hold().settle(used(Some(&broken)));
    assert_eq!(scene.left("tokens"), 100_000 - 2 * 2_524, "it broke off: more may have been billed");
    drop(hold());
    assert_eq!(scene.left("tokens"), 100_000 - 3 * 2_524, "forgotten is used");
}

#[test]
fn one_quota_that_is_short_takes_from_none() {
    let scene = Scene::of(&format!(
        "{TOKENS}\n[[quota]]\nname = \"calls\"\nmeter = \"calls\"\nlimit = 9\nperiod = \"daily\"\n\
         [[quota]]\nname = \"bytes\"\nmeter = \"egress.bytes\"\nlimit = 9_000\nperiod = \"daily\""
    ));
    scene.grant("tokens", 100_000);
    scene.grant("calls", 5);
    scene.grant("bytes", 999);
    let model = chat("gpt-4o", Some(500));
    let ask = scene.ask(Meaning::Model(&model), Some(1_000)).unwrap().unwrap();
    assert!(ask.at_once(&scene.desk).is_err());
    assert_eq!((scene.left("tokens"), scene.left("calls"), scene.left("bytes")), (100_000, 5, 999));
}

#[test]
fn a_call_that_no_quota_counts_takes_nothing() {
    let scene = Scene::of(TOKENS);
    assert!(scene.ask(Meaning::Plain, None).unwrap().is_none());
    let counting = ModelCall { operation: ModelOperation::CountTokens, ..chat("gpt-4o", None) };
    assert!(scene.ask(Meaning::Model(&counting), None).unwrap().is_none());
}

#[test]
fn a_budget_refuses_what_has_no_price() {
    let scene = Scene::of(MONEY);
    for (model, tier) in [("gpt-of-nobody", None), ("gpt-4o", Some("bought-ahead"))] {
        let mut model = chat(model, Some(10));
        model.demand.service_tier = tier.map(str::to_owned);
        let refused = scene.ask(Meaning::Model(&model), Some(10)).unwrap_err();
        assert_eq!(
            (refused.code, refused.rule.as_str()),
            (RefusalCode::Unpriced, "money"),
            "{}",
            refused.detail
        );
    }
}

#[test]
fn pictures_and_what_the_provider_keeps_are_bounded_by_the_context_window() {
    let prices = Arc::new(PriceList::built_in().unwrap());
    let bound = |change: fn(&mut Demand)| {
        let mut model = chat("gpt-4o", Some(100));
        change(&mut model.demand);
        let most = most_of(&model, 1_000, &prices);
        most.of_meter(QuotaMeter::LlmInputTokens).unwrap()
    };
    assert_eq!(bound(|_| {}), 2_024);
    assert_eq!(bound(|demand| demand.media = true), 128_000);
    assert_eq!(bound(|demand| demand.refers = true), 128_000);
    let tools = |demand: &mut Demand| {
        demand.provider_tools = true;
        demand.max_tool_calls = Some(2);
    };
    assert_eq!(bound(tools), 3 * 128_000);
    let answers = |answers| {
        let mut model = chat("gpt-4o", Some(100));
        model.demand.answers = answers;
        let most = most_of(&model, 1_000, &prices);
        most.of_meter(QuotaMeter::LlmOutputTokens).unwrap()
    };
    assert_eq!((answers(None), answers(Some(0)), answers(Some(7))), (100, 100, 700));
}

proptest::proptest! {
    #[test]
    fn a_call_never_comes_to_more_than_its_bound(
        model in proptest::sample::select(vec!["gpt-4o", "gpt-5", "gpt-4.1-mini", "o3"]),
        bytes in 1_u64..3_000_000, most in 1_u64..200_000, answers in 1_u64..5,
        read in 0.0..1.0_f64, cached in 0.0..1.0_f64, written in 0.0..1.0_f64, reasoned in 0.0..1.0_f64,
    ) {
        let prices = Arc::new(PriceList::built_in().unwrap());
        let mut asked = chat(model, Some(most));
        asked.demand.answers = Some(answers);
        let bound = most_of(&asked, bytes, &prices);
        let part = |of: u64, part: f64| ((of as f64) * part) as u64;
        let read = part(bytes, read);
        let cached = part(read, cached);
        let written = part(most * answers, written);
        let reasoning = part(written, reasoned);
        let settled = answer(Usage {
            input: read - cached, cached_input: cached, output: written - reasoning, reasoning, ..Usage::default()
        });
        let used = used(Some(&settled));
        for meter in [
            QuotaMeter::LlmTokens, QuotaMeter::LlmInputTokens, QuotaMeter::LlmOutputTokens, QuotaMeter::Cost("USD"),
        ] {
            let (most, came_to) = (bound.of_meter(meter).unwrap(), bound.came_to(meter, u64::MAX, &used));
            proptest::prop_assert!(came_to <= most, "{meter:?}: {came_to} of {most}");
        }
    }
}

#[tokio::test]
async fn a_call_waits_for_the_lease_it_needs() {
    let scene = Arc::new(Scene::of(TOKENS));
    let model = chat("gpt-4o", Some(500));
    let ask = scene.ask(Meaning::Model(&model), Some(1_000)).unwrap().unwrap();
    let ask = ask.at_once(&scene.desk).unwrap_err();
    let waits = tokio::spawn(ask.wait());
    scene.desk.wake.notified().await;
    tokio::time::sleep(Duration::from_millis(20)).await;
    let line = scene.desk.lines().pop().unwrap();
    let (request, wanted, needed) = line.ask().unwrap();
    assert_eq!((request, needed), (1, 2_524));
    assert!(wanted >= needed);
    scene.grant("tokens", 3_000);
    let hold = waits.await.unwrap().unwrap();
    assert_eq!(scene.left("tokens"), 3_000 - 2_524);
    hold.settle(Used { left: false, ..used(None) });
}

#[tokio::test]
async fn a_call_that_waits_hears_that_nothing_is_left() {
    let scene = Arc::new(Scene::of(TOKENS));
    let model = chat("gpt-4o", Some(500));
    let line = scene.desk.lines().pop().unwrap();
    for (said, code) in [
        (Said::Exhausted { window_ends_ms: i64::MAX / 2, available: 7 }, RefusalCode::OverQuota),
        (Said::Impossible { amount: 8 }, RefusalCode::OverQuota),
        (Said::Away, RefusalCode::QuotaUnavailable),
        (Said::Unknown, RefusalCode::QuotaUnavailable),
    ] {
        let ask = scene.ask(Meaning::Model(&model), Some(1_000)).unwrap().unwrap();
        let ask = ask.at_once(&scene.desk).unwrap_err();
        line.refused(said);
        let refused = ask.wait().await.unwrap_err();
        assert_eq!((refused.code, refused.rule.as_str()), (code, "tokens"), "{}", refused.detail);
    }
}

#[test]
fn a_body_without_a_length_is_covered_piece_by_piece() {
    let scene = Scene::of(
        "[[quota]]\nname = \"bytes\"\nmeter = \"egress.bytes\"\nlimit = 9_000_000\nperiod = \"daily\"",
    );
    scene.grant("bytes", 200_000);
    let ask = scene.ask(Meaning::Plain, None).unwrap().unwrap();
    let hold = ask.at_once(&scene.desk).unwrap();
    assert!(hold.counts_bytes());
    assert_eq!(scene.left("bytes"), 200_000 - 65_536);
    assert_eq!(hold.may_reach(65_536), Ok(Sending::Goes));
    assert_eq!(hold.may_reach(65_537), Ok(Sending::Goes));
    assert_eq!(scene.left("bytes"), 200_000 - 2 * 65_536);
    // No whole piece is left, but what is needed is.
    assert_eq!(hold.may_reach(200_000), Ok(Sending::Goes));
    assert_eq!(hold.may_reach(200_001), Ok(Sending::Waits));
    let line = scene.desk.lines().pop().unwrap();
    line.refused(Said::Exhausted { window_ends_ms: 0, available: 0 });
    assert_eq!(hold.may_reach(200_001), Err(RefusalCode::OverQuota));
    hold.settle(Used { request_bytes: 150_000, ..used(None) });
    assert_eq!(scene.left("bytes"), 50_000);
}

#[test]
fn a_quota_goes_on_without_the_control_plane_only_where_policy_says_so() {
    for (away, goes_on) in [("refuse", false), ("allow", true)] {
        let scene = Scene::of(&format!("{TOKENS}\naway = \"{away}\""));
        let line = scene.desk.lines().pop().unwrap();
        line.refused(Said::Away);
        let model = chat("gpt-4o", Some(500));
        let ask = || scene.ask(Meaning::Model(&model), Some(1_000)).unwrap().unwrap();
        assert_eq!(ask().at_once(&scene.desk).is_ok(), goes_on);
        line.refused(Said::Exhausted { window_ends_ms: 0, available: 0 });
        assert!(ask().at_once(&scene.desk).is_err(), "it is back, and says no");
    }
}

#[test]
fn a_lease_in_use_is_replaced_at_half_and_one_that_nobody_uses_is_not() {
    let scene = Scene::of(TOKENS);
    let line = scene.desk.lines().pop().unwrap();
    assert_eq!(line.ask().map(|(request, ..)| request), Some(1), "ahead of the first call");
    scene.grant("tokens", 10_000);
    assert_eq!(line.ask(), None);
    let model = chat("gpt-4o", Some(500));
    let held: Vec<_> = (0..3)
        .map(|_| {
            let ask = scene.ask(Meaning::Model(&model), Some(1_000)).unwrap().unwrap();
            ask.at_once(&scene.desk).unwrap()
        })
        .collect();
    line.look();
    let (request, wanted, needed) = line.ask().unwrap();
    assert_eq!((request, needed), (2, 0));
    assert!(wanted > 10_000, "at this pace it is soon used: {wanted}");
    drop(held);
    // One that ends unused is not asked for again before somebody needs it.
    let unused = Scene::of(TOKENS);
    let line = unused.desk.lines().pop().unwrap();
    let ended = Lease { id: 1, epoch: 1, amount: 10, not_after_s: now_s() + 1 };
    assert!(line.granted(&ended, now_s()));
    line.look();
    assert_eq!(line.quota.revoke(1, 1), Some(10));
    assert_eq!(line.ask(), None);
    line.need(5);
    assert_eq!(line.ask().map(|(request, _, needed)| (request, needed)), Some((2, 5)));
}

#[test]
fn an_estimate_is_never_less_than_what_was_reserved_and_silence_is_no_nothing() {
    let scene = Scene::of(TOKENS);
    scene.grant("tokens", 100_000);
    let model = chat("gpt-4o", Some(500));
    let hold =
        || scene.ask(Meaning::Model(&model), Some(1_000)).unwrap().unwrap().at_once(&scene.desk).unwrap();
    let queued = answer(Usage { input: 250, output: 1, estimated: true, ..Usage::default() });
    hold().settle(used(Some(&queued)));
    assert_eq!(scene.left("tokens"), 100_000 - 2_524, "answered later, in the background");
    hold().settle(used(Some(&answer(Usage::default()))));
    assert_eq!(scene.left("tokens"), 100_000 - 2 * 2_524, "nobody told");
    let much = answer(Usage { input: 50_000, estimated: true, ..Usage::default() });
    hold().settle(used(Some(&much)));
    assert_eq!(scene.left("tokens"), 100_000 - 3 * 2_524, "what is beyond the reservation is overrun");
    let line = scene.desk.lines().pop().unwrap();
    assert_eq!(line.quota.counts().overrun_units, 50_000 - 2_524);
}

#[test]
fn a_quota_of_tokens_refuses_what_nobody_can_count() {
    let scene = Scene::of(TOKENS);
    let live =
        ModelCall { operation: ModelOperation::Realtime, api: ModelApi::Gemini, ..chat("gemini-live", None) };
    let mut socket = call(Meaning::Model(&live));
    socket.kind = Kind::WebSocket;
    let ask = |call: &Call<'_>, model: &ModelCall, bytes| {
        let meanings = [Meaning::Model(model)];
        let reach = Reach::of(&meanings, bytes, scene.book.prices());
        scene.book.ask(&scene.policy, call, &meanings, (bytes, reach.as_ref()))
    };
    let refused = ask(&socket, &live, Some(0)).unwrap_err();
    assert_eq!(refused.code, RefusalCode::Unpriced, "{}", refused.detail);
    let model = chat("gpt-4o", Some(5));
    let mut unread = call(Meaning::Model(&model));
    unread.details.body_read = false;
    assert!(ask(&unread, &model, Some(10)).is_err());
}

#[test]
fn a_call_without_a_body_takes_no_bytes_and_needs_no_lease() {
    let scene = Scene::of(
        "[[quota]]\nname = \"bytes\"\nmeter = \"egress.bytes\"\nlimit = 9_000_000\nperiod = \"daily\"",
    );
    let line = scene.desk.lines().pop().unwrap();
    line.refused(Said::Exhausted { window_ends_ms: 0, available: 0 });
    let hold = scene.ask(Meaning::Plain, Some(0)).unwrap().unwrap().at_once(&scene.desk).unwrap();
    hold.settle(used(None));
    assert_eq!(line.quota.counts().overage, 0);
}
