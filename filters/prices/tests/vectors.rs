//! Published worked numbers of token prices, to the last decimal.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is a test's failure report")]

use std::sync::Arc;

use creto_metering::Usage;
use creto_prices::{Format, Kind, ModelPrice, PriceList, Priced, Reason, ServiceTier, Unpriced};

/// A row with these prices.
fn model(fields: &str) -> Arc<ModelPrice> {
    let text = format!(
        "version = 1\ncurrency = \"USD\"\n[[rows]]\nid = \"acme:m@1\"\nprovider = \"acme\"\nmodel = \"m\"\n{fields}"
    );
    PriceList::only(&text, Format::Toml).unwrap().resolve("acme", "m", 0).unwrap().price
}

fn standard(model: &ModelPrice, usage: &Usage) -> Priced {
    model.price(usage, ServiceTier::Standard).unwrap()
}

fn unpriced(reason: Reason) -> Result<Priced, Unpriced> {
    Err(Unpriced { reason })
}

const SONNET: &str = r#"
input = "0.000003"
output = "0.000015"
cache_write = "0.00000375"
cache_write_1h = "0.000006"
cached_input = "0.0000003"
"#;

#[test]
fn l1_cache_writes_beside_the_input_are_not_billed_as_input() {
    let usage = Usage { input: 3, cache_write: 12_304, output: 550, ..Usage::default() };
    let priced = standard(&model(SONNET), &usage);
    assert_eq!(priced.amount.to_string(), "0.054399 USD");
    assert_ne!(priced.amount.to_string(), "0.091311 USD", "the bug's value");
    // What the provider's own console shows: 4.614 and 0.825 cents.
    let lines: Vec<_> = priced.lines().map(|line| (line.kind, line.count, line.amount.to_string())).collect();
    assert_eq!(
        lines,
        [
            (Kind::Input, 3, "0.000009".to_owned()),
            (Kind::CacheWrite, 12_304, "0.04614".to_owned()),
            (Kind::Output, 550, "0.00825".to_owned()),
        ]
    );
    assert_eq!(&*priced.price_id, "acme:m@1");
}

#[test]
fn l2_input_that_includes_the_cached_part_is_billed_once() {
    let usage = Usage { input: 262_960 - 257_955, cached_input: 257_955, output: 1_744, ..Usage::default() };
    let base = "input = \"0.00000125\"\ncached_input = \"0.000000625\"\noutput = \"0.00001\"\n";
    assert_eq!(standard(&model(base), &usage).amount.to_string(), "0.184918125 USD");

    let long = format!("{base}[[rows.long]]\nabove = 200000\ninput = \"0.0000025\"\noutput = \"0.000015\"\n");
    let priced = standard(&model(&long), &usage);
    assert_eq!((priced.amount.to_string().as_str(), priced.context_above), ("0.199894375 USD", 200_000));
}

#[test]
fn l3_a_cache_hit_costs_a_tenth() {
    let usage = Usage { input: 20_212 - 16_298, cached_input: 16_298, output: 931, ..Usage::default() };
    let row = model("input = \"0.0000005\"\ncached_input = \"0.00000005\"\noutput = \"0.000003\"\n");
    assert_eq!(standard(&row, &usage).amount.to_string(), "0.0055649 USD");
}

#[test]
fn l4_cached_and_written_parts_come_off_the_prompt() {
    let usage = Usage { input: 2_000 - 500 - 300, cached_input: 500, cache_write: 300, ..Usage::default() };
    assert_eq!(standard(&model(SONNET), &usage).amount.to_string(), "0.004875 USD");
}

#[test]
fn writes_to_the_longer_cache_have_their_own_price() {
    let usage = Usage { cache_write: 1_000, cache_write_1h: 1_000, ..Usage::default() };
    assert_eq!(standard(&model(SONNET), &usage).amount.to_string(), "0.00975 USD");
}

#[test]
fn a_long_context_begins_above_its_threshold_and_reprices_the_whole_call() {
    let row = model(
        "input = \"0.000001\"\noutput = \"0.000005\"\ncached_input = \"0.0000001\"\n\
         [[rows.long]]\nabove = 200000\nup_to = 500000\ninput = \"0.000002\"\noutput = \"0.000007\"\n\
         [[rows.long]]\nabove = 500000\ninput = \"0.000004\"\n",
    );
    let total = |input, cached_input| {
        standard(&row, &Usage { input, cached_input, output: 10, ..Usage::default() }).amount.to_string()
    };
    assert_eq!(total(200_000, 0), "0.20005 USD");
    assert_eq!(total(200_001, 0), "0.400072 USD");
    // Cached tokens count towards the threshold, and keep their price where the entry has none for them.
    assert_eq!(total(1, 200_000), "0.020072 USD");
    // The second entry leaves the output as it was in the first.
    assert_eq!(total(500_000, 0), "1.00007 USD");
    assert_eq!(total(500_001, 0), "2.000074 USD");
}

#[test]
fn a_service_tier_has_its_own_prices_and_an_unknown_one_none() {
    let row = model(
        "input = \"0.000001\"\noutput = \"0.000005\"\nserver_tool_calls = \"0.01\"\n\
         [[rows.long]]\nabove = 200000\ninput = \"0.000002\"\n\
         [rows.priority]\ninput = \"0.000002\"\noutput = \"0.00001\"\n\
         [rows.batch]\ninput = \"0.0000005\"\noutput = \"0.0000025\"\n\
         [[rows.batch.long]]\nabove = 200000\ninput = \"0.000001\"\n",
    );
    let usage = Usage { input: 100, output: 10, server_tool_calls: 1, ..Usage::default() };
    let at = |tier| row.price(&usage, tier).map(|priced| priced.amount.to_string());
    assert_eq!(at(ServiceTier::Standard).unwrap(), "0.01015 USD");
    assert_eq!(at(ServiceTier::Priority).unwrap(), "0.0103 USD");
    assert_eq!(at(ServiceTier::Batch).unwrap(), "0.010075 USD");
    assert_eq!(row.price(&usage, ServiceTier::Flex), unpriced(Reason::ServiceTier(ServiceTier::Flex)));

    let long = Usage { input: 200_001, ..Usage::default() };
    assert_eq!(row.price(&long, ServiceTier::Batch).unwrap().amount.to_string(), "0.200001 USD");
    assert_eq!(
        row.price(&long, ServiceTier::Priority),
        unpriced(Reason::LongContext(ServiceTier::Priority)),
        "not sold for long contexts: no guess"
    );
}

#[test]
fn spellings_of_service_tiers_are_read_and_bought_capacity_is_unpriced() {
    for (text, tier) in [
        (None, ServiceTier::Standard),
        (Some("default"), ServiceTier::Standard),
        (Some("standard"), ServiceTier::Standard),
        (Some("ON_DEMAND"), ServiceTier::Standard),
        (Some("priority"), ServiceTier::Priority),
        (Some("Flex"), ServiceTier::Flex),
        (Some("batch"), ServiceTier::Batch),
    ] {
        assert_eq!(ServiceTier::told(text), Ok(tier), "{text:?}");
    }
    for text in ["scale", "auto", "PROVISIONED_THROUGHPUT", "reserved"] {
        assert_eq!(
            ServiceTier::told(Some(text)),
            Err(Unpriced { reason: Reason::UnknownServiceTier }),
            "{text}"
        );
    }
}

#[test]
fn a_kind_without_a_price_is_billed_by_convention_or_unpriced_and_never_free() {
    let row = model("input = \"0.000001\"\noutput = \"0.000005\"\n");
    for (usage, amount, billed_as) in [
        (Usage { cached_input: 10, ..Usage::default() }, "0.00001 USD", Kind::Input),
        (Usage { cache_write: 10, ..Usage::default() }, "0.00001 USD", Kind::Input),
        (Usage { image_input: 10, ..Usage::default() }, "0.00001 USD", Kind::Input),
        (Usage { reasoning: 10, ..Usage::default() }, "0.00005 USD", Kind::Output),
    ] {
        let priced = standard(&row, &usage);
        let line = priced.lines().next().unwrap();
        assert_eq!((priced.amount.to_string().as_str(), line.billed_as), (amount, billed_as));
    }
    for (usage, kind) in [
        (Usage { audio_input: 1, ..Usage::default() }, Kind::AudioInput),
        (Usage { audio_output: 1, ..Usage::default() }, Kind::AudioOutput),
        (Usage { cache_write_1h: 1, ..Usage::default() }, Kind::CacheWrite1h),
        (Usage { images: 1, ..Usage::default() }, Kind::Images),
        (Usage { server_tool_calls: 1, ..Usage::default() }, Kind::ServerToolCalls),
    ] {
        assert_eq!(row.price(&usage, ServiceTier::Standard), unpriced(Reason::Kind(kind)));
    }
}

#[test]
fn an_estimate_stays_marked_and_a_sum_too_large_is_an_error() {
    let row = model("input = \"1000000\"\noutput = \"0\"\n");
    let usage = Usage { input: 1, estimated: true, ..Usage::default() };
    assert!(standard(&row, &usage).estimated);
    let usage = Usage { input: u64::MAX, output: 1, ..Usage::default() };
    assert_eq!(row.price(&usage, ServiceTier::Standard), unpriced(Reason::TooLarge));
}
