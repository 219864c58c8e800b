//! Pages filled from top to bottom; a new one when there is no room.

use super::font::{Face, encoded, width};
use super::writer::{PAGE_HEIGHT, PAGE_WIDTH, Page};

/// Space around, in thousandths of a point.
const MARGIN: i64 = 50_000;
/// The left edge of what is printed.
pub(super) const LEFT: i64 = MARGIN;
/// The right edge.
pub(super) const RIGHT: i64 = PAGE_WIDTH - MARGIN;
/// Where footers stand.
const FOOT: i64 = 30_000;

/// What a column is: where it starts or ends.
#[derive(Clone, Copy, Debug)]
pub(super) enum Column {
    /// Starts at, and is this wide at most: longer texts go on in the next row.
    From(i64, i64),
    /// Ends at.
    To(i64),
}

pub(super) struct Sheet {
    pages: Vec<Page>,
    y: i64,
}

impl Sheet {
    pub(super) fn new() -> Self {
        Self { pages: vec![Page::default()], y: PAGE_HEIGHT - MARGIN }
    }

    pub(super) fn new_page(&mut self) {
        self.pages.push(Page::default());
        self.y = PAGE_HEIGHT - MARGIN;
    }

    /// Moves down by `height`, to a new page when that is below the margin. `true` when there is a new page.
    pub(super) fn down(&mut self, height: i64) -> bool {
        let full = self.y - height < MARGIN + FOOT;
        if full {
            self.new_page();
        }
        self.y -= height;
        full
    }

    /// Prints on the current row.
    pub(super) fn put(&mut self, column: Column, face: Face, size: i64, text: &str) {
        let y = self.y;
        if let Some(page) = self.pages.last_mut() {
            match column {
                Column::From(x, _) => page.text(x, y, face, size, text),
                Column::To(x) => page.text_to(x, y, face, size, text),
            }
        }
    }

    pub(super) fn rule(&mut self, from: i64) {
        let y = self.y - 3_000;
        if let Some(page) = self.pages.last_mut() {
            page.rule(from, RIGHT, y);
        }
    }

    /// Pages with `left` and their number at the foot of each.
    pub(super) fn finish(mut self, left: &str) -> Vec<Page> {
        let count = self.pages.len();
        for (place, page) in self.pages.iter_mut().enumerate() {
            page.text(LEFT, FOOT, Face::Regular, 7_000, left);
            page.text_to(RIGHT, FOOT, Face::Regular, 7_000, &format!("Page {} of {count}", place + 1));
        }
        self.pages
    }
}

/// A text in rows no wider than `most`, broken at spaces where there are any.
pub(super) fn rows(text: &str, face: Face, size: i64, most: i64) -> Vec<String> {
    let fits = |text: &str| width(&encoded(text), face, size) <= most;
    let mut rows = Vec::new();
    let mut row = String::new();
    for word in text.split(' ') {
        let longer = if row.is_empty() { word.to_owned() } else { format!("{row} {word}") };
        if fits(&longer) {
            row = longer;
            continue;
        }
        if !row.is_empty() {
            rows.push(std::mem::take(&mut row));
        }
        for character in word.chars() {
            let longer = format!("{row}{character}");
            if !fits(&longer) && !row.is_empty() {
                rows.push(std::mem::take(&mut row));
                row.push(character);
            } else {
                row = longer;
            }
        }
    }
    rows.push(row);
    rows
}
