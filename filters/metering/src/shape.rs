//! The APIs whose answers are understood.

mod anthropic;
mod bedrock;
mod gemini;
mod openai;

use crate::json::Node;

pub(crate) use bedrock::CHUNK;
pub(crate) use openai::{STRIP_CHOICES, STRIP_USAGE, STRIPPED};

/// The API an answer comes from, which says where its usage stands and what its numbers include.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Shape {
    /// OpenAI `/chat/completions` and the older `/completions`; Azure OpenAI and every compatible host. Input
    /// includes what was cached, output includes reasoning.
    OpenAiChat,
    /// OpenAI `/responses`. As chat.
    OpenAiResponses,
    /// OpenAI `/embeddings`: input only.
    OpenAiEmbeddings,
    /// OpenAI `/images/*`, whose tokens are of images too.
    OpenAiImages,
    /// OpenAI `/realtime` over WebSocket: the usage of every response of the session, added.
    OpenAiRealtime,
    /// Anthropic `/v1/messages`; also what Vertex gives for these models. Input excludes what was cached or written
    /// to the cache, output includes thinking.
    Anthropic,
    /// Gemini and Vertex `generateContent`, `streamGenerateContent`, `embedContent`, `predict`. Input includes what
    /// was cached, output excludes thoughts.
    Gemini,
    /// Bedrock `converse` and `converse-stream`. Input excludes what was cached or written to the cache.
    BedrockConverse,
    /// Bedrock `invoke` and `invoke-with-response-stream`: the model's own answer, and Bedrock's count beside it.
    BedrockInvoke,
}

impl Shape {
    /// Every shape.
    pub const ALL: [Shape; 9] = [
        Shape::OpenAiChat,
        Shape::OpenAiResponses,
        Shape::OpenAiEmbeddings,
        Shape::OpenAiImages,
        Shape::OpenAiRealtime,
        Shape::Anthropic,
        Shape::Gemini,
        Shape::BedrockConverse,
        Shape::BedrockInvoke,
    ];

    /// The wanted paths of its documents.
    pub(crate) fn root(self) -> &'static Node {
        match self {
            Shape::OpenAiChat => &openai::CHAT,
            Shape::OpenAiResponses => &openai::RESPONSES,
            Shape::OpenAiEmbeddings => &openai::EMBEDDINGS,
            Shape::OpenAiImages => &openai::IMAGES,
            Shape::OpenAiRealtime => &openai::REALTIME,
            Shape::Anthropic => &anthropic::MESSAGES,
            Shape::Gemini => &gemini::GENERATE,
            Shape::BedrockConverse => &bedrock::CONVERSE,
            Shape::BedrockInvoke => &bedrock::INVOKE,
        }
    }

    /// A stream of it tells the usage only with its end, so that having seen it is having seen the last of it.
    pub(crate) fn usage_ends_stream(self) -> bool {
        matches!(
            self,
            Shape::OpenAiResponses | Shape::OpenAiEmbeddings | Shape::OpenAiImages | Shape::BedrockConverse
        )
    }

    /// Its answers have text that costs output tokens.
    pub(crate) fn writes_text(self) -> bool {
        !matches!(self, Shape::OpenAiEmbeddings)
    }
}
