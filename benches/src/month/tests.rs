//! The month, small enough for every run of the tests.

use super::{billed, differences};
use crate::report::Report;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_small_month_comes_to_the_same_in_sql() {
    let folder = tempfile::tempdir().unwrap();
    let mut report = Report::new("month");
    let billed = billed(&mut report, folder.path(), 60_000).await.unwrap();
    let differences = differences(&mut report, billed, 60_000).await.unwrap();
    assert!(differences.is_empty(), "{differences}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_line_that_says_anything_else_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let mut report = Report::new("month");
    let mut billed = billed(&mut report, folder.path(), 3_000).await.unwrap();
    let mut lines: Vec<String> = billed.lines.lines().map(str::to_owned).collect();
    // The tax of one line a minor unit more, and another line gone.
    let mut fields: Vec<String> = lines[0].split('\t').map(str::to_owned).collect();
    let tax: i64 = fields[13].parse().unwrap();
    fields[13] = (tax + 1).to_string();
    lines[0] = fields.join("\t");
    lines.remove(1);
    billed.lines = lines.join("\n") + "\n";
    let differences = differences(&mut report, billed, 3_000).await.unwrap();
    assert_eq!(differences.lines().count(), 2, "{differences}");
}
