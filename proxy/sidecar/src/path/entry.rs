//! Entries of the spool as the control plane reads them: protobuf `CallEntry`, written by hand from borrowed facts
//! because the generated type would copy every field on the path of a call. A test holds it to the generated one.

use creto_call::{Call, Capture};
use prost::encoding::{WireType, encode_key, encode_varint, encoded_len_varint};

/// What a beginning says beyond the call's own facts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Begun<'a> {
    pub(crate) at_us: i64,
    pub(crate) call: &'a Call<'a>,
    pub(crate) verdict: i32,
    pub(crate) code: &'a str,
    pub(crate) policy: &'a str,
    pub(crate) rule: &'a str,
    pub(crate) policy_epoch: u64,
    pub(crate) delegation_id: &'a [u8],
}

/// How a call ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ended<'a> {
    pub(crate) begun_sequence: u64,
    pub(crate) at_us: i64,
    pub(crate) outcome: i32,
    pub(crate) status: u32,
    pub(crate) request_bytes: u64,
    pub(crate) response_bytes: u64,
    pub(crate) duration_us: u64,
    pub(crate) upstream_address: &'a str,
}

/// Longest path kept; the rest is cut, since a record is bounded and the decision was made on the whole.
const PATH: usize = 4096;

impl Begun<'_> {
    /// Writes the entry without its sequence, which the spool gives: it is put in front when the entry is sent.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        out.clear();
        let call = self.call;
        let mut body = Writer(out);
        body.number(1, self.at_us as u64);
        body.number(2, capture_number(call.capture));
        body.text(3, call.kind.as_str());
        body.text(4, call.scheme.as_str());
        body.text(5, cut(call.method, 64));
        body.text(6, call.host);
        body.number(7, u64::from(call.port));
        body.text(8, cut(call.path, PATH));
        body.number(9, self.verdict as u64);
        body.text(10, self.code);
        body.text(11, self.policy);
        body.text(12, self.rule);
        body.number(13, self.policy_epoch);
        body.bytes(14, self.delegation_id);
        wrap(2, out);
    }
}

impl Ended<'_> {
    /// As [`Begun::encode`].
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        out.clear();
        let mut body = Writer(out);
        body.number(1, self.begun_sequence);
        body.number(2, self.at_us as u64);
        body.number(3, self.outcome as u64);
        body.number(4, u64::from(self.status));
        body.number(5, self.request_bytes);
        body.number(6, self.response_bytes);
        body.number(7, self.duration_us);
        body.text(8, self.upstream_address);
        wrap(3, out);
    }
}

/// Puts the key and length of the `oneof` field in front of what was written.
fn wrap(tag: u32, out: &mut Vec<u8>) {
    let length = out.len();
    let head = 1 + encoded_len_varint(length as u64);
    out.resize(length + head, 0);
    out.copy_within(..length, head);
    let mut front = [0u8; 11];
    let mut slot = &mut front[..];
    encode_key(tag, WireType::LengthDelimited, &mut slot);
    encode_varint(length as u64, &mut slot);
    out[..head].copy_from_slice(&front[..head]);
}

fn cut(text: &str, most: usize) -> &str {
    let mut end = text.len().min(most);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

fn capture_number(capture: Capture) -> u64 {
    match capture {
        Capture::Connect => 1,
        Capture::AbsoluteForm => 2,
        Capture::BaseUrl => 3,
        Capture::Transparent => 4,
    }
}

struct Writer<'a>(&'a mut Vec<u8>);

impl Writer<'_> {
    fn number(&mut self, tag: u32, value: u64) {
        if value != 0 {
            encode_key(tag, WireType::Varint, self.0);
            encode_varint(value, self.0);
        }
    }

    fn text(&mut self, tag: u32, value: &str) {
        self.bytes(tag, value.as_bytes());
    }

    fn bytes(&mut self, tag: u32, value: &[u8]) {
        if !value.is_empty() {
            encode_key(tag, WireType::LengthDelimited, self.0);
            encode_varint(value.len() as u64, self.0);
            self.0.extend_from_slice(value);
        }
    }
}

#[cfg(test)]
mod tests {
    use creto_call::{Kind, Scheme};
    use creto_proto::v1;
    use prost::Message as _;

    use super::*;

    #[test]
    fn entries_are_what_the_generated_type_reads() {
        let call = Call {
            capture: Capture::Transparent,
            kind: Kind::Http,
            scheme: Scheme::Https,
            method: "POST",
            host: "api.example.com",
            port: 443,
            path: &"/x".repeat(200),
        };
        let begun = Begun {
            at_us: 1_700_000_000_000_000,
            call: &call,
            verdict: 2,
            code: "rule_denies",
            policy: "p",
            rule: "r",
            policy_epoch: 9,
            delegation_id: &[1; 32],
        };
        let mut out = Vec::new();
        begun.encode(&mut out);
        let read = v1::CallEntry::decode(out.as_slice()).unwrap();
        let Some(v1::call_entry::Entry::Begun(read)) = read.entry else { panic!("not a beginning") };
        assert_eq!(read.at_us, begun.at_us);
        assert_eq!(read.capture(), v1::CaptureMode::Transparent);
        assert_eq!(
            (read.kind.as_str(), read.scheme.as_str(), read.method.as_str()),
            ("http", "https", "POST")
        );
        assert_eq!((read.host.as_str(), read.port, read.path.len()), ("api.example.com", 443, 400));
        assert_eq!(read.verdict(), v1::Verdict::Denied);
        assert_eq!((read.code.as_str(), read.policy.as_str(), read.rule.as_str()), ("rule_denies", "p", "r"));
        assert_eq!((read.policy_epoch, read.delegation_id.len()), (9, 32));

        let ended = Ended {
            begun_sequence: 300,
            at_us: 5,
            outcome: 3,
            status: 403,
            request_bytes: 1,
            response_bytes: 2,
            duration_us: 3,
            upstream_address: "10.0.0.1:443",
        };
        ended.encode(&mut out);
        assert!(out.len() <= 160, "an end fits in the room the spool sets aside");
        let read = v1::CallEntry::decode(out.as_slice()).unwrap();
        let Some(v1::call_entry::Entry::Ended(read)) = read.entry else { panic!("not an end") };
        assert_eq!(
            (read.begun_sequence, read.at_us, read.outcome(), read.status),
            (300, 5, v1::Outcome::Refused, 403)
        );
        assert_eq!((read.request_bytes, read.response_bytes, read.duration_us), (1, 2, 3));
        assert_eq!(read.upstream_address, "10.0.0.1:443");
    }

    #[test]
    fn a_longest_end_fits_in_the_room_set_aside() {
        let ended = Ended {
            begun_sequence: u64::MAX,
            at_us: i64::MAX,
            outcome: 6,
            status: 999,
            request_bytes: u64::MAX,
            response_bytes: u64::MAX,
            duration_us: u64::MAX,
            upstream_address: "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535",
        };
        let mut out = Vec::new();
        ended.encode(&mut out);
        assert!(out.len() <= 160, "{}", out.len());
    }
}
