//! What the control plane has already, as far as the files are about it.

use std::collections::{BTreeMap, BTreeSet};

use creto_billing::{BillingSettings, Customer, PlanVersion, SubscriptionRecord};
use creto_rating::{Moment, Wallet};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::document::{Document, Entry, Kind};
use super::problem::Problems;
use crate::commands::billing::{instant, list};
use crate::failure::{Failure, Outcome};
use crate::operator::Operator;

/// When a plan whose file does not say takes effect at first: before every subscription.
const ALWAYS_MICROS: i64 = 0;

/// Documents that are kept, by id.
#[derive(Debug, Default)]
pub(super) struct Kept {
    pub(super) settings: Option<BillingSettings>,
    pub(super) plans: BTreeMap<String, Vec<PlanVersion>>,
    pub(super) customers: BTreeMap<String, Customer>,
    pub(super) subscriptions: BTreeMap<String, SubscriptionRecord>,
    pub(super) wallets: BTreeMap<String, Wallet>,
    /// When each credit came in, by wallet and id.
    pub(super) credits: BTreeMap<(String, String), Moment>,
}

#[derive(Deserialize)]
struct KeptWallet {
    wallet: Wallet,
}

#[derive(Deserialize)]
struct LedgerEntry {
    credit: String,
    movement: String,
    at: Moment,
}

impl Kept {
    /// Asks for what the files are about.
    ///
    /// # Errors
    /// When the control plane refuses.
    pub(super) async fn load(operator: &Operator, entries: &[Entry]) -> Outcome<Self> {
        let mut kept = Self::default();
        let has = |kind: Kind| entries.iter().any(|entry| entry.document.kind() == kind);
        if has(Kind::Settings) {
            kept.settings = all(operator, "settings", "").await?.pop();
        }
        for code in plan_codes(entries) {
            kept.plans.insert(code.clone(), all(operator, "plan", &code).await?);
        }
        if has(Kind::Customer) || has(Kind::Subscription) || has(Kind::Wallet) {
            let customers: Vec<Customer> = all(operator, "customer", "").await?;
            kept.customers = customers.into_iter().map(|customer| (customer.id.clone(), customer)).collect();
        }
        if has(Kind::Subscription) {
            let records: Vec<SubscriptionRecord> = all(operator, "subscription", "").await?;
            kept.subscriptions = records.into_iter().map(|record| (record.id.clone(), record)).collect();
        }
        kept.load_wallets(operator, entries).await?;
        Ok(kept)
    }

    async fn load_wallets(&mut self, operator: &Operator, entries: &[Entry]) -> Outcome {
        let (mut owners, mut credited) = (BTreeSet::new(), BTreeSet::new());
        for entry in entries {
            match &entry.document {
                Document::Wallet(wallet) => owners.insert(wallet.customer.as_str()),
                Document::Credit(credit) => credited.insert(credit.wallet.as_str()),
                _ => continue,
            };
        }
        for owner in owners.into_iter().filter(|owner| self.customers.contains_key(*owner)) {
            for kept in all::<KeptWallet>(operator, "wallet", owner).await? {
                self.wallets.insert(kept.wallet.id.clone(), kept.wallet);
            }
        }
        let new: BTreeSet<&str> = entries
            .iter()
            .filter_map(|entry| match &entry.document {
                Document::Wallet(wallet) => Some(wallet.id.as_str()),
                _ => None,
            })
            .filter(|id| !self.wallets.contains_key(*id))
            .collect();
        // A wallet that is made now has no ledger to ask for.
        for wallet in credited.into_iter().filter(|wallet| !new.contains(wallet)) {
            for entry in all::<LedgerEntry>(operator, "credit", wallet).await? {
                if entry.movement == "grant" || entry.movement == "top_up" {
                    self.credits.insert((wallet.to_owned(), entry.credit), entry.at);
                }
            }
        }
        Ok(())
    }

    /// Gives documents without a time the one they are kept with, so that the same file again changes nothing.
    pub(super) fn fill(&self, entries: &mut [Entry]) {
        for entry in entries.iter_mut().filter(|entry| !entry.dated) {
            let at = match &entry.document {
                Document::Plan(plan) => {
                    match self.plans.get(&plan.plan.code).and_then(|versions| versions.last()) {
                        Some(last) if last.document.plan == plan.plan => Some(last.document.effective_from),
                        Some(_) => None,
                        None => Moment::from_micros(ALWAYS_MICROS).ok(),
                    }
                }
                Document::Subscription(new) => {
                    self.subscriptions.get(&new.id).map(|record| record.started_at)
                }
                Document::Wallet(new) => self.wallets.get(&new.id).map(|wallet| wallet.created_at),
                Document::Credit(new) => self.credits.get(&(new.wallet.clone(), new.id.clone())).copied(),
                Document::Settings(_) | Document::Customer(_) => None,
            };
            let at = at.or_else(|| Moment::from_micros(instant::now()).ok());
            if let Some(at) = at {
                entry.document.begin(at);
            }
        }
    }

    /// Tells what names a plan or a customer there is none of, neither in the files nor kept.
    pub(super) fn check(&self, entries: &[Entry], problems: &mut Problems) {
        let written = |kind: Kind| -> BTreeSet<String> {
            let same = entries.iter().filter(|entry| entry.document.kind() == kind);
            same.map(|entry| entry.document.id()).collect()
        };
        let (plans, customers) = (written(Kind::Plan), written(Kind::Customer));
        for entry in entries {
            let (plan, customer) = match &entry.document {
                Document::Subscription(new) => (Some(&new.plan), &new.customer),
                Document::Wallet(new) => (None, &new.customer),
                _ => continue,
            };
            if !customers.contains(customer) && !self.customers.contains_key(customer) {
                problems.add(&entry.place, missing("customer", customer));
            }
            let kept = |code: &String| self.plans.get(code).is_some_and(|versions| !versions.is_empty());
            if let Some(code) = plan.filter(|code| !plans.contains(*code) && !kept(code)) {
                problems.add(&entry.place, missing("plan", code));
            }
        }
    }
}

fn missing(what: &str, id: &str) -> String {
    format!("`{what}`: there is no {what} `{id}`, neither in the files nor in the namespace")
}

fn plan_codes(entries: &[Entry]) -> BTreeSet<String> {
    let codes = entries.iter().filter_map(|entry| match &entry.document {
        Document::Plan(plan) => Some(plan.plan.code.clone()),
        Document::Subscription(subscription) => Some(subscription.plan.clone()),
        _ => None,
    });
    codes.collect()
}

async fn all<T: DeserializeOwned>(operator: &Operator, kind: &str, of: &str) -> Outcome<Vec<T>> {
    let read = |value: Value| {
        serde_json::from_value(value).map_err(|error| {
            Failure::new(format!("The control plane sends a {kind} that cannot be read."))
                .why(error)
                .next("Use the `creto` of the same version as the control plane.")
        })
    };
    list::all(operator, kind, of).await?.into_iter().map(read).collect()
}
