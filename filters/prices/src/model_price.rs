//! The prices of one model, ready for use.

use std::sync::Arc;

use creto_metering::Usage;

use crate::amount::Amount;
use crate::bounds::Bounds;
use crate::currency::Currency;
use crate::kind::{KINDS, Kind};
use crate::money::Money;
use crate::priced::{Line, Priced};
use crate::service_tier::ServiceTier;
use crate::unpriced::{Reason, Unpriced};

/// Price of one unit, and whose it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rate {
    pub(crate) amount: Amount,
    pub(crate) billed_as: Kind,
}

/// Prices for calls with more than `above` input tokens, up to the next entry's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Context {
    pub(crate) above: u64,
    /// Nothing: the service tier is not sold for contexts this long.
    pub(crate) rates: Option<[Option<Rate>; KINDS]>,
}

/// The prices of a model over one time, at every service tier: a row of the price list, made ready.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelPrice {
    pub(crate) id: Arc<str>,
    pub(crate) provider: Box<str>,
    pub(crate) model: Box<str>,
    pub(crate) aliases: Box<[Box<str>]>,
    pub(crate) currency: Currency,
    /// From this on, in milliseconds since 1970.
    pub(crate) from_ms: i64,
    /// Before this, in milliseconds since 1970.
    pub(crate) to_ms: i64,
    pub(crate) context_window: Option<u64>,
    pub(crate) max_output: Option<u64>,
    /// What the dearest region and speed multiply prices by.
    pub(crate) uplift: Amount,
    /// Price of the provider's dearest tool, where tools differ.
    pub(crate) dearest_tool_call: Option<Amount>,
    /// By [`ServiceTier::index`]; the entries of each are ascending and begin at 0.
    pub(crate) tiers: [Option<Box<[Context]>>; ServiceTier::ALL.len()],
}

const TOO_LARGE: Unpriced = Unpriced { reason: Reason::TooLarge };

impl ModelPrice {
    /// The row's id, the same in every version of the price list that has the row.
    #[must_use]
    pub fn id(&self) -> &Arc<str> {
        &self.id
    }

    /// The provider, as calls name it.
    #[must_use]
    pub fn provider(&self) -> &str {
        &self.provider
    }

    /// The model's main name.
    #[must_use]
    pub fn model(&self) -> &str {
        &self.model
    }

    /// The currency of the prices.
    #[must_use]
    pub fn currency(&self) -> Currency {
        self.currency
    }

    /// Most tokens that the model can read, if known.
    #[must_use]
    pub fn context_window(&self) -> Option<u64> {
        self.context_window
    }

    /// Most tokens that the model writes in an answer, if known.
    #[must_use]
    pub fn max_output(&self) -> Option<u64> {
        self.max_output
    }

    /// What the dearest region and speed that the provider offers multiply the row's prices by; one if they are the
    /// same everywhere, or the row does not say. [`ModelPrice::ceiling`] counts it, [`ModelPrice::price`] cannot.
    #[must_use]
    pub fn uplift(&self) -> Amount {
        self.uplift
    }

    /// The price of one unit of `kind` at a service tier, for a call with `input_tokens` input tokens.
    ///
    /// # Errors
    /// There is none.
    pub fn rate(&self, kind: Kind, tier: ServiceTier, input_tokens: u64) -> Result<Amount, Unpriced> {
        let (_, rates) = self.rates(tier, input_tokens)?;
        rates[kind.index()].map(|rate| rate.amount).ok_or(Unpriced { reason: Reason::Kind(kind) })
    }

    /// The exact price of `usage` at the service tier it was billed at. The number of input tokens, cached or not,
    /// chooses the context prices, which hold for the whole call, output included. Allocates nothing.
    ///
    /// It is the price at the provider's ordinary endpoint and speed. A usage does not say where a call was processed
    /// (data kept in the US or the EU, a regional endpoint) or at which speed (Anthropic's fast mode): such a call
    /// costs up to [`ModelPrice::uplift`] times as much. Give models that are called so rows of their own with those
    /// prices. Nor does a usage say which tool the provider ran: every call of one has the price of a web search,
    /// although others (a code container) can cost more.
    ///
    /// # Errors
    /// The row has no price for the tier, for a context this long, or for a kind that was used; or the sum is too
    /// large.
    pub fn price(&self, usage: &Usage, tier: ServiceTier) -> Result<Priced, Unpriced> {
        let (context_above, rates) = self.rates(tier, usage.input_total())?;
        let mut lines = [None; KINDS];
        let mut sum = Amount::ZERO;
        for (kind, count) in Kind::ALL.into_iter().zip(usage.counts()) {
            if count == 0 {
                continue;
            }
            let rate = rates[kind.index()].ok_or(Unpriced { reason: Reason::Kind(kind) })?;
            let amount = rate.amount.checked_mul(count).ok_or(TOO_LARGE)?;
            sum = sum.checked_add(amount).ok_or(TOO_LARGE)?;
            lines[kind.index()] =
                Some(Line { kind, billed_as: rate.billed_as, count, rate: rate.amount, amount });
        }
        Ok(Priced {
            amount: Money::new(sum, self.currency),
            price_id: Arc::clone(&self.id),
            context_above,
            estimated: usage.estimated,
            lines,
        })
    }

    /// The most that a call within `bounds` can cost: what to reserve before it leaves. `tier` is the service tier
    /// asked for, `None` when the provider chooses. Allocates nothing.
    ///
    /// Every input token is taken at the dearest price of a kind in the bounds, every output token likewise, over
    /// all context prices within reach. A call for a faster tier can be served at the standard one, and a tier that
    /// is not sold for long contexts too: then the standard prices count besides. The sum is multiplied by
    /// [`ModelPrice::uplift`], and a tool call counts as the provider's dearest, for the bounds tell neither.
    ///
    /// # Errors
    /// The row has no prices for the tier, or none for text in or out, images or tool calls that the bounds allow; the
    /// output or the input is without bound; or the sum is too large.
    pub fn ceiling(&self, bounds: &Bounds, tier: Option<ServiceTier>) -> Result<Money, Unpriced> {
        let input = self.most_input(bounds)?;
        let mut most = None;
        match tier {
            None => {
                for contexts in self.tiers.iter().flatten() {
                    self.raise(&mut most, contexts, input, bounds)?;
                }
            }
            Some(tier) => {
                let contexts = self.contexts(tier)?;
                self.raise(&mut most, contexts, input, bounds)?;
                let unsold = contexts.iter().any(|context| context.above < input && context.rates.is_none());
                if tier.may_be_served_as_standard() || unsold {
                    let standard = self.contexts(ServiceTier::Standard)?;
                    self.raise(&mut most, standard, input, bounds)?;
                }
            }
        }
        let amount = most.ok_or(Unpriced { reason: Reason::ServiceTier(ServiceTier::Standard) })?;
        let uplifted = amount.checked_mul_up(self.uplift).ok_or(TOO_LARGE)?;
        Ok(Money::new(uplifted, self.currency))
    }

    fn contexts(&self, tier: ServiceTier) -> Result<&[Context], Unpriced> {
        self.tiers[tier.index()].as_deref().ok_or(Unpriced { reason: Reason::ServiceTier(tier) })
    }

    fn rates(&self, tier: ServiceTier, input: u64) -> Result<(u64, &[Option<Rate>; KINDS]), Unpriced> {
        let contexts = self.contexts(tier)?;
        let long = Unpriced { reason: Reason::LongContext(tier) };
        let context = contexts
            .iter()
            .rev()
            .find(|context| context.above == 0 || context.above < input)
            .ok_or(Unpriced { reason: Reason::ServiceTier(tier) })?;
        Ok((context.above, context.rates.as_ref().ok_or(long)?))
    }

    fn most_input(&self, bounds: &Bounds) -> Result<u64, Unpriced> {
        let held = bounds.input_bytes.checked_add(bounds.extra_input_tokens).ok_or(TOO_LARGE)?;
        if !bounds.reads_unseen {
            return Ok(held);
        }
        let window = self.context_window.ok_or(Unpriced { reason: Reason::ContextWindow })?;
        // After every tool call the model reads everything anew.
        let reads = bounds.server_tool_calls.checked_add(1).ok_or(TOO_LARGE)?;
        held.max(window).checked_mul(reads).ok_or(TOO_LARGE)
    }

    /// Raises `most` to what the context prices within reach can come to.
    fn raise(
        &self,
        most: &mut Option<Amount>,
        contexts: &[Context],
        input: u64,
        bounds: &Bounds,
    ) -> Result<(), Unpriced> {
        for context in contexts.iter().filter(|context| context.above == 0 || context.above < input) {
            let Some(rates) = &context.rates else { continue };
            let dearest = |kinds: &[Kind]| {
                let rates = kinds.iter().filter(|kind| bounds.kinds.has(**kind));
                let amounts = rates.filter_map(|kind| rates_of(context, *kind));
                amounts.max().unwrap_or(Amount::ZERO)
            };
            let written = dearest(&Kind::WRITTEN);
            let output = match bounds.max_output_tokens.or(self.max_output) {
                Some(limit) => limit.checked_mul(bounds.answers.max(1)).ok_or(TOO_LARGE)?,
                None if written == Amount::ZERO => 0,
                None => return Err(Unpriced { reason: Reason::OutputLimit }),
            };
            let unpriced = |kind: Kind| bounds.kinds.has(kind) && rates[kind.index()].is_none();
            if input > 0 && unpriced(Kind::Input) {
                return Err(Unpriced { reason: Reason::Kind(Kind::Input) });
            }
            // A model without a price for anything that it writes writes nothing, such as one of embeddings.
            let writes = Kind::WRITTEN.iter().any(|kind| rates[kind.index()].is_some());
            if output > 0 && writes && unpriced(Kind::Output) {
                return Err(Unpriced { reason: Reason::Kind(Kind::Output) });
            }
            let mut sum = dearest(&Kind::READ).checked_mul(input).ok_or(TOO_LARGE)?;
            let mut add = |rate: Amount, count: u64| -> Result<(), Unpriced> {
                let amount = rate.checked_mul(count).ok_or(TOO_LARGE)?;
                sum = sum.checked_add(amount).ok_or(TOO_LARGE)?;
                Ok(())
            };
            add(written, output)?;
            for (kind, count) in
                [(Kind::Images, bounds.images), (Kind::ServerToolCalls, bounds.server_tool_calls)]
            {
                if count > 0 {
                    let rate = rates[kind.index()].ok_or(Unpriced { reason: Reason::Kind(kind) })?;
                    let dearest = self.dearest_tool_call.filter(|_| kind == Kind::ServerToolCalls);
                    add(rate.amount.max(dearest.unwrap_or(Amount::ZERO)), count)?;
                }
            }
            *most = Some(most.map_or(sum, |so_far| so_far.max(sum)));
        }
        Ok(())
    }
}

fn rates_of(context: &Context, kind: Kind) -> Option<Amount> {
    context.rates.as_ref()?[kind.index()].map(|rate| rate.amount)
}
