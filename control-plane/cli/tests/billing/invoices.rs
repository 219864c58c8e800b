//! From the open period so far to an invoice that whoever pays can verify.

use std::fs;

use serde_json::{Value, json};

use crate::plane::{DAY_US, Plane, yesterday_us};

const NOON_US: i64 = DAY_US / 2;

/// Yesterday is billed: 2.40 and 12 images at 0.10, 3.60 and 19%.
pub(crate) async fn billed() -> Plane {
    let plane = Plane::billing();
    plane.rendered("acme-daily", yesterday_us() + NOON_US, &[("painter", 9), ("sketcher", 3)]).await;
    plane
}

pub(crate) fn drawn_up(plane: &Plane) -> String {
    let report = plane.json(&["invoice", "draw-up", "--grace", "0s", "--json"]);
    assert_eq!((&report["drawn_up"], &report["refused"]), (&1.into(), &json!({})), "{report}");
    report["drafts"][0]["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn usage_becomes_an_invoice_that_whoever_pays_verifies_offline() {
    let plane = billed().await;
    let preview = plane.json(&["invoice", "preview", "acme-daily", "--json"]);
    assert_eq!((&preview["fee"], &preview["total"]), (&"3.60".into(), &"4.28".into()), "{preview}");
    let sum = |parts: &Value, field: &str| -> i64 {
        let cents = |part: &Value| part[field].as_str().unwrap().replace('.', "").parse::<i64>().unwrap();
        parts.as_array().unwrap().iter().map(cents).sum()
    };
    let fees: Vec<_> =
        preview["agents"].as_array().unwrap().iter().map(|part| (&part["name"], &part["fee"])).collect();
    // The plan's own fee goes with what each used.
    assert_eq!(fees, [(&json!("painter"), &json!("2.70")), (&json!("sketcher"), &json!("0.90"))]);
    assert_eq!((sum(&preview["agents"], "fee"), sum(&preview["agents"], "total")), (360, 428));
    let shown = plane.done(&["invoice", "preview", "acme-daily"]);
    for part in ["images", "12", "Tax vat 19%", "Total", "4.28 EUR", "painter", "2.70"] {
        assert!(shown.contains(part), "{part} is not in\n{shown}");
    }
    assert_eq!(plane.json(&["invoice", "list", "--json"]), json!([]), "a preview keeps nothing");

    let id = drawn_up(&plane);
    assert_eq!(drawn_up(&plane), id, "drawn up again, it is the same draft");
    let draft = plane.json(&["invoice", "show", &id, "--json"]);
    assert_eq!(
        (&draft["state"], &draft["total"], &draft["number"]),
        (&"draft".into(), &"4.28".into(), &Value::Null)
    );
    let said = plane.refused(&["invoice", "export", &id, "--format", "json"]);
    assert!(said.contains("is a draft") && said.contains(&format!("creto invoice finalize {id}")), "{said}");
    assert!(plane.refused(&["invoice", "key", &id]).contains("it is a draft"));

    let issued = plane.json(&["invoice", "finalize", "--all", "--json"]);
    assert_eq!((issued["issued"].as_array().unwrap().len(), &issued["refused"]), (1, &json!([])));
    let number = issued["issued"][0]["number"].as_str().unwrap().to_owned();
    let again = plane.json(&["invoice", "finalize", &id, "--json"]);
    assert_eq!(again["issued"][0]["number"], number.as_str(), "issued once");
    assert!(plane.refused(&["invoice", "finalize", &id, "--key", "another"]).contains("never changes"));
    assert_eq!(plane.json(&["invoice", "list", "--state", "draft", "--json"]), json!([]));
    let shown = plane.done(&["invoice", "show", &number]);
    for part in [number.as_str(), "finalized", "Due", "4.28 EUR", "sketcher"] {
        assert!(shown.contains(part), "{part} is not in\n{shown}");
    }

    let path = |name: &str| plane.path(name).display().to_string();
    let (pdf, signed, key) = (path("i.pdf"), path("i.json"), path("studio.pub"));
    plane.done(&["invoice", "export", &number, "--format", "pdf", "-o", &pdf]);
    assert!(fs::read(&pdf).unwrap().starts_with(b"%PDF-"));
    let told = plane.json(&["invoice", "export", &number, "--format", "json", "-o", &signed, "--json"]);
    assert_eq!(
        plane.done(&["invoice", "export", &id, "--format", "json"]).as_bytes(),
        fs::read(&signed).unwrap()
    );
    let told_key = plane.json(&["invoice", "key", &number, "-o", &key, "--json"]);
    assert_eq!((&told["signing_key"], &told["public_key"]), (&told_key["id"], &told_key["public_key"]));
    let key_id = told_key["id"].as_str().unwrap();

    let held = plane.json(&["invoice", "verify", &signed, "--key-file", &key, "--key-id", key_id, "--json"]);
    assert_eq!((&held["holds"], &held["document"]["total"]), (&true.into(), &"4.28".into()), "{held}");
    let text = plane.done(&["invoice", "verify", &signed, "--key", told_key["public_key"].as_str().unwrap()]);
    assert!(text.contains(&number) && text.contains("it is as it was issued"), "{text}");
}

#[tokio::test]
async fn a_document_that_was_tampered_with_or_signed_by_another_is_refused() {
    let plane = billed().await;
    drawn_up(&plane);
    plane.done(&["invoice", "finalize", "--all"]);
    let path = |name: &str| plane.path(name).display().to_string();
    let (signed, key) = (path("i.json"), path("studio.pub"));
    plane.done(&["invoice", "export", "INV-000001", "--format", "json", "-o", &signed]);
    plane.done(&["invoice", "key", "INV-000001", "-o", &key]);
    let text = fs::read_to_string(&signed).unwrap();
    let cheaper = text.replace("\"due_minor\":428", "\"due_minor\":42");
    assert_ne!(cheaper, text);
    for (name, tampered) in [("cheaper.json", cheaper.as_str()), ("line-end.json", &format!("{text}\n"))] {
        let file = plane.file(name, tampered);
        let said = plane.refused(&["invoice", "verify", &file, "--key-file", &key]);
        assert!(said.contains("does not hold") && said.contains("Do not pay"), "{said}");
    }
    let other = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
    let said = plane.refused(&["invoice", "verify", &signed, "--key", other]);
    assert!(said.contains("names signing key"), "{said}");
    let said =
        plane.refused(&["invoice", "verify", &signed, "--key-file", &key, "--key-id", "0123456789abcdef"]);
    assert!(said.contains("another than the one that is wanted"), "{said}");
}
