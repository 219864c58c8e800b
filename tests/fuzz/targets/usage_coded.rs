//! Usage in answers with a content coding, in every framing.
#![no_main]
#![forbid(unsafe_code)]

use creto_fuzz::usage;
use creto_metering::{Encoding, Framing};
use libfuzzer_sys::fuzz_target;

const FRAMINGS: [Framing; 3] = [Framing::Json, Framing::Sse, Framing::EventStream];
const ENCODINGS: [Encoding; 5] =
    [Encoding::Gzip, Encoding::Deflate, Encoding::Brotli, Encoding::Zstd, Encoding::Unknown];

fuzz_target!(|input: &[u8]| usage::check(input, &FRAMINGS, &ENCODINGS));
