//! In which shape a model's answer says what it used.

use creto_call::{ModelApi, ModelCall, ModelOperation};
use creto_metering::Shape;

/// None for calls that use no tokens.
pub(crate) fn shape_of(call: &ModelCall) -> Option<Shape> {
    Some(match call.operation {
        ModelOperation::Chat | ModelOperation::Completions => Shape::OpenAiChat,
        ModelOperation::Responses => Shape::OpenAiResponses,
        ModelOperation::Embeddings if call.api == ModelApi::Gemini => Shape::Gemini,
        ModelOperation::Embeddings => Shape::OpenAiEmbeddings,
        ModelOperation::Images => Shape::OpenAiImages,
        ModelOperation::Realtime => Shape::OpenAiRealtime,
        ModelOperation::Messages => Shape::Anthropic,
        ModelOperation::GenerateContent => Shape::Gemini,
        ModelOperation::Converse => Shape::BedrockConverse,
        ModelOperation::InvokeModel => Shape::BedrockInvoke,
        ModelOperation::CountTokens => return None,
    })
}
