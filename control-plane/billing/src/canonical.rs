//! Canonical JSON: one text for one value, so that a signature means the value and every byte of the text.
//!
//! RFC 8785 with whole numbers only: object keys in the order of their UTF-16 code units, no white space, the shortest
//! escapes. Numbers with a point or exponent are refused, as money is never one.

use serde_json::Value;

/// Levels of nesting a document may have.
const MAX_DEPTH: usize = 32;

/// A value with no canonical text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CanonicalError {
    /// A number that is not whole, or beyond what readers hold exactly.
    #[error("{0} is no whole number within 2^53: a signed document has no others")]
    Number(String),
    /// Nested too deeply.
    #[error("more than {MAX_DEPTH} levels of nesting")]
    Deep,
}

/// The canonical text of a value.
///
/// # Errors
/// [`CanonicalError`] for other numbers than whole ones within 2^53, and beyond 32 levels.
pub fn canonical(value: &Value) -> Result<String, CanonicalError> {
    let mut text = String::new();
    write(value, 0, &mut text)?;
    Ok(text)
}

fn write(value: &Value, depth: usize, text: &mut String) -> Result<(), CanonicalError> {
    if depth > MAX_DEPTH {
        return Err(CanonicalError::Deep);
    }
    match value {
        Value::Null => text.push_str("null"),
        Value::Bool(true) => text.push_str("true"),
        Value::Bool(false) => text.push_str("false"),
        Value::Number(number) => {
            let whole = number.as_i64().filter(|whole| whole.unsigned_abs() < 1 << 53);
            let whole = whole.ok_or_else(|| CanonicalError::Number(number.to_string()))?;
            text.push_str(&whole.to_string());
        }
        Value::String(string) => quoted(string, text),
        Value::Array(items) => {
            text.push('[');
            for (place, item) in items.iter().enumerate() {
                if place > 0 {
                    text.push(',');
                }
                write(item, depth + 1, text)?;
            }
            text.push(']');
        }
        Value::Object(fields) => {
            let mut keys: Vec<&String> = fields.keys().collect();
            keys.sort_by(|a, b| a.encode_utf16().cmp(b.encode_utf16()));
            text.push('{');
            for (place, key) in keys.into_iter().enumerate() {
                if place > 0 {
                    text.push(',');
                }
                quoted(key, text);
                text.push(':');
                write(&fields[key], depth + 1, text)?;
            }
            text.push('}');
        }
    }
    Ok(())
}

fn quoted(string: &str, text: &mut String) {
    text.push('"');
    for character in string.chars() {
        match character {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\u{8}' => text.push_str("\\b"),
            '\t' => text.push_str("\\t"),
            '\n' => text.push_str("\\n"),
            '\u{c}' => text.push_str("\\f"),
            '\r' => text.push_str("\\r"),
            control if control < ' ' => text.push_str(&format!("\\u{:04x}", control as u32)),
            plain => text.push(plain),
        }
    }
    text.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_go_by_utf16_and_escapes_are_the_shortest() {
        let value: Value = serde_json::from_str(
            r#"{"\ufb33":1,"\ud83d\ude00":2,"\u20ac":"\u000a\u001f\"\\/","a":[true,null,-7]}"#,
        )
        .unwrap();
        let expected =
            "{\"a\":[true,null,-7],\"\u{20ac}\":\"\\n\\u001f\\\"\\\\/\",\"\u{1f600}\":2,\"\u{fb33}\":1}";
        assert_eq!(canonical(&value).unwrap(), expected);
    }

    #[test]
    fn numbers_that_are_not_whole_or_not_exact_everywhere_are_refused() {
        for number in ["1.0", "1e3", "-0.0", "9007199254740992", "-9007199254740992", "18446744073709551615"]
        {
            let value: Value = serde_json::from_str(number).unwrap();
            assert!(canonical(&value).is_err(), "{number}");
        }
        assert_eq!(canonical(&serde_json::json!(-9_007_199_254_740_991_i64)).unwrap(), "-9007199254740991");
    }
}
