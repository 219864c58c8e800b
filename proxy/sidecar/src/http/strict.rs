//! What hyper lets pass and we do not: requests that two readers could read in two ways.

use http::header::{CONTENT_LENGTH, HOST, TRANSFER_ENCODING};
use http::{Method, Request, Version};

/// Why a request is malformed, in words for the agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Malformed {
    #[error("Transfer-Encoding and Content-Length together: the end of the body can be read in two ways")]
    TwoLengths,
    #[error("more than one Content-Length")]
    RepeatedLength,
    #[error("a Transfer-Encoding other than chunked")]
    TransferEncoding,
    #[error("HTTP/1.1 asks for exactly one Host header")]
    Host,
    #[error("HTTP/1.0 with a body in chunks")]
    OldChunked,
    #[error("the target is not a path that begins with a slash")]
    Target,
    #[error("the target holds user information")]
    UserInfo,
    #[error("the path holds a dot segment: where it leads depends on who resolves it; send it resolved")]
    DotSegment,
}

/// Checks a request as hyper gives it.
pub(crate) fn check<B>(request: &Request<B>) -> Result<(), Malformed> {
    let headers = request.headers();
    let mut lengths = headers.get_all(CONTENT_LENGTH).iter();
    let length = lengths.next();
    if lengths.next().is_some()
        || length.is_some_and(|value| !value.as_bytes().iter().all(u8::is_ascii_digit))
    {
        return Err(Malformed::RepeatedLength);
    }
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    if let Some(coding) = codings.next() {
        if length.is_some() {
            return Err(Malformed::TwoLengths);
        }
        if !coding.as_bytes().eq_ignore_ascii_case(b"chunked") || codings.next().is_some() {
            return Err(Malformed::TransferEncoding);
        }
        if request.version() == Version::HTTP_10 {
            return Err(Malformed::OldChunked);
        }
    }
    let mut hosts = headers.get_all(HOST).iter();
    let first = hosts.next();
    if hosts.next().is_some() || (request.version() == Version::HTTP_11 && first.is_none()) {
        return Err(Malformed::Host);
    }
    let uri = request.uri();
    if request.method() != Method::CONNECT {
        let path = uri.path();
        let star = path == "*" && request.method() == Method::OPTIONS;
        if !star && !path.starts_with('/') {
            return Err(Malformed::Target);
        }
        if has_dot_segment(path) {
            return Err(Malformed::DotSegment);
        }
        if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
            return Err(Malformed::UserInfo);
        }
    }
    Ok(())
}

/// Whether a segment is `.` or `..`, with dots as they are or as `%2e`.
fn has_dot_segment(path: &str) -> bool {
    path.split('/').any(|segment| {
        let mut rest = segment;
        let mut dots = 0;
        while let Some(after) = rest
            .strip_prefix('.')
            .or_else(|| rest.get(..3).filter(|head| head.eq_ignore_ascii_case("%2e")).map(|_| &rest[3..]))
        {
            rest = after;
            dots += 1;
        }
        rest.is_empty() && (1..=2).contains(&dots)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(version: Version, headers: &[(&str, &str)]) -> Request<()> {
        let mut builder = Request::builder().uri("/a").version(version);
        for (name, value) in headers {
            builder = builder.header(*name, *value);
        }
        builder.body(()).unwrap()
    }

    #[test]
    fn what_can_be_read_in_two_ways_is_malformed() {
        use Malformed as M;
        let v11 = Version::HTTP_11;
        for (version, headers, expected) in [
            (v11, &[("host", "a")][..], Ok(())),
            (v11, &[][..], Err(M::Host)),
            (v11, &[("host", "a"), ("host", "b")][..], Err(M::Host)),
            (
                v11,
                &[("host", "a"), ("content-length", "1"), ("transfer-encoding", "chunked")][..],
                Err(M::TwoLengths),
            ),
            (
                v11,
                &[("host", "a"), ("content-length", "1"), ("content-length", "1")][..],
                Err(M::RepeatedLength),
            ),
            (v11, &[("host", "a"), ("content-length", "+1")][..], Err(M::RepeatedLength)),
            (v11, &[("host", "a"), ("transfer-encoding", "gzip, chunked")][..], Err(M::TransferEncoding)),
            (v11, &[("host", "a"), ("transfer-encoding", "xchunked")][..], Err(M::TransferEncoding)),
            (Version::HTTP_10, &[("transfer-encoding", "chunked")][..], Err(M::OldChunked)),
            (Version::HTTP_10, &[][..], Ok(())),
        ] {
            assert_eq!(check(&request(version, headers)), expected, "{headers:?}");
        }
    }

    #[test]
    fn dot_segments_are_seen_however_they_are_written() {
        for path in ["/a/../b", "/..", "/a/.", "/a/%2e%2E/b", "/.%2e/", "/./a"] {
            assert!(has_dot_segment(path), "{path}");
        }
        for path in ["/", "/a..b", "/...", "/.well-known/x", "/a/.../b", "/%2e%2e%2e", "//"] {
            assert!(!has_dot_segment(path), "{path}");
        }
    }
}
