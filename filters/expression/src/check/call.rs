//! Functions.

use super::{Checker, Typed, macros::macro_of};
use crate::{
    MAX_PATTERN_BYTES, MAX_PATTERNS, Type,
    plan::{Function, Moment, Node, Place, Step},
    spelling::nearest,
    syntax::{Expr, ExprKind, Name, Span},
    time,
};

/// Functions called as `f(x)`.
const CALLS: &[&str] = &[
    "has",
    "size",
    "matches",
    "bool",
    "int",
    "uint",
    "double",
    "string",
    "bytes",
    "timestamp",
    "duration",
    "dyn",
];

/// Functions and macros called as `x.f()`.
const METHODS: &[&str] = &[
    "all",
    "exists",
    "exists_one",
    "filter",
    "map",
    "size",
    "contains",
    "startsWith",
    "endsWith",
    "matches",
    "lowerAscii",
    "upperAscii",
    "trim",
    "indexOf",
    "lastIndexOf",
    "charAt",
    "substring",
    "replace",
    "split",
    "reverse",
    "join",
    "getFullYear",
    "getMonth",
    "getDate",
    "getDayOfMonth",
    "getDayOfWeek",
    "getDayOfYear",
    "getHours",
    "getMinutes",
    "getSeconds",
    "getMilliseconds",
];

impl Checker<'_> {
    pub(super) fn call(&mut self, name: &Name, arguments: &[Expr], span: Span) -> Typed {
        let function = match name.text.as_str() {
            "has" => return self.has(arguments, span),
            "matches" => {
                return match arguments {
                    [of, pattern] => self.matches(of, pattern, span),
                    _ => self.refuse(
                        span,
                        "matches() takes a text and a pattern",
                        "write text.matches(\"...\")",
                    ),
                };
            }
            "size" => Function::Size,
            "bool" => Function::ToBool,
            "int" => Function::ToInt,
            "uint" => Function::ToUint,
            "double" => Function::ToDouble,
            "string" => Function::ToText,
            "bytes" => Function::ToBytes,
            "timestamp" => Function::ToTimestamp,
            "duration" => Function::ToDuration,
            "dyn" => Function::Dyn,
            "type" => {
                return self.refuse(
                    span,
                    "type() is not supported",
                    "policy knows the types of attributes when it is loaded",
                );
            }
            text => {
                let help = if METHODS.contains(&text) {
                    format!("write it after a dot: x.{text}(...)")
                } else {
                    suggestion(text, CALLS)
                };
                return self.refuse(name.span, format!("there is no function `{text}`"), help);
            }
        };
        let arguments: Vec<Typed> = arguments.iter().map(|argument| self.expression(argument)).collect();
        self.apply(function, name, arguments, span)
    }

    pub(super) fn method(&mut self, of: &Expr, name: &Name, arguments: &[Expr], span: Span) -> Typed {
        let text = name.text.as_str();
        if let Some(kind) = macro_of(text) {
            return self.run(kind, of, name, arguments, span);
        }
        if text == "matches" {
            return match arguments {
                [pattern] => self.matches(of, pattern, span),
                _ => self.refuse(span, "matches() takes one pattern", "write text.matches(\"...\")"),
            };
        }
        if let Some(part) = moment(text) {
            return self.moment(of, part, name, arguments, span);
        }
        let function = match text {
            "size" => Function::Size,
            "contains" => Function::Contains,
            "startsWith" => Function::StartsWith,
            "endsWith" => Function::EndsWith,
            "lowerAscii" => Function::LowerAscii,
            "upperAscii" => Function::UpperAscii,
            "trim" => Function::Trim,
            "indexOf" => Function::IndexOf,
            "lastIndexOf" => Function::LastIndexOf,
            "charAt" => Function::CharAt,
            "substring" => Function::Substring,
            "replace" => Function::Replace,
            "split" => Function::Split,
            "reverse" => Function::Reverse,
            "join" => Function::Join,
            _ => {
                let help = if CALLS.contains(&text) {
                    format!("write it before the value: {text}(...)")
                } else {
                    suggestion(text, METHODS)
                };
                return self.refuse(name.span, format!("there is no function `{text}`"), help);
            }
        };
        let first = self.expression(of);
        let rest = arguments.iter().map(|argument| self.expression(argument));
        let arguments: Vec<Typed> = std::iter::once(first).chain(rest).collect();
        self.apply(function, name, arguments, span)
    }

    /// A function whose arguments are checked one by one.
    fn apply(&mut self, function: Function, name: &Name, arguments: Vec<Typed>, span: Span) -> Typed {
        let (least, most) = arity(function);
        if arguments.len() < least || arguments.len() > most {
            let help = format!(
                "it takes {least}{} with the value before the dot",
                if most > least { format!(" to {most}") } else { String::new() }
            );
            let message = format!("{}() does not take {} arguments", name.text, arguments.len());
            return self.refuse(span, message, help);
        }
        for (index, argument) in arguments.iter().enumerate() {
            if !accepts(function, index, &argument.kind) {
                let message = format!("{}() does not take a value of type {} here", name.text, argument.kind);
                return self.refuse(argument.step.span, message, takes(function, index));
            }
        }
        let kind = result(function);
        let literal = match function {
            Function::ToTimestamp => Some("a point in time is written \"2009-02-13T23:31:30Z\""),
            Function::ToDuration => {
                Some("a length of time is written \"1h30m\", with units h, m, s, ms, us, ns")
            }
            _ => None,
        };
        let is_literal = arguments.iter().all(|argument| argument.step.constant().is_some());
        let at = arguments.first().map_or(span, |argument| argument.step.span);
        let steps: Box<[Step]> = arguments.into_iter().map(|argument| argument.step).collect();
        let node = match (Place::of(function), <Box<[Step; 2]>>::try_from(steps)) {
            (Some(place), Ok(sides)) => Node::Find { sides, place },
            (_, Ok(sides)) => Node::Call { function, arguments: sides },
            (_, Err(arguments)) => Node::Call { function, arguments },
        };
        let typed = Self::typed(node, span, kind);
        if let Some(help) = literal
            && is_literal
            && typed.step.constant().is_none()
        {
            return self.refuse(at, format!("{}() cannot read this", name.text), help);
        }
        typed
    }

    fn matches(&mut self, of: &Expr, pattern: &Expr, span: Span) -> Typed {
        let at = of.span;
        let of = self.expression(of);
        if !matches!(of.kind, Type::String | Type::Dyn) {
            let message = format!("matches() takes a text, and this is of type {}", of.kind);
            return self.refuse(at, message, "convert it with string()");
        }
        let ExprKind::Text(text) = &pattern.kind else {
            return self.refuse(
                pattern.span,
                "the pattern of matches() must be a literal",
                "patterns are compiled when policy is loaded: write matches(\"...\")",
            );
        };
        self.patterns += 1;
        if self.patterns > MAX_PATTERNS {
            return self.refuse(
                pattern.span,
                format!("more than {MAX_PATTERNS} patterns in one expression"),
                "join them with `|`, or split the expression into several rules",
            );
        }
        let compiled = regex::RegexBuilder::new(&with_ascii_classes(text))
            .size_limit(MAX_PATTERN_BYTES)
            .dfa_size_limit(MAX_PATTERN_BYTES)
            .nest_limit(32)
            .build();
        match compiled {
            Ok(pattern) => Self::typed(Node::Matches { of: Box::new(of.step), pattern }, span, Type::Bool),
            Err(regex::Error::CompiledTooBig(_)) => self.refuse(
                pattern.span,
                format!("the pattern needs more than {MAX_PATTERN_BYTES} bytes when compiled"),
                "use smaller repetitions",
            ),
            Err(error) => {
                let text = error.to_string();
                let last = text.lines().last().unwrap_or_default();
                let reason = last.strip_prefix("error: ").unwrap_or(last).to_owned();
                self.refuse(
                    pattern.span,
                    format!("this is not a pattern: {reason}"),
                    "patterns are RE2 expressions: no look-around, no back-references",
                )
            }
        }
    }

    fn moment(&mut self, of: &Expr, part: Moment, name: &Name, arguments: &[Expr], span: Span) -> Typed {
        let at = of.span;
        let of = self.expression(of);
        let of_duration =
            matches!(part, Moment::Hours | Moment::Minutes | Moment::Seconds | Moment::Milliseconds);
        let fits = match of.kind {
            Type::Timestamp | Type::Dyn => true,
            Type::Duration => of_duration,
            _ => false,
        };
        if !fits {
            let message = format!("{}() does not take a value of type {}", name.text, of.kind);
            return self.refuse(at, message, "it takes a timestamp");
        }
        let offset = match arguments {
            [] => Some(0),
            [zone] => match &zone.kind {
                ExprKind::Text(zone) if of.kind != Type::Duration => time::offset(zone),
                _ => None,
            },
            _ => None,
        };
        let Some(offset) = offset else {
            let at = arguments.first().map_or(name.span, |zone| zone.span);
            return self.refuse(
                at,
                "this is not a time zone that is known here",
                "write \"UTC\" or a fixed offset such as \"+02:00\"; names of places are not supported",
            );
        };
        Self::typed(Node::Moment { of: Box::new(of.step), part, offset }, span, Type::Int)
    }
}

/// The pattern with `\d`, `\s`, `\w` and `\b` as RE2 means them: of ASCII only.
fn with_ascii_classes(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len());
    let mut letters = pattern.chars();
    while let Some(letter) = letters.next() {
        if letter != '\\' {
            out.push(letter);
            continue;
        }
        match letters.next() {
            Some('d') => out.push_str("[0-9]"),
            Some('D') => out.push_str("[^0-9]"),
            Some('s') => out.push_str("[\\t\\n\\f\\r ]"),
            Some('S') => out.push_str("[^\\t\\n\\f\\r ]"),
            Some('w') => out.push_str("[0-9A-Za-z_]"),
            Some('W') => out.push_str("[^0-9A-Za-z_]"),
            Some('b') => out.push_str("(?-u:\\b)"),
            escaped => {
                out.push('\\');
                out.extend(escaped);
            }
        }
    }
    out
}

fn suggestion(text: &str, known: &[&str]) -> String {
    match nearest(text, known) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("there are: {}", known.join(", ")),
    }
}

fn moment(name: &str) -> Option<Moment> {
    Some(match name {
        "getFullYear" => Moment::FullYear,
        "getMonth" => Moment::Month,
        "getDate" => Moment::Date,
        "getDayOfMonth" => Moment::DayOfMonth,
        "getDayOfWeek" => Moment::DayOfWeek,
        "getDayOfYear" => Moment::DayOfYear,
        "getHours" => Moment::Hours,
        "getMinutes" => Moment::Minutes,
        "getSeconds" => Moment::Seconds,
        "getMilliseconds" => Moment::Milliseconds,
        _ => return None,
    })
}

/// How many arguments, the value before the dot among them.
fn arity(function: Function) -> (usize, usize) {
    match function {
        Function::Contains | Function::StartsWith | Function::EndsWith | Function::CharAt => (2, 2),
        Function::IndexOf | Function::LastIndexOf | Function::Substring | Function::Split => (2, 3),
        Function::Replace => (3, 4),
        Function::Join => (1, 2),
        _ => (1, 1),
    }
}

/// Whether an argument may be of a type.
fn accepts(function: Function, index: usize, kind: &Type) -> bool {
    use Type::{Bool, Bytes, Double, Duration, Dyn, Int, List, Map, String, Timestamp, Uint};
    if *kind == Dyn {
        return true;
    }
    match (function, index) {
        (Function::Size, _) => matches!(kind, String | Bytes | List(_) | Map(..)),
        (Function::Dyn, _) => true,
        (Function::ToBool, _) => matches!(kind, Bool | String),
        (Function::ToInt, _) => matches!(kind, Int | Uint | Double | String | Timestamp),
        (Function::ToUint | Function::ToDouble, _) => matches!(kind, Int | Uint | Double | String),
        (Function::ToText, _) => {
            matches!(kind, Bool | Int | Uint | Double | String | Bytes | Timestamp | Duration)
        }
        (Function::ToBytes, _) => matches!(kind, Bytes | String),
        (Function::ToTimestamp, _) => matches!(kind, Timestamp | Int | String),
        (Function::ToDuration, _) => matches!(kind, Duration | String),
        (Function::Join, 0) => matches!(kind, List(element) if element.comparable(&String)),
        (Function::CharAt | Function::Substring, 1..)
        | (Function::IndexOf | Function::LastIndexOf | Function::Split, 2)
        | (Function::Replace, 3) => *kind == Int,
        _ => *kind == String,
    }
}

fn takes(function: Function, index: usize) -> &'static str {
    match (function, index) {
        (Function::Size, _) => "it takes string, bytes, list or map",
        (Function::ToBool, _) => "it takes bool or string",
        (Function::ToInt, _) => "it takes int, uint, double, string or timestamp",
        (Function::ToUint | Function::ToDouble, _) => "it takes int, uint, double or string",
        (Function::ToText, _) => "it takes any value but null, lists and maps",
        (Function::ToBytes, _) => "it takes string or bytes",
        (Function::ToTimestamp, _) => "it takes timestamp, int (seconds since 1970) or string",
        (Function::ToDuration, _) => "it takes duration or string",
        (Function::Join, 0) => "it takes list(string)",
        _ if accepts(function, index, &Type::Int) => "it takes int",
        _ => "it takes string; convert with string()",
    }
}

fn result(function: Function) -> Type {
    match function {
        Function::Size | Function::IndexOf | Function::LastIndexOf | Function::ToInt => Type::Int,
        Function::Contains | Function::StartsWith | Function::EndsWith | Function::ToBool => Type::Bool,
        Function::ToUint => Type::Uint,
        Function::ToDouble => Type::Double,
        Function::ToBytes => Type::Bytes,
        Function::ToTimestamp => Type::Timestamp,
        Function::ToDuration => Type::Duration,
        Function::Split => Type::strings(),
        Function::Dyn => Type::Dyn,
        Function::LowerAscii
        | Function::UpperAscii
        | Function::Trim
        | Function::Reverse
        | Function::CharAt
        | Function::Substring
        | Function::Replace
        | Function::Join
        | Function::ToText => Type::String,
    }
}
