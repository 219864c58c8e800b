//! What a model call may come to use, beyond its text.

/// What of a call's body bounds what it can use and cost. Where the body does not say, the field is empty; what was not
/// understood errs to the side of more.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Demand {
    /// Answers asked for (`n`, `candidateCount`); images, of a call that generates them.
    pub answers: Option<u64>,
    /// The service tier asked for, in the caller's word.
    pub service_tier: Option<String>,
    /// It holds or names images, audio or documents: the tokens read are not bounded by its bytes.
    pub media: bool,
    /// It refers to what is not in it (an earlier answer, a stored prompt or file, a cache), so that the model reads more
    /// than its bytes.
    pub refers: bool,
    /// It lets the provider run tools of its own, whose results the model reads.
    pub provider_tools: bool,
    /// It asks for a speed or a place that may cost more.
    pub premium: bool,
    /// Most calls of such tools, when the call says so.
    pub max_tool_calls: Option<u64>,
}
