//! Currencies of ISO 4217.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// A currency of ISO 4217: its code, and how many decimals its minor unit has.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Currency {
    code: [u8; 3],
    exponent: u8,
}

/// A code that is not in the table.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{0}` is no currency known here: write its ISO 4217 code in capitals, such as USD")]
pub struct UnknownCurrency(String);

/// Codes by the decimals of the minor unit (ISO 4217:2015 and its amendments).
const TABLE: [(u8, &str); 3] = [
    (
        2,
        "AED AMD ARS AUD AZN BAM BDT BOB BRL CAD CHF CNY COP CRC CZK DKK DOP DZD EGP ETB EUR GBP GEL GHS GTQ HKD \
         HNL HUF IDR ILS INR JMD KES KZT LKR MAD MDL MKD MUR MXN MYR NGN NOK NZD PEN PHP PKR PLN QAR RON RSD SAR \
         SEK SGD THB TRY TTD TWD TZS UAH USD UYU UZS ZAR ZMW",
    ),
    (0, "CLP GNF ISK JPY KRW PYG RWF UGX VND XAF XOF XPF"),
    (3, "BHD IQD JOD KWD LYD OMR TND"),
];

impl Currency {
    /// The dollar of the United States.
    pub const USD: Currency = Currency { code: *b"USD", exponent: 2 };
    /// The euro.
    pub const EUR: Currency = Currency { code: *b"EUR", exponent: 2 };
    /// The yen, which has no minor unit.
    pub const JPY: Currency = Currency { code: *b"JPY", exponent: 0 };
    /// The dinar of Kuwait, in thousandths.
    pub const KWD: Currency = Currency { code: *b"KWD", exponent: 3 };

    /// The currency with this code.
    ///
    /// # Errors
    /// The code is not in the table, or not in capitals.
    pub fn of(code: &str) -> Result<Self, UnknownCurrency> {
        let found = TABLE.iter().find(|(_, codes)| codes.split_whitespace().any(|known| known == code));
        match (found, <[u8; 3]>::try_from(code.as_bytes())) {
            (Some((exponent, _)), Ok(code)) => Ok(Self { code, exponent: *exponent }),
            _ => Err(UnknownCurrency(code.chars().take(16).collect())),
        }
    }

    /// Every currency known, in no order that means something.
    pub fn all() -> impl Iterator<Item = Self> {
        TABLE.iter().flat_map(|(_, codes)| codes.split_whitespace()).filter_map(|code| Self::of(code).ok())
    }

    /// The three capitals of ISO 4217.
    #[must_use]
    pub fn code(&self) -> &str {
        std::str::from_utf8(&self.code).unwrap_or_default()
    }

    /// Decimals of the minor unit: 2 for cents, 0 for yen, 3 for fils.
    #[must_use]
    pub fn exponent(&self) -> u8 {
        self.exponent
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl FromStr for Currency {
    type Err = UnknownCurrency;

    fn from_str(code: &str) -> Result<Self, Self::Err> {
        Self::of(code)
    }
}

impl serde::Serialize for Currency {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.code())
    }
}

impl<'de> serde::Deserialize<'de> for Currency {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let code = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::of(&code).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::Currency;

    #[test]
    fn every_code_is_known_once_and_has_the_exponent_of_the_table() {
        let mut codes: Vec<_> = Currency::all().map(|currency| currency.code().to_owned()).collect();
        let count = codes.len();
        codes.sort();
        codes.dedup();
        assert_eq!((codes.len(), count >= 80), (count, true));
        for (code, exponent) in [("USD", 2), ("JPY", 0), ("KWD", 3), ("ISK", 0), ("HUF", 2)] {
            assert_eq!(Currency::of(code).unwrap().exponent(), exponent, "{code}");
        }
        for constant in [Currency::USD, Currency::EUR, Currency::JPY, Currency::KWD] {
            assert_eq!(Currency::of(constant.code()), Ok(constant));
        }
    }

    #[test]
    fn what_is_no_code_is_refused() {
        for text in ["", "usd", "US", "USDT", "XXX", "USD EUR", " USD", "€"] {
            assert!(Currency::of(text).is_err(), "{text:?}");
        }
    }
}
