//! What becomes of an invoice that was issued.

use serde_json::{Value, json};

use crate::invoices::{billed, drawn_up};
use crate::plane::stderr;

#[tokio::test]
async fn an_invoice_is_paid_once_and_corrected_by_a_signed_credit_note() {
    let plane = billed().await;
    drawn_up(&plane);
    plane.done(&["invoice", "finalize", "--all"]);
    for (amount, part) in [("4.27", "asks for 428"), ("4.285", "3 decimals"), ("four", "no amount in EUR")] {
        let output = plane.creto(&["invoice", "pay", "INV-000001", "--amount", amount, "--key", "bank-1"]);
        assert!(!output.status.success());
        let said = stderr(&output);
        assert!(said.contains(part), "{amount}: {said}");
    }
    for _ in 0..2 {
        let paid =
            plane.json(&["invoice", "pay", "INV-000001", "--amount", "4.28", "--key", "bank-1", "--json"]);
        assert_eq!((&paid["state"], &paid["due"]), (&"paid".into(), &"0.00".into()));
    }
    let said = plane.refused(&["invoice", "void", "INV-000001", "--reason", "late"]);
    assert!(said.contains("issue a credit note"), "{said}");

    let images =
        "invoice = \"INV-000001\"\nreason = \"One was black\"\nlines = [{ line = LINE, total_minor = 12 }]\n";
    let shown = plane.json(&["invoice", "show", "INV-000001", "--json"]);
    let lines = shown["lines"].as_array().unwrap();
    let line = 1 + lines.iter().position(|line| line["description"] == "images").unwrap();
    let file = plane.file("note.toml", &images.replace("LINE", &line.to_string()));
    let path = |name: &str| plane.path(name).display().to_string();
    let (note, key) = (path("note.json"), path("studio.pub"));
    let given = plane.json(&["invoice", "credit", &file, "-o", &note, "--json"]);
    assert_eq!(
        (&given["total"], &given["invoice_number"]),
        (&"0.12".into(), &"INV-000001".into()),
        "{given}"
    );
    let again = plane.json(&["invoice", "credit", &file, "--json"]);
    assert_eq!(again["number"], given["number"], "given back once");
    plane.done(&["invoice", "key", "INV-000001", "-o", &key]);
    let held = plane.json(&["invoice", "verify", &note, "--key-file", &key, "--json"]);
    assert_eq!(
        (&held["document"]["kind"], &held["document"]["total"]),
        (&"credit_note".into(), &"0.12".into())
    );
    let listed = plane.json(&["invoice", "credit-notes", "acme", "--json"]);
    assert_eq!((listed.as_array().unwrap().len(), &listed[0]["reason"]), (1, &"One was black".into()));
    let much = plane.file("much.toml", &images.replace("LINE", &line.to_string()).replace("12", "5000"));
    assert!(plane.refused(&["invoice", "credit", &much]).contains("are left to credit"));
}

#[tokio::test]
async fn an_invoice_that_is_not_paid_is_taken_back_and_drawn_up_anew() {
    let plane = billed().await;
    let first = drawn_up(&plane);
    plane.done(&["invoice", "finalize", &first]);
    for _ in 0..2 {
        let void = plane.json(&["invoice", "void", "INV-000001", "--reason", "Wrong address", "--json"]);
        assert_eq!(void["state"], "void");
    }
    let second = drawn_up(&plane);
    assert_ne!(second, first);
    let issued = plane.json(&["invoice", "finalize", &second, "--json"]);
    assert_eq!(issued["issued"][0]["number"], "INV-000002");
    let states = plane.json(&["invoice", "list", "--subscription", "acme-daily", "--json"]);
    let states: Vec<&Value> = states.as_array().unwrap().iter().map(|invoice| &invoice["state"]).collect();
    assert_eq!(states, ["void", "finalized"]);
    let table = plane.done(&["invoice", "list", "--state", "finalized"]);
    assert!(
        table.contains("INV-000002") && table.contains("4.28 EUR by ") && !table.contains("INV-000001"),
        "{table}"
    );
}

#[tokio::test]
async fn a_wallet_pays_before_money_is_asked_for() {
    let plane = billed().await;
    let text = "[[wallets]]\nid = \"w\"\ncustomer = \"acme\"\ncurrency = \"EUR\"\n\
                [[credits]]\nwallet = \"w\"\nid = \"top-up\"\nsource = \"purchased\"\nminor = 400\n";
    plane.apply("credit.toml", text);
    let id = drawn_up(&plane);
    plane.done(&["invoice", "finalize", &id]);
    let shown = plane.json(&["invoice", "show", "INV-000001", "--json"]);
    assert_eq!((&shown["total"], &shown["due"]), (&"4.28".into(), &"0.28".into()));
    assert_eq!(shown["paid_by"], json!([{"what": "Wallet w", "amount": "4.00"}]));
    let left = plane.done(&["billing", "list", "wallets", "--of", "acme"]);
    assert!(left.contains("0.00 EUR"), "{left}");
    let movements = plane.json(&["billing", "list", "credits", "--of", "w", "--json"]);
    let consumed: i64 =
        movements.as_array().unwrap().iter().skip(1).map(|entry| entry["minor"].as_i64().unwrap()).sum();
    assert_eq!((movements[0]["minor"].as_i64(), consumed), (Some(400), -400));
}
