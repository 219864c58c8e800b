//! Adding up usage and its cost.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use creto_metering::Usage;
use creto_prices::{ModelPrice, Money, PriceList, ServiceTier, Unpriced};
use creto_proto::v1;
use serde_json::{Value, json};

use super::By;
use crate::output::moment;

/// Rows shown apart, and reasons for having no price; further ones are added up under [`OTHERS`].
const MAX_ROWS: usize = 10_000;
/// Prices that were looked up and are remembered.
const MAX_RESOLVED: usize = 10_000;
const OTHERS: &str = "(others)";
/// Width of the longest bar, in characters.
const BAR: i128 = 24;

/// One row.
#[derive(Clone, Debug, Default)]
struct Sum {
    calls: u64,
    input: u64,
    output: u64,
    estimated: u64,
    unpriced: u64,
    /// Absent while nothing has a price.
    cost: Option<Money>,
}

/// Provider, model and day.
type Looked = (String, String, i64);

/// Usage added up.
#[derive(Debug)]
pub(super) struct Tally {
    list: PriceList,
    by: By,
    sums: BTreeMap<String, Sum>,
    unpriced: BTreeMap<String, u64>,
    resolved: HashMap<Looked, Result<Arc<ModelPrice>, Unpriced>>,
}

impl Tally {
    pub(super) fn new(list: PriceList, by: By) -> Self {
        Self { list, by, sums: BTreeMap::new(), unpriced: BTreeMap::new(), resolved: HashMap::new() }
    }

    /// Adds a call; one whose answer is not metered counts for nothing.
    pub(super) fn add(&mut self, call: &v1::CallRecord) {
        let (Some(begun), Some(ended)) = (&call.begun, &call.ended) else { return };
        let Some(said) = &ended.usage else { return };
        let (provider, asked) = begun.meaning.as_ref().map_or(("", ""), |meaning| {
            (meaning.service.as_str(), meaning.subjects.first().map_or("", String::as_str))
        });
        let answered = ended.response_model.as_str();
        let model = if answered.is_empty() { asked } else { answered };
        let usage = usage(said);
        // A deployment may answer under another name than the one that has the price.
        let mut cost = self.cost((provider, model), begun, &usage, &ended.service_tier);
        if cost.is_err() && model != asked {
            cost = self.cost((provider, asked), begun, &usage, &ended.service_tier).or(cost);
        }
        let key = match self.by {
            By::Agent => call.agent_name.clone(),
            By::Model => format!("{provider}/{model}"),
            By::Day => moment(begun.at_us / 1000).chars().take("2026-01-01".len()).collect(),
        };
        let sum = self.sums.entry(bounded(&self.sums, key)).or_default();
        sum.calls += 1;
        sum.input = sum.input.saturating_add(usage.input_total());
        sum.output = sum.output.saturating_add(usage.output_total());
        sum.estimated += u64::from(said.estimated);
        let total = cost.map_err(|error| error.to_string()).and_then(|cost| match &sum.cost {
            None => Ok(cost),
            Some(before) => before.checked_add(&cost).map_err(|error| error.to_string()),
        });
        match total {
            Ok(total) => sum.cost = Some(total),
            Err(why) => {
                sum.unpriced += 1;
                let named = bounded(&self.unpriced, format!("{provider}/{model}: {why}"));
                *self.unpriced.entry(named).or_default() += 1;
            }
        }
    }

    fn cost(
        &mut self,
        (provider, model): (&str, &str),
        begun: &v1::CallBegun,
        usage: &Usage,
        tier: &str,
    ) -> Result<Money, Unpriced> {
        let at_ms = begun.at_us / 1000;
        // Prices change at most once a day.
        let key = (provider.to_owned(), model.to_owned(), at_ms.div_euclid(86_400_000));
        if self.resolved.len() >= MAX_RESOLVED {
            self.resolved.clear();
        }
        let resolve = || self.list.resolve(provider, model, at_ms).map(|found| found.price);
        let price = self.resolved.entry(key).or_insert_with(resolve).clone()?;
        Ok(price.price(usage, ServiceTier::told(Some(tier))?)?.amount)
    }

    /// Why calls have no price, and how many.
    pub(super) fn unpriced(&self) -> impl Iterator<Item = (&str, u64)> {
        self.unpriced.iter().map(|(why, calls)| (why.as_str(), *calls))
    }

    /// The rows with their heading: the dearest first, days in their order.
    pub(super) fn rows(&self) -> ([&'static str; 6], Vec<(Vec<String>, Value)>) {
        let by = match self.by {
            By::Agent => "agent",
            By::Model => "model",
            By::Day => "day",
        };
        let cost = |sum: &Sum| sum.cost.as_ref().map_or(0, Money::minor_units);
        let mut sums: Vec<(&String, &Sum)> = self.sums.iter().collect();
        if self.by != By::Day {
            sums.sort_by_key(|(_, sum)| std::cmp::Reverse((cost(sum), sum.calls)));
        }
        let most = sums.iter().map(|(_, sum)| cost(sum)).max().unwrap_or(0);
        let row = |(key, sum): (&String, &Sum)| {
            let exact = sum.cost.as_ref().map(Money::to_string);
            let told = match (&exact, sum.unpriced) {
                (None, _) => "unpriced".to_owned(),
                (Some(cost), 0) => cost.clone(),
                (Some(cost), _) => format!("{cost} + unpriced"),
            };
            let mark = if sum.estimated > 0 { "~" } else { "" };
            let (input, output) = (format!("{mark}{}", sum.input), format!("{mark}{}", sum.output));
            let cells = vec![key.clone(), sum.calls.to_string(), input, output, told, bar(cost(sum), most)];
            let value = json!({
                by: key, "calls": sum.calls, "input_tokens": sum.input, "output_tokens": sum.output,
                "estimated_calls": sum.estimated, "unpriced_calls": sum.unpriced, "cost": exact,
            });
            (cells, value)
        };
        ([by, "calls", "input", "output", "cost", ""], sums.into_iter().map(row).collect())
    }
}

/// The key, or that of all others where there are as many as there may be.
fn bounded<T>(map: &BTreeMap<String, T>, key: String) -> String {
    if map.len() < MAX_ROWS || map.contains_key(&key) { key } else { OTHERS.to_owned() }
}

/// A bar as long as a part of the most; whatever is more than nothing shows.
fn bar(part: i128, most: i128) -> String {
    if part <= 0 || most <= 0 {
        return String::new();
    }
    let length = part.saturating_mul(BAR).saturating_add(most - 1) / most;
    "█".repeat(usize::try_from(length).unwrap_or(0))
}

fn usage(said: &v1::Usage) -> Usage {
    Usage {
        input: said.input,
        cached_input: said.cached_input,
        cache_write: said.cache_write,
        cache_write_1h: said.cache_write_1h,
        output: said.output,
        reasoning: said.reasoning,
        audio_input: said.audio_input,
        audio_output: said.audio_output,
        image_input: said.image_input,
        images: said.images,
        server_tool_calls: said.server_tool_calls,
        estimated: said.estimated,
    }
}

#[cfg(test)]
mod tests {
    use creto_prices::Format;

    use super::*;

    const PRICES: &str = "version = 1\ncurrency = \"USD\"\nprovider = \"acme\"\n\
        [[rows]]\nid = \"acme:small\"\nmodel = \"small\"\ninput = \"0.000001\"\noutput = \"0.000003\"\n\
        [rows.priority]\ninput = \"0.000002\"\noutput = \"0.000006\"\n";

    fn call(agent: &str, model: &str, (input, output): (u64, u64), tier: &str) -> v1::CallRecord {
        let meaning = v1::CallMeaning {
            protocol: "model".into(),
            service: "acme".into(),
            operation: "chat".into(),
            subjects: vec!["asked".into()],
        };
        let at_us = 1_795_219_200_000_000;
        let begun = v1::CallBegun { at_us, meaning: Some(meaning), ..Default::default() };
        let ended = v1::CallEnded {
            usage: Some(v1::Usage { input, output, ..Default::default() }),
            response_model: model.into(),
            service_tier: tier.into(),
            ..Default::default()
        };
        v1::CallRecord {
            agent_name: agent.into(),
            begun: Some(begun),
            ended: Some(ended),
            ..Default::default()
        }
    }

    fn tally(by: By) -> Tally {
        Tally::new(PriceList::only(PRICES, Format::Toml).unwrap(), by)
    }

    #[test]
    fn usage_adds_up_with_its_cost_at_the_tier_that_was_billed() {
        let mut tally = tally(By::Agent);
        tally.add(&call("one", "small", (1_000, 100), ""));
        tally.add(&call("one", "small", (1_000, 100), "priority"));
        tally.add(&call("two", "small", (10, 0), "default"));
        let (_, rows) = tally.rows();
        let [(_, one), (_, two)] = &rows[..] else { panic!("{rows:?}") };
        assert_eq!((&one["agent"], &one["calls"]), (&json!("one"), &json!(2)));
        assert_eq!((&one["input_tokens"], &one["output_tokens"]), (&json!(2_000), &json!(200)));
        assert_eq!((&one["cost"], &two["cost"]), (&json!("0.0039 USD"), &json!("0.00001 USD")));
        assert_eq!(tally.unpriced().count(), 0);
    }

    #[test]
    fn what_has_no_price_is_counted_apart_and_never_free() {
        let mut tally = tally(By::Model);
        tally.add(&call("one", "unheard-of", (1_000, 100), ""));
        tally.add(&call("one", "small", (1_000, 100), "provisioned"));
        let (_, rows) = tally.rows();
        assert_eq!(rows.len(), 2);
        for (cells, value) in &rows {
            assert_eq!((cells[4].as_str(), &value["unpriced_calls"]), ("unpriced", &json!(1)));
            assert!(value["cost"].is_null());
        }
        assert_eq!(tally.unpriced().map(|(_, calls)| calls).sum::<u64>(), 2);
    }

    #[test]
    fn rows_are_days_too_and_bars_show_whatever_is_more_than_nothing() {
        let mut tally = tally(By::Day);
        tally.add(&call("one", "small", (1_000_000, 0), ""));
        let (heading, rows) = tally.rows();
        assert_eq!((heading[0], rows[0].0[0].as_str()), ("day", "2026-11-21"));
        assert_eq!((bar(1, 1_000), bar(0, 5)), ("█".to_owned(), String::new()));
        assert_eq!(bar(5, 5).chars().count(), 24);
    }

    #[test]
    fn rows_are_bounded() {
        let mut tally = tally(By::Agent);
        for number in 0..MAX_ROWS + 10 {
            tally.add(&call(&number.to_string(), "small", (1, 0), ""));
        }
        let (_, rows) = tally.rows();
        assert_eq!(rows.len(), MAX_ROWS + 1);
        let others = rows.iter().find(|(cells, _)| cells[0] == OTHERS).unwrap();
        assert_eq!(others.1["calls"], 10);
    }
}
