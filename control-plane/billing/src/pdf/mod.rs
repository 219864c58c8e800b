//! Invoices on paper: A4, as many pages as it takes, made from the signed document alone, so that the same invoice is the
//! same bytes wherever and whenever it is printed.

mod font;
mod sheet;
mod writer;

use creto_rating::{Currency, Exact, Moment, Part, Quantity, Zone};
use jiff::Timestamp;
use jiff::tz::TimeZoneDatabase;
use sha2::{Digest as _, Sha256};

use crate::customer::Party;
use crate::invoice::{InvoiceDocument, LineItem, SignedInvoice};
use font::Face::{Bold, Regular};
use sheet::Column::{From, To};
use sheet::{LEFT, RIGHT, Sheet, rows};

/// Lines an invoice prints; the rest is printed as their sum.
pub const MAX_PRINTED_LINES: usize = 5_000;
/// Parts each list of the appendix prints; the rest is printed as their sum.
pub const MAX_PRINTED_PARTS: usize = 2_000;
/// Decimals unit prices are printed with at most.
const PRICE_PLACES: u32 = 8;

/// Columns of the table, in thousandths of a point.
const DESCRIPTION: sheet::Column = From(LEFT, 250_000);
const QUANTITY: sheet::Column = To(390_000);
const UNIT_PRICE: sheet::Column = To(470_000);
const AMOUNT: sheet::Column = To(RIGHT);
const BODY: i64 = 9_000;
const ROW: i64 = 13_000;

/// The invoice as a PDF file.
#[must_use]
pub fn invoice_pdf(signed: &SignedInvoice) -> Vec<u8> {
    let document = &signed.document;
    let mut sheet = Sheet::new();
    head(&mut sheet, document);
    table(&mut sheet, document);
    totals(&mut sheet, document);
    appendix(&mut sheet, document);
    let digest = hex::encode(Sha256::digest(&signed.json));
    let foot =
        format!("{} · {} · SHA-256 of the signed document {digest}", document.issuer.name, document.number);
    let created = timestamp(document.issued_at).strftime("D:%Y%m%d%H%M%SZ").to_string();
    let facts = writer::Facts {
        title: &format!("Invoice {}", document.number),
        created: &created,
        id: digest.get(..32).unwrap_or_default(),
    };
    writer::file(&sheet.finish(&foot), &facts)
}

fn timestamp(moment: Moment) -> Timestamp {
    Timestamp::from_microsecond(moment.micros()).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// The customer's date of an instant.
fn date(moment: Moment, zone: &Zone) -> String {
    let rules = TimeZoneDatabase::bundled().get(zone.name()).unwrap_or(jiff::tz::TimeZone::UTC);
    timestamp(moment).to_zoned(rules).date().to_string()
}

/// The customer's date of the last instant before another.
fn last_date(end: Moment, zone: &Zone) -> String {
    date(Moment::from_micros(end.micros() - 1).unwrap_or(end), zone)
}

/// Minor units in the main unit, with groups of three.
fn money(minor: i64, currency: Currency) -> String {
    let digits = u32::from(currency.digits());
    let text = Exact::from(minor).times_ten_to(-i32::from(currency.digits())).to_decimal(digits);
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let (sign, whole) = whole.strip_prefix('-').map_or(("", whole), |rest| ("-", rest));
    let mut grouped = String::new();
    for (place, digit) in whole.chars().enumerate() {
        if place > 0 && (whole.len() - place).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    let point = if fraction.is_empty() { "" } else { "." };
    format!("{sign}{grouped}{point}{fraction}")
}

/// With the sign of the currency where it is well known, its code elsewhere.
fn marked(minor: i64, currency: Currency) -> String {
    let mark = match currency.code() {
        "EUR" => "€",
        "GBP" => "£",
        "USD" => "$",
        code => &format!("{code} "),
    };
    format!("{mark}{}", money(minor, currency))
}

fn party(sheet: &mut Sheet, party: &Party) {
    sheet.down(ROW + 2_000);
    sheet.put(DESCRIPTION, Bold, 11_000, &party.name);
    let taxes = party.tax_ids.iter().map(|tax| format!("{} {}", tax.kind, tax.value));
    for text in party.address.iter().cloned().chain(taxes) {
        for row in rows(&text, Regular, BODY, RIGHT - LEFT) {
            sheet.down(ROW);
            sheet.put(DESCRIPTION, Regular, BODY, &row);
        }
    }
}

fn head(sheet: &mut Sheet, document: &InvoiceDocument) {
    party(sheet, &document.issuer);
    sheet.down(2 * ROW);
    party(sheet, &document.customer);
    sheet.down(3 * ROW);
    sheet.put(DESCRIPTION, Bold, 18_000, &format!("Invoice {}", document.number));
    sheet.down(ROW);
    let zone = document.period.zone();
    let covered =
        format!("{} to {}", date(document.period.from(), zone), last_date(document.period.to(), zone));
    for (name, value) in [
        ("Issued", date(document.issued_at, zone)),
        ("Due", date(document.due_at, zone)),
        ("Period", format!("{covered} ({zone})")),
        ("Customer", document.customer_id.clone()),
        ("Subscription", document.subscription.clone()),
        ("Currency", document.currency.to_string()),
    ] {
        sheet.down(ROW);
        sheet.put(DESCRIPTION, Regular, BODY, name);
        sheet.put(From(LEFT + 80_000, 0), Regular, BODY, &value);
    }
    sheet.down(ROW);
}

fn table_head(sheet: &mut Sheet) {
    for (column, text) in
        [(DESCRIPTION, "Description"), (QUANTITY, "Quantity"), (UNIT_PRICE, "Unit price"), (AMOUNT, "Amount")]
    {
        sheet.put(column, Bold, BODY, text);
    }
    sheet.rule(LEFT);
    sheet.down(4_000);
}

fn price(digits: &str) -> String {
    let Ok(price) = digits.parse::<Quantity>() else { return digits.to_owned() };
    let text = Exact::from(price).to_decimal(PRICE_PLACES);
    let short = text.trim_end_matches('0').trim_end_matches('.');
    short.to_owned()
}

/// A row of the table; on a new page, below the head again.
fn table_row(sheet: &mut Sheet, height: i64) {
    if sheet.down(height) {
        table_head(sheet);
        sheet.down(height);
    }
}

fn table(sheet: &mut Sheet, document: &InvoiceDocument) {
    let currency = document.currency;
    sheet.down(ROW);
    table_head(sheet);
    for line in document.lines.iter().take(MAX_PRINTED_LINES) {
        print_line(sheet, document, line);
    }
    let rest = document.lines.get(MAX_PRINTED_LINES..).unwrap_or_default();
    if !rest.is_empty() {
        table_row(sheet, ROW);
        sheet.put(DESCRIPTION, Regular, BODY, &format!("{} more lines", rest.len()));
        let sum = rest.iter().fold(0_i64, |sum, line| sum.saturating_add(line.fee_minor));
        sheet.put(AMOUNT, Regular, BODY, &money(sum, currency));
    }
    sheet.rule(LEFT);
}

fn print_line(sheet: &mut Sheet, document: &InvoiceDocument, line: &LineItem) {
    let From(_, most) = DESCRIPTION else { return };
    let mut texts = rows(&format!("{}. {}", line.number, line.description), Regular, BODY, most).into_iter();
    table_row(sheet, ROW);
    sheet.put(DESCRIPTION, Regular, BODY, &texts.next().unwrap_or_default());
    if let Some(unit_price) = &line.unit_price {
        sheet.put(QUANTITY, Regular, BODY, &price(&line.quantity));
        sheet.put(UNIT_PRICE, Regular, BODY, &price(unit_price));
    }
    sheet.put(AMOUNT, Regular, BODY, &money(line.fee_minor, document.currency));
    for text in texts {
        table_row(sheet, 11_000);
        sheet.put(DESCRIPTION, Regular, BODY, &text);
    }
    let zone = document.period.zone();
    let taxes: Vec<String> = line.taxes.iter().map(|tax| format!("{} {}%", tax.code, tax.percent)).collect();
    let from_to = format!("{} to {}", date(line.facts.from, zone), last_date(line.facts.to, zone));
    let details = [from_to].into_iter().chain(taxes).collect::<Vec<_>>().join(" · ");
    table_row(sheet, 10_000);
    sheet.put(DESCRIPTION, Regular, 7_000, &details);
    for (coupon, minor) in &line.reductions {
        table_row(sheet, 10_000);
        sheet.put(DESCRIPTION, Regular, 7_000, &format!("less {coupon}"));
        sheet.put(AMOUNT, Regular, 7_000, &money(-minor, document.currency));
    }
}

fn totals(sheet: &mut Sheet, document: &InvoiceDocument) {
    let currency = document.currency;
    let mut entries = vec![("Subtotal".to_owned(), document.subtotal_minor)];
    if document.reductions_minor != 0 {
        entries.push(("Reductions".to_owned(), -document.reductions_minor));
    }
    entries.extend(document.taxes.iter().map(|tax| (format!("{} {}%", tax.code, tax.percent), tax.minor)));
    entries.push(("Total".to_owned(), document.total_minor));
    let notes =
        document.credits.iter().map(|credit| (format!("Credit note {}", credit.credit_note), -credit.minor));
    entries.extend(notes);
    if document.prepaid_minor != 0 {
        entries.push(("Prepaid credit".to_owned(), -document.prepaid_minor));
    }
    sheet.down(6_000);
    for (name, minor) in entries {
        sheet.down(ROW);
        let face = if name == "Total" { Bold } else { Regular };
        sheet.put(UNIT_PRICE, face, BODY, &name);
        sheet.put(AMOUNT, face, BODY, &money(minor, currency));
    }
    sheet.down(18_000);
    sheet.put(UNIT_PRICE, Bold, 12_000, "Amount due");
    sheet.put(AMOUNT, Bold, 12_000, &marked(document.due_minor, currency));
}

fn appendix(sheet: &mut Sheet, document: &InvoiceDocument) {
    let attribution = &document.attribution;
    if attribution.agents.is_empty() {
        return;
    }
    sheet.new_page();
    sheet.down(ROW);
    sheet.put(DESCRIPTION, Bold, 14_000, "Attribution");
    list(sheet, document, "By agent", &attribution.agents);
    for (dimension, parts) in &attribution.dimensions {
        list(sheet, document, &format!("By {dimension}"), parts);
    }
}

fn list(sheet: &mut Sheet, document: &InvoiceDocument, title: &str, parts: &[Part]) {
    let currency = document.currency;
    sheet.down(2 * ROW);
    sheet.put(DESCRIPTION, Bold, BODY, title);
    sheet.put(UNIT_PRICE, Bold, BODY, "Fee");
    sheet.put(AMOUNT, Bold, BODY, "With tax");
    sheet.rule(LEFT);
    let From(_, most) = DESCRIPTION else { return };
    let mut row = |name: &str, face, (fee, total)| {
        for (place, text) in rows(name, face, BODY, most).iter().enumerate() {
            sheet.down(ROW);
            sheet.put(DESCRIPTION, face, BODY, text);
            if place == 0 {
                sheet.put(UNIT_PRICE, face, BODY, &money(fee, currency));
                sheet.put(AMOUNT, face, BODY, &money(total, currency));
            }
        }
    };
    let sum = |parts: &[Part]| {
        parts.iter().fold((0_i64, 0_i64), |(fee, total), part| {
            (fee.saturating_add(part.fee_minor), total.saturating_add(part.total_minor))
        })
    };
    for part in parts.iter().take(MAX_PRINTED_PARTS) {
        row(part.name.as_deref().unwrap_or("not attributed"), Regular, (part.fee_minor, part.total_minor));
    }
    let rest = parts.get(MAX_PRINTED_PARTS..).unwrap_or_default();
    if !rest.is_empty() {
        row(&format!("{} others", rest.len()), Regular, sum(rest));
    }
    row("Sum", Bold, sum(parts));
}
