//! Names of the tools that a model is offered.

use crate::{BodyProblem, json::Text};

/// Most names of tools in one call.
pub(crate) const MAX_TOOLS: usize = 4_096;
/// Longest name of a tool, in bytes.
pub(crate) const MAX_TOOL_NAME: usize = 1_024;

/// How the types of tools begin that the caller runs, whoever described them.
const CALLERS: [&str; 11] = [
    "function",
    "custom",
    "namespace",
    "bash_",
    "text_editor_",
    "computer",
    "memory_",
    "local_shell",
    "shell",
    "apply_patch",
    "default",
];

/// One entry of a list of tools, while it is read.
#[derive(Debug, Default)]
pub(crate) struct Entry {
    /// Names that the entry gives itself or the functions in it.
    pub(crate) names: Vec<String>,
    /// Its `type`: the name of a tool of the provider's own, when it has no other.
    pub(crate) kind: Option<String>,
    /// Its keys that are not known: Gemini's own tools (`googleSearch`).
    pub(crate) keys: Vec<String>,
}

impl Entry {
    /// What the caller runs says so, or has a name and no type.
    fn is_providers_own(&self) -> bool {
        let is_callers = |kind: &str| CALLERS.iter().any(|start| kind.starts_with(start));
        !self.keys.is_empty() || self.kind.as_deref().is_some_and(|kind| !is_callers(kind))
    }
}

/// What all entries say.
#[derive(Debug, Default)]
pub(crate) struct Tools {
    names: Vec<String>,
    open: Vec<Entry>,
    read: usize,
    /// One of them is run by the provider.
    providers_own: bool,
}

impl Tools {
    pub(crate) fn begin(&mut self) {
        self.open.push(Entry::default());
    }

    pub(crate) fn end(&mut self) -> Result<(), BodyProblem> {
        let entry = self.open.pop();
        self.providers_own |= entry.as_ref().is_some_and(Entry::is_providers_own);
        match entry {
            Some(Entry { kind: Some(kind), names, .. }) if names.is_empty() => {
                self.one_more()?;
                self.names.push(kind);
            }
            Some(Entry { kind: Some(_), names, .. }) => self.names.extend(names),
            Some(Entry { kind: None, names, keys }) => {
                self.names.extend(names);
                self.names.extend(keys);
            }
            None => {}
        }
        Ok(())
    }

    pub(crate) fn name(&mut self, text: Text<'_>) -> Result<(), BodyProblem> {
        self.one_more()?;
        let name = read(text)?;
        match self.open.last_mut() {
            Some(entry) => entry.names.push(name),
            None => self.names.push(name),
        }
        Ok(())
    }

    pub(crate) fn kind(&mut self, text: Text<'_>) -> Result<(), BodyProblem> {
        if let Some(entry) = self.open.last_mut() {
            entry.kind = Some(read(text)?);
        }
        Ok(())
    }

    /// A tool that is named by its key; `google_search` and `googleSearch` are one.
    pub(crate) fn key(&mut self, key: &str) -> Result<(), BodyProblem> {
        self.one_more()?;
        if key.len() > MAX_TOOL_NAME {
            return Err(too_long());
        }
        if let Some(entry) = self.open.last_mut() {
            entry.keys.push(camel_case(key));
        }
        Ok(())
    }

    /// Whether a tool is run by the provider and not by who asks.
    pub(crate) fn has_providers_own(&self) -> bool {
        self.providers_own
    }

    pub(crate) fn into_names(self) -> Vec<String> {
        self.names
    }

    fn one_more(&mut self) -> Result<(), BodyProblem> {
        self.read += 1;
        if self.read > MAX_TOOLS {
            return Err(BodyProblem::Unclear(format!("it offers more than {MAX_TOOLS} tools")));
        }
        Ok(())
    }
}

fn read(text: Text<'_>) -> Result<String, BodyProblem> {
    text.read_up_to(MAX_TOOL_NAME).map(Into::into).ok_or_else(too_long)
}

fn too_long() -> BodyProblem {
    BodyProblem::Unclear(format!("the name of a tool is longer than {MAX_TOOL_NAME} bytes"))
}

fn camel_case(key: &str) -> String {
    let mut words = key.split('_');
    let mut out = words.next().unwrap_or_default().to_owned();
    for word in words {
        let mut letters = word.chars();
        out.extend(letters.next().map(|first| first.to_ascii_uppercase()));
        out.push_str(letters.as_str());
    }
    out
}
