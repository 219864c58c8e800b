//! `time`: RFC 3339, and nothing looser.

use jiff::Timestamp;

use super::bounds::MAX_TIME_BYTES;
use super::problem::{ItemProblem, quoted};

/// Microseconds since 1970; what is finer is cut off.
pub(super) fn micros(text: &str) -> Result<i64, ItemProblem> {
    let bad = || ItemProblem::BadTime(quoted(text));
    if !is_rfc3339(text) {
        return Err(bad());
    }
    text.parse::<Timestamp>().map(|at| at.as_microsecond()).map_err(|_| bad())
}

/// `1970-01-01T00:00:00`, perhaps a fraction, then `Z` or an offset (RFC 3339, section 5.6): the library also reads
/// shorter forms, whose meaning would be a guess.
fn is_rfc3339(text: &str) -> bool {
    let bytes = text.as_bytes();
    let shape = |bytes: &[u8], shape: &[u8]| {
        bytes.len() == shape.len()
            && bytes.iter().zip(shape).all(|(byte, wanted)| match wanted {
                b'0' => byte.is_ascii_digit(),
                _ => byte.eq_ignore_ascii_case(wanted),
            })
    };
    if bytes.len() > MAX_TIME_BYTES || bytes.len() < 20 || !shape(&bytes[..19], b"0000-00-00T00:00:00") {
        return false;
    }
    let mut rest = &bytes[19..];
    if let [b'.', fraction @ ..] = rest {
        let digits = fraction.iter().take_while(|byte| byte.is_ascii_digit()).count();
        // Nine digits are nanoseconds; the library reads no more.
        if !(1..=9).contains(&digits) {
            return false;
        }
        rest = &fraction[digits..];
    }
    shape(rest, b"Z") || shape(rest, b"+00:00") || shape(rest, b"-00:00")
}
