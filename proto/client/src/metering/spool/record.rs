//! One record: a frame with its length and checksum.

use creto_proto::v1::IngestFrame;
use prost::Message as _;

use crate::metering::SpoolError;

/// Largest record, in bytes: more than any frame of this client.
pub const MAX_RECORD_BYTES: usize = 4 * 1024 * 1024;
/// Length and CRC-32C, each a little-endian word.
pub(super) const HEAD: usize = 8;

/// Writes a record.
pub(super) fn write(into: &mut Vec<u8>, frame: &IngestFrame) -> Result<(), SpoolError> {
    let body = frame.encode_to_vec();
    let length = u32::try_from(body.len()).unwrap_or(u32::MAX);
    if body.len() > MAX_RECORD_BYTES {
        return Err(SpoolError::TooLarge(body.len()));
    }
    into.extend_from_slice(&length.to_le_bytes());
    into.extend_from_slice(&crc32c::crc32c(&body).to_le_bytes());
    into.extend_from_slice(&body);
    Ok(())
}

/// The length that a head states, if a record can have it, and its checksum.
pub(super) fn head(bytes: [u8; HEAD]) -> Option<(usize, u32)> {
    let [a, b, c, d, e, f, g, h] = bytes;
    let length = u32::from_le_bytes([a, b, c, d]) as usize;
    (length > 0 && length <= MAX_RECORD_BYTES).then_some((length, u32::from_le_bytes([e, f, g, h])))
}

/// Reads a body that its head vouches for.
pub(super) fn body(bytes: &[u8], checksum: u32) -> Option<IngestFrame> {
    (crc32c::crc32c(bytes) == checksum).then(|| IngestFrame::decode(bytes).ok()).flatten()
}
