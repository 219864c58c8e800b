//! What is known of a call before it leaves.

use crate::kind::KindSet;

/// Input tokens that a provider adds to what a call holds: chat templates, and its instructions for tools.
pub const TEMPLATE_TOKENS: u64 = 1_024;

/// Bounds of a call, for [`crate::ModelPrice::ceiling`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Bytes of the call that the model will read as text. A token of byte-level BPE is at least one byte, so they
    /// are as many tokens at most.
    pub input_bytes: u64,
    /// Input tokens beside the bytes: [`TEMPLATE_TOKENS`] unless said otherwise, and what images, audio and files
    /// named by address may come to.
    pub extra_input_tokens: u64,
    /// The call refers to what is not in it (an earlier answer, a stored file), or lets the provider run tools whose
    /// results the model reads: then it may read its whole context window, whatever the bytes, once and again after
    /// each of `server_tool_calls`.
    pub reads_unseen: bool,
    /// Most output tokens of one answer, as the call says; `None` is the model's own bound.
    pub max_output_tokens: Option<u64>,
    /// How many answers are asked for (`n`, `candidateCount`). Nought counts as one.
    pub answers: u64,
    /// Most images generated, over all answers.
    pub images: u64,
    /// Most tool calls that the provider may run, over all answers.
    pub server_tool_calls: u64,
    /// Kinds that the usage can have. Take out what the call cannot cause (audio that it does not hold, writes to a
    /// cache that it does not ask for) and less is reserved; usage of a kind taken out is not bounded.
    pub kinds: KindSet,
}

impl Bounds {
    /// One answer to a call of so many bytes, any kind of token, no images and no tools of the provider's.
    #[must_use]
    pub const fn new(input_bytes: u64) -> Self {
        Self {
            input_bytes,
            extra_input_tokens: TEMPLATE_TOKENS,
            reads_unseen: false,
            max_output_tokens: None,
            answers: 1,
            images: 0,
            server_tool_calls: 0,
            kinds: KindSet::ALL,
        }
    }
}
