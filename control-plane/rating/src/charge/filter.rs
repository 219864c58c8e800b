//! Filters: events with certain properties pay another price.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::model::{Model, ModelError};
use crate::{UsageEvent, Value};

/// Filters one charge may have.
pub const MAX_FILTERS: usize = 1_000;

/// A price for events whose properties are among the values listed, for every key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Filter {
    /// What it is called on the invoice; unique in the charge.
    pub name: String,
    /// Property to the values it may have.
    pub keys: BTreeMap<String, BTreeSet<String>>,
    /// The price.
    pub model: Model,
}

/// A filter that cannot be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FilterError {
    /// More than [`MAX_FILTERS`].
    #[error("there are {0} filters; at most {MAX_FILTERS}")]
    TooMany(usize),
    /// Two filters with one name.
    #[error("filter `{0}` is there twice: give each its own name")]
    Twice(String),
    /// A filter that would match everything, or nothing.
    #[error("filter `{0}` needs at least one key, and each key at least one value")]
    Empty(String),
    /// Two filters for the same events.
    #[error("filters `{0}` and `{1}` match the same events: drop one")]
    Same(String, String),
    /// A price that cannot be.
    #[error("filter `{name}`: {error}")]
    Model {
        /// The filter.
        name: String,
        /// What is wrong.
        error: ModelError,
    },
}

impl Filter {
    fn matches(&self, event: &UsageEvent) -> bool {
        self.keys.iter().all(|(key, values)| {
            event.properties.get(key).map(Value::text).is_some_and(|value| values.contains(value.as_ref()))
        })
    }
}

/// The filter an event pays by: of those that match, the one with most keys, the first listed among equals; none for the
/// default price.
pub(crate) fn chosen(filters: &[Filter], event: &UsageEvent) -> Option<usize> {
    let matching = filters.iter().enumerate().filter(|(_, filter)| filter.matches(event));
    matching
        .max_by_key(|(place, filter)| (filter.keys.len(), std::cmp::Reverse(*place)))
        .map(|(place, _)| place)
}

/// Whether filters can be told apart.
pub(super) fn validate(filters: &[Filter]) -> Result<(), FilterError> {
    if filters.len() > MAX_FILTERS {
        return Err(FilterError::TooMany(filters.len()));
    }
    let mut names = BTreeSet::new();
    let mut keys: BTreeMap<_, &str> = BTreeMap::new();
    for filter in filters {
        if !names.insert(&filter.name) {
            return Err(FilterError::Twice(filter.name.clone()));
        }
        if filter.keys.is_empty() || filter.keys.values().any(BTreeSet::is_empty) {
            return Err(FilterError::Empty(filter.name.clone()));
        }
        if let Some(other) = keys.insert(&filter.keys, &filter.name) {
            return Err(FilterError::Same(other.to_owned(), filter.name.clone()));
        }
    }
    Ok(())
}
