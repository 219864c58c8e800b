//! Time as billing sees it: instants, the customer's days, periods and the parts a plan is in force for.

mod interval;
mod moment;
mod period;
mod window;
mod zone;

pub use interval::{Interval, IntervalError};
pub use moment::{Moment, MomentError};
pub use period::{Period, PeriodError};
pub use window::Window;
pub use zone::{Zone, ZoneError};
