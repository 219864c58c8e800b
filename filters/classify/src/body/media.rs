//! How a body is written down, as its headers tell.

use http::HeaderMap;

use crate::{BodyProblem, problem::shown};

/// Refuses a body that is encoded, or whose text is not UTF-8 by its own word.
pub(crate) fn check(headers: &HeaderMap) -> Result<(), BodyProblem> {
    if let Some(encoding) = encoding(headers) {
        return Err(BodyProblem::Encoded(encoding));
    }
    for value in headers.get_all("content-type") {
        let value = value.to_str().map_err(|_| BodyProblem::unclear("its Content-Type is not ASCII"))?;
        for parameter in value.split(';').skip(1) {
            let (name, charset) = parameter.split_once('=').unwrap_or((parameter, ""));
            let charset = charset.trim().trim_matches('"');
            let plain = ["utf-8", "utf8", "us-ascii", "ascii"];
            if name.trim().eq_ignore_ascii_case("charset")
                && !plain.iter().any(|known| charset.eq_ignore_ascii_case(known))
            {
                let words = format!("its charset is \"{}\", and JSON is UTF-8", shown(charset));
                return Err(BodyProblem::Unclear(words));
            }
        }
    }
    Ok(())
}

/// The Content-Encoding, if there is one other than `identity`.
pub(crate) fn encoding(headers: &HeaderMap) -> Option<String> {
    headers.get_all("content-encoding").iter().find_map(|value| {
        let text = String::from_utf8_lossy(value.as_bytes());
        text.split(',')
            .map(str::trim)
            .find(|coding| !coding.is_empty() && !coding.eq_ignore_ascii_case("identity"))
            .map(shown)
    })
}

/// Whether the content type is JSON's, or there is none that says otherwise.
pub(crate) fn is_json_like(headers: &HeaderMap) -> bool {
    let mut types = headers.get_all("content-type").iter().peekable();
    if types.peek().is_none() {
        return true;
    }
    types.any(|value| {
        let essence = value.as_bytes().split(|byte| *byte == b';').next().unwrap_or_default();
        let essence = String::from_utf8_lossy(essence).trim().to_ascii_lowercase();
        essence.is_empty()
            || essence == "text/plain"
            || essence.ends_with("json")
            || essence.contains("json-rpc")
    })
}
