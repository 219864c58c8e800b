//! Rating: the usage of a billing period into fees, exactly.
//!
//! [`Usage`] takes [`UsageEvent`]s in, in any order and in any parts, each into the bucket it is priced in: the plan in
//! force, the charge, the filter it matches, the values it is grouped by. [`bill`] turns it into an [`InvoiceDraft`].
//!
//! What holds:
//!
//! - Quantities are decimals of 18 digits either side of the point ([`Quantity`]); everything worked out from them is an
//!   exact fraction ([`Exact`]). There are no floats. A fee is rounded once, half-up, to the currency's minor unit, and
//!   the precise amount stays beside it ([`Fee`]).
//! - The order in which events arrive, how they are batched, and how usage is split and merged do not change a bill.
//!   Where order matters to a price, it is the order of time and then of ingestion ([`Order`]).
//! - Tiers are half-open, above `from` up to and including `to`: no units have two prices, or none.
//! - Parts add up: attribution to fees, line taxes to taxes, lines to totals, wallets spent and left to what they held.
//! - Amounts in different currencies are never added.
//!
//! The crate has no clock, no files and no sockets; even time zones are built in.
//!
//! ```
//! use creto_rating::*;
//!
//! let zone = Zone::named("Europe/Berlin")?;
//! let period = Interval::Monthly.period_at(Moment::from_micros(1_780_000_000_000_000)?, &zone)?;
//! let tokens = Metric::new("llm.tokens", Aggregation::Sum { field: "tokens".into() });
//! let model = Model::Package { size: "1000".parse()?, price: "0.25".parse()?, free: Quantity::ZERO };
//! let plan = Plan {
//!     code: "team".into(),
//!     currency: Currency::EUR,
//!     interval: Interval::Monthly,
//!     amount: "20".parse()?,
//!     pay_in_advance: false,
//!     commitment: None,
//!     charges: vec![Charge::new("tokens", tokens, model)],
//!     taxes: vec![TaxRate { code: "vat".into(), percent: "19".parse()? }],
//! };
//! let subscription = Subscription::new("sub-1", "acme", period.from(), plan);
//! let event = UsageEvent {
//!     id: "call-1".into(),
//!     meter: "llm.tokens".into(),
//!     order: Order { at: period.from(), sequence: 1 },
//!     agent: "researcher".into(),
//!     properties: [("tokens".to_owned(), Value::Number("4200".parse()?))].into(),
//! };
//! let draft = bill_events(&period, &subscription, [event], &Adjustments::none(period.to()))?;
//! // 20.00 and five packages at 0.25, and 19% on both.
//! assert_eq!((draft.subtotal_minor, draft.tax_minor, draft.due_minor), (2_125, 404, 2_529));
//! assert_eq!(draft.attribution.agents[0].total_minor, 2_529);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]

mod aggregation;
mod amount;
mod bill;
mod calendar;
mod carried;
mod charge;
mod coupon;
mod currency;
mod dedupe;
mod event;
mod expression;
mod fee;
mod number;
mod plan;
mod share;
mod subscription;
mod tax;
mod threshold;
mod usage;
mod wallet;

pub use aggregation::{
    Aggregate, Aggregation, EvaluationProblem, MAX_MEMBERS, MAX_ORDERED_EVENTS, MergeError, Metric,
    MetricError, OPERATION_PROPERTY, Operation, Placed, Reading, ReadingError, Recipe, State, StateFull,
    Step,
};
pub use amount::AmountError;
pub use bill::{
    Adjustments, Attribution, BillError, CreditNote, InvoiceDraft, Line, LineKind, LineTax, Part, Reduction,
    TaxTotal, bill, bill_events,
};
pub use calendar::{
    Interval, IntervalError, Moment, MomentError, Period, PeriodError, Window, Zone, ZoneError,
};
pub use carried::{Carried, CarriedVersion, Carrying};
pub use charge::{
    AdvanceBilled, AdvanceError, AdvanceMeter, Charge, ChargeError, Filter, FilterError, MAX_FILTERS,
    MAX_GROUP_KEYS, MAX_TIERS, Measured, Model, ModelError, Percentage, Tier, TierError,
};
pub use coupon::{Coupon, CouponAmount};
pub use currency::{Currency, CurrencyError};
pub use dedupe::{Conflict, without_repeats};
pub use event::{Order, UsageEvent, Value};
pub use expression::{EvaluationError, Expression, MAX_DEPTH, MAX_NODES, MAX_SOURCE_BYTES, ParseError};
pub use fee::{Fee, FeeTooLarge};
pub use number::{
    Exact, ExactError, MAX_FRACTION_DIGITS, MAX_INTEGER_DIGITS, MAX_NUMBER_BYTES, MAX_PRECISION,
    MAX_SHOWN_PLACES, Quantity, QuantityError, Rounding, RoundingFunction, RoundingPrecisionError, Total,
};
pub use plan::{MAX_CHARGES, Plan, PlanError};
pub use share::{Sharing, apportion};
pub use subscription::{MAX_VERSIONS, PlanVersion, Subscription, SubscriptionError};
pub use tax::TaxRate;
pub use threshold::{Passed, ThresholdError, Thresholds};
pub use usage::{BucketLabel, MAX_BUCKETS, MAX_PARTS, Received, Usage, UsageError};
pub use wallet::{Credit, Due, Source, SpendError, Spent, Wallet, spend};
