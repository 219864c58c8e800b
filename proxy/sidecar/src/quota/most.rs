//! The most that a call draws on each meter, and what it came to.

use std::sync::Arc;

use creto_call::{Call, Kind as CallKind, Meaning, ModelApi, ModelCall, ModelOperation};
use creto_metering::Settled;
use creto_policy::QuotaMeter;
use creto_prices::{ModelPrice, Money, PriceList, ServiceTier};

use super::{Reach, Used};
use crate::path::record::now_us;

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
    reach: Reach,
    provider: Box<str>,
    /// The list that answers are priced by.
    prices: Option<Arc<PriceList>>,
}

impl Most {
    /// What bounds the call, by how far it can go; `bytes` are those of its body, where they are known.
    pub(crate) fn of(
        call: &Call<'_>,
        bytes: Option<u64>,
        reach: Option<&Reach>,
        prices: Option<&Arc<PriceList>>,
    ) -> Self {
        let model = match (call.details.meaning, reach) {
            (Meaning::Model(model), Some(reach)) => Some(MostOfModel {
                uncounted: uncounted(call, model, bytes),
                reach: reach.clone(),
                provider: model.provider.as_str().into(),
                prices: prices.cloned(),
            }),
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
            QuotaMeter::LlmInputTokens => model.reach.input(),
            QuotaMeter::LlmOutputTokens => model.reach.output(),
            QuotaMeter::LlmTokens => model.reach.input().saturating_add(model.reach.output()),
            QuotaMeter::Cost(_) => {
                nanodollars(&model.reach.cost().map_err(|unpriced| unpriced.to_string())?)?
            }
            QuotaMeter::EgressBytes | QuotaMeter::Sandboxes => 0,
        })
    }

    /// Most tokens of the answer.
    pub(super) fn answer(&self) -> u64 {
        self.model.as_ref().map_or(u64::MAX, |model| model.reach.output())
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
                let cost = match model.reach.is_premium() {
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
    /// The prices of the model that answered; of the one asked for, when the answer does not say or nobody knows it.
    fn answered_by(&self, response_model: Option<&str>) -> Option<Arc<ModelPrice>> {
        let said = response_model.zip(self.prices.as_ref()).and_then(|(model, prices)| {
            prices.resolve(&self.provider, model, now_us() / 1_000).ok().map(|resolved| resolved.price)
        });
        said.or_else(|| self.reach.price())
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
pub(super) fn nanodollars(money: &Money) -> Result<u64, String> {
    let count = money.amount().count();
    let whole =
        count.div_euclid(AMOUNTS_A_NANODOLLAR) + i128::from(count.rem_euclid(AMOUNTS_A_NANODOLLAR) > 0);
    u64::try_from(whole).map_err(|_| format!("{money} is beyond what a budget can hold"))
}
