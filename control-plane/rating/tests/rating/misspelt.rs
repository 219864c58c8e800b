//! Configuration that is misspelt or contradicts itself is refused: a price is never 0 by accident.

use creto_rating::{
    Aggregation, Charge, CouponAmount, Metric, Model, ModelError, PlanError, Rounding, RoundingFunction,
    TaxRate,
};
use serde_json::json;

use crate::speech::{charge, plan, q, standard, tiers};

#[test]
fn a_model_with_a_field_it_does_not_know_is_refused() {
    let models = [
        json!({"type": "standard", "rate": "1"}),
        json!({"type": "graduated", "tiers": [{"from": "0", "rate": "1"}]}),
        json!({"type": "graduated_percentage", "tiers": [{"from": "0", "rate": "1"}]}),
        json!({"type": "package", "size": "10", "price": "1"}),
        json!({"type": "percentage", "rate": "1"}),
        json!({"type": "volume", "tiers": [{"from": "0", "rate": "1"}]}),
        json!({"type": "dynamic", "amount_field": "price"}),
        json!({"type": "custom", "amount": "n * 2"}),
    ];
    for model in models {
        assert!(serde_json::from_value::<Model>(model.clone()).is_ok(), "{model}");
        let mut misspelt = model;
        misspelt["fre"] = json!("100");
        let refused = serde_json::from_value::<Model>(misspelt.clone()).unwrap_err().to_string();
        assert!(refused.contains("unknown field `fre`"), "{misspelt}: {refused}");
    }
}

#[test]
fn a_tier_without_a_rate_is_refused_and_not_free() {
    let without = json!({"type": "graduated", "tiers": [{"from": "0", "flat": "1"}]});
    let refused = serde_json::from_value::<Model>(without).unwrap_err().to_string();
    assert!(refused.contains("missing field `rate`"), "{refused}");
}

#[test]
fn a_coupon_with_a_field_it_does_not_know_is_refused() {
    let fixed = json!({"fixed": {"minor": 100, "currency": "USD", "percent": "5"}});
    assert!(serde_json::from_value::<CouponAmount>(fixed).unwrap_err().to_string().contains("unknown field"));
}

#[test]
fn rounding_that_a_prorated_graduated_price_would_ignore_is_refused() {
    let rounding = Some(Rounding { function: RoundingFunction::Ceil, precision: 0 });
    let aggregation = Aggregation::Sum { field: "n".into() };
    let metric = Metric { recurring: true, prorated: true, rounding, ..Metric::new("calls", aggregation) };
    let graduated = Model::Graduated { tiers: tiers(&[("0", "inf", "1", "0")]) };
    assert_eq!(graduated.validate(&metric), Err(ModelError::NotRounded));
    assert!(Charge::new("seats", metric.clone(), graduated.clone()).validate().is_err());
    assert_eq!(standard("1").validate(&metric), Ok(()));
    assert_eq!(graduated.validate(&Metric { rounding: None, ..metric.clone() }), Ok(()));
    assert_eq!(graduated.validate(&Metric { prorated: false, ..metric }), Ok(()));
}

#[test]
fn a_tax_listed_twice_is_refused_and_not_charged_twice() {
    let vat = || TaxRate { code: "vat".into(), percent: q("20") };
    let twice = Err(PlanError::TaxTwice { plan: "team".into(), tax: "vat".into() });
    let mut team = plan(vec![charge("calls", Aggregation::Count, standard("1"))]);
    team.taxes = vec![vat(), vat()];
    assert_eq!(team.validate(), twice);
    team.taxes = vec![vat()];
    team.charges[0].taxes = Some(vec![vat()]);
    assert_eq!(team.validate(), Ok(()));
    team.charges[0].taxes = Some(vec![vat(), vat()]);
    assert_eq!(team.validate(), twice);
}
