//! What method, host and path say: which endpoint of which API it is.

mod anthropic;
mod azure;
mod bedrock;
mod gemini;
mod openai;

use std::borrow::Cow;

use creto_call::{ModelApi, ModelOperation};
use http::HeaderMap;

use crate::{BodyProblem, model_name, path::Path};

/// A request's head, as far as it tells endpoints apart.
pub(crate) struct Head<'a> {
    pub(crate) method: &'a str,
    pub(crate) path: &'a Path<'a>,
    pub(crate) query: &'a str,
    pub(crate) headers: &'a HeaderMap,
    /// Whether anything but the path says that it is this API: only then are short paths taken for endpoints.
    pub(crate) known: bool,
}

impl Head<'_> {
    pub(crate) fn is_post(&self) -> bool {
        self.method == "POST"
    }

    /// Whether it asks to become a WebSocket: the HTTP/1.1 upgrade or HTTP/2's extended CONNECT.
    pub(crate) fn is_web_socket(&self) -> bool {
        let upgrade = || self.headers.get("upgrade").and_then(|value| value.to_str().ok());
        match self.method {
            "GET" => upgrade().is_some_and(|value| value.trim().eq_ignore_ascii_case("websocket")),
            "CONNECT" => true,
            _ => false,
        }
    }

    pub(crate) fn is_grpc(&self) -> bool {
        is_grpc(self.headers)
    }

    /// Whether the path ends so, and, on a host that nobody named, after a version (`/v1/…`).
    pub(crate) fn versioned(&self, ends: &[&str]) -> bool {
        self.path.before(ends).is_some_and(|before| {
            self.known
                || before.last().is_some_and(|segment| {
                    segment.strip_prefix(['v', 'V']).is_some_and(|rest| {
                        rest.starts_with(|character: char| character.is_ascii_digit()) && rest.len() <= 8
                    })
                })
        })
    }
}

/// Whether the content type is one of gRPC.
pub(crate) fn is_grpc(headers: &HeaderMap) -> bool {
    headers.get("content-type").and_then(|value| value.to_str().ok()).is_some_and(|value| {
        value.get(..16).is_some_and(|start| start.eq_ignore_ascii_case("application/grpc"))
    })
}

/// Which form of body an endpoint takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BodyForm {
    /// None, or one that is not read: WebSocket, gRPC, HTTP/2 streams both ways.
    Unread,
    /// A JSON object.
    Json,
    /// A JSON object or a form with files (`multipart/form-data`).
    JsonOrForm,
}

/// An endpoint of a model API.
#[derive(Debug)]
pub(crate) struct ModelHead {
    pub(crate) api: ModelApi,
    pub(crate) operation: ModelOperation,
    /// The model, where the path or the query says it.
    pub(crate) model: Option<String>,
    /// Whether the endpoint always streams its answer.
    pub(crate) streaming: bool,
    pub(crate) body: BodyForm,
    pub(crate) problem: Option<BodyProblem>,
}

impl ModelHead {
    /// An endpoint whose body says the rest.
    fn of(api: ModelApi, operation: ModelOperation) -> Self {
        Self { api, operation, model: None, streaming: false, body: BodyForm::Json, problem: None }
    }

    fn streaming(self, streaming: bool) -> Self {
        Self { streaming, ..self }
    }

    fn body(self, body: BodyForm) -> Self {
        Self { body, ..self }
    }

    /// With a model that stood in the path, decoded once.
    fn in_path(self, model: &str, path: &Path<'_>) -> Self {
        let problem = if path.is_broken() {
            Some(BodyProblem::Model("the path holds a broken percent escape".to_owned()))
        } else {
            model_name::check_decoded(model).err()
        };
        // A name that is refused is not kept: nothing may match it.
        Self { model: problem.is_none().then(|| model.to_owned()), problem, ..self }
    }
}

/// The endpoint of a host whose API is known, or else any API's; of a host that nobody named, any API's.
pub(crate) fn model(head: &Head<'_>, api: Option<ModelApi>) -> Option<ModelHead> {
    if !matches!(head.method, "POST" | "GET" | "CONNECT") || !may_be_model(head.path) {
        return None;
    }
    let find = |api: ModelApi| match api {
        ModelApi::OpenAi => openai::find(head),
        ModelApi::Anthropic => anthropic::find(head),
        ModelApi::Gemini => gemini::find(head),
        ModelApi::Bedrock => bedrock::find(head),
        ModelApi::AzureOpenAi => azure::find(head),
    };
    // Deployments in the path are Azure's whoever serves them: the name in the path is the model.
    azure::deployment(head).or_else(|| api.and_then(find)).or_else(|| {
        [ModelApi::Bedrock, ModelApi::Gemini, ModelApi::Anthropic, ModelApi::OpenAi]
            .into_iter()
            .find_map(find)
    })
}

/// Last segments of all endpoints that are not told by a verb after a colon.
const LAST: [&str; 20] = [
    "async-invoke",
    "compact",
    "complete",
    "completions",
    "converse",
    "converse-stream",
    "count-tokens",
    "count_tokens",
    "edits",
    "embeddings",
    "generations",
    "input_tokens",
    "interactions",
    "invoke",
    "invoke-with-bidirectional-stream",
    "invoke-with-response-stream",
    "messages",
    "realtime",
    "responses",
    "variations",
];

/// Whether the path is worth a closer look: most calls are none of this, and pay for no more than one comparison.
fn may_be_model(path: &Path<'_>) -> bool {
    let last = path.last();
    last.contains(':')
        || last.contains("BidiGenerateContent")
        || LAST.iter().any(|known| known.eq_ignore_ascii_case(last))
        || path.segments().first().is_some_and(|first| first.starts_with("google."))
}

/// Segments as one name again.
fn joined(segments: &[Cow<'_, str>]) -> String {
    segments.join("/")
}
