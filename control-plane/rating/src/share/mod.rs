//! Amounts divided: exactly, and then into whole minor units that add up.

mod apportion;
mod sharing;

pub use apportion::apportion;
pub use sharing::Sharing;
