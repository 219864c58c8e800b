//! What the sentences are made of: a namespace with an issuer, customers, plans, and usage that is told as it happens.

use std::ops::ControlFlow;
use std::sync::Arc;

use async_trait::async_trait;
use creto_billing::*;
use creto_rating::{Currency, Moment, Order, Source, UsageEvent, Value, Zone};
use parking_lot::Mutex;
use tempfile::TempDir;

pub(crate) const TEAM: &str = r#"
code = "team"
effective_from = "2026-01-01T00:00:00Z"
currency = "EUR"
interval = "monthly"
amount = "20"
taxes = [{ code = "vat", percent = "19" }]
[[charges]]
code = "tokens"
attribute_by = ["model"]
metric = { meter = "llm.tokens", aggregation = { type = "sum", field = "tokens" } }
model = { type = "standard", rate = "0.001" }
"#;

/// Usage that a test has told so far.
#[derive(Default)]
pub(crate) struct Told(Mutex<Vec<SourcedEvent>>);

#[async_trait]
impl UsageSource for Told {
    async fn scan(
        &self,
        _namespace: &str,
        from: Moment,
        to: Moment,
        each: &mut (dyn for<'e> FnMut(&'e SourcedEvent) -> ControlFlow<()> + Send),
    ) -> Result<(), SourceError> {
        for event in self.0.lock().iter().filter(|told| (from..to).contains(&told.event.order.at)) {
            if each(event).is_break() {
                break;
            }
        }
        Ok(())
    }
}

pub(crate) struct World {
    pub(crate) store: Arc<dyn BillingStore>,
    pub(crate) key: InvoiceKey,
    pub(crate) namespace: String,
    pub(crate) usage: Told,
    folder: TempDir,
}

pub(crate) fn at(text: &str) -> Moment {
    Moment::try_from(text.parse::<jiff::Timestamp>().unwrap()).unwrap()
}

impl World {
    pub(crate) async fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let store = SqlStore::sqlite(&folder.path().join("billing.db")).await.unwrap();
        Self::with(Arc::new(store), "default", folder).await
    }

    pub(crate) async fn on(store: Arc<dyn BillingStore>, namespace: &str) -> Self {
        Self::with(store, namespace, TempDir::new().unwrap()).await
    }

    async fn with(store: Arc<dyn BillingStore>, namespace: &str, folder: TempDir) -> Self {
        let key = InvoiceKey::open(&folder.path().join("invoice.key")).unwrap();
        let issuer = Party {
            name: "Creto GmbH".into(),
            address: vec!["Hauptstraße 1".into(), "10115 Berlin".into(), "Germany".into()],
            tax_ids: vec![TaxId { kind: "VAT".into(), value: "DE123456789".into() }],
        };
        store.put_settings(namespace, &BillingSettings::of(issuer)).await.unwrap();
        Self { store, key, namespace: namespace.to_owned(), usage: Told::default(), folder }
    }

    pub(crate) fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    pub(crate) async fn customer_in(&self, id: &str, zone: &str, currency: &str) -> Customer {
        let customer = Customer {
            id: id.into(),
            party: Party {
                name: format!("Société {id} Łódź"),
                address: vec!["12 rue de l’Église".into(), "75001 Paris".into()],
                tax_ids: Vec::new(),
            },
            currency: currency.parse::<Currency>().unwrap(),
            zone: Zone::named(zone).unwrap(),
            stripe_customer: Some(format!("cus_{id}")),
        };
        self.store.put_customer(&self.namespace, &customer).await.unwrap();
        customer
    }

    pub(crate) async fn customer(&self, id: &str) -> Customer {
        self.customer_in(id, "UTC", "EUR").await
    }

    pub(crate) async fn publish(&self, toml: &str) -> PlanVersion {
        let plan = PlanDocument::from_toml(toml).unwrap();
        self.store.publish_plan(&self.namespace, &plan).await.unwrap()
    }

    pub(crate) async fn subscribed(
        &self,
        id: &str,
        customer: &str,
        plan: &str,
        since: &str,
    ) -> SubscriptionRecord {
        let new = NewSubscription::new(id, customer, plan, at(since));
        self.store.subscribe(&self.namespace, &new).await.unwrap()
    }

    /// A customer `acme` in UTC that pays euros, subscribed as `sub` to [`TEAM`] since the start of January 2026.
    pub(crate) async fn acme(&self) -> SubscriptionRecord {
        self.customer("acme").await;
        self.publish(TEAM).await;
        self.subscribed("sub", "acme", "team", "2026-01-01T00:00:00Z").await
    }

    pub(crate) fn used(&self, subscription: &str, when: &str, agent: &str, tokens: &str) {
        self.told(subscription, "", when, agent, "llm.tokens", tokens);
    }

    pub(crate) fn told(
        &self,
        subscription: &str,
        customer: &str,
        when: &str,
        agent: &str,
        meter: &str,
        tokens: &str,
    ) {
        let mut told = self.usage.0.lock();
        let sequence = told.len() as u64 + 1;
        let model = if agent.len().is_multiple_of(2) { "even" } else { "odd" };
        let properties = [
            ("tokens".to_owned(), Value::Number(tokens.parse().unwrap())),
            ("model".to_owned(), Value::Text(model.into())),
        ];
        let event = UsageEvent {
            id: format!("event-{sequence}"),
            meter: meter.into(),
            order: Order { at: at(when), sequence },
            agent: agent.into(),
            properties: properties.into(),
        };
        told.push(SourcedEvent { subscription: subscription.into(), customer: customer.into(), event });
    }

    pub(crate) async fn run(&self, when: &str) -> RunReport {
        let run = BillingRun::new(&self.namespace, at(when));
        run.draw_up(&*self.store, &self.usage).await.unwrap()
    }

    pub(crate) async fn run_progressive(&self, when: &str) -> RunReport {
        let run = BillingRun::new(&self.namespace, at(when));
        run.draw_up_progressive(&*self.store, &self.usage).await.unwrap()
    }

    pub(crate) async fn try_finalize(
        &self,
        id: &str,
        key: &str,
        when: &str,
    ) -> Result<SignedInvoice, BillingError> {
        let finalize = Finalize { invoice: id, key, at: at(when), signer: &self.key };
        self.store.finalize(&self.namespace, &finalize).await
    }

    /// Runs, expects one draft, and finalizes it.
    pub(crate) async fn billed(&self, when: &str) -> InvoiceDocument {
        let report = self.run(when).await;
        assert!(report.refused.is_empty(), "{report:?}");
        assert_eq!(report.drafts.len(), 1, "{report:?}");
        let id = &report.drafts[0].id;
        self.try_finalize(id, &format!("finalize-{id}"), when).await.unwrap().document
    }

    pub(crate) async fn invoice(&self, id: &str) -> Invoice {
        self.store.invoice(&self.namespace, id).await.unwrap().unwrap()
    }

    pub(crate) async fn record(&self, id: &str) -> SubscriptionRecord {
        self.store.subscription(&self.namespace, id).await.unwrap().unwrap()
    }

    /// A wallet of `acme` with a credit.
    pub(crate) async fn topped_up(&self, minor: i64) {
        let created_at = at("2026-01-01T00:00:00Z");
        let wallet = NewWallet {
            id: "wallet".into(),
            customer: "acme".into(),
            currency: Currency::EUR,
            priority: 1,
            only: None,
            created_at,
        };
        self.store.open_wallet(&self.namespace, &wallet).await.unwrap();
        assert!(self.store.add_credit(&self.namespace, &credit("top-up", minor)).await.unwrap());
    }

    pub(crate) async fn balance(&self) -> i64 {
        let wallets = self.store.wallets(&self.namespace, "acme").await.unwrap();
        wallets.iter().flat_map(|kept| &kept.wallet.credits).map(|credit| credit.left as i64).sum()
    }

    pub(crate) async fn given_back(
        &self,
        invoice: &str,
        line: u32,
        minor: i64,
        key: &str,
    ) -> Result<KeptCreditNote, BillingError> {
        let new = NewCreditNote {
            invoice: invoice.into(),
            lines: vec![CreditLine { line, total_minor: minor }],
            reason: "Goodwill".into(),
            at: at("2026-02-10T00:00:00Z"),
            key: key.into(),
        };
        self.store.credit(&self.namespace, &new, &self.key).await
    }
}

pub(crate) fn credit(id: &str, minor: i64) -> NewCredit {
    NewCredit {
        wallet: "wallet".into(),
        id: id.into(),
        source: Source::Purchased,
        priority: 1,
        minor,
        received_at: at("2026-01-01T00:00:00Z"),
        expires_at: None,
    }
}

/// That an invoice adds up, in every way it can.
pub(crate) fn adds_up(document: &InvoiceDocument) {
    let lines = &document.lines;
    let sum = |minor: &dyn Fn(&LineItem) -> i64| lines.iter().map(minor).sum::<i64>();
    for line in lines {
        let off: i64 = line.reductions.iter().map(|(_, minor)| minor).sum();
        let tax: i64 = line.taxes.iter().map(|tax| tax.minor).sum();
        assert_eq!(line.fee_minor - off, line.net_minor, "{line:?}");
        assert_eq!(line.net_minor + tax, line.total_minor, "{line:?}");
    }
    assert_eq!(sum(&|line| line.fee_minor), document.subtotal_minor);
    assert_eq!(document.taxes.iter().map(|tax| tax.minor).sum::<i64>(), document.tax_minor);
    assert_eq!(
        document.subtotal_minor - document.reductions_minor + document.tax_minor,
        document.total_minor
    );
    assert_eq!(sum(&|line| line.total_minor), document.total_minor);
    assert_eq!(document.credits.iter().map(|credit| credit.minor).sum::<i64>(), document.credited_minor);
    assert_eq!(document.prepaid.iter().map(|prepaid| prepaid.minor).sum::<i64>(), document.prepaid_minor);
    assert_eq!(document.total_minor - document.credited_minor - document.prepaid_minor, document.due_minor);
    assert!(document.due_minor >= 0);
    let dimensions = document.attribution.dimensions.values();
    for parts in dimensions.chain([&document.attribution.agents]) {
        assert_eq!(parts.iter().map(|part| part.fee_minor).sum::<i64>(), document.subtotal_minor);
        assert_eq!(parts.iter().map(|part| part.total_minor).sum::<i64>(), document.total_minor);
    }
}
