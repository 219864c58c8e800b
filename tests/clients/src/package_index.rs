//! A package index with one wheel, the simple API of PEP 503.

use std::process::Command;

use bytes::Bytes;
use creto_test_support::{BufferedRequest, BufferedResponse};
use http::Response;

use crate::installation::Installation;

/// File name of the wheel.
const WHEEL: &str = "creto_fixture-1.0-py3-none-any.whl";

/// An index of the package `creto-fixture`.
#[derive(Clone)]
pub struct PackageIndex {
    wheel: Bytes,
}

impl PackageIndex {
    /// Makes the wheel.
    #[must_use]
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/programs/python/make_wheel.py");
        let status =
            Command::new(Installation::get().python()).arg(script).env("WHERE", folder.path()).status();
        assert!(status.expect("python starts").success());
        Self { wheel: std::fs::read(folder.path().join(WHEEL)).unwrap().into() }
    }

    /// The wheel's bytes.
    #[must_use]
    pub fn wheel(&self) -> &[u8] {
        &self.wheel
    }

    /// Answers a request under `/simple/`.
    pub async fn answer(self, request: BufferedRequest) -> BufferedResponse {
        if request.uri().path().ends_with(".whl") {
            return Response::new(self.wheel);
        }
        let page = format!("<!DOCTYPE html><html><body><a href=\"{WHEEL}\">{WHEEL}</a></body></html>");
        Response::builder().header("content-type", "text/html").body(page.into()).unwrap()
    }
}

impl Default for PackageIndex {
    fn default() -> Self {
        Self::new()
    }
}
