//! Brotli, by brotli-decompressor, which has no unsafe code.

use brotli_decompressor::{BrotliDecompressStream, BrotliResult, BrotliState, StandardAlloc};

use super::{MAX_WINDOW_LOG, Step, Undecodable};

type State = BrotliState<StandardAlloc, StandardAlloc, StandardAlloc>;

/// The decoder.
pub(super) struct Unbrotli {
    state: Box<State>,
    window_seen: bool,
    total: usize,
}

impl Unbrotli {
    pub(super) fn new() -> Self {
        let alloc = StandardAlloc::default;
        Self { state: Box::new(State::new_strict(alloc(), alloc(), alloc())), window_seen: false, total: 0 }
    }

    pub(super) fn step(&mut self, input: &[u8], output: &mut [u8]) -> Result<Step, Undecodable> {
        if let (false, Some(&first)) = (self.window_seen, input.first()) {
            self.window_seen = true;
            if window_log(first).is_none_or(|log| log > MAX_WINDOW_LOG) {
                return Err(Undecodable);
            }
        }
        let (mut left, mut read) = (input.len(), 0);
        let (mut room, mut written) = (output.len(), 0);
        let result = BrotliDecompressStream(
            &mut left,
            &mut read,
            input,
            &mut room,
            &mut written,
            output,
            &mut self.total,
            &mut self.state,
        );
        match result {
            BrotliResult::ResultFailure => Err(Undecodable),
            result => Ok(Step { read, written, end: matches!(result, BrotliResult::ResultSuccess) }),
        }
    }
}

/// The window the first byte of a stream asks for (RFC 7932, section 9.1); none for the one code that is not valid.
fn window_log(first: u8) -> Option<u32> {
    let (low, high) = (u32::from(first >> 1 & 7), u32::from(first >> 4 & 7));
    match (first & 1, low, high) {
        (0, _, _) => Some(16),
        (_, 0, 0) => Some(17),
        (_, 0, 1) => None,
        (_, 0, high) => Some(8 + high),
        (_, low, _) => Some(17 + low),
    }
}
