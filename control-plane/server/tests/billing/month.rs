//! A month, from its events to its invoice.

use creto_billing::{InvoiceDocument, verify};
use creto_proto::v1::*;
use serde_json::json;
use tonic::Code;

use crate::fixture::{Plane, plane};
use crate::shop::*;

async fn producer(plane: &Plane, namespace: &str) -> String {
    let request = CreateOperatorTokenRequest {
        namespace: namespace.into(),
        name: "painter".into(),
        role: OperatorRole::Producer.into(),
    };
    plane.admin().await.operator_tokens().create_operator_token(request).await.unwrap().into_inner().token
}

/// 500,500 units as PNG by frames, 42 as JPEG by HTTP: 500.54 euros, and 20 of the plan.
async fn month(plane: &Plane, namespace: &str) {
    let token = producer(plane, namespace).await;
    render(&plane.endpoint(), &token, namespace, 1..=1_000, last_hour()).await;
    let event = |id: &str, size| cloud_event(id, "image.rendered", size, last_hour());
    let batch = json!([event("one", 5), event("two", 7), event("three", 30)]);
    let ca = plane.folder.path().join("ca.pem");
    for _ in 0..2 {
        assert_eq!(post(&ca, &plane.running.url(), &token, &batch).await, "200");
    }
    // Of this month, and of nobody.
    let later = months().1;
    assert_eq!(
        post(
            &ca,
            &plane.running.url(),
            &token,
            &json!([cloud_event("next", "image.rendered", 9_000, later)])
        )
        .await,
        "200"
    );
    let mut nobody = cloud_event("nobody", "image.rendered", 77, last_hour());
    nobody["customer"] = "somebody else".into();
    assert_eq!(post(&ca, &plane.running.url(), &token, &json!([nobody])).await, "200");
}

#[tokio::test]
async fn a_month_of_events_becomes_a_signed_invoice_that_adds_up() {
    let plane = plane().await;
    let operator = plane.operator("a").await;
    open(&operator, "a").await;
    month(&plane, "a").await;

    let request = PreviewInvoiceRequest { namespace: "a".into(), subscription: "sub".into() };
    let preview = operator.billing().preview_invoice(request).await.unwrap().into_inner();
    // (20.00 + 500.54) * 1.19: each line rounds its own tax, 3.80 and 95.10.
    assert_eq!((preview.total_minor, preview.currency.as_str(), preview.running), (61_944, "EUR", false));
    assert!(invoices(&operator, "a", "").await.is_empty(), "a preview keeps nothing");

    let drawn = draw_up(&operator, "a").await;
    assert_eq!((drawn.drawn_up, drawn.drafts.len(), drawn.running), (1, 1, false), "{drawn:?}");
    assert_eq!(drawn.unmatched, [("unknown_customer".to_owned(), 1)].into());
    let draft = drawn.drafts[0].clone();
    assert_eq!((draft.state.as_str(), draft.number.as_str(), draft.total_minor), ("draft", "", 61_944));
    assert_eq!(draw_up(&operator, "a").await.drafts, std::slice::from_ref(&draft), "a draft is replaced");
    let early = get(&operator, "a", &draft.id, "pdf").await.unwrap_err();
    assert_eq!(early.code(), Code::FailedPrecondition);
    assert!(!get(&operator, "a", &draft.id, "json").await.unwrap().content.is_empty());

    let issued = finalize(&operator, "a", &draft.id, "once").await.unwrap();
    assert_eq!((issued.number.as_str(), issued.state.as_str()), ("R-2026-000001", "finalized"));
    assert_eq!((issued.total_minor, issued.due_minor), (61_944, 61_944));
    assert_eq!(finalize(&operator, "a", &draft.id, "once").await.unwrap(), issued);
    let again = finalize(&operator, "a", &draft.id, "twice").await.unwrap_err();
    assert_eq!(again.code(), Code::FailedPrecondition, "{again}");
    assert_eq!(draw_up(&operator, "a").await.drawn_up, 0, "the month is billed");

    let signed = get(&operator, "a", "R-2026-000001", "json").await.unwrap();
    let key: [u8; 32] = signed.public_key.clone().try_into().unwrap();
    let document: InvoiceDocument = verify(&signed.content, &key).unwrap();
    let mut forged = signed.content.clone();
    let place = forged.windows(5).position(|digits| digits == b"61944").unwrap();
    forged[place] = b'1';
    assert!(verify::<InvoiceDocument>(&forged, &key).is_err());
    let amounts: Vec<_> = document.lines.iter().map(|line| (line.fee_minor, line.total_minor)).collect();
    assert_eq!(amounts, [(2_000, 2_380), (50_054, 59_564)]);
    assert_eq!((document.subtotal_minor, document.tax_minor, document.total_minor), (52_054, 9_890, 61_944));
    let usage = &document.lines[1];
    assert_eq!((usage.quantity.as_str(), usage.events), ("500542", 1_003));
    let parts = &usage.attribution.dimensions["format"];
    let parts: Vec<_> = parts.iter().map(|part| (part.name.as_deref().unwrap(), part.fee_minor)).collect();
    assert_eq!(parts, [("jpeg", 4), ("png", 50_050)]);

    let printed = get(&operator, "a", "R-2026-000001", "pdf").await.unwrap().content;
    assert!(printed.starts_with(b"%PDF-1.") && printed.windows(13).any(|part| part == b"R-2026-000001"));
    assert_eq!(get(&operator, "a", &issued.id, "pdf").await.unwrap().content, printed);

    let pay = |minor, key: &str| PayInvoiceRequest {
        namespace: "a".into(),
        invoice: "R-2026-000001".into(),
        minor,
        key: key.into(),
    };
    let wrong = operator.billing().pay_invoice(pay(61_943, "p0")).await.unwrap_err();
    assert_eq!(wrong.code(), Code::FailedPrecondition);
    for _ in 0..2 {
        let paid = operator.billing().pay_invoice(pay(61_944, "p1")).await.unwrap().into_inner();
        assert_eq!(paid.invoice.unwrap().state, "paid");
    }
    let note = CreditInvoiceRequest {
        namespace: "a".into(),
        document: json!({
            "invoice": "R-2026-000001", "reason": "Goodwill", "lines": [{ "line": 2, "total_minor": 119 }],
        })
        .to_string(),
        key: "c1".into(),
    };
    let note = operator.billing().credit_invoice(note).await.unwrap().into_inner().document;
    let notes = ListCreditNotesRequest { namespace: "a".into(), customer: "acme".into() };
    let notes = operator.billing().list_credit_notes(notes).await.unwrap().into_inner().documents;
    assert_eq!(notes, [note]);

    // Everything is there after a restart, and signed by the same key.
    let plane = plane.restart().await;
    let admin = plane.admin().await;
    assert_eq!(get(&admin, "a", &issued.id, "json").await.unwrap().public_key, key);
}

#[tokio::test]
async fn an_operator_of_another_namespace_sees_and_changes_nothing() {
    let plane = plane().await;
    let (operator, other) = (plane.operator("a").await, plane.operator("b").await);
    open(&operator, "a").await;
    month(&plane, "a").await;
    let draft = draw_up(&operator, "a").await.drafts[0].id.clone();
    let request = DrawUpInvoicesRequest { namespace: "a".into(), ..DrawUpInvoicesRequest::default() };
    let denied = [
        other.billing().draw_up_invoices(request).await.unwrap_err().code(),
        finalize(&other, "a", &draft, "k").await.unwrap_err().code(),
        get(&other, "a", &draft, "json").await.unwrap_err().code(),
    ];
    assert_eq!(denied, [Code::PermissionDenied; 3]);
    // Named as its own, they are not there.
    assert_eq!(get(&other, "b", &draft, "json").await.unwrap_err().code(), Code::NotFound);
    let own = finalize(&other, "b", &draft, "k").await.unwrap_err();
    assert!(matches!(own.code(), Code::NotFound | Code::FailedPrecondition), "{own}");
    assert!(invoices(&other, "b", "").await.is_empty() && triggers(&other, "b").await.is_empty());
    assert_eq!(draw_up(&other, "b").await.drawn_up, 0);
    let list = |kind: &str, of: &str| ListBillingDocumentsRequest {
        namespace: "b".into(),
        kind: kind.into(),
        of: of.into(),
        after: String::new(),
    };
    for (kind, of) in
        [("plan", ""), ("plan", "team"), ("customer", ""), ("subscription", ""), ("wallet", "acme")]
    {
        let found = other.billing().list_billing_documents(list(kind, of)).await.unwrap().into_inner();
        assert!(found.documents.is_empty(), "{kind}");
    }
    let preview = PreviewInvoiceRequest { namespace: "b".into(), subscription: "sub".into() };
    assert_eq!(other.billing().preview_invoice(preview).await.unwrap_err().code(), Code::NotFound);
    assert_eq!(invoices(&operator, "a", "draft").await.len(), 1);
}
