//! What holds for every built-in model and any usage.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is a test's failure report")]

use std::sync::{Arc, LazyLock};

use creto_metering::Usage;
use creto_prices::{Bounds, Kind, KindSet, ModelPrice, PriceList, Reason, ServiceTier};
use proptest::prelude::*;
use proptest::sample::{Index, select};

static ROWS: LazyLock<Vec<Arc<ModelPrice>>> =
    LazyLock::new(|| PriceList::built_in().unwrap().rows().cloned().collect());

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
        (bytes, extra, most, answers) in (count(), 0_u64..2_000, 0_u64..200_000, 0_u64..4),
        (images, tools) in (0_u64..3, 0_u64..3),
        (read_weights, written_weights) in (proptest::array::uniform6(0_u64..5), proptest::array::uniform3(0_u64..5)),
        (read_part, written_part) in (0_u64..=100, 0_u64..=100),
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
            max_output_tokens: Some(most),
            answers,
            images,
            server_tool_calls: tools,
            kinds,
            ..Bounds::new(0)
        };
        let here = |all: &[Kind]| -> Vec<Kind> {
            let priced = |kind: &Kind| kinds.has(*kind) && model.rate(*kind, served, 0).is_ok();
            all.iter().copied().filter(priced).collect()
        };
        let mut counts = [0; Kind::ALL.len()];
        share(&mut counts, &here(&Kind::READ), (bytes + extra) * read_part / 100, &read_weights);
        let written = most * answers.max(1) * written_part / 100;
        share(&mut counts, &here(&Kind::WRITTEN), written, &written_weights);
        let [.., image_count, tool_count] = &mut counts;
        (*image_count, *tool_count) = (images, tools);
        let usage = usage_of(counts);

        match (model.ceiling(&bounds, asked), model.price(&usage, served)) {
            (Ok(ceiling), Ok(priced)) => prop_assert!(
                priced.amount.checked_cmp(&ceiling).unwrap().is_le(),
                "{} at {served:?}: {} over {ceiling}", model.id(), priced.amount
            ),
            // What cannot be reserved cannot be priced either, but for a tier that the row does not have: such a call
            // does not leave with a reservation, although it might be served as standard.
            (Err(unpriced), Ok(_)) => {
                let absent = asked.map(Reason::ServiceTier);
                prop_assert!(Some(unpriced.reason) == absent && asked != Some(served), "{}: {unpriced}", model.id());
            }
            (_, Err(unpriced)) => prop_assert!(matches!(
                unpriced.reason,
                Reason::ServiceTier(_) | Reason::LongContext(_) | Reason::Kind(Kind::Images | Kind::ServerToolCalls)
            ), "{}: {unpriced}", model.id()),
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
            let rates = [0, 100_001, 128_001, 200_001, 272_001, 1 << 39]
                .map(|tokens| model.rate(kind, ServiceTier::Standard, tokens).ok());
            assert!(rates.is_sorted(), "{} {kind:?}: {rates:?}", model.id());
        }
    }
}
