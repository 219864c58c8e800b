//! Text of others, as HTML that shows every character: nothing of it is markup, and what cannot be seen is written out.

use std::fmt::{self, Write as _};

use askama::filters::HtmlSafe;

/// A text to be shown. Lines break where they do; every other character that a reader would not see, or that would move others
/// about, is written out and marked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Visible<'t>(pub(crate) &'t str);

// It escapes by itself, below.
impl HtmlSafe for Visible<'_> {}

impl fmt::Display for Visible<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut marking = false;
        for character in self.0.chars() {
            let marked = is_unseen(character);
            if marked != marking {
                // One mark for as many as follow each other.
                f.write_str(if marked { "<i class=\"unseen\">" } else { "</i>" })?;
                marking = marked;
            }
            match character {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&#34;")?,
                '\'' => f.write_str("&#39;")?,
                '\t' => f.write_str("\\t")?,
                '\r' => f.write_str("\\r")?,
                unseen if marked && u32::from(unseen) < 0x80 => write!(f, "\\x{:02x}", u32::from(unseen))?,
                unseen if marked => write!(f, "U+{:04X}", u32::from(unseen))?,
                seen => f.write_char(seen)?,
            }
        }
        if marking { f.write_str("</i>") } else { Ok(()) }
    }
}

/// Whether a character has no look of its own, or changes how others look.
fn is_unseen(character: char) -> bool {
    match character {
        '\n' | ' ' => false,
        character if character.is_control() || (character.is_whitespace()) => true,
        character => matches!(
            u32::from(character),
            0xad | 0x34f
                | 0x61c
                | 0x115f..=0x1160
                | 0x17b4..=0x17b5
                | 0x180b..=0x180f
                | 0x200b..=0x200f
                | 0x2028..=0x202e
                | 0x2060..=0x206f
                | 0x2800
                | 0x3164
                | 0xfe00..=0xfe0f
                | 0xfeff
                | 0xffa0
                | 0xfff0..=0xffff
                | 0x1d159
                | 0x1d173..=0x1d17a
                | 0xe000..=0xf8ff
                | 0xe0000..=0x0010_ffff
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        Visible(text).to_string()
    }

    #[test]
    fn what_others_wrote_is_never_markup() {
        assert_eq!(
            shown("<script>alert('x')</script> & \"y\""),
            "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt; &amp; &#34;y&#34;"
        );
        assert_eq!(shown("[pay](javascript:1) **bold**\n# head"), "[pay](javascript:1) **bold**\n# head");
    }

    #[test]
    fn what_cannot_be_seen_is_written_out() {
        let mark = |text: &str| format!("<i class=\"unseen\">{text}</i>");
        assert_eq!(shown("\u{1b}[31mred"), format!("{}[31mred", mark("\\x1b")));
        assert_eq!(shown("a\u{202e}b"), format!("a{}b", mark("U+202E")));
        assert_eq!(shown("a\r\n\tb"), format!("a{}\n{}b", mark("\\r"), mark("\\t")));
        assert_eq!(shown("x\u{0}\u{1}\u{200b}y"), format!("x{}y", mark("\\x00\\x01U+200B")));
        assert_eq!(shown("\u{e0041}\u{e0042}"), mark("U+E0041U+E0042"));
        for hidden in
            ['\u{a0}', '\u{2066}', '\u{2069}', '\u{feff}', '\u{85}', '\u{3000}', '\u{ad}', '\u{2028}']
        {
            assert!(shown(&hidden.to_string()).contains("unseen"), "{hidden:?}");
        }
        for seen in ["plain", "grün", "名前", "שלום", "🙂", "a b\nc"] {
            assert_eq!(shown(seen), seen);
        }
    }
}
