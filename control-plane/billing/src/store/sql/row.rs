//! Values in and out of statements: texts and whole numbers, nothing else.

use creto_rating::Moment;

use crate::BillingError;

/// A value given to a statement.
#[derive(Clone, Debug)]
pub(super) enum Given {
    Text(Option<String>),
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
    Moment => Number |at: Moment| Some(at.micros()),
    Option<Moment> => Number |at: Option<Moment>| at.map(Moment::micros),
}

/// A value of a row.
#[derive(Clone, Debug)]
pub(super) enum Cell {
    Nothing,
    Text(String),
    Number(i64),
}

/// A row, read column by column from the left.
#[derive(Debug)]
pub(super) struct Row(std::vec::IntoIter<Cell>);

impl Row {
    pub(super) fn new(cells: Vec<Cell>) -> Self {
        Self(cells.into_iter())
    }

    pub(super) fn text(&mut self) -> Result<String, BillingError> {
        self.optional_text()?.ok_or_else(|| unexpected("nothing where a text stands"))
    }

    pub(super) fn number(&mut self) -> Result<i64, BillingError> {
        self.optional_number()?.ok_or_else(|| unexpected("nothing where a number stands"))
    }

    pub(super) fn moment(&mut self) -> Result<Moment, BillingError> {
        let micros = self.number()?;
        Moment::from_micros(micros).map_err(|error| unexpected(&error.to_string()))
    }

    pub(super) fn optional_moment(&mut self) -> Result<Option<Moment>, BillingError> {
        let micros = self.optional_number()?;
        micros
            .map(|micros| Moment::from_micros(micros).map_err(|error| unexpected(&error.to_string())))
            .transpose()
    }

    pub(super) fn optional_text(&mut self) -> Result<Option<String>, BillingError> {
        match self.0.next() {
            Some(Cell::Text(text)) => Ok(Some(text)),
            Some(Cell::Nothing) => Ok(None),
            _ => Err(unexpected("no text where one stands")),
        }
    }

    pub(super) fn optional_number(&mut self) -> Result<Option<i64>, BillingError> {
        match self.0.next() {
            Some(Cell::Number(number)) => Ok(Some(number)),
            Some(Cell::Nothing) => Ok(None),
            _ => Err(unexpected("no number where one stands")),
        }
    }
}

fn unexpected(cause: &str) -> BillingError {
    BillingError::Damaged { what: "row", cause: cause.to_owned() }
}
