//! What of a body is bound: all of it, but what JSON-RPC makes anew for each attempt, or no call would ever be the same again.

use std::fmt;

use creto_classify::Meanings;
use serde::Deserialize;
use serde::de::{MapAccess, Visitor};
use serde_json::value::RawValue;
use sha2::{Digest as _, Sha256};

/// Keeps digests of messages apart from those of bodies.
const MESSAGES: &[u8] = b"creto-held-messages-v1";

/// A body's length and digest, as approvals are bound to it.
pub(super) fn bound(meanings: &Meanings, body: &[u8]) -> (u64, [u8; 32]) {
    let messages = matches!(meanings, Meanings::Mcp { .. } | Meanings::A2a { .. });
    match messages.then(|| of_messages(body)).flatten() {
        Some(bound) => bound,
        None => (body.len() as u64, Sha256::digest(body).into()),
    }
}

/// None when it cannot be read as messages; then all of it is bound.
fn of_messages(body: &[u8]) -> Option<(u64, [u8; 32])> {
    let mut bound = Bound { hash: Sha256::new(), length: 0 };
    bound.hash.update(MESSAGES);
    if body.trim_ascii_start().starts_with(b"[") {
        let messages: Vec<&RawValue> = serde_json::from_slice(body).ok()?;
        bound.part(b"batch");
        for message in messages {
            bound.message(message)?;
        }
    } else {
        bound.message(serde_json::from_slice(body).ok()?)?;
    }
    Some((bound.length, bound.hash.finalize().into()))
}

struct Bound {
    hash: Sha256,
    length: u64,
}

impl Bound {
    /// Each part with its length in front, so that none can be taken for two.
    fn part(&mut self, bytes: &[u8]) {
        self.hash.update((bytes.len() as u64).to_be_bytes());
        self.hash.update(bytes);
        self.length += bytes.len() as u64;
    }

    /// As [`Bound::part`], as the end of a member.
    fn bind(&mut self, bytes: &[u8]) -> Option<()> {
        self.part(bytes);
        Some(())
    }

    /// A message: its id is left out, and the token by which it asks for progress.
    fn message(&mut self, message: &RawValue) -> Option<()> {
        self.object(message, &mut |bound, key, value| match key {
            // That it has one is bound: without it would be a notification.
            "id" => bound.bind(b""),
            "params" => bound.object(value, &mut |bound, key, value| match key {
                "_meta" => bound.object(value, &mut |bound, key, value| {
                    if key == "progressToken" { Some(()) } else { bound.bind(value.get().as_bytes()) }
                }),
                _ => bound.bind(value.get().as_bytes()),
            }),
            _ => bound.bind(value.get().as_bytes()),
        })
    }

    /// The members of an object in their order, each by its name and what `each` makes of it. What is no object is bound as
    /// it is written.
    fn object(
        &mut self,
        value: &RawValue,
        each: &mut dyn FnMut(&mut Self, &str, &RawValue) -> Option<()>,
    ) -> Option<()> {
        if !value.get().trim_start().starts_with('{') {
            self.part(value.get().as_bytes());
            return Some(());
        }
        let Members(members) = serde_json::from_str(value.get()).ok()?;
        self.part(b"{");
        for (key, value) in members {
            self.part(key.as_bytes());
            each(self, &key, value)?;
        }
        self.part(b"}");
        Some(())
    }
}

/// The members of an object as written.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Vec<(String, &'de RawValue)>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(members)
            }
        }
        deserializer.deserialize_map(Reader).map(Members)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn digest(body: &str) -> (u64, [u8; 32]) {
        of_messages(body.as_bytes()).unwrap()
    }

    const CALL: &str = r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"pay","arguments":{"id":1,"amount":0.1},"_meta":{"progressToken":7,"a":1}}}"#;

    #[test]
    fn a_message_sent_again_is_the_same_whatever_its_id_and_its_token() {
        let again = CALL.replace("\"id\":7", "\"id\":\"x\"").replace("Token\":7", "Token\":\"x\"");
        assert_ne!(CALL, again);
        assert_eq!(digest(CALL), digest(&again));
    }

    #[test]
    fn everything_else_of_a_message_is_bound_as_it_is_written() {
        let others = [
            CALL.replace("\"id\":1", "\"id\":2"),
            CALL.replace("0.1", "0.10000000000000000001"),
            CALL.replace("0.1", "0.10"),
            CALL.replace("pay", "PAY"),
            CALL.replace("\"a\":1", "\"a\":2"),
            CALL.replace("\"id\":7,", ""),
            CALL.replace("\"2.0\"", "\"2.1\""),
            format!("[{CALL}]"),
            format!("[{CALL},{CALL}]"),
        ];
        let mut seen = std::collections::HashSet::from([digest(CALL)]);
        for other in others {
            assert!(seen.insert(digest(&other)), "{other}");
        }
    }

    #[test]
    fn what_is_no_message_is_bound_whole() {
        assert_eq!(of_messages(b"no json"), None);
        assert_eq!(of_messages(b"[1,2"), None);
        let (plain, broken) = (Meanings::Plain, "no json");
        assert_eq!(bound(&plain, broken.as_bytes()), (7, Sha256::digest(broken).into()));
    }

    proptest! {
        #[test]
        fn no_part_can_be_moved_into_its_neighbour(a in "[a-z{}\",:]{0,8}", b in "[a-z{}\",:]{0,8}", c in "[a-z{}\",:]{0,8}", d in "[a-z{}\",:]{0,8}") {
            let body = |one: &str, other: &str| serde_json::json!({"jsonrpc": "2.0", "params": {"x": one, "y": other}}).to_string();
            let same = (&a, &b) == (&c, &d);
            prop_assert_eq!(digest(&body(&a, &b)) == digest(&body(&c, &d)), same);
        }
    }
}
