//! What people are shown: text that hides nothing, times, and requests made ready for pages.

mod item;
mod json;
mod standing;
mod text;
mod time;

pub(crate) use item::{Item, Row, body_bytes};
pub(crate) use standing::{Standing, StepView, state};
pub(crate) use text::Visible;
pub(crate) use time::{duration, instant};
