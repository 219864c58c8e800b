//! The real program, killed between any two steps and in the middle of them.

use std::path::Path;
use std::process::Stdio;

use creto_client::{OperatorClient, PlaneEndpoint, SidecarClient};
use creto_proto::v1::end_approval_request::End;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use crate::fixture::*;
use crate::world::*;

struct Started {
    child: Child,
    endpoint: PlaneEndpoint,
    admin: OperatorClient,
}

async fn started(data: &Path) -> Started {
    let mut command = Command::new(env!("CARGO_BIN_EXE_creto-control-plane"));
    command.arg("--data").arg(data).args(["--listen", "127.0.0.1:0"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let line = tokio::time::timeout(3 * PATIENCE, lines.next_line()).await.unwrap().unwrap().unwrap();
    let address = format!("https://{}", line.strip_prefix("listening on ").unwrap());
    let endpoint = PlaneEndpoint { address, ca_pem: std::fs::read_to_string(data.join("ca.pem")).unwrap() };
    let token = std::fs::read_to_string(data.join("operator.token")).unwrap();
    let admin = OperatorClient::connect(&endpoint, &token).await.unwrap();
    Started { child, endpoint, admin }
}

/// Kills it with SIGKILL, starts it again, and connects whoever was connected.
async fn killed(mut plane: Started, data: &Path, asker: Asker) -> (Started, Asker) {
    plane.child.kill().await.unwrap();
    let plane = started(data).await;
    let certificate = &asker.sidecar.enrolled.certificate;
    let client = SidecarClient::connect(&plane.endpoint, certificate, &asker.sidecar.seed).await.unwrap();
    (plane, Asker { sidecar: Sidecar { client, ..asker.sidecar }, ..asker })
}

#[tokio::test]
async fn kill_9_between_any_two_steps_loses_nothing_and_gives_nothing_twice() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    let plane = started(data).await;
    let (payer, _) = set_up(&plane.endpoint, &plane.admin).await;
    let token = person_token(&plane).await;
    let id = payer.ask(1).await.unwrap().id;

    let (plane, payer) = killed(plane, data, payer).await;
    let again = payer.ask(1).await.unwrap();
    assert!(again.joined && again.id == id);
    let bob = OperatorClient::connect(&plane.endpoint, &token).await.unwrap();
    decided(&bob, &id, 1, "approve").await.unwrap();

    let (plane, payer) = killed(plane, data, payer).await;
    assert_eq!(payer.ask(1).await.unwrap().state, "approved");
    payer.take(&id, 1).await.unwrap();

    let (plane, payer) = killed(plane, data, payer).await;
    assert!(payer.take(&id, 1).await.unwrap_err().message().contains("all 1 uses"));
    assert_eq!(get(&plane.admin, &id).await.state, "executing");
    payer.end(&id, 1, End::Answered(200)).await.unwrap();

    let (plane, payer) = killed(plane, data, payer).await;
    payer.end(&id, 1, End::Answered(200)).await.unwrap();
    let shown = get(&plane.admin, &id).await;
    assert_eq!((shown.state.as_str(), shown.uses.len(), shown.version), ("executed", 1, 4));
    let mode = std::os::unix::fs::PermissionsExt::mode(
        &std::fs::metadata(data.join("approval.key")).unwrap().permissions(),
    );
    assert_eq!(mode & 0o777, 0o600);
}

#[tokio::test]
async fn kill_9_in_the_middle_of_many_takes_gives_no_use_twice() {
    const CALLS: u8 = 60;
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    let mut plane = started(data).await;
    let (mut payer, _) = set_up(&plane.endpoint, &plane.admin).await;
    let token = person_token(&plane).await;
    let mut ids = Vec::new();
    for digest in 0..CALLS {
        ids.push(payer.ask(digest).await.unwrap().id);
    }
    let bob = OperatorClient::connect(&plane.endpoint, &token).await.unwrap();
    let all = ids.iter().zip(0..).map(|(id, digest)| decision(id, digest, "approve"));
    let answers = decide(&bob, all.collect()).await.unwrap();
    assert!(answers.iter().all(|answer| answer.state == "approved"), "{answers:?}");
    let mut given = vec![0; usize::from(CALLS)];
    for round in 0..4_u64 {
        let mut taking = tokio::task::JoinSet::new();
        for (id, digest) in ids.iter().cloned().zip(0_u8..) {
            let client = payer.sidecar.client.clone();
            taking.spawn(async move {
                let call = format!("call-{round}");
                (digest, take(&client, &id, digest, &call).await.is_ok())
            });
        }
        // Killed while the others are under way.
        let mut answered = 0;
        while answered < 5
            && let Some(took) = taking.join_next().await
        {
            let (digest, taken) = took.unwrap();
            given[usize::from(digest)] += u32::from(taken);
            answered += u32::from(taken);
        }
        (plane, payer) = killed(plane, data, payer).await;
        for (digest, taken) in taking.join_all().await {
            given[usize::from(digest)] += u32::from(taken);
        }
    }
    assert!(given.iter().all(|times| *times <= 1), "{given:?}");
    let mut kept = 0;
    for (id, times) in ids.iter().zip(&given) {
        let shown = get(&plane.admin, id).await;
        // What was given is kept; what is kept may not have reached the one who asked, and is then not given again.
        assert!(shown.uses.len() as u32 >= *times && shown.uses.len() <= 1, "{shown:?}");
        kept += shown.uses.len();
    }
    eprintln!("{} uses given, {kept} kept", given.iter().sum::<u32>());
    assert!(kept >= 20);
}

async fn person_token(plane: &Started) -> String {
    let request =
        creto_proto::v1::CreateOperatorTokenRequest { namespace: SPACE.into(), name: "bob".into(), role: 0 };
    plane.admin.operator_tokens().create_operator_token(request).await.unwrap().into_inner().token
}
