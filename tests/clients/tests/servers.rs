//! The git server and the package index work without a proxy.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used)]

use creto_test_clients::{GitServer, Installation, PackageIndex, Program};
use creto_test_support::Upstream;

#[tokio::test]
async fn git_clones_and_pip_downloads_straight_from_the_upstream() {
    let (server, index) = (GitServer::new(), PackageIndex::new());
    let upstream = Upstream::builder()
        .plain()
        .handle("/git/", move |request| server.clone().answer(request))
        .handle("/simple/", move |request| index.clone().answer(request))
        .start()
        .await;
    let folder = tempfile::tempdir().unwrap();
    let clone = folder.path().join("clone");
    let url = upstream.url("/git/repo.git");
    let ran =
        Program::new("git").args(&["clone", "--quiet", &url, &clone.display().to_string()]).run(&[]).await;
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    assert_eq!(std::fs::read_to_string(clone.join("greeting.txt")).unwrap(), "hello from git\n");
    let ran = Program::new(Installation::get().python())
        .args(&["-m", "pip", "download", "--no-deps", "--dest", &folder.path().display().to_string()])
        .args(&["--index-url", &upstream.url("/simple/"), "creto-fixture"])
        .run(&[])
        .await;
    assert_eq!(ran.code, Some(0), "{}", ran.err);
    assert!(folder.path().join("creto_fixture-1.0-py3-none-any.whl").is_file());
}
