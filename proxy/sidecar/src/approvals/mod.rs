//! People are asked: the desk where calls that policy holds wait, and what is told of a use when its call has ended.

mod desk;
mod link;
mod standing;
mod uses;

pub(crate) use desk::{ApprovalDesk, Seat};
pub(crate) use link::{Asks, answer, finish, watch};
pub(crate) use standing::{Phase, Standing};
pub(crate) use uses::{Use, Uses};
