//! Calls of model APIs.

use crate::Demand;

/// A call of a model API. Facts of the body are empty until it has been read ([`crate::Details::body_read`]).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelCall {
    /// Name of the provider: built in, or as policy names it; [`ModelCall::UNNAMED`] when only the path tells.
    pub provider: String,
    /// Whose wire format it is.
    pub api: ModelApi,
    /// What is asked of the model.
    pub operation: ModelOperation,
    /// The model asked for, as sent; stands in the path or in the body.
    pub model: Option<String>,
    /// Whether the answer is asked for as a stream.
    pub streaming: bool,
    /// Most tokens that the answer may have, when the call says so.
    pub max_output_tokens: Option<u64>,
    /// Names of the tools that the model is offered.
    pub tools: Vec<String>,
    /// What bounds its use beyond that.
    pub demand: Demand,
}

impl ModelCall {
    /// Provider of a host that nobody named and whose path is that of a model API.
    pub const UNNAMED: &'static str = "unnamed";
}

/// Wire formats of model APIs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ModelApi {
    /// OpenAI, and what is compatible with it.
    OpenAi,
    /// Anthropic messages.
    Anthropic,
    /// Gemini, and Vertex with Gemini models.
    Gemini,
    /// Amazon Bedrock runtime.
    Bedrock,
    /// Azure OpenAI: OpenAI's bodies behind paths of its own.
    AzureOpenAi,
}

impl ModelApi {
    /// All of them as written in policies.
    pub const NAMES: [&'static str; 5] = ["openai", "anthropic", "gemini", "bedrock", "azure-openai"];

    /// Reads a name as written in policies.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "openai" => Self::OpenAi,
            "anthropic" => Self::Anthropic,
            "gemini" => Self::Gemini,
            "bedrock" => Self::Bedrock,
            "azure-openai" => Self::AzureOpenAi,
            _ => return None,
        })
    }

    /// Name as written in policies.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OpenAi => "openai",
            Self::Anthropic => "anthropic",
            Self::Gemini => "gemini",
            Self::Bedrock => "bedrock",
            Self::AzureOpenAi => "azure-openai",
        }
    }
}

/// What is asked of a model: the endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ModelOperation {
    /// OpenAI chat completions.
    Chat,
    /// OpenAI legacy completions.
    Completions,
    /// OpenAI responses.
    Responses,
    /// Embeddings of any provider.
    Embeddings,
    /// OpenAI images.
    Images,
    /// OpenAI realtime, a WebSocket.
    Realtime,
    /// Anthropic messages.
    Messages,
    /// Gemini `generateContent`, `streamGenerateContent` and their like.
    GenerateContent,
    /// Bedrock `Converse` and `ConverseStream`.
    Converse,
    /// Bedrock `InvokeModel` and its stream.
    InvokeModel,
    /// Counting tokens: asks no model to answer.
    CountTokens,
}

impl ModelOperation {
    /// Name as written in policies and records.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Completions => "completions",
            Self::Responses => "responses",
            Self::Embeddings => "embeddings",
            Self::Images => "images",
            Self::Realtime => "realtime",
            Self::Messages => "messages",
            Self::GenerateContent => "generate_content",
            Self::Converse => "converse",
            Self::InvokeModel => "invoke_model",
            Self::CountTokens => "count_tokens",
        }
    }
}
