//! Tools that make many calls for one command: git and pip.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used)]

use creto_test_clients::{Entry, GitServer, Installation, PackageIndex, Program, World};
use creto_test_support::Upstream;

async fn git_calls(entry: Entry) {
    let server = GitServer::new();
    let world = {
        let server = server.clone();
        World::with(Upstream::builder().handle("/git/", move |request| server.clone().answer(request))).await
    };
    let variables = world.environment(entry);
    let folder = tempfile::tempdir().unwrap();
    let clone = folder.path().join("clone");
    let clone_text = clone.display().to_string();
    let git = |arguments: &[&str]| Program::new("git").args(arguments).env("GIT_TERMINAL_PROMPT", "0");

    let url = world.url(entry, "http", "/git/repo.git");
    let ran = git(&["clone", "--quiet", &url, &clone_text]).run(&variables).await;
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    assert_eq!(std::fs::read_to_string(clone.join("greeting.txt")).unwrap(), "hello from git\n");
    world.expect_allowed(entry, "/git/repo.git/git-upload-pack", 200).await;

    std::fs::write(clone.join("answer.txt"), vec![b'x'; 2_000_000]).unwrap();
    let author = ["-C", &clone_text, "-c", "user.name=Creto", "-c", "user.email=creto@creto.test"];
    git(&["-C", &clone_text, "add", "."]).run(&variables).await;
    let ran = git(&[&author[..], &["commit", "--quiet", "-m", "An answer"]].concat()).run(&variables).await;
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    let ran = git(&["-C", &clone_text, "push", "--quiet", "origin", "main"]).run(&variables).await;
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    world.expect_allowed(entry, "/git/repo.git/git-receive-pack", 200).await;
    let bare = server.repository().display().to_string();
    let log = git(&["-C", &bare, "log", "--format=%s", "main"]).run(&[]).await;
    assert_eq!(log.out, "An answer\nA greeting\n");

    let other = folder.path().join("other").display().to_string();
    let url = world.url(entry, "http", "/denied/repo.git");
    let ran = git(&["clone", "--quiet", &url, &other]).run(&variables).await;
    assert_eq!(ran.code, Some(128));
    assert!(ran.err.contains("403"), "{}", ran.err);
    world.expect_denied(entry, "/denied/repo.git/info/refs", "denied").await;
}

async fn pip_calls(entry: Entry) {
    let index = PackageIndex::new();
    let world = {
        let index = index.clone();
        World::with(Upstream::builder().handle("/simple/", move |request| index.clone().answer(request)))
            .await
    };
    let variables = world.environment(entry);
    let folder = tempfile::tempdir().unwrap();
    let dest = |name: &str| folder.path().join(name).display().to_string();
    let pip = |arguments: &[&str]| {
        Program::new(Installation::get().python())
            .args(&[
                "-m",
                "pip",
                "download",
                "--disable-pip-version-check",
                "--no-cache-dir",
                "--no-deps",
                "--retries",
                "0",
            ])
            .args(arguments)
    };
    let url = world.url(entry, "http", "/simple/");
    let ran = pip(&["--dest", &dest("allowed"), "--index-url", &url, "creto-fixture"]).run(&variables).await;
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    let wheel = "creto_fixture-1.0-py3-none-any.whl";
    assert_eq!(std::fs::read(folder.path().join("allowed").join(wheel)).unwrap(), index.wheel());
    world.expect_allowed(entry, "/simple/creto-fixture/", 200).await;
    world.expect_allowed(entry, &format!("/simple/creto-fixture/{wheel}"), 200).await;

    let url = world.url(entry, "http", &format!("/denied/{wheel}"));
    let ran = pip(&["--dest", &dest("refused"), &url]).run(&variables).await;
    assert_eq!(ran.code, Some(1));
    assert!(ran.err.contains("403"), "{}", ran.err);
    world.expect_denied(entry, &format!("/denied/{wheel}"), "denied").await;
}

#[tokio::test]
async fn git_through_connect() {
    git_calls(Entry::Connect).await;
}

#[tokio::test]
async fn git_through_base_url() {
    git_calls(Entry::BaseUrl).await;
}

#[tokio::test]
async fn pip_through_connect() {
    pip_calls(Entry::Connect).await;
}

#[tokio::test]
async fn pip_through_base_url() {
    pip_calls(Entry::BaseUrl).await;
}
