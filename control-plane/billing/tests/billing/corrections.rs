//! What comes after an invoice was issued: late usage, credit notes, voiding.

use creto_billing::{BillingError, InvoiceDocument, InvoiceState, verify};

use crate::world::{TEAM, World, adds_up, at};

#[tokio::test]
async fn usage_that_comes_late_is_the_difference_on_the_next_invoice() {
    let world = World::new().await;
    world.acme().await;
    world.used("sub", "2026-01-10T00:00:00Z", "ann", "1234.5");
    let january = world.billed("2026-02-01T00:00:00Z").await;
    world.used("sub", "2026-01-20T00:00:00Z", "bo", "1000");
    world.used("sub", "2026-02-05T00:00:00Z", "ann", "3000");
    assert_eq!(world.run("2026-02-15T00:00:00Z").await.waiting, ["sub"]);
    let february = world.billed("2026-03-01T00:00:00Z").await;
    let lines: Vec<(&str, i64, bool)> = february
        .lines
        .iter()
        .map(|line| (line.description.as_str(), line.fee_minor, line.correction))
        .collect();
    assert_eq!(
        lines,
        [("Plan team", 2_000, false), ("tokens", 300, false), ("tokens, late usage", 100, true)]
    );
    assert_eq!(february.lines[2].quantity, "1000");
    // Who came late is who the correction names.
    let bo = february.lines[2].attribution.agents.iter().find(|part| part.name.as_deref() == Some("bo"));
    assert_eq!(bo.unwrap().fee_minor, 100);
    adds_up(&february);
    let kept = world.invoice(&january.id).await;
    assert_eq!(kept.signed().unwrap().document, january, "what was issued did not change");
    assert!(world.run("2026-03-01T00:00:00Z").await.waiting.is_empty(), "billed once");
}

#[tokio::test]
async fn usage_that_makes_a_month_cheaper_is_given_back_by_a_credit_note_that_pays_the_next_invoice() {
    let world = World::new().await;
    world.customer("acme").await;
    let volume =
        r#"{ type = "volume", tiers = [{ from = 0, to = 10, rate = "2" }, { from = 10, rate = "1" }] }"#;
    world.publish(&TEAM.replace("{ type = \"standard\", rate = \"0.001\" }", volume)).await;
    world.subscribed("sub", "acme", "team", "2026-01-01T00:00:00Z").await;
    world.used("sub", "2026-01-10T00:00:00Z", "ann", "10");
    let january = world.billed("2026-02-01T00:00:00Z").await;
    assert_eq!(january.subtotal_minor, 2_000 + 2_000);
    world.used("sub", "2026-01-20T00:00:00Z", "bo", "1");
    let february = world.billed("2026-03-01T00:00:00Z").await;
    // 11 at 1.00 instead of 10 at 2.00: 9.00 and its tax back.
    let notes = world.store.credit_notes(&world.namespace, "acme").await.unwrap();
    assert_eq!((notes.len(), notes[0].document.total_minor, notes[0].document.tax_minor), (1, 1_071, 171));
    assert_eq!((notes[0].document.invoice_number.as_str(), notes[0].left_minor), ("INV-000001", 0));
    assert_eq!((february.total_minor, february.credited_minor, february.due_minor), (2_380, 1_071, 1_309));
    adds_up(&february);
    assert!(world.run("2026-03-02T00:00:00Z").await.waiting.is_empty(), "given back once");
}

#[tokio::test]
async fn a_credit_note_gives_back_a_part_and_never_more_than_is_left() {
    let world = World::new().await;
    world.acme().await;
    world.used("sub", "2026-01-10T00:00:00Z", "ann", "1000");
    let january = world.billed("2026-02-01T00:00:00Z").await;
    assert_eq!(january.lines.iter().map(|line| line.total_minor).collect::<Vec<_>>(), [2_380, 119]);
    let id = january.id.as_str();
    let first = world.given_back(id, 2, 60, "first").await.unwrap();
    assert_eq!((first.document.number.as_str(), first.document.total_minor), ("CN-000001", 60));
    assert_eq!(world.given_back(id, 2, 60, "first").await.unwrap(), first, "the same key gives it once");
    let more = world.given_back(id, 2, 60, "more").await;
    assert!(matches!(more, Err(BillingError::OverCredited { asked: 60, left: 59, .. })), "{more:?}");
    let rest = world.given_back(id, 2, 59, "rest").await.unwrap();
    // In parts or at once, the tax given back is the tax that was asked for.
    assert_eq!(first.document.tax_minor + rest.document.tax_minor, 19);
    assert!(matches!(world.given_back(id, 3, 1, "none").await, Err(BillingError::NotFound { .. })));
    for wrong in [0, -1] {
        assert!(matches!(world.given_back(id, 1, wrong, "wrong").await, Err(BillingError::Invalid { .. })));
    }
    let note: creto_billing::CreditNoteDocument = verify(first.json.as_bytes(), &world.key.public()).unwrap();
    assert_eq!(note, first.document);
    let void = world.store.void(&world.namespace, id, "wrong", at("2026-02-11T00:00:00Z"), "void").await;
    assert!(matches!(void, Err(BillingError::HasCreditNotes(_))), "{void:?}");
}

#[tokio::test]
async fn credit_notes_pay_later_invoices_oldest_first() {
    let world = World::new().await;
    world.acme().await;
    let january = world.billed("2026-02-01T00:00:00Z").await;
    world.given_back(&january.id, 1, 1_500, "a").await.unwrap();
    world.given_back(&january.id, 1, 880, "b").await.unwrap();
    let february = world.billed("2026-03-01T00:00:00Z").await;
    let used: Vec<(&str, i64)> =
        february.credits.iter().map(|credit| (credit.credit_note.as_str(), credit.minor)).collect();
    assert_eq!((used, february.due_minor), (vec![("CN-000001", 1_500), ("CN-000002", 880)], 0));
    assert_eq!(world.invoice(&february.id).await.state(), InvoiceState::Paid, "nothing was left to pay");
    assert_eq!(world.billed("2026-04-01T00:00:00Z").await.due_minor, 2_380);
}

#[tokio::test]
async fn a_voided_invoice_is_issued_again_under_a_new_number() {
    let world = World::new().await;
    let mut customer = world.customer("acme").await;
    world.publish(TEAM).await;
    world.subscribed("sub", "acme", "team", "2026-01-01T00:00:00Z").await;
    world.used("sub", "2026-01-10T00:00:00Z", "ann", "1000");
    let wrong = world.billed("2026-02-01T00:00:00Z").await;
    customer.party.name = "Acme S.A.".into();
    world.store.put_customer(&world.namespace, &customer).await.unwrap();
    world
        .store
        .void(&world.namespace, &wrong.id, "Wrong name", at("2026-02-02T00:00:00Z"), "void")
        .await
        .unwrap();
    let right: InvoiceDocument = world.billed("2026-02-03T00:00:00Z").await;
    assert_eq!((wrong.number.as_str(), right.number.as_str()), ("INV-000001", "INV-000002"));
    assert_eq!((right.customer.name.as_str(), &right.lines), ("Acme S.A.", &wrong.lines));
    assert_eq!(world.invoice(&wrong.id).await.state(), InvoiceState::Void);
    assert!(world.run("2026-02-04T00:00:00Z").await.drafts.is_empty());
    let february = world.billed("2026-03-01T00:00:00Z").await;
    assert_eq!(february.subtotal_minor, 2_000, "nothing of January is billed a third time");
}

#[tokio::test]
async fn splitting_usage_into_what_came_in_time_and_late_changes_no_cent() {
    let events =
        [("01-02", "ann", "333"), ("01-09", "bo", "1717"), ("01-17", "cyd", "5"), ("01-30", "ann", "10001")];
    for late in 0..=events.len() {
        let world = World::new().await;
        world.acme().await;
        let (first, then) = events.split_at(events.len() - late);
        let tell = |part: &[(&str, &str, &str)]| {
            for (day, agent, tokens) in part {
                world.used("sub", &format!("2026-{day}T12:00:00Z"), agent, tokens);
            }
        };
        tell(first);
        let january = world.billed("2026-02-01T00:00:00Z").await;
        tell(then);
        let february = world.billed("2026-03-01T00:00:00Z").await;
        let both = january.total_minor + february.total_minor;
        // 40.00 and 12.056 of tokens, 12.06, with 19 percent: 23.80 twice, less the cent the rounding of January gives.
        let january_whole = 3_206 + 609;
        assert_eq!(both, january_whole + 2_380, "with {late} late");
        let ann = |document: &InvoiceDocument| {
            let parts = document.lines.iter().filter(|line| line.facts.charge.is_some());
            let ann = parts
                .flat_map(|line| &line.attribution.agents)
                .filter(|part| part.name.as_deref() == Some("ann"));
            ann.map(|part| part.fee_minor).sum::<i64>()
        };
        assert_eq!(ann(&january) + ann(&february), 1_034, "ann pays for what ann used, with {late} late");
    }
}

#[tokio::test]
async fn an_invoice_voided_after_the_next_was_issued_is_billed_again_for_its_own_month() {
    let world = World::new().await;
    world.acme().await;
    world.used("sub", "2026-01-10T00:00:00Z", "ann", "1000");
    let january = world.billed("2026-02-01T00:00:00Z").await;
    let february = world.billed("2026-03-01T00:00:00Z").await;
    world
        .store
        .void(&world.namespace, &january.id, "Wrong", at("2026-06-02T00:00:00Z"), "void")
        .await
        .unwrap();
    // Months later, when January has long left the late window.
    let report = world.run("2026-06-02T00:00:00Z").await;
    let again = report.drafts.iter().find(|draft| draft.period == january.period).unwrap();
    let again = world.try_finalize(&again.id, "again", "2026-06-02T00:00:00Z").await.unwrap().document;
    assert_eq!((&again.lines, again.number.as_str()), (&january.lines, "INV-000003"));
    assert_eq!(world.invoice(&february.id).await.signed().unwrap().document, february);
}

#[tokio::test]
async fn late_usage_of_a_subscription_that_ended_is_still_billed() {
    let world = World::new().await;
    world.acme().await;
    world.store.cancel(&world.namespace, "sub", at("2026-01-31T00:00:00Z")).await.unwrap();
    world.billed("2026-02-01T00:00:00Z").await;
    world.used("sub", "2026-01-30T00:00:00Z", "ann", "1000");
    assert_eq!(world.run("2026-02-10T00:00:00Z").await.waiting, ["sub"]);
    let last = world.billed("2026-03-01T00:00:00Z").await;
    assert_eq!((last.subtotal_minor, last.lines.len(), last.lines[0].correction), (100, 1, true));
    assert!(world.run("2026-09-01T00:00:00Z").await.drafts.is_empty());
}

#[tokio::test]
async fn late_usage_of_a_line_that_was_given_back_by_hand_gives_back_only_what_is_left() {
    let world = World::new().await;
    world.customer("acme").await;
    let volume =
        r#"{ type = "volume", tiers = [{ from = 0, to = 10, rate = "2" }, { from = 10, rate = "1" }] }"#;
    world.publish(&TEAM.replace("{ type = \"standard\", rate = \"0.001\" }", volume)).await;
    world.subscribed("sub", "acme", "team", "2026-01-01T00:00:00Z").await;
    world.used("sub", "2026-01-10T00:00:00Z", "ann", "10");
    let january = world.billed("2026-02-01T00:00:00Z").await;
    assert_eq!(january.lines[1].total_minor, 2_380);
    world.given_back(&january.id, 2, 2_000, "goodwill").await.unwrap();
    world.used("sub", "2026-01-20T00:00:00Z", "bo", "1");
    let february = world.billed("2026-03-01T00:00:00Z").await;
    // 10.71 less, but only 3.80 of the line is left.
    assert_eq!(february.credited_minor, 2_380);
    let notes = world.store.credit_notes(&world.namespace, "acme").await.unwrap();
    let totals: Vec<i64> = notes.iter().map(|note| note.document.total_minor).collect();
    assert_eq!(totals, [2_000, 380]);
    assert!(world.run("2026-03-02T00:00:00Z").await.waiting.is_empty(), "and that is settled");
}
