//! The same decision by us and by peers, in one process and one run.
//!
//! Every engine gets the same rules in the form its own users would write, gives the same verdict on every call (held
//! before anything is timed), and is timed in turn with the others. Peers are shown in more than one form where the form
//! decides the figure: a whole set evaluated, and the slice of it that an index outside of the engine picked.
#![forbid(unsafe_code)]

mod cedar;
mod cel;
mod chain;
mod creto;
mod engine;
mod expressions;
mod rego;
mod rules;
mod scene;
mod subject;
mod table;
mod versions;

pub use scene::{SCENES, Scene};
pub use subject::{Round, Subject};
pub use table::{CHAIN, Columns, RULES, WHEN, print};

/// What the parts of a measurement come to, or why there is none.
pub type Outcome<T> = Result<T, Box<dyn std::error::Error>>;
