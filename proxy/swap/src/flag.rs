//! A flag that is raised once.

use std::sync::atomic::{AtomicBool, Ordering};

/// Raised by one, seen by another: what was done before it was raised has happened for whoever sees it up.
pub trait Flag: Send + Sync {
    /// One that is down.
    fn down() -> Self;
    /// Raises it.
    fn raise(&self);
    /// Whether it is up.
    fn is_up(&self) -> bool;
}

impl Flag for AtomicBool {
    fn down() -> Self {
        Self::new(false)
    }

    fn raise(&self) {
        self.store(true, Ordering::Release);
    }

    fn is_up(&self) -> bool {
        self.load(Ordering::Acquire)
    }
}
