//! Plans as people write them.

use creto_billing::{BillingError, PlanDocument};

use crate::world::{TEAM, World, at};

#[test]
fn a_bad_plan_gives_all_its_problems() {
    let text = r#"
code = "Bad Code"
effective_from = "soon"
currency = "EURO"
interval = "monthly"
amount = "-1"
commitment = "-2"
colour = "red"
taxes = [{ code = "vat", percent = "19" }, { code = "vat", percent = "7" }]
[[charges]]
code = "gap"
metric = { meter = "a", aggregation = { type = "count" }, recurring = true }
model = { type = "graduated", tiers = [{ from = 0, to = 10, rate = "1" }, { from = 11, rate = "2" }] }
[[charges]]
code = "overlap"
minimum = "-5"
metric = { meter = "a", aggregation = { type = "count" } }
model = { type = "volume", tiers = [{ from = 0, to = 10, rate = "1" }, { from = 9, rate = "2" }] }
[[charges]]
code = "overlap"
metric = { meter = "a", aggregation = { type = "count" } }
model = { type = "standard", rate = 0.25 }
[[charges]]
code = "ahead"
pay_in_advance = true
metric = { meter = "a", aggregation = { type = "count" } }
model = { type = "volume", tiers = [{ from = 0, rate = "1" }] }
[[charges]]
code = "gap"
metric = { meter = "a", aggregation = { type = "count" } }
model = { type = "package", size = 0, price = "1" }
"#;
    let refused = PlanDocument::from_toml(text).unwrap_err();
    let all = refused.problems.join("\n");
    for part in [
        "`code`",
        "`effective_from`: `soon`",
        "`EURO` is no currency",
        "`amount`: -1",
        "`commitment`: -2",
        "`colour` is no field",
        "tax `vat` has two rates",
        "cannot be recurring",
        "units between have no price",
        "units between have two prices",
        "field `minimum`: -5",
        "charge 3 (`overlap`)",
        "a bare decimal would lose digits",
        "charge `gap` is there twice",
        "a package needs more than zero units",
        "cannot be paid in advance: under a volume model",
    ] {
        assert!(all.contains(part), "{part} is not told:\n{all}");
    }
    assert_eq!(refused.problems.len(), 15, "each once:\n{all}");
}

#[test]
fn a_good_plan_reads_the_same_from_toml_and_json() {
    let plan = PlanDocument::from_toml(TEAM).unwrap();
    let json = r#"{"code":"team","effective_from":"2026-01-01T00:00:00Z","currency":"EUR","interval":"monthly","amount":"20",
        "taxes":[{"code":"vat","percent":"19"}],"charges":[{"code":"tokens","attribute_by":["model"],
        "metric":{"meter":"llm.tokens","aggregation":{"type":"sum","field":"tokens"}},
        "model":{"type":"standard","rate":"0.001"}}]}"#;
    assert_eq!(PlanDocument::from_json(json).unwrap(), plan);
    assert_eq!(plan.effective_from, at("2026-01-01T00:00:00Z"));
}

#[test]
fn what_is_no_plan_at_all_is_told_so() {
    for text in ["", "code =", "[]", &"x".repeat((1 << 20) + 1)] {
        let refused = PlanDocument::from_toml(text).unwrap_err();
        assert!(!refused.problems.is_empty());
        assert!(PlanDocument::from_json(text).is_err());
    }
}

#[tokio::test]
async fn tiers_with_a_gap_never_reach_the_catalogue() {
    let world = World::new().await;
    let mut plan = PlanDocument::from_toml(TEAM).unwrap();
    let gap = r#"{"type":"graduated","tiers":[{"from":0,"to":10,"rate":"1"},{"from":11,"rate":"2"}]}"#;
    plan.plan.charges[0].model = serde_json::from_str(gap).unwrap();
    let refused = world.store.publish_plan(&world.namespace, &plan).await.unwrap_err();
    assert!(
        matches!(refused, BillingError::Plan(_)) && refused.to_string().contains("no price"),
        "{refused}"
    );
    assert!(world.store.plans(&world.namespace).await.unwrap().is_empty());
}

#[tokio::test]
async fn currencies_are_never_mixed() {
    let world = World::new().await;
    world.acme().await;
    let ns = world.namespace.as_str();
    world.publish(&TEAM.replace("\"team\"", "\"dollars\"").replace("EUR", "USD")).await;
    let new = creto_billing::NewSubscription::new("other", "acme", "dollars", at("2026-01-01T00:00:00Z"));
    let mut refusals = vec![
        world.store.subscribe(ns, &new).await.unwrap_err(),
        world.store.change_plan(ns, "sub", "dollars", at("2026-01-10T00:00:00Z")).await.unwrap_err(),
    ];
    let wallet = creto_billing::NewWallet {
        id: "w".into(),
        customer: "acme".into(),
        currency: "USD".parse().unwrap(),
        priority: 1,
        only: None,
        created_at: at("2026-01-01T00:00:00Z"),
    };
    refusals.push(world.store.open_wallet(ns, &wallet).await.unwrap_err());
    let mut customer = world.store.customer(ns, "acme").await.unwrap().unwrap();
    customer.currency = "USD".parse().unwrap();
    refusals.push(world.store.put_customer(ns, &customer).await.unwrap_err());
    for refused in refusals {
        let text = refused.to_string();
        assert!(text.contains("USD") && text.contains("EUR"), "{text}");
    }
}

#[tokio::test]
async fn a_customer_gets_all_its_problems_told() {
    let world = World::new().await;
    let mut customer = world.customer("acme").await;
    customer.id = "with space".into();
    customer.party.name = String::new();
    customer.party.address = vec!["line\nbreak".into(); 9];
    let refused = world.store.put_customer(&world.namespace, &customer).await.unwrap_err().to_string();
    for part in ["an id has", "`name`", "`address`", "9 entries"] {
        assert!(refused.contains(part), "{part}: {refused}");
    }
}
