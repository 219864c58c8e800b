//! Texts that PostgreSQL cannot hold: those with U+0000, which it has in neither `text` nor JSON.

use std::borrow::Cow;

/// Stands before what is written otherwise: a private code point at the end of plane 15.
const MARK: char = '\u{ffffd}';
/// After the mark: U+0000.
const ZERO: char = '0';
/// After the mark: the mark itself.
const SELF: char = '1';

/// As it is kept. Texts that differ stay different.
pub(super) fn kept(text: &str) -> Cow<'_, str> {
    if !text.contains(['\0', MARK]) {
        return text.into();
    }
    let mut kept = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        match character {
            '\0' => kept.extend([MARK, ZERO]),
            MARK => kept.extend([MARK, SELF]),
            other => kept.push(other),
        }
    }
    kept.into()
}

/// As it was before it was kept.
pub(super) fn original(kept: &str) -> Cow<'_, str> {
    if !kept.contains(MARK) {
        return kept.into();
    }
    let mut text = String::with_capacity(kept.len());
    let mut characters = kept.chars();
    while let Some(character) = characters.next() {
        match character {
            MARK if characters.next() == Some(ZERO) => text.push('\0'),
            other => text.push(other),
        }
    }
    text.into()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_text_comes_back_and_none_holds_a_zero(text in "[a\\x00\u{ffffd}01é]{0,12}") {
            let kept = kept(&text);
            prop_assert!(!kept.contains('\0'));
            prop_assert_eq!(original(&kept), text.as_str());
        }
    }
}
