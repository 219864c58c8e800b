//! Group `quota`: what taking from leases costs, and whether more than the limit is ever admitted.

mod race;
mod warm;

use crate::report::Report;

pub(crate) fn run() -> Result<(), Box<dyn std::error::Error>> {
    let mut report = Report::new("quota");
    warm::measure(&mut report)?;
    race::measure(&mut report)?;
    report.finish()
}
