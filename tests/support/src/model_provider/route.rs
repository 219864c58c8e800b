//! Which operation a path names.

use http::{HeaderMap, Method};

use crate::upstream::BufferedRequest;

/// The API that a request is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Api {
    /// As of api.openai.com, and the many that speak as it does.
    OpenAi,
    /// The paths of Azure.
    AzureOpenAi,
    /// As of api.anthropic.com.
    Anthropic,
    /// As of generativelanguage.googleapis.com, and the paths of Vertex AI.
    Gemini,
    /// As of bedrock-runtime.
    Bedrock,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    Chat,
    Responses,
    Embeddings,
    Models,
    Realtime,
    Messages,
    CountTokens,
    Generate,
    StreamGenerate,
    EmbedContent,
    BatchEmbedContents,
    Converse,
    ConverseStream,
    Invoke,
    InvokeStream,
}

#[derive(Clone, Debug)]
pub(super) struct Route {
    pub(super) api: Api,
    pub(super) operation: Operation,
    /// Of the path, percent-decoded.
    pub(super) model: Option<String>,
}

impl Operation {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Responses => "responses",
            Self::Embeddings => "embeddings",
            Self::Models => "models",
            Self::Realtime => "realtime",
            Self::Messages => "messages",
            Self::CountTokens => "count_tokens",
            Self::Generate => "generateContent",
            Self::StreamGenerate => "streamGenerateContent",
            Self::EmbedContent => "embedContent",
            Self::BatchEmbedContents => "batchEmbedContents",
            Self::Converse => "converse",
            Self::ConverseStream => "converse-stream",
            Self::Invoke => "invoke",
            Self::InvokeStream => "invoke-with-response-stream",
        }
    }
}

impl Route {
    fn of(api: Api, operation: Operation) -> Self {
        Self { api, operation, model: None }
    }

    fn with_model(api: Api, operation: Operation, model: &str) -> Self {
        Self { api, operation, model: Some(percent_decoded(model)) }
    }
}

/// The API that answers for a path, also when it knows no such operation.
pub(super) fn api(path: &str, headers: &HeaderMap) -> Api {
    if path.starts_with("/model/") {
        Api::Bedrock
    } else if path.starts_with("/openai/") {
        Api::AzureOpenAi
    } else if path.starts_with("/v1beta/") || path.starts_with("/v1/projects/") || acts_on_model(path) {
        Api::Gemini
    } else if path.starts_with("/v1/messages") || headers.contains_key("anthropic-version") {
        Api::Anthropic
    } else {
        Api::OpenAi
    }
}

/// `/v1/models/{model}:{action}`: newer SDKs of Google's call the stable version.
fn acts_on_model(path: &str) -> bool {
    path.strip_prefix("/v1/models/").is_some_and(|rest| rest.contains(':'))
}

/// The path as the API has it: `/base/` and the segment after it are a gateway's.
pub(super) fn without_base(path: &str) -> &str {
    let after = path.strip_prefix("/base/").and_then(|rest| rest.find('/').map(|end| &rest[end..]));
    after.unwrap_or(path)
}

pub(super) fn route(request: &BufferedRequest) -> Option<Route> {
    let path = without_base(request.uri().path());
    let api = api(path, request.headers());
    if let Some(rest) = path.strip_prefix("/model/") {
        let (model, action) = rest.split_once('/')?;
        let operation = match action {
            "converse" => Operation::Converse,
            "converse-stream" => Operation::ConverseStream,
            "invoke" => Operation::Invoke,
            "invoke-with-response-stream" => Operation::InvokeStream,
            _ => return None,
        };
        return Some(Route::with_model(api, operation, model));
    }
    if let Some(rest) = path.strip_prefix("/openai/deployments/") {
        let (deployment, action) = rest.split_once('/')?;
        return Some(Route::with_model(api, openai(action, request.method())?, deployment));
    }
    if api == Api::Gemini {
        let (model, action) = path.rsplit_once("models/")?.1.split_once(':')?;
        let operation = match action {
            "generateContent" => Operation::Generate,
            "streamGenerateContent" => Operation::StreamGenerate,
            "embedContent" => Operation::EmbedContent,
            "batchEmbedContents" => Operation::BatchEmbedContents,
            _ => return None,
        };
        return Some(Route::with_model(api, operation, model));
    }
    let rest = path
        .strip_prefix("/openai/v1/")
        .or_else(|| path.strip_prefix("/openai/"))
        .or_else(|| path.strip_prefix("/v1/"))?;
    match (api, rest) {
        (Api::Anthropic, "messages") => Some(Route::of(api, Operation::Messages)),
        (Api::Anthropic, "messages/count_tokens") => Some(Route::of(api, Operation::CountTokens)),
        (Api::Anthropic, "models") => Some(Route::of(api, Operation::Models)),
        (Api::Anthropic, _) => None,
        _ => Some(Route::of(api, openai(rest, request.method())?)),
    }
}

fn openai(action: &str, method: &Method) -> Option<Operation> {
    match (action, method) {
        ("chat/completions", &Method::POST) => Some(Operation::Chat),
        ("responses", &Method::POST) => Some(Operation::Responses),
        ("embeddings", &Method::POST) => Some(Operation::Embeddings),
        ("models", &Method::GET) => Some(Operation::Models),
        ("realtime", &Method::GET) => Some(Operation::Realtime),
        _ => None,
    }
}

/// `%3A` as `:`.
pub(super) fn percent_decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut decoded = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let pair = bytes.get(at + 1..at + 3).and_then(|pair| std::str::from_utf8(pair).ok());
        match pair.and_then(|pair| u8::from_str_radix(pair, 16).ok()) {
            Some(byte) if bytes[at] == b'%' => {
                decoded.push(byte);
                at += 3;
            }
            _ => {
                decoded.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}
