//! Replacing a value, and waiting until the one before is gone.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crate::{ArcCell, Cell, Flag};

/// A value that tells when it goes.
#[derive(Debug)]
pub struct Tracked<T, F: Flag = AtomicBool> {
    value: T,
    gone: Arc<F>,
}

impl<T, F: Flag> Tracked<T, F> {
    fn new(value: T) -> Self {
        Self { value, gone: Arc::new(F::down()) }
    }
}

impl<T, F: Flag> Deref for Tracked<T, F> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T, F: Flag> Drop for Tracked<T, F> {
    fn drop(&mut self) {
        // Only the last holder comes here, after all that any of them did.
        self.gone.raise();
    }
}

/// The value in force. `T` is what is read; `C` and `F` are others in tests only.
#[derive(Debug)]
pub struct Swap<T, C = ArcCell<Tracked<T>>, F = AtomicBool> {
    cell: C,
    of: std::marker::PhantomData<fn() -> (T, F)>,
}

impl<T, F: Flag, C: Cell<Tracked<T, F>>> Swap<T, C, F> {
    /// With its first value.
    #[must_use]
    pub fn new(first: T) -> Self {
        Self { cell: C::new(Tracked::new(first)), of: std::marker::PhantomData }
    }

    /// The value now. Hold it for one decision only, and never while waiting for somebody.
    pub fn load(&self) -> C::Guard<'_> {
        self.cell.load()
    }

    /// Puts in the next value.
    pub fn replace(&self, next: T) -> Retired<F> {
        let before = self.cell.swap(Tracked::new(next));
        Retired(Arc::clone(&before.gone))
    }
}

/// A value that was replaced.
#[derive(Debug)]
pub struct Retired<F: Flag = AtomicBool>(Arc<F>);

impl<F: Flag> Retired<F> {
    /// Whether nobody holds it any more: from then on nothing is done by it, ever.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        self.0.is_up()
    }
}
