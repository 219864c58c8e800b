use creto_proto::v1::{CallBegun, CallEnded, CallEntry, Outcome, Verdict, call_entry::Entry};
use creto_store::SqliteStore;

use super::*;

async fn journal() -> (CallJournal, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&folder.path().join("creto.db")).await.unwrap();
    (CallJournal::new(Arc::new(store)), folder)
}

const REPORTER: Reporter<'_> = Reporter { namespace: "a", sidecar_id: "s", agent_name: "one" };

fn begun(sequence: u64) -> CallEntry {
    let begun =
        CallBegun { at_us: 7, verdict: Verdict::Allowed.into(), host: "x".into(), ..CallBegun::default() };
    CallEntry { sequence, entry: Some(Entry::Begun(begun)) }
}

fn ended(sequence: u64, begun_sequence: u64) -> CallEntry {
    let ended = CallEnded { begun_sequence, outcome: Outcome::Completed.into(), ..CallEnded::default() };
    CallEntry { sequence, entry: Some(Entry::Ended(ended)) }
}

fn report(entries: Vec<CallEntry>) -> ReportCallsRequest {
    ReportCallsRequest { spool_epoch: 9, entries }
}

#[tokio::test]
async fn a_follower_sees_a_call_begin_and_end() {
    let (journal, _folder) = journal().await;
    let mut follower = journal.follow(FollowCallsRequest { namespace: "a".into(), filter: None }).unwrap();
    let mut other = journal.follow(FollowCallsRequest { namespace: "b".into(), filter: None }).unwrap();
    journal.report(REPORTER, report(vec![begun(1)])).await.unwrap();
    journal.report(REPORTER, report(vec![ended(2, 1)])).await.unwrap();
    assert!(follower.next().await.unwrap().unwrap().ended.is_none());
    let end = follower.next().await.unwrap().unwrap();
    assert_eq!(end.call_id, "s/0000000000000009/1");
    assert!(end.ended.is_some());
    let heard = tokio::time::timeout(std::time::Duration::from_millis(50), other.next()).await;
    assert!(heard.is_err(), "another namespace hears nothing");
}

#[tokio::test]
async fn a_follower_that_falls_behind_is_told() {
    let (journal, _folder) = journal().await;
    let mut follower = journal.follow(FollowCallsRequest { namespace: "a".into(), filter: None }).unwrap();
    for first in [1, 1001] {
        journal.report(REPORTER, report((first..first + 1000).map(begun).collect())).await.unwrap();
    }
    assert!(matches!(follower.next().await, Err(CallsError::Lagged { missed: 976 })));
}

#[tokio::test]
async fn a_gap_is_refused_with_the_mark() {
    let (journal, _folder) = journal().await;
    assert_eq!(journal.report(REPORTER, report(vec![begun(1)])).await.unwrap().mark, 1);
    let gap = journal.report(REPORTER, report(vec![begun(3)])).await.unwrap_err();
    assert!(gap.to_string().contains("mark of this spool is 1, send from 2"), "{gap}");
}

#[tokio::test]
async fn what_says_nothing_is_refused() {
    let (journal, _folder) = journal().await;
    let nothing = CallEntry { sequence: 1, entry: None };
    let unsaid = CallEntry { sequence: 1, entry: Some(Entry::Begun(CallBegun::default())) };
    for entries in [
        vec![nothing],
        vec![unsaid],
        vec![begun(0)],
        vec![begun(2), begun(1)],
        vec![ended(1, 1)],
        vec![begun(u64::MAX)],
    ] {
        assert!(matches!(journal.report(REPORTER, report(entries)).await, Err(CallsError::Invalid { .. })));
    }
    let many = (1..=1001).map(begun).collect();
    assert!(matches!(journal.report(REPORTER, report(many)).await, Err(CallsError::Invalid { .. })));
}

#[tokio::test]
async fn pages_join() {
    let (journal, _folder) = journal().await;
    journal.report(REPORTER, report((1..=25).map(begun).collect())).await.unwrap();
    let mut request =
        ListCallsRequest { namespace: "a".into(), page_size: 10, ..ListCallsRequest::default() };
    let mut seen = Vec::new();
    loop {
        let page = journal.list(request.clone()).await.unwrap();
        seen.extend(page.calls.into_iter().map(|call| call.call_id));
        if page.next_page_token.is_empty() {
            break;
        }
        request.page_token = page.next_page_token;
    }
    let distinct: std::collections::HashSet<_> = seen.iter().collect();
    assert_eq!((seen.len(), distinct.len()), (25, 25));
    request.page_token = "garbage".into();
    assert!(matches!(journal.list(request).await, Err(CallsError::Invalid { .. })));
}

#[tokio::test]
async fn long_paths_make_shorter_pages() {
    let (journal, _folder) = journal().await;
    for first in [1, 101] {
        let entries = (first..first + 100).map(|sequence| {
            let path = "x".repeat(30_000);
            let begun = CallBegun { verdict: Verdict::Allowed.into(), path, ..CallBegun::default() };
            CallEntry { sequence, entry: Some(Entry::Begun(begun)) }
        });
        journal.report(REPORTER, report(entries.collect())).await.unwrap();
    }
    let mut request =
        ListCallsRequest { namespace: "a".into(), page_size: 1000, ..ListCallsRequest::default() };
    let first = journal.list(request.clone()).await.unwrap();
    assert!(prost::Message::encoded_len(&first) < 4 << 20);
    request.page_token = first.next_page_token;
    let second = journal.list(request).await.unwrap();
    assert_eq!(first.calls.len() + second.calls.len(), 200);
    assert!(second.next_page_token.is_empty());
}
