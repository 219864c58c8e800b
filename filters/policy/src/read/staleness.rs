//! Reading `[staleness]`.

use std::time::Duration;

use toml::{Spanned, de::DeValue};

use super::{
    shorten,
    values::{Table, string},
};
use crate::{
    RiskClass, Staleness,
    problem::Collector,
    staleness::{Limit, Limits},
};

const HELP: &str =
    "write a number and s, m, h or d, as in `\"90s\"` or `\"8h\"`, from 1s to 365d, or `\"never\"`";

pub(super) fn staleness(value: &Spanned<DeValue<'_>>, findings: &mut Collector<'_>) -> Limits {
    let Some(inner) = value.get_ref().as_table() else {
        findings.add_help(
            value.span(),
            "`staleness` is a table",
            "write `[staleness]`, then `spend = \"1h\"`",
        );
        return Limits::default();
    };
    let keys = RiskClass::ALL.map(RiskClass::as_str);
    let table = Table::open(inner, value.span(), "[staleness]", &keys, findings);
    keys.map(|key| table.get(key).and_then(|value| limit(value, key, findings)))
}

fn limit(value: &Spanned<DeValue<'_>>, key: &str, findings: &mut Collector<'_>) -> Option<Limit> {
    let written = string(value, key, findings)?;
    if written == "never" {
        return Some(Limit::Never);
    }
    match time(written) {
        Some(time) if (Staleness::SHORTEST..=Staleness::LONGEST).contains(&time) => Some(Limit::After(time)),
        Some(_) => {
            findings.add_help(
                value.span(),
                format!("`{}` is not from 1 second to 365 days", shorten(written)),
                HELP,
            );
            None
        }
        None => {
            findings.add_help(value.span(), format!("`{}` is no length of time", shorten(written)), HELP);
            None
        }
    }
}

/// A whole number and its unit; beyond what fits it is the longest there is.
pub(super) fn time(written: &str) -> Option<Duration> {
    let (digits, unit) = written.split_at_checked(written.len().checked_sub(1)?)?;
    let unit: u64 = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => return None,
    };
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let count: u64 = digits.parse().unwrap_or(u64::MAX);
    Some(Duration::from_secs(count.saturating_mul(unit)))
}
