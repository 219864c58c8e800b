//! What a request means: which model, tool or agent it asks.
//!
//! [`Endpoint::of`] tells by the head (method, host, path, query, headers) which service a request goes to and what is
//! known without its body. Where policy asks for more, [`Endpoint::read`] reads the whole body, strictly: the service's
//! reading and ours must not differ, so whatever two readers could read in two ways is a [`BodyProblem`].
//! [`add_include_usage`] makes the one edit that metering needs.
//!
//! What is not understood, on purpose: batches of model calls (`/v1/messages/batches`, OpenAI's `/v1/batches`), files,
//! audio, moderation, videos and fine-tuning are plain HTTP. A policy that allows models only lets none of them through.
#![forbid(unsafe_code)]

mod a2a;
mod body;
mod endpoint;
mod head;
mod hosts;
mod include_usage;
mod json;
mod mcp;
mod model_name;
mod path;
mod problem;
mod sniff;

pub use a2a::A2aBinding;
pub use endpoint::{A2aEndpoint, Endpoint, Known, Meanings, ModelEndpoint};
pub use include_usage::add_include_usage;
pub use problem::BodyProblem;
