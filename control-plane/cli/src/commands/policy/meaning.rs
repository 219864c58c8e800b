//! What a call means that people describe: as its URL tells a sidecar, and as they say.

use clap::Args;
use creto_call::{A2aCall, McpCall, Meaning, ModelApi, ModelCall, ModelOperation};
use creto_classify::{Endpoint, Known, Meanings};
use creto_policy::{A2aAgent, McpServer, PolicySet};
use http::HeaderMap;
use serde_json::Value;

use super::target::Target;
use crate::failure::{Failure, Outcome};

/// Options that say what stands in the body of the call.
#[derive(Args, Debug, Default)]
pub(crate) struct MeaningArgs {
    /// The call asks this model.
    #[arg(long, value_name = "NAME")]
    model: Option<String>,
    /// The call goes to this model provider; by default the one that its URL tells.
    #[arg(long, value_name = "NAME")]
    provider: Option<String>,
    /// The call goes to this MCP server; by default the one that the policy names at its URL.
    #[arg(long, value_name = "NAME")]
    mcp_server: Option<String>,
    /// Method of the MCP message; by default `tools/call`.
    #[arg(long, value_name = "METHOD")]
    mcp_method: Option<String>,
    /// The call calls this MCP tool.
    #[arg(long, value_name = "NAME")]
    tool: Option<String>,
    /// Arguments of the tool or prompt, as a JSON object.
    #[arg(long, value_name = "JSON")]
    arguments: Option<String>,
    /// The call goes to this agent; by default the one that the policy names at its URL.
    #[arg(long, value_name = "NAME")]
    a2a_agent: Option<String>,
    /// The message to the agent asks for this skill.
    #[arg(long, value_name = "ID")]
    skill: Option<String>,
}

/// What is said of a call beyond its request line.
#[derive(Clone, Debug, Default)]
pub(super) struct Asked {
    pub(super) model: Option<String>,
    pub(super) provider: Option<String>,
    pub(super) streaming: Option<bool>,
    pub(super) max_output_tokens: Option<u64>,
    /// Tools that the model is offered.
    pub(super) offered_tools: Option<Vec<String>>,
    pub(super) mcp_server: Option<String>,
    pub(super) mcp_method: Option<String>,
    pub(super) tool: Option<String>,
    pub(super) resource: Option<String>,
    pub(super) prompt: Option<String>,
    /// A JSON object.
    pub(super) arguments: Option<Value>,
    pub(super) a2a_agent: Option<String>,
    pub(super) a2a_method: Option<String>,
    pub(super) skill: Option<String>,
}

/// What a call means, owned.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Meant {
    Plain,
    Model(ModelCall),
    Mcp(McpCall),
    A2a(A2aCall),
}

impl Meant {
    pub(super) fn meaning(&self) -> Meaning<'_> {
        match self {
            Self::Plain => Meaning::Plain,
            Self::Model(call) => Meaning::Model(call),
            Self::Mcp(call) => Meaning::Mcp(call),
            Self::A2a(call) => Meaning::A2a(call),
        }
    }

    /// What a head tells; the first message of it.
    pub(super) fn of_head(endpoint: &Endpoint) -> Self {
        match endpoint.head() {
            Meanings::Plain => Self::Plain,
            Meanings::Model(call) => Self::Model(call),
            Meanings::Mcp { calls, .. } => calls.into_iter().next().map_or(Self::Plain, Self::Mcp),
            Meanings::A2a { calls, .. } => calls.into_iter().next().map_or(Self::Plain, Self::A2a),
        }
    }
}

/// The facts of the call beyond its request line.
#[derive(Debug)]
pub(super) struct Facts {
    pub(super) meant: Meant,
    /// False when something stands in a body of which nothing was said.
    pub(super) body_read: bool,
}

/// What policy knows at a place.
pub(super) fn known<'s>(set: &'s PolicySet, host: &str, port: u16, path: &str) -> Known<'s> {
    Known {
        provider: set.provider(host, port, path).map(|found| (found.name(), found.api(), found.base())),
        mcp_server: set.mcp_server(host, port, path).map(McpServer::name),
        a2a_agent: set.a2a_agent(host, port, path).map(A2aAgent::name),
    }
}

impl MeaningArgs {
    /// What the options say.
    ///
    /// # Errors
    /// When the arguments are no JSON object.
    pub(super) fn asked(&self) -> Outcome<Asked> {
        Ok(Asked {
            model: self.model.clone(),
            provider: self.provider.clone(),
            mcp_server: self.mcp_server.clone(),
            mcp_method: self.mcp_method.clone(),
            tool: self.tool.clone(),
            arguments: self.arguments()?,
            a2a_agent: self.a2a_agent.clone(),
            skill: self.skill.clone(),
            ..Asked::default()
        })
    }

    fn arguments(&self) -> Outcome<Option<Value>> {
        let Some(text) = &self.arguments else { return Ok(None) };
        let wrong = |why: String| {
            Failure::new("--arguments is no JSON object.")
                .why(why)
                .next("Write it as in --arguments '{\"repo\": \"acme/x\", \"limit\": 10}'.")
        };
        match serde_json::from_str(text) {
            Ok(value @ Value::Object(_)) => Ok(Some(value)),
            Ok(_) => Err(wrong("it is JSON, but not an object".to_owned())),
            Err(error) => Err(wrong(error.to_string())),
        }
    }
}

impl Asked {
    fn about_model(&self) -> bool {
        self.model.is_some()
            || self.provider.is_some()
            || self.streaming.is_some()
            || self.max_output_tokens.is_some()
            || self.offered_tools.is_some()
    }

    fn about_mcp(&self) -> bool {
        let said = [&self.mcp_server, &self.mcp_method, &self.tool, &self.resource, &self.prompt];
        said.iter().any(|said| said.is_some()) || self.arguments.is_some()
    }

    fn about_a2a(&self) -> bool {
        self.a2a_agent.is_some() || self.a2a_method.is_some() || self.skill.is_some()
    }

    /// Whether all of it can be said of one call.
    ///
    /// # Errors
    /// Why not.
    pub(super) fn check(&self) -> Result<(), &'static str> {
        match [self.about_model(), self.about_mcp(), self.about_a2a()].iter().filter(|about| **about).count()
        {
            0 | 1 => Ok(()),
            _ => Err("one call asks a model, or an MCP server, or another agent"),
        }
    }

    /// Method of the request when none is said.
    pub(super) fn method(&self) -> &'static str {
        if self.about_model() || self.about_mcp() || self.about_a2a() { "POST" } else { "GET" }
    }

    /// The facts of a call of this method to this target; what is said was checked.
    pub(super) fn facts(&self, method: &str, target: &Target, headers: &HeaderMap, set: &PolicySet) -> Facts {
        let (host, port, path) = (target.host.as_str(), target.port, target.path.as_str());
        let known = known(set, host, port, path);
        let endpoint = Endpoint::of(method, host, path, &target.query, headers, known);
        let head = Meant::of_head(&endpoint);
        let meant = if self.about_model() {
            Meant::Model(self.model_call(head, known))
        } else if self.about_mcp() {
            Meant::Mcp(self.mcp_call(known))
        } else if self.about_a2a() {
            Meant::A2a(A2aCall {
                agent: said(&self.a2a_agent, known.a2a_agent),
                method: said(&self.a2a_method, Some("SendMessage")),
                skill: self.skill.clone(),
            })
        } else {
            return Facts { meant: head, body_read: !endpoint.reads_body() };
        };
        Facts { meant, body_read: true }
    }

    fn mcp_call(&self, known: Known<'_>) -> McpCall {
        let method = match (&self.tool, &self.resource, &self.prompt) {
            (None, Some(_), _) => "resources/read",
            (None, None, Some(_)) => "prompts/get",
            _ => "tools/call",
        };
        McpCall {
            server: said(&self.mcp_server, known.mcp_server),
            method: said(&self.mcp_method, Some(method)),
            tool: self.tool.clone(),
            arguments: self.arguments.clone(),
            resource: self.resource.clone(),
            prompt: self.prompt.clone(),
        }
    }

    fn model_call(&self, head: Meant, known: Known<'_>) -> ModelCall {
        let (provider, api) =
            known.provider.map_or((ModelCall::UNNAMED, ModelApi::OpenAi), |(name, api, _)| (name, api));
        let mut call = match head {
            Meant::Model(call) => call,
            _ => ModelCall {
                provider: provider.to_owned(),
                api,
                operation: ModelOperation::Chat,
                model: None,
                streaming: false,
                max_output_tokens: None,
                tools: Vec::new(),
                demand: creto_call::Demand::default(),
            },
        };
        if let Some(provider) = &self.provider {
            call.provider.clone_from(provider);
        }
        if self.model.is_some() {
            call.model.clone_from(&self.model);
        }
        if let Some(streaming) = self.streaming {
            call.streaming = streaming;
        }
        if self.max_output_tokens.is_some() {
            call.max_output_tokens = self.max_output_tokens;
        }
        if let Some(tools) = &self.offered_tools {
            call.tools.clone_from(tools);
        }
        call
    }
}

fn said(said: &Option<String>, found: Option<&str>) -> String {
    said.clone().unwrap_or_else(|| found.unwrap_or_default().to_owned())
}

#[cfg(test)]
mod tests {
    use creto_policy::Document;

    use super::*;

    const POLICY: &str = r#"version = 1
name = "p"
[[mcp_server]]
name = "tickets"
host = "mcp.example.com"
[[provider]]
name = "local"
host = "llm.internal"
api = "openai"
"#;

    fn facts(asked: &Asked, method: &str, url: &str) -> Facts {
        let set = PolicySet::compile([&Document::parse("p", POLICY).unwrap()]);
        asked.facts(method, &Target::parse(url).unwrap(), &HeaderMap::new(), &set)
    }

    #[test]
    fn the_url_tells_what_is_not_said() {
        let asked = Asked { model: Some("gpt-5".to_owned()), ..Asked::default() };
        let found = facts(&asked, "POST", "https://api.openai.com/v1/chat/completions");
        assert!(
            matches!(&found.meant, Meant::Model(call) if call.provider == "openai" && call.model.as_deref() == Some("gpt-5"))
        );
        let found = facts(&asked, "POST", "https://llm.internal/v1/chat/completions");
        assert!(matches!(&found.meant, Meant::Model(call) if call.provider == "local"));
        let called = MeaningArgs {
            tool: Some("search".to_owned()),
            arguments: Some("{\"a\":1}".to_owned()),
            ..MeaningArgs::default()
        };
        let found = facts(&called.asked().unwrap(), "POST", "https://mcp.example.com/mcp");
        assert!(
            matches!(&found.meant, Meant::Mcp(call) if call.server == "tickets" && call.method == "tools/call")
        );
        assert!(found.body_read);
        let found = facts(&Asked::default(), "POST", "https://mcp.example.com/mcp");
        assert!(matches!(&found.meant, Meant::Mcp(call) if call.method.is_empty()) && !found.body_read);
        let found = facts(&Asked::default(), "GET", "https://example.com/");
        assert!(found.meant == Meant::Plain && found.body_read);
    }

    #[test]
    fn the_subject_of_an_mcp_message_tells_its_method() {
        for (asked, method) in [
            (Asked { resource: Some("file:///a".to_owned()), ..Asked::default() }, "resources/read"),
            (Asked { prompt: Some("review".to_owned()), ..Asked::default() }, "prompts/get"),
            (Asked { mcp_server: Some("tickets".to_owned()), ..Asked::default() }, "tools/call"),
        ] {
            let found = facts(&asked, "POST", "https://mcp.example.com/mcp");
            assert!(matches!(&found.meant, Meant::Mcp(call) if call.method == method), "{found:?}");
        }
    }

    #[test]
    fn what_no_call_could_have_is_refused() {
        let both = Asked { model: Some("a".to_owned()), tool: Some("b".to_owned()), ..Asked::default() };
        assert!(both.check().is_err());
        for text in ["[1]", "{"] {
            let wrong = MeaningArgs { arguments: Some(text.to_owned()), ..MeaningArgs::default() };
            assert!(wrong.asked().is_err(), "{wrong:?}");
        }
    }
}
