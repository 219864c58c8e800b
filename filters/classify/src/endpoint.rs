//! Which service a request goes to, as its head tells.

use std::borrow::Cow;

use creto_call::{A2aCall, Demand, Dialect, McpCall, ModelApi, ModelCall};
use creto_mcp::McpRequest;
use http::HeaderMap;

use crate::{
    A2aBinding, BodyProblem,
    a2a::{self, A2aHead},
    body,
    head::{self, BodyForm, Head, ModelHead},
    hosts, mcp,
    path::Path,
    sniff,
};

/// What policy says of the destination and path of a request.
#[derive(Clone, Copy, Debug, Default)]
pub struct Known<'a> {
    /// Name, API and base path (`/v1`; none for any) of the `[[provider]]` with this host and port.
    pub provider: Option<(&'a str, ModelApi, Option<&'a str>)>,
    /// Name of the `[[mcp_server]]` with this host, port and path.
    pub mcp_server: Option<&'a str>,
    /// Name of the `[[a2a_agent]]` with this host, port and path.
    pub a2a_agent: Option<&'a str>,
}

/// The service a request goes to, and what of the request's meaning its head tells.
#[derive(Clone, Debug)]
pub enum Endpoint {
    /// HTTP of no closer kind. A body that is read all the same may turn out to be JSON-RPC.
    Plain,
    /// gRPC of no closer kind.
    Grpc,
    /// An endpoint of a model API.
    Model(ModelEndpoint),
    /// An MCP server that policy names.
    Mcp {
        /// Its name in policy.
        server: String,
        /// Whether the request has messages in its body (POST); a GET opens a stream, a DELETE ends a session.
        posted: bool,
    },
    /// Another agent.
    A2a(A2aEndpoint),
}

/// An endpoint of a model API.
#[derive(Clone, Debug)]
pub struct ModelEndpoint {
    /// The facts of the head.
    pub call: ModelCall,
    body: BodyForm,
    problem: Option<BodyProblem>,
    grpc: bool,
}

/// An endpoint of another agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct A2aEndpoint {
    /// Name of the agent in policy; empty when no policy names it.
    pub agent: String,
    /// Which of A2A's bindings the request is in.
    pub binding: A2aBinding,
    /// The method, by its name in version 1.0, where the head tells it.
    pub method: String,
    /// Whether the body says more: the method of JSON-RPC, the skill of a message.
    pub posted: bool,
}

/// What a request means, once its body has been read.
#[derive(Clone, Debug, PartialEq)]
pub enum Meanings {
    /// HTTP of no closer kind.
    Plain,
    /// A question to a model.
    Model(ModelCall),
    /// Messages to an MCP server.
    Mcp {
        /// The facts of each message, all of which policy decides. A message that names several resources
        /// (`subscriptions/listen`) is one call for each.
        calls: Vec<McpCall>,
        /// The request they came in, for answers and pins; without messages until the body has been read.
        request: McpRequest,
    },
    /// Messages to another agent.
    A2a {
        /// The facts of each message, all of which policy decides.
        calls: Vec<A2aCall>,
        /// JSON text of the id of each JSON-RPC request, for answers.
        ids: Vec<String>,
        /// Whether they came in an array.
        batch: bool,
    },
}

impl Endpoint {
    /// Tells the service by method, host (normal form), path and query (as sent) and headers.
    ///
    /// A path that policy names wins over what is built in; what is built in wins over the path alone. An MCP server is
    /// asked for before models, unless policy names a provider there too.
    #[must_use]
    pub fn of(
        method: &str,
        host: &str,
        path: &str,
        query: &str,
        headers: &HeaderMap,
        known: Known<'_>,
    ) -> Self {
        let sent = upper_case(method);
        let mut request = Request { method: &sent, host, query, headers, known };
        let split = Path::split(path);
        if let Some(found) = request.find(&split) {
            return found;
        }
        // Some services, Google's among them, take the method from a header; so the call may be another than it looks.
        let overridden = overridden_method(headers);
        if let Some(method) = &overridden {
            request.method = method;
            if let Some(found) = request.find(&split) {
                return found;
            }
        }
        // An encoded slash or a parameter: some servers see another path than we do. What only they see is unclear.
        if let Some(flat) = split.flattened()
            && let Some(Self::Model(mut found)) = request.find(&flat)
        {
            let words = "the path holds encoded slashes or parameters and can be read in more than one way";
            found.problem = Some(BodyProblem::unclear(words));
            found.call.model = None;
            return Self::Model(found);
        }
        if head::is_grpc(headers) { Self::Grpc } else { Self::Plain }
    }

    /// What is wrong with the head, if anything: the call is to be refused whatever its body says, once policy asks for
    /// the model.
    #[must_use]
    pub fn problem(&self) -> Option<&BodyProblem> {
        match self {
            Self::Model(model) => model.problem.as_ref(),
            _ => None,
        }
    }

    /// What the request means as far as its head tells. Empty lists never come out: one call is always there to decide.
    #[must_use]
    pub fn head(&self) -> Meanings {
        match self {
            Self::Plain | Self::Grpc => Meanings::Plain,
            Self::Model(model) => Meanings::Model(model.call.clone()),
            Self::Mcp { server, .. } => Meanings::Mcp {
                calls: vec![McpCall { server: server.clone(), ..McpCall::default() }],
                request: McpRequest { messages: Vec::new(), batch: false },
            },
            Self::A2a(found) => Meanings::A2a {
                calls: vec![A2aCall {
                    agent: found.agent.clone(),
                    method: found.method.clone(),
                    skill: None,
                }],
                ids: Vec::new(),
                batch: false,
            },
        }
    }

    /// Whether the body says more about the call than the head does.
    #[must_use]
    pub fn reads_body(&self) -> bool {
        match self {
            Self::Plain | Self::Grpc => false,
            Self::Model(model) => model.body != BodyForm::Unread,
            Self::Mcp { posted, .. } => *posted,
            Self::A2a(found) => found.posted,
        }
    }

    /// In whose form the caller expects errors.
    #[must_use]
    pub fn dialect(&self) -> Dialect {
        match self {
            Self::Plain => Dialect::Problem,
            Self::Grpc => Dialect::Grpc,
            Self::Model(model) if model.grpc => Dialect::Grpc,
            Self::Model(model) => match model.call.api {
                ModelApi::OpenAi | ModelApi::AzureOpenAi => Dialect::OpenAi,
                ModelApi::Anthropic => Dialect::Anthropic,
                ModelApi::Gemini => Dialect::Google,
                ModelApi::Bedrock => Dialect::Aws,
            },
            Self::Mcp { .. } => Dialect::JsonRpc,
            Self::A2a(found) => match found.binding {
                A2aBinding::JsonRpc => Dialect::JsonRpc,
                // Version 1.0 answers errors of this binding as google.rpc.Status.
                A2aBinding::Rest => Dialect::Google,
                A2aBinding::Grpc => Dialect::Grpc,
                A2aBinding::Card => Dialect::Problem,
            },
        }
    }

    /// Whether a step may change the body: only at a provider that is built in or that policy names.
    #[must_use]
    pub fn may_edit(&self) -> bool {
        matches!(self, Self::Model(model) if model.call.provider != ModelCall::UNNAMED)
    }

    /// What the request means, by its whole body.
    ///
    /// A plain endpoint's body is only looked at for JSON-RPC: MCP or A2A on a host that no policy names.
    ///
    /// # Errors
    /// [`BodyProblem`] for a body that cannot be read, or can be read in more than one way; of a plain endpoint only for
    /// one that says that it is JSON-RPC.
    pub fn read(&self, headers: &HeaderMap, body: &[u8]) -> Result<Meanings, BodyProblem> {
        match self {
            Self::Plain | Self::Grpc => sniff::read(headers, body),
            Self::Model(model) => {
                if let Some(problem) = &model.problem {
                    return Err(problem.clone());
                }
                body::model(&model.call, model.body, headers, body).map(Meanings::Model)
            }
            Self::Mcp { posted: false, .. } => Ok(self.head()),
            Self::Mcp { server, .. } => {
                body::check_media(headers)?;
                mcp::read(server, headers, body)
            }
            Self::A2a(found) if !found.posted => Ok(self.head()),
            Self::A2a(found) => {
                body::check_media(headers)?;
                a2a::read(&found.agent, found.binding, &found.method, body)
            }
        }
    }
}

fn upper_case(method: &str) -> Cow<'_, str> {
    let lower = method.bytes().any(|byte| byte.is_ascii_lowercase());
    if lower { Cow::Owned(method.to_ascii_uppercase()) } else { Cow::Borrowed(method) }
}

/// The method that a header puts in the place of the one sent.
fn overridden_method(headers: &HeaderMap) -> Option<String> {
    ["x-http-method-override", "x-http-method", "x-method-override"]
        .iter()
        .find_map(|name| headers.get(*name)?.to_str().ok())
        .map(|method| method.trim().to_ascii_uppercase())
}

struct Request<'a> {
    method: &'a str,
    host: &'a str,
    query: &'a str,
    headers: &'a HeaderMap,
    known: Known<'a>,
}

impl Request<'_> {
    fn find(&self, path: &Path<'_>) -> Option<Endpoint> {
        let Self { method, host, query, headers, known } = *self;
        let head = |known| Head { method, path, query, headers, known };
        if let Some((name, api, base)) = known.provider
            && let Some(found) = head::model(&head(true), Some(api))
            && base.is_none_or(|base| is_below(path, base))
        {
            return Some(self.model(name, found));
        }
        if let Some(server) = known.mcp_server {
            return Some(Endpoint::Mcp { server: server.to_owned(), posted: method == "POST" });
        }
        if let Some(found) = a2a::find(&head(true), known.a2a_agent) {
            return Some(self.a2a(known.a2a_agent.unwrap_or_default(), found));
        }
        if let Some((name, api)) = hosts::built_in(host) {
            return head::model(&head(true), Some(api)).map(|found| self.model(name, found));
        }
        head::model(&head(false), None).map(|found| self.model(ModelCall::UNNAMED, found))
    }

    fn model(&self, provider: &str, found: ModelHead) -> Endpoint {
        let call = ModelCall {
            provider: provider.to_owned(),
            api: found.api,
            operation: found.operation,
            model: found.model,
            streaming: found.streaming,
            max_output_tokens: None,
            tools: Vec::new(),
            demand: Demand::default(),
        };
        let grpc = head::is_grpc(self.headers);
        Endpoint::Model(ModelEndpoint { call, body: found.body, problem: found.problem, grpc })
    }

    fn a2a(&self, agent: &str, found: A2aHead) -> Endpoint {
        let A2aHead { binding, method, posted } = found;
        Endpoint::A2a(A2aEndpoint { agent: agent.to_owned(), binding, method: method.to_owned(), posted })
    }
}

/// Whether a path begins with the segments of a base path.
fn is_below(path: &Path<'_>, base: &str) -> bool {
    let base: Vec<&str> = base.split('/').filter(|segment| !segment.is_empty()).collect();
    path.segments()
        .get(..base.len())
        .is_some_and(|start| start.iter().zip(&base).all(|(one, other)| one == other))
}
