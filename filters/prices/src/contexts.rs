//! Prices of a service tier as a row writes them, and made ready: what a row leaves out filled in.

use crate::amount::Amount;
use crate::fields::Fields;
use crate::kind::{KINDS, Kind};
use crate::model_price::{Context, Rate};
use crate::problem::{FieldProblem, PriceListError};
use crate::service_tier::ServiceTier;
use crate::{MAX_LONG, MAX_RATE};

type Cells = [Option<Amount>; KINDS];

/// Prices as written.
pub(crate) struct Written {
    base: Cells,
    /// Ascending, each above so many input tokens.
    long: Vec<(u64, Cells)>,
}

/// Kinds whose standard price is no price of a faster tier.
const NOT_AS_STANDARD: [Kind; 3] = [Kind::AudioInput, Kind::AudioOutput, Kind::Images];

/// Largest threshold believed, in tokens.
const MAX_THRESHOLD: u64 = creto_metering::MAX_COUNT;

fn cells(fields: &mut Fields) -> Result<Cells, PriceListError> {
    let mut cells = [None; KINDS];
    for kind in Kind::ALL {
        cells[kind.index()] = amount(fields, kind.as_str())?;
    }
    Ok(cells)
}

/// Reads one price.
pub(crate) fn amount(fields: &mut Fields, field: &str) -> Result<Option<Amount>, PriceListError> {
    let Some(text) = fields.text(field)? else { return Ok(None) };
    let wrong = |problem| fields.wrong(field, problem);
    let amount: Amount = text.parse().map_err(|error| wrong(FieldProblem::Amount(error)))?;
    if amount < Amount::ZERO {
        return Err(wrong(FieldProblem::Negative));
    }
    if amount > MAX_RATE {
        return Err(wrong(FieldProblem::TooDear));
    }
    Ok(Some(amount))
}

/// Reads the prices among `fields`, and their `long`.
pub(crate) fn read(fields: &mut Fields) -> Result<Written, PriceListError> {
    let base = cells(fields)?;
    if base.iter().all(Option::is_none) {
        return Err(fields.wrong("input", FieldProblem::NoPrice));
    }
    let mut long: Vec<(u64, Cells)> = Vec::new();
    // Where the entry before ends, if it says so.
    let mut ends = None;
    for (number, node) in fields.list("long", MAX_LONG)?.into_iter().enumerate() {
        let place = fields.place.inside(&format!("long[{number}]"));
        let mut entry = Fields::of(node, place, (&fields.place, "long"))?;
        let above = entry
            .count("above", MAX_THRESHOLD)?
            .ok_or_else(|| entry.wrong("above", FieldProblem::Missing))?;
        let from = ends.or(long.last().map(|(above, _)| *above));
        if let Some(ends) = from.filter(|ends| above < *ends) {
            return Err(entry.wrong("above", FieldProblem::Overlap { ends, begins: above }));
        }
        if let Some(ends) = ends.filter(|ends| above > *ends) {
            return Err(entry.wrong("above", FieldProblem::Gap { ends, begins: above }));
        }
        if let Some((before, _)) = long.last().filter(|(before, _)| *before == above) {
            return Err(entry.wrong("above", FieldProblem::Overlap { ends: *before, begins: above }));
        }
        ends = entry.count("up_to", MAX_THRESHOLD)?;
        if let Some(end) = ends.filter(|end| *end <= above) {
            return Err(entry.wrong("up_to", FieldProblem::Overlap { ends: end, begins: above }));
        }
        let prices = cells(&mut entry)?;
        if prices.iter().all(Option::is_none) {
            return Err(entry.wrong("input", FieldProblem::NoPrice));
        }
        entry.finish()?;
        long.push((above, prices));
    }
    match ends {
        Some(end) => Err(fields.wrong("long", FieldProblem::Ends(end))),
        None => Ok(Written { base, long }),
    }
}

impl Written {
    /// Some price of the kind is written, at whatever context.
    pub(crate) fn has(&self, kind: Kind) -> bool {
        let mut all = std::iter::once(&self.base).chain(self.long.iter().map(|(_, cells)| cells));
        all.any(|cells| cells[kind.index()].is_some())
    }
}

fn or(cells: &Cells, fallback: &Cells) -> Cells {
    std::array::from_fn(|at| cells[at].or(fallback[at]))
}

fn dearer(cells: &Cells, others: &Cells) -> Cells {
    std::array::from_fn(|at| cells[at].max(others[at]))
}

/// Every kind's own price, or that of the kind it is billed at.
fn ready(above: u64, cells: Option<&Cells>) -> Context {
    let rates = cells.map(|cells| {
        Kind::ALL.map(|kind| {
            let own = cells[kind.index()].map(|amount| Rate { amount, billed_as: kind });
            own.or_else(|| {
                let other = kind.billed_at()?;
                cells[other.index()].map(|amount| Rate { amount, billed_as: other })
            })
        })
    });
    Context { above, rates }
}

/// The standard tier: a kind that a long entry leaves out keeps the price it has below.
pub(crate) fn standard(written: &Written) -> Box<[Context]> {
    let mut cells = written.base;
    let mut contexts = vec![ready(0, Some(&cells))];
    for (above, own) in &written.long {
        cells = or(own, &cells);
        contexts.push(ready(*above, Some(&cells)));
    }
    contexts.into()
}

/// Another tier, which says only what differs from the standard one: a kind it leaves out has the standard price. A
/// tier without the long entry that the standard one has is not sold there: it has no price, rather than a guess.
///
/// But audio and images that a faster tier leaves out have no price there: those are dearer too, nobody says by how
/// much.
///
/// A kind that the tier prices below a threshold and leaves out above it, where the standard tier has a price, has that
/// price; at a faster tier the dearer of both, for faster is never cheaper.
pub(crate) fn variant(tier: ServiceTier, written: &Written, standard: &Written) -> Box<[Context]> {
    let faster = tier.may_be_served_as_standard();
    let of_standard = |mut cells: Cells| {
        if faster {
            NOT_AS_STANDARD.into_iter().for_each(|kind| cells[kind.index()] = None);
        }
        cells
    };
    let mut cells = or(&written.base, &of_standard(standard.base));
    let mut contexts = vec![ready(0, Some(&cells))];
    let mut thresholds: Vec<u64> =
        written.long.iter().chain(&standard.long).map(|(above, _)| *above).collect();
    thresholds.sort_unstable();
    thresholds.dedup();
    for above in thresholds {
        let at = |long: &[(u64, Cells)]| {
            long.iter().find(|(threshold, _)| *threshold == above).map(|(_, cells)| *cells)
        };
        // What the standard tier changes holds from here on, whether or not this tier is sold here.
        let plain = of_standard(at(&standard.long).unwrap_or_default());
        cells = if faster { dearer(&plain, &cells) } else { or(&plain, &cells) };
        let own = at(&written.long);
        cells = own.map_or(cells, |own| or(&own, &cells));
        contexts.push(ready(above, own.map(|_| &cells)));
    }
    contexts.into()
}
