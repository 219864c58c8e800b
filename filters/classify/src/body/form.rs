//! The model in a form with files (`multipart/form-data`, RFC 7578), which images are edited by.

use http::HeaderMap;
use memchr::memmem;

use crate::{BodyProblem, model_name};

/// Most parts of a form.
pub(crate) const MAX_PARTS: usize = 1_000;
/// Longest headers of a part, in bytes.
const MAX_PART_HEADERS: usize = 16 * 1024;
/// Longest boundary; RFC 2046 allows 70 characters.
const MAX_BOUNDARY: usize = 200;

/// The boundary, if the content type is a form's.
pub(crate) fn boundary(headers: &HeaderMap) -> Result<Option<String>, BodyProblem> {
    let mut types = headers.get_all("content-type").iter();
    let Some(first) = types.next() else { return Ok(None) };
    let text = first.to_str().map_err(|_| BodyProblem::unclear("its Content-Type is not ASCII"))?;
    let (essence, parameters) = text.split_once(';').unwrap_or((text, ""));
    if !essence.trim().eq_ignore_ascii_case("multipart/form-data") {
        return Ok(None);
    }
    let mut boundaries = parameters.split(';').filter_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case("boundary").then(|| value.trim().trim_matches('"'))
    });
    match (boundaries.next(), boundaries.next(), types.next()) {
        (Some(boundary), None, None) if !boundary.is_empty() && boundary.len() <= MAX_BOUNDARY => {
            Ok(Some(boundary.to_owned()))
        }
        _ => Err(BodyProblem::unclear("its form has no boundary, or more than one")),
    }
}

/// The field `model`, if there is one.
pub(crate) fn model(body: &[u8], boundary: &str) -> Result<Option<String>, BodyProblem> {
    let delimiter = format!("\r\n--{boundary}");
    // The first delimiter may stand at the very beginning, without a line before it.
    let mut rest = match body.strip_prefix(delimiter.trim_start().as_bytes()) {
        Some(rest) => rest,
        None => after(body, delimiter.as_bytes()).ok_or_else(|| unclear("does not begin"))?.1,
    };
    let finder = memmem::Finder::new(delimiter.as_bytes());
    let mut found = None;
    for _ in 0..MAX_PARTS {
        if rest.starts_with(b"--") {
            return Ok(found);
        }
        let part = rest.strip_prefix(b"\r\n").ok_or_else(|| unclear("has a broken delimiter"))?;
        let end = finder.find(part).ok_or_else(|| unclear("does not end"))?;
        let (part, next) = part.split_at(end);
        rest = next.get(delimiter.len()..).unwrap_or_default();
        if let Some(value) = field(part)? {
            let name = std::str::from_utf8(value)
                .map_err(|_| BodyProblem::Model("its name is not UTF-8".to_owned()))?;
            model_name::check(name)?;
            if found.replace(name.to_owned()).is_some() {
                return Err(BodyProblem::Model("the form names it more than once".to_owned()));
            }
        }
    }
    Err(unclear("has too many parts"))
}

/// The value of a part, if it is the field `model`.
fn field(part: &[u8]) -> Result<Option<&[u8]>, BodyProblem> {
    // A part without headers begins with the blank line itself.
    let (headers, value) = if let Some(value) = part.strip_prefix(b"\r\n") {
        (&[][..], value)
    } else {
        after(part, b"\r\n\r\n").ok_or_else(|| unclear("has a part without end of headers"))?
    };
    if headers.len() > MAX_PART_HEADERS {
        return Err(unclear("has a part with too long headers"));
    }
    let headers = std::str::from_utf8(headers).map_err(|_| unclear("has headers that are not UTF-8"))?;
    let mut is_model = false;
    let mut encoded = false;
    for line in headers.split("\r\n") {
        if line.starts_with([' ', '\t']) || line.contains(['\r', '\n']) {
            return Err(unclear("has a part with broken header lines"));
        }
        let (name, text) = line.split_once(':').unwrap_or((line, ""));
        match &*name.trim().to_ascii_lowercase() {
            "content-disposition" => is_model |= names_model(text)?,
            "content-transfer-encoding" => {
                encoded |= !matches!(&*text.trim().to_ascii_lowercase(), "7bit" | "8bit" | "binary");
            }
            _ => {}
        }
    }
    if is_model && encoded {
        return Err(BodyProblem::Model("its field of the form is encoded".to_owned()));
    }
    Ok(is_model.then_some(value))
}

/// Whether a Content-Disposition names the field `model`.
fn names_model(text: &str) -> Result<bool, BodyProblem> {
    let mut names = parameters(text).filter(|(name, _)| {
        let name = name.trim().to_ascii_lowercase();
        name == "name" || name.starts_with("name*")
    });
    let Some((name, value)) = names.next() else { return Ok(false) };
    if names.next().is_some() || name.contains('*') || value.contains(['\\', '%']) {
        return Err(unclear("has a field whose name can be read in more than one way"));
    }
    Ok(value.trim().trim_matches('"').eq_ignore_ascii_case("model"))
}

/// Parameters of a header, split at semicolons outside of quotes.
fn parameters(text: &str) -> impl Iterator<Item = (&str, &str)> {
    let mut quoted = false;
    text.split(move |character| {
        quoted ^= character == '"';
        character == ';' && !quoted
    })
    .filter_map(|parameter| parameter.split_once('='))
}

/// What stands before and after the first place of a text.
fn after<'b>(bytes: &'b [u8], text: &[u8]) -> Option<(&'b [u8], &'b [u8])> {
    let at = memmem::find(bytes, text)?;
    Some((bytes.get(..at)?, bytes.get(at + text.len()..)?))
}

fn unclear(what: &str) -> BodyProblem {
    BodyProblem::Unclear(format!("its form {what}"))
}
