//! Text that others wrote, made safe to show: nothing in it moves the cursor, colours, hides or reorders what is around it.

/// Whether a terminal shows nothing of a character, or lets it change how others are shown: controls, marks of direction,
/// and what has no width.
fn is_unseen(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
            | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}')
}

/// As one line: what cannot be seen is written by its number, `<U+001B>`.
#[must_use]
pub(crate) fn line(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        if is_unseen(character) {
            shown.push_str(&format!("<U+{:04X}>", u32::from(character)));
        } else {
            shown.push(character);
        }
    }
    shown
}

/// As lines behind a bar each, so that no line can be taken for one of ours.
#[must_use]
pub(crate) fn block(text: &str) -> String {
    let lines: Vec<String> = text.split('\n').map(|part| format!("  | {}", line(part))).collect();
    lines.join("\n")
}

/// As one line of at most so many characters.
#[must_use]
pub(crate) fn cut(text: &str, most: usize) -> String {
    let shown = line(text);
    if shown.chars().count() <= most {
        return shown;
    }
    let mut short: String = shown.chars().take(most.saturating_sub(1)).collect();
    short.push('…');
    short
}

/// Bytes behind bars: as text where they are, else in hexadecimal digits.
#[must_use]
pub(crate) fn body(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => block(text),
        Err(_) => {
            let rows = bytes.chunks(32).map(|row| format!("  | {}", hex::encode(row)));
            rows.collect::<Vec<_>>().join("\n")
        }
    }
}

/// JSON with what cannot be seen written as escapes, which is the same JSON.
#[must_use]
pub(crate) fn json(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        // Such characters stand inside strings only: serde_json puts no other between values.
        if is_unseen(character) {
            for unit in character.encode_utf16(&mut [0; 2]) {
                shown.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            shown.push(character);
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_cannot_be_seen_is_written_by_its_number() {
        assert_eq!(line("a\x1b[31mred\u{202e}\r"), "a<U+001B>[31mred<U+202E><U+000D>");
        assert_eq!(line("\u{9b}2J\u{e0041}"), "<U+009B>2J<U+E0041>");
        assert_eq!(line("Grüße, 世界 👍"), "Grüße, 世界 👍");
    }

    #[test]
    fn no_line_of_a_block_stands_without_its_bar() {
        assert_eq!(block("a\nDigest: b"), "  | a\n  | Digest: b");
        assert_eq!(body(&[0xff, 1]), "  | ff01");
        assert_eq!(cut("abcdef", 4), "abc…");
    }

    proptest! {
        #[test]
        fn nothing_shown_controls_a_terminal(text in "\\PC*|.*") {
            for shown in [line(&text), cut(&text, 20)] {
                prop_assert!(!shown.chars().any(is_unseen));
            }
            for shown in block(&text).lines() {
                prop_assert!(shown.starts_with("  | ") && !shown.chars().any(is_unseen));
            }
        }

        #[test]
        fn json_stays_the_same_value(text in ".*") {
            let value = serde_json::json!({ "text": text });
            let shown = json(&value.to_string());
            prop_assert!(!shown.chars().any(is_unseen));
            prop_assert_eq!(serde_json::from_str::<serde_json::Value>(&shown).unwrap(), value);
        }
    }
}
