//! The readings of a path: one for a plain path, more for one that servers may read in several ways.

use std::cell::OnceCell;

/// A call's path, with the other ways in which an upstream may read it.
///
/// A path is plain when every server reads it alike: no `%`, no `\`, no `//`, no dot segments. Only a path that is not
/// plain costs an allocation, and only once it is first asked for.
#[derive(Clone, Debug)]
pub struct CallPath<'a> {
    raw: &'a str,
    readings: OnceCell<Option<Box<Readings>>>,
}

/// What a path that is not plain may mean.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Readings {
    /// RFC 3986 section 6.2.2: unreserved characters decoded once, then slashes merged and dot segments removed.
    pub(crate) normal: Vec<u8>,
    /// As a server reads it that decodes everything first and takes `\` for `/`.
    pub(crate) decoded: Vec<u8>,
}

impl<'a> CallPath<'a> {
    /// A path as sent, without its query.
    #[must_use]
    pub fn new(raw: &'a str) -> Self {
        Self { raw, readings: OnceCell::new() }
    }

    /// The path as sent.
    #[must_use]
    pub fn raw(&self) -> &'a str {
        self.raw
    }

    /// Whether there is only one way to read it.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        self.readings().is_none()
    }

    /// The normal form, for people: equal to the raw one when the path is plain.
    #[must_use]
    pub fn normal(&self) -> String {
        match self.readings() {
            None => self.raw.to_owned(),
            Some(readings) => String::from_utf8_lossy(&readings.normal).into_owned(),
        }
    }

    pub(crate) fn readings(&self) -> Option<&Readings> {
        self.readings
            .get_or_init(|| {
                (!is_plain(self.raw.as_bytes())).then(|| {
                    Box::new(Readings {
                        normal: resolve(&decode(self.raw.as_bytes(), is_unreserved)),
                        decoded: decoded(self.raw.as_bytes()),
                    })
                })
            })
            .as_deref()
    }
}

/// Everything decoded once, and `\` taken for `/`.
pub(crate) fn decoded_literal(raw: &[u8]) -> Vec<u8> {
    let mut bytes = decode(raw, |_| true);
    for byte in &mut bytes {
        if *byte == b'\\' {
            *byte = b'/';
        }
    }
    bytes
}

fn decoded(raw: &[u8]) -> Vec<u8> {
    resolve(&decoded_literal(raw))
}

fn is_plain(path: &[u8]) -> bool {
    let mut previous = 0;
    for (at, &byte) in path.iter().enumerate() {
        match byte {
            b'%' | b'\\' => return false,
            b'/' if previous == b'/' => return false,
            b'.' if previous == b'/' || at == 0 => {
                // The segment ends after one or two dots, or goes on with parameters (`..;x`), which some drop.
                let rest = &path[at + 1..];
                let rest = rest.strip_prefix(b".").unwrap_or(rest);
                if matches!(rest.first(), None | Some(b'/' | b';')) {
                    return false;
                }
            }
            _ => {}
        }
        previous = byte;
    }
    true
}

fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

/// Decodes percent triplets once, those that `wanted` asks for.
fn decode(path: &[u8], wanted: impl Fn(u8) -> bool) -> Vec<u8> {
    let mut out = Vec::with_capacity(path.len());
    let mut rest = path;
    while let Some((&byte, tail)) = rest.split_first() {
        if byte == b'%'
            && let [high, low, after @ ..] = tail
            && let (Some(high), Some(low)) = (hex_digit(*high), hex_digit(*low))
            && wanted(high << 4 | low)
        {
            out.push(high << 4 | low);
            rest = after;
        } else {
            out.push(byte);
            rest = tail;
        }
    }
    out
}

fn hex_digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

/// Merges slashes and removes dot segments (RFC 3986 section 5.2.4); parameters on a dot segment do not save it.
fn resolve(path: &[u8]) -> Vec<u8> {
    let mut out: Vec<u8> = Vec::with_capacity(path.len());
    let rooted = path.first() == Some(&b'/');
    let mut segments = path.split(|&byte| byte == b'/').peekable();
    if rooted {
        segments.next();
        out.push(b'/');
    }
    while let Some(segment) = segments.next() {
        let last = segments.peek().is_none();
        let name = segment.split(|&byte| byte == b';').next().unwrap_or(segment);
        match name {
            b"." => {}
            b".." => {
                // `out` ends with the slash after the segment to drop.
                if out.len() > 1 {
                    out.pop();
                    let keep = out.iter().rposition(|&byte| byte == b'/').map_or(0, |at| at + 1);
                    out.truncate(keep);
                }
            }
            b"" if segment.is_empty() => {}
            _ => {
                out.extend_from_slice(segment);
                if !last {
                    out.push(b'/');
                }
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn plain_paths_have_one_reading() {
        for path in
            ["", "/", "/a", "/a/b.c", "/a/.b", "/a/..b", "/a/b/", "/.well-known/x", "/a;x=1", "/...", "*"]
        {
            assert!(CallPath::new(path).is_plain(), "{path}");
        }
        for path in ["/a//b", "/a/./b", "/a/../b", "/a/..", "/.", "/%61", "/a\\b", "/a/..;/b", "..", "/a/.;x"]
        {
            assert!(!CallPath::new(path).is_plain(), "{path}");
        }
    }

    #[test]
    fn the_readings_of_what_hides_a_path() {
        for (raw, normal, full) in [
            ("/a/../admin", "/admin", "/admin"),
            ("/a/%2e%2e/admin", "/admin", "/admin"),
            ("/a/.%2E/admin", "/admin", "/admin"),
            ("/a//b", "/a/b", "/a/b"),
            ("/a%2Fb", "/a%2Fb", "/a/b"),
            ("/a/x%2F..%2F..%2Fadmin", "/a/x%2F..%2F..%2Fadmin", "/admin"),
            ("/a\\..\\admin", "/a\\..\\admin", "/admin"),
            ("/a%5c..%5cadmin", "/a%5c..%5cadmin", "/admin"),
            ("/a/..;/admin", "/admin", "/admin"),
            ("/%61dmin", "/admin", "/admin"),
            ("/../../x", "/x", "/x"),
            ("/a/b/..", "/a/", "/a/"),
            ("/a/.", "/a/", "/a/"),
            ("/%zz/%4", "/%zz/%4", "/%zz/%4"),
            // Once, not twice: %252e is the text "%2e".
            ("/a/%252e%252e/b", "/a/%252e%252e/b", "/a/%2e%2e/b"),
        ] {
            let path = CallPath::new(raw);
            let readings = path.readings().unwrap();
            assert_eq!(String::from_utf8_lossy(&readings.normal), normal, "normal of {raw}");
            assert_eq!(String::from_utf8_lossy(&readings.decoded), full, "decoded of {raw}");
        }
    }

    proptest! {
        #[test]
        fn a_plain_path_reads_the_same_in_every_way(path in "/[a-z./;%\\\\]{0,12}") {
            let normal = resolve(&decode(path.as_bytes(), is_unreserved));
            let full = decoded(path.as_bytes());
            if is_plain(path.as_bytes()) {
                prop_assert_eq!(&normal, path.as_bytes());
                prop_assert_eq!(&full, path.as_bytes());
            }
        }

        #[test]
        fn resolving_leaves_nothing_to_resolve(path in "/[a-z./;]{0,16}") {
            let once = resolve(path.as_bytes());
            prop_assert_eq!(resolve(&once), once.clone());
            prop_assert!(is_plain(&once), "{:?}", String::from_utf8_lossy(&once));
        }
    }
}
