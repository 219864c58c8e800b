//! What becomes of subscriptions, and what somebody should look at.

use serde_json::json;

use crate::plane::{BILLING, DAY_US, Plane, shown, yesterday_us};

#[tokio::test]
async fn one_that_cannot_be_issued_does_not_keep_the_others_back() {
    let plane = Plane::start();
    let since = shown(yesterday_us() - DAY_US);
    let text = BILLING.replace("YESTERDAY", &since)
        + &format!(
            "[[customers]]\nid = \"beta\"\nname = \"Beta\"\ncurrency = \"EUR\"\n\
            [[subscriptions]]\nid = \"beta-daily\"\ncustomer = \"beta\"\nplan = \"daily\"\nstarted_at = {}\n",
            shown(yesterday_us())
        );
    plane.apply("billing.toml", &text);
    let report = plane.json(&["invoice", "draw-up", "--grace", "0s", "--json"]);
    assert_eq!(report["drawn_up"], 3, "two days of one, one of the other: {report}");
    let output = plane.creto(&["invoice", "finalize", "--all", "--json"]);
    assert_eq!(output.status.code(), Some(1), "the second day was drawn up before the first was issued");
    let told: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (told["issued"].as_array().unwrap().len(), told["refused"].as_array().unwrap().len()),
        (2, 1),
        "{told}"
    );
    let why = told["refused"][0]["error"]["why"].as_str().unwrap();
    assert!(why.contains("draw it up again"), "{why}");
    plane.done(&["invoice", "draw-up", "--grace", "0s"]);
    plane.done(&["invoice", "finalize", "--all"]);
    assert_eq!(
        plane.json(&["invoice", "list", "--state", "finalized", "--json"]).as_array().unwrap().len(),
        3
    );
    let table = plane.done(&["invoice", "draw-up", "--grace", "0s"]);
    assert_eq!(table.lines().count(), 1, "nothing is left: {table}");
}

#[test]
fn a_subscription_changes_plan_and_status_and_ends() {
    let plane = Plane::billing();
    plane.apply(
        "large.toml",
        "[[plans]]\ncode = \"large\"\ncurrency = \"EUR\"\ninterval = \"daily\"\namount = \"9.60\"\n",
    );
    let noon = shown(yesterday_us() + DAY_US / 2);
    let changed =
        plane.json(&["billing", "change", "acme-daily", "--plan", "large", "--from", &noon, "--json"]);
    assert_eq!(changed["plans"][1], json!({"plan": "large", "version": 1, "from": noon}), "{changed}");
    let early = plane.refused(&[
        "billing",
        "change",
        "acme-daily",
        "--plan",
        "daily",
        "--from",
        "2020-01-01T00:00:00Z",
    ]);
    assert!(early.contains("what came before is billed"), "{early}");
    let said = plane.done(&["billing", "change", "acme-daily", "--status", "suspended"]);
    assert!(said.starts_with("subscription acme-daily: suspended, plan large v1 from "), "{said}");
    plane.done(&["billing", "change", "acme-daily", "--status", "active"]);
    let said = plane.done(&["billing", "cancel", "acme-daily", "--at", "2030-01-01T00:00:00+01:00"]);
    assert!(said.contains("canceled") && said.contains("ends at 2029-12-31T23:00:00Z"), "{said}");
    let dead = plane.refused(&["billing", "change", "acme-daily", "--status", "active"]);
    assert!(dead.contains("it cannot become active"), "{dead}");
    let table = plane.done(&["billing", "list", "subscriptions"]);
    assert!(table.contains("canceled  large v1") && table.contains("2029-12-31T23:00:00Z"), "{table}");
}

#[tokio::test]
async fn usage_that_no_plan_charges_is_a_trigger_until_somebody_takes_note() {
    let plane = Plane::billing();
    assert_eq!(plane.json(&["billing", "triggers", "--json"]), json!([]));
    let text = BILLING.replace("YESTERDAY", &shown(yesterday_us())).replace("image.rendered", "image.sold");
    let cheap =
        text.replace("code = \"daily\"", "code = \"cheap\"").replace("plan = \"daily\"", "plan = \"cheap\"");
    plane.apply("cheap.toml", &cheap.replace("acme-daily", "acme-cheap"));
    plane.rendered("acme-cheap", yesterday_us() + DAY_US / 2, &[("painter", 2)]).await;
    let output = plane.creto(&["invoice", "draw-up", "--grace", "0s"]);
    let said = crate::plane::stderr(&output);
    assert!(said.contains("2 events are not billed: no charge of the plan is about their type"), "{said}");
    let open = plane.json(&["billing", "triggers", "--json"]);
    let trigger = &open[0];
    assert_eq!(
        (&trigger["kind"], &trigger["key"]),
        (&"unknown_resource_type".into(), &"image.rendered".into())
    );
    assert!(plane.done(&["billing", "triggers"]).contains("no plan charges it"));
    let window = trigger["window"].as_str().unwrap();
    plane.done(&["billing", "acknowledge", "unknown_resource_type", "image.rendered", window]);
    assert_eq!(plane.json(&["billing", "triggers", "--json"]), json!([]));
    let all = plane.json(&["billing", "triggers", "--all", "--json"]);
    assert!(all[0]["acknowledged_by"].is_string(), "{all}");
    let again = plane.refused(&["billing", "acknowledge", "unknown_resource_type", "image.rendered", window]);
    assert!(again.contains("there is no such trigger"), "{again}");
}

#[test]
fn without_stripe_nothing_is_exported_and_that_is_said() {
    let plane = Plane::billing();
    assert_eq!(
        plane.done(&["billing", "exports"]),
        "this control plane does not export; 0 waiting, 0 not sent\n"
    );
    assert_eq!(
        plane.json(&["billing", "exports", "--json"]),
        json!({"exports": false, "waiting": 0, "dead": []})
    );
}
