//! What a sidecar tells of a call, taken in: bounded, and byte for byte.

use creto_approvals::{Context, Header, Payload};
use creto_proto::v1::{ApprovalContext, ApprovalHeader};
use tonic::Status;

/// Longest line that says what it is, in bytes.
const MAX_ACTION: usize = 1_024;
/// Longest method.
const MAX_METHOD: usize = 64;
/// Longest address.
const MAX_URL: usize = 32 * 1024;
/// Headers, and bytes of all their names and values together.
const MAX_HEADERS: usize = 128;
const MAX_HEADER_BYTES: usize = 64 * 1024;
/// Longest text that says why it is held, and longest note on a risk.
const MAX_TRIGGER: usize = 4_096;
const MAX_RISK: usize = 512;
/// Notes on risks.
const MAX_RISKS: usize = 32;
/// Longest cost.
const MAX_COST: usize = 64;
/// Longest word of the agent.
const MAX_SAID: usize = 8 * 1024;

/// What people are shown. `reason` is what the rule says of itself.
///
/// # Errors
/// `INVALID_ARGUMENT` naming what is too much: nobody approves what they cannot see whole.
pub(crate) fn context_of(
    told: Option<ApprovalContext>,
    reason: Option<&str>,
    delegation: Vec<String>,
) -> Result<Context, Status> {
    let told = told.ok_or_else(|| Status::invalid_argument("context: say what people are to decide"))?;
    let bytes: usize = told.headers.iter().map(|header| header.name.len() + header.value.len()).sum();
    for (what, found, most) in [
        ("context.action", told.action.len(), MAX_ACTION),
        ("context.method", told.method.len(), MAX_METHOD),
        ("context.url", told.url.len(), MAX_URL),
        ("context.headers: their number", told.headers.len(), MAX_HEADERS),
        ("context.headers: all of them", bytes, MAX_HEADER_BYTES),
        ("context.trigger", told.trigger.len(), MAX_TRIGGER),
        ("context.risks: their number", told.risks.len(), MAX_RISKS),
        ("context.risks", told.risks.iter().map(String::len).max().unwrap_or(0), MAX_RISK),
        ("context.cost", told.cost.len(), MAX_COST),
        ("context.said_by_agent", told.said_by_agent.len(), MAX_SAID),
    ] {
        if found > most {
            return Err(Status::invalid_argument(format!(
                "{what} is {found}, at most {most} can be shown whole"
            )));
        }
    }
    if told.action.is_empty() || told.method.is_empty() || told.url.is_empty() {
        return Err(Status::invalid_argument("context: action, method and url must be there"));
    }
    let trigger = match reason {
        Some(reason) if told.trigger.is_empty() => reason.to_owned(),
        Some(reason) if !told.trigger.contains(reason) => format!("{reason} ({})", told.trigger),
        _ => told.trigger,
    };
    Ok(Context {
        action: told.action,
        method: told.method,
        url: told.url,
        headers: told.headers.into_iter().map(header).collect(),
        body: payload(told.body),
        trigger,
        risks: told.risks,
        cost: told.cost,
        delegation,
        said_by_agent: Some(told.said_by_agent).filter(|said| !said.is_empty()),
    })
}

fn payload(body: Vec<u8>) -> Payload {
    if body.is_empty() {
        return Payload::Nothing;
    }
    match String::from_utf8(body) {
        Ok(text) => Payload::Text(text),
        Err(other) => Payload::Binary(hex::encode(other.as_bytes())),
    }
}

fn header(told: ApprovalHeader) -> Header {
    Header { name: told.name, value: escaped(&told.value) }
}

/// Bytes as text: what is no text is written as `\xNN` and a backslash as two, so that the bytes can be had back.
fn escaped(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            match character {
                '\\' => text.push_str("\\\\"),
                plain if plain.is_control() => {
                    let mut buffer = [0; 4];
                    push_hex(&mut text, plain.encode_utf8(&mut buffer).as_bytes());
                }
                plain => text.push(plain),
            }
        }
        push_hex(&mut text, chunk.invalid());
    }
    text
}

fn push_hex(text: &mut String, bytes: &[u8]) {
    for byte in bytes {
        text.push_str("\\x");
        text.push_str(&hex::encode([*byte]));
    }
}

/// The bytes that [`escaped`] wrote.
pub(super) fn unescaped(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        bytes.extend_from_slice(&rest.as_bytes()[..at]);
        let after = &rest[at + 1..];
        let byte = after.strip_prefix('x').and_then(|digits| u8::from_str_radix(digits.get(..2)?, 16).ok());
        match byte {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[3..];
            }
            None => {
                bytes.push(b'\\');
                rest = after.strip_prefix('\\').unwrap_or(after);
            }
        }
    }
    bytes.extend_from_slice(rest.as_bytes());
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told() -> ApprovalContext {
        ApprovalContext {
            action: "POST https://bank.example/t".into(),
            method: "POST".into(),
            url: "https://bank.example/t".into(),
            ..ApprovalContext::default()
        }
    }

    #[test]
    fn values_of_headers_come_back_byte_for_byte() {
        for value in
            [&b"plain"[..], b"C:\\x41\\", b"\\\\x", b"\xff\x00\x1b[31m", "gr\u{fc}n\u{9b}".as_bytes(), b""]
        {
            let written = escaped(value);
            assert!(!written.chars().any(char::is_control), "{written:?}");
            assert_eq!(unescaped(&written), value, "{written}");
        }
    }

    #[test]
    fn what_cannot_be_shown_whole_is_refused_by_name() {
        let long = |change: fn(&mut ApprovalContext)| {
            let mut context = told();
            change(&mut context);
            context_of(Some(context), None, Vec::new()).unwrap_err().message().to_owned()
        };
        assert!(long(|one| one.url = "x".repeat(MAX_URL + 1)).contains("context.url"));
        assert!(long(|one| one.risks = vec![String::new(); MAX_RISKS + 1]).contains("context.risks"));
        assert!(long(|one| one.said_by_agent = "x".repeat(MAX_SAID + 1)).contains("said_by_agent"));
        assert!(long(|one| one.method.clear()).contains("method"));
        assert!(context_of(None, None, Vec::new()).is_err());
    }

    #[test]
    fn a_body_is_text_where_it_is_and_digits_where_not() {
        assert_eq!(payload(b"{}".to_vec()), Payload::Text("{}".into()));
        assert_eq!(payload(vec![0xff, 1]), Payload::Binary("ff01".into()));
        assert_eq!(payload(Vec::new()), Payload::Nothing);
    }

    #[test]
    fn what_the_rule_says_of_itself_comes_first() {
        let trigger = |said: &str, reason| {
            let context = ApprovalContext { trigger: said.into(), ..told() };
            context_of(Some(context), reason, Vec::new()).unwrap().trigger
        };
        assert_eq!(trigger("costs USD 2", Some("money moves")), "money moves (costs USD 2)");
        assert_eq!(trigger("", Some("money moves")), "money moves");
        assert_eq!(trigger("rule says: money moves", Some("money moves")), "rule says: money moves");
        assert_eq!(trigger("costs", None), "costs");
    }
}
