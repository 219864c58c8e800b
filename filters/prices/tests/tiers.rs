//! What a service tier's prices are where its row leaves them out.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is a test's failure report")]

use creto_prices::{Format, Kind, PriceList, Reason, ServiceTier};

const ROW: &str = r#"
version = 1
currency = "USD"
[[rows]]
id = "acme:m@1"
provider = "acme"
model = "m"
input = "3"
output = "15"
audio_input = "40"
images = "1"
server_tool_calls = "7"
[[rows.long]]
above = 100000
output = "20"
[[rows.long]]
above = 200000
input = "6"
audio_input = "80"
[rows.priority]
input = "6"
output = "30"
[[rows.priority.long]]
above = 200000
input = "12"
[rows.ultrafast]
input = "4"
output = "16"
[[rows.ultrafast.long]]
above = 200000
input = "12"
[rows.flex]
input = "1"
[[rows.flex.long]]
above = 200000
input = "2"
"#;

fn rate(kind: Kind, tier: ServiceTier, input_tokens: u64) -> Result<String, Reason> {
    let row = PriceList::only(ROW, Format::Toml).unwrap().resolve("acme", "m", 0).unwrap().price;
    row.rate(kind, tier, input_tokens).map(|rate| rate.to_string()).map_err(|unpriced| unpriced.reason)
}

#[test]
fn a_faster_tier_keeps_its_own_price_in_a_longer_context_unless_the_standard_one_is_dearer() {
    let output = |tier, tokens| rate(Kind::Output, tier, tokens).unwrap();
    assert_eq!(output(ServiceTier::Priority, 0), "30");
    assert_eq!(output(ServiceTier::Priority, 200_001), "30");
    assert_eq!(output(ServiceTier::Ultrafast, 0), "16");
    assert_eq!(output(ServiceTier::Ultrafast, 200_001), "20");
    assert_eq!(rate(Kind::Input, ServiceTier::Priority, 200_001).unwrap(), "12");
}

#[test]
fn a_standard_price_changed_at_a_threshold_where_a_tier_is_not_sold_holds_above_it_too() {
    assert_eq!(rate(Kind::Output, ServiceTier::Flex, 0).unwrap(), "15");
    let unsold = Err(Reason::LongContext(ServiceTier::Flex));
    assert_eq!(rate(Kind::Output, ServiceTier::Flex, 100_001), unsold);
    assert_eq!(rate(Kind::Output, ServiceTier::Flex, 200_001).unwrap(), "20");
    assert_eq!(rate(Kind::Input, ServiceTier::Flex, 200_001).unwrap(), "2");
}

#[test]
fn audio_and_images_that_a_faster_tier_leaves_out_are_unpriced() {
    for kind in [Kind::AudioInput, Kind::Images] {
        for tokens in [0, 200_001] {
            for tier in [ServiceTier::Priority, ServiceTier::Ultrafast] {
                assert_eq!(rate(kind, tier, tokens), Err(Reason::Kind(kind)), "{tier:?}");
            }
            let standard = rate(kind, ServiceTier::Standard, tokens);
            assert_eq!(rate(kind, ServiceTier::Flex, tokens), standard);
        }
    }
    assert_eq!(rate(Kind::ServerToolCalls, ServiceTier::Priority, 0).unwrap(), "7");
}
