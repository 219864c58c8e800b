//! What an ended call says as an event of type `creto.call`.

use creto_client::metering::{Decimal, EventDraft};
use creto_metering::Usage;
use creto_prices::{Money, PriceList, ServiceTier, Unpriced};
use creto_proto::v1::{Outcome, Verdict};
use creto_store::{Begun, Ended, TokenUsage};

/// The type of these events.
const CALL: &str = "creto.call";
/// Longest text of a property, in bytes; a longer one is cut.
const MAX_TEXT: usize = 1_024;
/// Most of what is counted: what a number of an event can be.
const MAX_NUMBER: u64 = 999_999_999_999_999_999;
/// What costs are counted in.
const CURRENCY: &str = "USD";
/// Digits after the point of a billionth.
const NANO: u32 = 9;

/// The event of a call that ended; without its beginning, if that was never reported. `most_nanodollars`: what a call whose
/// end nobody knows can have cost, which it counts as.
pub(super) fn event(
    begun: Option<&Begun>,
    ended: &Ended,
    most_nanodollars: Option<u64>,
    prices: &PriceList,
) -> EventDraft {
    let unknown = Begun::default();
    let begun = begun.unwrap_or(&unknown);
    let meaning = &begun.meaning;
    let asked = meaning.subjects.first().map_or("", String::as_str);
    let denied = begun.verdict == i32::from(Verdict::Denied);
    let mut draft = EventDraft::new(CALL);
    let mut say = |name: &'static str, text: &str| {
        if !text.is_empty() {
            let text = text[..text.floor_char_boundary(MAX_TEXT)].to_owned();
            draft = std::mem::replace(&mut draft, EventDraft::new(CALL)).text(name, text);
        }
    };
    say("host", &begun.host);
    say("method", &begun.method);
    say("verdict", verdict(begun.verdict));
    say("outcome", outcome(ended.outcome));
    say("operation", &meaning.operation);
    match meaning.protocol.as_str() {
        "model" => {
            say("provider", &meaning.service);
            let answered = ended.response_model.as_str();
            say("model", if answered.is_empty() { asked } else { answered });
        }
        "mcp" => {
            say("server", &meaning.service);
            say("tool", asked);
        }
        "" => {}
        _ => say("server", &meaning.service),
    }
    let draft = draft
        .number("request_bytes", ended.request_bytes.min(MAX_NUMBER))
        .number("response_bytes", ended.response_bytes.min(MAX_NUMBER))
        .number("duration_us", ended.duration_us.min(MAX_NUMBER));
    // What was refused before it left used nothing, whatever was counted on the way.
    match ended.usage.filter(|_| !denied) {
        Some(usage) => {
            let usage = usage_of(usage);
            let most = most_nanodollars.and_then(|most| Decimal::new(most.into(), NANO).ok());
            let draft = counted(draft, &usage);
            match most.or_else(|| cost(begun, ended, (&usage, asked), prices)) {
                Some(cost) => draft.number("cost", cost).flag("unpriced", false),
                None => draft.flag("unpriced", true),
            }
        }
        None => draft,
    }
}

/// With what the answer used.
fn counted(draft: EventDraft, usage: &Usage) -> EventDraft {
    let cache_write = usage.cache_write.saturating_add(usage.cache_write_1h);
    let (input, output) = (usage.input_total(), usage.output_total());
    draft
        .number("input_tokens", input)
        .number("cached_input_tokens", usage.cached_input)
        .number("cache_write_tokens", cache_write)
        .number("output_tokens", output)
        .number("reasoning_tokens", usage.reasoning)
        .number("total_tokens", input.saturating_add(output))
        .flag("estimated", usage.estimated)
}

/// What it costs by the list; none where the list does not say.
fn cost(begun: &Begun, ended: &Ended, (usage, asked): (&Usage, &str), prices: &PriceList) -> Option<Decimal> {
    let provider = begun.meaning.service.as_str();
    let answered = ended.response_model.as_str();
    let model = if answered.is_empty() { asked } else { answered };
    let price = |model: &str| -> Result<Money, Unpriced> {
        let found = prices.resolve(provider, model, begun.at_us.div_euclid(1_000))?;
        Ok(found.price.price(usage, ServiceTier::told(Some(&ended.service_tier))?)?.amount)
    };
    let mut cost = price(model);
    if cost.is_err() && model != asked {
        // A deployment may answer under another name than the one that has the price.
        cost = price(asked).or(cost);
    }
    cost.ok().as_ref().and_then(dollars)
}

/// The exact amount, if it is one of the currency that costs are counted in.
fn dollars(cost: &Money) -> Option<Decimal> {
    cost.to_string().strip_suffix(CURRENCY)?.trim_end().parse().ok()
}

fn verdict(number: i32) -> &'static str {
    match Verdict::try_from(number) {
        Ok(Verdict::Allowed) => "allowed",
        Ok(Verdict::Denied) => "denied",
        Ok(Verdict::Observed) => "observed",
        Ok(Verdict::Unspecified) | Err(_) => "",
    }
}

fn outcome(number: i32) -> &'static str {
    match Outcome::try_from(number) {
        Ok(Outcome::Completed) => "completed",
        Ok(Outcome::Refused) => "refused",
        Ok(Outcome::UpstreamFailed) => "upstream_failed",
        Ok(Outcome::ClientGone) => "client_gone",
        Ok(Outcome::Ambiguous) => "ambiguous",
        Ok(Outcome::Unspecified | Outcome::Open) | Err(_) => "",
    }
}

fn usage_of(usage: TokenUsage) -> Usage {
    Usage {
        input: usage.input,
        cached_input: usage.cached_input,
        cache_write: usage.cache_write,
        cache_write_1h: usage.cache_write_1h,
        output: usage.output,
        reasoning: usage.reasoning,
        audio_input: usage.audio_input,
        audio_output: usage.audio_output,
        image_input: usage.image_input,
        images: usage.images,
        server_tool_calls: usage.server_tool_calls,
        estimated: usage.estimated,
    }
}
