//! What a test's clients saw, to be held against what is on record.

use std::collections::{BTreeMap, BTreeSet};

use creto_proto::v1::{CallRecord, Outcome, Verdict};
use creto_test_support::{Answer, Plane, Sidecar, Upstream, eventually};
use parking_lot::Mutex;

use crate::traffic::call;

/// A call as its client saw it.
#[derive(Clone, Debug)]
pub struct Made {
    /// Status of the answer; none when no status line came.
    pub status: Option<u16>,
    /// Code of the refusal; empty if there was none.
    pub refusal: String,
    /// Of a refusal, the id under which it is on record.
    pub call_id: String,
    /// Whether the answer's body came whole.
    pub whole: bool,
}

/// Every call made, by its path: no two have the same.
#[derive(Default)]
pub struct Journal {
    made: Mutex<BTreeMap<String, Made>>,
}

impl Journal {
    pub(crate) fn note(&self, path: &str, answer: Option<&Answer>) {
        let made = Made {
            status: answer.map(|answer| answer.status),
            refusal: answer.map(Answer::refusal).unwrap_or_default(),
            call_id: answer.map(|answer| answer.header("creto-call-id")).unwrap_or_default(),
            whole: answer.is_some_and(|answer| answer.broke.is_none()),
        };
        let before = self.made.lock().insert(path.to_owned(), made);
        assert!(before.is_none(), "the test made two calls to {path}");
    }

    /// All calls so far.
    #[must_use]
    pub fn made(&self) -> BTreeMap<String, Made> {
        self.made.lock().clone()
    }

    /// Every call here was answered, by the upstream or by the policy's refusal of its secrets: nothing else.
    pub fn assert_the_policy_held(&self) {
        for (path, made) in self.made() {
            let (status, code) =
                if path.starts_with("/echo/secret/") { (403, "rule_denies") } else { (200, "") };
            assert_eq!((made.status, made.refusal.as_str()), (Some(status), code), "{path}: {made:?}");
        }
    }

    /// Waits until the calls are on record, and holds the record against what the clients saw:
    /// every answered call exactly once, with its status; every call that reached the upstream at all, and none twice;
    /// nothing that was not made; everything ended. Then makes one more call, whose sequence tells that no entry is
    /// missing or doubled. Gives the records.
    ///
    /// Calls refused for want of a place for the record are not on record, and must not be.
    pub async fn assert_on_record(
        &self,
        plane: &Plane,
        sidecar: &Sidecar,
        upstream: &Upstream,
    ) -> BTreeMap<String, CallRecord> {
        let made = self.made();
        let answered: BTreeSet<&str> = made
            .iter()
            .filter(|(_, made)| made.status.is_some() && made.refusal != "record_unavailable")
            .map(|(path, _)| path.as_str())
            .collect();
        let told = Mutex::new(String::new());
        let calls = eventually("every answered call is on record and ended", || {
            let (answered, told) = (&answered, &told);
            async move {
                let calls = plane.calls().await;
                let paths: BTreeSet<&str> = calls.iter().map(path_of).collect();
                let open = calls.iter().filter(|call| call.ended.is_none()).count();
                let absent = answered.difference(&paths).count();
                let now = format!("{absent} missing, {open} without an end");
                if now != *told.lock() {
                    println!("of {} answered calls {now}", answered.len());
                    *told.lock() = now;
                }
                (absent == 0 && open == 0).then_some(calls)
            }
        })
        .await;

        let ids: BTreeSet<&str> = calls.iter().map(|call| call.call_id.as_str()).collect();
        assert_eq!(ids.len(), calls.len(), "a call id is on record twice");
        let mut by_path = BTreeMap::new();
        for call in calls {
            let path = path_of(&call).to_owned();
            let Some(made) = made.get(&path) else { panic!("on record, but nobody called: {call:?}") };
            assert_ne!(made.refusal, "record_unavailable", "said to be without a record: {call:?}");
            assert_agrees(made, &call);
            if let Some(twice) = by_path.insert(path, call) {
                panic!("made once, on record twice: {twice:?}");
            }
        }
        for path in made.keys() {
            let forwarded = upstream.count(path);
            assert!(forwarded <= 1, "{path} was forwarded {forwarded} times");
            assert!(forwarded == 0 || by_path.contains_key(path), "{path} was forwarded without a record");
        }

        // Each call is two entries: its beginning and its end.
        let last = "/echo/open/last-of-all";
        call(&sidecar.http_agent(), self, last).await.expect("one more call");
        let one_more = plane.wait_for_ended(last).await;
        assert_eq!(sequence_of(&one_more), 2 * by_path.len() as u64 + 1, "the sequence has gaps or doubles");
        by_path
    }
}

fn path_of(call: &CallRecord) -> &str {
    call.begun.as_ref().map(|begun| begun.path.as_str()).unwrap_or_default()
}

/// From "<sidecar id>/<spool epoch>/<sequence>".
fn sequence_of(call: &CallRecord) -> u64 {
    call.call_id.rsplit('/').next().unwrap().parse().unwrap()
}

fn assert_agrees(made: &Made, call: &CallRecord) {
    let (Some(begun), Some(ended)) = (&call.begun, &call.ended) else { panic!("not whole: {call:?}") };
    let told = format!("the client saw {made:?}, on record is {call:?}");
    if !made.call_id.is_empty() {
        assert_eq!(made.call_id, call.call_id, "{told}");
    }
    let Some(status) = made.status else { return };
    assert_eq!(begun.code, made.refusal, "{told}");
    let verdict = if made.refusal.is_empty() { Verdict::Allowed } else { Verdict::Denied };
    assert_eq!(begun.verdict(), verdict, "{told}");
    match ended.outcome() {
        // What the client saw of it died with the sidecar.
        Outcome::Ambiguous => {}
        _ => assert_eq!(ended.status, u32::from(status), "{told}"),
    }
}
