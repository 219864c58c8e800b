//! What one policy says of quotas, and which of them a call draws on.

use std::num::NonZero;
use std::sync::Arc;

use creto_call::{Call, Meaning, RefusalCode};
use creto_policy::{PolicySet, QuotaMeter, QuotaRule};
use creto_prices::PriceList;
use creto_quota::{Action, MAX_SET, QuotaSet, SetRefusal, Share};

use super::desk::LEASE_WAIT;
use super::hold::QuotaHold;
use super::line::{QuotaLine, Said};
use super::{EgressRoom, LeaseDesk, Most, Reach};
use crate::http::refuse::Refused;
use crate::path::judge::now_s;

/// A quota that applies to the agent.
#[derive(Clone, Debug)]
pub(crate) struct BookEntry {
    pub(crate) rule: Arc<QuotaRule>,
    pub(crate) line: Arc<QuotaLine>,
}

/// The quotas of one policy, in its order.
#[derive(Clone, Debug)]
pub(crate) struct QuotaBook {
    entries: Arc<[BookEntry]>,
    /// None where there are no entries.
    set: Option<Arc<QuotaSet>>,
    /// Where a quota asks what models cost or take.
    prices: Option<Arc<PriceList>>,
}

/// What a call draws on quotas; nothing is taken yet.
#[derive(Clone, Debug)]
pub(crate) struct QuotaAsk {
    entries: Arc<[BookEntry]>,
    set: Arc<QuotaSet>,
    /// The first of its quotas.
    first: BookEntry,
    shares: [Share; MAX_SET],
    count: usize,
    /// Quotas of bytes, taken piece by piece.
    egress: Vec<Arc<QuotaLine>>,
    /// Bytes of the body; none when they are not known.
    bytes: Option<u64>,
    most: Most,
    /// One of them ends a stream that grows beyond what is reserved.
    cut: bool,
}

/// Why an ask is not met.
#[derive(Debug)]
struct Lack {
    entry: BookEntry,
    amount: u64,
}

impl QuotaBook {
    /// No quotas.
    pub(crate) fn empty() -> Self {
        Self { entries: Arc::new([]), set: None, prices: None }
    }

    /// No quotas, where a hold asks what models cost.
    pub(crate) fn of_prices(prices: Arc<PriceList>) -> Self {
        Self { prices: Some(prices), ..Self::empty() }
    }

    pub(crate) fn new(entries: Vec<BookEntry>, set: Arc<QuotaSet>, prices: Option<Arc<PriceList>>) -> Self {
        Self { entries: entries.into(), set: Some(set), prices }
    }

    /// The price list, where a quota asks what models cost or take.
    pub(crate) fn prices(&self) -> Option<&Arc<PriceList>> {
        self.prices.as_ref()
    }

    /// Whether nothing is counted.
    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// What the call draws on them; none when it draws on none. `bytes` are those of its body, where they are known, `reach`
    /// is how far it can go if it is a model's.
    ///
    /// # Errors
    /// The call cannot be bounded, or too many quotas count it.
    pub(crate) fn ask(
        &self,
        policy: &PolicySet,
        call: &Call<'_>,
        meanings: &[Meaning<'_>],
        (bytes, reach): (Option<u64>, Option<&Reach>),
    ) -> Result<Option<Box<QuotaAsk>>, Refused> {
        let Some(set) = &self.set else { return Ok(None) };
        let mut ask: Option<Box<QuotaAsk>> = None;
        let each = meanings.iter().map(|meaning| {
            let mut call = *call;
            call.details.meaning = *meaning;
            call
        });
        for call in each {
            self.draw(policy, &call, (bytes, reach), set, &mut ask)?;
        }
        Ok(ask)
    }

    /// Adds what one message of the call draws on.
    fn draw(
        &self,
        policy: &PolicySet,
        call: &Call<'_>,
        (bytes, reach): (Option<u64>, Option<&Reach>),
        set: &Arc<QuotaSet>,
        ask: &mut Option<Box<QuotaAsk>>,
    ) -> Result<(), Refused> {
        for (at, rule) in policy.quotas_for(call) {
            let Some(entry) = self.entries.get(at) else { continue };
            let ask = match ask {
                Some(ask) => ask,
                None => {
                    let most = Most::of(call, bytes, reach, self.prices.as_ref());
                    ask.insert(Box::new(QuotaAsk {
                        entries: Arc::clone(&self.entries),
                        set: Arc::clone(set),
                        first: entry.clone(),
                        shares: [Share { quota: 0, amount: 0 }; MAX_SET],
                        count: 0,
                        egress: Vec::new(),
                        bytes,
                        most,
                        cut: false,
                    }))
                }
            };
            ask.cut |= rule.cut_streams();
            // Messages of a batch are one call, and a message each.
            if let Some(share) = ask.shares.iter_mut().take(ask.count).find(|share| share.quota == at) {
                share.amount += u64::from(rule.meter() == QuotaMeter::Messages);
                continue;
            }
            if ask.egress.iter().any(|line| Arc::ptr_eq(line, &entry.line)) {
                continue;
            }
            if rule.meter() == QuotaMeter::EgressBytes {
                ask.egress.push(Arc::clone(&entry.line));
            } else {
                let amount = match ask.most.of_meter(rule.meter()) {
                    Ok(amount) => amount,
                    // What only tells people refuses nothing.
                    Err(_) if entry.line.quota.action() != Action::Block => 0,
                    Err(why) => {
                        return Err(Refused {
                            policy: rule.policy().to_owned(),
                            rule: rule.name().to_owned(),
                            ..Refused::of(RefusalCode::Unpriced, why)
                        });
                    }
                };
                if let Some(share) = ask.shares.get_mut(ask.count) {
                    *share = Share { quota: at, amount };
                }
                ask.count += 1;
            }
            if ask.count + ask.egress.len() > MAX_SET {
                let words = format!("more than {MAX_SET} quotas count this call");
                return Err(Refused::of(RefusalCode::QuotaUnavailable, words));
            }
        }
        Ok(())
    }
}

impl QuotaAsk {
    /// Takes everything, or nothing.
    fn take(&self, now_s: u64) -> Result<QuotaHold, Lack> {
        let shares = self.shares.get(..self.count).unwrap_or_default();
        let lack = |entry: &BookEntry, amount| Lack { entry: entry.clone(), amount };
        let taken = self.set.reserve_owned(shares, now_s).map_err(|refusal| {
            let share = match refusal {
                SetRefusal::Short { index, .. } => shares.get(index),
                SetRefusal::NoQuota(_) | SetRefusal::TooMany(_) => None,
            };
            let entry = share.and_then(|share| self.entries.get(share.quota));
            lack(entry.unwrap_or(&self.first), share.map_or(0, |share| share.amount))
        })?;
        let room = match EgressRoom::take(&self.egress, self.bytes, now_s) {
            Ok(room) => room,
            Err((line, amount)) => {
                taken.release();
                let entry = self.entries.iter().find(|entry| Arc::ptr_eq(&entry.line, &line));
                return Err(lack(entry.unwrap_or(&self.first), amount));
            }
        };
        let meters = std::array::from_fn(|at| {
            let entry = shares.get(at).and_then(|share| self.entries.get(share.quota))?;
            Some(entry.rule.meter())
        });
        Ok(QuotaHold::new(taken, meters, room, self.most.clone(), self.cut))
    }

    /// Reserves at once, if leases in hand cover it.
    ///
    /// # Errors
    /// Gives itself back where they do not.
    pub(crate) fn at_once(self: Box<Self>, desk: &LeaseDesk) -> Result<Box<QuotaHold>, Box<Self>> {
        match self.take(now_s()) {
            Ok(hold) => {
                let uncovered = hold.uncovered().filter_map(|at| {
                    let share = self.shares.get(at)?;
                    Some((self.entries.get(share.quota)?, share.amount))
                });
                // It goes on all the same; the next need not.
                uncovered.for_each(|(entry, amount)| entry.line.need(amount));
                if hold.signals_refill() {
                    desk.wake.notify_one();
                }
                Ok(Box::new(hold))
            }
            Err(_) => Err(self),
        }
    }

    /// Reserves, waiting for leases where those in hand do not cover it.
    ///
    /// # Errors
    /// A quota is used up, or cannot be asked.
    pub(crate) async fn wait(self: Box<Self>) -> Result<Box<QuotaHold>, Refused> {
        let until = tokio::time::Instant::now() + LEASE_WAIT;
        loop {
            // One after the other: what this one lacks is asked for, then what the next does.
            let lack = match self.take(now_s()) {
                Ok(hold) => return Ok(Box::new(hold)),
                Err(lack) => lack,
            };
            let line = &lack.entry.line;
            let mut answers = line.answers();
            let said = line.said(lack.amount);
            if said != Said::Nothing {
                return Err(lack.refused(said));
            }
            line.need(lack.amount);
            let answered = tokio::time::timeout_at(until, answers.changed()).await;
            if answered.is_err() {
                return Err(lack.refused(Said::Away));
            }
        }
    }
}

impl Lack {
    fn refused(&self, said: Said) -> Refused {
        let (rule, amount) = (&self.entry.rule, self.amount);
        let what = format!("{} of quota {}/{}", rule.meter().as_str(), rule.policy(), rule.name());
        let unit = rule.unit();
        let (code, detail, retry_after_s) = match said {
            Said::Exhausted { window_ends_ms, available } => {
                let left_s =
                    u64::try_from(window_ends_ms / 1_000).unwrap_or(0).saturating_sub(now_s()).max(1);
                let words = format!(
                    "{what}: {amount} {unit}s are needed at once and {available} are left; the next window begins in {left_s} s"
                );
                (RefusalCode::OverQuota, words, NonZero::new(u32::try_from(left_s).unwrap_or(u32::MAX)))
            }
            Said::Impossible { amount: most } => {
                let words =
                    format!("{what}: {amount} {unit}s are needed at once and a whole window has {most}");
                (RefusalCode::OverQuota, words, None)
            }
            Said::Unknown => {
                let words = format!("{what}: the control plane does not know it");
                (RefusalCode::QuotaUnavailable, words, NonZero::new(1))
            }
            Said::Nothing | Said::Away => {
                let words =
                    format!("{what}: no lease covers {amount} {unit}s and the control plane does not answer");
                (RefusalCode::QuotaUnavailable, words, NonZero::new(1))
            }
        };
        Refused {
            policy: rule.policy().to_owned(),
            rule: rule.name().to_owned(),
            retry_after_s,
            ..Refused::of(code, detail)
        }
    }
}
