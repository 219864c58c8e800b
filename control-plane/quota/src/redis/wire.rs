//! Requests as the script's arguments, and what it answers.

use ::redis::Value;
use creto_quota::{Lease, Report};

use crate::bounds::MAX_UNITS;
use crate::{
    Answer, Ask, Expired, Granted, IssuerError, Level, QuotaEvent, QuotaLimit, Reported, Swept, Usage, Window,
};

/// Text fields of an answer, in order.
pub(super) struct Fields(std::vec::IntoIter<Value>);

fn damaged(what: &str) -> IssuerError {
    IssuerError::Damaged(format!("Redis answered {what}"))
}

impl Fields {
    pub(super) fn new(answer: Vec<Value>) -> Self {
        Self(answer.into_iter())
    }

    pub(super) fn text(&mut self) -> Result<String, IssuerError> {
        match self.0.next() {
            Some(Value::BulkString(bytes)) => String::from_utf8(bytes).map_err(|_| damaged("no text")),
            Some(Value::SimpleString(text)) => Ok(text),
            other => Err(damaged(&format!("{other:?}"))),
        }
    }

    pub(super) fn number(&mut self) -> Result<u64, IssuerError> {
        let text = self.text()?;
        text.parse().map_err(|_| damaged(&format!("{text:?} for a number")))
    }

    /// A number that may be left out.
    fn optional(&mut self) -> Result<Option<u64>, IssuerError> {
        let text = self.text()?;
        if text.is_empty() {
            return Ok(None);
        }
        text.parse().map(Some).map_err(|_| damaged(&format!("{text:?} for a number")))
    }

    pub(super) fn reported(&mut self) -> Result<Option<Reported>, IssuerError> {
        let acknowledged = self.optional()?;
        let duplicate = self.text()? == "1";
        let revoke = self.optional()?.zip(self.optional()?);
        Ok(acknowledged.map(|acknowledged| Reported { acknowledged, duplicate, revoke }))
    }

    pub(super) fn granted(&mut self) -> Result<Granted, IssuerError> {
        let kind = self.text()?;
        let answer = if kind == "lease" {
            let (epoch, id, amount) = (self.number()?, self.number()?, self.number()?);
            Answer::Lease(Lease { id, epoch, amount, not_after_s: self.number()? / 1_000 })
        } else if kind == "impossible" {
            let answer = Answer::Impossible { amount: self.number()? };
            for _ in 0..3 {
                self.text()?;
            }
            answer
        } else {
            let answer = Answer::Exhausted {
                window_ends_ms: self.number()?,
                available: self.number()?,
                leased: self.number()?,
            };
            self.text()?;
            answer
        };
        Ok(Granted { answer, reported: self.reported()? })
    }

    pub(super) fn expired(&mut self) -> Result<Expired, IssuerError> {
        Ok(Expired {
            stranded: self.number()?,
            written_off: self.number()?,
            more: self.text()? == "1",
            next_ms: self.optional()?,
        })
    }

    pub(super) fn swept(&mut self) -> Result<Swept, IssuerError> {
        Ok(Swept { forgotten: self.number()?, next: self.text()? })
    }

    pub(super) fn limits(mut self, namespace: &str) -> Result<Vec<QuotaLimit>, IssuerError> {
        let mut limits = Vec::new();
        while self.0.len() > 0 {
            let (name, unit, cycle) = (self.text()?, self.text()?, self.text()?);
            let terms = (self.number()?, self.number()?);
            limits.extend(QuotaLimit::kept((namespace, &name), &unit, &cycle, terms));
        }
        Ok(limits)
    }

    pub(super) fn usage(&mut self) -> Result<Usage, IssuerError> {
        Ok(Usage {
            amount: self.number()?,
            spent: self.number()?,
            overrun: self.number()?,
            overage: self.number()?,
            leased: self.number()?,
            stranded: self.number()?,
            lost: self.number()?,
            assumed: self.number()?,
            available: self.number()?,
        })
    }

    pub(super) fn events(mut self) -> Result<Vec<QuotaEvent>, IssuerError> {
        let mut events = Vec::with_capacity(self.0.len());
        while self.0.len() > 0 {
            let line = self.text()?;
            events.push(event(&line).ok_or_else(|| damaged(&format!("{line:?} for an event")))?);
        }
        Ok(events)
    }
}

fn event(line: &str) -> Option<QuotaEvent> {
    let mut parts = line.split(' ');
    let sequence = parts.next()?.parse().ok()?;
    let limit = parts.next()?.into();
    let level: Level = parts.next()?.parse().ok()?;
    let mut number = || parts.next()?.parse::<u64>().ok();
    let window = Window { start_ms: number()?, end_ms: number()? };
    let (at_ms, used, measure) = (number()?, number()?, number()?);
    Some(QuotaEvent {
        sequence,
        limit,
        level,
        window,
        at_ms,
        used,
        measure,
        hours: u32::try_from(number()?).ok()?,
    })
}

/// What the script is told of a limit.
pub(super) fn limit_arguments(limit: &QuotaLimit, window: Window) -> Vec<String> {
    let spike = limit.spike;
    let spiked = |number: fn(&crate::Spike) -> u64| spike.as_ref().map_or(0, number).to_string();
    vec![
        limit.name.to_string(),
        limit.unit.to_string(),
        limit.cycle(),
        limit.revision.to_string(),
        limit.amount.to_string(),
        limit.warn_percent.to_string(),
        limit.leases.life_ms.to_string(),
        limit.leases.minimum.to_string(),
        spiked(|spike| u64::from(spike.percent)),
        spiked(|spike| u64::from(spike.hours)),
        spiked(|spike| u64::from(spike.minimum_hours)),
        spiked(|spike| spike.floor),
        window.start_ms.to_string(),
        window.end_ms.to_string(),
    ]
}

/// Units as the script can hold them.
fn units(units: u64) -> String {
    units.min(MAX_UNITS).to_string()
}

pub(super) fn ask_arguments(ask: &Ask) -> Vec<String> {
    vec![ask.request.to_string(), units(ask.wanted), units(ask.needed)]
}

pub(super) fn report_arguments(report: &Report) -> Vec<String> {
    let mut arguments =
        vec![report.sequence.to_string(), units(report.overage), report.leases.len().to_string()];
    for line in &report.leases {
        arguments.extend([
            line.epoch.to_string(),
            line.id.to_string(),
            units(line.spent),
            units(line.given_back),
            units(line.overrun),
            u8::from(line.last).to_string(),
        ]);
    }
    arguments
}
