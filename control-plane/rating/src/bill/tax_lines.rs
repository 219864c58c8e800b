//! Taxes: worked out on precise amounts, rounded once for the invoice, and told line by line.

use std::collections::BTreeMap;

use super::draft::{LineTax, TaxTotal, sum_minor};
use super::lines::Rated;
use crate::fee::{Fee, FeeTooLarge, main_units};
use crate::share::apportion;
use crate::usage::Usage;
use crate::{Exact, Quantity};

/// Adds taxes to lines; returns what each tax comes to.
///
/// The base is the precise fee less reductions: taxes on rounded fees are off by a cent here and there. A line that is
/// reduced to nothing has no tax.
pub(super) fn apply(rated: &mut [Rated], usage: &Usage) -> Result<Vec<TaxTotal>, FeeTooLarge> {
    let currency = usage.currency;
    let mut codes: BTreeMap<(String, Quantity), Vec<(usize, Exact)>> = BTreeMap::new();
    for (place, Rated { line, tax_rates, .. }) in rated.iter().enumerate() {
        let off = sum_minor(line.reductions.iter().map(|reduction| reduction.minor), currency)?;
        let free = off > 0 && line.net_minor == 0;
        let base =
            if free { Exact::zero() } else { (&line.fee.precise - &main_units(off, currency)).or_zero() };
        for tax in tax_rates {
            let amount = &base * &Exact::from(tax.percent).percent();
            codes.entry((tax.code.clone(), tax.percent)).or_default().push((place, amount));
        }
    }
    let mut totals = Vec::new();
    for ((code, percent), amounts) in codes {
        let weights: Vec<Exact> = amounts.iter().map(|(_, amount)| amount.clone()).collect();
        let whole = Fee::rounded(weights.iter().sum(), currency)?;
        let parts = apportion(whole.minor, &weights).unwrap_or_else(|| vec![0; weights.len()]);
        for ((place, precise), minor) in amounts.into_iter().zip(parts) {
            let line = &mut rated[place].line;
            line.total_minor = sum_minor([line.total_minor, minor].into_iter(), currency)?;
            line.taxes.push(LineTax { code: code.clone(), precise, minor });
        }
        totals.push(TaxTotal { code, percent, precise: whole.precise, minor: whole.minor });
    }
    Ok(totals)
}
