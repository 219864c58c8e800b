//! How far a call of a model can go: worked out once, before anything of it leaves, for its record and for its quotas.

use std::sync::Arc;

use creto_call::{Meaning, ModelCall, ModelOperation};
use creto_prices::{
    Bounds, Kind, KindSet, ModelPrice, Money, PriceList, Reason, ServiceTier, TEMPLATE_TOKENS, Unpriced,
};

use super::most::nanodollars;
use crate::path::record::now_us;

/// Context window and longest answer of a model that the price list does not know, in tokens.
const UNKNOWN_WINDOW: u64 = 1 << 20;
const UNKNOWN_OUTPUT: u64 = 128 << 10;
/// Calls of the provider's own tools, of a call that names no bound.
const TOOL_CALLS: u64 = 16;

/// The most that a call can use.
#[derive(Clone, Debug)]
pub(crate) struct Reach {
    /// It asks for a speed or a place that costs more.
    premium: bool,
    bounds: Bounds,
    /// The tier asked for; none for whichever the provider chooses.
    tier: Result<Option<ServiceTier>, Unpriced>,
    price: Result<Arc<ModelPrice>, Unpriced>,
}

/// The same in numbers, as the record of the call's beginning has it. Nothing of each, where nothing is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Bound {
    pub(crate) input_tokens: u64,
    pub(crate) output_tokens: u64,
    /// Billionths of a US dollar.
    pub(crate) nanodollars: u64,
}

impl Reach {
    /// That of a call with these messages; none when it asks no model to answer. `bytes` are those of its body, where they
    /// are known. Without prices the model's own bounds are not known.
    pub(crate) fn of(
        meanings: &[Meaning<'_>],
        bytes: Option<u64>,
        prices: Option<&Arc<PriceList>>,
    ) -> Option<Self> {
        match meanings {
            [Meaning::Model(model), ..] if model.operation != ModelOperation::CountTokens => {
                Some(Self::of_model(model, bytes, prices))
            }
            _ => None,
        }
    }

    fn of_model(call: &ModelCall, bytes: Option<u64>, prices: Option<&Arc<PriceList>>) -> Self {
        let demand = &call.demand;
        let lasts = call.operation == ModelOperation::Realtime;
        let is_images = call.operation == ModelOperation::Images;
        let is_embedded = call.operation == ModelOperation::Embeddings;
        let answers = demand.answers.unwrap_or(1).max(1);
        let tool_calls = demand.max_tool_calls.unwrap_or(TOOL_CALLS);
        let kinds = [Kind::AudioInput, Kind::AudioOutput, Kind::ImageInput, Kind::Images];
        let text = kinds.into_iter().fold(KindSet::ALL, KindSet::without);
        let bounds = Bounds {
            // What is embedded is answered with no text.
            max_output_tokens: if is_embedded { Some(0) } else { call.max_output_tokens },
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
        let price = match (prices, &call.model) {
            (Some(prices), Some(model)) => {
                prices.resolve(&call.provider, model, now_us() / 1_000).map(|resolved| resolved.price)
            }
            _ => Err(Unpriced { reason: Reason::UnknownModel }),
        };
        Self { premium: demand.premium, bounds, tier, price }
    }

    /// Input tokens.
    pub(super) fn input(&self) -> u64 {
        let held = self.bounds.input_bytes.saturating_add(self.bounds.extra_input_tokens);
        if !self.bounds.reads_unseen {
            return held;
        }
        let window = self.price.as_ref().ok().and_then(|price| price.context_window());
        let reads = self.bounds.server_tool_calls.saturating_add(1);
        window.unwrap_or(UNKNOWN_WINDOW).max(held).saturating_mul(reads)
    }

    /// Output tokens, of all answers.
    pub(super) fn output(&self) -> u64 {
        let own = || self.price.as_ref().ok().and_then(|price| price.max_output());
        let one = self.bounds.max_output_tokens.or_else(own).unwrap_or(UNKNOWN_OUTPUT);
        one.saturating_mul(self.bounds.answers)
    }

    /// What it costs.
    ///
    /// # Errors
    /// Nobody can say.
    pub(super) fn cost(&self) -> Result<Money, Unpriced> {
        self.price.clone()?.ceiling(&self.bounds, self.tier?)
    }

    /// The prices of the model asked for, where they are known.
    pub(super) fn price(&self) -> Option<Arc<ModelPrice>> {
        self.price.clone().ok()
    }

    /// Whether it asks for what costs more.
    pub(super) fn is_premium(&self) -> bool {
        self.premium
    }

    /// What it costs in billionths of a US dollar, where somebody can say.
    pub(crate) fn nanodollars(&self) -> Option<u64> {
        nanodollars(&self.cost().ok()?).ok()
    }

    /// In numbers.
    pub(crate) fn bound(&self) -> Bound {
        let cost = self.cost().ok();
        Bound {
            input_tokens: self.input(),
            output_tokens: self.output(),
            nanodollars: cost.and_then(|cost| nanodollars(&cost).ok()).unwrap_or(0),
        }
    }
}
