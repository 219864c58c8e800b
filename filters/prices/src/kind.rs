//! Kinds of usage, and at which price a kind without its own is billed.

use creto_metering::Usage;

/// How many kinds there are.
pub(crate) const KINDS: usize = Usage::KINDS.len();

/// A kind of usage, in the order of [`Usage::counts`] and under the names of [`Usage::KINDS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Kind {
    /// Tokens read at the full price.
    Input,
    /// Tokens read from the provider's cache.
    CachedInput,
    /// Tokens written to the provider's short cache.
    CacheWrite,
    /// Tokens written to the provider's longer cache: an hour with Anthropic, a day with OpenAI.
    CacheWrite1h,
    /// Tokens written, without reasoning and audio.
    Output,
    /// Tokens of reasoning.
    Reasoning,
    /// Audio tokens read.
    AudioInput,
    /// Audio tokens written.
    AudioOutput,
    /// Image and video tokens read.
    ImageInput,
    /// Images generated, a count.
    Images,
    /// Calls of tools that the provider ran, a count.
    ServerToolCalls,
}

impl Kind {
    /// All of them, in order.
    pub const ALL: [Kind; KINDS] = [
        Kind::Input,
        Kind::CachedInput,
        Kind::CacheWrite,
        Kind::CacheWrite1h,
        Kind::Output,
        Kind::Reasoning,
        Kind::AudioInput,
        Kind::AudioOutput,
        Kind::ImageInput,
        Kind::Images,
        Kind::ServerToolCalls,
    ];
    /// Kinds of tokens that the model reads: what [`Usage::input_total`] sums.
    pub const READ: [Kind; 6] = [
        Kind::Input,
        Kind::CachedInput,
        Kind::CacheWrite,
        Kind::CacheWrite1h,
        Kind::AudioInput,
        Kind::ImageInput,
    ];
    /// Kinds of tokens that the model writes: what [`Usage::output_total`] sums.
    pub const WRITTEN: [Kind; 3] = [Kind::Output, Kind::Reasoning, Kind::AudioOutput];

    /// Its name, which is the field of a price row too.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        Usage::KINDS[self.index()]
    }

    pub(crate) const fn index(self) -> usize {
        self as usize
    }

    /// The kind at whose price this one is billed when a row has no price for it:
    ///
    /// - cached input at the input price: without a discount the tokens are read like any other;
    /// - cache writes at the input price: providers without a surcharge bill them so. Writes to the *longer* cache
    ///   have no such convention: where they are sold they cost more than the short ones;
    /// - reasoning at the output price: every provider that does not price it apart counts it as output;
    /// - image input at the input price: providers that do not price image tokens apart bill them as text.
    ///
    /// Nothing else has one: audio, images, and tool calls without a price are unpriced.
    #[must_use]
    pub const fn billed_at(self) -> Option<Kind> {
        match self {
            Kind::CachedInput | Kind::CacheWrite | Kind::ImageInput => Some(Kind::Input),
            Kind::Reasoning => Some(Kind::Output),
            _ => None,
        }
    }
}

/// A set of kinds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KindSet(u16);

impl KindSet {
    /// Every kind.
    pub const ALL: KindSet = KindSet((1 << KINDS) - 1);

    /// The set without `kind`.
    #[must_use]
    pub const fn without(self, kind: Kind) -> Self {
        Self(self.0 & !(1 << kind.index()))
    }

    /// The kind is in it.
    #[must_use]
    pub const fn has(self, kind: Kind) -> bool {
        self.0 & (1 << kind.index()) != 0
    }
}

#[cfg(test)]
mod tests {
    use super::{Kind, KindSet};
    use creto_metering::Usage;

    #[test]
    fn kinds_stand_in_the_order_of_the_counts() {
        let usage =
            Usage { cached_input: 1, cache_write_1h: 2, audio_output: 3, images: 4, ..Usage::default() };
        let counts = usage.counts();
        for (kind, count) in
            [(Kind::CachedInput, 1), (Kind::CacheWrite1h, 2), (Kind::AudioOutput, 3), (Kind::Images, 4)]
        {
            assert_eq!(counts[kind.index()], count, "{kind:?}");
        }
        for (place, kind) in Kind::ALL.into_iter().enumerate() {
            assert_eq!((kind.index(), kind.as_str()), (place, Usage::KINDS[place]));
        }
    }

    #[test]
    fn kinds_read_and_written_are_those_the_usage_sums() {
        for kind in Kind::ALL {
            let count = |of: Kind| if of == kind { 7 } else { 0 };
            let usage = Usage {
                input: count(Kind::Input),
                cached_input: count(Kind::CachedInput),
                cache_write: count(Kind::CacheWrite),
                cache_write_1h: count(Kind::CacheWrite1h),
                output: count(Kind::Output),
                reasoning: count(Kind::Reasoning),
                audio_input: count(Kind::AudioInput),
                audio_output: count(Kind::AudioOutput),
                image_input: count(Kind::ImageInput),
                images: count(Kind::Images),
                server_tool_calls: count(Kind::ServerToolCalls),
                estimated: false,
            };
            assert_eq!(usage.counts()[kind.index()], 7);
            assert_eq!(usage.input_total() == 7, Kind::READ.contains(&kind), "{kind:?}");
            assert_eq!(usage.output_total() == 7, Kind::WRITTEN.contains(&kind), "{kind:?}");
        }
    }

    #[test]
    fn a_kind_taken_out_of_a_set_is_gone_and_no_other() {
        let set = KindSet::ALL.without(Kind::AudioInput);
        for kind in Kind::ALL {
            assert_eq!(set.has(kind), kind != Kind::AudioInput);
        }
    }
}
