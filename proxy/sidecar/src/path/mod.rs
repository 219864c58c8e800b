//! The path of a call. The recipe is `recipe`; every step is a file here.

pub(crate) mod admit;
pub(crate) mod admitted;
pub(crate) mod authorize;
pub(crate) mod body_room;
pub(crate) mod classify;
pub(crate) mod destination;
pub(crate) mod edit;
pub(crate) mod entry;
pub(crate) mod forward;
pub(crate) mod headed;
pub(crate) mod hold;
pub(crate) mod identify;
pub(crate) mod inject;
pub(crate) mod judge;
mod key_places;
pub(crate) mod object;
pub(crate) mod observe;
pub(crate) mod plan;
pub(crate) mod recipe;
pub(crate) mod record;
pub(crate) mod reserve;
pub(crate) mod standing;
pub(crate) mod tenure;
