//! Errors, each in the words and the shape of its provider.

use bytes::Bytes;

use super::event_stream;
use super::json::{Json, empty, object};
use super::reply::Reply;
use super::route::{Api, Operation};

/// Why a request is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    NoKey,
    WrongKey(String),
    WrongSignature,
    NoSuchPath(String),
    NoSuchModel(String),
    Invalid(String),
    /// Asked for by a model's name with `rate-limited` in it.
    RateLimited(String),
    /// Asked for by a model's name with `overloaded` in it.
    Overloaded,
}

/// What ends a stream that was going well, asked for by a model's name with `fails-midway` in it.
pub(super) fn midway(api: Api, operation: Operation) -> Bytes {
    const MESSAGE: &str = "The server had an error while processing your request. Sorry about that!";
    match (api, operation) {
        (Api::OpenAi | Api::AzureOpenAi, Operation::Responses) => {
            let event = object! {
                "type": "error",
                "code": "server_error",
                "message": MESSAGE,
                "param": Json::null(),
                "sequence_number": 99u64,
            };
            format!("event: error\ndata: {}\n\n", event.text()).into()
        }
        (Api::OpenAi | Api::AzureOpenAi, _) => {
            let error = object! {
                "message": MESSAGE, "type": "server_error", "param": Json::null(), "code": Json::null(),
            };
            format!("data: {}\n\n", object! { "error": error }.text()).into()
        }
        (Api::Anthropic, _) => {
            let error = object! { "type": "overloaded_error", "message": "Overloaded" };
            format!("event: error\ndata: {}\n\n", object! { "type": "error", "error": error }.text()).into()
        }
        (Api::Gemini, _) => {
            let error = object! { "code": 503u64, "message": MESSAGE, "status": "UNAVAILABLE" };
            format!("data: {}\r\n\r\n", object! { "error": error }.text()).into()
        }
        (Api::Bedrock, _) => {
            let payload =
                object! { "message": "The system encountered an unexpected error during processing." };
            event_stream::exception("modelStreamErrorException", payload.text())
        }
    }
}

impl Fault {
    pub(super) fn reply(&self, api: Api) -> Reply {
        match api {
            Api::OpenAi => self.openai(),
            Api::AzureOpenAi => self.azure(),
            Api::Anthropic => self.anthropic(),
            Api::Gemini => self.gemini(),
            Api::Bedrock => self.bedrock(),
        }
    }

    fn openai(&self) -> Reply {
        let (status, message, kind, code) = match self {
            Self::NoKey | Self::WrongSignature => (
                401,
                "You didn't provide an API key. You need to provide your API key in an Authorization header using \
                 Bearer auth (i.e. Authorization: Bearer YOUR_KEY)."
                    .to_owned(),
                "invalid_request_error",
                None,
            ),
            Self::WrongKey(key) => (
                401,
                format!("Incorrect API key provided: {}.", masked(key)),
                "invalid_request_error",
                Some("invalid_api_key"),
            ),
            Self::NoSuchPath(path) => {
                (404, format!("Invalid URL (POST {path})"), "invalid_request_error", None)
            }
            Self::NoSuchModel(model) => (
                404,
                format!("The model `{model}` does not exist or you do not have access to it."),
                "invalid_request_error",
                Some("model_not_found"),
            ),
            Self::Invalid(why) => (400, why.clone(), "invalid_request_error", None),
            Self::RateLimited(model) => (
                429,
                format!(
                    "Rate limit reached for {model} in organization org-creto on tokens per min (TPM): Limit 30000, \
                     Used 30000, Requested 20. Please try again in 1s."
                ),
                "tokens",
                Some("rate_limit_exceeded"),
            ),
            Self::Overloaded => (
                503,
                "The server is currently overloaded with other requests. Sorry about that!".to_owned(),
                "server_error",
                None,
            ),
        };
        let error = object! { "message": message, "type": kind, "param": Json::null(), "code": code };
        self.with_retry(Reply::json(status, &object! { "error": error }))
    }

    fn azure(&self) -> Reply {
        let (status, code, message) = match self {
            Self::NoKey | Self::WrongKey(_) | Self::WrongSignature => (
                401,
                "401",
                "Access denied due to invalid subscription key or wrong API endpoint. Make sure to provide a valid \
                 key for an active subscription and use a correct regional API endpoint for your resource."
                    .to_owned(),
            ),
            Self::NoSuchModel(_) => (
                404,
                "DeploymentNotFound",
                "The API deployment for this resource does not exist. If you created the deployment within the last \
                 5 minutes, please wait a moment and try again."
                    .to_owned(),
            ),
            Self::NoSuchPath(_) => (404, "404", "Resource not found".to_owned()),
            Self::Invalid(why) => (400, "BadRequest", why.clone()),
            Self::RateLimited(_) => {
                (429, "429", "Requests have exceeded the token rate limit of your tier.".to_owned())
            }
            Self::Overloaded => (503, "503", "The service is temporarily unable to process it.".to_owned()),
        };
        self.with_retry(Reply::json(
            status,
            &object! { "error": object! { "code": code, "message": message } },
        ))
    }

    fn anthropic(&self) -> Reply {
        let (status, kind, message) = match self {
            Self::NoKey | Self::WrongSignature => {
                (401, "authentication_error", "x-api-key header is required".to_owned())
            }
            Self::WrongKey(_) => (401, "authentication_error", "invalid x-api-key".to_owned()),
            Self::NoSuchPath(_) => (404, "not_found_error", "Not Found".to_owned()),
            Self::NoSuchModel(model) => (404, "not_found_error", format!("model: {model}")),
            Self::Invalid(why) => (400, "invalid_request_error", why.clone()),
            Self::RateLimited(_) => (
                429,
                "rate_limit_error",
                "This request would exceed your organization's rate limit of 30,000 input tokens per minute."
                    .to_owned(),
            ),
            Self::Overloaded => (529, "overloaded_error", "Overloaded".to_owned()),
        };
        let error = object! { "type": kind, "message": message };
        self.with_retry(Reply::json(
            status,
            &object! { "type": "error", "error": error, "request_id": "req_011CretoFault" },
        ))
    }

    fn gemini(&self) -> Reply {
        let (code, status, message): (u64, _, _) = match self {
            Self::NoKey | Self::WrongSignature => (
                403,
                "PERMISSION_DENIED",
                "Method doesn't allow unregistered callers (callers without established identity). Please use API \
                 Key or other form of API consumer identity to call this API."
                    .to_owned(),
            ),
            Self::WrongKey(_) => {
                (400, "INVALID_ARGUMENT", "API key not valid. Please pass a valid API key.".to_owned())
            }
            Self::NoSuchPath(_) => (404, "NOT_FOUND", "Requested entity was not found.".to_owned()),
            Self::NoSuchModel(model) => (
                404,
                "NOT_FOUND",
                format!(
                    "models/{model} is not found for API version v1beta, or is not supported for generateContent. \
                     Call ListModels to see the list of available models and their supported methods."
                ),
            ),
            Self::Invalid(why) => (400, "INVALID_ARGUMENT", why.clone()),
            Self::RateLimited(_) => (
                429,
                "RESOURCE_EXHAUSTED",
                "You exceeded your current quota, please check your plan and billing details.".to_owned(),
            ),
            Self::Overloaded => {
                (503, "UNAVAILABLE", "The model is overloaded. Please try again later.".to_owned())
            }
        };
        let details = match self {
            Self::WrongKey(_) => vec![object! {
                "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                "reason": "API_KEY_INVALID",
                "domain": "googleapis.com",
                "metadata": object! { "service": "generativelanguage.googleapis.com" },
            }],
            Self::RateLimited(_) => {
                vec![object! { "@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "1s" }]
            }
            _ => empty(),
        };
        let mut error = object! { "code": code, "message": message, "status": status };
        if !details.is_empty() {
            error = error.with(&object! { "details": details });
        }
        let reply = Reply::json(u16::try_from(code).unwrap_or(500), &object! { "error": error });
        reply.header("content-type", "application/json; charset=UTF-8")
    }

    fn bedrock(&self) -> Reply {
        let (status, kind, message) = match self {
            Self::NoKey => (403, "MissingAuthenticationTokenException", "Missing Authentication Token".to_owned()),
            Self::WrongKey(_) => (
                403,
                "UnrecognizedClientException",
                "The security token included in the request is invalid.".to_owned(),
            ),
            Self::WrongSignature => (
                403,
                "InvalidSignatureException",
                "The request signature we calculated does not match the signature you provided. Check your AWS \
                 Secret Access Key and signing method. Consult the service documentation for details."
                    .to_owned(),
            ),
            Self::NoSuchPath(_) => (404, "UnknownOperationException", "Unknown operation".to_owned()),
            Self::NoSuchModel(_) => {
                (400, "ValidationException", "The provided model identifier is invalid.".to_owned())
            }
            Self::Invalid(why) => (400, "ValidationException", why.clone()),
            Self::RateLimited(_) => (
                429,
                "ThrottlingException",
                "Too many requests, please wait before trying again.".to_owned(),
            ),
            Self::Overloaded => (
                503,
                "ServiceUnavailableException",
                "Bedrock is unable to process your request.".to_owned(),
            ),
        };
        let kind = format!("{kind}:http://internal.amazon.com/coral/com.amazon.bedrock/");
        Reply::json(status, &object! { "message": message }).header("x-amzn-errortype", kind)
    }

    fn with_retry(&self, reply: Reply) -> Reply {
        match self {
            Self::RateLimited(_) => reply.header("retry-after", "1"),
            _ => reply,
        }
    }
}

/// The key as OpenAI repeats it.
fn masked(key: &str) -> String {
    let characters: Vec<char> = key.chars().collect();
    if characters.len() <= 12 {
        return "*".repeat(characters.len());
    }
    let head: String = characters[..8].iter().collect();
    let tail: String = characters[characters.len() - 4..].iter().collect();
    format!("{head}{}{tail}", "*".repeat(characters.len() - 12))
}
