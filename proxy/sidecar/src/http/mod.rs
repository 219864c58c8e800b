//! HTTP itself: what is taken, what is passed on, what is answered.

pub(crate) mod authority;
pub(crate) mod body;
pub(crate) mod hop_by_hop;
pub(crate) mod refuse;
pub(crate) mod strict;
pub(crate) mod websocket;
