//! Three-valued truth: what is known of a condition.

/// Whether a condition holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Truth {
    /// It does not.
    False,
    /// It cannot be told: a fact is not known, or is not of the kind that the condition is about.
    Unknown,
    /// It does.
    True,
}

impl Truth {
    pub(crate) fn of(holds: bool) -> Self {
        if holds { Self::True } else { Self::False }
    }

    /// True if any is, else unknown if any is; stops at the first that is true.
    pub(crate) fn any(truths: impl IntoIterator<Item = Self>) -> Self {
        let mut best = Self::False;
        for truth in truths {
            best = best.max(truth);
            if best == Self::True {
                break;
            }
        }
        best
    }
}
