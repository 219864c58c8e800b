//! Writes a tree with a bracket around everything, so that tests see what binds to what.

use std::fmt;

use super::{Expr, ExprKind};

struct Row<'x>(&'x [Expr], &'static str);

impl fmt::Display for Row<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, expr) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str(self.1)?;
            }
            write!(f, "{expr}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            ExprKind::Null => f.write_str("null"),
            ExprKind::Bool(value) => write!(f, "{value}"),
            ExprKind::Int(value) => write!(f, "{value}"),
            ExprKind::Uint(value) => write!(f, "{value}u"),
            ExprKind::Double(value) => write!(f, "{value:?}"),
            ExprKind::Text(value) => {
                f.write_str("\"")?;
                value.chars().try_for_each(|c| write!(f, "\\U{:08x}", u32::from(c)))?;
                f.write_str("\"")
            }
            ExprKind::Bytes(value) => {
                f.write_str("b\"")?;
                value.iter().try_for_each(|b| write!(f, "\\x{b:02x}"))?;
                f.write_str("\"")
            }
            ExprKind::Ident { name, absolute } => write!(f, "{}{name}", if *absolute { "." } else { "" }),
            ExprKind::Select { of, field } => write!(f, "{of}.`{}`", field.text),
            ExprKind::Index { of, key } => write!(f, "{of}[{key}]"),
            ExprKind::Call { name, arguments } => write!(f, "{}({})", name.text, Row(arguments, ", ")),
            ExprKind::Method { of, name, arguments } => {
                write!(f, "{of}.{}({})", name.text, Row(arguments, ", "))
            }
            ExprKind::List(elements) => write!(f, "[{}]", Row(elements, ", ")),
            ExprKind::Map(entries) => {
                f.write_str("{")?;
                for (key, value) in entries {
                    write!(f, "{key}: {value}, ")?;
                }
                f.write_str("}")
            }
            ExprKind::Not(of) => write!(f, "(!{of})"),
            ExprKind::Negate(of) => write!(f, "(-({of}))"),
            ExprKind::Binary { operator, left, right } => write!(f, "({left} {} {right})", operator.text()),
            ExprKind::And(terms) => write!(f, "({})", Row(terms, " && ")),
            ExprKind::Or(terms) => write!(f, "({})", Row(terms, " || ")),
            ExprKind::Choose { condition, yes, no } => write!(f, "({condition} ? {yes} : {no})"),
        }
    }
}
