//! What a wanted path means, one name for all providers.

/// How the value at a path is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A number, a short string, or only the fact that something stands there.
    Scalar,
    /// A string of any length, of which only the length counts.
    Text,
    /// A string of any length whose bytes are wanted.
    Stream,
}

/// How many of the fields are counts.
pub(crate) const COUNTS: usize = 23;

/// The meaning of a wanted path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Field {
    // Counts: they index the cells of the meter, so they come first.
    /// Input without what was cached or written to the cache.
    Input,
    /// Input with all of it.
    InputAll,
    Cached,
    /// Written to the cache, for however long.
    CacheWrite,
    CacheWrite5m,
    CacheWrite1h,
    /// Output with reasoning.
    Output,
    /// Output without reasoning.
    OutputPlain,
    Reasoning,
    AudioIn,
    ImageIn,
    CachedAudio,
    CachedImage,
    AudioOut,
    /// Input and output together.
    Total,
    /// Results of tools the provider ran, read as input on top of the rest.
    ToolInput,
    Searches,
    Fetches,
    CodeRuns,
    /// Bedrock's own count, for models whose answer has none. Excludes what was cached.
    MetricIn,
    MetricOut,
    MetricCached,
    MetricCacheWrite,

    // Parts of lists.
    /// The list of usages of steps that the total may leave out.
    Steps,
    /// One of them.
    Step,
    StepInput,
    StepCached,
    StepCacheWrite,
    StepCacheWrite1h,
    StepOutput,
    /// One entry of a list of input tokens by modality, and so on.
    DetailIn,
    DetailCached,
    DetailOut,
    /// One entry of a list of cache writes by lifetime.
    DetailTtl,
    /// The modality or lifetime of the entry.
    DetailName,
    /// Its tokens.
    DetailCount,
    /// Input tokens of one of several inputs.
    InputPart,
    /// Output tokens of one of several outputs.
    OutputPart,

    // Facts.
    /// The object that holds the usage.
    Usage,
    /// The object that Bedrock ends a stream with.
    Metrics,
    /// An error, unless null.
    Failure,
    /// Why the model stopped, unless null.
    Finish,
    /// The whole answer, or one of a list of them.
    Answer,
    Model,
    Tier,
    /// A tier that counts only where no [`Field::Tier`] is given.
    Traffic,
    /// The kind of event.
    Event,
    /// The kind of an output item.
    Item,
    /// A media type of something generated.
    Media,
    /// A generated image.
    Image,
    /// A search the provider ran.
    SearchQuery,
    /// A program the provider ran.
    CodeRun,

    // Strings of any length.
    /// What the model wrote.
    Text,
    /// What the model wrote or said, as the kind of event tells.
    Delta,
    /// An answer within, in base64.
    Payload,
}

impl Field {
    pub(crate) fn kind(self) -> Kind {
        match self {
            Field::Text | Field::Delta => Kind::Text,
            Field::Payload => Kind::Stream,
            _ => Kind::Scalar,
        }
    }

    /// Its cell, if it is a count.
    pub(crate) fn cell(self) -> Option<usize> {
        let index = self as usize;
        (index < COUNTS).then_some(index)
    }
}
