//! Rows by the names they go by.

use std::collections::HashMap;
use std::sync::Arc;

use crate::fields::Place;
use crate::model_price::ModelPrice;
use crate::problem::{FieldProblem, PriceListError};

/// Rows of one name, in the order of time, no two at one time.
type Rows = Vec<Arc<ModelPrice>>;

#[derive(Debug, Clone, Default)]
struct OfProvider {
    exact: HashMap<Box<str>, Rows>,
    /// By what stands before the star; the longest first.
    globs: Vec<(Box<str>, Rows)>,
}

/// Rows of one source.
#[derive(Debug, Clone, Default)]
pub(crate) struct Index {
    providers: HashMap<Box<str>, OfProvider>,
}

impl Index {
    /// Puts `rows` in order.
    pub(crate) fn of(rows: &[(Arc<ModelPrice>, Place)]) -> Result<Self, PriceListError> {
        let mut index = Index::default();
        for (row, place) in rows {
            let own = index.providers.entry(row.provider.clone()).or_default();
            let names = std::iter::once(&row.model).chain(row.aliases.iter());
            for name in names {
                let field = if *name == row.model { "model" } else { "aliases" };
                let list = match name.strip_suffix('*') {
                    None => own.exact.entry(name.clone()).or_default(),
                    Some(prefix) => {
                        let at = match own.globs.iter().position(|(known, _)| **known == *prefix) {
                            Some(at) => at,
                            None => {
                                own.globs.push((prefix.into(), Rows::new()));
                                own.globs.len() - 1
                            }
                        };
                        &mut own.globs[at].1
                    }
                };
                if let Some(other) =
                    list.iter().find(|other| row.from_ms < other.to_ms && other.from_ms < row.to_ms)
                {
                    let problem =
                        FieldProblem::SameTime { name: name.to_string(), other: other.id.to_string() };
                    return Err(place.wrong(field, problem));
                }
                list.push(Arc::clone(row));
            }
        }
        for own in index.providers.values_mut() {
            own.globs.sort_by_key(|(prefix, _)| std::cmp::Reverse(prefix.len()));
        }
        Ok(index)
    }

    pub(crate) fn has_provider(&self, provider: &str) -> bool {
        self.providers.contains_key(provider)
    }

    /// Rows of the first of `names` that any row has.
    pub(crate) fn exact<N: AsRef<str>>(&self, provider: &str, names: &[N]) -> Option<&[Arc<ModelPrice>]> {
        let own = self.providers.get(provider)?;
        names.iter().find_map(|name| own.exact.get(name.as_ref())).map(Vec::as_slice)
    }

    /// Rows of the longest glob that the first of `names` fits which fits any. The star stands for at least one
    /// character. A shorter glob is not looked at, even if the longest has no row in effect: the longer was made
    /// because the shorter's prices do not hold.
    pub(crate) fn glob<N: AsRef<str>>(&self, provider: &str, names: &[N]) -> Option<&[Arc<ModelPrice>]> {
        let own = self.providers.get(provider)?;
        let fits = |name: &str, prefix: &str| name.len() > prefix.len() && name.starts_with(prefix);
        names
            .iter()
            .find_map(|name| own.globs.iter().find(|(prefix, _)| fits(name.as_ref(), prefix)))
            .map(|(_, rows)| rows.as_slice())
    }
}

/// The row in effect at `at_ms`.
pub(crate) fn in_effect(rows: &[Arc<ModelPrice>], at_ms: i64) -> Option<&Arc<ModelPrice>> {
    rows.iter().find(|row| row.from_ms <= at_ms && at_ms < row.to_ms)
}
