//! Numbers that keep every digit: what events carry ([`Quantity`]), what rates and shares work out to ([`Exact`]), what
//! a stream of quantities adds up to ([`Total`]), and the one place where digits are given up ([`Rounding`]).

mod exact;
mod quantity;
mod rounding;
mod total;

pub use exact::{Exact, ExactError, MAX_SHOWN_PLACES};
pub use quantity::{MAX_FRACTION_DIGITS, MAX_INTEGER_DIGITS, MAX_NUMBER_BYTES, Quantity, QuantityError};
pub use rounding::{MAX_PRECISION, Rounding, RoundingFunction, RoundingPrecisionError};
pub use total::Total;
