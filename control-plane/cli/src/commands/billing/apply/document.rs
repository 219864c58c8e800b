//! The documents, read.

use creto_billing::{BillingSettings, Customer, NewCredit, NewSubscription, NewWallet, PlanDocument};
use creto_rating::Moment;

use super::problem::Place;
use crate::failure::{Failure, Outcome};

/// What a document is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Kind {
    /// Who issues the invoices.
    Settings,
    /// A plan.
    Plan,
    /// Who pays.
    Customer,
    /// Who is on what plan.
    Subscription,
    /// A wallet.
    Wallet,
    /// Credit in a wallet.
    Credit,
}

impl Kind {
    /// In the order in which they go in: none names one of a later kind.
    pub(super) const ALL: [Self; 6] =
        [Self::Settings, Self::Plan, Self::Customer, Self::Subscription, Self::Wallet, Self::Credit];

    /// Its table in files.
    pub(super) const fn table(self) -> &'static str {
        match self {
            Self::Settings => "settings",
            Self::Plan => "plans",
            Self::Customer => "customers",
            Self::Subscription => "subscriptions",
            Self::Wallet => "wallets",
            Self::Credit => "credits",
        }
    }

    /// Its name on the API.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Settings => "settings",
            Self::Plan => "plan",
            Self::Customer => "customer",
            Self::Subscription => "subscription",
            Self::Wallet => "wallet",
            Self::Credit => "credit",
        }
    }

    /// Its field that says from when it holds.
    pub(super) const fn begins(self) -> Option<&'static str> {
        match self {
            Self::Settings | Self::Customer => None,
            Self::Plan => Some("effective_from"),
            Self::Subscription => Some("started_at"),
            Self::Wallet => Some("created_at"),
            Self::Credit => Some("received_at"),
        }
    }
}

/// A document of a file.
#[derive(Debug)]
pub(super) struct Entry {
    /// Where it stands.
    pub(super) place: Place,
    /// Whether the file names the instant it begins at; otherwise it is what is kept, or a default.
    pub(super) dated: bool,
    /// What it says.
    pub(super) document: Document,
}

/// What a document says.
#[derive(Debug)]
pub(super) enum Document {
    /// Who issues the invoices.
    Settings(BillingSettings),
    /// A plan.
    Plan(PlanDocument),
    /// Who pays.
    Customer(Customer),
    /// Who is on what plan.
    Subscription(NewSubscription),
    /// A wallet.
    Wallet(NewWallet),
    /// Credit in a wallet.
    Credit(NewCredit),
}

impl Document {
    /// What it is.
    pub(super) fn kind(&self) -> Kind {
        match self {
            Self::Settings(_) => Kind::Settings,
            Self::Plan(_) => Kind::Plan,
            Self::Customer(_) => Kind::Customer,
            Self::Subscription(_) => Kind::Subscription,
            Self::Wallet(_) => Kind::Wallet,
            Self::Credit(_) => Kind::Credit,
        }
    }

    /// Its id among those of its kind: of a credit the wallet's and its own.
    pub(super) fn id(&self) -> String {
        match self {
            Self::Settings(_) => String::new(),
            Self::Plan(plan) => plan.plan.code.clone(),
            Self::Customer(customer) => customer.id.clone(),
            Self::Subscription(subscription) => subscription.id.clone(),
            Self::Wallet(wallet) => wallet.id.clone(),
            Self::Credit(credit) => format!("{} in {}", credit.id, credit.wallet),
        }
    }

    /// Sets the instant it begins at.
    pub(super) fn begin(&mut self, at: Moment) {
        match self {
            Self::Settings(_) | Self::Customer(_) => {}
            Self::Plan(plan) => plan.effective_from = at,
            Self::Subscription(subscription) => subscription.started_at = at,
            Self::Wallet(wallet) => wallet.created_at = at,
            Self::Credit(credit) => credit.received_at = at,
        }
    }

    /// The JSON that is sent.
    ///
    /// # Errors
    /// When it cannot be written, which no document that was read gives cause for.
    pub(super) fn json(&self) -> Outcome<String> {
        let written = match self {
            Self::Settings(settings) => serde_json::to_string(settings),
            Self::Plan(plan) => plan_json(plan),
            Self::Customer(customer) => serde_json::to_string(customer),
            Self::Subscription(subscription) => serde_json::to_string(subscription),
            Self::Wallet(wallet) => serde_json::to_string(wallet),
            Self::Credit(credit) => serde_json::to_string(credit),
        };
        written.map_err(|error| Failure::new("A document cannot be written as JSON.").why(error))
    }
}

/// A plan as people write it: flat, its time as text.
fn plan_json(plan: &PlanDocument) -> serde_json::Result<String> {
    let mut value = serde_json::to_value(&plan.plan)?;
    if let serde_json::Value::Object(fields) = &mut value {
        // What is left out is told by leaving it out.
        fields.retain(|_, content| !content.is_null());
    }
    value["effective_from"] = plan.effective_from.to_string().into();
    serde_json::to_string(&value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_that_is_sent_is_read_as_the_same_plan() {
        let text = r#"{"code":"team","effective_from":"2026-01-01T00:00:00.000001Z","currency":"EUR",
            "interval":{"custom":{"days":90}},"amount":"20.5","charges":[{"code":"calls",
            "metric":{"meter":"creto.call","aggregation":{"type":"count"}},"model":{"type":"standard","rate":"0.001"}}]}"#;
        let plan = PlanDocument::from_json(text).unwrap();
        let sent = Document::Plan(plan.clone()).json().unwrap();
        assert_eq!(PlanDocument::from_json(&sent).unwrap(), plan);
    }
}
