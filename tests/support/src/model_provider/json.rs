//! JSON text with its keys in the order they were written, as the real services have theirs.

use serde_json::Value;

/// One JSON value as text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Json(String);

impl Json {
    pub(super) fn null() -> Self {
        Self("null".to_owned())
    }

    pub(super) fn object(members: &[(&str, &dyn Part)]) -> Self {
        let members: Vec<_> =
            members.iter().map(|(key, value)| format!("{}:{}", key.json(), value.json())).collect();
        Self(format!("{{{}}}", members.join(",")))
    }

    /// This object with the members of another behind its own.
    pub(super) fn with(&self, more: &Self) -> Self {
        match (self.0.as_str(), more.0.as_str()) {
            ("{}", _) => more.clone(),
            (_, "{}") => self.clone(),
            (own, other) => Self(format!("{},{}", &own[..own.len() - 1], &other[1..])),
        }
    }

    pub(super) fn text(&self) -> &str {
        &self.0
    }
}

/// What can stand in a document.
pub(super) trait Part {
    fn json(&self) -> String;
}

impl Part for Json {
    fn json(&self) -> String {
        self.0.clone()
    }
}

impl Part for str {
    fn json(&self) -> String {
        Value::from(self).to_string()
    }
}

impl Part for String {
    fn json(&self) -> String {
        self.as_str().json()
    }
}

impl Part for Value {
    fn json(&self) -> String {
        self.to_string()
    }
}

impl Part for u64 {
    fn json(&self) -> String {
        self.to_string()
    }
}

impl Part for f64 {
    fn json(&self) -> String {
        Value::from(*self).to_string()
    }
}

impl Part for bool {
    fn json(&self) -> String {
        self.to_string()
    }
}

impl<P: Part + ?Sized> Part for &P {
    fn json(&self) -> String {
        (*self).json()
    }
}

impl<P: Part> Part for Option<P> {
    fn json(&self) -> String {
        self.as_ref().map_or_else(|| "null".to_owned(), Part::json)
    }
}

impl<P: Part> Part for [P] {
    fn json(&self) -> String {
        let items: Vec<_> = self.iter().map(Part::json).collect();
        format!("[{}]", items.join(","))
    }
}

impl<P: Part> Part for Vec<P> {
    fn json(&self) -> String {
        self.as_slice().json()
    }
}

impl<P: Part, const N: usize> Part for [P; N] {
    fn json(&self) -> String {
        self.as_slice().json()
    }
}

/// `object! { "key": value, ... }`, every value a [`Part`].
macro_rules! object {
    ($($key:literal : $value:expr),* $(,)?) => {
        $crate::model_provider::json::Json::object(&[$(($key, &$value as &dyn $crate::model_provider::json::Part)),*])
    };
}
pub(super) use object;

/// Nothing in brackets.
pub(super) fn empty() -> Vec<Json> {
    Vec::new()
}
