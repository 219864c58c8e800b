//! Files of billing documents.

use crate::plane::{BILLING, Plane, shown, stderr, yesterday_us};

fn changes(rows: &[(String, String, String)]) -> Vec<(&str, &str, &str)> {
    rows.iter().map(|(kind, id, change)| (kind.as_str(), id.as_str(), change.as_str())).collect()
}

#[test]
fn a_file_is_applied_once_and_the_same_again_changes_nothing() {
    let plane = Plane::start();
    let text = BILLING.replace("YESTERDAY", &shown(yesterday_us()));
    let all = |change| {
        [
            ("settings", "", change),
            ("plan", "daily", change),
            ("customer", "acme", change),
            ("subscription", "acme-daily", change),
        ]
    };
    assert_eq!(changes(&plane.apply("billing.toml", &text)), all("new"));
    assert_eq!(changes(&plane.apply("billing.toml", &text)), all("unchanged"));
    let changed = text.replace("terms_days = 14", "terms_days = 20").replace("Société Acme", "Acme SARL");
    let changed = changed.replace("amount = \"2.40\"", "amount = \"2.50\"");
    let expected = [
        ("settings", "", "changed"),
        ("plan", "daily", "changed"),
        ("customer", "acme", "changed"),
        ("subscription", "acme-daily", "unchanged"),
    ];
    assert_eq!(changes(&plane.apply("billing.toml", &changed)), expected);
    let versions = plane.json(&["billing", "list", "plans", "--of", "daily", "--json"]);
    assert_eq!(
        versions[0]["document"]["effective_from"], "1970-01-01T00:00:00Z",
        "the first is always in effect"
    );
    let facts: Vec<_> = versions
        .as_array()
        .unwrap()
        .iter()
        .map(|v| (&v["version"], &v["document"]["plan"]["amount"]))
        .collect();
    assert_eq!(facts, [(&1.into(), &"2.4".into()), (&2.into(), &"2.5".into())]);
    assert_eq!(changes(&plane.apply("billing.toml", &changed)), all("unchanged"));
    let table = plane.done(&["billing", "list", "subscriptions"]);
    assert!(table.starts_with("ID          CUSTOMER  STATUS  PLAN"), "{table}");
    assert!(table.contains("acme-daily  acme      active  daily v1  "), "{table}");
    assert!(plane.done(&["billing", "list", "customers"]).contains("acme  Acme SARL  EUR       UTC"));
    assert!(plane.done(&["billing", "list", "settings"]).contains("Studio GmbH  INV-"));
}

#[tokio::test]
async fn several_files_are_one_whatever_their_order_and_versions_of_a_plan_stay() {
    let plane = Plane::start();
    let plan = |from: &str, amount: &str| {
        format!(
            "[[plans]]\ncode = \"p\"\neffective_from = {from}\ncurrency = \"JPY\"\ninterval = \"monthly\"\namount = \"{amount}\"\n"
        )
    };
    let plans = plane
        .file("plans.toml", &(plan("2026-02-01T00:00:00Z", "200") + &plan("2026-01-01T00:00:00Z", "100")));
    let wallets = plane.file(
        "wallets.json",
        r#"{"credits": [{"wallet": "w", "id": "gift", "source": "granted", "minor": 500, "expires_at": "2030-01-01T00:00:00Z"}],
            "wallets": [{"id": "w", "customer": "kato", "currency": "JPY"}],
            "subscriptions": [{"id": "s", "customer": "kato", "plan": "p"}]}"#,
    );
    let customers = plane.file(
        "customers.toml",
        "[[customers]]\nid = \"kato\"\nname = \"加藤\"\ncurrency = \"JPY\"\nzone = \"Asia/Tokyo\"\n",
    );
    let told = plane.done(&["billing", "apply", &wallets, &customers, &plans]);
    let rows: Vec<&str> = told.lines().skip(1).collect();
    assert_eq!(rows.len(), 6, "{told}");
    assert!(rows[0].contains("new: version 1, in effect from 2026-01-01T00:00:00Z"), "{told}");
    assert!(rows[1].contains("new: version 2, in effect from 2026-02-01T00:00:00Z"), "{told}");
    assert!(rows[5].starts_with("credit        gift in w  new"), "{told}");
    // Times that were left out are what they were at first.
    tokio::time::sleep(std::time::Duration::from_millis(1_100)).await;
    let again = plane.json(&["billing", "apply", &wallets, &customers, &plans, "--json"]);
    let unchanged = again.as_array().unwrap().iter().all(|row| row["change"] == "unchanged");
    assert!(unchanged, "{again}");
    assert!(plane.done(&["billing", "list", "wallets", "--of", "kato"]).contains("500 JPY"));
    let ledger = plane.json(&["billing", "list", "credits", "--of", "w", "--json"]);
    assert_eq!((ledger.as_array().unwrap().len(), &ledger[0]["movement"]), (1, &"grant".into()));
}

#[test]
fn what_the_control_plane_refuses_is_told_with_its_place_and_what_is_in() {
    let plane = Plane::billing();
    let text = "[[customers]]\nid = \"beta\"\nname = \"Beta\"\ncurrency = \"USD\"\n\
                [[subscriptions]]\nid = \"beta-daily\"\ncustomer = \"beta\"\nplan = \"daily\"\n\
                [[wallets]]\nid = \"w\"\ncustomer = \"beta\"\ncurrency = \"USD\"\n";
    let file = plane.file("beta.toml", text);
    let output = plane.creto(&["billing", "apply", &file]);
    assert_eq!(output.status.code(), Some(1));
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(told.contains("customer  beta  new") && !told.contains("wallet"), "{told}");
    let why = stderr(&output);
    for part in [
        "beta.toml:5: [[subscriptions]] 1 `beta-daily` is not taken",
        "USD",
        "EUR",
        "apply the same files again",
    ] {
        assert!(why.contains(part), "{part} is not told: {why}");
    }
    let mended = text.replace("USD", "EUR");
    let rows = plane.apply("beta.toml", &mended);
    assert_eq!(
        changes(&rows),
        [("customer", "beta", "changed"), ("subscription", "beta-daily", "new"), ("wallet", "w", "new")]
    );
}
