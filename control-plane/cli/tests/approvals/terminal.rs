//! `approve` at a terminal.

use crate::asker::Asker;
use crate::plane::Plane;

const POLICY: &str = "version = 1\nname = \"payments\"\n[[allow]]\nname = \"bank\"\nhost = \"bank.example\"\n[[hold]]\n\
    name = \"transfers\"\nhost = \"bank.example\"\napprovers = [\"first\"]\nwait = \"1h\"\n";

/// Runs the command at a terminal of its own, typing the answers; what it showed, and its exit code.
fn at_a_terminal(plane: &Plane, arguments: &str, answers: &str) -> (String, Option<i32>) {
    let creto = env!("CARGO_BIN_EXE_creto");
    let typed =
        format!("printf '{answers}' | script --quiet --return --command '{creto} {arguments}' /dev/null");
    let output = plane.command("sh").args(["-c", &typed]).output().unwrap();
    (String::from_utf8_lossy(&output.stdout).into_owned(), output.status.code())
}

#[tokio::test]
async fn each_request_is_shown_and_asked_for_and_only_yes_approves() {
    let plane = Plane::start();
    let file = plane.file("payments.toml", POLICY);
    plane.done(&["policy", "apply", &file]);
    let asker = Asker::new(&plane).await;
    let (one, two) = (asker.asks(1, b"one", "").await, asker.asks(2, b"two", "").await);
    let (shown, code) = at_a_terminal(&plane, &format!("approvals approve {one} {two}"), "n\\ny\\n");
    assert_eq!(code, Some(0), "{shown}");
    for part in
        [one.as_str(), two.as_str(), "Approve exactly this? [y/N]", "Digest   sha256:0101", "approved"]
    {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    let state = |id: &str| plane.json(&["approvals", "show", id, "--json"])["state"].clone();
    assert_eq!((state(&one), state(&two)), ("pending".into(), "approved".into()));
    let (shown, code) = at_a_terminal(&plane, &format!("approvals approve {one}"), "\\n");
    assert_eq!(code, Some(1), "{shown}");
    assert_eq!(state(&one), "pending");
}
