//! Putting a text where its placeholder stands.

use http::{HeaderMap, HeaderName, HeaderValue, Uri, header};
use memchr::memmem;
use zeroize::Zeroizing;

use crate::{
    credential::is_unreserved,
    inject::MAX_PLACES,
    placeholder::{PLACEHOLDER_PREFIX, basic_credentials, goes_on, percent_decoded_at, with_base64_decoded},
    target::set_query,
    value::{basic_header, sensitive, split_pair},
};

/// Why a text cannot be put in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PutFault {
    TooManyPlaces,
    Target,
    NotAHeader,
}

/// A text, its placeholder, and how many places are left for it.
pub(crate) struct Putting<'a> {
    placeholder: &'a [u8],
    text: &'a [u8],
    /// The text is `user:password`: inside a Basic value it takes all of it.
    is_pair: bool,
    places: usize,
}

impl<'a> Putting<'a> {
    pub(crate) fn new(placeholder: &'a str, text: &'a [u8], is_pair: bool) -> Self {
        Self { placeholder: placeholder.as_bytes(), text, is_pair, places: 0 }
    }

    /// Whether the placeholder was found.
    fn has_put(&self) -> bool {
        self.places > 0
    }

    /// Puts it into every header but `own`.
    pub(crate) fn put_in_headers(
        &mut self,
        headers: &mut HeaderMap,
        own: &HeaderName,
    ) -> Result<(), PutFault> {
        for (name, value) in headers.iter_mut() {
            if name != own
                && let Some(new) = self.in_header(value)?
            {
                *value = new;
            }
        }
        Ok(())
    }

    /// Puts it into the credential's own header: in the placeholder's place if that is all there is, else as the
    /// header's whole value. What else the agent sent there goes.
    pub(crate) fn put_in_own(
        &mut self,
        headers: &mut HeaderMap,
        own: &HeaderName,
        whole: &[u8],
    ) -> Result<(), PutFault> {
        let mut sent = headers.get_all(own).iter();
        let value = match (sent.next(), sent.next()) {
            (None, _) if self.has_put() => return Ok(()),
            (Some(only), None) if own != header::AUTHORIZATION || self.is_alone(only.as_bytes()) => {
                self.in_header(only)?
            }
            _ => None,
        };
        let value = match value {
            Some(value) => value,
            None => sensitive(whole).map_err(|_| PutFault::NotAHeader)?,
        };
        headers.insert(own, value);
        Ok(())
    }

    /// Sets the credential's own header, unless the placeholder stood elsewhere and the agent sent nothing there.
    pub(crate) fn put_whole_in_own(
        &self,
        headers: &mut HeaderMap,
        own: &HeaderName,
        whole: &[u8],
    ) -> Result<(), PutFault> {
        if headers.contains_key(own) || !self.has_put() {
            headers.insert(own, sensitive(whole).map_err(|_| PutFault::NotAHeader)?);
        }
        Ok(())
    }

    /// Puts it into the values of the query's parameters.
    pub(crate) fn put_in_query(&mut self, uri: &mut Uri) -> Result<(), PutFault> {
        let Some(query) = uri.query() else { return Ok(()) };
        if memmem::find(query.as_bytes(), self.placeholder).is_none() && !query.contains('%') {
            return Ok(());
        }
        let mut spans = Vec::new();
        let mut at = 0;
        for pair in query.split('&') {
            if let Some(equals) = pair.find('=') {
                let value = &pair[equals + 1..];
                for (start, end) in self.places_in_uri(value.as_bytes()) {
                    spans.push((at + equals + 1 + start, at + equals + 1 + end));
                    self.count()?;
                }
            }
            at += pair.len() + 1;
        }
        if spans.is_empty() {
            return Ok(());
        }
        let mut new = Zeroizing::new(String::with_capacity(query.len() + spans.len() * self.text.len() * 3));
        let mut from = 0;
        for (start, end) in spans {
            new.push_str(&query[from..start]);
            self.push_encoded(&mut new);
            from = end;
        }
        new.push_str(&query[from..]);
        set_query(uri, &new).map_err(|_| PutFault::Target)
    }

    fn push_encoded(&self, into: &mut String) {
        const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
        for &byte in self.text {
            if is_unreserved(byte) {
                into.push(byte.into());
            } else {
                into.push('%');
                into.push(DIGITS[usize::from(byte >> 4)].into());
                into.push(DIGITS[usize::from(byte & 15)].into());
            }
        }
    }

    /// A header's new value, if the placeholder is in the old one.
    fn in_header(&mut self, value: &HeaderValue) -> Result<Option<HeaderValue>, PutFault> {
        let value = value.as_bytes();
        if let Some(new) = self.in_text(value)? {
            return sensitive(&new).map(Some).map_err(|_| PutFault::NotAHeader);
        }
        let Some(encoded) = basic_credentials(value) else { return Ok(None) };
        let pair = with_base64_decoded(encoded, |pair| self.in_text(pair)).transpose()?.flatten();
        let Some(pair) = pair else { return Ok(None) };
        let header = basic_header(if self.is_pair { self.text } else { &pair });
        sensitive(&header).map(Some).map_err(|_| PutFault::NotAHeader)
    }

    fn in_text(&mut self, text: &[u8]) -> Result<Option<Zeroizing<Vec<u8>>>, PutFault> {
        let places = self.places(text);
        if places.is_empty() {
            return Ok(None);
        }
        let mut new = Zeroizing::new(Vec::with_capacity(text.len() + places.len() * self.text.len()));
        let mut from = 0;
        for start in places {
            self.count()?;
            new.extend_from_slice(&text[from..start]);
            new.extend_from_slice(self.text);
            from = start + self.placeholder.len();
        }
        new.extend_from_slice(&text[from..]);
        Ok(Some(new))
    }

    /// Where the placeholder stands; at most one more than may be.
    fn places(&self, text: &[u8]) -> Vec<usize> {
        let by_prefix = self.placeholder.starts_with(PLACEHOLDER_PREFIX.as_bytes());
        memmem::find_iter(text, self.placeholder)
            // A longer name is another placeholder.
            .filter(|start| {
                let next = text.get(start + self.placeholder.len());
                !by_prefix || next.is_none_or(|byte| !goes_on(*byte))
            })
            .take(MAX_PLACES + 1)
            .collect()
    }

    /// Where the placeholder stands, encoded or not, as bytes of `text`.
    fn places_in_uri(&self, text: &[u8]) -> Vec<(usize, usize)> {
        if !text.contains(&b'%') {
            let span = |start| (start, start + self.placeholder.len());
            return self.places(text).into_iter().map(span).collect();
        }
        let (mut decoded, mut starts) = (Vec::with_capacity(text.len()), Vec::with_capacity(text.len() + 1));
        let mut at = 0;
        while at < text.len() {
            let (byte, width) = percent_decoded_at(text, at);
            decoded.push(byte);
            starts.push(at);
            at += width;
        }
        starts.push(at);
        let span = |start: usize| (starts[start], starts[start + self.placeholder.len()]);
        self.places(&decoded).into_iter().map(span).collect()
    }

    /// Whether an authorization value has nothing in it that could be a key of the agent's own: the placeholder, a
    /// scheme and it, a scheme and it as a parameter, or Basic with a user name that no provider takes for a key.
    fn is_alone(&self, value: &[u8]) -> bool {
        let value = value.trim_ascii();
        if let Some(encoded) = basic_credentials(value) {
            return with_base64_decoded(encoded, |pair| self.is_alone_in(pair)).unwrap_or(false);
        }
        let credentials = match memchr::memchr(b' ', value) {
            Some(space) if is_scheme(&value[..space]) => value[space..].trim_ascii(),
            Some(_) => return false,
            None => value,
        };
        let credentials = match memchr::memchr(b'=', credentials) {
            Some(equals) if is_one_of(&credentials[..equals], &PARAMETERS) => &credentials[equals + 1..],
            _ => credentials,
        };
        credentials == self.placeholder
            || credentials.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\""))
                == Some(self.placeholder)
    }

    fn is_alone_in(&self, pair: &[u8]) -> bool {
        let (user, password) = split_pair(pair);
        let harmless = |part: &[u8]| part.is_empty() || part == self.placeholder || is_one_of(part, &USERS);
        harmless(user) && harmless(password)
    }

    fn count(&mut self) -> Result<(), PutFault> {
        self.places += 1;
        if self.places > MAX_PLACES { Err(PutFault::TooManyPlaces) } else { Ok(()) }
    }
}

/// What providers have in the user's or password's place where the other one is a token.
const USERS: [&str; 14] = [
    "__token__",
    "anystring",
    "api",
    "api_token",
    "apikey",
    "git",
    "gitlab-ci-token",
    "oauth2",
    "private-token",
    "token",
    "x-access-token",
    "x-bitbucket-api-token-auth",
    "x-oauth-basic",
    "x-token-auth",
];
/// What providers call a key that is the parameter of a scheme.
const PARAMETERS: [&str; 6] = ["access_token", "api-key", "api_key", "apikey", "key", "token"];
/// Longest name of a scheme, in bytes; the longest in use has 15.
const MAX_SCHEME: usize = 20;

fn is_one_of(text: &[u8], names: &[&str]) -> bool {
    names.iter().any(|name| text.eq_ignore_ascii_case(name.as_bytes()))
}

fn is_scheme(text: &[u8]) -> bool {
    text.len() <= MAX_SCHEME && text.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-')
}
