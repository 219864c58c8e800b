//! What a command says when it cannot do what it was asked: what, why, what next.

use std::fmt;

use miette::Diagnostic;

/// Exit codes of `creto`, besides the child's own under `creto run`.
pub mod exit {
    /// It was refused, or failed.
    pub const FAILED: u8 = 1;
    /// The command line cannot be understood (clap's code).
    pub const USAGE: u8 = 2;
    /// `creto run` could not bring its child to run; as `env` and `timeout` have it.
    pub const NOT_STARTED: u8 = 125;
    /// The command of `creto run` is there but cannot be executed.
    pub const NOT_EXECUTABLE: u8 = 126;
    /// The command of `creto run` is not there.
    pub const NOT_FOUND: u8 = 127;
}

/// A failure, told in three sentences.
#[derive(Debug)]
pub struct Failure {
    what: String,
    why: Option<Why>,
    next: Option<String>,
    shown: Option<String>,
    code: u8,
}

#[derive(Debug)]
struct Why(String);

/// What commands return.
pub type Outcome<T = ()> = Result<T, Failure>;

impl Failure {
    /// A failure by what could not be done.
    pub fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), why: None, next: None, shown: None, code: exit::FAILED }
    }

    /// Adds the reason.
    #[must_use]
    pub fn why(mut self, why: impl fmt::Display) -> Self {
        self.why = Some(Why(why.to_string()));
        self
    }

    /// Adds what to do next.
    #[must_use]
    pub fn next(mut self, next: impl Into<String>) -> Self {
        self.next = Some(next.into());
        self
    }

    /// Shows this text, already made for people, in place of the three sentences.
    #[must_use]
    pub fn shown_as(mut self, text: String) -> Self {
        self.shown = Some(text);
        self
    }

    /// The failure for people.
    #[must_use]
    pub fn render(self) -> String {
        match &self.shown {
            Some(text) => text.trim_end().to_owned(),
            None => format!("{:?}", miette::Report::new(self)).trim_end().to_owned(),
        }
    }

    /// Ends the program with this code.
    #[must_use]
    pub fn code(mut self, code: u8) -> Self {
        self.code = code;
        self
    }

    /// Exit code of the program.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        self.code
    }

    /// The failure for programs to read.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        serde_json::json!({"error": {
            "what": self.what,
            "why": self.why.as_ref().map(|why| why.0.clone()),
            "next": self.next,
        }})
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Why {}

impl std::error::Error for Failure {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.why.as_ref().map(|why| why as &(dyn std::error::Error + 'static))
    }
}

impl Diagnostic for Failure {
    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.next.as_ref().map(|next| Box::new(next) as Box<dyn fmt::Display + 'a>)
    }
}
