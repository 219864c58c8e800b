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

    /// Rows that name the model, exactly.
    pub(crate) fn exact(&self, provider: &str, model: &str) -> Option<&[Arc<ModelPrice>]> {
        self.providers.get(provider)?.exact.get(model).map(Vec::as_slice)
    }

    /// Rows whose glob names the model, longest glob first. The star stands for at least one character.
    pub(crate) fn globs<'a>(
        &'a self,
        provider: &str,
        model: &'a str,
    ) -> impl Iterator<Item = &'a [Arc<ModelPrice>]> {
        let globs = self.providers.get(provider).map_or(&[][..], |own| &own.globs);
        globs
            .iter()
            .filter(move |(prefix, _)| model.len() > prefix.len() && model.starts_with(&**prefix))
            .map(|(_, rows)| rows.as_slice())
    }
}

/// The row in effect at `at_ms`.
pub(crate) fn in_effect(rows: &[Arc<ModelPrice>], at_ms: i64) -> Option<&Arc<ModelPrice>> {
    rows.iter().find(|row| row.from_ms <= at_ms && at_ms < row.to_ms)
}
