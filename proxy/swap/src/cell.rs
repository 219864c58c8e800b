//! Where the value lies.

use std::ops::Deref;
use std::sync::Arc;

use arc_swap::{ArcSwap, Guard};

/// Holds a value, which is dropped when it has been swapped out and nobody holds it.
pub trait Cell<T> {
    /// The value for as long as it is needed.
    type Shared: Deref<Target = T>;
    /// The value for a short while.
    type Guard<'c>: Deref<Target = Self::Shared>
    where
        Self: 'c;

    /// A cell with its first value.
    fn new(first: T) -> Self;
    /// The value that is in it now.
    fn load(&self) -> Self::Guard<'_>;
    /// Puts in the next value, which every load gives that begins after this has returned; gives the one before.
    fn swap(&self, next: T) -> Self::Shared;
}

/// The cell of production. A guard of it is no reference count: it is a debt, which `swap` pays for the reader, so that
/// the count is right from then on.
#[derive(Debug)]
pub struct ArcCell<T>(ArcSwap<T>);

impl<T> Cell<T> for ArcCell<T> {
    type Shared = Arc<T>;
    type Guard<'c>
        = Guard<Arc<T>>
    where
        Self: 'c;

    fn new(first: T) -> Self {
        Self(ArcSwap::from_pointee(first))
    }

    fn load(&self) -> Guard<Arc<T>> {
        self.0.load()
    }

    fn swap(&self, next: T) -> Arc<T> {
        self.0.swap(Arc::new(next))
    }
}
