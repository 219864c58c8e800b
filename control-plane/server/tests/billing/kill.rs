//! The real program, killed between drawing up and finalizing.

use std::path::Path;
use std::process::Stdio;

use creto_client::{OperatorClient, PlaneEndpoint};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use crate::fixture::PATIENCE;
use crate::shop::*;

async fn started(data: &Path) -> (Child, PlaneEndpoint, OperatorClient, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_creto-control-plane"));
    command.arg("--data").arg(data).args(["--listen", "127.0.0.1:0"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let line = tokio::time::timeout(3 * PATIENCE, lines.next_line()).await.unwrap().unwrap().unwrap();
    let address = format!("https://{}", line.strip_prefix("listening on ").unwrap());
    let endpoint = PlaneEndpoint { address, ca_pem: std::fs::read_to_string(data.join("ca.pem")).unwrap() };
    let token = std::fs::read_to_string(data.join("operator.token")).unwrap().trim().to_owned();
    let operator = OperatorClient::connect(&endpoint, &token).await.unwrap();
    (child, endpoint, operator, token)
}

#[tokio::test]
async fn drafts_and_invoices_are_there_after_kill_9() {
    let folder = tempfile::tempdir().unwrap();
    let (mut child, endpoint, operator, token) = started(folder.path()).await;
    open(&operator, "a").await;
    render(&endpoint, &token, "a", 1..=100, last_hour()).await;
    // 5,050 units: 5.05, and 20.00; with tax 6.01 and 23.80.
    let drawn = draw_up(&operator, "a").await.drafts;
    assert_eq!(drawn[0].total_minor, 2_981);
    child.kill().await.unwrap();

    let (mut child, _, operator, _) = started(folder.path()).await;
    assert_eq!(invoices(&operator, "a", "draft").await, drawn);
    assert_eq!(draw_up(&operator, "a").await.drafts, drawn, "drawn up again it is the same");
    let issued = finalize(&operator, "a", &drawn[0].id, "k").await.unwrap();
    child.kill().await.unwrap();

    let (_child, _, operator, _) = started(folder.path()).await;
    assert_eq!(finalize(&operator, "a", &drawn[0].id, "k").await.unwrap(), issued);
    assert_eq!(invoices(&operator, "a", "").await, [issued]);
    let mode = std::os::unix::fs::PermissionsExt::mode(
        &std::fs::metadata(folder.path().join("invoice.key")).unwrap().permissions(),
    );
    assert_eq!(mode & 0o777, 0o600);
}
