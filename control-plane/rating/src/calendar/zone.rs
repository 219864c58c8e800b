//! The customer's time zone.

use std::fmt;
use std::sync::LazyLock;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::{AmbiguousOffset, TimeZone, TimeZoneDatabase};
use serde::{Deserialize, Serialize};

use super::Moment;

/// A time zone of the IANA database that is built in, so that a bill is the same on every machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Zone {
    name: String,
    rules: TimeZone,
}

/// A name that is no time zone.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no time zone: write its IANA name, such as Europe/Berlin or UTC")]
pub struct ZoneError(String);

static ZONES: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);

impl Zone {
    /// Coordinated universal time.
    #[must_use]
    pub fn utc() -> Self {
        Self { name: "UTC".to_owned(), rules: TimeZone::UTC }
    }

    /// The zone of an IANA name.
    ///
    /// # Errors
    ///
    /// [`ZoneError`] for a name the database does not know.
    pub fn named(name: &str) -> Result<Self, ZoneError> {
        if name == "UTC" {
            return Ok(Self::utc());
        }
        let rules = ZONES.get(name).map_err(|_| ZoneError(name.chars().take(64).collect()))?;
        Ok(Self { name: name.to_owned(), rules })
    }

    /// Its IANA name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The customer's day of an instant, as days since 1970-01-01. It never goes back: where clocks fall back across
    /// midnight, the day that had begun goes on.
    #[must_use]
    pub fn day(&self, moment: Moment) -> i64 {
        let timestamp = moment.timestamp();
        let offset = self.rules.to_offset(timestamp);
        let local = (moment.micros().div_euclid(1_000_000) + i64::from(offset.seconds())).div_euclid(86_400);
        local + i64::from(self.next_has_begun(timestamp, offset.to_datetime(timestamp).date()).is_some())
    }

    /// The date of the customer's day of an instant.
    pub(crate) fn date(&self, moment: Moment) -> Date {
        let timestamp = moment.timestamp();
        let local = self.rules.to_offset(timestamp).to_datetime(timestamp).date();
        self.next_has_begun(timestamp, local).unwrap_or(local)
    }

    /// The date after `local`, when its first instant has passed: clocks fell back across midnight since.
    fn next_has_begun(&self, timestamp: Timestamp, local: Date) -> Option<Date> {
        let next = local.tomorrow().ok()?;
        (self.start_of(next)? <= timestamp).then_some(next)
    }

    /// The first instant of a date: the first of two midnights, and where midnight is skipped, the instant clocks went
    /// forward.
    pub(crate) fn start_of(&self, date: Date) -> Option<Timestamp> {
        let midnight = self.rules.to_ambiguous_timestamp(date.at(0, 0, 0, 0));
        if let AmbiguousOffset::Gap { after, .. } = midnight.offset() {
            // Read with the clocks of after the change, midnight lies just before it.
            let earlier = after.to_timestamp(date.at(0, 0, 0, 0)).ok()?;
            return self.rules.following(earlier).next().map(|change| change.timestamp());
        }
        midnight.earlier().ok()
    }

    pub(crate) const fn rules(&self) -> &TimeZone {
        &self.rules
    }
}

impl TryFrom<String> for Zone {
    type Error = ZoneError;
    fn try_from(name: String) -> Result<Self, ZoneError> {
        Self::named(&name)
    }
}

impl From<Zone> for String {
    fn from(zone: Zone) -> Self {
        zone.name
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}
