//! Documents in and out, by kind.

use creto_billing::{
    BillingError, BillingSettings, BillingStore, Customer, MAX_LEDGER_PAGE, MAX_PAGE, NewCredit,
    NewSubscription, NewWallet, PlanDocument,
};
use serde::Serialize;
use tonic::Status;

use crate::status::of_billing;

/// Bytes of documents in one answer, about; the next one begins where it ends.
pub(crate) const MAX_PAGE_BYTES: usize = 16 << 20;

const KINDS: &str = "kind: write settings, plan, customer, subscription, wallet or credit";

/// Puts a document in; its id, and for a plan its version.
///
/// # Errors
/// What is wrong with it, all of it.
pub(crate) async fn put(
    store: &dyn BillingStore,
    namespace: &str,
    kind: &str,
    json: &str,
) -> Result<(String, u32), Status> {
    match kind {
        "settings" => {
            let settings = BillingSettings::from_json(json).map_err(of_billing)?;
            store.put_settings(namespace, &settings).await.map_err(of_billing)?;
            Ok((String::new(), 0))
        }
        "plan" => {
            let plan = PlanDocument::from_json(json).map_err(|error| of_billing(error.into()))?;
            let kept = store.publish_plan(namespace, &plan).await.map_err(of_billing)?;
            Ok((kept.document.plan.code, kept.version))
        }
        "customer" => {
            let customer = Customer::from_json(json).map_err(of_billing)?;
            store.put_customer(namespace, &customer).await.map_err(of_billing)?;
            Ok((customer.id, 0))
        }
        "subscription" => {
            let new = NewSubscription::from_json(json).map_err(of_billing)?;
            store.subscribe(namespace, &new).await.map_err(of_billing)?;
            Ok((new.id, 0))
        }
        "wallet" => {
            let wallet = NewWallet::from_json(json).map_err(of_billing)?;
            store.open_wallet(namespace, &wallet).await.map_err(of_billing)?;
            Ok((wallet.id, 0))
        }
        "credit" => {
            let credit = NewCredit::from_json(json).map_err(of_billing)?;
            store.add_credit(namespace, &credit).await.map_err(of_billing)?;
            Ok((credit.id, 0))
        }
        _ => Err(Status::invalid_argument(KINDS)),
    }
}

/// Some documents, and where the next page begins.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Page {
    pub(crate) documents: Vec<String>,
    pub(crate) next: String,
}

impl Page {
    /// Of items, each with where a page after it begins; `whole` when none come after them. What is too much for one
    /// answer is left for the next.
    fn of<T: Serialize>(items: impl Iterator<Item = (String, T)>, whole: bool) -> Result<Self, BillingError> {
        let (mut page, mut bytes) = (Self::default(), 0);
        for (place, item) in items {
            let text = serde_json::to_string(&item)
                .map_err(|error| BillingError::Damaged { what: "document", cause: error.to_string() })?;
            if bytes > 0 && bytes + text.len() > MAX_PAGE_BYTES {
                return Ok(page);
            }
            bytes += text.len();
            page.next = place;
            page.documents.push(text);
        }
        if whole {
            page.next.clear();
        }
        Ok(page)
    }
}

/// Documents of a kind.
///
/// # Errors
/// For another kind, an owner that is missing, or a page there is none of.
pub(crate) async fn listed(
    store: &dyn BillingStore,
    namespace: &str,
    (kind, of): (&str, &str),
    after: &str,
) -> Result<Page, Status> {
    let owner = |what: &str| match of {
        "" => Err(Status::invalid_argument(format!("of: say of which {what}"))),
        of => Ok(of),
    };
    // Lists that are read whole are paged by a number.
    let number = |after: &str| match after {
        "" => Ok(0_i64),
        after => after
            .parse()
            .map_err(|_| Status::invalid_argument("after: write what `next` of the page before said")),
    };
    let most = |items: usize| items < MAX_PAGE as usize;
    let page = match kind {
        "settings" => {
            let settings = store.settings(namespace).await.map_err(of_billing)?;
            Page::of(settings.into_iter().map(|settings| (String::new(), settings)), true)
        }
        "plan" => {
            let from = usize::try_from(number(after)?).unwrap_or_default();
            let plans = if of.is_empty() {
                store.plans(namespace).await
            } else {
                store.plan_versions(namespace, of).await
            };
            let plans = plans.map_err(of_billing)?.into_iter().enumerate().skip(from);
            Page::of(plans.map(|(place, plan)| ((place + 1).to_string(), plan)), true)
        }
        "customer" => {
            let page = store.customers(namespace, after).await.map_err(of_billing)?;
            let whole = most(page.len());
            Page::of(page.into_iter().map(|customer| (customer.id.clone(), customer)), whole)
        }
        "subscription" => {
            let page = store.subscriptions(namespace, after).await.map_err(of_billing)?;
            let whole = most(page.len());
            Page::of(page.into_iter().map(|record| (record.id.clone(), record)), whole)
        }
        "wallet" => {
            let from = usize::try_from(number(after)?).unwrap_or_default();
            let wallets = store.wallets(namespace, owner("customer")?).await.map_err(of_billing)?;
            let wallets = wallets.into_iter().enumerate().skip(from);
            Page::of(wallets.map(|(place, wallet)| ((place + 1).to_string(), wallet)), true)
        }
        "credit" => {
            let ledger =
                store.ledger(namespace, owner("wallet")?, number(after)?).await.map_err(of_billing)?;
            let whole = ledger.len() < MAX_LEDGER_PAGE as usize;
            Page::of(ledger.into_iter().map(|entry| (entry.sequence.to_string(), entry)), whole)
        }
        _ => return Err(Status::invalid_argument(KINDS)),
    };
    page.map_err(of_billing)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_ends_before_it_is_too_large_and_says_where_the_next_begins() {
        let large = "x".repeat(MAX_PAGE_BYTES / 3);
        let items = |from: usize| (from..5).map(|place| ((place + 1).to_string(), large.clone()));
        let first = Page::of(items(0), true).unwrap();
        assert_eq!((first.documents.len(), first.next.as_str()), (2, "2"));
        let last = Page::of(items(4), true).unwrap();
        assert_eq!((last.documents.len(), last.next.as_str()), (1, ""));
        assert_eq!(Page::of(items(4), false).unwrap().next, "5");
    }
}
