//! What is reserved before a call covers whatever the call can cost, and not much more than it has to.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is a test's failure report")]

use std::sync::Arc;

use creto_metering::Usage;
use creto_prices::{
    Bounds, Format, Kind, KindSet, ModelPrice, PriceList, Reason, ServiceTier, TEMPLATE_TOKENS, Unpriced,
};

const ROW: &str = r#"
version = 1
currency = "USD"
[[rows]]
id = "acme:m@1"
provider = "acme"
model = "m"
context_window = 1000000
max_output = 8000
input = "0.000003"
cached_input = "0.0000003"
cache_write = "0.00000375"
cache_write_1h = "0.000006"
output = "0.000015"
audio_input = "0.00004"
audio_output = "0.00008"
server_tool_calls = "0.01"
[[rows.long]]
above = 200000
input = "0.000006"
cache_write = "0.0000075"
cache_write_1h = "0.000012"
output = "0.0000225"
[rows.priority]
input = "0.000006"
cached_input = "0.0000006"
output = "0.00003"
[rows.flex]
input = "0.0000015"
cache_write = "0.000002"
cache_write_1h = "0.000003"
output = "0.0000075"
audio_input = "0.00002"
audio_output = "0.00004"
[[rows.flex.long]]
above = 200000
input = "0.000003"
output = "0.00001"
"#;

fn row() -> Arc<ModelPrice> {
    PriceList::only(ROW, Format::Toml).unwrap().resolve("acme", "m", 0).unwrap().price
}

/// Text of so many bytes, nothing added, with no audio.
fn text(bytes: u64) -> Bounds {
    let kinds = KindSet::ALL.without(Kind::AudioInput).without(Kind::AudioOutput);
    Bounds { extra_input_tokens: 0, max_output_tokens: Some(100), kinds, ..Bounds::new(bytes) }
}

fn ceiling(bounds: &Bounds, tier: Option<ServiceTier>) -> String {
    row().ceiling(bounds, tier).unwrap().to_string()
}

fn refused(bounds: &Bounds) -> Reason {
    row().ceiling(bounds, Some(ServiceTier::Standard)).unwrap_err().reason
}

const STANDARD: Option<ServiceTier> = Some(ServiceTier::Standard);

/// litellm PR 40002: a reservation at the base price let long calls through that cost twice as much.
#[test]
fn a_call_that_can_reach_the_long_context_reserves_at_its_prices() {
    assert_eq!(ceiling(&text(200_000), STANDARD), "1.2015 USD");
    assert_eq!(ceiling(&text(200_001), STANDARD), "2.402262 USD");
    let usage = Usage { cache_write_1h: 200_001, output: 100, ..Usage::default() };
    let cost = row().price(&usage, ServiceTier::Standard).unwrap().amount;
    assert_eq!(cost.to_string(), "2.402262 USD", "the ceiling is reached, not passed");
}

/// litellm PR 40002: the tier of the service counts as much as the tier of the context.
#[test]
fn a_call_for_a_faster_tier_reserves_at_its_prices_and_at_the_standard_ones() {
    assert_eq!(ceiling(&text(1_000), STANDARD), "0.0075 USD");
    // The longer cache writes have the standard price; output twice that.
    assert_eq!(ceiling(&text(1_000), Some(ServiceTier::Priority)), "0.009 USD");
    // Not sold at priority above the threshold, so served as standard there: that is the dearer of the two.
    assert_eq!(ceiling(&text(300_000), Some(ServiceTier::Priority)), "3.60225 USD");
    assert_eq!(ceiling(&text(1_000), Some(ServiceTier::Flex)), "0.00375 USD");
}

#[test]
fn a_call_that_leaves_the_tier_to_the_provider_reserves_at_the_dearest() {
    for bytes in [10, 1_000, 200_000, 200_001, 900_000] {
        let each = ServiceTier::ALL
            .into_iter()
            .filter_map(|tier| row().ceiling(&text(bytes), Some(tier)).ok())
            .map(|money| money.amount())
            .max();
        assert_eq!(row().ceiling(&text(bytes), None).unwrap().amount(), each.unwrap());
    }
}

/// litellm PR 36592: a key at 0.4% of its budget was refused at 100%, by what reservations held in vain.
#[test]
fn a_call_that_bounds_its_output_reserves_no_more_than_that() {
    let unbounded = Bounds { max_output_tokens: None, ..text(1_000) };
    assert_eq!(ceiling(&unbounded, STANDARD), "0.126 USD");
    assert_eq!(ceiling(&text(1_000), STANDARD), "0.0075 USD");
    let no_caching = text(1_000).kinds.without(Kind::CacheWrite).without(Kind::CacheWrite1h);
    assert_eq!(ceiling(&Bounds { kinds: no_caching, ..text(1_000) }, STANDARD), "0.0045 USD");
}

#[test]
fn every_input_byte_may_be_the_dearest_kind_of_token() {
    let bounds = Bounds { kinds: KindSet::ALL, ..text(1_000) };
    assert_eq!(ceiling(&bounds, STANDARD), "0.048 USD", "audio both ways");
    let five_minutes = text(1_000).kinds.without(Kind::CacheWrite1h);
    assert_eq!(ceiling(&Bounds { kinds: five_minutes, ..text(1_000) }, STANDARD), "0.00525 USD");
}

#[test]
fn answers_tool_calls_and_what_is_not_in_the_bytes_count_too() {
    assert_eq!(ceiling(&Bounds { answers: 4, ..text(1_000) }, STANDARD), "0.012 USD");
    assert_eq!(ceiling(&Bounds { answers: 0, ..text(1_000) }, STANDARD), "0.0075 USD");
    assert_eq!(ceiling(&Bounds { server_tool_calls: 3, ..text(1_000) }, STANDARD), "0.0375 USD");
    assert_eq!(ceiling(&Bounds { reads_unseen: true, ..text(1_000) }, STANDARD), "12.00225 USD");
    let template = Bounds { extra_input_tokens: TEMPLATE_TOKENS, ..text(1_000) };
    assert_eq!(ceiling(&template, STANDARD), "0.013644 USD");
    assert_eq!(Bounds::new(5).extra_input_tokens, TEMPLATE_TOKENS);
}

#[test]
fn a_call_without_a_bound_or_a_price_is_unpriced_and_not_free() {
    assert_eq!(refused(&Bounds { images: 1, ..text(1) }), Reason::Kind(Kind::Images));
    assert_eq!(refused(&Bounds { extra_input_tokens: 1, ..text(u64::MAX) }), Reason::TooLarge);
    let answers = Bounds { answers: u64::MAX, ..text(1) };
    assert_eq!(refused(&answers), Reason::TooLarge);
    let unpriced = row().ceiling(&text(1), Some(ServiceTier::Batch));
    assert_eq!(unpriced, Err(Unpriced { reason: Reason::ServiceTier(ServiceTier::Batch) }));

    let bare = ROW.replace("context_window = 1000000\nmax_output = 8000\n", "");
    let bare = PriceList::only(&bare, Format::Toml).unwrap().resolve("acme", "m", 0).unwrap().price;
    let endless = Bounds { max_output_tokens: None, ..text(1) };
    assert_eq!(bare.ceiling(&endless, STANDARD), Err(Unpriced { reason: Reason::OutputLimit }));
    let unseen = Bounds { reads_unseen: true, ..text(1) };
    assert_eq!(bare.ceiling(&unseen, STANDARD), Err(Unpriced { reason: Reason::ContextWindow }));
}

#[test]
fn a_model_that_writes_nothing_needs_no_bound_on_its_output() {
    let list = PriceList::built_in().unwrap();
    let model = list.resolve("openai", "text-embedding-3-small", 0).unwrap().price;
    let bounds = Bounds { extra_input_tokens: 0, ..Bounds::new(1_000) };
    assert_eq!(model.ceiling(&bounds, STANDARD).unwrap().to_string(), "0.00002 USD");
}

fn only(fields: &str) -> Arc<ModelPrice> {
    let row = format!(
        "version = 1\ncurrency = \"USD\"\n[[rows]]\nid = \"x\"\nprovider = \"acme\"\nmodel = \"m\"\n{fields}"
    );
    PriceList::only(&row, Format::Toml).unwrap().resolve("acme", "m", 0).unwrap().price
}

#[test]
fn text_without_a_price_is_unpriced_and_not_reserved_at_nothing() {
    let no_price = |kind| Err(Unpriced { reason: Reason::Kind(kind) });
    let images = only("images = \"0.04\"\n");
    let drawn = Bounds { images: 1, ..text(1_000) };
    assert_eq!(images.ceiling(&drawn, STANDARD), no_price(Kind::Input));
    let no_text = Bounds { kinds: drawn.kinds.without(Kind::Input), ..drawn };
    assert_eq!(images.ceiling(&no_text, STANDARD).unwrap().to_string(), "0.04 USD");
    let nothing_read = Bounds { input_bytes: 0, ..drawn };
    assert_eq!(images.ceiling(&nothing_read, STANDARD).unwrap().to_string(), "0.04 USD");

    let speech = only("input = \"0.000001\"\naudio_output = \"0.00001\"\n");
    let spoken = Bounds { kinds: KindSet::ALL, ..text(1_000) };
    assert_eq!(speech.ceiling(&spoken, STANDARD), no_price(Kind::Output));
    let no_text = Bounds { kinds: KindSet::ALL.without(Kind::Output), ..spoken };
    assert_eq!(speech.ceiling(&no_text, STANDARD).unwrap().to_string(), "0.002 USD");
    assert_eq!(
        speech.ceiling(&Bounds { max_output_tokens: Some(0), ..spoken }, STANDARD).unwrap().to_string(),
        "0.001 USD"
    );
}

#[test]
fn what_is_read_unseen_is_read_again_after_every_tool_call() {
    let unseen = Bounds { reads_unseen: true, max_output_tokens: Some(0), ..text(1_000) };
    // A million tokens at 12 dollars a million, and a cent a tool call.
    assert_eq!(ceiling(&unseen, STANDARD), "12 USD");
    assert_eq!(ceiling(&Bounds { server_tool_calls: 3, ..unseen }, STANDARD), "48.03 USD");
    assert_eq!(refused(&Bounds { server_tool_calls: u64::MAX, ..unseen }), Reason::TooLarge);
}

#[test]
fn an_uplift_and_the_dearest_tool_raise_the_ceiling_and_not_the_price() {
    let row = only(
        "input = \"0.000003\"\nserver_tool_calls = \"0.01\"\ndearest_tool_call = \"0.03\"\nuplift = \"1.1\"\n",
    );
    let bounds = Bounds { max_output_tokens: Some(0), server_tool_calls: 2, ..text(1_000) };
    assert_eq!(row.ceiling(&bounds, STANDARD).unwrap().to_string(), "0.0693 USD");
    let usage = Usage { input: 1_000, server_tool_calls: 2, ..Usage::default() };
    assert_eq!(row.price(&usage, ServiceTier::Standard).unwrap().amount.to_string(), "0.023 USD");
    // A dearest tool cheaper than a search lowers nothing.
    let row = only("server_tool_calls = \"0.01\"\ndearest_tool_call = \"0.005\"\n");
    let bounds = Bounds { server_tool_calls: 2, ..text(0) };
    assert_eq!(row.ceiling(&bounds, STANDARD).unwrap().to_string(), "0.02 USD");
}
