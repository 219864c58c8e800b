//! Globs over names and values: `*` stands for any characters, everything else for itself.

use std::fmt;

use crate::truth::Truth;

/// Longest text that is searched for what stands between two stars, in bytes; a longer one is unknown.
const MAX_SEARCHED: usize = 64 << 10;
/// The same where case does not count, which is searched letter by letter.
const MAX_SEARCHED_FOLDED: usize = 1 << 10;

/// A glob, taken apart at its stars.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TextGlob {
    /// One part more than there are stars.
    parts: Box<[Box<str>]>,
}

/// Whether upper and lower case ASCII letters differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Case {
    Counts,
    Folded,
}

impl TextGlob {
    /// Most stars in one glob: bounds the time of a match.
    pub(crate) const MAX_STARS: usize = 16;

    pub(crate) fn new(text: &str) -> Self {
        Self { parts: text.split('*').map(Into::into).collect() }
    }

    pub(crate) fn stars(&self) -> usize {
        self.parts.len().saturating_sub(1)
    }

    /// The literal text before the first star: every text that matches begins with it.
    pub(crate) fn head(&self) -> &str {
        self.parts.first().map_or("", |head| head)
    }

    /// Whether every text that `other` matches is matched here too, where that is plain to see: `other` has no star, or
    /// this has a single one at its end, or both are the same.
    pub(crate) fn covers(&self, other: &Self, case: Case) -> bool {
        match (&*self.parts, &*other.parts) {
            (_, [only]) => self.matches(only, case) == Truth::True,
            ([head, tail], _) if tail.is_empty() => begins(other.head().as_bytes(), head, case),
            (parts, others) => parts == others,
        }
    }

    pub(crate) fn matches(&self, text: &str, case: Case) -> Truth {
        let [head, middle @ .., tail] = &*self.parts else {
            return Truth::of(self.parts.first().is_some_and(|only| equal(only, text, case)));
        };
        let text = text.as_bytes();
        let Some(behind) = text.get(head.len()..).filter(|_| begins(text, head, case)) else {
            return Truth::False;
        };
        let Some(end) = behind.len().checked_sub(tail.len()) else { return Truth::False };
        let (mut rest, last) = behind.split_at(end);
        if !begins(last, tail, case) {
            return Truth::False;
        }
        for part in middle.iter().filter(|part| !part.is_empty()) {
            let longest = if case == Case::Counts { MAX_SEARCHED } else { MAX_SEARCHED_FOLDED };
            if rest.len() > longest {
                return Truth::Unknown;
            }
            match find(rest, part, case) {
                Some(at) => rest = &rest[at + part.len()..],
                None => return Truth::False,
            }
        }
        Truth::True
    }

    /// Whether any of the globs matches.
    pub(crate) fn any(globs: &[Self], text: &str, case: Case) -> Truth {
        Truth::any(globs.iter().map(|glob| glob.matches(text, case)))
    }
}

impl fmt::Display for TextGlob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, part) in self.parts.iter().enumerate() {
            if at > 0 {
                f.write_str("*")?;
            }
            f.write_str(part)?;
        }
        Ok(())
    }
}

fn equal(one: &str, other: &str, case: Case) -> bool {
    match case {
        Case::Counts => one == other,
        Case::Folded => one.eq_ignore_ascii_case(other),
    }
}

fn begins(text: &[u8], part: &str, case: Case) -> bool {
    text.get(..part.len()).is_some_and(|head| match case {
        Case::Counts => head == part.as_bytes(),
        Case::Folded => head.eq_ignore_ascii_case(part.as_bytes()),
    })
}

/// The first place of a part. Text and part are whole UTF-8 or cut at whole matches, so bytes are as good as letters.
fn find(text: &[u8], part: &str, case: Case) -> Option<usize> {
    if case == Case::Counts
        && let Ok(text) = std::str::from_utf8(text)
    {
        return text.find(part);
    }
    text.windows(part.len()).position(|window| begins(window, part, case))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_star_stands_for_any_characters() {
        for (glob, text, matches) in [
            ("*", "", true),
            ("*", "a", true),
            ("a*", "a", true),
            ("a*b", "ab", true),
            ("a*b", "aab", true),
            ("a*ba", "aba", true),
            ("a*a", "a", false),
            ("*-x-*", "a-x-b", true),
            ("*-x-*", "a-y-b", false),
            ("a", "ab", false),
            ("a", "A", false),
            ("a**b", "acb", true),
            ("é*", "éa", true),
            ("*é*", "aéa", true),
            ("acme/*", "acme/x/y", true),
        ] {
            let found = TextGlob::new(glob).matches(text, Case::Counts);
            assert_eq!(found, Truth::of(matches), "{glob} on {text}");
        }
        assert_eq!(TextGlob::new("gpt-*-Mini*").matches("GPT-5-mini-x", Case::Folded), Truth::True);
    }

    #[test]
    fn a_text_too_long_to_search_is_unknown_only_where_it_is_searched() {
        let long = "x".repeat(MAX_SEARCHED + 3);
        assert_eq!(TextGlob::new("x*").matches(&long, Case::Counts), Truth::True);
        assert_eq!(TextGlob::new("y*z*").matches(&long, Case::Counts), Truth::False);
        assert_eq!(TextGlob::new("x*y*x").matches(&long, Case::Counts), Truth::Unknown);
    }

    /// The definition, letter by letter.
    fn slow(glob: &[char], text: &[char]) -> bool {
        match glob.split_first() {
            None => text.is_empty(),
            Some(('*', rest)) => (0..=text.len()).any(|at| slow(rest, &text[at..])),
            Some((letter, rest)) => {
                text.split_first().is_some_and(|(first, tail)| first == letter && slow(rest, tail))
            }
        }
    }

    proptest! {
        #[test]
        fn matching_agrees_with_the_definition(glob in "[abé*]{0,6}", text in "[abé]{0,8}") {
            let letters = |text: &str| text.chars().collect::<Vec<_>>();
            let expected = slow(&letters(&glob), &letters(&text));
            prop_assert_eq!(TextGlob::new(&glob).matches(&text, Case::Counts), Truth::of(expected));
            let upper = text.to_ascii_uppercase();
            prop_assert_eq!(TextGlob::new(&glob).matches(&upper, Case::Folded), Truth::of(expected));
        }
    }
}
