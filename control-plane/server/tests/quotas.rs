//! Quotas over the wire: whose share a sidecar gets, what it may name, and what operators see.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is a test's failure report")]

mod fixture;

use creto_client::OperatorClient;
use creto_proto::v1::lease_answer::Answer;
use creto_proto::v1::{
    ApplyPolicyRequest, CreateAgentRequest, DeletePolicyRequest, ExchangeLeasesRequest, GrantedLease,
    LeaseAccount, LeaseAnswer, LeaseExchange, LeaseLine, ListQuotaEventsRequest, ListQuotasRequest,
    QuotaState, RevokeDelegationRequest, SuspendAgentRequest,
};
use fixture::{Plane, Sidecar, apply, asked, create_agent, key, link, plane, sidecar, submit};
use tonic::Code;

fn policy(quotas: &str) -> String {
    format!("version = 1\nname = \"p\"\n[[allow]]\nname = \"all\"\nhost = \"*\"\n{quotas}")
}

fn quota(name: &str, meter: &str, limit: u64, more: &str) -> String {
    format!(
        "[[quota]]\nname = \"{name}\"\nmeter = \"{meter}\"\nlimit = {limit}\nperiod = \"monthly\"\n{more}\n"
    )
}

async fn exchange(sidecar: &Sidecar, process: u64, exchanges: Vec<LeaseExchange>) -> Vec<LeaseAnswer> {
    let request = ExchangeLeasesRequest { process, exchanges };
    sidecar.client.leases().exchange_leases(request).await.unwrap().into_inner().answers
}

async fn one(sidecar: &Sidecar, process: u64, item: LeaseExchange) -> LeaseAnswer {
    let mut answers = exchange(sidecar, process, vec![item]).await;
    assert_eq!(answers.len(), 1);
    answers.remove(0)
}

fn lease(answer: &LeaseAnswer) -> &GrantedLease {
    match &answer.answer {
        Some(Answer::Lease(lease)) => lease,
        other => panic!("no lease: {other:?}"),
    }
}

fn refused(answer: &LeaseAnswer) -> &str {
    match &answer.answer {
        Some(Answer::Refused(why)) => why,
        other => panic!("not refused: {other:?}"),
    }
}

/// That a lease is used up, as report of this number.
fn spent(lease: &GrantedLease, sequence: u64, spent: u64) -> LeaseAccount {
    let line = LeaseLine {
        id: lease.id,
        epoch: lease.epoch,
        spent,
        given_back: lease.amount - spent,
        overrun: 0,
        last: true,
    };
    LeaseAccount { sequence, lines: vec![line], overage: 0 }
}

fn told(policy: &str, quota: &str, account: LeaseAccount) -> LeaseExchange {
    LeaseExchange { policy: policy.into(), quota: quota.into(), ask: None, account: Some(account) }
}

async fn listed(operator: &OperatorClient, agent: &str) -> Vec<QuotaState> {
    let request = ListQuotasRequest { namespace: "a".into(), agent_name: agent.into() };
    operator.quotas().list_quotas(request).await.unwrap().into_inner().quotas
}

async fn state(operator: &OperatorClient, agent: &str, quota: &str) -> QuotaState {
    let all = listed(operator, agent).await;
    all.into_iter().find(|state| state.quota == quota).expect("the quota is listed")
}

async fn agent_with(operator: &OperatorClient, name: &str, seed: u8, labels: &[(&str, &str)]) {
    let request = CreateAgentRequest {
        namespace: "a".into(),
        name: name.into(),
        public_key: key(seed).verifying_key().to_bytes().to_vec(),
        labels: labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(),
        ..CreateAgentRequest::default()
    };
    operator.agents().create_agent(request).await.unwrap();
}

/// Agents `one` and `two` of namespace `a`, each with a sidecar.
async fn two_agents(plane: &Plane) -> (OperatorClient, Sidecar, Sidecar) {
    let operator = plane.operator("a").await;
    create_agent(&operator, "a", "one", &key(2), false).await;
    create_agent(&operator, "a", "two", &key(3), false).await;
    let one = sidecar(&plane.endpoint(), &operator, "a", "one").await;
    let two = sidecar(&plane.endpoint(), &operator, "a", "two").await;
    (operator, one, two)
}

#[tokio::test]
async fn a_sidecar_gets_leases_of_its_agents_share_and_settles_them() {
    let plane = plane().await;
    let (operator, first, second) = two_agents(&plane).await;
    apply(&operator, "a", &policy(&quota("tokens", "llm.tokens", 10_000, ""))).await;
    let answer = one(&first, 7, asked("p", "tokens", 1, 2_000)).await;
    let got = *lease(&answer);
    assert_eq!(got.amount, 2_000);
    let in_s = got.not_after_s.saturating_sub(fixture::now_s());
    assert!((290..=300).contains(&in_s), "a lease lasts {in_s} s");
    // Each agent has the whole limit for itself.
    assert_eq!(lease(&one(&second, 1, asked("p", "tokens", 1, 10_000)).await).amount, 10_000);
    let told_once = one(&first, 7, told("p", "tokens", spent(&got, 1, 500))).await;
    let told_twice = one(&first, 7, told("p", "tokens", spent(&got, 1, 500))).await;
    assert_eq!((told_once.acknowledged, told_twice.acknowledged), (1, 1));
    let seen = state(&operator, "one", "tokens").await;
    assert_eq!(
        (seen.policy.as_str(), seen.scope.as_str(), seen.meter.as_str()),
        ("p", "agent/one", "llm.tokens")
    );
    assert_eq!(
        (seen.unit.as_str(), seen.period.as_str(), seen.action.as_str()),
        ("token", "monthly", "block")
    );
    assert_eq!((seen.amount, seen.spent, seen.leased), (10_000, 500, 0));
    assert!(seen.window_starts_ms < seen.window_ends_ms);
    let all = listed(&operator, "").await;
    let scopes: Vec<_> = all.iter().map(|state| (state.scope.as_str(), state.leased)).collect();
    assert_eq!(scopes, [("agent/one", 0), ("agent/two", 10_000)]);
    let exhausted = one(&second, 2, asked("p", "tokens", 1, 1)).await;
    let Some(Answer::Exhausted(exhausted)) = exhausted.answer else { panic!("{exhausted:?}") };
    assert_eq!((exhausted.available, exhausted.leased), (0, 10_000));
    assert_eq!(exhausted.window_ends_ms, seen.window_ends_ms);
    let impossible = one(&second, 2, asked("p", "tokens", 1, 10_001)).await;
    assert_eq!(impossible.answer, Some(Answer::ImpossibleAmount(10_000)));
}

#[tokio::test]
async fn what_a_sidecar_may_not_name_is_refused_item_by_item() {
    let plane = plane().await;
    let (operator, first, _) = two_agents(&plane).await;
    let others = "[agents]\nnames = \"two\"\n";
    let document = policy(&quota("tokens", "llm.tokens", 10_000, ""));
    apply(&operator, "a", &document.replace("[[allow]]", &format!("{others}[[allow]]"))).await;
    apply(&operator, "a", &document.replace("\"p\"", "\"mine\"")).await;
    let answers = exchange(
        &first,
        1,
        vec![
            asked("p", "tokens", 1, 10),
            asked("mine", "tokens", 1, 10),
            asked("mine", "nothing", 1, 10),
            asked("mine", "tokens/agent/two", 1, 10),
            asked("agent", "tokens-per-month", 1, 10),
        ],
    )
    .await;
    assert_eq!(lease(&answers[1]).amount, 1_000, "no lease of tokens is cut smaller");
    for at in [0, 2, 3, 4] {
        assert_eq!(refused(&answers[at]), "no quota of this name applies to the agent", "{at}");
    }
    // A report on a quota that is gone is taken in, so that it is not sent for ever.
    let stray = GrantedLease { id: 1, epoch: 1, amount: 5, not_after_s: 0 };
    assert_eq!(one(&first, 1, told("p", "tokens", spent(&stray, 3, 5))).await.acknowledged, 3);
    let leases = first.client.leases();
    let many = ExchangeLeasesRequest { process: 1, exchanges: vec![asked("p", "q", 1, 1); 257] };
    assert_eq!(leases.clone().exchange_leases(many).await.unwrap_err().code(), Code::InvalidArgument);
    let nameless = ExchangeLeasesRequest { process: 0, exchanges: Vec::new() };
    assert_eq!(leases.clone().exchange_leases(nameless).await.unwrap_err().code(), Code::InvalidArgument);
}

#[tokio::test]
async fn use_is_counted_together_per_policy_customer_and_parent() {
    let plane = plane().await;
    let operator = plane.operator("a").await;
    create_agent(&operator, "a", "boss", &key(1), true).await;
    create_agent(&operator, "a", "chief", &key(9), true).await;
    for (name, seed, labels) in [
        ("one", 2, &[("customer", "acme inc.")][..]),
        ("two", 3, &[("customer", "acme inc.")]),
        ("three", 4, &[]),
    ] {
        agent_with(&operator, name, seed, labels).await;
        submit(&operator, "a", vec![link("a", &key(1), &key(seed), &["get:*"], 600)]).await;
    }
    let text = ["policy", "customer", "parent"]
        .map(|per| quota(per, "llm.tokens", 1_000, &format!("per = \"{per}\"")))
        .concat();
    apply(&operator, "a", &policy(&text)).await;
    let endpoint = plane.endpoint();
    let first = sidecar(&endpoint, &operator, "a", "one").await;
    let second = sidecar(&endpoint, &operator, "a", "two").await;
    let third = sidecar(&endpoint, &operator, "a", "three").await;
    for per in ["policy", "customer", "parent"] {
        assert_eq!(lease(&one(&first, 1, asked("p", per, 1, 1_000)).await).amount, 1_000);
        let next = one(&second, 1, asked("p", per, 1, 1)).await;
        assert!(matches!(next.answer, Some(Answer::Exhausted(_))), "{per}: {next:?}");
    }
    let none = one(&third, 1, asked("p", "customer", 1, 1)).await;
    assert!(refused(&none).contains("no label `customer`"), "{none:?}");
    let scopes: Vec<_> = listed(&operator, "one").await.into_iter().map(|state| state.scope).collect();
    assert_eq!(scopes.len(), 3);
    assert!(
        scopes[0].starts_with("customer/~") && scopes[1] == "parent/boss" && scopes[2] == "policy",
        "{scopes:?}"
    );

    // The agent of another parent draws on another share, once its sidecar begins anew.
    submit(&operator, "a", vec![link("a", &key(9), &key(3), &["get:*"], 600)]).await;
    let moved = one(&second, 1, asked("p", "parent", 1, 10)).await;
    assert!(matches!(moved.answer, Some(Answer::Lease(_))), "it held nothing of the other: {moved:?}");
    let held = one(&first, 1, asked("p", "parent", 2, 1)).await;
    assert!(matches!(held.answer, Some(Answer::Exhausted(_))), "{held:?}");
}

#[tokio::test]
async fn a_run_whose_agent_has_another_parent_settles_and_gets_no_more() {
    let plane = plane().await;
    let operator = plane.operator("a").await;
    create_agent(&operator, "a", "boss", &key(1), true).await;
    create_agent(&operator, "a", "chief", &key(9), true).await;
    create_agent(&operator, "a", "one", &key(2), false).await;
    apply(&operator, "a", &policy(&quota("tokens", "llm.tokens", 1_000, "per = \"parent\""))).await;
    let first = sidecar(&plane.endpoint(), &operator, "a", "one").await;
    let nobody = one(&first, 1, asked("p", "tokens", 1, 10)).await;
    assert!(refused(&nobody).contains("nobody delegates to the agent now"), "{nobody:?}");
    let by_boss = submit(&operator, "a", vec![link("a", &key(1), &key(2), &["get:*"], 600)]).await;
    let got = *lease(&one(&first, 1, asked("p", "tokens", 1, 10)).await);
    submit(&operator, "a", vec![link("a", &key(9), &key(2), &["get:*"], 600)]).await;
    let revoke = RevokeDelegationRequest { namespace: "a".into(), delegation_id: by_boss };
    operator.delegations().revoke_delegation(revoke).await.unwrap();
    let mut item = asked("p", "tokens", 2, 10);
    item.account = Some(spent(&got, 1, 4));
    let answer = one(&first, 1, item).await;
    assert!(refused(&answer).contains("restart the sidecar"), "{answer:?}");
    assert_eq!(answer.acknowledged, 1, "what it held is settled");
    assert_eq!(lease(&one(&first, 2, asked("p", "tokens", 1, 1_000)).await).amount, 1_000);
    let events = ListQuotaEventsRequest { namespace: "a".into(), after: 0 };
    let events = operator.quotas().list_quota_events(events).await.unwrap().into_inner().events;
    assert!(events.is_empty(), "nobody took it for a loss: {events:?}");
}

#[tokio::test]
async fn labels_of_an_agent_are_quotas_and_a_changed_limit_holds_at_once() {
    let plane = plane().await;
    let operator = plane.operator("a").await;
    agent_with(
        &operator,
        "one",
        2,
        &[("quota.tokens-per-month", "5000"), ("quota.messages-per-hour", "many")],
    )
    .await;
    let first = sidecar(&plane.endpoint(), &operator, "a", "one").await;
    assert_eq!(lease(&one(&first, 1, asked("agent", "tokens-per-month", 1, 5_000)).await).amount, 5_000);
    let none = one(&first, 1, asked("agent", "messages-per-hour", 1, 1)).await;
    assert_eq!(none.answer, Some(Answer::ImpossibleAmount(0)), "what is no number allows nothing");
    let seen = state(&operator, "one", "tokens-per-month").await;
    assert_eq!((seen.policy.as_str(), seen.leased), ("agent", 5_000));

    let with = |limit| policy(&quota("tokens", "llm.tokens", limit, ""));
    apply(&operator, "a", &with(1_000)).await;
    assert_eq!(lease(&one(&first, 1, asked("p", "tokens", 1, 1_000)).await).amount, 1_000);
    apply(&operator, "a", &with(4_000)).await;
    assert_eq!(lease(&one(&first, 1, asked("p", "tokens", 2, 3_000)).await).amount, 3_000);
    assert_eq!(state(&operator, "one", "tokens").await.amount, 4_000);
}

#[tokio::test]
async fn a_quota_cannot_come_to_count_something_else_under_its_name() {
    let plane = plane().await;
    let (operator, first, _) = two_agents(&plane).await;
    apply(&operator, "a", &policy(&quota("tokens", "llm.tokens", 10_000, ""))).await;
    for other in [
        quota("tokens", "llm.input_tokens", 10_000, ""),
        quota("tokens", "llm.tokens", 10_000, "per = \"policy\""),
        quota("tokens", "llm.tokens", 10_000, "zone = \"Europe/Berlin\""),
        quota("tokens", "llm.tokens", 10_000, "").replace("monthly", "daily"),
    ] {
        let request = ApplyPolicyRequest { namespace: "a".into(), document: policy(&other) };
        let refused = operator.policies().apply_policy(request).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument);
        let told =
            "the quota `tokens` of policy `p` counts llm.tokens monthly by the clock of UTC per agent; ";
        assert!(refused.message().starts_with(told), "{}", refused.message());
    }
    // By another name it can; what a sidecar holds of the first is settled after it is gone.
    let got = *lease(&one(&first, 1, asked("p", "tokens", 1, 100)).await);
    apply(&operator, "a", &policy(&quota("more", "llm.tokens", 5, "per = \"policy\""))).await;
    let answer = one(&first, 1, told("p", "tokens", spent(&got, 1, 100))).await;
    assert_eq!((answer.acknowledged, answer.answer), (1, None));
    let delete = DeletePolicyRequest { namespace: "a".into(), name: "p".into() };
    operator.policies().delete_policy(delete).await.unwrap();
    let gone = one(&first, 1, asked("p", "more", 1, 1)).await;
    assert_eq!(refused(&gone), "no quota of this name applies to the agent");
}

#[tokio::test]
async fn an_agent_that_is_suspended_settles_and_gets_no_more() {
    let plane = plane().await;
    let (operator, first, _) = two_agents(&plane).await;
    apply(&operator, "a", &policy(&quota("tokens", "llm.tokens", 10_000, ""))).await;
    let got = *lease(&one(&first, 1, asked("p", "tokens", 1, 100)).await);
    let suspend = SuspendAgentRequest { namespace: "a".into(), name: "one".into() };
    operator.agents().suspend_agent(suspend).await.unwrap();
    let mut item = asked("p", "tokens", 2, 10);
    item.account = Some(spent(&got, 1, 100));
    let answer = one(&first, 1, item).await;
    assert_eq!((answer.acknowledged, refused(&answer)), (1, "the agent is not active"));
}

#[tokio::test]
async fn what_is_granted_outlives_the_control_plane_and_a_lost_file_grants_nothing() {
    let plane = plane().await;
    let (operator, first, _) = two_agents(&plane).await;
    apply(&operator, "a", &policy(&quota("tokens", "llm.tokens", 10_000, ""))).await;
    assert_eq!(lease(&one(&first, 1, asked("p", "tokens", 1, 4_000)).await).amount, 4_000);
    let plane = plane.restart().await;
    let reach = |plane: &Plane| {
        let (endpoint, certificate, seed) =
            (plane.endpoint(), first.enrolled.certificate.clone(), first.seed);
        async move { creto_client::SidecarClient::connect(&endpoint, &certificate, &seed).await.unwrap() }
    };
    let ask = |request, units| ExchangeLeasesRequest {
        process: 1,
        exchanges: vec![asked("p", "tokens", request, units)],
    };
    let client = reach(&plane).await;
    let again = client.leases().exchange_leases(ask(1, 4_000)).await.unwrap().into_inner().answers;
    assert_eq!(lease(&again[0]).amount, 4_000, "asked again, it is the same lease");
    let more = client.leases().exchange_leases(ask(2, 7_000)).await.unwrap().into_inner().answers;
    assert!(matches!(more[0].answer, Some(Answer::Exhausted(_))), "{more:?}");

    let Plane { running, folder } = plane;
    running.shutdown().await;
    for file in std::fs::read_dir(folder.path()).unwrap() {
        let path = file.unwrap().path();
        if path.file_name().unwrap().to_str().unwrap().starts_with("quota.db") {
            std::fs::remove_file(path).unwrap();
        }
    }
    let options = creto_control_plane::Options::new(folder.path());
    let running = creto_control_plane::ControlPlane::start(options).await.unwrap();
    let plane = Plane { running, folder };
    let client = reach(&plane).await;
    let lost = client.leases().exchange_leases(ask(2, 1)).await.unwrap().into_inner().answers;
    assert!(matches!(lost[0].answer, Some(Answer::Exhausted(_))), "{lost:?}");
    let operator = plane.admin().await;
    assert_eq!(state(&operator, "one", "tokens").await.assumed, 10_000);
    let events = ListQuotaEventsRequest { namespace: "a".into(), after: 0 };
    let events = operator.quotas().list_quota_events(events).await.unwrap().into_inner().events;
    let told: Vec<_> = events.iter().map(|event| (event.kind.as_str(), event.scope.as_str())).collect();
    assert!(told.contains(&("data-lost", "agent/one")), "{events:?}");
}

#[tokio::test]
async fn people_are_told_of_what_happened_in_words() {
    let plane = plane().await;
    let (operator, first, _) = two_agents(&plane).await;
    let budget = "[[budget]]\nname = \"money\"\nlimit = \"2.50\"\ncurrency = \"USD\"\nperiod = \"monthly\"\nwarn = 50\n";
    apply(&operator, "a", &policy(budget)).await;
    let got = *lease(&one(&first, 1, asked("p", "money", 1, 2_500_000_000)).await);
    one(&first, 1, told("p", "money", spent(&got, 1, 1_500_000_000))).await;
    let none = one(&first, 1, asked("p", "money", 2, 1_000_000_001)).await;
    assert!(matches!(none.answer, Some(Answer::Exhausted(_))), "{none:?}");
    let list = |after| ListQuotaEventsRequest { namespace: "a".into(), after };
    let events = operator.quotas().list_quota_events(list(0)).await.unwrap().into_inner().events;
    let told: Vec<_> = events.iter().map(|event| (event.kind.as_str(), event.detail.as_str())).collect();
    assert_eq!(
        told,
        [
            ("warning", "$1.50 of $2.50 are used"),
            ("exhausted", "a request for more could not be met: $1.50 of $2.50 are used"),
        ]
    );
    assert_eq!((events[0].policy.as_str(), events[0].quota.as_str()), ("p", "money"));
    let rest =
        operator.quotas().list_quota_events(list(events[0].sequence)).await.unwrap().into_inner().events;
    assert_eq!(rest.len(), 1);
    let unknown = ListQuotasRequest { namespace: "a".into(), agent_name: "nobody".into() };
    assert_eq!(operator.quotas().list_quotas(unknown).await.unwrap_err().code(), Code::NotFound);
}

#[tokio::test]
async fn a_report_lands_where_its_lease_was_drawn_after_a_restart_and_another_delegation() {
    let plane = plane().await;
    let operator = plane.operator("a").await;
    create_agent(&operator, "a", "boss", &key(1), true).await;
    create_agent(&operator, "a", "chief", &key(9), true).await;
    create_agent(&operator, "a", "one", &key(2), false).await;
    apply(&operator, "a", &policy(&quota("tokens", "llm.tokens", 1_000, "per = \"parent\""))).await;
    let first = sidecar(&plane.endpoint(), &operator, "a", "one").await;
    let by_boss = submit(&operator, "a", vec![link("a", &key(1), &key(2), &["get:*"], 600)]).await;
    let got = *lease(&one(&first, 1, asked("p", "tokens", 1, 100)).await);
    submit(&operator, "a", vec![link("a", &key(9), &key(2), &["get:*"], 600)]).await;
    let revoke = RevokeDelegationRequest { namespace: "a".into(), delegation_id: by_boss };
    operator.delegations().revoke_delegation(revoke).await.unwrap();
    let plane = plane.restart().await;
    let (endpoint, certificate, seed) = (plane.endpoint(), &first.enrolled.certificate, first.seed);
    let client = creto_client::SidecarClient::connect(&endpoint, certificate, &seed).await.unwrap();
    let mut item = asked("p", "tokens", 2, 10);
    item.account = Some(spent(&got, 1, 4));
    let request = ExchangeLeasesRequest { process: 1, exchanges: vec![item] };
    let answers = client.leases().exchange_leases(request).await.unwrap().into_inner().answers;
    assert_eq!(answers[0].acknowledged, 1, "{answers:?}");
    assert!(refused(&answers[0]).contains("restart the sidecar"), "{answers:?}");
    // It was boss's share that it was drawn from, and that has it back now.
    let operator = plane.admin().await;
    create_agent(&operator, "a", "other", &key(5), false).await;
    submit(&operator, "a", vec![link("a", &key(1), &key(5), &["get:*"], 600)]).await;
    let shares: Vec<_> = listed(&operator, "")
        .await
        .into_iter()
        .map(|state| (state.scope, state.spent, state.leased))
        .collect();
    assert!(shares.contains(&("parent/boss".to_owned(), 4, 0)), "{shares:?}");
    assert!(shares.contains(&("parent/chief".to_owned(), 0, 0)), "{shares:?}");
    let events = ListQuotaEventsRequest { namespace: "a".into(), after: 0 };
    let events = operator.quotas().list_quota_events(events).await.unwrap().into_inner().events;
    assert!(events.is_empty(), "nobody took it for a loss: {events:?}");
}

#[tokio::test]
async fn a_sidecar_that_lies_is_refused_and_closes_nothing() {
    let plane = plane().await;
    let (operator, first, second) = two_agents(&plane).await;
    apply(&operator, "a", &policy(&quota("tokens", "llm.tokens", 10_000, "per = \"policy\""))).await;
    let got = *lease(&one(&first, 1, asked("p", "tokens", 1, 1_000)).await);
    for lie in [
        GrantedLease { epoch: (1 << 53) - 1, ..got },
        GrantedLease { id: got.id + 9, ..got },
        GrantedLease { id: u64::MAX, ..got },
    ] {
        let answer = one(&first, 1, told("p", "tokens", spent(&lie, 1, 0))).await;
        assert_eq!(answer.acknowledged, 0);
        assert!(refused(&answer).contains(&format!("lease {} of epoch {}", lie.id, lie.epoch)), "{answer:?}");
    }
    let stolen = one(&second, 1, told("p", "tokens", spent(&got, 1, 0))).await;
    assert!(refused(&stolen).contains("was never granted to this process"), "{stolen:?}");
    // Reports on what was no quota were acknowledged; what comes after them is no loss.
    let late = one(&first, 1, told("p", "tokens", spent(&got, 7, 400))).await;
    assert_eq!(late.acknowledged, 7);
    let gap = LeaseAccount { sequence: 1 << 50, lines: Vec::new(), overage: 0 };
    one(&first, 1, told("p", "tokens", gap)).await;
    for process in 1..100 {
        one(&first, process, asked("p", "tokens", 1, 0)).await;
    }
    let all = state(&operator, "one", "tokens").await;
    assert_eq!((all.spent, all.assumed), (400, 0));
    assert!(
        matches!(one(&second, 1, asked("p", "tokens", 1, 1)).await.answer, Some(Answer::Lease(_)))
            || all.leased + all.lost >= 9_600
    );
    let events = ListQuotaEventsRequest { namespace: "a".into(), after: 0 };
    let events = operator.quotas().list_quota_events(events).await.unwrap().into_inner().events;
    assert!(events.iter().all(|event| event.kind != "data-lost"), "{events:?}");
}

#[tokio::test]
async fn a_limit_that_was_changed_while_the_clock_was_ahead_can_be_changed_again() {
    let plane = plane().await;
    let (operator, first, _) = two_agents(&plane).await;
    let with = |limit| policy(&quota("tokens", "llm.tokens", limit, ""));
    apply(&operator, "a", &with(4_000)).await;
    assert_eq!(lease(&one(&first, 1, asked("p", "tokens", 1, 1_000)).await).amount, 1_000);
    let Plane { running, folder } = plane;
    running.shutdown().await;
    // As if the clock had been a year ahead when it was changed.
    {
        let issuer = creto_quota_issuer::EmbeddedIssuer::open(&folder.path().join("quota.db")).await.unwrap();
        let now_ms = fixture::now_s() * 1_000;
        let period = creto_quota_issuer::Period::Monthly;
        let ahead = creto_quota_issuer::QuotaLimit {
            revision: now_ms + 365 * 86_400_000,
            ..creto_quota_issuer::QuotaLimit::new("a", "p/tokens/agent/one", "token", 9_000, period)
        };
        let ask = creto_quota_issuer::Ask { request: 1, wanted: 1, needed: 1 };
        let holder = creto_quota_issuer::Holder::new("x", 1);
        creto_quota_issuer::Issuer::grant(&issuer, &ahead, &holder, &ask, None, now_ms).await.unwrap();
        issuer.close().await.unwrap();
    }
    let options = creto_control_plane::Options::new(folder.path());
    let running = creto_control_plane::ControlPlane::start(options).await.unwrap();
    let plane = Plane { running, folder };
    let (endpoint, certificate, seed) = (plane.endpoint(), &first.enrolled.certificate, first.seed);
    let client = creto_client::SidecarClient::connect(&endpoint, certificate, &seed).await.unwrap();
    let ask = async |request, units| {
        let request =
            ExchangeLeasesRequest { process: 1, exchanges: vec![asked("p", "tokens", request, units)] };
        client.leases().exchange_leases(request).await.unwrap().into_inner().answers.remove(0)
    };
    assert_eq!(ask(2, 4_001).await.answer, Some(Answer::ImpossibleAmount(4_000)), "the document holds");
    let operator = plane.admin().await;
    apply(&operator, "a", &with(5_000)).await;
    assert_eq!(ask(2, 5_001).await.answer, Some(Answer::ImpossibleAmount(5_000)));
    assert_eq!(state(&operator, "one", "tokens").await.amount, 5_000);
}
