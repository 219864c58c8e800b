//! Facts of A2A's bodies.

use std::ops::Range;

use creto_call::A2aCall;
use creto_mcp::strict_json::looks_like;

use super::{A2aBinding, method};
use crate::{
    BodyProblem, Meanings,
    json::{self, Scalar, Shape, Sink, Text},
    problem::shown,
};

/// Most messages in a batch.
pub(crate) const MAX_BATCH: usize = 100;
/// Longest method, skill or id, in bytes.
pub(crate) const MAX_NAME: usize = 1_024;

/// Reads the body of a POST to an agent. `method` is what the path has said, in the HTTP+JSON binding.
pub(crate) fn read(
    agent: &str,
    binding: A2aBinding,
    method: &str,
    body: &[u8],
) -> Result<Meanings, BodyProblem> {
    let document = json::utf8(body)?;
    let json_rpc = binding == A2aBinding::JsonRpc;
    let mut reading =
        Reading { json_rpc, agent, method, document, calls: Vec::new(), ids: Vec::new(), batch: false };
    json::walk(document, &mut reading)?;
    let Reading { calls, ids, batch, .. } = reading;
    if calls.is_empty() {
        return Err(BodyProblem::unclear("it holds no message"));
    }
    Ok(Meanings::A2a { calls, ids, batch })
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Top,
    Elsewhere,
    /// One JSON-RPC message.
    Rpc,
    Id,
    Method,
    Params,
    Message,
    /// An object that may name the skill.
    Hints,
    Skill,
    Parts,
    Part,
    /// The content of a data part, which is the caller's own.
    Data,
    DataSkill,
}

const SKILL: [&str; 3] = ["skill", "skillId", "skill_id"];

struct Reading<'a> {
    json_rpc: bool,
    agent: &'a str,
    method: &'a str,
    document: &'a str,
    calls: Vec<A2aCall>,
    ids: Vec<String>,
    batch: bool,
}

impl Reading<'_> {
    fn members(place: Place) -> &'static [(&'static str, Place)] {
        match place {
            Place::Rpc => &[
                ("jsonrpc", Place::Elsewhere),
                ("id", Place::Id),
                ("method", Place::Method),
                ("params", Place::Params),
            ],
            // 0.3 over HTTP+JSON accepts the names of its protocol buffers, `request` and `content`.
            Place::Params => &[
                ("message", Place::Message),
                ("request", Place::Message),
                ("metadata", Place::Hints),
                ("configuration", Place::Hints),
            ],
            Place::Message => {
                &[("metadata", Place::Hints), ("parts", Place::Parts), ("content", Place::Parts)]
            }
            Place::Hints => &[("skill", Place::Skill), ("skillId", Place::Skill), ("skill_id", Place::Skill)],
            Place::Part => &[("data", Place::Data)],
            _ => &[],
        }
    }

    fn begin(&mut self) -> Result<(), BodyProblem> {
        if self.calls.len() >= MAX_BATCH {
            return Err(BodyProblem::Unclear(format!("it holds more than {MAX_BATCH} messages")));
        }
        self.calls.push(A2aCall {
            agent: self.agent.to_owned(),
            method: self.method.to_owned(),
            skill: None,
        });
        Ok(())
    }

    fn skill(&mut self, text: Text<'_>) -> Result<(), BodyProblem> {
        let Some(skill) = text.read_up_to(MAX_NAME) else { return Err(too_long("skill")) };
        let Some(call) = self.calls.last_mut() else { return Ok(()) };
        match &call.skill {
            Some(before) if *before != *skill => Err(BodyProblem::Unclear(format!(
                "it names two skills, \"{}\" and \"{}\"",
                shown(before),
                shown(&skill)
            ))),
            Some(_) => Ok(()),
            None => {
                call.skill = Some(skill.into_owned());
                Ok(())
            }
        }
    }
}

impl Sink for Reading<'_> {
    type Place = Place;

    fn top(&mut self) -> Place {
        if self.json_rpc { Place::Top } else { Place::Params }
    }

    fn member(&mut self, object: Place, key: &str) -> Result<Place, BodyProblem> {
        let object = if object == Place::Top { Place::Rpc } else { object };
        if object == Place::Data {
            return Ok(if SKILL.contains(&key) { Place::DataSkill } else { Place::Elsewhere });
        }
        let known = Self::members(object);
        if let Some((_, place)) = known.iter().find(|(name, _)| *name == key) {
            return Ok(*place);
        }
        match known.iter().find(|(name, _)| looks_like(key, name)) {
            Some((name, _)) => Err(BodyProblem::Unclear(format!(
                "the key \"{}\" differs from \"{name}\" only in letter case, so that servers disagree",
                shown(key)
            ))),
            None => Ok(Place::Elsewhere),
        }
    }

    fn element(&mut self, array: Place) -> Result<Place, BodyProblem> {
        Ok(match array {
            Place::Top => Place::Rpc,
            Place::Parts => Place::Part,
            _ => Place::Elsewhere,
        })
    }

    fn scalar(&mut self, place: Place, value: Scalar<'_>, span: Range<usize>) -> Result<(), BodyProblem> {
        match (place, value) {
            (Place::Top | Place::Rpc, _) => Err(no_object()),
            (Place::Params, _) if !self.json_rpc && self.calls.is_empty() => Err(no_object()),
            (Place::Method, Scalar::Text(text)) => {
                let name = text.read_up_to(MAX_NAME).ok_or_else(|| too_long("method"))?;
                if let Some(call) = self.calls.last_mut() {
                    call.method = method::normal(&name);
                }
                Ok(())
            }
            (Place::Method, _) => Err(BodyProblem::unclear("its method is not a string")),
            (Place::Id, Scalar::Text(_) | Scalar::Number(_)) => {
                if span.len() > MAX_NAME {
                    return Err(too_long("id"));
                }
                self.ids.extend(self.document.get(span).map(str::to_owned));
                Ok(())
            }
            (Place::Id, Scalar::Bool(_)) => Err(BodyProblem::unclear("its id is not a string or a number")),
            (Place::Skill, Scalar::Text(text)) | (Place::DataSkill, Scalar::Text(text)) => self.skill(text),
            (Place::Skill, Scalar::Null) => Ok(()),
            (Place::Skill, _) => Err(skill_is_no_string()),
            _ => Ok(()),
        }
    }

    fn open(&mut self, place: Place, shape: Shape, _at: usize) -> Result<(), BodyProblem> {
        match (place, shape) {
            (Place::Top, Shape::Array) => {
                self.batch = true;
                Ok(())
            }
            (Place::Top | Place::Rpc, Shape::Object) => self.begin(),
            (Place::Rpc, Shape::Array) => Err(no_object()),
            (Place::Params, _) if !self.json_rpc && self.calls.is_empty() => match shape {
                Shape::Object => self.begin(),
                Shape::Array => Err(no_object()),
            },
            (Place::Method, _) => Err(BodyProblem::unclear("its method is not a string")),
            (Place::Id, _) => Err(BodyProblem::unclear("its id is not a string or a number")),
            (Place::Skill, _) => Err(skill_is_no_string()),
            _ => Ok(()),
        }
    }

    fn close(&mut self, place: Place, shape: Shape, _at: usize) -> Result<(), BodyProblem> {
        let is_rpc = matches!(place, Place::Top | Place::Rpc) && shape == Shape::Object;
        if is_rpc && self.calls.last().is_some_and(|call| call.method.is_empty()) {
            return Err(BodyProblem::unclear("a message of it has no method"));
        }
        Ok(())
    }
}

fn no_object() -> BodyProblem {
    BodyProblem::unclear("a message of it is not a JSON object")
}

fn skill_is_no_string() -> BodyProblem {
    BodyProblem::unclear("the skill it names is not a string")
}

fn too_long(what: &str) -> BodyProblem {
    BodyProblem::Unclear(format!("its {what} is longer than {MAX_NAME} bytes"))
}
