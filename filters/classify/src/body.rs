//! What the body of a model call says.

mod demand;
mod form;
mod limit;
mod media;
mod model;
mod tools;

pub(crate) use media::{check as check_media, encoding, is_json_like};
pub(crate) use model::read as model;
