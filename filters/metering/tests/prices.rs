//! Published price vectors: the tokens of an answer, each kind at its price, cost what the bill said.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is a test's failure report")]

#[allow(dead_code, reason = "every test uses its own part of it")]
mod support;

use creto_metering::{Encoding, Usage};
use support::goldens;

/// Prices of a million tokens, in 10^-5 US dollars: whole for every price here.
struct Price {
    input: u64,
    cached_input: u64,
    cache_write: u64,
    output: u64,
}

impl Price {
    /// In 10^-11 US dollars.
    fn cost(&self, usage: &Usage) -> u64 {
        usage.input * self.input
            + usage.cached_input * self.cached_input
            + usage.cache_write * self.cache_write
            + usage.output * self.output
    }
}

fn usage(name: &str) -> Usage {
    let golden = goldens().into_iter().find(|golden| golden.name == name).unwrap();
    golden.replay(Encoding::Identity, [golden.body.as_slice()]).usage
}

#[test]
fn l1_anthropic_cache_writes_are_beside_the_input() {
    let price = Price { input: 300_000, cached_input: 30_000, cache_write: 375_000, output: 1_500_000 };
    // 0.054399 USD; as part of the input it would be 0.091311.
    assert_eq!(price.cost(&usage("anthropic/message-cache-write-l1.json")), 5_439_900_000);
}

#[test]
fn l2_gemini_cached_input_is_within_the_input() {
    let price = Price { input: 125_000, cached_input: 62_500, cache_write: 0, output: 1_000_000 };
    // 0.184918125 USD; counted beside the input it would be several times that.
    assert_eq!(price.cost(&usage("gemini/generate-cached-l2.json")), 18_491_812_500);
    let long = Price { input: 250_000, cached_input: 62_500, cache_write: 0, output: 1_500_000 };
    // 0.199894375 USD in the tier of long prompts.
    assert_eq!(long.cost(&usage("gemini/generate-cached-l2.json")), 19_989_437_500);
}

#[test]
fn l3_openai_cached_input_is_within_the_input() {
    let price = Price { input: 50_000, cached_input: 5_000, cache_write: 0, output: 300_000 };
    // 0.0055649 USD.
    assert_eq!(price.cost(&usage("openai/chat-cached-l3.json")), 556_490_000);
}

#[test]
fn l4_openai_cache_writes_are_within_the_input() {
    let price = Price { input: 300_000, cached_input: 30_000, cache_write: 375_000, output: 0 };
    // 0.004875 USD; bug: 0.005775.
    assert_eq!(price.cost(&usage("openai/chat-cache-write-l4.json")), 487_500_000);
}
