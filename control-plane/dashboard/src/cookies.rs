//! Cookies: what a browser holds, 256 random bits each, and the form tokens that follow from it.

use http::{HeaderMap, HeaderValue, header};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::bounds::SESSION_MS;
use crate::place::Place;

/// The session.
pub(crate) const SESSION: &str = "creto-session";
/// What the sign-in form is bound to: there is no session yet.
pub(crate) const BEFORE: &str = "creto-sign-in";

/// A secret of a browser: 64 hexadecimal digits.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(..)")
    }
}

impl Token {
    /// A new one.
    pub(crate) fn random() -> Result<Self, getrandom::Error> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes)?;
        Ok(Self(hex::encode(bytes)))
    }

    fn parse(text: &str) -> Option<Self> {
        let digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        (text.len() == 64 && text.bytes().all(digit)).then(|| Self(text.to_owned()))
    }

    /// The one that a request's cookie holds.
    pub(crate) fn of(headers: &HeaderMap, place: &Place, name: &str) -> Option<Self> {
        let wanted = place.cookie(name);
        let pairs = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
        let mut found = pairs
            .flat_map(|pairs| pairs.split(';'))
            .filter_map(|pair| pair.trim().split_once('='))
            .filter(|(name, _)| *name == wanted);
        let (_, value) = found.next()?;
        // Two of one name: somebody else set one of them.
        if found.next().is_some() {
            return None;
        }
        Self::parse(value)
    }

    /// As the browser holds it.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.0
    }

    /// What is kept of it.
    pub(crate) fn kept(&self) -> String {
        hex::encode(Sha256::digest(format!("creto-session-v1\0{}", self.0)))
    }

    /// What forms of the page that it signs in carry.
    pub(crate) fn form_token(&self) -> String {
        hex::encode(Sha256::digest(format!("creto-form-v1\0{}", self.0)))
    }

    /// Whether a form carries its token.
    pub(crate) fn made(&self, form_token: &str) -> bool {
        self.form_token().as_bytes().ct_eq(form_token.as_bytes()).into()
    }

    /// The header that gives it to the browser.
    pub(crate) fn set(&self, place: &Place, name: &str) -> HeaderValue {
        set(place, name, &self.0, SESSION_MS / 1_000)
    }
}

/// The header that takes a cookie back.
pub(crate) fn unset(place: &Place, name: &str) -> HeaderValue {
    set(place, name, "", 0)
}

fn set(place: &Place, name: &str, value: &str, seconds: u64) -> HeaderValue {
    let secure = if place.is_secure() { "; Secure" } else { "" };
    let name = place.cookie(name);
    let text = format!("{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}");
    // Names and values are ours: visible ASCII.
    HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static(""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(url: Option<&str>) -> Place {
        Place::new("127.0.0.1:8444".parse().unwrap(), url).unwrap()
    }

    fn sent(value: &str) -> HeaderMap {
        HeaderMap::from_iter([(header::COOKIE, HeaderValue::from_str(value).unwrap())])
    }

    #[test]
    fn cookies_are_for_this_page_and_for_no_script() {
        let token = Token::random().unwrap();
        let plain = token.set(&place(None), SESSION);
        let text = plain.to_str().unwrap();
        assert!(text.starts_with("creto-session-8444=") && !text.contains("Secure"), "{text}");
        assert!(text.contains("HttpOnly") && text.contains("SameSite=Strict") && text.contains("Path=/"));
        let proxied = token.set(&place(Some("https://a.example")), SESSION);
        let text = proxied.to_str().unwrap();
        assert!(text.starts_with("__Host-creto-session=") && text.ends_with("; Secure"), "{text}");
        assert!(!text.contains("Domain"));
    }

    #[test]
    fn a_token_is_read_whole_once_and_in_one_spelling() {
        let token = Token::random().unwrap();
        let read = |value: &str| Token::of(&sent(value), &place(None), SESSION);
        let text = token.text();
        assert_eq!(read(&format!("a=b; creto-session-8444={text}")), Some(token.clone()));
        assert_eq!(read(&format!("creto-session-8444={text}; creto-session-8444={text}")), None);
        assert_eq!(read(&format!("creto-session-8444={}", text.to_uppercase())), None);
        assert_eq!(read(&format!("creto-session={text}")), None);
        assert_eq!(read("creto-session-8444="), None);
        assert!(token.made(&token.form_token()) && !token.made("") && !token.made(token.text()));
        assert_ne!(token.kept(), token.form_token());
    }
}
