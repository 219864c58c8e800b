//! The file format: objects, pages and the table that finds them (PDF 32000-1, 7.5). The same input gives the same bytes.

use std::fmt::Write as _;

use super::font::{Face, encoded, width};

/// A4, in thousandths of a point.
pub(super) const PAGE_WIDTH: i64 = 595_276;
/// A4, in thousandths of a point.
pub(super) const PAGE_HEIGHT: i64 = 841_890;

/// Objects before the pages: catalog, page tree, two fonts, information.
const FIXED_OBJECTS: usize = 5;

/// What a page shows. Positions in thousandths of a point from the lower left corner.
#[derive(Debug, Default)]
pub(super) struct Page {
    content: String,
}

fn points(thousandths: i64) -> String {
    let sign = if thousandths < 0 { "-" } else { "" };
    format!("{sign}{}.{:03}", thousandths.abs() / 1_000, thousandths.abs() % 1_000)
}

/// A text as PDF writes it, in ASCII.
fn literal(bytes: &[u8]) -> String {
    let mut text = String::from("(");
    for byte in bytes {
        match byte {
            b'(' | b')' | b'\\' => {
                text.push('\\');
                text.push(char::from(*byte));
            }
            b' '..=b'~' => text.push(char::from(*byte)),
            other => text.push_str(&format!("\\{other:03o}")),
        }
    }
    text.push(')');
    text
}

impl Page {
    /// A text that starts at `x`.
    pub(super) fn text(&mut self, x: i64, y: i64, face: Face, size: i64, text: &str) {
        let font = if face == Face::Bold { "F2" } else { "F1" };
        let text = literal(&encoded(text));
        // Writing to a string does not fail.
        let _ = writeln!(
            self.content,
            "BT /{font} {} Tf {} {} Td {text} Tj ET",
            points(size),
            points(x),
            points(y)
        );
    }

    /// A text that ends at `x`.
    pub(super) fn text_to(&mut self, x: i64, y: i64, face: Face, size: i64, text: &str) {
        let start = x - width(&encoded(text), face, size);
        self.text(start, y, face, size, text);
    }

    /// A thin line.
    pub(super) fn rule(&mut self, from: i64, to: i64, y: i64) {
        let (from, to, y) = (points(from), points(to), points(y));
        let _ = writeln!(self.content, "0.5 w {from} {y} m {to} {y} l S");
    }
}

/// What a file says about itself.
pub(super) struct Facts<'f> {
    pub(super) title: &'f str,
    /// `D:20260201000000Z`.
    pub(super) created: &'f str,
    /// 32 hexadecimal digits.
    pub(super) id: &'f str,
}

/// The file of pages.
pub(super) fn file(pages: &[Page], facts: &Facts<'_>) -> Vec<u8> {
    let kids: Vec<String> = (0..pages.len()).map(|place| format!("{} 0 R", page_object(place))).collect();
    let font = |name: &str| {
        format!("<< /Type /Font /Subtype /Type1 /BaseFont /{name} /Encoding /WinAnsiEncoding >>")
    };
    let mut objects = vec![
        "<< /Type /Catalog /Pages 2 0 R >>".to_owned(),
        format!(
            "<< /Type /Pages /Count {} /Kids [{}] /MediaBox [0 0 {} {}] >>",
            pages.len(),
            kids.join(" "),
            points(PAGE_WIDTH),
            points(PAGE_HEIGHT)
        ),
        font("Helvetica"),
        font("Helvetica-Bold"),
        format!(
            "<< /Title {} /Producer (Creto) /CreationDate ({}) >>",
            literal(&encoded(facts.title)),
            facts.created
        ),
    ];
    for (place, page) in pages.iter().enumerate() {
        let content = page_object(place) + 1;
        objects.push(format!(
            "<< /Type /Page /Parent 2 0 R /Resources << /Font << /F1 3 0 R /F2 4 0 R >> >> /Contents {content} 0 R >>"
        ));
        objects.push(format!("<< /Length {} >>\nstream\n{}endstream", page.content.len(), page.content));
    }
    let mut file = b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n".to_vec();
    let mut table = String::from("0000000000 65535 f \n");
    for (place, object) in objects.iter().enumerate() {
        table.push_str(&format!("{:010} 00000 n \n", file.len()));
        file.extend_from_slice(format!("{} 0 obj\n{object}\nendobj\n", place + 1).as_bytes());
    }
    let (start, size) = (file.len(), objects.len() + 1);
    let id = facts.id;
    let end = format!(
        "xref\n0 {size}\n{table}trailer\n<< /Size {size} /Root 1 0 R /Info 5 0 R /ID [<{id}> <{id}>] >>\n\
         startxref\n{start}\n%%EOF\n"
    );
    file.extend_from_slice(end.as_bytes());
    file
}

const fn page_object(place: usize) -> usize {
    FIXED_OBJECTS + 1 + 2 * place
}
