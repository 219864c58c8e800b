//! Words the tests speak in.

use creto_rating::{
    Aggregation, Charge, Currency, Exact, Interval, Measured, Metric, Model, Moment, Order, Period, Plan,
    Quantity, Subscription, Tier, UsageEvent, Value, Zone,
};

pub(crate) const HOUR: i64 = 3_600_000_000;
pub(crate) const DAY: i64 = 24 * HOUR;

pub(crate) fn q(text: &str) -> Quantity {
    text.parse().unwrap()
}

pub(crate) fn exact(text: &str) -> Exact {
    text.parse().unwrap()
}

pub(crate) fn at(text: &str) -> Moment {
    Moment::try_from(text.parse::<jiff::Timestamp>().unwrap()).unwrap()
}

pub(crate) fn later(moment: Moment, micros: i64) -> Moment {
    Moment::from_micros(moment.micros() + micros).unwrap()
}

/// August 2022 in UTC: 31 days.
pub(crate) fn august() -> Period {
    Interval::Monthly.period_at(at("2022-08-15T00:00:00Z"), &Zone::utc()).unwrap()
}

pub(crate) fn tiers(list: &[(&str, &str, &str, &str)]) -> Vec<Tier> {
    let tier = |(from, to, rate, flat): &(&str, &str, &str, &str)| Tier {
        from: q(from),
        to: (*to != "inf").then(|| q(to)),
        rate: q(rate),
        flat: q(flat),
    };
    list.iter().map(tier).collect()
}

pub(crate) fn price(model: &Model, units: &str) -> String {
    model.price(&Measured::units(exact(units))).to_string()
}

pub(crate) fn sum(field: &str) -> Aggregation {
    Aggregation::Sum { field: field.to_owned() }
}

pub(crate) fn number(text: &str) -> Value {
    Value::Number(q(text))
}

pub(crate) fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

pub(crate) fn event(sequence: u64, at: Moment, properties: &[(&str, Value)]) -> UsageEvent {
    UsageEvent {
        id: format!("event-{sequence}"),
        meter: "calls".to_owned(),
        order: Order { at, sequence },
        agent: "researcher".to_owned(),
        properties: properties.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect(),
    }
}

pub(crate) fn standard(rate: &str) -> Model {
    Model::Standard { rate: q(rate) }
}

pub(crate) fn charge(code: &str, aggregation: Aggregation, model: Model) -> Charge {
    Charge::new(code, Metric::new("calls", aggregation), model)
}

pub(crate) fn plan(charges: Vec<Charge>) -> Plan {
    Plan {
        code: "team".to_owned(),
        currency: Currency::USD,
        interval: Interval::Monthly,
        amount: Quantity::ZERO,
        pay_in_advance: false,
        commitment: None,
        charges,
        taxes: Vec::new(),
    }
}

pub(crate) fn subscribed(plan: Plan) -> Subscription {
    Subscription::new("sub-1", "acme", at("2022-01-01T00:00:00Z"), plan)
}
