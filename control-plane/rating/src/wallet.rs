//! Wallets: credit that is spent before an invoice asks for money.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::{Currency, Moment};

/// Where credit came from. Granted credit is spent first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// Given.
    Granted,
    /// Paid for.
    Purchased,
}

/// Credit that came in at one time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Credit {
    /// Its id, unique in the wallet.
    pub id: String,
    /// Lower is spent first.
    pub priority: u8,
    /// Where it came from.
    pub source: Source,
    /// When it came in; older is spent first.
    pub received_at: Moment,
    /// The first instant it can no longer be spent.
    #[serde(default)]
    pub expires_at: Option<Moment>,
    /// What is left, in minor units. Unsigned: it cannot fall below zero.
    pub left: u64,
}

/// Credit of one customer in one currency.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wallet {
    /// Its id.
    pub id: String,
    /// Lower is spent first.
    pub priority: u8,
    /// When it was made; older is spent first among equal priorities.
    pub created_at: Moment,
    /// Its currency.
    pub currency: Currency,
    /// The meters it pays for; every line when left out.
    #[serde(default)]
    pub only: Option<BTreeSet<String>>,
    /// What is in it.
    pub credits: Vec<Credit>,
}

/// Credit that was spent on a line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spent {
    /// The wallet.
    pub wallet: String,
    /// The credit.
    pub credit: String,
    /// The line, counted from 0.
    pub line: usize,
    /// Minor units.
    pub minor: u64,
}

/// What a wallet may be spent on: a line's meter, if it has one, and what is still due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    /// The meter of a usage line.
    pub meter: Option<String>,
    /// Its currency.
    pub currency: Currency,
    /// Minor units of that currency.
    pub minor: u64,
}

/// A wallet that holds another currency than what is due.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("wallet `{wallet}` is in {found}, line {line} is due in {wanted}: amounts are never converted")]
pub struct SpendError {
    /// The wallet.
    pub wallet: String,
    /// Its currency.
    pub found: Currency,
    /// The line, counted from 0.
    pub line: usize,
    /// The currency it is due in.
    pub wanted: Currency,
}

impl Wallet {
    /// What can be spent at an instant, in minor units.
    #[must_use]
    pub fn balance(&self, at: Moment) -> u128 {
        self.credits.iter().filter(|credit| credit.usable(at)).map(|credit| u128::from(credit.left)).sum()
    }

    fn pays_for(&self, due: &Due) -> bool {
        match (&self.only, &due.meter) {
            (None, _) => true,
            (Some(meters), Some(meter)) => meters.contains(meter),
            (Some(_), None) => false,
        }
    }

    /// Takes up to `wanted` for one line: by priority, granted before purchased, older before younger.
    fn draw(&mut self, line: usize, wanted: u64, at: Moment, spent: &mut Vec<Spent>) -> u64 {
        let mut order: Vec<usize> =
            (0..self.credits.len()).filter(|place| self.credits[*place].usable(at)).collect();
        order.sort_by(|a, b| self.credits[*a].turn().cmp(&self.credits[*b].turn()));
        let mut left = wanted;
        for place in order {
            let credit = &mut self.credits[place];
            let minor = credit.left.min(left);
            if minor > 0 {
                credit.left -= minor;
                left -= minor;
                spent.push(Spent { wallet: self.id.clone(), credit: credit.id.clone(), line, minor });
            }
        }
        wanted - left
    }
}

impl Credit {
    fn usable(&self, at: Moment) -> bool {
        self.left > 0 && self.received_at <= at && self.expires_at.is_none_or(|end| at < end)
    }

    fn turn(&self) -> (u8, Source, Moment, &str) {
        (self.priority, self.source, self.received_at, &self.id)
    }
}

/// Spends wallets on lines at an instant, and lowers what is due. Wallets go by priority, then age; each pays the lines
/// it may, the largest first. Returns every credit spent with the line it paid.
///
/// # Errors
///
/// [`SpendError`] unless every wallet is in the currency of every line; nothing is spent then.
pub fn spend(wallets: &mut [Wallet], dues: &mut [Due], at: Moment) -> Result<Vec<Spent>, SpendError> {
    for wallet in wallets.iter() {
        if let Some(line) = dues.iter().position(|due| due.currency != wallet.currency) {
            let (wallet, found) = (wallet.id.clone(), wallet.currency);
            return Err(SpendError { wallet, found, line, wanted: dues[line].currency });
        }
    }
    let mut spent = Vec::new();
    wallets.sort_by(|a, b| (a.priority, a.created_at, &a.id).cmp(&(b.priority, b.created_at, &b.id)));
    for wallet in wallets {
        let mut lines: Vec<usize> = (0..dues.len()).filter(|line| wallet.pays_for(&dues[*line])).collect();
        lines.sort_by_key(|line| (std::cmp::Reverse(dues[*line].minor), *line));
        for line in lines {
            let wanted = dues[line].minor;
            if wanted > 0 {
                dues[line].minor -= wallet.draw(line, wanted, at, &mut spent);
            }
        }
    }
    Ok(spent)
}
