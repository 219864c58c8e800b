//! Invoices on paper, read back by a reader of PDF that is not ours.

use std::process::Command;

use creto_billing::{SignedInvoice, invoice_pdf};

use crate::world::{TEAM, World};

/// The text of a PDF file, page by page, as poppler reads it.
fn read(pdf: &[u8], world: &World) -> Vec<String> {
    let path = world.folder().join("invoice.pdf");
    std::fs::write(&path, pdf).unwrap();
    let output = Command::new("pdftotext")
        .args(["-layout", "-enc", "UTF-8"])
        .arg(&path)
        .arg("-")
        .output()
        .expect("pdftotext is missing: install poppler-utils");
    assert!(
        output.status.success() && output.stderr.is_empty(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8(output.stdout).unwrap();
    text.split_terminator('\u{c}').map(str::to_owned).collect()
}

/// The last word of the first row that starts with `label`.
fn amount<'t>(text: &'t str, label: &str) -> &'t str {
    let row = text.lines().find(|row| row.trim_start().starts_with(label));
    row.and_then(|row| row.split_whitespace().last()).unwrap_or_else(|| panic!("no row {label} in:\n{text}"))
}

async fn signed(world: &World) -> SignedInvoice {
    let report = world.run("2026-02-01T00:00:00Z").await;
    world.try_finalize(&report.drafts[0].id, "key", "2026-02-01T00:00:00Z").await.unwrap()
}

#[tokio::test]
async fn a_reader_finds_the_totals_the_accents_and_the_euro_sign() {
    let world = World::new().await;
    world.acme().await;
    world.topped_up(1_000).await;
    world.used("sub", "2026-01-10T00:00:00Z", "ann (München)", "1234567.5");
    let signed = signed(&world).await;
    let pages = read(&invoice_pdf(&signed), &world);
    let (first, text) = (&pages[0], pages.join("\n"));
    for expected in [
        "Creto GmbH",
        "Hauptstraße 1",
        "Société acme Lódz",
        "12 rue de l’Église",
        "Invoice INV-000001",
        "2026-01-01 to 2026-01-31 (UTC)",
        "ann (München)",
        "Page 1 of 2",
        "Page 2 of 2",
    ] {
        assert!(text.contains(expected), "{expected} is not in:\n{text}");
    }
    let document = &signed.document;
    assert_eq!((document.subtotal_minor, document.tax_minor, document.due_minor), (125_457, 23_837, 148_294));
    let found =
        ["Subtotal", "vat 19%", "Total", "Prepaid credit", "Amount due"].map(|label| amount(first, label));
    assert_eq!(found, ["1,254.57", "238.37", "1,492.94", "-10.00", "€1,482.94"]);
    assert_eq!(amount(&pages[1], "Sum"), "1,492.94", "the appendix adds up to the total");
    assert_eq!(amount(first, "2. tokens"), "1,234.57");
}

#[tokio::test]
async fn the_same_invoice_is_the_same_bytes() {
    let world = World::new().await;
    world.acme().await;
    let signed = signed(&world).await;
    let kept = world.invoice(&signed.document.id).await;
    assert_eq!(invoice_pdf(&signed), invoice_pdf(kept.signed().unwrap()));
}

#[tokio::test]
async fn a_long_invoice_takes_more_pages_and_prints_every_line_once() {
    let world = World::new().await;
    world.customer("acme").await;
    world
        .publish(
            &TEAM
                .replace("attribute_by = [\"model\"]", "attribute_by = [\"model\"]\ngroup_by = [\"tokens\"]"),
        )
        .await;
    world.subscribed("sub", "acme", "team", "2026-01-01T00:00:00Z").await;
    for place in 1..=150 {
        world.used(
            "sub",
            "2026-01-10T00:00:00Z",
            &format!("agent-{place:03}"),
            &format!("{}", place * 1_000),
        );
    }
    let signed = signed(&world).await;
    let pages = read(&invoice_pdf(&signed), &world);
    let text = pages.join("\n");
    assert!(pages.len() > 5, "{} pages", pages.len());
    for (place, page) in pages.iter().enumerate() {
        let number = format!("Page {} of {}", place + 1, pages.len());
        assert_eq!(page.matches("Page ").count(), 1);
        assert!(page.contains(&number), "{number} is not on its page");
    }
    for line in &signed.document.lines {
        let label = format!("{}. {}", line.number, line.description);
        assert_eq!(
            text.matches(&format!(" {label}")).count() + text.matches(&format!("\n{label}")).count(),
            1,
            "{label}"
        );
    }
    for place in 1..=150 {
        assert_eq!(text.matches(&format!("agent-{place:03}")).count(), 1);
    }
}
