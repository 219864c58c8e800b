//! Finding placeholders on their way to somebody they are not for.

use std::{fmt, ops::Range};

use aho_corasick::{AhoCorasick, MatchKind};
use base64::{
    Engine,
    alphabet::{STANDARD, URL_SAFE},
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use http::{HeaderMap, HeaderName, Uri};
use thiserror::Error;
use zeroize::Zeroize;

use crate::credential::{MAX_PLACEHOLDER_BYTES, MIN_PLACEHOLDER_BYTES};

/// Begins every placeholder that was not chosen by hand.
pub const PLACEHOLDER_PREFIX: &str = "creto-placeholder-";
/// Most placeholders chosen by hand that are looked for.
pub const MAX_PLACEHOLDERS: usize = 4096;
/// Decoded on the stack; longer texts take memory.
const ON_STACK: usize = 2048;

/// Every placeholder: those with the prefix, and those chosen by hand.
#[derive(Clone, Debug)]
pub struct Placeholders {
    /// Pattern 0 is the prefix.
    matcher: AhoCorasick,
    shortest: usize,
}

/// Why a list of placeholders cannot be looked for.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum PlaceholdersError {
    /// Too many.
    #[error("more than {MAX_PLACEHOLDERS} placeholders: leave `placeholder` out to use the default ones")]
    TooMany,
    /// Too short or too long.
    #[error("a placeholder is {MIN_PLACEHOLDER_BYTES} to {MAX_PLACEHOLDER_BYTES} bytes")]
    Length,
}

/// A placeholder of another credential, or of none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForeignPlaceholder {
    /// Its text; a placeholder is no secret.
    pub placeholder: String,
    /// Where it stands.
    pub place: Place,
}

/// A place in a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A header's value.
    Header(HeaderName),
    /// The user or password inside a header's Basic value.
    Basic(HeaderName),
    /// The user or password before the host.
    UserInfo,
    /// The path.
    Path,
    /// The query.
    Query,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Header(name) => write!(f, "header {name}"),
            Self::Basic(name) => write!(f, "the user and password in header {name}"),
            Self::UserInfo => f.write_str("the user and password in the URL"),
            Self::Path => f.write_str("the path"),
            Self::Query => f.write_str("the query"),
        }
    }
}

impl fmt::Display for ForeignPlaceholder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the placeholder {} in {} is not for this destination", self.placeholder, self.place)
    }
}

impl Placeholders {
    /// Those with the prefix, and these. Made once for a policy.
    ///
    /// # Errors
    /// More than [`MAX_PLACEHOLDERS`], or one of an impossible length.
    pub fn new<'a>(configured: impl IntoIterator<Item = &'a str>) -> Result<Self, PlaceholdersError> {
        let mut patterns = vec![PLACEHOLDER_PREFIX];
        for placeholder in configured {
            if !(MIN_PLACEHOLDER_BYTES..=MAX_PLACEHOLDER_BYTES).contains(&placeholder.len()) {
                return Err(PlaceholdersError::Length);
            }
            // Those with the prefix are found by it.
            if !placeholder.starts_with(PLACEHOLDER_PREFIX) {
                patterns.push(placeholder);
            }
        }
        patterns[1..].sort_unstable();
        patterns.dedup();
        if patterns.len() > MAX_PLACEHOLDERS {
            return Err(PlaceholdersError::TooMany);
        }
        let shortest = patterns.iter().map(|pattern| pattern.len()).min().unwrap_or(0);
        let matcher = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostLongest)
            .build(patterns)
            .map_err(|_| PlaceholdersError::TooMany)?;
        Ok(Self { matcher, shortest })
    }

    /// The first placeholder in the request's head that is not `allowed`: as it is, percent-encoded once in path and
    /// query, or inside a Basic value. Headers' names and the body are not looked at. Case counts.
    #[must_use]
    pub fn find_foreign(
        &self,
        headers: &HeaderMap,
        uri: &Uri,
        allowed: Option<&str>,
    ) -> Option<ForeignPlaceholder> {
        for (name, value) in headers {
            let value = value.as_bytes();
            // A Basic value begins with more than the shortest base64 of a placeholder would take away.
            if value.len() < self.shortest {
                continue;
            }
            if let Some(placeholder) = self.foreign(value, allowed) {
                return Some(ForeignPlaceholder { placeholder, place: Place::Header(name.clone()) });
            }
            if let Some(encoded) = basic_credentials(value)
                && let Some(placeholder) =
                    with_base64_decoded(encoded, |pair| self.foreign(pair, allowed)).flatten()
            {
                return Some(ForeignPlaceholder { placeholder, place: Place::Basic(name.clone()) });
            }
        }
        let user_info = uri.authority().and_then(|authority| authority.as_str().rsplit_once('@'));
        let places = [
            (uri.path(), Place::Path),
            (uri.query().unwrap_or_default(), Place::Query),
            (user_info.map_or("", |(user_info, _)| user_info), Place::UserInfo),
        ];
        for (text, place) in places {
            if let Some(placeholder) = self.foreign_in_uri(text.as_bytes(), allowed) {
                return Some(ForeignPlaceholder { placeholder, place });
            }
        }
        None
    }

    fn foreign_in_uri(&self, text: &[u8], allowed: Option<&str>) -> Option<String> {
        if text.len() < self.shortest {
            return None;
        }
        self.foreign(text, allowed).or_else(|| {
            memchr::memchr(b'%', text)
                .and_then(|_| with_percent_decoded(text, |decoded| self.foreign(decoded, allowed)))
        })
    }

    fn foreign(&self, text: &[u8], allowed: Option<&str>) -> Option<String> {
        let found = self.foreign_range(text, allowed)?;
        Some(String::from_utf8_lossy(&text[found]).into_owned())
    }

    fn foreign_range(&self, text: &[u8], allowed: Option<&str>) -> Option<Range<usize>> {
        let allowed = allowed.map(str::as_bytes);
        let mut at = 0;
        while let Some(found) = self.matcher.find(text.get(at..)?) {
            let start = at + found.start();
            let end = if found.pattern().as_usize() > 0 {
                at + found.end()
            } else if let Some(allowed) = allowed.filter(|allowed| stands_at(text, start, allowed)) {
                start + allowed.len()
            } else {
                let name = text[at + found.end()..].iter().take_while(|byte| goes_on(**byte)).count();
                (at + found.end() + name).min(start + MAX_PLACEHOLDER_BYTES)
            };
            if allowed != Some(&text[start..end]) {
                return Some(start..end);
            }
            at = end;
        }
        None
    }
}

/// Whether a placeholder stands at `start` whole: `creto-placeholder-a` does not stand in `creto-placeholder-ab`.
fn stands_at(text: &[u8], start: usize, placeholder: &[u8]) -> bool {
    text[start..].starts_with(placeholder)
        && text.get(start + placeholder.len()).is_none_or(|byte| !goes_on(*byte))
}

/// Whether a byte would be part of a placeholder's name.
pub(crate) fn goes_on(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}

/// The base64 of a Basic value (RFC 7617); the scheme's case does not count.
pub(crate) fn basic_credentials(value: &[u8]) -> Option<&[u8]> {
    let (scheme, rest) = value.split_at_checked(6)?;
    scheme.eq_ignore_ascii_case(b"basic ").then(|| rest.trim_ascii())
}

/// Decodes like the most lenient server: either alphabet, padding or not.
pub(crate) fn with_base64_decoded<T>(encoded: &[u8], then: impl FnOnce(&[u8]) -> T) -> Option<T> {
    let lenient = GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true);
    with_room(encoded.len(), |room| {
        let length = GeneralPurpose::new(&STANDARD, lenient)
            .decode_slice(encoded, room)
            .or_else(|_| GeneralPurpose::new(&URL_SAFE, lenient).decode_slice(encoded, room))
            .ok()?;
        Some(then(&room[..length]))
    })
}

fn with_percent_decoded<T>(text: &[u8], then: impl FnOnce(&[u8]) -> T) -> T {
    with_room(text.len(), |room| {
        let (mut from, mut to) = (0, 0);
        while from < text.len() {
            let (byte, width) = percent_decoded_at(text, from);
            room[to] = byte;
            from += width;
            to += 1;
        }
        then(&room[..to])
    })
}

/// The byte that stands at `at`, and how many bytes it is written with. A `%` that begins no triplet is itself.
pub(crate) fn percent_decoded_at(text: &[u8], at: usize) -> (u8, usize) {
    if let &[b'%', high, low, ..] = &text[at..]
        && let (Some(high), Some(low)) = ((high as char).to_digit(16), (low as char).to_digit(16))
    {
        // Two digits below 16 fit a byte.
        return ((high * 16 + low) as u8, 3);
    }
    (text[at], 1)
}

/// Room for a decoded text, wiped after: a decoded pair may be the agent's own secret.
fn with_room<T>(length: usize, then: impl FnOnce(&mut [u8]) -> T) -> T {
    // Decoders ask for room in whole groups.
    let length = length + 4;
    if length <= ON_STACK {
        let mut room = [0; ON_STACK];
        let outcome = then(&mut room[..length]);
        room[..length].zeroize();
        outcome
    } else {
        let mut room = vec![0; length];
        let outcome = then(&mut room);
        room.zeroize();
        outcome
    }
}
