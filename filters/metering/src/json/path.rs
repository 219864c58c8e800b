//! The wanted paths of a document, as a tree of static nodes.

use crate::field::Field;

/// Where a wanted path goes on below a key.
#[derive(Debug, Clone, Copy)]
pub(crate) enum To {
    /// A value is wanted here.
    Leaf(Field),
    /// Something further down is wanted (and the value itself, where the node has a field).
    Node(&'static Node),
}

/// What is wanted of an object or an array.
#[derive(Debug)]
pub(crate) struct Node {
    /// Wanted members of an object.
    pub(crate) keys: &'static [(&'static str, To)],
    /// What is wanted of every element of an array.
    pub(crate) items: Option<To>,
    /// Told when the object or array opens and closes, or when a scalar stands in its place.
    pub(crate) field: Option<Field>,
}

impl To {
    pub(crate) fn field(self) -> Option<Field> {
        match self {
            To::Leaf(field) => Some(field),
            To::Node(node) => node.field,
        }
    }

    pub(crate) fn node(self) -> Option<&'static Node> {
        match self {
            To::Leaf(_) => None,
            To::Node(node) => Some(node),
        }
    }
}

impl Node {
    /// What is wanted under `key`. The lists are short: comparing lengths first beats any table.
    #[inline]
    pub(crate) fn member(&self, key: &[u8]) -> Option<To> {
        let &first = key.first()?;
        self.keys
            .iter()
            .find(|(name, _)| {
                let name = name.as_bytes();
                // Seldom are both the same, and then the whole is.
                name.len() == key.len() && name.first() == Some(&first) && name == key
            })
            .map(|(_, to)| *to)
    }
}
