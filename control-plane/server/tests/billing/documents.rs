//! Documents over the wire.

use creto_proto::v1::*;
use serde_json::{Value, json};
use tonic::Code;

use crate::fixture::plane;
use crate::shop::*;

#[tokio::test]
async fn a_document_is_refused_with_everything_that_is_wrong_and_nothing_of_it_is_kept() {
    let plane = plane().await;
    let operator = plane.operator("a").await;
    let refused = async |kind: &str, document: &Value| {
        let request = PutBillingDocumentRequest {
            namespace: "a".into(),
            kind: kind.into(),
            document: document.to_string(),
        };
        operator.billing().put_billing_document(request).await.unwrap_err()
    };
    let plan = json!({ "code": "Team", "effective_from": "soon", "currency": "EUR", "interval": "monthly", "amounts": 3 });
    let status = refused("plan", &plan).await;
    assert_eq!(status.code(), Code::InvalidArgument);
    for part in ["`code`", "`effective_from`", "`amounts`"] {
        assert!(status.message().contains(part), "{status}");
    }
    let status = refused("customer", &json!({ "id": "acme", "name": "", "curency": "EUR" })).await;
    for part in ["`currency` is missing", "`zone` is missing", "`curency` is no field"] {
        assert!(status.message().contains(part), "{status}");
    }
    let mut settings = settings();
    settings["export_usage"] = json!([{ "event_name": "pages", "meter": "image.rendered" }]);
    settings["terms_days"] = 9_999.into();
    let status = refused("settings", &settings).await;
    assert!(status.message().contains("go together") && status.message().contains("terms_days"), "{status}");
    assert_eq!(refused("invoice", &json!({})).await.code(), Code::InvalidArgument);
    for kind in ["plan", "customer", "settings"] {
        let request =
            ListBillingDocumentsRequest { namespace: "a".into(), kind: kind.into(), ..Default::default() };
        let kept = operator.billing().list_billing_documents(request).await.unwrap().into_inner();
        assert_eq!((kept.documents.len(), kept.next.as_str()), (0, ""), "{kind}");
    }
}

#[tokio::test]
async fn wallets_and_credit_are_kept_and_a_subscription_changes() {
    let plane = plane().await;
    let operator = plane.operator("a").await;
    open(&operator, "a").await;
    let wallet = json!({
        "id": "prepaid", "customer": "acme", "currency": "EUR", "priority": 1, "created_at": months().0.to_string(),
    });
    let credit = json!({
        "id": "top-up", "wallet": "prepaid", "source": "purchased", "priority": 1, "minor": 700,
        "received_at": months().0.to_string(),
    });
    for _ in 0..2 {
        put(&operator, "a", "wallet", &wallet).await;
        put(&operator, "a", "credit", &credit).await;
    }
    let list = async |kind: &str, of: &str| -> Vec<Value> {
        let request = ListBillingDocumentsRequest {
            namespace: "a".into(),
            kind: kind.into(),
            of: of.into(),
            after: String::new(),
        };
        let page = operator.billing().list_billing_documents(request).await.unwrap().into_inner();
        page.documents.iter().map(|text| serde_json::from_str(text).unwrap()).collect()
    };
    let ledger = list("credit", "prepaid").await;
    assert_eq!(
        (ledger.len(), &ledger[0]["minor"], &ledger[0]["movement"]),
        (1, &json!(700), &json!("top_up"))
    );
    assert_eq!(list("wallet", "acme").await[0]["wallet"]["credits"][0]["left"], 700);
    assert_eq!(list("plan", "").await[0]["document"]["plan"]["code"], "team");
    let change = |change| ChangeSubscriptionRequest {
        namespace: "a".into(),
        subscription: "sub".into(),
        change: Some(change),
    };
    let status = change_subscription_request::Change::Status("suspended".into());
    let changed = operator.billing().change_subscription(change(status)).await.unwrap().into_inner().document;
    assert_eq!(serde_json::from_str::<Value>(&changed).unwrap()["status"], "suspended");
    let before = months().0.as_microsecond() - 1;
    let early = change_subscription_request::Change::CancelAtUs(before);
    let refused = operator.billing().change_subscription(change(early)).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition, "{refused}");
    // The wallet pays its part: 23.80 less 7.00.
    let draft = draw_up(&operator, "a").await.drafts[0].id.clone();
    let issued = finalize(&operator, "a", &draft, "k").await.unwrap();
    assert_eq!((issued.total_minor, issued.due_minor), (2_380, 1_680));
    assert_eq!(list("credit", "prepaid").await.len(), 2);
}
