//! The canonical form of a JSON value: RFC 8785 (JSON Canonicalization Scheme).

use std::fmt::Write as _;

use serde_json::{Number, Value};

/// Writes the canonical form of `value` to `out`.
///
/// Numbers are IEEE 754 doubles (RFC 8785, section 3.2.2.3): integers beyond 2^53 are rounded to one. The depth of
/// `value` is that of the reader that made it.
pub(crate) fn write(value: &Value, out: &mut String) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(true) => out.push_str("true"),
        Value::Bool(false) => out.push_str("false"),
        Value::Number(number) => write_number(number, out),
        Value::String(text) => write_string(text, out),
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write(item, out);
            }
            out.push(']');
        }
        Value::Object(members) => write_object(members.iter().map(|(key, value)| (key.as_str(), value)), out),
    }
}

/// Writes an object of the given members, whose keys differ.
pub(crate) fn write_object<'v>(members: impl Iterator<Item = (&'v str, &'v Value)>, out: &mut String) {
    let mut members: Vec<_> = members.collect();
    // By UTF-16 code units: not the order of UTF-8 for characters beyond the first plane.
    members.sort_by(|one, other| one.0.encode_utf16().cmp(other.0.encode_utf16()));
    out.push('{');
    for (index, (key, value)) in members.into_iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        write_string(key, out);
        out.push(':');
        write(value, out);
    }
    out.push('}');
}

fn write_string(text: &str, out: &mut String) {
    out.push('"');
    for letter in text.chars() {
        match letter {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{8}' => out.push_str("\\b"),
            '\t' => out.push_str("\\t"),
            '\n' => out.push_str("\\n"),
            '\u{C}' => out.push_str("\\f"),
            '\r' => out.push_str("\\r"),
            '\0'..='\u{1F}' => {
                let _ = write!(out, "\\u{:04x}", u32::from(letter));
            }
            _ => out.push(letter),
        }
    }
    out.push('"');
}

/// ECMAScript `Number::toString` (ECMA-262, 6.1.6.1.20).
fn write_number(number: &Number, out: &mut String) {
    // A `Number` without arbitrary precision always has a finite double.
    let value = number.as_f64().unwrap_or_default();
    if value == 0.0 {
        out.push('0');
        return;
    }
    let scientific = shortest(value.abs());
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    let exponent: i32 = exponent.parse().unwrap_or_default();
    // The decimal point is behind this many digits.
    let point = exponent + 1;
    let count = i32::try_from(digits.len()).unwrap_or(i32::MAX);
    if value < 0.0 {
        out.push('-');
    }
    let zeros = |count: i32| "0".repeat(usize::try_from(count).unwrap_or_default());
    if (1..=21).contains(&point) {
        if count <= point {
            let _ = write!(out, "{digits}{}", zeros(point - count));
        } else {
            let (whole, fraction) = digits.split_at(usize::try_from(point).unwrap_or_default());
            let _ = write!(out, "{whole}.{fraction}");
        }
    } else if (-5..=0).contains(&point) {
        let _ = write!(out, "0.{}{digits}", zeros(-point));
    } else {
        let (first, rest) = digits.split_at(1);
        let dot = if rest.is_empty() { "" } else { "." };
        let sign = if exponent < 0 { '-' } else { '+' };
        let _ = write!(out, "{first}{dot}{rest}e{sign}{}", exponent.abs());
    }
}

/// The shortest digits that read back to the same double; of two equally near the even one, which Rust's own shortest
/// form does not promise.
fn shortest(value: f64) -> String {
    let any = format!("{value:e}");
    let digits = any.split('e').next().unwrap_or_default().bytes().filter(u8::is_ascii_digit).count();
    let nearest = format!("{value:.*e}", digits.saturating_sub(1));
    // Beside a power of two the nearest digits may belong to the neighbour.
    if nearest.parse() == Ok(value) { nearest } else { any }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::write;

    fn canonical(text: &str) -> String {
        let value: Value = serde_json::from_str(text).unwrap();
        let mut out = String::new();
        write(&value, &mut out);
        out
    }

    #[test]
    fn numbers_are_written_as_in_rfc_8785_appendix_b() {
        for (bits, expected) in [
            (0x0000_0000_0000_0000_u64, "0"),
            (0x8000_0000_0000_0000, "0"),
            (0x0000_0000_0000_0001, "5e-324"),
            (0x8000_0000_0000_0001, "-5e-324"),
            (0x7fef_ffff_ffff_ffff, "1.7976931348623157e+308"),
            (0xffef_ffff_ffff_ffff, "-1.7976931348623157e+308"),
            (0x4340_0000_0000_0000, "9007199254740992"),
            (0xc340_0000_0000_0000, "-9007199254740992"),
            (0x4430_0000_0000_0000, "295147905179352830000"),
            (0x44b5_2d02_c7e1_4af5, "9.999999999999997e+22"),
            (0x44b5_2d02_c7e1_4af6, "1e+23"),
            (0x44b5_2d02_c7e1_4af7, "1.0000000000000001e+23"),
            (0x444b_1ae4_d6e2_ef4e, "999999999999999700000"),
            (0x444b_1ae4_d6e2_ef4f, "999999999999999900000"),
            (0x444b_1ae4_d6e2_ef50, "1e+21"),
            (0x3eb0_c6f7_a0b5_ed8c, "9.999999999999997e-7"),
            (0x3eb0_c6f7_a0b5_ed8d, "0.000001"),
            (0x41b3_de43_5555_5553, "333333333.3333332"),
            (0x41b3_de43_5555_5554, "333333333.33333325"),
            (0x41b3_de43_5555_5555, "333333333.3333333"),
            (0x41b3_de43_5555_5556, "333333333.3333334"),
            (0x41b3_de43_5555_5557, "333333333.33333343"),
            (0xbecb_f647_612f_3696, "-0.0000033333333333333333"),
            (0x4314_3ff3_c1cb_0959, "1424953923781206.2"),
        ] {
            let mut out = String::new();
            write(&Value::from(f64::from_bits(bits)), &mut out);
            assert_eq!(out, expected, "{bits:x}");
        }
        assert_eq!(canonical("[1, 10, -120, 56.0, 1E30, 4.50, 2e-3]"), "[1,10,-120,56,1e+30,4.5,0.002]");
    }

    #[test]
    fn strings_and_literals_are_written_as_in_rfc_8785_section_3_2_2() {
        let text = r#"{"numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
            "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/", "literals": [null, true, false]}"#;
        let expected = r#"{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":"€$\u000f\nA'B\"\\\\\"/"}"#;
        assert_eq!(canonical(text), expected);
    }

    #[test]
    fn keys_are_sorted_by_utf_16_units_as_in_rfc_8785_section_3_2_3() {
        let text =
            r#"{"\u20ac": 1, "\r": 2, "\ufb33": 3, "1": 4, "\ud83d\ude00": 5, "\u0080": 6, "\u00f6": 7}"#;
        let expected = "{\"\\r\":2,\"1\":4,\"\u{80}\":6,\"ö\":7,\"€\":1,\"😀\":5,\"\u{fb33}\":3}";
        assert_eq!(canonical(text), expected);
    }
}
