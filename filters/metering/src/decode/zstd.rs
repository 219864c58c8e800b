//! Zstandard, by zstd-safe: the reference decoder, which is fuzzed by its makers and already linked by the engine.

use zstd_safe::{DCtx, DParameter, InBuffer, OutBuffer};

use super::{MAX_WINDOW_LOG, Step, Undecodable};

/// The decoder.
pub(super) struct Unzstd {
    context: DCtx<'static>,
    /// A frame is over, and no other has begun.
    between_frames: bool,
    begun: bool,
}

impl Unzstd {
    /// None if there is no memory.
    pub(super) fn new() -> Option<Self> {
        let mut context = DCtx::try_create()?;
        context.set_parameter(DParameter::WindowLogMax(MAX_WINDOW_LOG)).ok()?;
        Some(Self { context, between_frames: false, begun: false })
    }

    pub(super) fn step(&mut self, input: &[u8], output: &mut [u8]) -> Result<Step, Undecodable> {
        // A frame that comes whole goes another way through the decoder, which is stricter in some things and laxer in
        // others. What is read must not depend on how the bytes were cut, so no frame comes whole.
        let input = match input.get(..1) {
            Some(first) if self.between_frames || !self.begun => first,
            _ => input,
        };
        self.begun |= !input.is_empty();
        let mut from = InBuffer::around(input);
        let mut to = OutBuffer::around(output);
        let wanted = self.context.decompress_stream(&mut to, &mut from).map_err(|_| Undecodable)?;
        // Without progress it only says what it would like.
        if from.pos() > 0 || to.pos() > 0 {
            self.between_frames = wanted == 0;
        }
        // Frames may follow each other, so the end of one is not the end.
        Ok(Step { read: from.pos(), written: to.pos(), end: false })
    }

    /// A frame is over, and no other has begun.
    pub(super) fn is_between_frames(&self) -> bool {
        self.between_frames
    }
}
