//! A form's fields, or a query's.

use crate::bounds::MAX_FIELDS;

/// Names with values, in order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fields(Vec<(String, String)>);

impl Fields {
    /// None when there are too many.
    pub(crate) fn parse(text: &[u8]) -> Option<Self> {
        let mut fields = form_urlencoded::parse(text);
        let read: Vec<_> =
            fields.by_ref().take(MAX_FIELDS).map(|(name, value)| (name.into(), value.into())).collect();
        fields.next().is_none().then_some(Self(read))
    }

    /// The one value of a name; empty when there is none, or several.
    pub(crate) fn one<'f>(&'f self, name: &str) -> &'f str {
        let mut found = self.all(name);
        match (found.next(), found.next()) {
            (Some(value), None) => value,
            _ => "",
        }
    }

    /// The values of a name.
    pub(crate) fn all<'f>(&'f self, name: &str) -> impl Iterator<Item = &'f str> {
        self.0.iter().filter(move |(found, _)| found == name).map(|(_, value)| value.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_given_twice_is_not_guessed() {
        let fields = Fields::parse(b"a=1&b=x+y%26&a=2&c").unwrap();
        assert_eq!(
            (fields.one("a"), fields.one("b"), fields.one("c"), fields.one("d")),
            ("", "x y&", "", "")
        );
        assert_eq!(fields.all("a").collect::<Vec<_>>(), ["1", "2"]);
        assert!(Fields::parse("a=1&".repeat(MAX_FIELDS + 1).as_bytes()).is_none());
    }
}
