//! What a call used, in kinds that never overlap.

/// Longest model name kept, in bytes; the rest is cut at a character.
pub const MAX_MODEL_BYTES: usize = 128;
/// Longest name of a service tier kept, in bytes; the rest is cut at a character.
pub const MAX_TIER_BYTES: usize = 32;
/// The largest count of one kind believed, 2^40: anything above is clamped to it and marked estimated.
pub const MAX_COUNT: u64 = 1 << 40;

/// Tokens, and a few things that are not tokens, that one call used. No unit is in two fields: the sum over the
/// input fields is what the model read, the sum over the output fields what it wrote.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Usage {
    /// Tokens read at the full price: neither cached nor audio nor image.
    pub input: u64,
    /// Tokens read from the provider's cache, of whatever modality.
    pub cached_input: u64,
    /// Tokens written to the provider's cache for five minutes, or for however long its only cache keeps them.
    pub cache_write: u64,
    /// Tokens written to the provider's cache for an hour.
    pub cache_write_1h: u64,
    /// Tokens written, without reasoning and audio. Tokens of generated images are among them.
    pub output: u64,
    /// Tokens of reasoning, shown or not.
    pub reasoning: u64,
    /// Audio tokens read, uncached.
    pub audio_input: u64,
    /// Audio tokens written.
    pub audio_output: u64,
    /// Image and video tokens read, uncached, where the provider counts them apart from text.
    pub image_input: u64,
    /// Images generated (a count, not tokens).
    pub images: u64,
    /// Calls of tools the provider ran itself: web searches, fetches, file searches, code (a count).
    pub server_tool_calls: u64,
    /// Some number is ours, not the provider's, or the provider's numbers contradict each other.
    pub estimated: bool,
}

impl Usage {
    /// Names of the kinds, as metrics and records have them, in the order of [`Usage::counts`].
    pub const KINDS: [&'static str; 11] = [
        "input",
        "cached_input",
        "cache_write",
        "cache_write_1h",
        "output",
        "reasoning",
        "audio_input",
        "audio_output",
        "image_input",
        "images",
        "server_tool_calls",
    ];

    /// The count of each kind.
    #[must_use]
    pub fn counts(&self) -> [u64; Self::KINDS.len()] {
        [
            self.input,
            self.cached_input,
            self.cache_write,
            self.cache_write_1h,
            self.output,
            self.reasoning,
            self.audio_input,
            self.audio_output,
            self.image_input,
            self.images,
            self.server_tool_calls,
        ]
    }

    /// Every token the model read, cached or not.
    #[must_use]
    pub fn input_total(&self) -> u64 {
        [
            self.input,
            self.cached_input,
            self.cache_write,
            self.cache_write_1h,
            self.audio_input,
            self.image_input,
        ]
        .into_iter()
        .fold(0, u64::saturating_add)
    }

    /// Every token the model wrote, reasoning included.
    #[must_use]
    pub fn output_total(&self) -> u64 {
        self.output.saturating_add(self.reasoning).saturating_add(self.audio_output)
    }

    /// Adds `other` kind by kind; estimated if either is.
    #[must_use]
    pub fn plus(&self, other: &Usage) -> Usage {
        Usage {
            input: self.input.saturating_add(other.input),
            cached_input: self.cached_input.saturating_add(other.cached_input),
            cache_write: self.cache_write.saturating_add(other.cache_write),
            cache_write_1h: self.cache_write_1h.saturating_add(other.cache_write_1h),
            output: self.output.saturating_add(other.output),
            reasoning: self.reasoning.saturating_add(other.reasoning),
            audio_input: self.audio_input.saturating_add(other.audio_input),
            audio_output: self.audio_output.saturating_add(other.audio_output),
            image_input: self.image_input.saturating_add(other.image_input),
            images: self.images.saturating_add(other.images),
            server_tool_calls: self.server_tool_calls.saturating_add(other.server_tool_calls),
            estimated: self.estimated || other.estimated,
        }
    }
}

/// What is known of an answer once it is over.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settled {
    /// What it used.
    pub usage: Usage,
    /// The model the provider says answered, cut at [`MAX_MODEL_BYTES`]; it can differ from the one asked.
    pub response_model: Option<String>,
    /// The service tier the provider says it billed, cut at [`MAX_TIER_BYTES`].
    pub service_tier: Option<String>,
    /// The answer reached its proper end: the document closed, or the stream said it was done.
    pub complete: bool,
}

/// How the exchange with the upstream ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// The upstream sent its last byte.
    Complete,
    /// The upstream broke off, or the proxy cut it.
    Broken,
    /// The agent left before the end.
    ClientGone,
}
