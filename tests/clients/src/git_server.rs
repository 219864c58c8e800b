//! A git server: `git http-backend` behind the test upstream.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use bytes::Bytes;
use creto_test_support::{BufferedRequest, BufferedResponse};
use http::Response;
use tempfile::TempDir;
use tokio::io::AsyncWriteExt;

/// A folder with the bare repository `repo.git`, one commit on branch `main`.
#[derive(Clone)]
pub struct GitServer {
    folder: Arc<TempDir>,
}

impl GitServer {
    /// Makes the repository.
    #[must_use]
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (work, bare) = (folder.path().join("work"), folder.path().join("repo.git"));
        git(folder.path(), &["init", "--quiet", "--initial-branch=main", "work"]);
        std::fs::write(work.join("greeting.txt"), "hello from git\n").unwrap();
        git(&work, &["add", "."]);
        let author = ["-c", "user.name=Creto", "-c", "user.email=creto@creto.test"];
        git(&work, &[&author[..], &["commit", "--quiet", "-m", "A greeting"]].concat());
        git(folder.path(), &["clone", "--quiet", "--bare", "work", "repo.git"]);
        git(&bare, &["config", "http.receivepack", "true"]);
        Self { folder: Arc::new(folder) }
    }

    /// The bare repository.
    #[must_use]
    pub fn repository(&self) -> PathBuf {
        self.folder.path().join("repo.git")
    }

    /// Answers a request under `/git/` by the CGI program (RFC 3875).
    pub async fn answer(self, request: BufferedRequest) -> BufferedResponse {
        let (head, body) = request.into_parts();
        let header =
            |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let mut command = tokio::process::Command::new("git");
        command
            .arg("http-backend")
            .env("GIT_PROJECT_ROOT", self.folder.path())
            .env("GIT_HTTP_EXPORT_ALL", "1")
            .env("REMOTE_USER", "client")
            .env("REQUEST_METHOD", head.method.as_str())
            .env("PATH_INFO", head.uri.path().trim_start_matches("/git"))
            .env("QUERY_STRING", head.uri.query().unwrap_or_default())
            .env("CONTENT_TYPE", header("content-type"))
            .env("HTTP_CONTENT_ENCODING", header("content-encoding"))
            .env("GIT_PROTOCOL", header("git-protocol"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut child = command.spawn().expect("git starts");
        let mut input = child.stdin.take().expect("stdin is a pipe");
        let feed = tokio::spawn(async move { input.write_all(&body).await });
        let output = child.wait_with_output().await.expect("git http-backend runs");
        feed.await.ok();
        cgi_response(&output.stdout)
    }
}

impl Default for GitServer {
    fn default() -> Self {
        Self::new()
    }
}

fn cgi_response(output: &[u8]) -> BufferedResponse {
    let end = output.windows(4).position(|window| window == b"\r\n\r\n").expect("CGI output has a head");
    let mut response = Response::builder();
    for (name, value) in
        String::from_utf8_lossy(&output[..end]).lines().filter_map(|line| line.split_once(": "))
    {
        response = if name.eq_ignore_ascii_case("status") {
            response.status(value.split(' ').next().unwrap_or_default())
        } else {
            response.header(name, value)
        };
    }
    response.body(Bytes::copy_from_slice(&output[end + 4..])).unwrap()
}

fn git(folder: &Path, arguments: &[&str]) {
    let output = Command::new("git").args(arguments).current_dir(folder).output().expect("git starts");
    assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}
