//! A request's target with another query.

use http::{Uri, uri::PathAndQuery};

/// The new target is none: too long, or a byte that cannot stand there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TargetError;

/// Puts another query into the target; an empty one takes the question mark away.
pub(crate) fn set_query(uri: &mut Uri, query: &str) -> Result<(), TargetError> {
    let mut target = String::with_capacity(uri.path().len() + 1 + query.len());
    target.push_str(uri.path());
    if !query.is_empty() {
        target.push('?');
        target.push_str(query);
    }
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(PathAndQuery::try_from(target).map_err(|_| TargetError)?);
    *uri = Uri::from_parts(parts).map_err(|_| TargetError)?;
    Ok(())
}
