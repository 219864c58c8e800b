//! Prices of model calls: exact money, a price list with effective dates, and what a call costs or can cost.
//!
//! [`PriceList::resolve`] finds the [`ModelPrice`] of a provider's model at a time. [`ModelPrice::ceiling`] is the most
//! that a call can cost, to reserve before it leaves; [`ModelPrice::price`] what it did cost, from the
//! [`Usage`](creto_metering::Usage) of its answer, exact and with the id of the row whose prices it had. What has no
//! price is [`Unpriced`] with a reason, never nothing.
//!
//! The usage is creto-metering's own type, not a copy: that no token is in two kinds is promised there, and a kind
//! that is added there stops this crate from compiling until it has a price.
//!
//! There are no floats, no clock and no files: the built-in list is part of the program, own rows come as text.
//!
//! ```
//! use creto_metering::Usage;
//! use creto_prices::{Bounds, PriceList, ServiceTier};
//!
//! let list = PriceList::built_in()?;
//! let at_ms = 1_795_000_000_000;
//! let model = list.resolve("anthropic", "claude-haiku-4-5", at_ms)?.price;
//!
//! let bounds = Bounds { max_output_tokens: Some(1_000), ..Bounds::new(40_000) };
//! let reserve = model.ceiling(&bounds, Some(ServiceTier::Standard))?;
//! let usage = Usage { input: 200, cached_input: 9_000, output: 350, ..Usage::default() };
//! let priced = model.price(&usage, ServiceTier::told(None)?)?;
//!
//! assert_eq!(priced.amount.to_string(), "0.00285 USD");
//! assert!(priced.amount.checked_cmp(&reserve)?.is_le());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]

mod amount;
mod bounds;
mod built_in;
mod contexts;
mod currency;
mod fields;
mod index;
mod kind;
mod model_name;
mod model_price;
mod money;
mod node;
mod price_list;
mod priced;
mod problem;
mod read;
mod service_tier;
mod unpriced;

pub use amount::{Amount, AmountError, DECIMALS, MAX_AMOUNT_BYTES};
pub use bounds::{Bounds, TEMPLATE_TOKENS};
pub use currency::{Currency, UnknownCurrency};
pub use kind::{Kind, KindSet};
pub use model_name::MAX_LOOKUP_BYTES;
pub use model_price::ModelPrice;
pub use money::{Money, MoneyError};
pub use node::MAX_FIELDS;
pub use price_list::{Format, Matched, PriceList, Resolved, Source};
pub use priced::{Line, Priced};
pub use problem::{FieldProblem, PriceListError};
pub use service_tier::ServiceTier;
pub use unpriced::{Reason, Unpriced};

/// Longest price list read, in bytes.
pub const MAX_LIST_BYTES: usize = 1 << 20;
/// Most rows of one list.
pub const MAX_ROWS: usize = 10_000;
/// Most aliases of one row.
pub const MAX_ALIASES: usize = 64;
/// Most long-context entries of one service tier of a row.
pub const MAX_LONG: usize = 8;
/// Longest id, provider, model or alias in a row, in bytes.
pub const MAX_NAME_BYTES: usize = 128;
/// Highest `uplift` of a row believed: a hundred.
pub const MAX_UPLIFT: Amount = Amount::from_count(10_i128.pow(DECIMALS + 2));
/// Highest price of one unit believed, in the currency's unit: a million.
pub const MAX_RATE: Amount = Amount::from_count(10_i128.pow(DECIMALS + 6));
