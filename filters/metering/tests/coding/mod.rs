//! Bytes in every content coding.

use std::io::Write as _;

use creto_metering::Encoding;
use zlib_rs::{Deflate, DeflateConfig, DeflateFlush};

/// `body` in every coding the scanner undoes, with a name to tell them apart.
pub(crate) fn codings(body: &[u8]) -> Vec<(&'static str, Encoding, Vec<u8>)> {
    vec![
        ("gzip", Encoding::Gzip, gzip(body)),
        ("zlib", Encoding::Deflate, deflate(body, 15)),
        ("bare deflate", Encoding::Deflate, deflate(body, -15)),
        ("brotli", Encoding::Brotli, brotli(body)),
        ("zstd", Encoding::Zstd, zstd(body)),
    ]
}

pub(crate) fn gzip(body: &[u8]) -> Vec<u8> {
    deflate(body, 31)
}

/// zlib's own meaning of the window: above 16 gzip, below 0 bare.
fn deflate(body: &[u8], window_bits: i32) -> Vec<u8> {
    let mut deflate = Deflate::new_with_config(DeflateConfig { window_bits, ..DeflateConfig::default() });
    let mut out = vec![0; body.len() + body.len() / 100 + 1024];
    deflate.compress(body, &mut out, DeflateFlush::Finish).unwrap();
    out.truncate(deflate.total_out() as usize);
    out
}

pub(crate) fn brotli(body: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut writer = brotli::CompressorWriter::new(&mut out, 4096, 5, 22);
    writer.write_all(body).unwrap();
    drop(writer);
    out
}

pub(crate) fn zstd(body: &[u8]) -> Vec<u8> {
    let mut out = vec![0; zstd_safe::compress_bound(body.len())];
    let len = zstd_safe::compress(&mut out[..], body, 3).unwrap();
    out.truncate(len);
    out
}
