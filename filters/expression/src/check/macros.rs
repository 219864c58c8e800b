//! `has()` and the macros over lists and maps.

use super::{Checker, Typed};
use crate::{
    MAX_VARIABLES, Type,
    plan::{Macro, MacroKind, Node},
    syntax::{Expr, ExprKind, Name, Span},
};

/// The macro of a name, if it is one.
pub(super) fn macro_of(name: &str) -> Option<MacroKind> {
    Some(match name {
        "all" => MacroKind::All,
        "exists" => MacroKind::Exists,
        "exists_one" => MacroKind::ExistsOne,
        "filter" => MacroKind::Filter,
        "map" => MacroKind::Map,
        _ => return None,
    })
}

impl Checker<'_> {
    pub(super) fn has(&mut self, arguments: &[Expr], span: Span) -> Typed {
        let [argument] = arguments else {
            return self.refuse(span, "has() takes one argument", "write has(a.b)");
        };
        let ExprKind::Select { of, field } = &argument.kind else {
            return self.refuse(
                argument.span,
                "has() takes a name with a dot before its last word",
                "write has(a.b); for other keys write \"x-key\" in a",
            );
        };
        if let Some(Typed { step, .. }) = self.resolve(argument)
            && let Node::Attribute(slot) = step.node
        {
            return Self::typed(Node::HasAttribute(slot), span, Type::Bool);
        }
        if self.path(of).is_some_and(|words| self.schema.inside(&words.join(".")).next().is_some()) {
            return self.unknown_name(argument);
        }
        let Some(of) = self.operand(of, argument) else { return Self::wrong(span) };
        match of.kind {
            Type::Dyn | Type::Map(..) => {
                let node = Node::Has { of: Box::new(of.step), key: field.text.as_str().into() };
                Self::typed(node, span, Type::Bool)
            }
            kind => {
                let message = format!("a value of type {kind} has no fields");
                self.refuse(field.span, message, "only maps have fields")
            }
        }
    }

    pub(super) fn run(
        &mut self,
        kind: MacroKind,
        of: &Expr,
        name: &Name,
        arguments: &[Expr],
        span: Span,
    ) -> Typed {
        let (variable, filter, body) = match arguments {
            [variable, body] => (variable, None, body),
            [variable, filter, body] if kind == MacroKind::Map => (variable, Some(filter), body),
            [_, _, _] => {
                return self.refuse(
                    name.span,
                    format!("{}() with two variables is not supported", name.text),
                    "over a map, the variable goes through its keys: m.all(k, m[k] == 1)",
                );
            }
            _ => {
                let message = format!("{}() takes a variable and an expression", name.text);
                return self.refuse(name.span, message, format!("write list.{}(x, ...)", name.text));
            }
        };
        let ExprKind::Ident { name: text, absolute: false } = &variable.kind else {
            return self.refuse(
                variable.span,
                format!("the first argument of {}() is the name of a variable", name.text),
                format!("write list.{}(x, ...)", name.text),
            );
        };
        let over = self.expression(of);
        let element = match over.kind {
            Type::Dyn => Type::Dyn,
            Type::List(element) => *element,
            Type::Map(key, _) => *key,
            found => {
                let message =
                    format!("{}() goes through lists and maps, and this is of type {found}", name.text);
                return self.refuse(of.span, message, "put a list or map before the dot");
            }
        };
        let number = self.variables.len();
        if number >= MAX_VARIABLES {
            return self.refuse(
                name.span,
                format!("more than {MAX_VARIABLES} macros inside each other"),
                "split the expression into several rules",
            );
        }
        self.variables.push((text.clone(), element.clone()));
        let filter = filter.map(|filter| self.condition(filter, "the second argument of map()"));
        let place = format!("{}()", name.text);
        let (body, result) = match kind {
            MacroKind::Map => {
                let body = self.expression(body);
                (body.step, Type::list(body.kind))
            }
            MacroKind::Filter => (self.condition(body, &place), Type::list(element)),
            _ => (self.condition(body, &place), Type::Bool),
        };
        self.variables.pop();
        let parts = Macro { kind, over: over.step, variable: number, filter, body };
        Self::typed(Node::Macro(Box::new(parts)), span, result)
    }
}
