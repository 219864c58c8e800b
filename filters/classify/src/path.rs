//! A path as the service behind it may read it.

use std::borrow::Cow;

/// The segments of a path: decoded once, without empty ones and dot segments.
#[derive(Debug)]
pub(crate) struct Path<'p> {
    segments: Vec<Cow<'p, str>>,
    /// An escape that is broken or does not spell UTF-8 stands in it, as it was written.
    broken: bool,
}

impl<'p> Path<'p> {
    /// Split, then decoded: `%2F` is part of a segment, as RFC 3986 has it.
    pub(crate) fn split(path: &'p str) -> Self {
        let mut broken = false;
        let mut segments = Vec::new();
        for raw in path.split('/') {
            let segment = decode(raw).unwrap_or_else(|| {
                broken = true;
                Cow::Borrowed(raw)
            });
            push(&mut segments, segment);
        }
        Self { segments, broken }
    }

    /// Decoded, then split, with `\` as `/` and without parameters (`;x`): what some servers read. None where that is
    /// the same.
    pub(crate) fn flattened(&self) -> Option<Path<'static>> {
        if !self.segments.iter().any(|segment| segment.contains(['/', '\\', ';'])) {
            return None;
        }
        let mut segments = Vec::new();
        for part in self.segments.iter().flat_map(|segment| segment.split(['/', '\\'])) {
            let part = part.split(';').next().unwrap_or_default();
            push(&mut segments, Cow::Owned(part.to_owned()));
        }
        Some(Path { segments, broken: self.broken })
    }

    pub(crate) fn segments(&self) -> &[Cow<'p, str>] {
        &self.segments
    }

    pub(crate) fn is_broken(&self) -> bool {
        self.broken
    }

    /// What stands before these last segments, if the path ends in them. Case is not looked at: some servers do not,
    /// and taking a call for what it is not only means that it is read.
    pub(crate) fn before(&self, ends: &[&str]) -> Option<&[Cow<'p, str>]> {
        let from = self.segments.len().checked_sub(ends.len())?;
        let (before, last) = self.segments.split_at_checked(from)?;
        last.iter().zip(ends).all(|(one, other)| one.eq_ignore_ascii_case(other)).then_some(before)
    }

    /// Whether the path ends in one of these.
    pub(crate) fn ends_with(&self, ends: &[&str]) -> bool {
        self.before(ends).is_some()
    }

    /// The last segment; empty for the root.
    pub(crate) fn last(&self) -> &str {
        self.segments.last().map_or("", |segment| segment)
    }
}

fn push<'p>(segments: &mut Vec<Cow<'p, str>>, segment: Cow<'p, str>) {
    match &*segment {
        "" | "." => {}
        ".." => {
            segments.pop();
        }
        _ => segments.push(segment),
    }
}

/// Percent-decoded once; none for a broken escape or what is not UTF-8.
pub(crate) fn decode(raw: &str) -> Option<Cow<'_, str>> {
    if !raw.contains('%') {
        return Some(Cow::Borrowed(raw));
    }
    let mut bytes = Vec::with_capacity(raw.len());
    let mut rest = raw.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let mut digit = || char::from(rest.next()?).to_digit(16);
            let value = digit()? * 16 + digit()?;
            bytes.push(u8::try_from(value).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok().map(Cow::Owned)
}

/// Values of a query parameter, decoded once, `+` as a blank; an error for one that does not decode.
pub(crate) fn query_values<'q>(query: &'q str, name: &str) -> Result<Vec<Cow<'q, str>>, ()> {
    let mut values = Vec::new();
    for pair in query.split(['&', ';']) {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        if !decode(key).is_some_and(|key| key.eq_ignore_ascii_case(name)) {
            continue;
        }
        let value = if value.contains('+') { Cow::Owned(value.replace('+', "%20")) } else { value.into() };
        match value {
            Cow::Borrowed(raw) => values.push(decode(raw).ok_or(())?),
            Cow::Owned(raw) => values.push(Cow::Owned(decode(&raw).ok_or(())?.into_owned())),
        }
    }
    Ok(values)
}
