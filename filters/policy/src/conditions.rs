//! What a rule asks beyond destination, method and path.

use std::{fmt, ops::ControlFlow};

use creto_call::{A2aCall, Call, McpCall, ModelCall};

use crate::{
    Effect,
    arguments::ArgumentCondition,
    facts::Facts,
    text_glob::{Case, TextGlob},
    truth::Truth,
    when::When,
};

/// The conditions of a rule; an empty list asks nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Conditions {
    pub(crate) providers: Vec<String>,
    pub(crate) models: Vec<TextGlob>,
    pub(crate) mcp_servers: Vec<String>,
    pub(crate) mcp_methods: Vec<TextGlob>,
    pub(crate) tools: Vec<TextGlob>,
    pub(crate) arguments: Vec<ArgumentCondition>,
    pub(crate) a2a_agents: Vec<String>,
    pub(crate) skills: Vec<TextGlob>,
    pub(crate) when: Option<When>,
}

/// One condition, as it is named to people.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Condition<'r> {
    Provider,
    Model,
    McpServer,
    McpMethod,
    Tool,
    Argument(&'r str),
    A2aAgent,
    Skill,
    When,
}

impl fmt::Display for Condition<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Provider => "provider",
            Self::Model => "model",
            Self::McpServer => "mcp_server",
            Self::McpMethod => "mcp_method",
            Self::Tool => "tool",
            Self::Argument(key) => return write!(f, "arguments.{key}"),
            Self::A2aAgent => "a2a_agent",
            Self::Skill => "skill",
            Self::When => "when",
        })
    }
}

/// What shows each condition with its truth, and may stop.
type Visit<'v, 'r> = &'v mut dyn FnMut(Condition<'r>, Truth) -> ControlFlow<()>;

impl Conditions {
    /// Whether any condition is about a protocol rather than the whole call.
    pub(crate) fn name_protocol(&self) -> bool {
        self.ask_model() || self.ask_mcp() || self.ask_a2a()
    }

    pub(crate) fn is_empty(&self) -> bool {
        !self.name_protocol() && self.when.is_none()
    }

    /// Whether all that they ask is known of a destination.
    pub(crate) fn are_about_destination_only(&self) -> bool {
        !self.name_protocol() && self.when.as_ref().is_none_or(When::is_about_destination_only)
    }

    /// Whether an allow rule lets through what comes before and after a tool's calls too.
    pub(crate) fn keep_house(&self) -> bool {
        self.mcp_methods.is_empty() && !(self.tools.is_empty() && self.arguments.is_empty())
    }

    /// Whether all of them hold: false if any is, else unknown if any is.
    ///
    /// `places` are those of the terms of `when`, where the set that asks remembers some.
    pub(crate) fn truth(&self, effect: Effect, facts: &Facts<'_>, places: &[u8]) -> Truth {
        let mut all = Truth::True;
        // A break only says that the answer stands.
        let _ = self.each(effect, facts, places, &mut |_, truth| {
            all = all.min(truth);
            if all == Truth::False { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        all
    }

    /// Shows every condition with its truth, the cheap ones first.
    pub(crate) fn each<'r>(
        &'r self,
        effect: Effect,
        facts: &Facts<'_>,
        places: &[u8],
        visit: Visit<'_, 'r>,
    ) -> ControlFlow<()> {
        let meaning = facts.call.details.meaning;
        if self.ask_model() {
            self.each_of_model(effect, meaning.model(), visit)?;
        }
        if self.ask_mcp() {
            self.each_of_mcp(effect, meaning.mcp(), facts, visit)?;
        }
        if self.ask_a2a() {
            self.each_of_a2a(effect, meaning.a2a(), facts, visit)?;
        }
        match &self.when {
            Some(when) => visit(Condition::When, when.truth(effect, facts, places)),
            None => ControlFlow::Continue(()),
        }
    }

    fn ask_model(&self) -> bool {
        !self.providers.is_empty() || !self.models.is_empty()
    }

    fn ask_mcp(&self) -> bool {
        !(self.mcp_servers.is_empty()
            && self.mcp_methods.is_empty()
            && self.tools.is_empty()
            && self.arguments.is_empty())
    }

    fn ask_a2a(&self) -> bool {
        !self.a2a_agents.is_empty() || !self.skills.is_empty()
    }

    fn each_of_model<'r>(
        &'r self,
        effect: Effect,
        call: Option<&ModelCall>,
        visit: Visit<'_, 'r>,
    ) -> ControlFlow<()> {
        if !self.providers.is_empty() {
            let named = call.is_some_and(|call| self.providers.contains(&call.provider));
            visit(Condition::Provider, Truth::of(named))?;
        }
        if !self.models.is_empty() {
            // Some providers fold case, so that another case must not get around a deny rule, nor into an allow rule.
            let case = match effect {
                Effect::Allow => Case::Counts,
                Effect::Deny => Case::Folded,
            };
            let truth = match call.map(|call| call.model.as_deref()) {
                None => Truth::False,
                Some(Some(model)) => TextGlob::any(&self.models, model, case),
                // Not read yet, or left to the provider: it may be any.
                Some(None) => Truth::Unknown,
            };
            visit(Condition::Model, truth)?;
        }
        ControlFlow::Continue(())
    }

    fn each_of_mcp<'r>(
        &'r self,
        effect: Effect,
        call: Option<&McpCall>,
        facts: &Facts<'_>,
        visit: Visit<'_, 'r>,
    ) -> ControlFlow<()> {
        if !self.mcp_servers.is_empty() {
            let named = call.is_some_and(|call| self.mcp_servers.contains(&call.server));
            visit(Condition::McpServer, Truth::of(named))?;
        }
        // Of a message that has been read.
        let read = call.filter(|_| facts.body_known);
        let unread = unread(call.is_some(), facts);
        if !self.mcp_methods.is_empty() {
            let truth =
                read.map_or(unread, |call| TextGlob::any(&self.mcp_methods, &call.method, Case::Counts));
            visit(Condition::McpMethod, truth)?;
        } else if let Some(call) = read
            && self.keep_house()
            && call.method != "tools/call"
        {
            let allowed = effect == Effect::Allow && keeps_house(call, &facts.call);
            return visit(Condition::Tool, Truth::of(allowed));
        }
        if !self.tools.is_empty() {
            let truth = read.map_or(unread, |call| match &call.tool {
                Some(tool) => TextGlob::any(&self.tools, tool, Case::Counts),
                None => Truth::Unknown,
            });
            visit(Condition::Tool, truth)?;
        }
        for argument in &self.arguments {
            let truth = match read {
                Some(call) if facts.arguments_known => argument.truth(call.arguments.as_ref()),
                Some(_) => Truth::Unknown,
                None => unread,
            };
            visit(Condition::Argument(&argument.key), truth)?;
        }
        ControlFlow::Continue(())
    }

    fn each_of_a2a<'r>(
        &'r self,
        effect: Effect,
        call: Option<&A2aCall>,
        facts: &Facts<'_>,
        visit: Visit<'_, 'r>,
    ) -> ControlFlow<()> {
        if !self.a2a_agents.is_empty() {
            let named = call.is_some_and(|call| self.a2a_agents.contains(&call.agent));
            visit(Condition::A2aAgent, Truth::of(named))?;
        }
        if !self.skills.is_empty() {
            let truth = match call {
                None => unread(false, facts),
                Some(call) if call.method.is_empty() && !facts.body_known => Truth::Unknown,
                Some(call) if !asks_for_skill(&call.method) => {
                    Truth::of(effect == Effect::Allow && keeps_task(&call.method))
                }
                Some(_) if !facts.body_known => Truth::Unknown,
                Some(call) => match &call.skill {
                    Some(skill) => TextGlob::any(&self.skills, skill, Case::Counts),
                    // The other agent chooses: it may be any.
                    None => Truth::Unknown,
                },
            };
            visit(Condition::Skill, truth)?;
        }
        ControlFlow::Continue(())
    }
}

/// What is known of a message that has not been read, or that is none of its protocol.
fn unread(is_one: bool, facts: &Facts<'_>) -> Truth {
    if is_one || facts.may_be_message() { Truth::Unknown } else { Truth::False }
}

/// What an MCP client says and asks around the calls of tools: opening, closing, pings, the list, answers to the
/// server (which have no method), and the stream from the server.
fn keeps_house(message: &McpCall, call: &Call<'_>) -> bool {
    match message.method.as_str() {
        // A body of a GET or DELETE is not read as messages, so none may come along.
        "" => match call.method {
            "POST" => true,
            "GET" | "DELETE" => call.details.size.unwrap_or(0) == 0,
            _ => false,
        },
        "initialize" | "ping" | "tools/list" | "server/discover" | "logging/setLevel" => true,
        // What takes the place of the GET in the revision of 2026; it may ask for resources too.
        "subscriptions/listen" => message.resource.is_none(),
        other => other.starts_with("notifications/"),
    }
}

/// Whether an A2A method asks an agent to use a skill.
pub(crate) fn asks_for_skill(method: &str) -> bool {
    matches!(method, "SendMessage" | "SendStreamingMessage")
}

/// What an A2A client asks around the messages that it sends: the cards, and the tasks whose ids it was given.
fn keeps_task(method: &str) -> bool {
    matches!(method, "agent-card" | "GetExtendedAgentCard" | "GetTask" | "CancelTask" | "SubscribeToTask")
}
