//! gzip and deflate, by zlib-rs: the zlib whose parsing is written in Rust.

use zlib_rs::{Inflate, InflateFlush, Status};

use super::{Step, Undecodable};

const WINDOW_BITS: u8 = 15;
/// Asks zlib for the gzip header.
const GZIP: u8 = 16;

/// The decoder.
pub(super) enum Inflater {
    Known(Inflate),
    /// `deflate`, whose first two bytes tell whether it is zlib, as it should be, or bare.
    Unknown(Option<u8>),
}

impl Inflater {
    pub(super) fn gzip() -> Self {
        Self::Known(Inflate::new(true, GZIP + WINDOW_BITS))
    }

    pub(super) fn deflate() -> Self {
        Self::Unknown(None)
    }

    pub(super) fn step(&mut self, input: &[u8], output: &mut [u8]) -> Result<Step, Undecodable> {
        match self {
            Self::Known(inflate) => step(inflate, input, output),
            Self::Unknown(None) => {
                let Some(&first) = input.first() else {
                    return Ok(Step { read: 0, written: 0, end: false });
                };
                *self = Self::Unknown(Some(first));
                Ok(Step { read: 1, written: 0, end: false })
            }
            Self::Unknown(Some(first)) => {
                let Some(&second) = input.first() else {
                    return Ok(Step { read: 0, written: 0, end: false });
                };
                let zlib = *first & 0x0f == 8 && u16::from_be_bytes([*first, second]) % 31 == 0;
                let mut inflate = Inflate::new(zlib, WINDOW_BITS);
                // One byte is never more than the start of a header or of a block.
                step(&mut inflate, &[*first], output)?;
                let step = step(&mut inflate, input, output);
                *self = Self::Known(inflate);
                step
            }
        }
    }
}

fn step(inflate: &mut Inflate, input: &[u8], output: &mut [u8]) -> Result<Step, Undecodable> {
    let (read, written) = (inflate.total_in(), inflate.total_out());
    let status = inflate.decompress(input, output, InflateFlush::NoFlush).map_err(|_| Undecodable)?;
    Ok(Step {
        read: (inflate.total_in() - read) as usize,
        written: (inflate.total_out() - written) as usize,
        end: status == Status::StreamEnd,
    })
}
