//! CEL, the [Common Expression Language](https://github.com/google/cel-spec), for the `when` of policy rules.
//!
//! A [`Schema`] names the attributes of a call. [`Program::compile`] parses a source, checks it against the schema and
//! compiles it; everything that is wrong is found in one pass, with the place and what to do. [`Program::evaluate`] runs
//! it over a borrowed [`View`] of a call and says true, false, unknown, or what went wrong ([`Verdict`]).
//!
//! ```
//! use creto_expression::{Program, Schema, Slot, Type, Value, Verdict, View};
//!
//! struct Call<'c> {
//!     model: &'c str,
//!     arguments: Option<serde_json::Value>,
//! }
//!
//! impl View for Call<'_> {
//!     fn get<'v>(&'v self, slot: Slot) -> Value<'v> {
//!         match slot {
//!             Slot(0) => Value::Str(self.model),
//!             Slot(1) => self.arguments.as_ref().map_or(Value::Unknown, Value::Json),
//!             _ => Value::Absent,
//!         }
//!     }
//! }
//!
//! let schema = Schema::new([
//!     ("llm.request_model", Type::String, Slot(0)),
//!     ("mcp.tool.arguments", Type::Dyn, Slot(1)),
//! ])
//! .unwrap();
//! let program =
//!     Program::compile("llm.request_model.startsWith('gpt-5') && mcp.tool.arguments.limit <= 100", &schema).unwrap();
//!
//! // The body is not read yet, and one model needs it to decide.
//! assert_eq!(program.evaluate(&Call { model: "gpt-5", arguments: None }), Verdict::Unknown);
//! assert_eq!(program.evaluate(&Call { model: "gpt-4", arguments: None }), Verdict::False);
//! let arguments = Some(serde_json::json!({ "limit": 10 }));
//! assert_eq!(program.evaluate(&Call { model: "gpt-5", arguments }), Verdict::True);
//!
//! let problems = Program::compile("llm.requestModel == 'x'", &schema).unwrap_err();
//! assert_eq!(problems[0].help.as_deref(), Some("did you mean `llm.request_model`?"));
//! ```
//!
//! # What is supported
//!
//! - The grammar of the specification: `int`, `uint`, `double`, text, raw and triple-quoted text, bytes, `true`, `false`,
//!   `null`, lists, maps, fields (in backquotes, too), indexes, calls, `! - * / % + == != < <= > >= in && || ?:`, comments.
//! - Macros: `has(a.b)`, and over lists and the keys of maps `all`, `exists`, `exists_one`, `filter`, `map` with one or two
//!   expressions.
//! - Functions: `size`, `contains`, `startsWith`, `endsWith`, `matches`; conversions `bool`, `int`, `uint`, `double`,
//!   `string`, `bytes`, `timestamp`, `duration`, `dyn`; `getFullYear`, `getMonth`, `getDate`, `getDayOfMonth`,
//!   `getDayOfWeek`, `getDayOfYear`, `getHours`, `getMinutes`, `getSeconds`, `getMilliseconds`.
//! - Of the strings extension: `lowerAscii`, `upperAscii`, `trim`, `indexOf`, `lastIndexOf`, `charAt`, `substring`,
//!   `replace`, `split`, `join`, `reverse`.
//! - Numbers of different types are compared as numbers (beyond 2^53, a whole number beside a `double` is rounded, as
//!   the specification's tests have it), `&&` and `||` take in the errors of terms that do not matter in
//!   either order, and so do `all` and `exists` over their elements.
//!
//! # What is refused when it is loaded
//!
//! - Messages, optional values (`a.?b`), types as values and `type()`, macros with two variables, and the extensions
//!   `format`, `quote`, `math`, `sets`, `base64`, `cel.bind`, `cel.block`, `ip` and `cidr`. There is no container: names
//!   are whole.
//! - Attributes and functions that are not known, types that do not fit, terms of `&&`, `||` and `?:` that are not `bool`,
//!   and a result that can be neither true nor false. (The specification lets evaluators run unchecked sources.)
//! - A pattern of `matches` that is not a literal; literals that `timestamp()` or `duration()` cannot read; map literals
//!   with a key twice or of a type that no key has; time zones other than `UTC` and fixed offsets, or not literal.
//! - Sources above the bounds below.
//!
//! # Where it departs from the specification
//!
//! - Whole numbers in JSON are `int` (or `uint` above its range), not `double`, so that
//!   `mcp.tool.arguments.limit + 1` works and large identifiers stay exact. Comparing gives the same either way.
//! - `==` between number types is accepted without `dyn()`: `1 == 1u`.
//! - An attribute that the call does not have is an error of its own kind, [`FaultKind::Absent`], and `has(a.b.c)` is
//!   false when the attribute that `a.b` begins with is absent.
//! - Patterns are those of the `regex` crate: RE2 syntax but for `\C` and `\Q...\E`, which are refused; `\B` is that of
//!   Unicode.
//! - Durations are 64 bits of nanoseconds (292 years), as in the reference evaluator in Go. `getMilliseconds` of a
//!   duration is its part below a second, as the specification's tests have it.
//! - `string(double)` writes an exponent below 1e-4 and from 1e21 on: `1e21`.
//! - The budgets of steps and memory end an evaluation: no `||` takes that error in.
//!
//! # What evaluating costs
//!
//! Terms that compare an attribute, or an entry of a map from text to text, with a literal are answered over borrowed
//! facts alone; everything else runs step by step, and says the same.
//!
//! Values are borrowed from the call and from the source. Nothing is allocated unless an expression makes something new:
//! joined or changed text, lists and maps with parts that are not literals, `filter`, `map`, a macro over the keys of a
//! map. Steps and memory are counted; how long an evaluation can take does not depend on what a call contains beyond
//! [`MAX_STEPS`], and patterns take time linear in the text.
#![forbid(unsafe_code)]

mod check;
mod cost;
mod evaluate;
mod fast;
mod lexer;
mod parser;
mod plan;
mod problem;
mod program;
mod schema;
pub mod spelling;
mod syntax;
mod time;
mod value;

pub use problem::{CompileProblem, ExpressionFault, FaultKind, Verdict};
pub use program::{KnownTerms, Program};
pub use schema::{MAX_SLOTS, Schema, SchemaError, Slot, Slots, Type};
pub use value::{Duration, Entry, Key, List, Lookup, Map, Sequence, Timestamp, Value, View};

/// Longest source, in bytes: 4 KiB.
pub const MAX_SOURCE_BYTES: usize = 4096;
/// Most levels of a source: brackets inside each other, and operators above each other.
pub const MAX_DEPTH: usize = 64;
/// Most macros inside each other.
pub const MAX_VARIABLES: usize = 8;
/// Most elements that a macro goes through, and most parts of a split text.
pub const MAX_ELEMENTS: usize = 1024;
/// Highest worst case of an expression, in steps, when it is loaded.
pub const MAX_COST: u64 = 20_000_000;
/// Most steps of one evaluation: one for an operator, one for 64 bytes looked at.
pub const MAX_STEPS: usize = 100_000;
/// Most memory that one evaluation may fill, in bytes: 1 MiB.
pub const MAX_MEMORY: usize = 1 << 20;
/// Deepest nesting of values that are compared.
pub const MAX_VALUE_DEPTH: usize = 128;
/// Largest compiled pattern, in bytes: 256 KiB.
pub const MAX_PATTERN_BYTES: usize = 1 << 18;
/// Most patterns of an expression.
pub const MAX_PATTERNS: usize = 16;
