//! Fields of a table, taken one by one; what is left over is an error.

use crate::node::Node;
use crate::problem::{FieldProblem, PriceListError};

/// Where in a list a field is.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    /// The row, unless it is the list itself.
    pub(crate) row: Option<String>,
    /// Names of the tables around the field, with a point after each.
    pub(crate) within: String,
}

impl Place {
    /// `problem` with this place's `field`.
    pub(crate) fn wrong(&self, field: &str, problem: FieldProblem) -> PriceListError {
        let field = format!("{}{field}", self.within);
        match &self.row {
            Some(row) => PriceListError::Row { row: row.clone(), field, problem },
            None => PriceListError::List { field, problem },
        }
    }

    /// The place within the table `name` of this one.
    pub(crate) fn inside(&self, name: &str) -> Self {
        Self { row: self.row.clone(), within: format!("{}{name}.", self.within) }
    }
}

/// Fields of a table that were not taken yet.
pub(crate) struct Fields {
    pub(crate) place: Place,
    entries: Vec<(String, Node)>,
}

fn sort(wanted: &'static str, node: &Node) -> FieldProblem {
    FieldProblem::Sort { wanted, found: node.sort() }
}

impl Fields {
    /// The fields of `node`, which must be a table; `field` is what holds it.
    pub(crate) fn of(node: Node, place: Place, holder: (&Place, &str)) -> Result<Self, PriceListError> {
        match node {
            Node::Table(entries) => Ok(Self { place, entries }),
            other => Err(holder.0.wrong(holder.1, sort("a table", &other))),
        }
    }

    pub(crate) fn wrong(&self, field: &str, problem: FieldProblem) -> PriceListError {
        self.place.wrong(field, problem)
    }

    pub(crate) fn take(&mut self, field: &str) -> Option<Node> {
        let at = self.entries.iter().position(|(name, _)| name == field)?;
        Some(self.entries.swap_remove(at).1)
    }

    pub(crate) fn text(&mut self, field: &str) -> Result<Option<String>, PriceListError> {
        match self.take(field) {
            None => Ok(None),
            Some(Node::Text(text)) => Ok(Some(text)),
            Some(other) => Err(self.wrong(field, sort("a string", &other))),
        }
    }

    pub(crate) fn required_text(&mut self, field: &str) -> Result<String, PriceListError> {
        self.text(field)?.ok_or_else(|| self.wrong(field, FieldProblem::Missing))
    }

    /// An integer between 1 and `max`.
    pub(crate) fn count(&mut self, field: &str, max: u64) -> Result<Option<u64>, PriceListError> {
        match self.take(field) {
            None => Ok(None),
            Some(Node::Integer(number)) => u64::try_from(number)
                .ok()
                .filter(|number| (1..=max).contains(number))
                .map(Some)
                .ok_or_else(|| self.wrong(field, FieldProblem::Range(max))),
            Some(other) => Err(self.wrong(field, sort("an integer", &other))),
        }
    }

    pub(crate) fn list(&mut self, field: &str, max: usize) -> Result<Vec<Node>, PriceListError> {
        match self.take(field) {
            None => Ok(Vec::new()),
            Some(Node::List(list)) if list.len() > max => Err(self.wrong(field, FieldProblem::TooMany(max))),
            Some(Node::List(list)) => Ok(list),
            Some(other) => Err(self.wrong(field, sort("a list", &other))),
        }
    }

    /// Nothing may be left.
    pub(crate) fn finish(self) -> Result<(), PriceListError> {
        match self.entries.first() {
            None => Ok(()),
            Some((name, _)) => {
                let shown: String = name.chars().take(64).collect();
                Err(self.wrong(&shown, FieldProblem::Unknown))
            }
        }
    }
}

/// The text of an entry of the list `field`.
pub(crate) fn text_of(node: Node, place: &Place, field: &str) -> Result<String, PriceListError> {
    match node {
        Node::Text(text) => Ok(text),
        other => Err(place.wrong(field, sort("a string", &other))),
    }
}
