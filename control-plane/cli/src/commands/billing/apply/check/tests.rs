use serde_json::json;

use super::*;

fn written(kind: Kind, number: usize, fields: Value) -> Written {
    let Value::Object(fields) = fields else { unreachable!() };
    let place =
        Place { file: "f".into(), line: Some(number), table: format!("[[{}]] {number}", kind.table()) };
    Written { kind, place, fields }
}

fn plan(code: &str, from: &str) -> Value {
    json!({"code": code, "effective_from": from, "currency": "EUR", "interval": "monthly"})
}

#[test]
fn documents_go_in_so_that_none_names_one_that_is_not_there() {
    let mut problems = Problems::default();
    let entries = documents(
        vec![
            written(Kind::Subscription, 1, json!({"id": "s", "customer": "c", "plan": "p"})),
            written(Kind::Plan, 2, plan("p", "2026-02-01T00:00:00Z")),
            written(Kind::Plan, 3, plan("p", "2026-01-01T00:00:00Z")),
            written(Kind::Customer, 4, json!({"id": "c", "name": "C", "currency": "EUR"})),
        ],
        &mut problems,
    );
    assert_eq!(problems.told(), Vec::<String>::new());
    let order: Vec<_> = entries.iter().map(|entry| (entry.place.line.unwrap(), entry.dated)).collect();
    assert_eq!(order, [(3, true), (2, true), (4, true), (1, false)]);
}

#[test]
fn every_problem_of_every_document_is_told() {
    let mut problems = Problems::default();
    let entries = documents(
        vec![
            written(Kind::Plan, 1, json!({"code": "p", "currency": "EURO", "colour": "red"})),
            written(Kind::Customer, 2, json!({"id": "with space", "name": "", "currency": "EUR"})),
            written(
                Kind::Credit,
                3,
                json!({"wallet": "w", "id": "", "source": "granted", "minor": 0,
                "received_at": "2026-01-02T00:00:00Z", "expires_at": "2026-01-01T00:00:00Z"}),
            ),
            written(Kind::Settings, 4, json!({"issuer": {"name": "I", "adress": []}, "terms_days": 400})),
            written(Kind::Wallet, 5, json!({"id": "w", "customer": "c", "currency": "EUR"})),
            written(Kind::Wallet, 6, json!({"id": "w", "customer": "c", "currency": "EUR"})),
            written(
                Kind::Credit,
                7,
                json!({"wallet": "w", "id": "c", "source": "found", "minor": 1,
                "received_at": "soon"}),
            ),
        ],
        &mut problems,
    );
    let all = problems.told().join("\n");
    for part in [
        "f:1: [[plans]] 1 `p`: `currency`: `EURO`",
        "f:1: [[plans]] 1 `p`: `interval` is missing",
        "f:1: [[plans]] 1 `p`: `colour` is no field",
        "f:2: [[customers]] 2 `with space`: an id has 1 to 128",
        "f:2: [[customers]] 2 `with space`: `name`: 1 to 200",
        "f:3: [[credits]] 3 ``: `minor`: 0 is not between",
        "f:3: [[credits]] 3 ``: `id`: 1 to 128",
        "f:3: [[credits]] 3 ``: `expires_at`: it is not after",
        "f:4: [[settings]] 4: `issuer`: `adress` is no field of it; known here: name, address, tax_ids",
        "f:4: [[settings]] 4: `terms_days`: 400 is above 365",
        "f:6: [[wallets]] 6 `w`: is there twice: it is at f:5: [[wallets]] 5 `w` already",
        "f:7: [[credits]] 7 `c`: `source`: unknown variant",
        "f:7: [[credits]] 7 `c`: `received_at`: `soon` is no time",
    ] {
        assert!(all.contains(part), "{part} is not told:\n{all}");
    }
    assert_eq!(problems.told().len(), 13, "{all}");
    assert_eq!(entries.len(), 2);
}

#[test]
fn a_plan_may_be_there_in_versions_but_each_once() {
    let mut problems = Problems::default();
    let versions = [
        plan("p", "2026-01-01T00:00:00Z"),
        plan("p", "2026-02-01T00:00:00Z"),
        plan("p", "2026-01-01T00:00:00Z"),
    ];
    let versions = (1..).zip(versions).map(|(number, plan)| written(Kind::Plan, number, plan)).collect();
    documents(versions, &mut problems);
    assert_eq!(problems.told().len(), 1, "{:?}", problems.told());
}
