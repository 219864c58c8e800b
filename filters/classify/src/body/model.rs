//! Facts of a model call's JSON body.

use std::{borrow::Cow, ops::Range};

use creto_call::{Demand, ModelApi, ModelCall, ModelOperation};
use creto_mcp::strict_json::looks_like;
use http::HeaderMap;

use super::{demand, form, limit::Limit, media, tools::Tools};
use crate::{
    BodyProblem,
    head::BodyForm,
    json::{self, Scalar, Shape, Sink},
    model_name,
    problem::shown,
};

/// Adds what the body says to what the head said.
pub(crate) fn read(
    head: &ModelCall,
    takes: BodyForm,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<ModelCall, BodyProblem> {
    if takes == BodyForm::Unread {
        return Ok(head.clone());
    }
    media::check(headers)?;
    if takes == BodyForm::JsonOrForm
        && let Some(boundary) = form::boundary(headers)?
    {
        let model = form::model(body, &boundary)?;
        return with_model(head.clone(), model);
    }
    let mut reading = Reading::of(head);
    json::walk(json::utf8(body)?, &mut reading)?;
    let mut call = with_model(head.clone(), reading.model)?;
    call.streaming |= reading.streaming;
    call.max_output_tokens = reading.limit.tokens();
    reading.demand.provider_tools |= reading.tools.has_providers_own();
    let answers = reading.answers.tokens();
    reading.demand.answers = match reading.prompts {
        0 | 1 => answers,
        prompts => Some(answers.unwrap_or(1).max(1).saturating_mul(prompts)),
    };
    reading.demand.max_tool_calls = reading.tool_calls.tokens();
    call.demand = reading.demand;
    call.tools = reading.tools.into_names();
    Ok(call)
}

fn with_model(mut call: ModelCall, said: Option<String>) -> Result<ModelCall, BodyProblem> {
    match (&call.model, said) {
        (None, said) => call.model = said,
        // Which of the two a server follows is its API's matter; which API it is, nobody said.
        (Some(model), Some(said)) if call.provider == ModelCall::UNNAMED && *model != said => {
            let (model, said) = (shown(model), shown(&said));
            return Err(BodyProblem::Model(format!("the path says \"{model}\" and the body \"{said}\"")));
        }
        (Some(_), _) => {}
    }
    Ok(call)
}

/// Where in the body a value stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Top,
    Elsewhere,
    /// The type of something within: what it is is told by its word.
    Kind,
    /// Text, or the name of what the provider keeps.
    StoredPrompt,
    /// One of several prompts, each of which is answered.
    OnePrompt,
    /// How many answers are asked for.
    Answers,
    /// Most calls of the provider's own tools.
    ToolCalls,
    ServiceTier,
    Model,
    /// Further models to fall back to (`models`).
    Models,
    Stream,
    MaxTokens,
    /// An object with a limit inside: `generationConfig`, `inferenceConfig`.
    Settings,
    /// An object with a list of tools inside: `toolConfig`.
    ToolSettings,
    Tools,
    Tool,
    /// The part of a tool that has its name: `function`, `toolSpec`.
    Named,
    /// The same, of a tool that the provider runs.
    SystemTool,
    /// A list of such parts: `functionDeclarations`.
    NamedList,
    ToolName,
    ToolType,
}

struct Reading {
    api: ModelApi,
    operation: ModelOperation,
    wants_model: bool,
    wants_stream: bool,
    model: Option<String>,
    streaming: bool,
    limit: Limit,
    answers: Limit,
    /// Prompts of a call that has several.
    prompts: u64,
    tool_calls: Limit,
    tools: Tools,
    demand: Demand,
}

impl Reading {
    fn of(head: &ModelCall) -> Self {
        let in_path = head.model.is_some();
        Self {
            api: head.api,
            operation: head.operation,
            wants_model: !in_path || head.provider == ModelCall::UNNAMED,
            wants_stream: match head.api {
                ModelApi::OpenAi | ModelApi::AzureOpenAi | ModelApi::Anthropic => true,
                ModelApi::Gemini => !in_path,
                ModelApi::Bedrock => false,
            },
            model: None,
            streaming: false,
            limit: Limit::default(),
            answers: Limit::default(),
            prompts: 0,
            tool_calls: Limit::default(),
            tools: Tools::default(),
            demand: Demand::default(),
        }
    }

    /// Members of the body itself.
    fn root(&self) -> &'static [(&'static str, Place)] {
        match (self.api, self.operation) {
            (ModelApi::OpenAi | ModelApi::AzureOpenAi, ModelOperation::Responses) => &[
                ("model", Place::Model),
                ("models", Place::Models),
                ("stream", Place::Stream),
                ("max_output_tokens", Place::MaxTokens),
                ("max_tool_calls", Place::ToolCalls),
                ("service_tier", Place::ServiceTier),
                ("tools", Place::Tools),
            ],
            (ModelApi::OpenAi | ModelApi::AzureOpenAi, _) => &[
                ("model", Place::Model),
                ("models", Place::Models),
                ("stream", Place::Stream),
                ("max_tokens", Place::MaxTokens),
                ("max_completion_tokens", Place::MaxTokens),
                ("n", Place::Answers),
                ("best_of", Place::Answers),
                ("service_tier", Place::ServiceTier),
                ("tools", Place::Tools),
                ("functions", Place::NamedList),
            ],
            (ModelApi::Anthropic, _) => &[
                ("model", Place::Model),
                ("stream", Place::Stream),
                ("max_tokens", Place::MaxTokens),
                ("max_tokens_to_sample", Place::MaxTokens),
                ("service_tier", Place::ServiceTier),
                ("tools", Place::Tools),
            ],
            (ModelApi::Gemini, _) => &[
                ("model", Place::Model),
                ("stream", Place::Stream),
                ("generationConfig", Place::Settings),
                ("generation_config", Place::Settings),
                ("tools", Place::Tools),
            ],
            (ModelApi::Bedrock, ModelOperation::Converse) => {
                &[("inferenceConfig", Place::Settings), ("toolConfig", Place::ToolSettings)]
            }
            // A body in whichever format the model has: Anthropic's, Nova's, Llama's, Titan's, Mistral's.
            (ModelApi::Bedrock, _) => &[
                ("modelId", Place::Model),
                ("max_tokens", Place::MaxTokens),
                ("max_tokens_to_sample", Place::MaxTokens),
                ("max_gen_len", Place::MaxTokens),
                ("maxTokens", Place::MaxTokens),
                ("inferenceConfig", Place::Settings),
                ("textGenerationConfig", Place::Settings),
                ("tools", Place::Tools),
                ("toolConfig", Place::ToolSettings),
            ],
        }
    }

    fn members(&self, place: Place) -> &'static [(&'static str, Place)] {
        match place {
            Place::Top => self.root(),
            Place::Settings => &[
                ("maxOutputTokens", Place::MaxTokens),
                ("max_output_tokens", Place::MaxTokens),
                ("maxTokens", Place::MaxTokens),
                ("max_new_tokens", Place::MaxTokens),
                ("maxTokenCount", Place::MaxTokens),
                ("candidateCount", Place::Answers),
                ("candidate_count", Place::Answers),
            ],
            Place::ToolSettings => &[("tools", Place::Tools)],
            Place::Tool => &[
                ("name", Place::ToolName),
                ("type", Place::ToolType),
                ("function", Place::Named),
                ("custom", Place::Named),
                ("toolSpec", Place::Named),
                ("systemTool", Place::SystemTool),
                ("functionDeclarations", Place::NamedList),
                ("function_declarations", Place::NamedList),
                ("tools", Place::Tools),
            ],
            Place::Named | Place::SystemTool => &[("name", Place::ToolName)],
            _ => &[],
        }
    }
}

impl Sink for Reading {
    type Place = Place;

    fn top(&mut self) -> Place {
        Place::Top
    }

    fn member(&mut self, object: Place, key: &str) -> Result<Place, BodyProblem> {
        let known = self.members(object);
        let found = known.iter().find(|(name, _)| *name == key).map(|(_, place)| *place);
        match found {
            Some(Place::Model) if !self.wants_model => Ok(Place::Elsewhere),
            Some(Place::Stream) if !self.wants_stream => Ok(Place::Elsewhere),
            Some(place) => Ok(place),
            None => {
                if let Some((name, _)) = known.iter().find(|(name, _)| looks_like(key, name)) {
                    let words = format!(
                        "the key \"{}\" differs from \"{name}\" only in letter case, so that servers disagree",
                        shown(key)
                    );
                    return Err(BodyProblem::Unclear(words));
                }
                if object == Place::Tool && self.api == ModelApi::Gemini {
                    self.tools.key(key)?;
                }
                Ok(demand::note(key, object == Place::Top, &mut self.demand))
            }
        }
    }

    fn element(&mut self, array: Place) -> Result<Place, BodyProblem> {
        Ok(match array {
            Place::Tools => Place::Tool,
            Place::NamedList => Place::Named,
            Place::Models => Place::Models,
            Place::StoredPrompt => Place::OnePrompt,
            _ => Place::Elsewhere,
        })
    }

    fn scalar(&mut self, place: Place, value: Scalar<'_>, _span: Range<usize>) -> Result<(), BodyProblem> {
        match (place, value) {
            (Place::Top, _) => Err(BodyProblem::unclear("it is not a JSON object")),
            (Place::Model, Scalar::Text(text)) => {
                let name = text.read_up_to(model_name::MAX_MODEL).ok_or_else(|| {
                    BodyProblem::Model(format!("its name is longer than {} bytes", model_name::MAX_MODEL))
                })?;
                model_name::check(&name)?;
                self.model = Some(name.into_owned());
                Ok(())
            }
            (Place::Model, _) => Err(model_is_no_string()),
            // Some servers fall back to these: policy would have decided on one model and another would answer.
            (Place::Models, Scalar::Null) => Ok(()),
            (Place::Models, _) => {
                Err(BodyProblem::Model("`models` names further models to fall back to".to_owned()))
            }
            (Place::Stream, Scalar::Bool(stream)) => {
                self.streaming = stream;
                Ok(())
            }
            (Place::Stream, Scalar::Null) => Ok(()),
            (Place::Stream, _) => Err(stream_is_no_bool()),
            (Place::MaxTokens, value) => self.limit.add(value),
            // Not what is decided on: what cannot be read bounds nothing, and is left to the server.
            (Place::Answers, value) => {
                let _ = self.answers.add(value);
                Ok(())
            }
            (Place::ToolCalls, value) => {
                let _ = self.tool_calls.add(value);
                Ok(())
            }
            (Place::ServiceTier, Scalar::Text(text)) => {
                let tier = text.read_up_to(demand::MAX_TIER);
                self.demand.service_tier =
                    Some(tier.unwrap_or(Cow::Borrowed(demand::LONG_TIER)).into_owned());
                Ok(())
            }
            (Place::OnePrompt, Scalar::Text(_)) => {
                self.prompts += 1;
                Ok(())
            }
            (Place::Kind, Scalar::Text(text)) => {
                self.demand.refers |=
                    text.read_up_to(demand::MAX_KIND).is_some_and(|kind| kind == "item_reference");
                Ok(())
            }
            (Place::ToolName, Scalar::Text(text)) => self.tools.name(text),
            (Place::ToolType, Scalar::Text(text)) => self.tools.kind(text),
            (Place::ToolName | Place::ToolType, Scalar::Null) => Ok(()),
            (Place::ToolName | Place::ToolType, _) => Err(tool_is_no_string()),
            _ => Ok(()),
        }
    }

    fn open(&mut self, place: Place, shape: Shape, _at: usize) -> Result<(), BodyProblem> {
        match (place, shape) {
            (Place::Top, Shape::Array) => Err(BodyProblem::unclear("it is not a JSON object")),
            (Place::Model, _) => Err(model_is_no_string()),
            (Place::Stream, _) => Err(stream_is_no_bool()),
            (Place::MaxTokens, _) => {
                Err(BodyProblem::unclear("the most tokens of the answer are not given as a number"))
            }
            (Place::ToolName | Place::ToolType, _) => Err(tool_is_no_string()),
            (Place::StoredPrompt, Shape::Object) => {
                self.demand.refers = true;
                Ok(())
            }
            (Place::OnePrompt, _) => {
                self.prompts += 1;
                Ok(())
            }
            (Place::SystemTool, _) => {
                self.demand.provider_tools = true;
                Ok(())
            }
            (Place::Tool, Shape::Object) => {
                self.tools.begin();
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn close(&mut self, place: Place, shape: Shape, _at: usize) -> Result<(), BodyProblem> {
        if (place, shape) == (Place::Tool, Shape::Object) { self.tools.end() } else { Ok(()) }
    }
}

fn model_is_no_string() -> BodyProblem {
    BodyProblem::Model("it is not a string".to_owned())
}

fn stream_is_no_bool() -> BodyProblem {
    BodyProblem::unclear("`stream` is neither true nor false")
}

fn tool_is_no_string() -> BodyProblem {
    BodyProblem::unclear("the name or type of a tool is not a string")
}
