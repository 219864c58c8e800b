//! Entries of the spool as the control plane reads them: protobuf `CallEntry`, written by hand from borrowed facts
//! because the generated type would copy every field on the path of a call. A test holds it to the generated one.

use creto_call::{Call, Capture, Meaning};
use creto_metering::{Settled, Usage};
use creto_proto::v1;
use prost::Message as _;
use prost::encoding::{WireType, encode_key, encode_varint, encoded_len_varint};

use crate::quota::Bound;

/// What a beginning says beyond the call's own facts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Begun<'a> {
    pub(crate) at_us: i64,
    pub(crate) call: &'a Call<'a>,
    /// What it means; several for a batch.
    pub(crate) meanings: &'a [Meaning<'a>],
    pub(crate) verdict: i32,
    pub(crate) code: &'a str,
    pub(crate) policy: &'a str,
    pub(crate) rule: &'a str,
    pub(crate) policy_epoch: u64,
    pub(crate) delegation_id: &'a [u8],
    /// Name of the credential that is put in; empty if none is.
    pub(crate) credential: &'a str,
    /// The most that it can come to.
    pub(crate) most: Bound,
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
    /// What the answer used, for calls that are metered.
    pub(crate) settled: Option<&'a Settled>,
    /// Machine code of what the sidecar ended it for, after it was let through; empty otherwise.
    pub(crate) code: &'a str,
    /// What it can have cost, in billionths of a US dollar, if nobody knows how it ended.
    pub(crate) most_nanodollars: u64,
}

/// Longest path kept; the rest is cut, since a record is bounded and the decision was made on the whole.
const PATH: usize = 4096;
/// Longest operation kept: a batch names several.
const OPERATION: usize = 256;
/// Most subjects kept of a batch, and the longest kept of each.
const SUBJECTS: usize = 16;
const SUBJECT: usize = 256;
/// Longest name of the model that answered; it must fit in the room set aside for the end.
const RESPONSE_MODEL: usize = 64;
/// Longest service tier; as above.
const SERVICE_TIER: usize = 32;

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
        body.message(15, |out| meaning(self.meanings, out));
        body.text(16, self.credential);
        body.number(17, self.most.input_tokens);
        body.number(18, self.most.output_tokens);
        body.number(19, self.most.nanodollars);
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
        if let Some(settled) = self.settled {
            body.message(9, |out| usage(&settled.usage, out));
            body.text(10, cut(settled.response_model.as_deref().unwrap_or_default(), RESPONSE_MODEL));
            body.text(11, cut(settled.service_tier.as_deref().unwrap_or_default(), SERVICE_TIER));
        }
        body.text(12, self.code);
        body.number(13, self.most_nanodollars);
        wrap(3, out);
    }
}

impl Bound {
    /// The bound that the beginning of a call has on record; nothing of each in one that is of before there were any.
    pub(crate) fn on_record(begun: &[u8]) -> Self {
        let entry = v1::CallEntry::decode(begun).ok().and_then(|entry| entry.entry);
        let Some(v1::call_entry::Entry::Begun(begun)) = entry else { return Self::default() };
        Self {
            input_tokens: begun.most_input_tokens,
            output_tokens: begun.most_output_tokens,
            nanodollars: begun.most_nanodollars,
        }
    }

    /// As the usage of a call of which nothing else is known; none where nothing is bounded.
    pub(crate) fn as_settled(self) -> Option<Settled> {
        let Self { input_tokens: input, output_tokens: output, nanodollars: _ } = self;
        let usage = Usage { input, output, estimated: true, ..Usage::default() };
        (self != Self::default()).then(|| Settled { usage, ..Settled::default() })
    }
}

/// `CallMeaning` of a call's messages.
fn meaning(meanings: &[Meaning<'_>], out: &mut Writer<'_>) {
    let mut subjects = 0;
    let mut operations = String::new();
    for (at, meaning) in meanings.iter().enumerate() {
        let (protocol, service, operation, subject) = match meaning {
            Meaning::Plain => continue,
            Meaning::Model(call) => {
                ("model", call.provider.as_str(), call.operation.as_str(), call.model.as_deref())
            }
            Meaning::Mcp(call) => {
                let subject = call.tool.as_deref().or(call.prompt.as_deref()).or(call.resource.as_deref());
                ("mcp", call.server.as_str(), call.method.as_str(), subject)
            }
            Meaning::A2a(call) => ("a2a", call.agent.as_str(), call.method.as_str(), call.skill.as_deref()),
        };
        if at == 0 {
            out.text(1, protocol);
            out.text(2, cut(service, SUBJECT));
        }
        if operations.len() < OPERATION && !operations.split(',').any(|known| known == operation) {
            if !operations.is_empty() {
                operations.push(',');
            }
            operations.push_str(operation);
        }
        if let Some(subject) = subject
            && subjects < SUBJECTS
        {
            subjects += 1;
            out.text(4, cut(subject, SUBJECT));
        }
    }
    out.text(3, cut(&operations, OPERATION));
}

/// `Usage`: its fields stand in the order of the kinds.
fn usage(usage: &Usage, out: &mut Writer<'_>) {
    for (tag, count) in (1..).zip(usage.counts()) {
        out.number(tag, count);
    }
    out.number(12, u64::from(usage.estimated));
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

    /// A message within; left out when it is empty.
    fn message(&mut self, tag: u32, write: impl FnOnce(&mut Writer<'_>)) {
        let start = self.0.len();
        write(&mut Writer(self.0));
        let length = self.0.len() - start;
        if length > 0 {
            let mut front = Vec::with_capacity(12);
            encode_key(tag, WireType::LengthDelimited, &mut front);
            encode_varint(length as u64, &mut front);
            self.0.splice(start..start, front);
        }
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
    use super::*;
    use creto_call::{Details, Kind, McpCall, Scheme};

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
            details: Details::default(),
        };
        let tool = |name: &str| McpCall {
            server: "tickets".into(),
            method: "tools/call".into(),
            tool: Some(name.into()),
            ..McpCall::default()
        };
        let (first, second) = (tool("search"), tool("delete"));
        let begun = Begun {
            at_us: 1_700_000_000_000_000,
            call: &call,
            meanings: &[Meaning::Mcp(&first), Meaning::Mcp(&second)],
            verdict: 2,
            code: "rule_denies",
            policy: "p",
            rule: "r",
            policy_epoch: 9,
            delegation_id: &[1; 32],
            credential: "tickets",
            most: Bound { input_tokens: 1_500, output_tokens: 8_192, nanodollars: 123_456_789 },
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
        let meaning = read.meaning.unwrap();
        assert_eq!(
            (meaning.protocol.as_str(), meaning.service.as_str(), meaning.operation.as_str()),
            ("mcp", "tickets", "tools/call")
        );
        assert_eq!(meaning.subjects, ["search", "delete"]);
        assert_eq!(read.credential, "tickets");
        assert_eq!((read.most_input_tokens, read.most_output_tokens), (1_500, 8_192));
        assert_eq!(read.most_nanodollars, 123_456_789);
        assert_eq!(Bound::on_record(&out), begun.most);
        let before = Begun { most: Bound::default(), ..begun };
        before.encode(&mut out);
        assert_eq!(Bound::on_record(&out).as_settled(), None);
        assert_eq!(Bound::on_record(b"not an entry").as_settled(), None);

        let ended = Ended {
            begun_sequence: 300,
            at_us: 5,
            outcome: 3,
            status: 403,
            request_bytes: 1,
            response_bytes: 2,
            duration_us: 3,
            upstream_address: "10.0.0.1:443",
            settled: Some(&settled(7)),
            code: "over_quota",
            most_nanodollars: 9,
        };
        ended.encode(&mut out);
        let read = v1::CallEntry::decode(out.as_slice()).unwrap();
        let Some(v1::call_entry::Entry::Ended(read)) = read.entry else { panic!("not an end") };
        assert_eq!(
            (read.begun_sequence, read.at_us, read.outcome(), read.status),
            (300, 5, v1::Outcome::Refused, 403)
        );
        assert_eq!((read.request_bytes, read.response_bytes, read.duration_us), (1, 2, 3));
        assert_eq!(read.upstream_address, "10.0.0.1:443");
        assert_eq!(read.response_model, "m".repeat(64), "cut");
        assert_eq!(read.service_tier, "t".repeat(32), "cut");
        assert_eq!((read.code.as_str(), read.most_nanodollars), ("over_quota", 9));
        let expected = v1::Usage {
            input: 7,
            cached_input: 7,
            cache_write: 7,
            cache_write_1h: 7,
            output: 7,
            reasoning: 7,
            audio_input: 7,
            audio_output: 7,
            image_input: 7,
            images: 7,
            server_tool_calls: 7,
            estimated: true,
        };
        assert_eq!(read.usage, Some(expected));
    }

    /// Every kind with the same count.
    fn settled(count: u64) -> Settled {
        let usage = Usage {
            input: count,
            cached_input: count,
            cache_write: count,
            cache_write_1h: count,
            output: count,
            reasoning: count,
            audio_input: count,
            audio_output: count,
            image_input: count,
            images: count,
            server_tool_calls: count,
            estimated: true,
        };
        let (response_model, service_tier) = (Some("m".repeat(100)), Some("t".repeat(100)));
        Settled { usage, response_model, service_tier, ..Settled::default() }
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
            settled: Some(&settled(u64::MAX)),
            code: creto_call::RefusalCode::ALL
                .iter()
                .map(|code| code.as_str())
                .max_by_key(|code| code.len())
                .unwrap(),
            most_nanodollars: u64::MAX,
        };
        let mut out = Vec::new();
        ended.encode(&mut out);
        assert!(out.len() <= 384, "{}", out.len());
    }
}
