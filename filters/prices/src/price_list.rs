//! A list of prices, and how a call's model is found in it.

use std::collections::HashSet;
use std::sync::Arc;

use crate::built_in;
use crate::currency::Currency;
use crate::fields::Place;
use crate::index::{Index, in_effect};
use crate::model_name;
use crate::model_price::ModelPrice;
use crate::problem::{FieldProblem, PriceListError};
use crate::read;
use crate::unpriced::{Reason, Unpriced};

/// Format of a price list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// JSON.
    Json,
    /// TOML.
    Toml,
}

/// Where prices are from.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Source {
    /// The package that has the public list.
    pub package: String,
    /// Its version.
    pub version: String,
    /// When it was taken, as `YYYY-MM-DD`.
    pub date: String,
}

/// How a model's row was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Matched {
    /// By a name that the row has.
    Exact,
    /// The model is a snapshot with a date that the list does not know, and the row is its undated name's. Its price
    /// is likely, not certain: worth a notice.
    Undated,
    /// By a name with a star that the row has.
    Glob,
}

/// A model found in the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    /// Its prices.
    pub price: Arc<ModelPrice>,
    /// How it was found.
    pub matched: Matched,
}

/// Prices of models, in one currency: a user's own rows, over those built in.
#[derive(Debug, Clone)]
pub struct PriceList {
    rows: Vec<(Arc<ModelPrice>, Place)>,
    /// The first so many of the rows are built in.
    built_in: usize,
    base: Index,
    own: Index,
    sources: Vec<Source>,
}

impl PriceList {
    /// The list that is built in.
    ///
    /// # Errors
    /// None that a test does not find first.
    pub fn built_in() -> Result<Self, PriceListError> {
        let mut rows = Vec::new();
        let mut sources = Vec::new();
        for (_, text) in built_in::FILES {
            let book = read::book(text, Format::Json)?;
            rows.extend(book.rows.into_iter().map(|(row, place)| (Arc::new(row), place)));
            sources.extend(book.source.filter(|source| !sources.contains(source)));
        }
        unique(&rows)?;
        let base = Index::of(&rows)?;
        Ok(Self { built_in: rows.len(), rows, base, own: Index::default(), sources })
    }

    /// A list of `text` alone.
    ///
    /// # Errors
    /// The text cannot be used; the error names row and field.
    pub fn only(text: &str, format: Format) -> Result<Self, PriceListError> {
        let nothing = Self {
            rows: Vec::new(),
            built_in: 0,
            base: Index::default(),
            own: Index::default(),
            sources: Vec::new(),
        };
        nothing.with_own(text, format)
    }

    /// This list with the rows of `text` over its built-in ones, in place of own rows that it had.
    ///
    /// # Errors
    /// The text cannot be used, or its currency is not that of the built-in rows; the error names row and field.
    pub fn with_own(&self, text: &str, format: Format) -> Result<Self, PriceListError> {
        let book = read::book(text, format)?;
        let base = &self.rows[..self.built_in];
        let own: Vec<_> = book.rows.into_iter().map(|(row, place)| (Arc::new(row), place)).collect();
        if let (Some((first, _)), Some((row, place))) = (base.first(), own.first())
            && first.currency != row.currency
        {
            let problem = FieldProblem::MixedCurrencies { expected: first.currency, found: row.currency };
            return Err(place.wrong("currency", problem));
        }
        let index = Index::of(&own)?;
        let rows: Vec<_> = base.iter().cloned().chain(own).collect();
        unique(&rows)?;
        Ok(Self {
            rows,
            built_in: self.built_in,
            base: self.base.clone(),
            own: index,
            sources: self.sources.iter().cloned().chain(book.source).collect(),
        })
    }

    /// The prices of a provider's model at a time, in milliseconds since 1970. May allocate: keep what it returns.
    ///
    /// Names are compared in lower case, first whole, then without the resource path around them, in this order; the
    /// first that names a row in effect at the time is it:
    ///
    /// 1. own row with that name or alias;
    /// 2. if no own row ever had the name: own row with an alias that ends in a star, the longest that fits;
    /// 3. built-in row with that name or alias;
    /// 4. if no row of either list ever had the name, and it ends in a whole date (`-2024-08-06`, `-20240806`,
    ///    `@20240806`): own row (unless a star of theirs fits), then built-in row, with the name before the date. No
    ///    other part of a name is ever taken off or added;
    /// 5. if no built-in row ever had the name: built-in row with an alias that ends in a star, the longest that fits
    ///    (fine-tuned models).
    ///
    /// So a name whose rows have all ended is [`Reason::NotInEffect`]: it never gets the price of a likely relative.
    ///
    /// # Errors
    /// There is no such row.
    pub fn resolve(&self, provider: &str, model: &str, at_ms: i64) -> Result<Resolved, Unpriced> {
        let unknown = |reason| Unpriced { reason };
        let provider = model_name::provider(provider);
        if !self.own.has_provider(&provider) && !self.base.has_provider(&provider) {
            return Err(unknown(Reason::UnknownProvider));
        }
        let names = model_name::lookups(model);
        let own = self.own.exact(&provider, &names);
        let own_glob = if own.is_none() { self.own.glob(&provider, &names) } else { None };
        let base = self.base.exact(&provider, &names);
        let base_glob = if base.is_none() { self.base.glob(&provider, &names) } else { None };
        // A name that either list knows, at whatever time, is never priced as another model's snapshot.
        let undated: Vec<&str> = match (&own, &base) {
            (None, None) => names.iter().filter_map(|name| model_name::undated(name)).collect(),
            _ => Vec::new(),
        };
        let own_undated = if own_glob.is_none() { self.own.exact(&provider, &undated) } else { None };
        let base_undated = self.base.exact(&provider, &undated);
        let candidates = [
            (Matched::Exact, own),
            (Matched::Glob, own_glob),
            (Matched::Exact, base),
            (Matched::Undated, own_undated),
            (Matched::Undated, base_undated),
            (Matched::Glob, base_glob),
        ];
        let mut reason = Reason::UnknownModel;
        for (matched, rows) in candidates {
            let Some(rows) = rows else { continue };
            if let Some(price) = in_effect(rows, at_ms) {
                return Ok(Resolved { price: Arc::clone(price), matched });
            }
            reason = Reason::NotInEffect;
        }
        Err(unknown(reason))
    }

    /// The currency of every price; none if there are no rows.
    #[must_use]
    pub fn currency(&self) -> Option<Currency> {
        self.rows.first().map(|(row, _)| row.currency)
    }

    /// Where the prices are from, as far as the lists say.
    #[must_use]
    pub fn sources(&self) -> &[Source] {
        &self.sources
    }

    /// Every row, own ones last.
    pub fn rows(&self) -> impl Iterator<Item = &Arc<ModelPrice>> {
        self.rows.iter().map(|(row, _)| row)
    }
}

fn unique(rows: &[(Arc<ModelPrice>, Place)]) -> Result<(), PriceListError> {
    let mut ids = HashSet::with_capacity(rows.len());
    match rows.iter().find(|(row, _)| !ids.insert(&*row.id)) {
        Some((_, place)) => Err(place.wrong("id", FieldProblem::DuplicateId)),
        None => Ok(()),
    }
}
