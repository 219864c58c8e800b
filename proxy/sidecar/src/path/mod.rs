//! The path of a call. The recipe is `recipe`; every step is a file here.

pub(crate) mod authorize;
pub(crate) mod classify;
pub(crate) mod destination;
pub(crate) mod entry;
pub(crate) mod forward;
pub(crate) mod identify;
pub(crate) mod judge;
pub(crate) mod recipe;
pub(crate) mod record;
