//! The catalogue: plans as people write them, in versions that are never edited.

use std::collections::BTreeSet;
use std::fmt;

use creto_rating::{Charge, Currency, Interval, MAX_CHARGES, Moment, Plan, Quantity, TaxRate};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::document::Fields;

/// Bytes a plan document may have.
pub const MAX_PLAN_BYTES: usize = 1 << 20;
/// Problems of one plan that are told.
pub const MAX_PROBLEMS: usize = 100;
/// Bytes the code of a plan may have.
pub const MAX_CODE_BYTES: usize = 64;

/// A plan and when it takes effect.
///
/// Written in TOML or JSON as the fields of a [`Plan`] and `effective_from`, an RFC 3339 time. Numbers with decimals stand
/// in quotes, so that no digit is lost.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanDocument {
    /// When subscriptions may first start on it or change to it.
    pub effective_from: Moment,
    /// The plan.
    pub plan: Plan,
}

/// A version of a plan in the catalogue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanVersion {
    /// Its number, from 1; one more for each version.
    pub version: u32,
    /// What was published.
    pub document: PlanDocument,
}

/// Everything that is wrong with a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanProblems {
    /// The plan, when its code could be read.
    pub code: String,
    /// Each problem.
    pub problems: Vec<String>,
}

impl fmt::Display for PlanProblems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "plan `{}` is refused:", self.code)?;
        self.problems.iter().try_for_each(|problem| write!(f, "\n  {problem}"))
    }
}

impl std::error::Error for PlanProblems {}

impl PlanDocument {
    /// Reads TOML.
    ///
    /// # Errors
    /// [`PlanProblems`], all of them.
    pub fn from_toml(text: &str) -> Result<Self, PlanProblems> {
        sized(text)?;
        let table = toml::from_str(text).map_err(|error| unreadable(error.to_string()))?;
        Self::from_fields(table)
    }

    /// Reads JSON.
    ///
    /// # Errors
    /// [`PlanProblems`], all of them.
    pub fn from_json(text: &str) -> Result<Self, PlanProblems> {
        sized(text)?;
        let table = serde_json::from_str(text).map_err(|error| unreadable(error.to_string()))?;
        Self::from_fields(table)
    }

    /// Checks a plan that was made in a program.
    ///
    /// # Errors
    /// [`PlanProblems`], all of them.
    pub fn checked(self) -> Result<Self, PlanProblems> {
        let mut problems = Vec::new();
        check(&self.plan, &mut problems);
        if problems.is_empty() { Ok(self) } else { Err(told(self.plan.code, problems)) }
    }

    fn from_fields(table: Map<String, Value>) -> Result<Self, PlanProblems> {
        let mut fields = Fields::of(table);
        let code = fields.required::<String>("code").unwrap_or_default();
        let effective_from = fields.required_moment("effective_from");
        let currency = fields.required::<Currency>("currency");
        let interval = fields.required::<Interval>("interval");
        let amount = fields.optional::<Quantity>("amount").unwrap_or_default();
        let pay_in_advance = fields.optional::<bool>("pay_in_advance").unwrap_or_default();
        let commitment = fields.optional::<Quantity>("commitment");
        let taxes = fields.optional::<Vec<TaxRate>>("taxes").unwrap_or_default();
        let charges = charges(&mut fields);
        let mut problems = fields.end("a plan");
        let plan = Plan {
            code: code.clone(),
            // Checked with a currency of our own where it has none: the rest of its problems are told all the same.
            currency: currency.unwrap_or(Currency::USD),
            interval: interval.unwrap_or(Interval::Monthly),
            amount,
            pay_in_advance,
            commitment,
            charges,
            taxes,
        };
        check(&plan, &mut problems);
        match (effective_from, problems.is_empty()) {
            (Some(effective_from), true) => Ok(Self { effective_from, plan }),
            _ => Err(told(code, problems)),
        }
    }
}

fn sized(text: &str) -> Result<(), PlanProblems> {
    if text.len() > MAX_PLAN_BYTES {
        return Err(unreadable(format!("{} bytes are too many: at most {MAX_PLAN_BYTES}", text.len())));
    }
    Ok(())
}

fn unreadable(problem: String) -> PlanProblems {
    PlanProblems { code: String::new(), problems: vec![problem] }
}

fn told(code: String, mut problems: Vec<String>) -> PlanProblems {
    if problems.len() > MAX_PROBLEMS {
        let more = problems.len() - MAX_PROBLEMS;
        problems.truncate(MAX_PROBLEMS);
        problems.push(format!("and {more} more"));
    }
    PlanProblems { code, problems }
}

fn charges(fields: &mut Fields) -> Vec<Charge> {
    let written: Vec<Value> = fields.optional("charges").unwrap_or_default();
    let mut charges = Vec::new();
    for (place, value) in written.into_iter().enumerate() {
        let code = value.get("code").and_then(Value::as_str).map(str::to_owned);
        match serde_json::from_value(value) {
            Ok(charge) => charges.push(charge),
            Err(error) => {
                let named = code.map_or_else(String::new, |code| format!(" (`{code}`)"));
                fields.problem(format!("charge {}{named}: {error}", place + 1));
            }
        }
    }
    charges
}

/// Every problem of a plan: the plan alone, then each part of each charge for itself, then what only shows together.
fn check(plan: &Plan, problems: &mut Vec<String>) {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_.".contains(&byte);
    if plan.code.is_empty() || plan.code.len() > MAX_CODE_BYTES || !plan.code.bytes().all(plain) {
        add(problems, format!("`code`: `{}` must be 1 to {MAX_CODE_BYTES} of a-z 0-9 - _ .", plan.code));
    }
    if plan.charges.len() > MAX_CHARGES {
        add(problems, format!("{} charges; at most {MAX_CHARGES}", plan.charges.len()));
        return;
    }
    for (name, value) in [("amount", Some(plan.amount)), ("commitment", plan.commitment)] {
        if let Some(value) = value.filter(|value| value.is_negative()) {
            add(problems, format!("`{name}`: {value} is below zero"));
        }
    }
    let bare = Plan {
        charges: Vec::new(),
        taxes: Vec::new(),
        amount: Quantity::ZERO,
        commitment: None,
        ..plan.clone()
    };
    let try_plan = |problems: &mut Vec<String>, plan: &Plan| {
        if let Err(error) = plan.validate() {
            let text = error.to_string();
            let owner = format!("plan `{}`", plan.code);
            let rest = text.strip_prefix(&owner).map(|rest| rest.trim_start_matches([',', ':', ' ']));
            add(problems, rest.unwrap_or(&text).to_owned());
        }
    };
    try_plan(problems, &Plan { taxes: plan.taxes.clone(), ..bare.clone() });
    let mut codes = BTreeSet::new();
    for charge in &plan.charges {
        let one = |charge: Charge| Plan { charges: vec![charge], ..bare.clone() };
        for part in parts(charge) {
            try_plan(problems, &one(part));
        }
        if !codes.insert(&charge.code) {
            try_plan(
                problems,
                &Plan { charges: vec![plain_charge(charge), plain_charge(charge)], ..bare.clone() },
            );
        }
    }
    // One code, one rate, over all charges.
    let taxed = plan.charges.iter().enumerate().map(|(place, charge)| Charge {
        code: place.to_string(),
        taxes: charge.taxes.clone(),
        ..plain_charge(charge)
    });
    try_plan(problems, &Plan { taxes: plan.taxes.clone(), charges: taxed.collect(), ..bare });
    if problems.is_empty()
        && let Err(error) = plan.validate()
    {
        problems.push(error.to_string());
    }
}

fn add(problems: &mut Vec<String>, problem: String) {
    if !problems.contains(&problem) {
        problems.push(problem);
    }
}

fn plain_charge(charge: &Charge) -> Charge {
    let counted = creto_rating::Metric::new(&charge.metric.meter, creto_rating::Aggregation::Count);
    Charge::new(&charge.code, counted, creto_rating::Model::Standard { rate: Quantity::ZERO })
}

/// The charge in parts that each have one thing to be wrong.
fn parts(charge: &Charge) -> Vec<Charge> {
    let bare = Charge {
        filters: Vec::new(),
        group_by: Vec::new(),
        attribute_by: Vec::new(),
        pay_in_advance: false,
        minimum: None,
        taxes: None,
        ..charge.clone()
    };
    // A price that suits any metric, so that the metric alone is looked at.
    let free = Charge { model: plain_charge(charge).model, ..bare.clone() };
    let plain = creto_rating::Metric::new(&charge.metric.meter, charge.metric.aggregation.clone());
    let mut parts = vec![free.clone(), Charge { metric: plain, ..bare.clone() }, bare];
    parts
        .extend(charge.filters.iter().map(|filter| Charge { filters: vec![filter.clone()], ..free.clone() }));
    parts.push(Charge { filters: charge.filters.clone(), ..free.clone() });
    parts.push(Charge { group_by: charge.group_by.clone(), ..free.clone() });
    parts.push(Charge { attribute_by: charge.attribute_by.clone(), ..free.clone() });
    parts.push(Charge { minimum: charge.minimum, ..free.clone() });
    parts.push(Charge { taxes: charge.taxes.clone(), ..free });
    parts.push(charge.clone());
    parts
}
