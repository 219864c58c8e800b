//! Quotas and budgets: what a call may use is reserved before it leaves, and settled when it has ended.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is a test's failure report")]

use std::time::Duration;

use creto_proto::v1;
use creto_test_support::{
    Answer, FakeProvider, HttpAgent, NAMESPACE, Plane, Sidecar, Trip, Upstream, Way, eventually,
};
use futures::future::join_all;
use serde_json::json;

/// A provider, a control plane, and a policy with quotas.
struct Scene {
    provider: FakeProvider,
    upstream: Upstream,
    plane: Plane,
}

impl Scene {
    /// `quotas` is TOML that goes after rules that allow everything on the upstream.
    async fn set(quotas: &str) -> Self {
        let provider = FakeProvider::new();
        let upstream = provider.on(Upstream::builder()).start().await;
        let plane = Plane::start().await;
        let port = upstream.port();
        let policy = format!(
            "version = 1\nname = \"p\"\n[[provider]]\nname = \"openai\"\nhost = \"localhost\"\nport = {port}\napi = \"openai\"\n\
             [[allow]]\nname = \"all\"\nhost = \"localhost\"\nport = {port}\nprivate = true\n{quotas}\n"
        );
        plane.apply_policy(&policy).await;
        Self { provider, upstream, plane }
    }

    async fn sidecar(&self, name: &str) -> Sidecar {
        let agent = self.plane.trusted_agent(name).await;
        self.plane.sidecar(&agent).trusts(&self.upstream).start().await
    }

    fn page(&self) -> Trip {
        Trip::get(Way::Connect, &self.upstream.url("/v1/models")).header("authorization", "Bearer sk-test")
    }

    fn chat(&self, model: &str, most: u64) -> Trip {
        let body = json!({"model": model, "max_tokens": most, "messages": [{"role": "user", "content": "Name three rivers."}]});
        Trip::get(Way::Connect, &self.upstream.url("/v1/chat/completions"))
            .method("POST")
            .header("content-type", "application/json")
            .header("authorization", "Bearer sk-test")
            .body(body.to_string())
    }

    async fn quotas(&self) -> Vec<v1::QuotaState> {
        let request = v1::ListQuotasRequest { namespace: NAMESPACE.to_owned(), agent_name: String::new() };
        self.plane.operator().quotas().list_quotas(request).await.unwrap().into_inner().quotas
    }

    /// Waits until a quota has spent so much and nothing more is open than `leased` says.
    async fn spent(&self, quota: &str, units: u64) -> v1::QuotaState {
        eventually(&format!("{quota} has spent {units}"), || async {
            let found = self.quotas().await.into_iter().find(|one| one.quota == quota)?;
            (found.spent == units).then_some(found)
        })
        .await
    }
}

async fn statuses(agent: &HttpAgent, trips: impl IntoIterator<Item = Trip>) -> Vec<u16> {
    let mut statuses = Vec::new();
    for trip in trips {
        statuses.push(agent.go(trip).await.status);
    }
    statuses
}

fn code(answer: &Answer) -> String {
    answer.header("creto-refused")
}

#[tokio::test]
async fn a_quota_of_calls_lets_so_many_through_and_no_more() {
    let scene =
        Scene::set("[[quota]]\nname = \"five\"\nmeter = \"calls\"\nlimit = 5\nperiod = \"monthly\"").await;
    let sidecar = scene.sidecar("caller").await;
    let agent = sidecar.http_agent();
    let found = statuses(&agent, (0..8).map(|_| scene.page())).await;
    assert_eq!(found, [200, 200, 200, 200, 200, 429, 429, 429]);
    let refused = agent.go(scene.page()).await;
    assert_eq!(code(&refused), "over_quota");
    let seconds: u64 = refused.header("retry-after").parse().unwrap();
    assert!((1..=31 * 86_400).contains(&seconds), "{seconds}");
    let problem = refused.json();
    assert_eq!((problem["policy"].as_str(), problem["rule"].as_str()), (Some("p"), Some("five")));
    assert_eq!(scene.provider.calls().len(), 5, "what is refused never left");

    let state = scene.spent("five", 5).await;
    assert_eq!((state.amount, state.unit.as_str(), state.overage), (5, "call", 0));
    let ended = eventually("all nine calls are on record", || async {
        let calls = scene.plane.calls().await;
        let ended: Vec<_> = calls.into_iter().filter_map(|call| call.ended).collect();
        (ended.len() == 9).then_some(ended)
    })
    .await;
    let refused = ended.iter().filter(|end| end.code == "over_quota" && end.status == 429).count();
    assert_eq!(refused, 4);
}

#[tokio::test]
async fn tokens_are_reserved_at_their_bound_and_settled_at_what_was_used() {
    let scene = Scene::set(
        "[[quota]]\nname = \"tokens\"\nmeter = \"llm.tokens\"\nlimit = 1_000_000\nperiod = \"daily\"\n\
         [[quota]]\nname = \"out\"\nmeter = \"llm.output_tokens\"\nlimit = 1_000_000\nperiod = \"hourly\"",
    )
    .await;
    let sidecar = scene.sidecar("caller").await;
    let agent = sidecar.http_agent();
    let (mut all, mut out) = (0, 0);
    for _ in 0..4 {
        let answer = agent.go(scene.chat("gpt-4o", 50)).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let usage = answer.json()["usage"].clone();
        all += usage["total_tokens"].as_u64().unwrap();
        out += usage["completion_tokens"].as_u64().unwrap();
    }
    scene.spent("tokens", all).await;
    scene.spent("out", out).await;
    // The bound of a call is known before it leaves: one that could be over is not sent.
    let refused = agent.go(scene.chat("gpt-4o", 2_000_000)).await;
    assert_eq!((refused.status, code(&refused).as_str()), (429, "over_quota"), "{}", refused.text());
    assert_eq!(scene.provider.calls().len(), 4);
}

#[tokio::test]
async fn a_budget_is_kept_to_the_billionth_of_a_dollar() {
    let scene = Scene::set(
        "[[budget]]\nname = \"money\"\nlimit = \"0.05\"\ncurrency = \"USD\"\nperiod = \"monthly\"",
    )
    .await;
    let sidecar = scene.sidecar("caller").await;
    let agent = sidecar.http_agent();
    let answer = agent.go(scene.chat("gpt-4o", 50)).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let usage = answer.json()["usage"].clone();
    let cached = usage["prompt_tokens_details"]["cached_tokens"].as_u64().unwrap_or(0);
    let (read, written) =
        (usage["prompt_tokens"].as_u64().unwrap() - cached, usage["completion_tokens"].as_u64().unwrap());
    // 2.50, 1.25 and 10 dollars a million.
    let nanodollars = read * 2_500 + cached * 1_250 + written * 10_000;
    scene.spent("money", nanodollars).await;
    // 10,000 tokens out could cost 0.1 dollars.
    let dear = agent.go(scene.chat("gpt-4o", 10_000)).await;
    assert_eq!((dear.status, code(&dear).as_str()), (429, "over_quota"), "{}", dear.text());
    // What has no price is never free.
    let unpriced = agent.go(scene.chat("gpt-nobody-knows", 50)).await;
    assert_eq!((unpriced.status, code(&unpriced).as_str()), (403, "unpriced"), "{}", unpriced.text());
    assert_eq!(scene.provider.calls().len(), 1);
}

#[tokio::test]
async fn agents_that_share_a_quota_never_use_more_than_it_together() {
    let scene = Scene::set(
        "[[quota]]\nname = \"shared\"\nmeter = \"calls\"\nlimit = 60\nperiod = \"monthly\"\nper = \"policy\"",
    )
    .await;
    let mut sidecars = Vec::new();
    for name in ["one", "two", "three"] {
        sidecars.push(scene.sidecar(name).await);
    }
    let agents: Vec<_> = sidecars.iter().map(Sidecar::http_agent).collect();
    let runs = agents.iter().map(|agent| statuses(agent, (0..40).map(|_| scene.page())));
    let through = join_all(runs).await.concat().into_iter().filter(|status| *status == 200).count();
    assert!(through <= 60, "{through}");
    // What one gave back another gets: in the end all of it is used.
    let mut rest = through;
    let until = tokio::time::Instant::now() + Duration::from_secs(20);
    while rest < 60 && tokio::time::Instant::now() < until {
        for agent in &agents {
            rest += statuses(agent, [scene.page()]).await.into_iter().filter(|status| *status == 200).count();
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    assert_eq!(rest, 60);
    assert_eq!(scene.provider.calls().len(), 60);
    assert_eq!(statuses(&agents[0], [scene.page()]).await, [429]);
    scene.spent("shared", 60).await;
}

#[tokio::test]
async fn without_the_control_plane_the_lease_is_spent_and_then_calls_are_refused() {
    let scene =
        Scene::set("[[quota]]\nname = \"many\"\nmeter = \"calls\"\nlimit = 1_000\nperiod = \"monthly\"")
            .await;
    let sidecar = scene.sidecar("caller").await;
    let agent = sidecar.http_agent();
    assert_eq!(agent.go(scene.page()).await.status, 200);
    scene.plane.freeze();
    let mut through = 0;
    let last = loop {
        let answer = agent.go(scene.page()).await;
        if answer.status != 200 {
            break answer;
        }
        through += 1;
        assert!(through < 1_000);
    };
    assert_eq!((last.status, code(&last).as_str()), (503, "quota_unavailable"), "{}", last.text());
    scene.plane.thaw();
    eventually("calls go on", || async { (agent.go(scene.page()).await.status == 200).then_some(()) }).await;
}

#[tokio::test]
async fn a_quota_that_allows_it_goes_on_without_the_control_plane_and_tells_what_was_used() {
    let scene = Scene::set(
        "[[quota]]\nname = \"soft\"\nmeter = \"calls\"\nlimit = 100\nperiod = \"monthly\"\naway = \"allow\"",
    )
    .await;
    let sidecar = scene.sidecar("caller").await;
    let agent = sidecar.http_agent();
    assert_eq!(agent.go(scene.page()).await.status, 200);
    scene.plane.freeze();
    let found = statuses(&agent, (0..150).map(|_| scene.page())).await;
    assert!(found.iter().all(|status| *status == 200), "{found:?}");
    scene.plane.thaw();
    eventually("all 151 are told", || async {
        let state = scene.quotas().await.into_iter().find(|one| one.quota == "soft")?;
        (state.spent + state.overage == 151).then_some(())
    })
    .await;
}

#[tokio::test]
async fn bytes_that_leave_are_counted_and_an_upload_beyond_the_quota_is_refused() {
    let scene = Scene::set(
        "[[quota]]\nname = \"out\"\nmeter = \"egress.bytes\"\nlimit = 1_000_000\nperiod = \"monthly\"",
    )
    .await;
    let sidecar = scene.sidecar("caller").await;
    let agent = sidecar.http_agent();
    let upload = |bytes: usize| {
        Trip::get(Way::Connect, &scene.upstream.url("/fake/headers")).method("POST").body("x".repeat(bytes))
    };
    assert_eq!(agent.go(upload(300_000)).await.status, 200);
    scene.spent("out", 300_000).await;
    let refused = agent.go(upload(800_000)).await;
    assert_eq!((refused.status, code(&refused).as_str()), (429, "over_quota"), "{}", refused.text());
    assert_eq!(agent.go(upload(600_000)).await.status, 200);
    scene.spent("out", 900_000).await;
}

#[tokio::test]
async fn a_quota_that_only_tells_people_refuses_nothing_and_counts() {
    let scene = Scene::set("[[quota]]\nname = \"two\"\nmeter = \"calls\"\nlimit = 2\nperiod = \"monthly\"\naction = \"notify-only\"").await;
    let sidecar = scene.sidecar("caller").await;
    let agent = sidecar.http_agent();
    assert_eq!(statuses(&agent, (0..4).map(|_| scene.page())).await, [200; 4]);
    eventually("four are told", || async {
        let state = scene.quotas().await.into_iter().find(|one| one.quota == "two")?;
        (state.spent + state.overage == 4).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_sidecar_that_stops_gives_back_what_it_did_not_use() {
    let scene =
        Scene::set("[[quota]]\nname = \"many\"\nmeter = \"calls\"\nlimit = 10_000\nperiod = \"monthly\"")
            .await;
    let sidecar = scene.sidecar("caller").await;
    assert_eq!(sidecar.http_agent().go(scene.page()).await.status, 200);
    sidecar.terminate().await;
    let state = scene.spent("many", 1).await;
    assert_eq!((state.leased, state.stranded), (0, 0), "{state:?}");
}

#[tokio::test]
async fn what_a_killed_sidecar_had_counts_as_used_and_nothing_else() {
    let scene =
        Scene::set("[[quota]]\nname = \"many\"\nmeter = \"calls\"\nlimit = 10_000\nperiod = \"monthly\"")
            .await;
    let sidecar = scene.sidecar("caller").await;
    assert_eq!(sidecar.http_agent().go(scene.page()).await.status, 200);
    scene.spent("many", 1).await;
    sidecar.kill9();
    let state = scene.quotas().await.into_iter().find(|one| one.quota == "many").unwrap();
    assert!(state.leased > 0 && state.spent + state.leased + state.stranded <= 10_000, "{state:?}");
    sidecar.restart().await;
    assert_eq!(sidecar.http_agent().go(scene.page()).await.status, 200);
    scene.spent("many", 2).await;
}

#[tokio::test]
async fn a_stream_that_grows_beyond_what_was_reserved_is_cut_where_a_budget_says_so() {
    // A model that does not keep to `max_tokens`.
    let piece = "data: {\"choices\":[{\"delta\":{\"content\":\"many words that nobody asked for \"}}]}\n\n";
    let endless = piece.repeat(400);
    let upstream = Upstream::builder()
        .handle("/v1/chat/completions", move |_| {
            let answer = http::Response::builder()
                .header("content-type", "text/event-stream")
                .body(bytes::Bytes::from(endless.clone()));
            std::future::ready(answer.unwrap())
        })
        .start()
        .await;
    for (cut, whole) in [("true", false), ("false", true)] {
        let plane = Plane::start().await;
        let port = upstream.port();
        let policy = format!(
            "version = 1\nname = \"p\"\n[[provider]]\nname = \"openai\"\nhost = \"localhost\"\nport = {port}\napi = \"openai\"\n\
             [[allow]]\nname = \"all\"\nhost = \"localhost\"\nport = {port}\nprivate = true\n\
             [[budget]]\nname = \"money\"\nlimit = \"5\"\ncurrency = \"USD\"\nperiod = \"daily\"\ncut_streams = {cut}\n"
        );
        plane.apply_policy(&policy).await;
        let agent = plane.trusted_agent("caller").await;
        let sidecar = plane.sidecar(&agent).trusts(&upstream).start().await;
        let body = json!({"model": "gpt-4o", "max_tokens": 20, "stream": true, "messages": [{"role": "user", "content": "Hi"}]});
        let trip = Trip::get(Way::Connect, &upstream.url("/v1/chat/completions"))
            .method("POST")
            .header("content-type", "application/json")
            .body(body.to_string());
        let answer = sidecar.http_agent().try_go(trip).await;
        assert_eq!(answer.is_ok(), whole, "{cut}");
        let ended = eventually("its end is on record", || async {
            plane.calls().await.into_iter().find_map(|call| call.ended)
        })
        .await;
        assert_eq!(ended.code, if whole { "" } else { "over_quota" });
    }
}
