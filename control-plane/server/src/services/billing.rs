//! `Billing`.

use creto_billing::{
    CreditNoteRequest, Finalize, InvoiceSelection, InvoiceState, KeptItem, NewCreditNote, OutboxState,
    RaisedTrigger, SubscriptionStatus, invoice_pdf,
};
use creto_proto::v1;
use creto_proto::v1::billing_server::Billing as BillingRpc;
use creto_proto::v1::change_subscription_request::Change;
use tonic::{Request, Response, Status, async_trait};

use crate::billing::{Asked, Billing, Found, draft_json, listed, moment, now, put, summary};
use crate::confine::confined;
use crate::status::of_billing;

/// Invoices in one answer: each is read whole.
const MAX_INVOICES: u32 = 100;
/// Bytes of an invoice that one answer holds, less than a client takes.
const MAX_CONTENT_BYTES: usize = 60 << 20;

/// Serves billing.
#[derive(Clone)]
pub(crate) struct Bills {
    pub(crate) billing: Billing,
}

impl Bills {
    /// The id of an invoice of which the id or the number is given.
    async fn id_of(&self, namespace: &str, named: String) -> Result<String, Status> {
        let found = self.billing.store.invoice_numbered(namespace, &named).await.map_err(of_billing)?;
        Ok(found.unwrap_or(named))
    }

    async fn invoice(&self, namespace: &str, named: String) -> Result<creto_billing::Invoice, Status> {
        let id = self.id_of(namespace, named).await?;
        let found = self.billing.store.invoice(namespace, &id).await.map_err(of_billing)?;
        found.ok_or_else(|| {
            let id: String = id.chars().take(creto_billing::MAX_ID_BYTES).collect();
            Status::not_found(format!("there is no invoice `{id}` in namespace `{namespace}`"))
        })
    }
}

/// A run that gave what another was asked for, which cannot be.
fn mixed_up() -> Status {
    Status::internal("the control plane mixed up two runs: ask again")
}

#[async_trait]
impl BillingRpc for Bills {
    async fn put_billing_document(
        &self,
        request: Request<v1::PutBillingDocumentRequest>,
    ) -> Result<Response<v1::PutBillingDocumentResponse>, Status> {
        let (_, message) = confined(request)?;
        let store = self.billing.store.as_ref();
        let (id, version) = put(store, &message.namespace, &message.kind, &message.document).await?;
        Ok(Response::new(v1::PutBillingDocumentResponse { id, version }))
    }

    async fn list_billing_documents(
        &self,
        request: Request<v1::ListBillingDocumentsRequest>,
    ) -> Result<Response<v1::ListBillingDocumentsResponse>, Status> {
        let (_, message) = confined(request)?;
        let what = (message.kind.as_str(), message.of.as_str());
        let page = listed(self.billing.store.as_ref(), &message.namespace, what, &message.after).await?;
        let (documents, next) = (page.documents, page.next);
        Ok(Response::new(v1::ListBillingDocumentsResponse { documents, next }))
    }

    async fn change_subscription(
        &self,
        request: Request<v1::ChangeSubscriptionRequest>,
    ) -> Result<Response<v1::ChangeSubscriptionResponse>, Status> {
        let (_, v1::ChangeSubscriptionRequest { namespace, subscription, change }) = confined(request)?;
        let store = &self.billing.store;
        let changed = match change {
            Some(Change::Plan(v1::PlanFrom { plan, from_us })) => {
                store.change_plan(&namespace, &subscription, &plan, moment(from_us)?).await
            }
            Some(Change::CancelAtUs(at_us)) => store.cancel(&namespace, &subscription, moment(at_us)?).await,
            Some(Change::Status(status)) => {
                let known =
                    [SubscriptionStatus::Active, SubscriptionStatus::PastDue, SubscriptionStatus::Suspended];
                let status = known.into_iter().find(|known| known.name() == status).ok_or_else(|| {
                    Status::invalid_argument(
                        "status: write active, past_due or suspended; cancel at an instant",
                    )
                })?;
                store.set_status(&namespace, &subscription, status).await
            }
            None => return Err(Status::invalid_argument("change: say what changes")),
        };
        let document = written(&changed.map_err(of_billing)?)?;
        Ok(Response::new(v1::ChangeSubscriptionResponse { document }))
    }

    async fn preview_invoice(
        &self,
        request: Request<v1::PreviewInvoiceRequest>,
    ) -> Result<Response<v1::PreviewInvoiceResponse>, Status> {
        let (_, v1::PreviewInvoiceRequest { namespace, subscription }) = confined(request)?;
        match self.billing.run(&namespace, Asked::Preview { subscription }).await? {
            Some(Found::Previewed(preview)) => Ok(Response::new(preview)),
            Some(Found::Drawn(_)) => Err(mixed_up()),
            None => Ok(Response::new(v1::PreviewInvoiceResponse {
                running: true,
                ..v1::PreviewInvoiceResponse::default()
            })),
        }
    }

    async fn draw_up_invoices(
        &self,
        request: Request<v1::DrawUpInvoicesRequest>,
    ) -> Result<Response<v1::DrawUpInvoicesResponse>, Status> {
        let (_, v1::DrawUpInvoicesRequest { namespace, progressive, grace_seconds }) = confined(request)?;
        match self.billing.run(&namespace, Asked::DrawUp { progressive, grace_seconds }).await? {
            Some(Found::Drawn(drawn)) => Ok(Response::new(drawn)),
            Some(Found::Previewed(_)) => Err(mixed_up()),
            None => Ok(Response::new(v1::DrawUpInvoicesResponse {
                running: true,
                ..v1::DrawUpInvoicesResponse::default()
            })),
        }
    }

    async fn finalize_invoice(
        &self,
        request: Request<v1::FinalizeInvoiceRequest>,
    ) -> Result<Response<v1::FinalizeInvoiceResponse>, Status> {
        let (operator, v1::FinalizeInvoiceRequest { namespace, invoice, key }) = confined(request)?;
        let finalize =
            Finalize { invoice: &invoice, key: &key, at: now()?, signer: self.billing.key.as_ref() };
        let signed = self.billing.store.finalize(&namespace, &finalize).await.map_err(of_billing)?;
        let number = &signed.document.number;
        tracing::info!(namespace, operator = operator.name, invoice, number, "an invoice is issued");
        let issued = self.invoice(&namespace, invoice).await?;
        Ok(Response::new(v1::FinalizeInvoiceResponse { invoice: Some(summary(&issued)) }))
    }

    async fn list_invoices(
        &self,
        request: Request<v1::ListInvoicesRequest>,
    ) -> Result<Response<v1::ListInvoicesResponse>, Status> {
        let (_, message) = confined(request)?;
        let states = [InvoiceState::Draft, InvoiceState::Finalized, InvoiceState::Paid, InvoiceState::Void];
        let state = match message.state.as_str() {
            "" => None,
            named => Some(states.into_iter().find(|state| state.name() == named).ok_or_else(|| {
                Status::invalid_argument("state: write draft, finalized, paid or void, or nothing")
            })?),
        };
        let selection = InvoiceSelection {
            subscription: Some(message.subscription).filter(|subscription| !subscription.is_empty()),
            state,
            after: message.after,
            limit: Some(MAX_INVOICES),
        };
        let page = self.billing.store.invoices(&message.namespace, &selection).await.map_err(of_billing)?;
        let last = page.last().filter(|_| page.len() >= MAX_INVOICES as usize);
        let next = last.map(|invoice| invoice.id.clone()).unwrap_or_default();
        Ok(Response::new(v1::ListInvoicesResponse { invoices: page.iter().map(summary).collect(), next }))
    }

    async fn get_invoice(
        &self,
        request: Request<v1::GetInvoiceRequest>,
    ) -> Result<Response<v1::GetInvoiceResponse>, Status> {
        let (_, v1::GetInvoiceRequest { namespace, invoice, format }) = confined(request)?;
        let invoice = self.invoice(&namespace, invoice).await?;
        let summary = summary(&invoice);
        let mut public_key = Vec::new();
        let content = match (format.as_str(), invoice.signed(), invoice.draft()) {
            ("json", Some(signed), _) => {
                let key = &self.billing.key;
                if signer_of(&signed.json).is_some_and(|signer| signer == key.id()) {
                    public_key = key.public().to_vec();
                }
                signed.json.clone().into_bytes()
            }
            ("json", None, Some(draft)) => draft_json(draft).map_err(of_billing)?.into_bytes(),
            ("pdf", Some(signed), _) => {
                let signed = signed.clone();
                tokio::task::spawn_blocking(move || invoice_pdf(&signed)).await.map_err(|error| {
                    tracing::error!(%error, "an invoice cannot be printed");
                    Status::internal("the invoice cannot be printed: the control plane's log says why")
                })?
            }
            ("pdf", None, _) => {
                return Err(Status::failed_precondition("a draft is not printed: finalize it first"));
            }
            _ => return Err(Status::invalid_argument("format: write json or pdf")),
        };
        if content.len() > MAX_CONTENT_BYTES {
            return Err(Status::resource_exhausted(format!(
                "the invoice has {} bytes; one answer holds {MAX_CONTENT_BYTES}: take it as pdf",
                content.len()
            )));
        }
        Ok(Response::new(v1::GetInvoiceResponse { invoice: Some(summary), content, public_key }))
    }

    async fn pay_invoice(
        &self,
        request: Request<v1::PayInvoiceRequest>,
    ) -> Result<Response<v1::PayInvoiceResponse>, Status> {
        let (_, v1::PayInvoiceRequest { namespace, invoice, minor, key }) = confined(request)?;
        let id = self.id_of(&namespace, invoice).await?;
        let paid = self.billing.store.pay(&namespace, &id, minor, now()?, &key).await.map_err(of_billing)?;
        Ok(Response::new(v1::PayInvoiceResponse { invoice: Some(summary(&paid)) }))
    }

    async fn void_invoice(
        &self,
        request: Request<v1::VoidInvoiceRequest>,
    ) -> Result<Response<v1::VoidInvoiceResponse>, Status> {
        let (operator, v1::VoidInvoiceRequest { namespace, invoice, reason, key }) = confined(request)?;
        let id = self.id_of(&namespace, invoice).await?;
        let void =
            self.billing.store.void(&namespace, &id, &reason, now()?, &key).await.map_err(of_billing)?;
        tracing::info!(namespace, operator = operator.name, invoice = id, "an invoice is void");
        Ok(Response::new(v1::VoidInvoiceResponse { invoice: Some(summary(&void)) }))
    }

    async fn credit_invoice(
        &self,
        request: Request<v1::CreditInvoiceRequest>,
    ) -> Result<Response<v1::CreditInvoiceResponse>, Status> {
        let (_, v1::CreditInvoiceRequest { namespace, document, key }) = confined(request)?;
        let asked = CreditNoteRequest::from_json(&document).map_err(of_billing)?;
        let invoice = self.id_of(&namespace, asked.invoice).await?;
        let new = NewCreditNote { invoice, lines: asked.lines, reason: asked.reason, at: now()?, key };
        let note = self.billing.store.credit(&namespace, &new, self.billing.key.as_ref()).await;
        let document = note.map_err(of_billing)?.json;
        Ok(Response::new(v1::CreditInvoiceResponse { document }))
    }

    async fn list_credit_notes(
        &self,
        request: Request<v1::ListCreditNotesRequest>,
    ) -> Result<Response<v1::ListCreditNotesResponse>, Status> {
        let (_, v1::ListCreditNotesRequest { namespace, customer }) = confined(request)?;
        if customer.is_empty() {
            return Err(Status::invalid_argument("customer: say whose credit notes"));
        }
        let notes = self.billing.store.credit_notes(&namespace, &customer).await.map_err(of_billing)?;
        let documents = notes.into_iter().map(|note| note.json).collect();
        Ok(Response::new(v1::ListCreditNotesResponse { documents }))
    }

    async fn get_export(
        &self,
        request: Request<v1::GetExportRequest>,
    ) -> Result<Response<v1::GetExportResponse>, Status> {
        let (_, v1::GetExportRequest { namespace }) = confined(request)?;
        let store = &self.billing.store;
        let settings = store.settings(&namespace).await.map_err(of_billing)?;
        let wanted =
            settings.is_some_and(|settings| settings.export_invoices || !settings.export_usage.is_empty());
        let dead = store.outbox(&namespace, OutboxState::Dead).await.map_err(of_billing)?;
        let dead = dead.into_iter().map(|KeptItem { item, error, .. }| v1::DeadExport {
            id: item.id,
            kind: item.kind.name().to_owned(),
            reason: error.unwrap_or_default(),
        });
        Ok(Response::new(v1::GetExportResponse {
            exports: wanted && self.billing.stripe.is_some(),
            waiting: store.waiting(&namespace).await.map_err(of_billing)?,
            dead: dead.collect(),
        }))
    }

    async fn list_triggers(
        &self,
        request: Request<v1::ListTriggersRequest>,
    ) -> Result<Response<v1::ListTriggersResponse>, Status> {
        let (_, v1::ListTriggersRequest { namespace, only_open }) = confined(request)?;
        let raised = self.billing.store.triggers(&namespace, only_open).await.map_err(of_billing)?;
        let triggers = raised.iter().map(shown).collect::<Result<_, _>>()?;
        Ok(Response::new(v1::ListTriggersResponse { triggers }))
    }

    async fn acknowledge_trigger(
        &self,
        request: Request<v1::AcknowledgeTriggerRequest>,
    ) -> Result<Response<v1::AcknowledgeTriggerResponse>, Status> {
        let (operator, message) = confined(request)?;
        let trigger = (message.kind.as_str(), message.key.as_str(), moment(message.window_us)?);
        let noted = self.billing.store.acknowledge(&message.namespace, trigger, &operator.name, now()?).await;
        if !noted.map_err(of_billing)? {
            let said = "there is no such trigger that nobody took note of: list them";
            return Err(Status::not_found(said));
        }
        Ok(Response::new(v1::AcknowledgeTriggerResponse {}))
    }
}

/// The id of the key that signed a document.
fn signer_of(json: &str) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct Signed {
        signing_key: String,
    }
    serde_json::from_str::<Signed>(json).ok().map(|signed| signed.signing_key)
}

fn written<T: serde::Serialize>(document: &T) -> Result<String, Status> {
    serde_json::to_string(document).map_err(|error| {
        tracing::error!(%error, "a document of billing cannot be written");
        Status::internal("the document cannot be written: the control plane's log says why")
    })
}

fn shown(raised: &RaisedTrigger) -> Result<v1::RaisedTrigger, Status> {
    let (acknowledged_at_us, acknowledged_by) = match &raised.acknowledged {
        Some((at, by)) => (at.micros(), by.clone()),
        None => (0, String::new()),
    };
    Ok(v1::RaisedTrigger {
        kind: raised.trigger.kind().to_owned(),
        key: raised.trigger.key().to_owned(),
        window_us: raised.window.micros(),
        raised_at_us: raised.raised_at.micros(),
        detail: written(&raised.trigger)?,
        acknowledged_by,
        acknowledged_at_us,
    })
}
