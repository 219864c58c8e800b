//! JSON laid out for reading: the same text with other white space between its parts, so that nothing of it is lost on the way:
//! neither a key that is there twice nor a digit.

use serde::de::IgnoredAny;

use crate::bounds::{MAX_LAID_OUT_BYTES, MAX_LAID_OUT_DEPTH};

/// None when it is no JSON, is laid out as it is, or is too large or deep.
pub(super) fn laid_out(text: &str) -> Option<String> {
    let begins = text.trim_start().starts_with(['{', '[']);
    if !begins || text.len() > MAX_LAID_OUT_BYTES || serde_json::from_str::<IgnoredAny>(text).is_err() {
        return None;
    }
    let mut out = String::with_capacity(text.len() * 2);
    let (mut depth, mut in_string, mut escaped, mut opened) = (0_usize, false, false, false);
    for character in text.chars() {
        if in_string {
            out.push(character);
            in_string = escaped || character != '"';
            escaped = !escaped && character == '\\';
            continue;
        }
        if character.is_ascii_whitespace() {
            continue;
        }
        let closes = matches!(character, '}' | ']');
        if opened && !closes {
            line(&mut out, depth);
        }
        let was_opened = std::mem::take(&mut opened);
        match character {
            '{' | '[' => {
                depth += 1;
                if depth > MAX_LAID_OUT_DEPTH {
                    return None;
                }
                out.push(character);
                opened = true;
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                if !was_opened {
                    line(&mut out, depth);
                }
                out.push(character);
            }
            ',' => {
                out.push(',');
                line(&mut out, depth);
            }
            ':' => out.push_str(": "),
            other => {
                in_string = other == '"';
                out.push(other);
            }
        }
        if out.len() > 8 * MAX_LAID_OUT_BYTES {
            return None;
        }
    }
    (out != text).then_some(out)
}

fn line(out: &mut String, depth: usize) {
    out.push('\n');
    out.extend(std::iter::repeat_n("  ", depth));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_white_space_between_the_parts_changes() {
        let laid = laid_out(r#"{"a":[1,2.50,{}],"b":"x, {y}: \"z\\","a":null,"c":[]}"#).unwrap();
        let wanted = "{\n  \"a\": [\n    1,\n    2.50,\n    {}\n  ],\n  \"b\": \"x, {y}: \\\"z\\\\\",\n  \"a\": null,\n  \"c\": []\n}";
        assert_eq!(laid, wanted);
        assert_eq!(laid_out(wanted), None);
    }

    #[test]
    fn what_is_no_json_or_too_much_of_it_is_left() {
        for text in ["", "plain", "{\"a\":}", "7", "{\"a\":1} x"] {
            assert_eq!(laid_out(text), None, "{text}");
        }
        let deep = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(laid_out(&deep(MAX_LAID_OUT_DEPTH)).is_some());
        assert_eq!(laid_out(&deep(MAX_LAID_OUT_DEPTH + 1)), None);
        assert_eq!(laid_out(&format!("[{}1]", " ".repeat(MAX_LAID_OUT_BYTES))), None);
    }
}
