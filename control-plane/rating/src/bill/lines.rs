//! The fees of a period, line by line.

use std::collections::BTreeMap;

use super::attribute::{Attribution, Shares};
use super::draft::{Line, LineKind, sum_minor};
use crate::charge::{Charge, Measured};
use crate::fee::{FeeTooLarge, main_units};
use crate::subscription::Segment;
use crate::tax::TaxRate;
use crate::usage::{Bucket, BucketKey, BucketLabel, Usage};
use crate::{Currency, Exact, Fee, Quantity, Window};

/// A line under way.
pub(super) struct Rated {
    pub(super) line: Line,
    pub(super) shares: Shares,
    pub(super) tax_rates: Vec<TaxRate>,
}

/// Every fee, by plan in force, charge, price and group. `in_advance` counts towards the last commitment.
pub(super) fn rate(usage: &Usage, in_advance: &[Fee]) -> Result<Vec<Rated>, FeeTooLarge> {
    let mut rated = Vec::new();
    for (place, segment) in usage.segments.iter().enumerate() {
        let first = rated.len();
        let mut charged = Vec::new();
        for (slot_place, slot) in usage.slots.iter().enumerate().filter(|(_, slot)| slot.segment == place) {
            let of_charge = charge_lines(usage, slot_place, usage.charge(slot), segment)?;
            charged.extend(of_charge);
        }
        if let Some(line) = plan_line(usage.currency, segment, &charged)? {
            rated.push(line);
        }
        rated.extend(charged);
        let last = place + 1 == usage.segments.len();
        let paid = if last { in_advance } else { &[] };
        if let Some(line) = commitment_line(usage.currency, segment, &rated[first..], paid)? {
            rated.push(line);
        }
    }
    Ok(rated)
}

/// The buckets a charge is priced in: those that were used, and one for each price that was not, because the flat fee of
/// a first tier is due all the same.
fn buckets_of(usage: &Usage, slot: usize, charge: &Charge) -> BTreeMap<BucketKey, Bucket> {
    let first = BucketKey { slot, price: 0, group: Vec::new() };
    let after = BucketKey { slot: slot + 1, price: 0, group: Vec::new() };
    let mut buckets: BTreeMap<BucketKey, Bucket> =
        usage.buckets.range(first..after).map(|(key, bucket)| (key.clone(), bucket.clone())).collect();
    for price in 0..=charge.filters.len() {
        if !buckets.keys().any(|key| key.price == price) {
            let key = BucketKey { slot, price, group: vec![None; charge.group_by.len()] };
            let unused = usage.unused(&key);
            buckets.insert(key, unused);
        }
    }
    buckets
}

fn charge_lines(
    usage: &Usage,
    slot: usize,
    charge: &Charge,
    segment: &Segment,
) -> Result<Vec<Rated>, FeeTooLarge> {
    let mut rated: Vec<Rated> = Vec::new();
    for (key, bucket) in buckets_of(usage, slot, charge) {
        let filter = (key.price < charge.filters.len()).then_some(key.price);
        let model = charge.model_of(filter);
        let finished = bucket.total.state.finish();
        let measured = if charge.pay_in_advance {
            in_advance(&bucket)
        } else {
            let prorated =
                charge.metric.prorated.then(|| (bucket.total.state.steps(), segment.window.period_days()));
            Measured {
                units: finished.units.or_zero(),
                full_units: finished.full_units.or_zero(),
                events: finished.events,
                carried: bucket.total.amount.exact(),
                values: bucket.total.state.values(),
                prorated,
            }
        };
        let units = measured.units.clone();
        // Nobody pays a first tier's flat fee in advance: it is due with the first use.
        let idle = charge.pay_in_advance && units.is_zero() && !model.prices_events();
        let price = if idle { Exact::zero() } else { model.price(&measured) };
        let fee = Fee::rounded(price, usage.currency)?;
        let unused = finished.events == 0 && units.is_zero();
        if unused && fee.precise.is_zero() {
            continue;
        }
        let label = BucketLabel {
            filter: filter.and_then(|place| charge.filters.get(place)).map(|filter| filter.name.clone()),
            group: key.group,
        };
        let mut line = new_line(LineKind::Usage, segment, fee);
        line.charge = Some(charge.code.clone());
        line.meter = Some(charge.metric.meter.clone());
        line.bucket = label;
        line.unit_price = line.fee.precise.divided_by(&units);
        line.units = units;
        line.events = finished.events;
        let shares = Shares::of_bucket(&bucket, &charge.attribute_by, model.prices_events());
        rated.push(finish(line, shares, segment, Some(charge)));
    }
    if let Some(minimum) = charge.minimum {
        let lines = rated.iter().map(|rated| &rated.line);
        let used = (lines.clone().map(|line| &line.fee.precise).sum(), lines.map(|line| line.fee.minor));
        if let Some(fee) = missing(minimum, &segment.window, usage.currency, used)? {
            let mut line = new_line(LineKind::Minimum, segment, fee);
            line.charge = Some(charge.code.clone());
            line.meter = Some(charge.metric.meter.clone());
            let shares = Shares::like(&rated.iter().map(|rated| &rated.line));
            rated.push(finish(line, shares, segment, Some(charge)));
        }
    }
    Ok(rated)
}

/// What is paid for in advance: what there was more of than before, event by event.
fn in_advance(bucket: &Bucket) -> Measured {
    let growth = bucket.total.state.growth();
    Measured {
        full_units: growth.units.clone(),
        units: growth.units,
        events: growth.events,
        carried: bucket.total.amount.exact(),
        values: growth.values,
        prorated: None,
    }
}

fn plan_line(currency: Currency, segment: &Segment, charged: &[Rated]) -> Result<Option<Rated>, FeeTooLarge> {
    if segment.plan.amount.is_zero() {
        return Ok(None);
    }
    let fee = Fee::rounded(prorated(segment.plan.amount, &segment.window), currency)?;
    let shares = Shares::like(&charged.iter().map(|rated| &rated.line));
    Ok(Some(finish(new_line(LineKind::Subscription, segment, fee), shares, segment, None)))
}

fn commitment_line(
    currency: Currency,
    segment: &Segment,
    rated: &[Rated],
    in_advance: &[Fee],
) -> Result<Option<Rated>, FeeTooLarge> {
    let Some(commitment) = segment.plan.commitment else {
        return Ok(None);
    };
    let fees = rated.iter().map(|rated| &rated.line.fee).chain(in_advance);
    let used = (fees.clone().map(|fee| &fee.precise).sum(), fees.map(|fee| fee.minor));
    let Some(fee) = missing(commitment, &segment.window, currency, used)? else {
        return Ok(None);
    };
    let usage = rated.iter().map(|rated| &rated.line).filter(|line| line.kind != LineKind::Subscription);
    let shares = Shares::like(&usage);
    Ok(Some(finish(new_line(LineKind::Commitment, segment, fee), shares, segment, None)))
}

/// An amount of a whole period, for the days of a part of it.
fn prorated(amount: Quantity, window: &Window) -> Exact {
    let days = Exact::from(amount) * Exact::from(window.days());
    days.divided_by(&Exact::from(window.period_days())).unwrap_or_default()
}

/// What is missing to a least amount, prorated. Minor units are taken from the rounded amount, so that what is asked for
/// comes to it exactly.
fn missing(
    least: Quantity,
    window: &Window,
    currency: Currency,
    (used, used_minor): (Exact, impl Iterator<Item = i64>),
) -> Result<Option<Fee>, FeeTooLarge> {
    let least = Fee::rounded(prorated(least, window), currency)?;
    let used_minor = sum_minor(used_minor, currency)?;
    let minor = least.minor.saturating_sub(used_minor).max(0);
    let precise = (least.precise - used).or_zero();
    if minor == 0 && precise < main_units(1, currency) {
        return Ok(None);
    }
    Ok(Some(Fee { precise, minor, currency }))
}

fn new_line(kind: LineKind, segment: &Segment, fee: Fee) -> Line {
    Line {
        kind,
        plan: segment.plan.code.clone(),
        charge: None,
        meter: None,
        bucket: BucketLabel::default(),
        from: segment.window.from(),
        to: segment.window.to(),
        units: Exact::zero(),
        events: 0,
        unit_price: None,
        net_minor: fee.minor,
        total_minor: fee.minor,
        due_minor: fee.minor,
        fee,
        reductions: Vec::new(),
        taxes: Vec::new(),
        attribution: Attribution::default(),
    }
}

fn finish(mut line: Line, shares: Shares, segment: &Segment, charge: Option<&Charge>) -> Rated {
    line.attribution = shares.attribute(line.fee.minor, line.fee.minor);
    let tax_rates =
        charge.and_then(|charge| charge.taxes.clone()).unwrap_or_else(|| segment.plan.taxes.clone());
    Rated { line, shares, tax_rates }
}
