//! That every invoice adds up, whatever was used, credited and prepaid.

use std::sync::LazyLock;

use creto_billing::NewSubscription;
use proptest::prelude::*;
use tokio::runtime::Runtime;

use crate::world::{TEAM, World, adds_up, at};

static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap());

#[derive(Clone, Debug)]
struct Use {
    day: u32,
    agent: usize,
    milli_tokens: u32,
    late: bool,
}

fn uses() -> impl Strategy<Value = Vec<Use>> {
    let one = (1..=31_u32, 0..5_usize, 0..9_000_000_u32, any::<bool>());
    prop::collection::vec(
        one.prop_map(|(day, agent, milli_tokens, late)| Use { day, agent, milli_tokens, late }),
        0..20,
    )
}

const AGENTS: [&str; 5] = ["ann", "bo", "cyd", "dora", "e"];

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]
    #[test]
    fn lines_taxes_and_credits_add_up_and_attribution_does_too(
        list in uses(),
        prepaid in 0..20_000_i64,
        percent in 0..=100_u8,
        given_back in 0..2_000_i64,
        whole in any::<bool>(),
    ) {
        RUNTIME.block_on(async {
            let world = World::new().await;
            world.customer("acme").await;
            let toml = TEAM.replace("0.001", "0.0013").replace("19", "7.7");
            let graduated = "{ type = \"graduated\", tiers = [{ from = 0, to = 100, rate = \"0.07\", flat = \"1\" }, \
                { from = 100, rate = \"0.0031\", flat = \"0.5\" }] }";
            let toml = if whole { toml } else { toml.replace("{ type = \"standard\", rate = \"0.0013\" }", graduated) };
            world.publish(&toml).await;
            let mut new = NewSubscription::new("sub", "acme", "team", at("2026-01-07T10:00:00Z"));
            new.coupons = serde_json::from_str(&format!(r#"[{{"code":"c","amount":{{"percent":"{percent}"}}}}]"#)).unwrap();
            world.store.subscribe(&world.namespace, &new).await.unwrap();
            if prepaid > 0 {
                world.topped_up(prepaid).await;
            }
            let tell = |late| {
                for used in list.iter().filter(|used| used.late == late) {
                    let tokens = format!("{}.{:03}", used.milli_tokens / 1_000, used.milli_tokens % 1_000);
                    world.used("sub", &format!("2026-01-{:02}T12:00:00Z", used.day), AGENTS[used.agent], &tokens);
                }
            };
            tell(false);
            let january = world.billed("2026-02-01T00:00:00Z").await;
            adds_up(&january);
            let line = &january.lines[0];
            if (1..=line.total_minor).contains(&given_back) {
                world.given_back(&january.id, line.number, given_back, "back").await.unwrap();
            }
            tell(true);
            let february = world.billed("2026-03-01T00:00:00Z").await;
            adds_up(&february);
            // Late or not, January comes to the same.
            let together = World::new().await;
            together.customer("acme").await;
            together.publish(&toml).await;
            together.store.subscribe(&together.namespace, &new).await.unwrap();
            for used in &list {
                let tokens = format!("{}.{:03}", used.milli_tokens / 1_000, used.milli_tokens % 1_000);
                together.used("sub", &format!("2026-01-{:02}T12:00:00Z", used.day), AGENTS[used.agent], &tokens);
            }
            let at_once = together.billed("2026-02-01T00:00:00Z").await.total_minor
                + together.billed("2026-03-01T00:00:00Z").await.total_minor;
            let notes = world.store.credit_notes(&world.namespace, "acme").await.unwrap();
            let late_credit: i64 = notes.iter().filter(|note| note.document.reason == "Late usage")
                .map(|note| note.document.total_minor).sum();
            assert_eq!(january.total_minor + february.total_minor - late_credit, at_once);
            // The wallet lost what the invoices say.
            let spent = january.prepaid_minor + february.prepaid_minor;
            let balance = if prepaid > 0 { world.balance().await } else { 0 };
            assert_eq!(balance + spent, prepaid);
        });
    }
}
