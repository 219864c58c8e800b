//! Moments in columns: microseconds since 1970.

use creto_rating::Moment;
use creto_sql::Row;

use crate::BillingError;

/// Reads moments out of a row.
pub(super) trait Moments {
    /// The next column, a moment.
    fn moment(&mut self) -> Result<Moment, BillingError>;
    /// The next column, a moment or nothing.
    fn optional_moment(&mut self) -> Result<Option<Moment>, BillingError>;
}

impl Moments for Row {
    fn moment(&mut self) -> Result<Moment, BillingError> {
        from_micros(self.number()?)
    }

    fn optional_moment(&mut self) -> Result<Option<Moment>, BillingError> {
        self.optional_number()?.map(from_micros).transpose()
    }
}

fn from_micros(micros: i64) -> Result<Moment, BillingError> {
    Moment::from_micros(micros)
        .map_err(|error| BillingError::Damaged { what: "row", cause: error.to_string() })
}
