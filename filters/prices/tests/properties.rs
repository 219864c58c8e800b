//! What holds for every built-in model and any usage.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is a test's failure report")]

use std::sync::{Arc, LazyLock};

use creto_metering::Usage;
use creto_prices::{Bounds, Kind, KindSet, ModelPrice, PriceList, Reason, ServiceTier, Unpriced};
use proptest::prelude::*;
use proptest::sample::{Index, select};

static ROWS: LazyLock<Vec<Arc<ModelPrice>>> =
    LazyLock::new(|| PriceList::built_in().unwrap().rows().cloned().collect());

/// Input tokens on either side of every threshold of the built-in list.
const CONTEXTS: [u64; 6] = [0, 100_001, 128_001, 200_001, 272_001, 1 << 39];

fn usage_of(counts: [u64; Kind::ALL.len()]) -> Usage {
    let [input, cached_input, cache_write, cache_write_1h, output, reasoning, rest @ ..] = counts;
    let [audio_input, audio_output, image_input, images, server_tool_calls] = rest;
    Usage {
        input,
        cached_input,
        cache_write,
        cache_write_1h,
        output,
        reasoning,
        audio_input,
        audio_output,
        image_input,
        images,
        server_tool_calls,
        estimated: false,
    }
}

/// A usage with nothing of the kinds that the model has no price for.
fn priceable(model: &ModelPrice, tier: ServiceTier, mut counts: [u64; Kind::ALL.len()]) -> Usage {
    for (kind, count) in Kind::ALL.into_iter().zip(&mut counts) {
        if model.rate(kind, tier, 0).is_err() {
            *count = 0;
        }
    }
    usage_of(counts)
}

fn model() -> impl Strategy<Value = Arc<ModelPrice>> {
    any::<Index>().prop_map(|index| Arc::clone(index.get(&ROWS)))
}

fn tier() -> impl Strategy<Value = ServiceTier> {
    select(&ServiceTier::ALL[..])
}

/// Small and large counts alike, around the thresholds of long contexts too.
fn count() -> impl Strategy<Value = u64> {
    prop_oneof![
        Just(0),
        0_u64..300,
        0_u64..400_000,
        99_990_u64..100_010,
        199_990_u64..200_010,
        271_990_u64..272_010
    ]
}

/// A part in a hundred, all of it often.
fn part() -> impl Strategy<Value = u64> {
    prop_oneof![Just(100), 0_u64..=100]
}

fn counts() -> impl Strategy<Value = [u64; Kind::ALL.len()]> {
    proptest::array::uniform11(count())
}

/// Cuts `total` into one part for each of `kinds`, at the weights given.
fn share(counts: &mut [u64; Kind::ALL.len()], kinds: &[Kind], total: u64, weights: &[u64]) {
    let sum: u64 = weights.iter().take(kinds.len()).sum::<u64>().max(1);
    let mut left = total;
    for (kind, weight) in kinds.iter().zip(weights) {
        let part = (total * weight / sum).min(left);
        counts[kind.index_for_tests()] = part;
        left -= part;
    }
    if let Some(kind) = kinds.last() {
        counts[kind.index_for_tests()] += left;
    }
}

trait Place {
    fn index_for_tests(self) -> usize;
}

impl Place for Kind {
    fn index_for_tests(self) -> usize {
        Kind::ALL.iter().position(|kind| *kind == self).unwrap()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn no_usage_within_the_bounds_costs_more_than_the_ceiling(
        (model, asked, served) in (model(), proptest::option::of(tier()), tier()),
        (bytes, extra, answers) in (count(), 0_u64..2_000, 0_u64..4),
        (most, reads_unseen) in (proptest::option::of(0_u64..200_000), any::<bool>()),
        (images, tools) in (0_u64..3, 0_u64..3),
        (read_weights, written_weights) in (proptest::array::uniform6(0_u64..5), proptest::array::uniform3(0_u64..5)),
        (read_part, written_part) in (part(), part()),
        absent in proptest::collection::vec(select(&Kind::ALL[..]), 0..4),
    ) {
        // A faster tier can be served as standard; any other as itself; none asked, as anything.
        let served = match asked {
            Some(ServiceTier::Priority | ServiceTier::Ultrafast) if served == ServiceTier::Standard => served,
            Some(asked) => asked,
            None => served,
        };
        let kinds = absent.iter().fold(KindSet::ALL, |set, kind| set.without(*kind));
        let bounds = Bounds {
            input_bytes: bytes,
            extra_input_tokens: extra,
            reads_unseen,
            max_output_tokens: most,
            answers,
            images,
            server_tool_calls: tools,
            kinds,
        };
        let priced = |kind: Kind| model.rate(kind, served, 0).is_ok();
        let here = |all: &[Kind]| -> Vec<Kind> {
            all.iter().copied().filter(|kind| kinds.has(*kind) && priced(*kind)).collect()
        };
        let reads = match model.context_window().filter(|_| reads_unseen) {
            Some(window) => window.max(bytes + extra) * (1 + tools),
            None => bytes + extra,
        };
        let writes = most.or(model.max_output()).unwrap_or(0) * answers.max(1);
        let mut counts = [0; Kind::ALL.len()];
        share(&mut counts, &here(&Kind::READ), reads * read_part / 100, &read_weights);
        share(&mut counts, &here(&Kind::WRITTEN), writes * written_part / 100, &written_weights);
        for (kind, count) in [(Kind::Images, images), (Kind::ServerToolCalls, tools)] {
            counts[kind.index_for_tests()] = if priced(kind) { count } else { 0 };
        }
        let usage = usage_of(counts);

        let ceiling = model.ceiling(&bounds, asked);
        match (&ceiling, model.price(&usage, served)) {
            (Ok(ceiling), Ok(priced)) => {
                let uplifted = priced.amount.amount().checked_mul_up(model.uplift()).unwrap();
                prop_assert!(
                    uplifted <= ceiling.amount(),
                    "{} at {served:?}: {uplifted} over {ceiling}", model.id()
                );
            }
            (_, Err(unpriced)) => prop_assert!(
                matches!(unpriced.reason, Reason::ServiceTier(_) | Reason::LongContext(_)),
                "{}: {unpriced}", model.id()
            ),
            (Err(_), Ok(_)) => {}
        }
        // The ceiling is told unless something that the call may use has no price or no bound, and only then.
        let reach: &[ServiceTier] = match &asked {
            Some(asked) => &[*asked, ServiceTier::Standard],
            None => &ServiceTier::ALL,
        };
        let lacks = |kind: Kind| {
            let no_price = Err(Unpriced { reason: Reason::Kind(kind) });
            reach.iter().any(|tier| CONTEXTS.iter().any(|tokens| model.rate(kind, *tier, *tokens) == no_price))
        };
        match ceiling.map_err(|unpriced| unpriced.reason) {
            Err(Reason::ServiceTier(tier)) => prop_assert_eq!(Some(tier), asked),
            Err(Reason::OutputLimit) => prop_assert!(most.is_none() && model.max_output().is_none()),
            Err(Reason::ContextWindow) => prop_assert!(reads_unseen && model.context_window().is_none()),
            Err(Reason::Kind(kind)) => prop_assert!(kinds.has(kind) && lacks(kind) || images + tools > 0),
            Err(reason) => prop_assert!(false, "{}: {reason}", model.id()),
            Ok(_) => {
                let tier = asked.unwrap_or(ServiceTier::Standard);
                let lacks = |kind: Kind| kinds.has(kind) && model.rate(kind, tier, 0).is_err();
                let writes_something = Kind::WRITTEN.iter().any(|kind| model.rate(*kind, tier, 0).is_ok());
                prop_assert!(bytes + extra == 0 || !lacks(Kind::Input), "{}", model.id());
                prop_assert!(writes == 0 || !writes_something || !lacks(Kind::Output), "{}", model.id());
            }
        }
    }

    #[test]
    fn a_usage_cut_in_two_costs_the_same_within_a_context_tier(
        model in model(), tier in tier(), a in counts(), b in counts(),
    ) {
        let [a, b] = [a, b].map(|counts| priceable(&model, tier, counts));
        let whole = model.price(&a.plus(&b), tier);
        if let (Ok(a), Ok(b), Ok(whole)) = (model.price(&a, tier), model.price(&b, tier), whole)
            && a.context_above == whole.context_above
            && b.context_above == whole.context_above
        {
            prop_assert_eq!(a.amount.checked_add(&b.amount).unwrap(), whole.amount);
        }
    }

    #[test]
    fn more_usage_never_costs_less(model in model(), tier in tier(), a in counts(), more in counts()) {
        let [a, more] = [a, more].map(|counts| priceable(&model, tier, counts));
        if let (Ok(a), Ok(sum)) = (model.price(&a, tier), model.price(&a.plus(&more), tier)) {
            prop_assert!(a.amount.checked_cmp(&sum.amount).unwrap().is_le(), "{}", model.id());
        }
    }

    #[test]
    fn the_lines_sum_to_the_amount_and_name_every_kind_once(model in model(), tier in tier(), counts in counts()) {
        let usage = priceable(&model, tier, counts);
        if let Ok(priced) = model.price(&usage, tier) {
            let sum: i128 = priced.lines().map(|line| line.rate.count() * i128::from(line.count)).sum();
            prop_assert_eq!(sum, priced.amount.amount().count());
            let used = usage.counts().into_iter().filter(|count| *count > 0);
            prop_assert!(used.eq(priced.lines().map(|line| line.count)));
        }
    }
}

#[test]
fn no_built_in_model_gets_cheaper_with_a_longer_context() {
    for model in ROWS.iter() {
        for kind in Kind::ALL {
            let rates = CONTEXTS.map(|tokens| model.rate(kind, ServiceTier::Standard, tokens).ok());
            assert!(rates.is_sorted(), "{} {kind:?}: {rates:?}", model.id());
        }
    }
}
