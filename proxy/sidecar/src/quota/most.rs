//! The most that a call can use, and what it did use.

use std::sync::Arc;

use creto_call::{Call, Kind as CallKind, Meaning, ModelApi, ModelCall, ModelOperation};
use creto_metering::Settled;
use creto_policy::QuotaMeter;
use creto_prices::{
    Bounds, Kind, KindSet, ModelPrice, Money, PriceList, ServiceTier, TEMPLATE_TOKENS, Unpriced,
};

use super::Used;
use crate::path::record::now_us;

/// Context window and longest answer of a model that the price list does not know, in tokens.
const UNKNOWN_WINDOW: u64 = 1 << 20;
const UNKNOWN_OUTPUT: u64 = 128 << 10;
/// Calls of the provider's own tools, of a call that names no bound.
const TOOL_CALLS: u64 = 16;
/// Amounts of money are of 15 digits after the point, budgets of 9.
const AMOUNTS_A_NANODOLLAR: i128 = 1_000_000;

/// Bounds of one call.
#[derive(Clone, Debug)]
pub(crate) struct Most {
    model: Option<MostOfModel>,
}

#[derive(Clone, Debug)]
struct MostOfModel {
    /// Why nobody can say what it will use, or what it did.
    uncounted: Option<&'static str>,
    /// It asks for a speed or a place that costs more.
    premium: bool,
    bounds: Bounds,
    /// The tier asked for; none for whichever the provider chooses.
    tier: Result<Option<ServiceTier>, Unpriced>,
    price: Result<Arc<ModelPrice>, Unpriced>,
    provider: Box<str>,
    /// The list that answers are priced by.
    prices: Option<Arc<PriceList>>,
}

impl Most {
    /// What bounds the call; `bytes` are those of its body, where they are known.
    pub(crate) fn of(call: &Call<'_>, bytes: Option<u64>, prices: Option<&Arc<PriceList>>) -> Self {
        let model = match call.details.meaning {
            Meaning::Model(model) if model.operation != ModelOperation::CountTokens => {
                let uncounted = uncounted(call, model, bytes);
                Some(MostOfModel { uncounted, ..MostOfModel::of(model, bytes, prices) })
            }
            _ => None,
        };
        Self { model }
    }

    /// Units of a meter that the call can come to.
    ///
    /// # Errors
    /// It has no bound, in words.
    pub(super) fn of_meter(&self, meter: QuotaMeter) -> Result<u64, String> {
        let Some(model) = &self.model else {
            return Ok(match meter {
                QuotaMeter::Calls | QuotaMeter::Messages => 1,
                _ => 0,
            });
        };
        if let Some(why) = model.uncounted.filter(|_| meter.is_about_models()) {
            return Err(why.to_owned());
        }
        Ok(match meter {
            QuotaMeter::Calls | QuotaMeter::Messages => 1,
            QuotaMeter::LlmInputTokens => model.input(),
            QuotaMeter::LlmOutputTokens => model.output(),
            QuotaMeter::LlmTokens => model.input().saturating_add(model.output()),
            QuotaMeter::Cost(_) => nanodollars(&model.cost().map_err(|unpriced| unpriced.to_string())?)?,
            QuotaMeter::EgressBytes | QuotaMeter::Sandboxes => 0,
        })
    }

    /// Most tokens of the answer.
    pub(super) fn answer(&self) -> u64 {
        self.model.as_ref().map_or(u64::MAX, MostOfModel::output)
    }

    /// Units of a meter that the call did come to. What is not known is what was reserved, never nothing; what was
    /// estimated is not less than that.
    pub(super) fn came_to(&self, meter: QuotaMeter, reserved: u64, used: &Used<'_>) -> u64 {
        if !used.left {
            return 0;
        }
        if !meter.is_about_models() {
            return reserved;
        }
        let Some(settled) = used.settled else {
            // An error used nothing.
            return if used.failed { 0 } else { reserved };
        };
        let Some(told) = self.told(meter, settled) else { return reserved };
        let usage = &settled.usage;
        // No answer of a model takes nothing: then nobody has told.
        let untold = usage.input_total() == 0 && usage.output_total() == 0 && usage.images == 0;
        if usage.estimated || (untold && !used.failed) { told.max(reserved) } else { told }
    }

    /// What the answer says; none when its price is not known.
    fn told(&self, meter: QuotaMeter, settled: &Settled) -> Option<u64> {
        let model = self.model.as_ref()?;
        let usage = &settled.usage;
        match meter {
            QuotaMeter::LlmInputTokens => Some(usage.input_total()),
            QuotaMeter::LlmOutputTokens => Some(usage.output_total()),
            QuotaMeter::LlmTokens => Some(usage.input_total().saturating_add(usage.output_total())),
            QuotaMeter::Cost(_) => {
                let tier = ServiceTier::told(settled.service_tier.as_deref()).ok()?;
                let price = model.answered_by(settled.response_model.as_deref())?;
                let cost = price.price(usage, tier).ok()?.amount;
                let cost = match model.premium {
                    true => Money::new(cost.amount().checked_mul_up(price.uplift())?, cost.currency()),
                    false => cost,
                };
                nanodollars(&cost).ok()
            }
            _ => None,
        }
    }
}

impl MostOfModel {
    fn of(call: &ModelCall, bytes: Option<u64>, prices: Option<&Arc<PriceList>>) -> Self {
        let demand = &call.demand;
        let lasts = call.operation == ModelOperation::Realtime;
        let is_images = call.operation == ModelOperation::Images;
        let answers = demand.answers.unwrap_or(1).max(1);
        let tool_calls = demand.max_tool_calls.unwrap_or(TOOL_CALLS);
        let kinds = [Kind::AudioInput, Kind::AudioOutput, Kind::ImageInput, Kind::Images];
        let text = kinds.into_iter().fold(KindSet::ALL, KindSet::without);
        let bounds = Bounds {
            max_output_tokens: call.max_output_tokens,
            answers: if is_images { 1 } else { answers },
            images: if is_images { answers } else { 0 },
            // Bytes bound the tokens of text only.
            reads_unseen: demand.media || demand.refers || demand.provider_tools || lasts || bytes.is_none(),
            server_tool_calls: if demand.provider_tools { tool_calls } else { 0 },
            kinds: if demand.media || is_images || lasts { KindSet::ALL } else { text },
            // Providers describe tools to the model in words of their own.
            extra_input_tokens: if call.tools.is_empty() { TEMPLATE_TOKENS } else { 4 * TEMPLATE_TOKENS },
            ..Bounds::new(bytes.unwrap_or(0))
        };
        let tier = match demand.service_tier.as_deref() {
            Some(word) if word.eq_ignore_ascii_case("auto") => Ok(None),
            word => ServiceTier::told(word).map(Some),
        };
        let unknown = Unpriced { reason: creto_prices::Reason::UnknownModel };
        let price = match (prices, &call.model) {
            (Some(prices), Some(model)) => {
                prices.resolve(&call.provider, model, now_us() / 1_000).map(|resolved| resolved.price)
            }
            _ => Err(unknown),
        };
        let prices = prices.cloned();
        Self {
            uncounted: None,
            premium: demand.premium,
            bounds,
            tier,
            price,
            provider: call.provider.as_str().into(),
            prices,
        }
    }

    fn input(&self) -> u64 {
        let held = self.bounds.input_bytes.saturating_add(self.bounds.extra_input_tokens);
        if !self.bounds.reads_unseen {
            return held;
        }
        let window = self.price.as_ref().ok().and_then(|price| price.context_window());
        let reads = self.bounds.server_tool_calls.saturating_add(1);
        window.unwrap_or(UNKNOWN_WINDOW).max(held).saturating_mul(reads)
    }

    fn output(&self) -> u64 {
        let own = || self.price.as_ref().ok().and_then(|price| price.max_output());
        let one = self.bounds.max_output_tokens.or_else(own).unwrap_or(UNKNOWN_OUTPUT);
        one.saturating_mul(self.bounds.answers)
    }

    fn cost(&self) -> Result<Money, Unpriced> {
        self.price.clone()?.ceiling(&self.bounds, self.tier?)
    }

    /// The prices of the model that answered; of the one asked for, when the answer does not say or nobody knows it.
    fn answered_by(&self, response_model: Option<&str>) -> Option<Arc<ModelPrice>> {
        let said = response_model.zip(self.prices.as_ref()).and_then(|(model, prices)| {
            prices.resolve(&self.provider, model, now_us() / 1_000).ok().map(|resolved| resolved.price)
        });
        said.or_else(|| self.price.clone().ok())
    }
}

/// Why nobody can say what a call will use.
fn uncounted(call: &Call<'_>, model: &ModelCall, bytes: Option<u64>) -> Option<&'static str> {
    let is_openai = matches!(model.api, ModelApi::OpenAi | ModelApi::AzureOpenAi);
    let is_realtime = model.operation == ModelOperation::Realtime && is_openai;
    if call.kind == CallKind::WebSocket {
        return (!is_realtime).then_some("what this WebSocket uses is not told in a form that is counted");
    }
    let unread = bytes != Some(0) && !call.details.body_read;
    unread.then_some("its body was not read, so that nobody knows what it asks for")
}

/// Rounded up: a part of a billionth of a dollar is never free.
fn nanodollars(money: &Money) -> Result<u64, String> {
    let count = money.amount().count();
    let whole =
        count.div_euclid(AMOUNTS_A_NANODOLLAR) + i128::from(count.rem_euclid(AMOUNTS_A_NANODOLLAR) > 0);
    u64::try_from(whole).map_err(|_| format!("{money} is beyond what a budget can hold"))
}
