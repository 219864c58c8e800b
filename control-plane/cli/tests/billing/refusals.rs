//! What is refused, and what is said then.

use std::fs;

use crate::plane::{Plane, stderr};

#[test]
fn a_bad_file_is_refused_whole_with_every_problem_and_nothing_is_sent() {
    let plane = Plane::start();
    let bad = plane.file(
        "bad.toml",
        "[settings]\nterms_days = 400\nissuer = { nam = \"x\" }\n\
         [[plans]]\ncode = \"Bad Code\"\ncurrency = \"EURO\"\ninterval = \"monthly\"\namount = 2.5\n\
         [[customers]]\nid = \"acme\"\nname = \"Acme\"\ncurrency = \"EUR\"\ncolour = \"red\"\n\
         [[subscriptions]]\nid = \"s\"\ncustomer = \"acme\"\nplan = \"p\"\nstarted_at = 2026-01-01\n\
         [[walets]]\nid = \"w\"\n",
    );
    let good = plane.file("good.toml", "[[customers]]\nid = \"good\"\nname = \"Good\"\ncurrency = \"EUR\"\n");
    let worse = plane.file("worse.json", "{\"plans\": [3], ");
    let output = plane.creto(&["billing", "apply", &good, &bad, &worse, "/nowhere/at-all.toml"]);
    assert_eq!(output.status.code(), Some(1));
    let said = stderr(&output);
    for part in [
        "bad.toml:1: [settings]: `issuer`: `nam` is no field of it",
        "bad.toml:1: [settings]: `issuer`: missing field `name`",
        "bad.toml:4: [[plans]] 1 `Bad Code`: `code`: `Bad Code` must be",
        "bad.toml:4: [[plans]] 1 `Bad Code`: `currency`: `EURO` is no currency",
        "bad.toml:4: [[plans]] 1 `Bad Code`: `amount`:",
        "bad.toml:9: [[customers]] 1 `acme`: `colour` is no field",
        "bad.toml:14: [[subscriptions]] 1 `s`: `started_at`: `2026-01-01` is no time such as",
        "bad.toml:19: `walets` is no table of billing: did you mean `wallets`?",
        "worse.json: this is no JSON object",
        "/nowhere/at-all.toml: cannot be read: No such file",
        "problems; nothing was sent",
    ] {
        assert!(said.contains(part), "{part} is not told: {said}");
    }
    assert_eq!(plane.json(&["billing", "list", "customers", "--json"]), serde_json::json!([]));
    let output = plane.creto(&["billing", "apply", &bad, "--json"]);
    let error: serde_json::Value = serde_json::from_slice(&output.stderr).unwrap();
    assert!(error["error"]["why"].as_str().unwrap().contains("`colour` is no field"), "{error}");
}

#[test]
fn what_names_a_customer_or_plan_there_is_none_of_is_refused_before_anything_is_sent() {
    let plane = Plane::start();
    let file = plane.file(
        "s.toml",
        "[[customers]]\nid = \"acme\"\nname = \"Acme\"\ncurrency = \"EUR\"\n\
         [[subscriptions]]\nid = \"s\"\ncustomer = \"acme\"\nplan = \"none\"\n\
         [[wallets]]\nid = \"w\"\ncustomer = \"nobody\"\ncurrency = \"EUR\"\n",
    );
    let said = plane.refused(&["billing", "apply", &file]);
    assert!(
        said.contains("there is no plan `none`") && said.contains("there is no customer `nobody`"),
        "{said}"
    );
    assert_eq!(plane.json(&["billing", "list", "customers", "--json"]), serde_json::json!([]));
}

#[test]
fn every_command_has_a_help_and_a_wrong_command_line_is_2() {
    let home = tempfile::tempdir().unwrap();
    let creto = |arguments: &[&str]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_creto"));
        command.args(arguments).env("CRETO_HOME", home.path()).env("NO_COLOR", "1").output().unwrap()
    };
    for (arguments, part) in [
        (&["billing", "apply"][..], "[[subscriptions]]"),
        (&["billing", "list"], "the wallets of a customer"),
        (&["billing", "change"], "Nothing from then on may be billed"),
        (&["billing", "cancel"], "2026-02-01T00:00:00Z"),
        (&["billing", "triggers"], "took note of"),
        (&["billing", "acknowledge"], "unknown_resource_type"),
        (&["billing", "exports"], "Stripe"),
        (&["invoice", "preview"], "Keeps nothing"),
        (&["invoice", "draw-up"], "passed a threshold"),
        (&["invoice", "finalize"], "Idempotency key"),
        (&["invoice", "list"], "finalized"),
        (&["invoice", "show"], "id or number"),
        (&["invoice", "export"], "byte for byte"),
        (&["invoice", "pay"], "parts are not taken"),
        (&["invoice", "void"], "number stays used"),
        (&["invoice", "credit"], "gives nothing back twice"),
        (&["invoice", "credit-notes"], "customer"),
        (&["invoice", "key"], "pins it once"),
        (&["invoice", "verify"], "another way than the invoice"),
    ] {
        let output = creto(&[arguments, &["--help"]].concat());
        let said = String::from_utf8_lossy(&output.stdout).split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(output.status.success() && said.contains(part), "{arguments:?}: {part} is not in {said}");
    }
    for arguments in [
        &["billing"][..],
        &["billing", "apply"],
        &["billing", "list", "zebras"],
        &["billing", "list", "wallets"],
        &["billing", "list", "customers", "--of", "x"],
        &["billing", "change", "s"],
        &["billing", "change", "s", "--plan", "p"],
        &["billing", "change", "s", "--plan", "p", "--from", "soon"],
        &["billing", "change", "s", "--status", "active", "--plan", "p", "--from", "now"],
        &["billing", "cancel", "s"],
        &["billing", "acknowledge", "nothing", "k", "now"],
        &["invoice", "finalize"],
        &["invoice", "finalize", "a", "b", "--key", "k"],
        &["invoice", "finalize", "a", "--all"],
        &["invoice", "export", "a"],
        &["invoice", "export", "a", "--format", "xml"],
        &["invoice", "pay", "a", "--amount", "1"],
        &["invoice", "void", "a"],
        &["invoice", "verify", "a.json"],
        &["invoice", "draw-up", "--grace", "soon"],
    ] {
        assert_eq!(creto(arguments).status.code(), Some(2), "{arguments:?}");
    }
}

#[test]
fn what_is_not_there_is_named() {
    let plane = Plane::billing();
    for (arguments, part) in [
        (&["invoice", "preview", "none"][..], "there is no subscription `none`"),
        (&["invoice", "show", "none"], "there is no invoice `none`"),
        (&["invoice", "export", "none", "--format", "json"], "there is no invoice `none`"),
        (&["invoice", "finalize", "none"], "there is no invoice `none`"),
        (&["invoice", "pay", "none", "--amount", "1", "--key", "k"], "there is no invoice `none`"),
        (&["invoice", "void", "none", "--reason", "r"], "there is no invoice `none`"),
        (&["billing", "change", "none", "--status", "suspended"], "there is no subscription `none`"),
        (&["billing", "cancel", "none", "--at", "now"], "there is no subscription `none`"),
        (&["billing", "acknowledge", "spike", "none", "now"], "there is no such trigger"),
    ] {
        let said = plane.refused(arguments);
        assert!(said.contains(part) && said.contains("help:"), "{arguments:?}: {said}");
    }
}

#[test]
fn what_cannot_be_verified_with_is_said() {
    let plane = Plane::start();
    let invoice = plane.file("invoice.json", "{}");
    let key = plane.file("key.pub", &"0".repeat(63));
    for (arguments, part) in [
        (&["invoice", "verify", &invoice, "--key-file", &key][..], "64 hexadecimal digits"),
        (&["invoice", "verify", &invoice, "--key", "xyz"], "64 hexadecimal digits"),
        (&["invoice", "verify", &invoice, "--key-file", "/nowhere/key"], "No such file"),
        (&["invoice", "verify", "/nowhere/invoice", "--key", &"0".repeat(64)], "No such file"),
        (&["invoice", "verify", &invoice, "--key", &"0".repeat(64)], "field `signature` is missing"),
    ] {
        let said = plane.refused(arguments);
        assert!(said.contains(part), "{arguments:?}: {said}");
    }
    fs::write(plane.path("large.pub"), "0".repeat(2_000)).unwrap();
    let large = plane.path("large.pub").display().to_string();
    assert!(plane.refused(&["invoice", "verify", &invoice, "--key-file", &large]).contains("too many"));
}
