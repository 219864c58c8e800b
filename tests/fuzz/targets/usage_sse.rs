//! Usage in streams of server-sent events.
#![no_main]
#![forbid(unsafe_code)]

use creto_fuzz::usage;
use creto_metering::{Encoding, Framing};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| usage::check(input, &[Framing::Sse], &[Encoding::Identity]));
