//! The approvals page of a control plane: it is on when asked for, refuses networks in the clear, and lets in whom the command line
//! added.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use creto_control_plane::{ControlPlane, Options, StartError};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const PASSWORD: &str = "correct horse battery";

fn people(data: &Path, words: &[&str], input: &str) -> Output {
    let (step, more) = words.split_first().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_creto-control-plane"));
    command.args(["people", step, "--data"]).arg(data).args(more);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

/// Head and body of the answer.
async fn ask(host: &str, head: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(host).await.unwrap();
    let request = format!(
        "{head}\r\nHost: {host}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

/// Whether somebody with this password is let in.
async fn signs_in(host: &str, name: &str, password: &str) -> bool {
    let page = ask(host, "GET /sign-in HTTP/1.1", "").await;
    let between = |before: &str, after: &str| {
        let (_, rest) = page.split_once(before).unwrap();
        rest.split_once(after).unwrap().0.to_owned()
    };
    let cookie = between("set-cookie: ", ";");
    let token = between("name=\"token\" value=\"", "\"");
    let body = format!("token={token}&namespace=default&name={name}&password={}", password.replace(' ', "+"));
    let head = format!(
        "POST /sign-in HTTP/1.1\r\nCookie: {cookie}\r\nOrigin: http://{host}\r\n\
         Content-Type: application/x-www-form-urlencoded"
    );
    ask(host, &head, &body).await.starts_with("HTTP/1.1 303")
}

#[tokio::test(flavor = "multi_thread")]
async fn whom_the_command_line_adds_signs_in_at_once_and_whom_it_disables_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let none = people(&data, &["list"], "");
    assert!(!none.status.success() && String::from_utf8_lossy(&none.stderr).contains("is no folder"));
    let mut options = Options::new(&data);
    options.dashboard_listen = Some("127.0.0.1:0".parse().unwrap());
    let plane = ControlPlane::start(options).await.unwrap();
    let host = plane.dashboard_url().unwrap().strip_prefix("http://").unwrap().to_owned();
    assert!(!signs_in(&host, "bob", PASSWORD).await);
    let added = people(&data, &["add", "bob"], &format!("{PASSWORD}\n"));
    assert!(added.status.success(), "{}", String::from_utf8_lossy(&added.stderr));
    assert!(signs_in(&host, "bob", PASSWORD).await);
    let file = folder.path().join("password");
    std::fs::write(&file, "another horse battery\n").unwrap();
    let changed = people(&data, &["password", "bob", "--password-file", file.to_str().unwrap()], "");
    assert!(changed.status.success(), "{}", String::from_utf8_lossy(&changed.stderr));
    assert!(!signs_in(&host, "bob", PASSWORD).await && signs_in(&host, "bob", "another horse battery").await);
    assert!(people(&data, &["disable", "bob"], "").status.success());
    assert!(!signs_in(&host, "bob", "another horse battery").await);
    let listed = people(&data, &["list"], "");
    assert_eq!(String::from_utf8_lossy(&listed.stdout), "bob\tapprover\tdisabled\n");
    for (words, says) in [
        (&["add", "bob"][..], "has an account"),
        (&["add", "carol", "--role", "viewer"], ""),
        (&["add", "Upper"], "names nobody"),
        (&["add", "x", "--role", "owner"], "is no role"),
        (&["remove", "nobody"], "has no account"),
    ] {
        let done = people(&data, words, &format!("{PASSWORD}\n"));
        let said = String::from_utf8_lossy(&done.stderr).into_owned();
        assert_eq!(done.status.success(), says.is_empty(), "{words:?}: {said}");
        assert!(said.contains(says), "{words:?}: {said}");
    }
    let short = people(&data, &["add", "dave"], "short\n");
    assert!(String::from_utf8_lossy(&short.stderr).contains("12 to 1024 bytes"));
    plane.shutdown().await;
    assert!(TcpStream::connect(&host).await.is_err());
}

#[tokio::test]
async fn there_is_no_page_unless_asked_for_and_none_in_the_clear_for_a_network() {
    let folder = tempfile::tempdir().unwrap();
    let plane = ControlPlane::start(Options::new(folder.path().join("one"))).await.unwrap();
    assert_eq!(plane.dashboard_url(), None);
    plane.shutdown().await;
    let mut options = Options::new(folder.path().join("two"));
    options.dashboard_listen = Some("0.0.0.0:0".parse().unwrap());
    match ControlPlane::start(options.clone()).await {
        Err(error @ StartError::Dashboard(_)) => {
            let said = error.to_string();
            assert!(said.contains("TLS proxy") && said.contains("--dashboard-url"), "{said}");
        }
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("it listens"),
    }
    options.dashboard_url = Some("https://approvals.example.com".to_owned());
    let plane = ControlPlane::start(options).await.unwrap();
    assert_eq!(plane.dashboard_url(), Some("https://approvals.example.com"));
    plane.shutdown().await;
}
