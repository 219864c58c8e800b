//! Running a client program.

use std::path::{Path, PathBuf};
use std::time::Duration;

use creto_test_support::within;
use tokio::process::Command;

use crate::installation::Installation;

/// How long a program may take.
const RUN: Duration = Duration::from_secs(60);

/// A program with its arguments and its own variables.
#[derive(Clone)]
pub struct Program {
    path: PathBuf,
    arguments: Vec<String>,
    variables: Vec<(String, String)>,
}

/// What a program did.
pub struct Ran {
    /// Exit code.
    pub code: Option<i32>,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl Program {
    /// A program on `PATH` or by path.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), arguments: Vec::new(), variables: Vec::new() }
    }

    /// With arguments.
    #[must_use]
    pub fn args(mut self, arguments: &[&str]) -> Self {
        self.arguments.extend(arguments.iter().map(|argument| (*argument).to_owned()));
        self
    }

    /// With a variable.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl Into<String>) -> Self {
        self.variables.push((name.to_owned(), value.into()));
        self
    }

    /// Runs it in an environment of `variables`, `PATH` and an empty home; panics when it hangs.
    pub async fn run(&self, variables: &[(String, String)]) -> Ran {
        let home = tempfile::tempdir().unwrap();
        let mut command = Command::new(&self.path);
        command.args(&self.arguments).env_clear();
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("HOME", home.path());
        command.envs(variables.iter().map(|(name, value)| (name, value)));
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command.current_dir(home.path()).stdin(std::process::Stdio::null()).kill_on_drop(true);
        let what = format!("{} {:?}", self.path.display(), self.arguments);
        let output = within(RUN, &what, command.output()).await;
        let output = output.unwrap_or_else(|e| panic!("{what} cannot be started: {e}"));
        Ran {
            code: output.status.code(),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

impl Ran {
    /// Its last line of output as JSON; panics with its errors when it failed.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        assert_eq!(self.code, Some(0), "the program failed\nout: {}\nerr: {}", self.out, self.err);
        let line = self.out.trim().lines().last().unwrap_or_default();
        serde_json::from_str(line)
            .unwrap_or_else(|e| panic!("no JSON ({e})\nout: {}\nerr: {}", self.out, self.err))
    }
}

/// `programs/python/NAME.py` in the virtual environment.
#[must_use]
pub fn python_program(name: &str) -> Program {
    let installation = Installation::get();
    Program::new(installation.python())
        .args(&[&source("python", &format!("{name}.py"))])
        .env("PYTHONPATH", installation.stubs().display().to_string())
        .env("PYTHONDONTWRITEBYTECODE", "1")
}

/// `programs/node/NAME.mjs` on a Node of the caller's choice.
#[must_use]
pub fn node_program(node: &Path, name: &str) -> Program {
    let modules = Installation::get().node_modules();
    Program::new(node)
        .args(&[&source("node", &format!("{name}.mjs"))])
        .env("NODE_PATH", modules.display().to_string())
}

fn source(language: &str, file: &str) -> String {
    format!("{}/programs/{language}/{file}", env!("CARGO_MANIFEST_DIR"))
}
