use creto_billing::{Amounts, InvoiceKind, LateCredit, LineFacts, RatedLine, TaxAmount};
use creto_rating::{Exact, LineKind, Moment, Zone};

use super::*;

fn at(micros: i64) -> Moment {
    Moment::from_micros(micros).unwrap()
}

fn line(kind: LineKind, fee: i64, off: i64, agents: &[(&str, i64)]) -> RatedLine {
    let facts = LineFacts {
        kind,
        plan: "team".into(),
        charge: Some("tokens".into()),
        meter: None,
        filter: None,
        group: Vec::new(),
        from: at(0),
        to: at(1),
        period_from: at(0),
    };
    let tax = (fee - off) * 19 / 100;
    let part = |(name, fee_minor): &(&str, i64)| Part {
        name: Some((*name).to_owned()),
        fee_minor: *fee_minor,
        total_minor: *fee_minor,
    };
    let amounts = Amounts {
        units: Exact::from(4),
        events: 2,
        precise: Exact::from(1),
        fee_minor: fee,
        reductions: [("welcome".to_owned(), off)].into(),
        net_minor: fee - off,
        taxes: vec![TaxAmount { code: "vat".into(), percent: "19".parse().unwrap(), minor: tax }],
        total_minor: fee - off + tax,
        attribution: Attribution { agents: agents.iter().map(part).collect(), dimensions: BTreeMap::new() },
    };
    RatedLine { facts, amounts }
}

fn draft() -> Draft {
    let late = line(LineKind::Usage, 200, 0, &[]);
    Draft {
        subscription: "s".into(),
        customer: "acme".into(),
        kind: InvoiceKind::Period,
        period: Period::new(at(0), at(1), Zone::named("UTC").unwrap()).unwrap(),
        currency: Currency::EUR,
        bookings_revision: 0,
        lines: vec![
            line(LineKind::Subscription, 2_000, 100, &[]),
            line(LineKind::Usage, 1_000, 0, &[("ann", 700), ("bob", 300)]),
        ],
        credits: vec![LateCredit { facts: late.facts, amounts: late.amounts }],
    }
}

#[test]
fn a_draft_adds_up_in_lines_sums_and_agents() {
    let paper = Paper::of_draft(&draft());
    assert_eq!(
        (paper.fee_minor, paper.reductions_minor, paper.total_minor),
        (3_000, 100, 1_900 + 361 + 1_190)
    );
    assert_eq!(paper.taxes.iter().map(|tax| tax.minor).sum::<i64>(), 361 + 190);
    assert_eq!(paper.agents.iter().map(|part| part.fee_minor).sum::<i64>(), paper.fee_minor);
    let text = paper.text();
    for part in [
        "LINE       UNITS  EVENTS  UNIT PRICE  FEE    LESS  TAX   TOTAL",
        "Plan team  4      2       0.25        20.00  1.00  3.61  22.61",
        "Less                                 -1.00",
        "Tax vat 19%                          5.51",
        "Total                                34.51 EUR",
        "Given back by credit note: tokens  2.38",
        "ann     7.00   7.00",
        "(none)  20.00  22.61",
    ] {
        let flat = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(flat(&text).contains(&flat(part)), "{part} is not in\n{text}");
    }
    assert!(!text.contains("Due"), "nothing is due of a draft:\n{text}");
}

#[test]
fn programs_get_digits_and_never_floats() {
    let value = Paper::of_draft(&draft()).value();
    assert_eq!((&value["total"], &value["total_minor"]), (&"34.51".into(), &3_451.into()));
    assert_eq!(value["lines"][1]["agents"][0], json!({"name": "ann", "fee": "7.00", "total": "7.00"}));
    assert_eq!(value["agents"][0]["name"], Value::Null);
    fn has_float(value: &Value) -> bool {
        match value {
            Value::Number(number) => number.is_f64(),
            Value::Array(items) => items.iter().any(has_float),
            Value::Object(fields) => fields.values().any(has_float),
            _ => false,
        }
    }
    assert!(!has_float(&value));
}
