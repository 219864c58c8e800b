//! A list of tools where none belongs: in the JSON answer to a tool's call. Clients match answers by their id, so it
//! could answer a list that is asked for elsewhere, unseen by the filter.

/// Longest key that is kept, as written: `tools` with every letter escaped.
const KEY: usize = 32;

/// Looks at one JSON text in any chunks, in constant memory. What is not JSON is none to its reader either.
#[derive(Debug, Default)]
pub(super) struct StrayList {
    /// Brackets that are open, and which of the outer ones are objects (bit 0: the outermost).
    depth: u32,
    objects: u64,
    in_string: bool,
    escaped: bool,
    /// The last string, as written, cut off.
    text: Vec<u8>,
}

impl StrayList {
    /// Takes a chunk; true when a message in it has a result with tools.
    pub(super) fn push(&mut self, chunk: &[u8]) -> bool {
        for &byte in chunk {
            if self.in_string {
                match byte {
                    _ if self.escaped => self.escaped = false,
                    b'\\' => self.escaped = true,
                    b'"' => {
                        self.in_string = false;
                        continue;
                    }
                    _ => {}
                }
                if self.text.len() <= KEY {
                    self.text.push(byte);
                }
                continue;
            }
            match byte {
                b'"' => {
                    self.in_string = true;
                    self.text.clear();
                }
                b'{' | b'[' => {
                    if self.depth < u64::BITS {
                        let bit = 1 << self.depth;
                        self.objects = if byte == b'{' { self.objects | bit } else { self.objects & !bit };
                    }
                    self.depth = self.depth.saturating_add(1);
                }
                b'}' | b']' => self.depth = self.depth.saturating_sub(1),
                b':' if self.is_member_of_result() && self.is_tools() => return true,
                _ => {}
            }
        }
        false
    }

    /// Whether the member stands in an object that is a member of a message: alone or in a batch.
    fn is_member_of_result(&self) -> bool {
        matches!((self.depth, self.objects & 0b111), (2, 0b11 | 0b111) | (3, 0b110))
    }

    fn is_tools(&self) -> bool {
        if self.text.len() > KEY {
            return false;
        }
        let quoted = [b"\"", self.text.as_slice(), b"\""].concat();
        serde_json::from_slice::<String>(&quoted).is_ok_and(|key| key.eq_ignore_ascii_case("tools"))
    }
}

#[cfg(test)]
mod tests {
    use super::StrayList;

    fn found(text: &str) -> bool {
        let whole = StrayList::default().push(text.as_bytes());
        let mut bytewise = StrayList::default();
        assert_eq!(text.as_bytes().chunks(1).any(|byte| bytewise.push(byte)), whole, "{text}");
        whole
    }

    #[test]
    fn a_list_is_found_however_it_is_written() {
        for text in [
            r#"{"result":{"tools":[]}}"#,
            r#"{"id":1,"result" : { "content":[{"a":[1]}], "tools" : [] } }"#,
            r#"[{"id":1},{"result":{"tools":[]}}]"#,
            r#"{"result":{"\u0074oo\u006Cs":[]}}"#,
            r#"{"result":{"\u0074\u006f\u006f\u006c\u0073":[]}}"#,
            r#"{"result":{"Tools":[]}}"#,
            r#"{"x":"\\\"{","result":{"tools":[]}}"#,
            r#"{"a":{},"b":[[],{}],"result":{"tools":[]}}"#,
        ] {
            assert!(found(text), "{text}");
        }
    }

    #[test]
    fn what_a_tool_answers_may_speak_of_tools() {
        for text in [
            r#"{"result":{"content":[{"type":"text","text":"\"tools\":"}]}}"#,
            r#"{"result":{"structuredContent":{"tools":[]}}}"#,
            r#"{"result":{"content":[{"tools":1}]}}"#,
            r#"[{"result":{"structuredContent":{"tools":[]}}}]"#,
            r#"{"result":{"toolset":[],"x":"tools"}}"#,
            r#"{"tools":[]}"#,
            r#"{"result":["tools"]}"#,
        ] {
            assert!(!found(text), "{text}");
        }
    }

    #[test]
    fn depth_is_only_counted() {
        let mut watch = StrayList::default();
        assert!(!watch.push(&b"[".repeat(1 << 20)));
        assert!(!watch.push(&b"]".repeat(1 << 21)));
    }
}
