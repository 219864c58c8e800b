//! Values in and out of statements: texts and whole numbers, nothing else.

use crate::SqlError;

/// A value given to a statement.
#[derive(Clone, Debug)]
pub enum Given {
    /// A text, or nothing.
    Text(Option<String>),
    /// A whole number, or nothing.
    Number(Option<i64>),
}

macro_rules! given {
    ($($from:ty => $name:ident $make:expr),* $(,)?) => {$(
        impl From<$from> for Given {
            fn from(value: $from) -> Self {
                Self::$name($make(value))
            }
        }
    )*};
}
given! {
    &str => Text |text: &str| Some(text.to_owned()),
    &String => Text |text: &String| Some(text.clone()),
    String => Text Some,
    Option<String> => Text |text| text,
    i64 => Number Some,
    u32 => Number |number: u32| Some(i64::from(number)),
    Option<i64> => Number |number| number,
}

/// A value of a row.
#[derive(Clone, Debug)]
pub(crate) enum Cell {
    Nothing,
    Text(String),
    Number(i64),
}

/// A row, read column by column from the left.
#[derive(Debug)]
pub struct Row(std::vec::IntoIter<Cell>);

impl Row {
    pub(crate) fn new(cells: Vec<Cell>) -> Self {
        Self(cells.into_iter())
    }

    /// The next column, a text.
    ///
    /// # Errors
    /// [`SqlError::Damaged`] when it is none.
    pub fn text(&mut self) -> Result<String, SqlError> {
        self.optional_text()?.ok_or_else(|| damaged("nothing where a text stands"))
    }

    /// The next column, a number.
    ///
    /// # Errors
    /// [`SqlError::Damaged`] when it is none.
    pub fn number(&mut self) -> Result<i64, SqlError> {
        self.optional_number()?.ok_or_else(|| damaged("nothing where a number stands"))
    }

    /// The next column, a text or nothing.
    ///
    /// # Errors
    /// [`SqlError::Damaged`] when it is a number, or there are no more.
    pub fn optional_text(&mut self) -> Result<Option<String>, SqlError> {
        match self.0.next() {
            Some(Cell::Text(text)) => Ok(Some(text)),
            Some(Cell::Nothing) => Ok(None),
            _ => Err(damaged("no text where one stands")),
        }
    }

    /// The next column, a number or nothing.
    ///
    /// # Errors
    /// [`SqlError::Damaged`] when it is a text, or there are no more.
    pub fn optional_number(&mut self) -> Result<Option<i64>, SqlError> {
        match self.0.next() {
            Some(Cell::Number(number)) => Ok(Some(number)),
            Some(Cell::Nothing) => Ok(None),
            _ => Err(damaged("no number where one stands")),
        }
    }
}

fn damaged(cause: &str) -> SqlError {
    SqlError::Damaged(cause.to_owned())
}
