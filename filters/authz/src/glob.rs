//! Path globs: `*` within a segment, `**` across segments.

use std::fmt;

use thiserror::Error;

use crate::{CallPath, path};

/// Longest path glob, in bytes.
const MAX_GLOB_BYTES: usize = 1024;
/// Most stars in one glob: bounds the time of a match.
const MAX_STARS: usize = 16;

/// A compiled path glob.
///
/// `*` stands for any characters but `/`, `**` for any characters at all; either may stand for nothing. So `/repos/**`
/// matches `/repos/` and `/repos/a/b`, and not `/repos`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PathGlob {
    text: Box<str>,
    pieces: Pieces,
    /// The pieces as a server reads them that decodes first; only for a glob with `%` in it.
    decoded: Option<Pieces>,
}

/// Why a text is no path glob.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum GlobError {
    /// Does not begin with `/`.
    #[error("a path begins with `/`")]
    NotRooted,
    /// Over 1,024 bytes.
    #[error("a path is at most {MAX_GLOB_BYTES} bytes")]
    TooLong,
    /// Three or more stars in a row.
    #[error("`*` is within a segment and `**` across segments; more stars in a row mean nothing")]
    Stars,
    /// Over 16 stars.
    #[error("a path holds at most {MAX_STARS} of `*` and `**`")]
    TooManyStars,
    /// A query, a space, a control character or another byte that no path holds.
    #[error(
        "a path is matched without its query, and holds visible ASCII only (`?`, `#` and spaces are not part of it)"
    )]
    BadCharacter,
    /// A spelling that the normal form of a path never has.
    #[error(
        "a path is written in its normal form: no `//`, no `\\`, no `.` or `..` segments, no `%` before what needs none"
    )]
    NotNormal,
}

/// Literal text, then stars each followed by literal text.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Pieces {
    head: Box<[u8]>,
    rest: Box<[(Star, Box<[u8]>)]>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Star {
    /// `*`.
    Within,
    /// `**`.
    Across,
}

/// One step of a pattern, for comparing patterns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Token {
    Byte(u8),
    Within,
    Across,
}

impl PathGlob {
    /// Compiles a glob.
    ///
    /// # Errors
    /// [`GlobError`] for what is not rooted, too long, or not in normal form.
    pub fn parse(text: &str) -> Result<Self, GlobError> {
        if !text.starts_with('/') {
            return Err(GlobError::NotRooted);
        }
        if text.len() > MAX_GLOB_BYTES {
            return Err(GlobError::TooLong);
        }
        if !text.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'?' | b'#')) {
            return Err(GlobError::BadCharacter);
        }
        if text.contains("***") {
            return Err(GlobError::Stars);
        }
        let pieces = Pieces::split(text.as_bytes());
        if pieces.rest.len() > MAX_STARS {
            return Err(GlobError::TooManyStars);
        }
        let decoded = text.contains('%').then(|| pieces.decoded());
        // Stars are no dots and no slashes: left in place they do not change what is plain around them.
        let readings = CallPath::new(text);
        if let Some(readings) = readings.readings()
            && (readings.normal != text.as_bytes()
                || decoded.is_none()
                || readings.decoded.len() != decoded.as_ref().map_or(0, Pieces::text_len)
                || !triplets_are_whole(text.as_bytes()))
        {
            return Err(GlobError::NotNormal);
        }
        Ok(Self { text: text.into(), pieces, decoded })
    }

    /// The glob as written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The literal text before the first star: every plain path that matches begins with it.
    #[must_use]
    pub fn head(&self) -> &[u8] {
        &self.pieces.head
    }

    /// Whether the path matches in every way in which it can be read: for what allows.
    #[must_use]
    pub fn matches_every_reading(&self, path: &CallPath<'_>) -> bool {
        self.pieces.matches(path.raw().as_bytes())
            && path.readings().is_none_or(|readings| {
                self.pieces.matches(&readings.normal) && self.decoded_pieces().matches(&readings.decoded)
            })
    }

    /// Whether the path matches in any way in which it can be read: for what denies.
    #[must_use]
    pub fn matches_any_reading(&self, path: &CallPath<'_>) -> bool {
        self.pieces.matches(path.raw().as_bytes())
            || path.readings().is_some_and(|readings| {
                self.pieces.matches(&readings.normal) || self.decoded_pieces().matches(&readings.decoded)
            })
    }

    /// Whether every path that `other` matches is matched here too.
    ///
    /// Exact, up to a bound on the work (65,536 steps) beyond which the answer is no.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        crate::covers::covers(&self.pieces.tokens(), &other.pieces.tokens())
            && (self.decoded.is_none() && other.decoded.is_none()
                || crate::covers::covers(&self.decoded_pieces().tokens(), &other.decoded_pieces().tokens()))
    }

    fn decoded_pieces(&self) -> &Pieces {
        self.decoded.as_ref().unwrap_or(&self.pieces)
    }
}

impl fmt::Display for PathGlob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Whether every `%` has its two hexadecimal digits.
fn triplets_are_whole(text: &[u8]) -> bool {
    text.iter().enumerate().filter(|(_, byte)| **byte == b'%').all(|(at, _)| {
        text.get(at + 1..at + 3).is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    })
}

impl Pieces {
    fn split(text: &[u8]) -> Self {
        let mut rest: Vec<(Star, Box<[u8]>)> = Vec::new();
        let first = text.iter().position(|byte| *byte == b'*').unwrap_or(text.len());
        let (head, mut tail) = text.split_at(first);
        while let Some(after) = tail.strip_prefix(b"*") {
            let (star, after) = match after.strip_prefix(b"*") {
                Some(after) => (Star::Across, after),
                None => (Star::Within, after),
            };
            let end = after.iter().position(|byte| *byte == b'*').unwrap_or(after.len());
            rest.push((star, after[..end].into()));
            tail = &after[end..];
        }
        Self { head: head.into(), rest: rest.into() }
    }

    fn decoded(&self) -> Self {
        let literal = |bytes: &[u8]| -> Box<[u8]> { path::decoded_literal(bytes).into() };
        Self {
            head: literal(&self.head),
            rest: self.rest.iter().map(|(star, bytes)| (*star, literal(bytes))).collect(),
        }
    }

    /// Length of the pattern as text.
    fn text_len(&self) -> usize {
        self.head.len()
            + self
                .rest
                .iter()
                .map(|(star, bytes)| bytes.len() + 1 + usize::from(*star == Star::Across))
                .sum::<usize>()
    }

    fn tokens(&self) -> Vec<Token> {
        let mut tokens: Vec<Token> = self.head.iter().copied().map(Token::Byte).collect();
        for (star, literal) in &self.rest {
            tokens.push(match star {
                Star::Within => Token::Within,
                Star::Across => Token::Across,
            });
            tokens.extend(literal.iter().copied().map(Token::Byte));
        }
        tokens
    }

    /// Places each literal as early as its star lets it, and goes back to the last `**` only.
    ///
    /// An earlier place never rules a match out: it leaves more of the segment to `*`, and all to `**`. Where a `*`
    /// runs into the end of its segment, every start in the same segment would, so `**` moves on to the next one.
    fn matches(&self, text: &[u8]) -> bool {
        let Some((last, middle)) = self.rest.split_last() else {
            return *self.head == *text;
        };
        if !text.starts_with(&self.head) {
            return false;
        }
        let mut from = self.head.len();
        let mut next = 0;
        let mut across: Option<(usize, usize)> = None;
        loop {
            let placed = match middle.get(next) {
                Some((Star::Across, literal)) => match find(text, from, text.len(), literal) {
                    Some(at) => {
                        across = Some((next, at));
                        Some(at + literal.len())
                    }
                    None => return false,
                },
                Some((Star::Within, literal)) => {
                    find(text, from, segment_end(text, from), literal).map(|at| at + literal.len())
                }
                None => {
                    let Some(end) = text.len().checked_sub(last.1.len()).filter(|end| *end >= from) else {
                        return false;
                    };
                    if !text.ends_with(&last.1) {
                        return false;
                    }
                    if last.0 == Star::Across || segment_end(text, from) >= end {
                        return true;
                    }
                    None
                }
            };
            match (placed, across) {
                (Some(end), _) => {
                    from = end;
                    next += 1;
                }
                (None, Some((star, at))) => {
                    from = segment_end(text, at + 1);
                    next = star;
                }
                (None, None) => return false,
            }
        }
    }
}

/// Index of the first `/` at or after `from`, else the length.
fn segment_end(text: &[u8], from: usize) -> usize {
    text.iter().skip(from).position(|byte| *byte == b'/').map_or(text.len(), |at| from + at)
}

/// The first place of a literal that begins in `from..=last`.
fn find(text: &[u8], from: usize, last: usize, literal: &[u8]) -> Option<usize> {
    (from..=last.min(text.len())).find(|at| text[*at..].starts_with(literal))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn glob(text: &str) -> PathGlob {
        PathGlob::parse(text).unwrap()
    }

    /// The definition, letter by letter.
    fn slow(pattern: &[u8], text: &[u8]) -> bool {
        match pattern {
            [] => text.is_empty(),
            [b'*', b'*', rest @ ..] => (0..=text.len()).any(|at| slow(rest, &text[at..])),
            [b'*', rest @ ..] => (0..=text.len())
                .take_while(|at| !text[..*at].contains(&b'/'))
                .any(|at| slow(rest, &text[at..])),
            [byte, rest @ ..] => text.first() == Some(byte) && slow(rest, &text[1..]),
        }
    }

    #[test]
    fn a_star_stays_within_its_segment_and_two_cross() {
        for (pattern, path, matches) in [
            ("/a", "/a", true),
            ("/a", "/a/", false),
            ("/*", "/", true),
            ("/*", "/a", true),
            ("/*", "/a/b", false),
            ("/**", "/a/b", true),
            ("/repos/**", "/repos/", true),
            ("/repos/**", "/repos", false),
            ("/repos/*/x", "/repos/a/x", true),
            ("/repos/*/x", "/repos/a/b/x", false),
            ("/**/x", "/a/b/x", true),
            ("/**/x", "/a/b/xy", false),
            ("/**/a*/c", "/ab/ac/c", true),
            ("/v*/models/*:generate", "/v1beta/models/g-2:generate", true),
        ] {
            assert_eq!(
                glob(pattern).matches_every_reading(&CallPath::new(path)),
                matches,
                "{pattern} on {path}"
            );
        }
    }

    #[test]
    fn what_could_never_match_is_refused() {
        for (text, error) in [
            ("a", GlobError::NotRooted),
            ("", GlobError::NotRooted),
            ("/a?b", GlobError::BadCharacter),
            ("/a b", GlobError::BadCharacter),
            ("/é", GlobError::BadCharacter),
            ("/***", GlobError::Stars),
            ("/a//b", GlobError::NotNormal),
            ("/a/../b", GlobError::NotNormal),
            ("/a\\b", GlobError::NotNormal),
            ("/%61", GlobError::NotNormal),
            ("/%2", GlobError::NotNormal),
            ("/%zz", GlobError::NotNormal),
            ("/a%2F..%2Fb", GlobError::NotNormal),
            ("/a%2f%2fb", GlobError::NotNormal),
        ] {
            assert_eq!(PathGlob::parse(text), Err(error), "{text}");
        }
        assert_eq!(PathGlob::parse(&"/*a".repeat(17)), Err(GlobError::TooManyStars));
        assert_eq!(PathGlob::parse(&format!("/{}", "a".repeat(1024))), Err(GlobError::TooLong));
    }

    #[test]
    fn a_hidden_path_needs_every_reading_to_be_allowed_and_one_to_be_denied() {
        let repos = glob("/repos/**");
        for raw in [
            "/repos/../admin",
            "/repos/%2e%2e/admin",
            "/repos/x/..%2f..%2fadmin",
            "/repos/..\\admin",
            "/repos/%5c..%5c..%5cadmin",
            "/repos/..;/admin",
        ] {
            let path = CallPath::new(raw);
            assert!(!repos.matches_every_reading(&path), "{raw} is not under /repos/");
            assert!(glob("/admin").matches_any_reading(&path), "{raw} may be /admin");
        }
        assert!(repos.matches_every_reading(&CallPath::new("/repos//a/./b")));
        assert!(glob("/repos/*").matches_every_reading(&CallPath::new("/repos/a%20b")));
    }

    #[test]
    fn an_encoded_slash_can_be_allowed_by_writing_it() {
        let project = glob("/projects/group%2Fname/*");
        assert!(project.matches_every_reading(&CallPath::new("/projects/group%2Fname/issues")));
        assert!(!project.matches_every_reading(&CallPath::new("/projects/group%2Fname/..%2F..%2Fadmin")));
        assert!(!glob("/projects/*").matches_every_reading(&CallPath::new("/projects/group%2Fname")));
    }

    #[test]
    fn a_long_path_is_matched_quickly() {
        let pattern = glob("/**/a*b*c*d*e/**/a*b*c*d*f");
        let path = format!("/{}", "aabbccdd/".repeat(8000));
        let started = std::time::Instant::now();
        assert!(!pattern.matches_every_reading(&CallPath::new(&path)));
        assert!(started.elapsed().as_secs() < 2, "took {:?}", started.elapsed());
    }

    proptest! {
        #[test]
        fn matching_follows_the_definition(
            pattern in "/([ab/]|\\*\\*?[ab/]){0,8}(\\*\\*?)?",
            text in "/[ab/]{0,12}",
        ) {
            let expected = slow(pattern.as_bytes(), text.as_bytes());
            let pieces = Pieces::split(pattern.as_bytes());
            prop_assert_eq!(pieces.matches(text.as_bytes()), expected);
        }

        #[test]
        fn what_one_glob_covers_it_matches(
            wide in "/([ab/]|\\*\\*?[ab/]){0,5}(\\*\\*?)?",
            narrow in "/([ab/]|\\*\\*?[ab/]){0,5}(\\*\\*?)?",
            texts in proptest::collection::vec("/[abc/]{0,7}", 32),
        ) {
            let (wide, narrow) = (Pieces::split(wide.as_bytes()), Pieces::split(narrow.as_bytes()));
            if crate::covers::covers(&wide.tokens(), &narrow.tokens()) {
                for text in &texts {
                    prop_assert!(!narrow.matches(text.as_bytes()) || wide.matches(text.as_bytes()), "{}", text);
                }
            }
        }
    }

    /// All texts over `a`, `b`, `/` up to a length tell the same as the comparison does, both ways.
    #[test]
    fn covering_is_exact() {
        let patterns: Vec<Pieces> = [
            "/", "/a", "/*", "/**", "/a*", "/*a", "/**/a", "/*/a", "/a/**", "/**a", "/a*b", "/*/*", "/**/**",
            "/**a**", "/*a*", "/a/*", "/**/*", "/ab", "/*b/**",
        ]
        .iter()
        .map(|text| Pieces::split(text.as_bytes()))
        .collect();
        let mut texts = vec![b"/".to_vec()];
        for at in 0..1093 {
            // Every text of up to 7 characters: 3^0 + … + 3^6 of them.
            let Some(text) = texts.get(at).cloned() else { break };
            texts.extend(b"ab/".iter().map(|byte| [&text[..], &[*byte]].concat()));
        }
        for wide in &patterns {
            for narrow in &patterns {
                let counterexample = texts.iter().find(|text| narrow.matches(text) && !wide.matches(text));
                assert_eq!(
                    crate::covers::covers(&wide.tokens(), &narrow.tokens()),
                    counterexample.is_none(),
                    "{wide:?} over {narrow:?}, but {counterexample:?}"
                );
            }
        }
    }
}
