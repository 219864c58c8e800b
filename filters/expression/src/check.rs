//! From the syntax tree to a plan: names are resolved, types are checked, and what is not supported is refused.

mod call;
mod macros;
mod operator;

use crate::{
    Schema, Type,
    evaluate::fold,
    plan::{Node, Step},
    problem::Findings,
    spelling::nearest,
    syntax::{Expr, ExprKind, Name, Span},
    value::Constant,
};

/// How many words of an unknown name are compared with the names that are known.
const MAX_WORDS: usize = 6;

/// A step with what is known of its value.
pub(crate) struct Typed {
    pub(crate) step: Step,
    pub(crate) kind: Type,
}

/// Checks a whole expression. A problem anywhere is among the findings, and the plan is then of no use.
pub(crate) fn check(expr: &Expr, schema: &Schema, findings: &mut Findings) -> Step {
    let mut checker = Checker { schema, findings, patterns: 0, variables: Vec::new() };
    let Typed { step, kind } = checker.expression(expr);
    if !matches!(kind, Type::Bool | Type::Dyn) {
        checker.findings.add_help(
            expr.span,
            format!("the expression is of type {kind}"),
            "it must say true or false: compare it with something",
        );
    }
    step
}

struct Checker<'c> {
    schema: &'c Schema,
    findings: &'c mut Findings,
    /// How many patterns were compiled.
    patterns: usize,
    /// Variables of the macros around, outermost first.
    variables: Vec<(String, Type)>,
}

impl Checker<'_> {
    /// What stands in for a part that is wrong: goes with everything, so that one mistake is reported once.
    fn wrong(span: Span) -> Typed {
        Typed { step: Step { node: Node::Constant(Constant::Null), span }, kind: Type::Dyn }
    }

    fn refuse(&mut self, span: Span, message: impl Into<String>, help: impl Into<String>) -> Typed {
        self.findings.add_help(span, message, help);
        Self::wrong(span)
    }

    fn expression(&mut self, expr: &Expr) -> Typed {
        let span = expr.span;
        match &expr.kind {
            ExprKind::Null => Self::constant(Constant::Null, span),
            ExprKind::Bool(value) => Self::constant(Constant::Bool(*value), span),
            ExprKind::Int(value) => Self::constant(Constant::Int(*value), span),
            ExprKind::Uint(value) => Self::constant(Constant::Uint(*value), span),
            ExprKind::Double(value) => Self::constant(Constant::Double(*value), span),
            ExprKind::Text(value) => Self::constant(Constant::Text(value.as_str().into()), span),
            ExprKind::Bytes(value) => Self::constant(Constant::Bytes(value.as_slice().into()), span),
            ExprKind::Ident { .. } => self.named(expr),
            ExprKind::Select { of, field } => self.select(expr, of, field),
            ExprKind::Index { of, key } => self.index(of, key, span),
            ExprKind::Call { name, arguments } => self.call(name, arguments, span),
            ExprKind::Method { of, name, arguments } => self.method(of, name, arguments, span),
            ExprKind::List(elements) => self.list(elements, span),
            ExprKind::Map(entries) => self.map(entries, span),
            ExprKind::Not(of) => self.not(of, span),
            ExprKind::Negate(of) => self.negate(of, span),
            ExprKind::Binary { operator, left, right } => self.binary(*operator, left, right, span),
            ExprKind::And(terms) => self.row(terms, "&&", Node::And, span),
            ExprKind::Or(terms) => self.row(terms, "||", Node::Or, span),
            ExprKind::Choose { condition, yes, no } => self.choose(condition, yes, no, span),
        }
    }

    fn constant(constant: Constant, span: Span) -> Typed {
        Typed { kind: constant.kind(), step: Step { node: Node::Constant(constant), span } }
    }

    /// A step of a type; a constant right away if all below it are and it has a value.
    fn typed(node: Node, span: Span, kind: Type) -> Typed {
        let step = Step { node, span };
        let below = step.below();
        let foldable = !below.is_empty()
            && below.iter().all(|step| step.constant().is_some())
            && !matches!(step.node, Node::List(_) | Node::Map(_) | Node::Macro(_));
        match foldable.then(|| fold(&step)).flatten() {
            Some(constant) => Typed { step: Step { node: Node::Constant(constant), span }, kind },
            None => Typed { step, kind },
        }
    }

    fn variable(&self, name: &str) -> Option<(usize, Type)> {
        let number = self.variables.iter().rposition(|(known, _)| known == name)?;
        self.variables.get(number).map(|(_, kind)| (number, kind.clone()))
    }

    /// The words of `a.b.c`, if they name an attribute or a part of one and not a variable.
    fn path<'x>(&self, expr: &'x Expr) -> Option<Vec<&'x str>> {
        match &expr.kind {
            ExprKind::Ident { name, absolute } => {
                (*absolute || self.variable(name).is_none()).then(|| vec![name.as_str()])
            }
            ExprKind::Select { of, field } => {
                let mut words = self.path(of)?;
                words.push(&field.text);
                Some(words)
            }
            _ => None,
        }
    }

    /// A variable, or an attribute of one or more words; with the type of an attribute.
    fn resolve(&self, expr: &Expr) -> Option<Typed> {
        let span = expr.span;
        if let ExprKind::Ident { name, absolute: false } = &expr.kind
            && let Some((number, kind)) = self.variable(name)
        {
            return Some(Typed { step: Step { node: Node::Variable(number), span }, kind });
        }
        let attribute = self.schema.attribute(&self.path(expr)?.join("."))?;
        let step = Step { node: Node::Attribute(attribute.slot), span };
        Some(Typed { step, kind: attribute.kind.clone() })
    }

    /// A name that must be a variable or an attribute.
    fn named(&mut self, expr: &Expr) -> Typed {
        match self.resolve(expr) {
            Some(found) => found,
            None => self.unknown_name(expr),
        }
    }

    fn unknown_name(&mut self, expr: &Expr) -> Typed {
        let words = self.path(expr).unwrap_or_default();
        let name = words.join(".");
        let inside: Vec<String> =
            self.schema.inside(&name).take(12).map(|known| format!("`{known}`")).collect();
        if !inside.is_empty() {
            let help = format!("say which: {}", inside.join(", "));
            return self.refuse(expr.span, format!("`{name}` is a group of attributes, not a value"), help);
        }
        const TYPES: &[&str] =
            &["int", "uint", "double", "string", "bytes", "bool", "list", "map", "null_type", "type"];
        if TYPES.contains(&name.as_str()) {
            return self.refuse(
                expr.span,
                format!("types are not values here: `{name}` can only be called"),
                "policy knows the types of attributes when it is loaded",
            );
        }
        let known: Vec<&str> =
            self.schema.names().chain(self.variables.iter().map(|(name, _)| name.as_str())).collect();
        if self.findings.is_full() {
            return Self::wrong(expr.span);
        }
        // The attribute may be misspelt in its first words, with fields of its value behind them.
        let near = (1..=words.len().min(MAX_WORDS))
            .rev()
            .find_map(|count| nearest(&words.get(..count).unwrap_or_default().join("."), &known));
        let help = match near {
            Some(near) => format!("did you mean `{near}`?"),
            None => {
                let mut groups: Vec<&str> = known.iter().filter_map(|name| name.split('.').next()).collect();
                groups.dedup();
                groups.truncate(12);
                format!("attributes begin with: {}", groups.join(", "))
            }
        };
        self.refuse(expr.span, format!("there is no attribute `{name}`"), help)
    }

    /// The value before a dot or bracket. A name that leads nowhere is reported whole, as `whole` has it.
    fn operand(&mut self, of: &Expr, whole: &Expr) -> Option<Typed> {
        if let Some(words) = self.path(of)
            && (1..=words.len()).all(|count| {
                self.schema.attribute(&words.get(..count).unwrap_or_default().join(".")).is_none()
            })
            && self.schema.inside(&words.join(".")).next().is_none()
        {
            // `of` may be one word of a longer name that is unknown: say all of it.
            self.unknown_name(whole);
            return None;
        }
        Some(self.expression(of))
    }

    fn select(&mut self, expr: &Expr, of: &Expr, field: &Name) -> Typed {
        if let Some(found) = self.resolve(expr) {
            return found;
        }
        if self.path(of).is_some_and(|words| self.schema.inside(&words.join(".")).next().is_some()) {
            return self.unknown_name(expr);
        }
        let Some(of) = self.operand(of, expr) else { return Self::wrong(expr.span) };
        let kind = match of.kind {
            Type::Dyn => Type::Dyn,
            Type::Map(key, value) if key.comparable(&Type::String) => *value,
            kind => {
                let message = format!("a value of type {kind} has no fields");
                return self.refuse(field.span, message, "only maps have fields");
            }
        };
        let key = Step { node: Node::Constant(Constant::Text(field.text.as_str().into())), span: field.span };
        let node = Node::Index { of: Box::new(of.step), key: Box::new(key) };
        Self::typed(node, expr.span, kind)
    }

    fn index(&mut self, of: &Expr, key: &Expr, span: Span) -> Typed {
        let of = self.expression(of);
        let at = key.span;
        let key = self.expression(key);
        let kind = match of.kind {
            Type::Dyn => Type::Dyn,
            Type::List(element) => {
                if !key.kind.is_number() && key.kind != Type::Dyn {
                    let message = format!("a list has no index of type {}", key.kind);
                    return self.refuse(at, message, "elements are counted from 0");
                }
                *element
            }
            Type::Map(wanted, value) => {
                if !wanted.comparable(&key.kind) {
                    let message =
                        format!("the keys of this map are of type {wanted}, and this is {}", key.kind);
                    return self.refuse(at, message, "convert it, or write another literal");
                }
                *value
            }
            kind => {
                let message = format!("a value of type {kind} has no index");
                return self.refuse(span, message, "only lists and maps have one");
            }
        };
        let node = Node::Index { of: Box::new(of.step), key: Box::new(key.step) };
        Self::typed(node, span, kind)
    }

    fn list(&mut self, elements: &[Expr], span: Span) -> Typed {
        let mut steps = Vec::new();
        let mut kind: Option<Type> = None;
        for element in elements {
            let element = self.expression(element);
            kind = Some(kind.map_or(element.kind.clone(), |kind| kind.join(&element.kind)));
            steps.push(element.step);
        }
        let kind = Type::list(kind.unwrap_or(Type::Dyn));
        let constants: Option<Vec<Constant>> = steps.iter().map(|step| step.constant().cloned()).collect();
        let node = match constants {
            Some(constants) => Node::Constant(Constant::List(constants.into())),
            None => Node::List(steps.into()),
        };
        Typed { step: Step { node, span }, kind }
    }

    fn map(&mut self, entries: &[(Expr, Expr)], span: Span) -> Typed {
        let mut steps: Vec<(Step, Step)> = Vec::new();
        let mut kinds: Option<(Type, Type)> = None;
        for (key, value) in entries {
            let at = key.span;
            let (mut key, value) = (self.expression(key), self.expression(value));
            // What dyn() hid from the checker is seen in a literal.
            let kind = key.step.constant().map_or(key.kind.clone(), Constant::kind);
            if !matches!(kind, Type::Dyn | Type::Bool | Type::Int | Type::Uint | Type::String) {
                let message = format!("a value of type {kind} cannot be a key");
                self.findings.add_help(at, message, "keys are of type string, int, uint or bool");
                // Types inside keys could double with every map around them.
                key.kind = Type::Dyn;
            }
            if let Some(constant) = key.step.constant() {
                let twice = |known: &(Step, Step)| {
                    known.0.constant().is_some_and(|known| known.value().same_key(constant.value()))
                };
                if steps.iter().any(twice) {
                    self.findings.add_help(at, "this key is there twice", "remove one of them");
                }
            }
            kinds = Some(match kinds {
                Some((keys, values)) => (keys.join(&key.kind), values.join(&value.kind)),
                None => (key.kind, value.kind),
            });
            steps.push((key.step, value.step));
        }
        let (keys, values) = kinds.unwrap_or((Type::Dyn, Type::Dyn));
        let constants: Option<Vec<(Constant, Constant)>> = steps
            .iter()
            .map(|(key, value)| Some((key.constant()?.clone(), value.constant()?.clone())))
            .collect();
        let node = match constants {
            Some(constants) => Node::Constant(Constant::Map(constants.into())),
            None => Node::Map(steps.into()),
        };
        Typed { step: Step { node, span }, kind: Type::Map(Box::new(keys), Box::new(values)) }
    }
}
