//! The built-in list: whole, priced, and found by the names that calls carry.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is a test's failure report")]

use std::fs;
use std::path::Path;

use creto_metering::Usage;
use creto_prices::{Bounds, Currency, Kind, KindSet, Matched, PriceList, Reason, ServiceTier};

/// 2026-11-21.
const AT_MS: i64 = 1_795_219_200_000;

fn list() -> PriceList {
    PriceList::built_in().unwrap()
}

fn id(provider: &str, model: &str) -> Result<(String, Matched), Reason> {
    list()
        .resolve(provider, model, AT_MS)
        .map(|found| (found.price.id().to_string(), found.matched))
        .map_err(|unpriced| unpriced.reason)
}

#[test]
fn every_file_of_the_folder_is_built_in_and_below_the_cap() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("data");
    let mut rows = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "json") {
            let text = fs::read_to_string(&path).unwrap();
            assert!(text.len() < 40_000, "{} has {} bytes", path.display(), text.len());
            rows += text.lines().filter(|line| line.starts_with("{\"id\"")).count();
        }
    }
    assert_eq!(list().rows().count(), rows);
}

#[test]
fn the_list_says_where_it_is_from() {
    let list = list();
    assert_eq!((list.sources().len(), list.currency()), (1, Some(Currency::USD)));
    let source = &list.sources()[0];
    assert_eq!((source.package.as_str(), source.date.len()), ("litellm", 10));
}

#[test]
fn every_built_in_row_prices_what_its_model_reads_or_makes_and_never_at_nothing() {
    for row in list().rows() {
        let price = |kind| row.rate(kind, ServiceTier::Standard, 1).map(|rate| rate.count()).unwrap_or(0);
        assert!(
            price(Kind::Input) > 0 || price(Kind::AudioInput) > 0 || price(Kind::Images) > 0,
            "{}",
            row.id()
        );
    }
}

#[test]
fn every_main_provider_has_its_models() {
    for (provider, model) in [
        ("openai", "gpt-4o"),
        ("openai", "gpt-5.4"),
        ("anthropic", "claude-haiku-4-5"),
        ("gemini", "gemini-2.5-pro"),
        ("vertex", "gemini-2.5-pro"),
        ("vertex", "claude-sonnet-4-5@20250929"),
        ("bedrock", "us.anthropic.claude-haiku-4-5-20251001-v1:0"),
        ("azure-openai", "gpt-5.4"),
        ("mistral", "mistral-large-latest"),
        ("deepseek", "deepseek-v3.2"),
        ("xai", "grok-4.3"),
        ("groq", "openai/gpt-oss-120b"),
        ("cohere", "command-a-03-2025"),
    ] {
        assert!(list().resolve(provider, model, AT_MS).is_ok(), "{provider} {model}");
    }
}

#[test]
fn names_lead_to_their_own_model_and_to_no_other() {
    let found = |provider, model| id(provider, model).unwrap();
    assert_eq!(found("openai", "GPT-4o"), ("openai:gpt-4o@2026-11-21".to_owned(), Matched::Exact));
    assert_eq!(found("OpenAI", "gpt-4o-2024-08-06").1, Matched::Exact);
    // A snapshot of another price than the undated name has its own row.
    assert_ne!(found("openai", "gpt-4o-2024-05-13").0, found("openai", "gpt-4o").0);
    // A snapshot that the list does not know.
    assert_eq!(
        found("openai", "gpt-4o-2027-02-03"),
        ("openai:gpt-4o@2026-11-21".to_owned(), Matched::Undated)
    );
    // Fine-tuned models cost what their base costs fine-tuned, not what the base costs.
    let tuned = found("openai", "ft:gpt-4o-2024-08-06:acme::x1");
    assert_eq!(tuned, ("openai:ft:gpt-4o-2024-08-06@2026-11-21".to_owned(), Matched::Glob));
    assert_eq!(found("vertex", "publishers/google/models/gemini-2.5-pro").1, Matched::Exact);
    assert_eq!(found("gcp.vertex_ai", "gemini-2.5-pro").0, found("vertex", "gemini-2.5-pro").0);
    assert_ne!(found("gemini", "gemini-2.5-pro").0, found("vertex", "gemini-2.5-pro").0);

    for model in [
        "gpt-4o-2024-05-13-preview",
        "gpt-4o-ultra",
        "gpt-4",
        "gpt-4oo",
        "gpt",
        "4o",
        "gpt-4o-0613",
        "ft:gpt-4o",
        "",
    ] {
        let reason = id("openai", model);
        assert!(
            matches!(&reason, Err(Reason::UnknownModel))
                || reason.as_ref().is_ok_and(|found| found.1 == Matched::Exact),
            "{model}: {reason:?}"
        );
    }
    assert_eq!(id("openai", "gpt-4o-ultra"), Err(Reason::UnknownModel));
    assert_eq!(id("openai", "claude-haiku-4-5"), Err(Reason::UnknownModel));
    assert_eq!(id("unnamed", "gpt-4o"), Err(Reason::UnknownProvider));
}

#[test]
fn regional_profiles_have_their_own_prices() {
    let bedrock = |model| list().resolve("bedrock", model, AT_MS).unwrap().price;
    let rate = |model| bedrock(model).rate(Kind::Input, ServiceTier::Standard, 0).unwrap().to_string();
    assert_eq!(rate("anthropic.claude-haiku-4-5-20251001-v1:0"), "0.000001");
    assert_eq!(rate("us.anthropic.claude-haiku-4-5-20251001-v1:0"), "0.0000011");
}

#[test]
fn todays_long_contexts_and_tiers_are_priced() {
    let gemini = list().resolve("gemini", "gemini-2.5-pro", AT_MS).unwrap().price;
    let usage = Usage { input: 5_005, cached_input: 257_955, output: 1_744, ..Usage::default() };
    let at = |tier| gemini.price(&usage, tier).map(|priced| priced.amount.to_string());
    // 5005 at 2.50, 257955 at 0.25, 1744 at 15 dollars a million.
    assert_eq!(at(ServiceTier::Standard).unwrap(), "0.10316125 USD");
    assert_eq!(at(ServiceTier::Priority).unwrap(), "0.18569025 USD");
    assert_eq!(at(ServiceTier::Flex).unwrap_err().reason, Reason::LongContext(ServiceTier::Flex));

    // xAI's long context begins at 200,000 tokens, the others' above.
    let grok = list().resolve("xai", "grok-4.3", AT_MS).unwrap().price;
    let context = |input| {
        grok.price(&Usage { input, ..Usage::default() }, ServiceTier::Standard).unwrap().context_above
    };
    assert_eq!((context(199_999), context(200_000)), (0, 199_999));

    let haiku = list().resolve("anthropic", "claude-haiku-4-5", AT_MS).unwrap().price;
    let writes = Usage { cache_write: 1_000, cache_write_1h: 1_000, ..Usage::default() };
    let cost = haiku.price(&writes, ServiceTier::Standard).unwrap().amount;
    assert_eq!(cost.to_string(), "0.00325 USD");
}

#[test]
fn a_ceiling_can_be_told_for_nearly_every_built_in_model() {
    let list = list();
    let bounds = Bounds { max_output_tokens: Some(1_000), ..Bounds::new(10_000) };
    for row in list.rows() {
        let mut bounds = bounds;
        if row.rate(Kind::Input, ServiceTier::Standard, 0).is_err() {
            // Priced by the image or the token of audio: only a call that says so has a ceiling.
            let refused = row.ceiling(&bounds, Some(ServiceTier::Standard)).unwrap_err();
            assert_eq!(refused.reason, Reason::Kind(Kind::Input), "{}", row.id());
            bounds.kinds = bounds.kinds.without(Kind::Input);
        }
        assert!(row.ceiling(&bounds, Some(ServiceTier::Standard)).is_ok(), "{}", row.id());
    }
    let unbounded = list.rows().filter(|row| row.ceiling(&Bounds::new(10_000), None).is_err()).count();
    assert!(unbounded * 10 < list.rows().count(), "{unbounded} rows do not know their most output");
}

#[test]
fn no_model_that_writes_does_so_for_nothing() {
    for row in list().rows().filter(|row| row.max_output().is_some()) {
        for tier in ServiceTier::ALL {
            let free = row.rate(Kind::Output, tier, 0).is_ok_and(|rate| rate.count() == 0);
            assert!(!free, "{} at {tier:?}", row.id());
        }
    }
    // Its entry in the list is the router's own fee; the models behind it bill besides.
    assert_eq!(id("azure-openai", "model-router"), Err(Reason::UnknownModel));
}

#[test]
fn what_the_public_list_has_wrong_is_not_taken_over() {
    let all = list();
    for row in all.rows() {
        let rate = |kind| row.rate(kind, ServiceTier::Standard, 0).ok();
        assert!(rate(Kind::CacheWrite) >= rate(Kind::Input), "{}: writing costs less than reading", row.id());
    }
    let tuned = all.resolve("openai", "ft:gpt-4o-2024-11-20", AT_MS).unwrap().price;
    let rate = |kind| tuned.rate(kind, ServiceTier::Standard, 0).unwrap().to_string();
    assert_eq!(
        (rate(Kind::CachedInput).as_str(), rate(Kind::CacheWrite).as_str()),
        ("0.000001875", "0.00000375")
    );

    assert_eq!(id("cohere", "embed-multilingual-light-v3.0"), Err(Reason::UnknownModel));
    assert_eq!(id("vertex", "lyria-002"), Err(Reason::UnknownModel));
}

#[test]
fn a_ceiling_covers_the_dearest_region_and_speed_and_the_dearest_tool() {
    let list = list();
    let told = |provider, model, tools| {
        let price = list.resolve(provider, model, AT_MS).unwrap().price;
        let kinds = KindSet::ALL.without(Kind::CacheWrite).without(Kind::CacheWrite1h);
        let bounds = Bounds {
            extra_input_tokens: 0,
            max_output_tokens: Some(0),
            server_tool_calls: tools,
            kinds,
            ..Bounds::new(1_000_000 * u64::from(tools == 0))
        };
        let usage = Usage { input: bounds.input_bytes, server_tool_calls: tools, ..Usage::default() };
        let cost = price.price(&usage, ServiceTier::Standard).unwrap().amount;
        let ceiling = price.ceiling(&bounds, Some(ServiceTier::Standard)).unwrap();
        (cost.to_string(), ceiling.to_string())
    };
    let pair = |cost: &str, ceiling: &str| (format!("{cost} USD"), format!("{ceiling} USD"));
    // Data kept in the US costs a tenth more; the fast mode twice as much, and both together 2.2 times.
    assert_eq!(told("anthropic", "claude-sonnet-4-6", 0), pair("3", "3.3"));
    assert_eq!(told("anthropic", "claude-opus-4-8", 0), pair("5", "11"));
    assert_eq!(told("vertex", "claude-haiku-4-5", 0), pair("1", "1.1"));
    // A code container costs three web searches.
    assert_eq!(told("openai", "gpt-5.1", 2), pair("0.02", "0.06"));
}

#[test]
fn audio_at_a_faster_tier_is_unpriced_rather_than_at_the_standard_price() {
    let model = list().resolve("gemini", "gemini-3.1-flash-lite-preview", AT_MS).unwrap().price;
    let audio = |tier| model.rate(Kind::AudioInput, tier, 0).map(|rate| rate.to_string());
    assert_eq!(audio(ServiceTier::Standard).unwrap(), "0.0000005");
    assert_eq!(audio(ServiceTier::Priority).unwrap_err().reason, Reason::Kind(Kind::AudioInput));
    assert_eq!(audio(ServiceTier::Batch).unwrap(), "0.00000025");
}
