//! What is wrong with a price list.

use thiserror::Error;

use crate::amount::AmountError;
use crate::currency::{Currency, UnknownCurrency};

/// A price list that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PriceListError {
    /// The text is not the format it is said to be, or a field stands twice in a table.
    #[error("the price list cannot be read: {0}")]
    Syntax(String),
    /// The text is longer than [`crate::MAX_LIST_BYTES`].
    #[error("the price list has {0} bytes, more than {max}: split it", max = crate::MAX_LIST_BYTES)]
    TooLong(usize),
    /// There are more rows than [`crate::MAX_ROWS`].
    #[error("the price list has more than {max} rows: split it", max = crate::MAX_ROWS)]
    TooManyRows,
    /// A field of the list itself.
    #[error("field `{field}` of the price list: {problem}")]
    List {
        /// The field.
        field: String,
        /// What is wrong with it.
        problem: FieldProblem,
    },
    /// A field of a row.
    #[error("price row {row}, field `{field}`: {problem}")]
    Row {
        /// The row: its place from 1, and its id where it has one.
        row: String,
        /// The field, with the names of the tables it is in.
        field: String,
        /// What is wrong with it.
        problem: FieldProblem,
    },
}

/// What is wrong with a field.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum FieldProblem {
    /// It must be there.
    #[error("is missing")]
    Missing,
    /// No such field.
    #[error("is not known here")]
    Unknown,
    /// It is of another sort.
    #[error("must be {wanted}, not {found}")]
    Sort {
        /// What it must be.
        wanted: &'static str,
        /// What it is.
        found: &'static str,
    },
    /// It is no price.
    #[error("{0}")]
    Amount(#[from] AmountError),
    /// A price below zero.
    #[error("a price cannot be below zero")]
    Negative,
    /// A price above [`crate::MAX_RATE`].
    #[error("a price above {max} is not believed; prices are per token, not per thousand or million", max = crate::MAX_RATE)]
    TooDear,
    /// It is no currency.
    #[error("{0}")]
    Currency(#[from] UnknownCurrency),
    /// It differs from the currency of the rest.
    #[error("{found} among prices in {expected}: keep a list to one currency")]
    MixedCurrencies {
        /// The currency of the rest.
        expected: Currency,
        /// The currency here.
        found: Currency,
    },
    /// It is no name.
    #[error("must be 1 to {max} printable ASCII characters without spaces", max = crate::MAX_NAME_BYTES)]
    Name,
    /// A star where none may be.
    #[error("`*` may stand only at the end of an alias, after one of - : / @ . _")]
    Star,
    /// It is no date.
    #[error("must be a date (2026-01-31, which begins at midnight UTC) or a time with its offset (RFC 3339)")]
    Date,
    /// The row ends before it begins.
    #[error("ends at or before effective_from; the end is exclusive")]
    EndBeforeStart,
    /// A number outside what is possible.
    #[error("must be between 1 and {0}")]
    Range(u64),
    /// A list with too many entries.
    #[error("has more than {0} entries")]
    TooMany(usize),
    /// Two entries of `long` cover the same numbers of tokens.
    #[error(
        "begins above {begins}, which the entry before covers up to {ends}: entries must rise, and not overlap"
    )]
    Overlap {
        /// Up to here, inclusive, the entry before goes.
        ends: u64,
        /// Above here the entry begins.
        begins: u64,
    },
    /// Between two entries of `long` numbers of tokens have no price.
    #[error("between {ends} and {begins} input tokens there is no price: begin where the entry before ends")]
    Gap {
        /// Up to here, inclusive, the entry before goes.
        ends: u64,
        /// Above here the entry begins.
        begins: u64,
    },
    /// The last entry of `long` ends.
    #[error("the last entry must have no end: calls above {0} input tokens would have no price")]
    Ends(u64),
    /// No price at all.
    #[error("the row has no price: give at least one, such as `input`")]
    NoPrice,
    /// Two rows have one id.
    #[error("another row has this id; an id names one row for ever")]
    DuplicateId,
    /// Two rows name one model at one time.
    #[error("`{name}` is priced by row `{other}` too at that time: end one before the other begins")]
    SameTime {
        /// The name both have.
        name: String,
        /// The other row.
        other: String,
    },
    /// An uplift that makes nothing dearer, or is not believed.
    #[error("must be a factor from 1 to {max}, such as 1.1 for ten percent", max = crate::MAX_UPLIFT)]
    Uplift,
    /// A dearest tool call in a row that prices no tool call.
    #[error("only raises what is reserved for tool calls: price them with `server_tool_calls` too")]
    ToolCall,
    /// Another version of the format.
    #[error("must be 1, the one version there is")]
    Version,
}
