//! A value that all read and one replaces, and the knowledge of when nobody goes by the one before any more.
//!
//! [`Swap::load`] is one atomic read. [`Swap::replace`] puts the next value in for all further loads and gives a
//! [`Retired`], which tells whether the last reader of the value before has let go of it. Who reads holds the value for
//! as long as the decision takes that is made by it; so once it is gone, no decision by it can still happen.
//!
//! The protocol is one: *the value itself* raises a flag when it is dropped, after everything that was done with it. It
//! is generic over the cell and the flag so that `tests/orders.rs` can try it in every order of memory accesses.
#![forbid(unsafe_code)]

mod cell;
mod flag;
mod swap;

pub use cell::{ArcCell, Cell};
pub use flag::Flag;
pub use swap::{Retired, Swap, Tracked};
