//! How large a lease is.

use creto_quota::MAX_LEASE_AMOUNT;

use crate::LeaseTerms;

/// Units a holder that spent `spent` in `over_ms` milliseconds will want for `life_ms`: twice that pace, so that it
/// asks again at half.
#[must_use]
pub fn wanted_at_rate(spent: u64, over_ms: u64, life_ms: u64) -> u64 {
    let units = (u128::from(spent) * u128::from(life_ms)).saturating_mul(2) / u128::from(over_ms.max(1));
    u64::try_from(units).unwrap_or(u64::MAX).min(MAX_LEASE_AMOUNT)
}

/// Units of the next lease, none when fewer are available than needed: what is wanted, but not above a fair part of
/// half of what is available, nor below the minimum or the need. So leases shrink towards the end of a window's units,
/// and what one holder can strand is at most that part.
pub(crate) fn size(
    wanted: u64,
    needed: u64,
    available: u64,
    holders: u64,
    terms: &LeaseTerms,
) -> Option<u64> {
    let needed = needed.max(1);
    if available < needed {
        return None;
    }
    let part = available / (2 * holders.max(1));
    Some(wanted.min(part).max(terms.minimum).max(needed).min(available).min(MAX_LEASE_AMOUNT))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn leases_shrink_as_units_run_out() {
        let terms = LeaseTerms { minimum: 10, ..LeaseTerms::default() };
        let sizes = [100_000, 10_000, 1_000, 100, 15, 3, 0].map(|left| size(5_000, 0, left, 10, &terms));
        assert_eq!(sizes, [Some(5_000), Some(500), Some(50), Some(10), Some(10), Some(3), None]);
    }

    #[test]
    fn a_call_that_waits_gets_what_it_needs_or_nothing() {
        let terms = LeaseTerms::default();
        assert_eq!(size(1, 4_096, 10_000, 50, &terms), Some(4_096));
        assert_eq!(size(1, 4_096, 4_096, 50, &terms), Some(4_096));
        assert_eq!(size(1, 4_096, 4_095, 50, &terms), None);
    }

    #[test]
    fn the_pace_of_a_holder_says_what_it_wants() {
        assert_eq!(wanted_at_rate(100, 1_000, 60_000), 12_000);
        assert_eq!(wanted_at_rate(0, 1_000, 60_000), 0);
        assert_eq!(wanted_at_rate(u64::MAX, 0, u64::MAX), MAX_LEASE_AMOUNT);
    }

    proptest! {
        #[test]
        fn no_lease_is_above_what_is_available_or_below_the_need(
            wanted: u64, needed in 0..=MAX_LEASE_AMOUNT, available in 0..=crate::MAX_UNITS, holders: u64,
            minimum in 1..=MAX_LEASE_AMOUNT,
        ) {
            let terms = LeaseTerms { minimum, ..LeaseTerms::default() };
            let size = size(wanted, needed, available, holders % (1 << 40), &terms);
            prop_assert_eq!(size.is_none(), available < needed.max(1));
            if let Some(size) = size {
                prop_assert!(size <= available && size >= needed.max(1) && size <= MAX_LEASE_AMOUNT);
            }
        }
    }
}
