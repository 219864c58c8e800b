//! Operators.

use super::{Checker, Typed};
use crate::{
    Type,
    plan::{Arithmetic, Node, Order, Set, Step},
    syntax::{Expr, Operator, Span},
    value::Constant,
};

impl Checker<'_> {
    /// A value that must be true or false.
    pub(super) fn condition(&mut self, expr: &Expr, place: &str) -> Step {
        let found = self.expression(expr);
        if !matches!(found.kind, Type::Bool | Type::Dyn) {
            self.findings.add_help(
                expr.span,
                format!("{place} takes true or false, and this is of type {}", found.kind),
                "compare it with something",
            );
        }
        found.step
    }

    pub(super) fn not(&mut self, of: &Expr, span: Span) -> Typed {
        let of = self.condition(of, "`!`");
        Self::typed(Node::Not(Box::new(of)), span, Type::Bool)
    }

    pub(super) fn negate(&mut self, of: &Expr, span: Span) -> Typed {
        let at = of.span;
        let of = self.expression(of);
        if !matches!(of.kind, Type::Int | Type::Double | Type::Dyn) {
            let message = format!("a value of type {} has no sign", of.kind);
            return self.refuse(at, message, "only int and double have one");
        }
        Self::typed(Node::Negate(Box::new(of.step)), span, of.kind)
    }

    pub(super) fn row(
        &mut self,
        terms: &[Expr],
        text: &str,
        node: fn(Box<[Step]>) -> Node,
        span: Span,
    ) -> Typed {
        let place = format!("`{text}`");
        let steps = terms.iter().map(|term| self.condition(term, &place)).collect();
        Self::typed(node(steps), span, Type::Bool)
    }

    pub(super) fn choose(&mut self, condition: &Expr, yes: &Expr, no: &Expr, span: Span) -> Typed {
        let condition = self.condition(condition, "`?`");
        let (yes, no) = (self.expression(yes), self.expression(no));
        let kind = yes.kind.join(&no.kind);
        Self::typed(Node::Choose(Box::new([condition, yes.step, no.step])), span, kind)
    }

    pub(super) fn binary(&mut self, operator: Operator, left: &Expr, right: &Expr, span: Span) -> Typed {
        let (left, right) = (self.expression(left), self.expression(right));
        let kinds = (left.kind, right.kind);
        let sides = Box::new([left.step, right.step]);
        match operator {
            Operator::Equal | Operator::NotEqual => {
                if !kinds.0.comparable(&kinds.1) {
                    let message = format!("a value of type {} never equals one of type {}", kinds.0, kinds.1);
                    return self.refuse(span, message, "convert one of them");
                }
                let negated = operator == Operator::NotEqual;
                Self::typed(Node::Equal { sides, negated }, span, Type::Bool)
            }
            Operator::Less | Operator::LessEqual | Operator::Greater | Operator::GreaterEqual => {
                let order = match operator {
                    Operator::Less => Order::Less,
                    Operator::LessEqual => Order::LessEqual,
                    Operator::Greater => Order::Greater,
                    _ => Order::GreaterEqual,
                };
                let ordered = |kind: &Type| !matches!(kind, Type::Null | Type::List(_) | Type::Map(..));
                if !kinds.0.comparable(&kinds.1) || !ordered(&kinds.0) || !ordered(&kinds.1) {
                    return self.no_operator(operator, &kinds, span);
                }
                Self::typed(Node::Compare { sides, order }, span, Type::Bool)
            }
            Operator::In => self.is_in(sides, &kinds, span),
            _ => self.arithmetic(operator, sides, &kinds, span),
        }
    }

    fn no_operator(&mut self, operator: Operator, kinds: &(Type, Type), span: Span) -> Typed {
        let message = format!("`{}` does not take {} and {}", operator.text(), kinds.0, kinds.1);
        self.refuse(span, message, "convert one of them: int(), uint(), double(), string()")
    }

    fn is_in(&mut self, sides: Box<[Step; 2]>, kinds: &(Type, Type), span: Span) -> Typed {
        match &kinds.1 {
            Type::Dyn => {}
            Type::List(element) if element.comparable(&kinds.0) => {}
            Type::Map(key, _) if key.comparable(&kinds.0) => {}
            Type::List(part) | Type::Map(part, _) => {
                let message = format!("a value of type {} is never among those of type {part}", kinds.0);
                return self.refuse(span, message, "convert one of them");
            }
            _ => {
                let message = format!("`in` searches lists and maps, and this is of type {}", kinds.1);
                return self.refuse(span, message, "to search a text, write text.contains(part)");
            }
        }
        let [element, within] = &*sides;
        let node = match within.constant() {
            Some(Constant::List(elements)) => {
                Node::Among { of: Box::new(element.clone()), set: Set::of(elements) }
            }
            _ => Node::In(sides),
        };
        Self::typed(node, span, Type::Bool)
    }

    fn arithmetic(
        &mut self,
        operator: Operator,
        sides: Box<[Step; 2]>,
        kinds: &(Type, Type),
        span: Span,
    ) -> Typed {
        use Type::{Bytes, Double, Duration, Dyn, Int, List, String, Timestamp, Uint};
        let add = operator == Operator::Add;
        let subtract = operator == Operator::Subtract;
        let kind = match (&kinds.0, &kinds.1) {
            (Int, Int) => Some(Int),
            (Uint, Uint) => Some(Uint),
            (Double, Double) if operator != Operator::Remainder => Some(Double),
            (Timestamp, Duration) if add || subtract => Some(Timestamp),
            (Duration, Timestamp) if add => Some(Timestamp),
            (Timestamp, Timestamp) if subtract => Some(Duration),
            (Duration, Duration) if add || subtract => Some(Duration),
            (String, String) if add => Some(String),
            (Bytes, Bytes) if add => Some(Bytes),
            (List(_), List(_)) if add => Some(kinds.0.clone().join(&kinds.1)),
            (Dyn, known) | (known, Dyn) => match known {
                Int | Uint => Some(known.clone()),
                Double if operator != Operator::Remainder => Some(Double),
                String | Bytes if add => Some(known.clone()),
                List(_) if add => Some(Type::list(Dyn)),
                Dyn => Some(Dyn),
                Timestamp | Duration if add || subtract => Some(Dyn),
                _ => None,
            },
            _ => None,
        };
        let (Some(kind), Some(arithmetic)) = (kind, Arithmetic::of(operator)) else {
            return self.no_operator(operator, kinds, span);
        };
        Self::typed(Node::Arithmetic { sides, operator: arithmetic }, span, kind)
    }
}
