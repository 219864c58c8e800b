//! What a request with events may hold.

/// Bytes of a request's body; a larger one is refused whole.
pub const MAX_BODY_BYTES: usize = 1 << 20;
/// Events of a batch; a larger one is refused whole.
pub const MAX_ITEMS: usize = 1_000;
/// Bytes of one event of a batch, as it is written; a larger one is refused, its neighbours are not.
pub const MAX_ITEM_BYTES: usize = 64 << 10;
/// Attributes and extensions of one event, `data` among them.
pub const MAX_ATTRIBUTES: usize = 64;
/// Bytes of `time`: a date, a time with nanoseconds and an offset take 35.
pub const MAX_TIME_BYTES: usize = 40;
/// Characters of what was sent that a refusal repeats.
pub(super) const MAX_QUOTED_CHARACTERS: usize = 64;
