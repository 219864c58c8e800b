//! Rows of a price list, from TOML or JSON.

use jiff::{Timestamp, civil::Date, tz::TimeZone};

use crate::amount::{Amount, DECIMALS};
use crate::contexts::{self, Written};
use crate::currency::Currency;
use crate::fields::{Fields, Place, text_of};
use crate::kind::Kind;
use crate::model_name;
use crate::model_price::ModelPrice;
use crate::node::Node;
use crate::price_list::{Format, Source};
use crate::problem::{FieldProblem, PriceListError};
use crate::service_tier::ServiceTier;
use crate::{MAX_ALIASES, MAX_LIST_BYTES, MAX_NAME_BYTES, MAX_ROWS, MAX_UPLIFT};

/// A list as read.
pub(crate) struct Book {
    pub(crate) source: Option<Source>,
    /// Rows and where they stood.
    pub(crate) rows: Vec<(ModelPrice, Place)>,
}

/// What rows take from the list when they do not say it.
struct Defaults {
    provider: Option<String>,
    currency: Option<Currency>,
}

/// Reads a list.
pub(crate) fn book(text: &str, format: Format) -> Result<Book, PriceListError> {
    if text.len() > MAX_LIST_BYTES {
        return Err(PriceListError::TooLong(text.len()));
    }
    let node: Node = match format {
        Format::Json => {
            serde_json::from_str(text).map_err(|error| PriceListError::Syntax(error.to_string()))?
        }
        Format::Toml => toml::from_str(text).map_err(|error| PriceListError::Syntax(error.to_string()))?,
    };
    let top = Place { row: None, within: String::new() };
    let mut fields = Fields::of(node, top.clone(), (&top, "rows"))?;
    match fields.take("version") {
        Some(Node::Integer(1)) => {}
        Some(_) => return Err(fields.wrong("version", FieldProblem::Version)),
        None => return Err(fields.wrong("version", FieldProblem::Missing)),
    }
    let defaults = Defaults { provider: name(&mut fields, "provider")?, currency: currency(&mut fields)? };
    let source = source(&mut fields)?;
    let nodes = fields.list("rows", usize::MAX)?;
    if nodes.len() > MAX_ROWS {
        return Err(PriceListError::TooManyRows);
    }
    let mut rows: Vec<(ModelPrice, Place)> = Vec::with_capacity(nodes.len());
    for (at, node) in nodes.into_iter().enumerate() {
        let number = at + 1;
        let place = Place { row: Some(number.to_string()), within: String::new() };
        let made = row(Fields::of(node, place, (&top, &format!("rows[{at}]")))?, number, &defaults)?;
        if let Some((first, _)) = rows.first()
            && first.currency != made.0.currency
        {
            let problem = FieldProblem::MixedCurrencies { expected: first.currency, found: made.0.currency };
            return Err(made.1.wrong("currency", problem));
        }
        rows.push(made);
    }
    fields.finish()?;
    Ok(Book { source, rows })
}

fn source(fields: &mut Fields) -> Result<Option<Source>, PriceListError> {
    let Some(node) = fields.take("source") else { return Ok(None) };
    let mut source = Fields::of(node, fields.place.inside("source"), (&fields.place, "source"))?;
    let read = Source {
        package: source.required_text("package")?,
        version: source.required_text("version")?,
        date: source.required_text("date")?,
    };
    source.finish()?;
    Ok(Some(read))
}

fn row(
    mut fields: Fields,
    number: usize,
    defaults: &Defaults,
) -> Result<(ModelPrice, Place), PriceListError> {
    let id = required(&mut fields, "id")?;
    fields.place.row = Some(format!("{number} (`{id}`)"));
    let provider = match name(&mut fields, "provider")?.or_else(|| defaults.provider.clone()) {
        Some(provider) => provider,
        None => return Err(fields.wrong("provider", FieldProblem::Missing)),
    };
    let model = required(&mut fields, "model")?;
    if model.contains('*') {
        return Err(fields.wrong("model", FieldProblem::Star));
    }
    let currency = match currency(&mut fields)?.or(defaults.currency) {
        Some(currency) => currency,
        None => return Err(fields.wrong("currency", FieldProblem::Missing)),
    };
    let from_ms = time(&mut fields, "effective_from")?;
    let to_ms = time(&mut fields, "effective_to")?;
    if to_ms.is_some_and(|to| to <= from_ms.unwrap_or(i64::MIN)) {
        return Err(fields.wrong("effective_to", FieldProblem::EndBeforeStart));
    }
    let aliases = aliases(&mut fields)?;
    let context_window = fields.count("context_window", creto_metering::MAX_COUNT)?;
    let max_output = fields.count("max_output", creto_metering::MAX_COUNT)?;
    let uplift = uplift(&mut fields)?;
    let dearest_tool_call = contexts::amount(&mut fields, "dearest_tool_call")?;
    let (tiers, standard) = tiers(&mut fields)?;
    if dearest_tool_call.is_some() && !standard.has(Kind::ServerToolCalls) {
        return Err(fields.wrong("dearest_tool_call", FieldProblem::ToolCall));
    }
    let place = fields.place.clone();
    fields.finish()?;
    let row = ModelPrice {
        id: id.into(),
        // Lookups know the same spellings.
        provider: model_name::provider(&provider).into(),
        model: model.into(),
        aliases,
        currency,
        from_ms: from_ms.unwrap_or(i64::MIN),
        to_ms: to_ms.unwrap_or(i64::MAX),
        context_window,
        max_output,
        uplift,
        dearest_tool_call,
        tiers,
    };
    Ok((row, place))
}

/// What the dearest way of serving multiplies prices by; one if the row does not say.
fn uplift(fields: &mut Fields) -> Result<Amount, PriceListError> {
    const NONE: Amount = Amount::from_count(10_i128.pow(DECIMALS));
    match contexts::amount(fields, "uplift")? {
        None => Ok(NONE),
        Some(uplift) if (NONE..=MAX_UPLIFT).contains(&uplift) => Ok(uplift),
        Some(_) => Err(fields.wrong("uplift", FieldProblem::Uplift)),
    }
}

type Tiers = [Option<Box<[crate::model_price::Context]>>; ServiceTier::ALL.len()];

/// The prices at every tier, and the standard ones as written.
fn tiers(fields: &mut Fields) -> Result<(Tiers, Written), PriceListError> {
    let plain = contexts::read(fields)?;
    let mut tiers = Tiers::default();
    for tier in ServiceTier::ALL {
        tiers[tier.index()] = if tier == ServiceTier::Standard {
            Some(contexts::standard(&plain))
        } else if let Some(node) = fields.take(tier.as_str()) {
            let place = fields.place.inside(tier.as_str());
            let mut own = Fields::of(node, place, (&fields.place, tier.as_str()))?;
            let written = contexts::read(&mut own)?;
            own.finish()?;
            Some(contexts::variant(tier, &written, &plain))
        } else {
            None
        };
    }
    Ok((tiers, plain))
}

fn aliases(fields: &mut Fields) -> Result<Box<[Box<str>]>, PriceListError> {
    let mut aliases = Vec::new();
    for (number, node) in fields.list("aliases", MAX_ALIASES)?.into_iter().enumerate() {
        let field = format!("aliases[{number}]");
        let alias = text_of(node, &fields.place, &field)?;
        let checked = checked_name(&alias).ok_or_else(|| fields.wrong(&field, FieldProblem::Name))?;
        let literal = checked.strip_suffix('*').unwrap_or(&checked);
        let ends_a_part = literal.ends_with(['-', ':', '/', '@', '.', '_']) && literal.len() > 1;
        if literal.contains('*') || (literal.len() < checked.len() && !ends_a_part) {
            return Err(fields.wrong(&field, FieldProblem::Star));
        }
        aliases.push(checked.into());
    }
    Ok(aliases.into())
}

/// The name in lower case, if it is one.
fn checked_name(text: &str) -> Option<String> {
    let printable = text.bytes().all(|byte| byte.is_ascii_graphic());
    (printable && (1..=MAX_NAME_BYTES).contains(&text.len())).then(|| text.to_ascii_lowercase())
}

fn name(fields: &mut Fields, field: &str) -> Result<Option<String>, PriceListError> {
    let Some(text) = fields.text(field)? else { return Ok(None) };
    checked_name(&text).map(Some).ok_or_else(|| fields.wrong(field, FieldProblem::Name))
}

fn required(fields: &mut Fields, field: &str) -> Result<String, PriceListError> {
    name(fields, field)?.ok_or_else(|| fields.wrong(field, FieldProblem::Missing))
}

fn currency(fields: &mut Fields) -> Result<Option<Currency>, PriceListError> {
    let Some(code) = fields.text("currency")? else { return Ok(None) };
    code.parse().map(Some).map_err(|error| fields.wrong("currency", FieldProblem::Currency(error)))
}

/// Milliseconds since 1970 of a date or a time.
fn time(fields: &mut Fields, field: &str) -> Result<Option<i64>, PriceListError> {
    /// Length of `2026-01-31`.
    const DATE: usize = 10;
    let Some(text) = fields.text(field)? else { return Ok(None) };
    let parsed = if text.len() == DATE {
        text.parse::<Date>().and_then(|date| date.to_zoned(TimeZone::UTC)).map(|start| start.timestamp())
    } else {
        text.parse::<Timestamp>()
    };
    parsed.map(|time| Some(time.as_millisecond())).map_err(|_| fields.wrong(field, FieldProblem::Date))
}
