//! Takes secrets out of answers that echo them: every byte of them becomes `*`, so that lengths stay.
//!
//! Found are, for each secret: the bytes as they are; base64 in both alphabets, alone or inside a longer encoded text
//! at any of the three alignments (there the first and last character, which also hold bits of the neighbours, may
//! stay); percent-encoded in the usual ways; escaped in JSON in the usual ways; hexadecimal in one case. Not found are
//! answers that are compressed, encrypted, re-encoded otherwise, or that hold only a part of a secret.

mod forms;
mod held;
mod patterns;
mod search;
mod stream;

pub use stream::Scrubber;

pub(crate) use patterns::Patterns;
