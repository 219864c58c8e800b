//! The real program, killed and starved.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is a test's failure report")]

mod fixture;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use creto_client::{OperatorClient, PlaneEndpoint, SidecarClient};
use creto_proto::v1::{
    CallBegun, CallEnded, CallEntry, CallRecord, ListCallsRequest, Outcome, ReportCallsRequest, Verdict,
    call_entry::Entry,
};
use fixture::{PATIENCE, create_agent, key, sidecar};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tonic::Code;

const PROGRAM: &str = env!("CARGO_BIN_EXE_creto-control-plane");

struct Started {
    child: Child,
    address: String,
}

impl Started {
    async fn over(data: &Path, listen: &str) -> Self {
        let mut command = Command::new(PROGRAM);
        command.arg("--data").arg(data).args(["--listen", listen]);
        Self::of(command).await
    }

    async fn of(mut command: Command) -> Self {
        let mut child =
            command.stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let line = tokio::time::timeout(PATIENCE, lines.next_line()).await.unwrap().unwrap().unwrap();
        let address = line.strip_prefix("listening on ").unwrap().to_owned();
        Self { child, address }
    }

    fn endpoint(&self, data: &Path) -> PlaneEndpoint {
        let ca_pem = std::fs::read_to_string(data.join("ca.pem")).unwrap();
        PlaneEndpoint { address: format!("https://{}", self.address), ca_pem }
    }

    async fn admin(&self, data: &Path) -> OperatorClient {
        let token = std::fs::read_to_string(data.join("operator.token")).unwrap();
        OperatorClient::connect(&self.endpoint(data), &token).await.unwrap()
    }
}

fn begun(sequence: u64, path: &str) -> CallEntry {
    let begun = CallBegun {
        at_us: i64::try_from(sequence).unwrap(),
        verdict: Verdict::Allowed.into(),
        host: "x.test".into(),
        path: path.into(),
        ..CallBegun::default()
    };
    CallEntry { sequence, entry: Some(Entry::Begun(begun)) }
}

fn ended(sequence: u64, begun_sequence: u64) -> CallEntry {
    let ended = CallEnded { begun_sequence, outcome: Outcome::Completed.into(), ..CallEnded::default() };
    CallEntry { sequence, entry: Some(Entry::Ended(ended)) }
}

async fn all_calls(admin: &OperatorClient) -> Vec<CallRecord> {
    let mut request =
        ListCallsRequest { namespace: "a".into(), page_size: 1000, ..ListCallsRequest::default() };
    let mut calls = Vec::new();
    loop {
        let page = admin.calls().list_calls(request.clone()).await.unwrap().into_inner();
        calls.extend(page.calls);
        if page.next_page_token.is_empty() {
            return calls;
        }
        request.page_token = page.next_page_token;
    }
}

#[tokio::test]
async fn what_was_acknowledged_survives_kill_9_and_counts_once() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    let mut plane = Started::over(data, "127.0.0.1:0").await;
    let admin = plane.admin(data).await;
    create_agent(&admin, "a", "one", &key(2), false).await;
    let known = sidecar(&plane.endpoint(data), &admin, "a", "one").await;
    // Odd entries begin a call, the even one after ends it.
    let entry = |sequence: u64| {
        if sequence % 2 == 1 { begun(sequence, "/") } else { ended(sequence, sequence - 1) }
    };
    let (mut acknowledged, mut kills) = (0_u64, 0_u64);
    while kills < 6 {
        let client = SidecarClient::connect(&plane.endpoint(data), &known.enrolled.certificate, &known.seed)
            .await
            .unwrap();
        let delay = Duration::from_millis(15 + 23 * kills);
        let killed = tokio::time::sleep(delay);
        tokio::pin!(killed);
        loop {
            // Each report overlaps what was acknowledged, as one sent again does.
            let first = acknowledged.saturating_sub(5) + 1;
            let request =
                ReportCallsRequest { spool_epoch: 7, entries: (first..first + 40).map(entry).collect() };
            let mut calls = client.calls();
            tokio::select! {
                answer = calls.report_calls(request) => match answer {
                    Ok(answer) => {
                        let mark = answer.into_inner().mark;
                        assert!(mark >= acknowledged, "the mark never goes back");
                        acknowledged = mark;
                    }
                    Err(status) => panic!("{status}"),
                },
                () = &mut killed => break,
            }
        }
        plane.child.start_kill().unwrap();
        plane.child.wait().await.unwrap();
        kills += 1;
        plane = Started::over(data, "127.0.0.1:0").await;
    }
    let client = SidecarClient::connect(&plane.endpoint(data), &known.enrolled.certificate, &known.seed)
        .await
        .unwrap();
    let nothing = ReportCallsRequest { spool_epoch: 7, entries: vec![] };
    let mark = client.calls().report_calls(nothing).await.unwrap().into_inner().mark;
    assert!(mark >= acknowledged, "acknowledged {acknowledged}, kept {mark}");
    assert!(acknowledged > 100, "something was reported: {acknowledged}");
    let mut seen: BTreeMap<u64, (u32, bool)> = BTreeMap::new();
    for call in all_calls(&plane.admin(data).await).await {
        let sequence: u64 = call.call_id.rsplit('/').next().unwrap().parse().unwrap();
        let kept = seen.entry(sequence).or_default();
        kept.0 += 1;
        kept.1 = call.ended.is_some();
    }
    let expected: BTreeMap<_, _> = (1..=mark).step_by(2).map(|begun| (begun, (1, begun < mark))).collect();
    assert_eq!(seen, expected, "every entry up to the mark counts once, and none beyond it");
}

#[tokio::test]
async fn a_signal_stops_it_in_time_and_takes_its_address_back() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    let mut plane = Started::over(data, "127.0.0.1:0").await;
    let told: serde_json::Value =
        serde_json::from_slice(&std::fs::read(data.join("control-plane.json")).unwrap()).unwrap();
    assert_eq!(told["address"], format!("https://{}", plane.address));
    assert_eq!(told["pid"], plane.child.id().unwrap());
    let admin = plane.admin(data).await;
    create_agent(&admin, "a", "one", &key(2), false).await;
    let known = sidecar(&plane.endpoint(data), &admin, "a", "one").await;
    let mut push = known.sync(0, "").await;
    push.applied().await;
    let begun = std::time::Instant::now();
    let pid = rustix::process::Pid::from_raw(i32::try_from(plane.child.id().unwrap()).unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    let status = tokio::time::timeout(Duration::from_secs(6), plane.child.wait()).await.unwrap().unwrap();
    assert!(status.success() && begun.elapsed() < Duration::from_secs(5), "{status} {:?}", begun.elapsed());
    assert!(!data.join("control-plane.json").try_exists().unwrap());
}

#[tokio::test]
async fn a_full_disk_is_told_and_nothing_of_the_report_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    // No file may grow past 68 MiB, a little more than the log of events takes at once: to the program the same as a disk
    // that is full.
    let mut command = Command::new("bash");
    command.args(["-c", "trap '' XFSZ; ulimit -f 69632; exec \"$0\" \"$@\"", PROGRAM]);
    command.arg("--data").arg(&data).args(["--listen", "127.0.0.1:0"]);
    let mut plane = Started::of(command).await;
    let admin = plane.admin(&data).await;
    create_agent(&admin, "a", "one", &key(2), false).await;
    let known = sidecar(&plane.endpoint(&data), &admin, "a", "one").await;
    let path = "x".repeat(2000);
    let mut mark = 0;
    let refused = loop {
        let entries = (mark + 1..=mark + 200).map(|sequence| begun(sequence, &path)).collect();
        let report = ReportCallsRequest { spool_epoch: 7, entries };
        match known.client.calls().report_calls(report).await {
            Ok(answer) => mark = answer.into_inner().mark,
            Err(status) => break status,
        }
        assert!(mark < 100_000, "the limit is reached");
    };
    assert_eq!(refused.code(), Code::Unavailable, "{refused}");
    assert!(refused.message().contains("free space"), "{}", refused.message());
    assert_eq!(u64::try_from(all_calls(&admin).await.len()).unwrap(), mark);
    plane.child.start_kill().unwrap();
    plane.child.wait().await.unwrap();
    // With space again, it goes on where it was.
    let plane = Started::over(&data, "127.0.0.1:0").await;
    let client = SidecarClient::connect(&plane.endpoint(&data), &known.enrolled.certificate, &known.seed)
        .await
        .unwrap();
    let report = ReportCallsRequest { spool_epoch: 7, entries: vec![begun(mark + 1, "/")] };
    assert_eq!(client.calls().report_calls(report).await.unwrap().into_inner().mark, mark + 1);
}

#[tokio::test]
async fn a_second_program_over_the_same_folder_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let _first = Started::over(folder.path(), "127.0.0.1:0").await;
    let second = Command::new(PROGRAM)
        .arg("--data")
        .arg(folder.path())
        .args(["--listen", "127.0.0.1:0"])
        .output()
        .await
        .unwrap();
    assert!(!second.status.success());
    let log = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(log.contains("another control plane runs over"), "{log}");
}
