//! What the call of `creto policy explain` means: as its URL tells a sidecar, and as the options say.

use clap::Args;
use creto_call::{A2aCall, Details, McpCall, Meaning, ModelApi, ModelCall, ModelOperation};
use creto_classify::{Endpoint, Known, Meanings};
use creto_policy::{A2aAgent, McpServer, PolicySet};
use serde_json::Value;

use super::Target;
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

/// What a call means, owned.
#[derive(Debug, PartialEq)]
pub(super) enum Meant {
    Plain,
    Model(ModelCall),
    Mcp(McpCall),
    A2a(A2aCall),
}

/// The facts of the call beyond its request line.
#[derive(Debug)]
pub(super) struct Facts {
    pub(super) meant: Meant,
    /// Whether anything stands in a body of which nothing was said.
    pub(super) body_read: bool,
}

impl Facts {
    pub(super) fn details<'f>(&'f self, query: &'f str) -> Details<'f> {
        let meaning = match &self.meant {
            Meant::Plain => Meaning::Plain,
            Meant::Model(call) => Meaning::Model(call),
            Meant::Mcp(call) => Meaning::Mcp(call),
            Meant::A2a(call) => Meaning::A2a(call),
        };
        Details { query, meaning, body_read: self.body_read, ..Details::default() }
    }
}

impl MeaningArgs {
    fn about_model(&self) -> bool {
        self.model.is_some() || self.provider.is_some()
    }

    fn about_mcp(&self) -> bool {
        let said = [&self.mcp_server, &self.mcp_method, &self.tool, &self.arguments];
        said.iter().any(|option| option.is_some())
    }

    fn about_a2a(&self) -> bool {
        self.a2a_agent.is_some() || self.skill.is_some()
    }

    /// Method of the request when none is said.
    pub(super) fn method(&self) -> &'static str {
        if self.about_model() || self.about_mcp() || self.about_a2a() { "POST" } else { "GET" }
    }

    /// The facts of a call of this method to this target.
    ///
    /// # Errors
    /// When the options are about several protocols, or the arguments are no JSON object.
    pub(super) fn facts(&self, method: &str, target: &Target, set: &PolicySet) -> Outcome<Facts> {
        let (host, port, path) = (target.host.as_str(), target.port, target.path.as_str());
        let known = Known {
            provider: set.provider(host, port, path).map(|found| (found.name(), found.api(), found.base())),
            mcp_server: set.mcp_server(host, port, path).map(McpServer::name),
            a2a_agent: set.a2a_agent(host, port, path).map(A2aAgent::name),
        };
        let endpoint = Endpoint::of(method, host, path, &target.query, &http::HeaderMap::new(), known);
        let head = match endpoint.head() {
            Meanings::Plain => Meant::Plain,
            Meanings::Model(call) => Meant::Model(call),
            Meanings::Mcp { calls, .. } => calls.into_iter().next().map_or(Meant::Plain, Meant::Mcp),
            Meanings::A2a { calls, .. } => calls.into_iter().next().map_or(Meant::Plain, Meant::A2a),
        };
        let meant = match (self.about_model(), self.about_mcp(), self.about_a2a()) {
            (false, false, false) => {
                return Ok(Facts { meant: head, body_read: !endpoint.reads_body() });
            }
            (true, false, false) => Meant::Model(self.model_call(head, known)),
            (false, true, false) => Meant::Mcp(McpCall {
                server: said(&self.mcp_server, known.mcp_server),
                method: self.mcp_method.clone().unwrap_or_else(|| "tools/call".to_owned()),
                tool: self.tool.clone(),
                arguments: self.arguments()?,
                ..McpCall::default()
            }),
            (false, false, true) => Meant::A2a(A2aCall {
                agent: said(&self.a2a_agent, known.a2a_agent),
                method: "SendMessage".to_owned(),
                skill: self.skill.clone(),
            }),
            _ => {
                return Err(Failure::new("The options are about several protocols.")
                    .why("one call asks a model, or an MCP server, or another agent")
                    .next("Leave out the options of all but one."));
            }
        };
        Ok(Facts { meant, body_read: true })
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
            },
        };
        if let Some(provider) = &self.provider {
            call.provider.clone_from(provider);
        }
        if self.model.is_some() {
            call.model.clone_from(&self.model);
        }
        call
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

fn said(option: &Option<String>, found: Option<&str>) -> String {
    option.clone().unwrap_or_else(|| found.unwrap_or_default().to_owned())
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

    fn facts(args: &MeaningArgs, method: &str, url: &str) -> Facts {
        let set = PolicySet::compile([&Document::parse("p", POLICY).unwrap()]);
        args.facts(method, &Target::parse(url).unwrap(), &set).unwrap()
    }

    #[test]
    fn the_url_tells_what_the_options_do_not() {
        let asked = MeaningArgs { model: Some("gpt-5".to_owned()), ..MeaningArgs::default() };
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
        let found = facts(&called, "POST", "https://mcp.example.com/mcp");
        assert!(
            matches!(&found.meant, Meant::Mcp(call) if call.server == "tickets" && call.method == "tools/call")
        );
        assert!(found.body_read);
        let found = facts(&MeaningArgs::default(), "POST", "https://mcp.example.com/mcp");
        assert!(matches!(&found.meant, Meant::Mcp(call) if call.method.is_empty()) && !found.body_read);
        let found = facts(&MeaningArgs::default(), "GET", "https://example.com/");
        assert!(found.meant == Meant::Plain && found.body_read);
    }

    #[test]
    fn options_that_no_call_could_have_are_refused() {
        let set = PolicySet::default();
        let target = Target::parse("https://h.example/").unwrap();
        let both =
            MeaningArgs { model: Some("a".to_owned()), tool: Some("b".to_owned()), ..MeaningArgs::default() };
        let list = MeaningArgs { arguments: Some("[1]".to_owned()), ..MeaningArgs::default() };
        let broken = MeaningArgs { arguments: Some("{".to_owned()), ..MeaningArgs::default() };
        for wrong in [both, list, broken] {
            assert!(wrong.facts("POST", &target, &set).is_err(), "{wrong:?}");
        }
    }
}
