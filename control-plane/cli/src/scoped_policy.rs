//! A policy for one run: the user's document, narrowed to the agent of the run where it names no agents itself.

use toml_edit::{Array, DocumentMut, Item, Table, value};

use crate::failure::{Failure, Outcome};

/// Longest name of a policy.
const LONGEST_NAME: usize = 63;

/// A document ready to be applied for one run.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ScopedPolicy {
    /// What is applied.
    pub(crate) document: String,
    /// Its name, when it was made for the run alone and goes with it.
    pub(crate) only_for_the_run: Option<String>,
}

/// The document as it is if it has `[agents]`; else a copy for `agent` alone, under a name of its own so that two
/// runs of one policy do not take it from each other. `run` tells the runs apart.
///
/// # Errors
/// When the document is no TOML; it was checked before.
pub(crate) fn scope(document: String, agent: &str, run: &str) -> Outcome<ScopedPolicy> {
    let mut edited: DocumentMut =
        document.parse().map_err(|error| Failure::new("The policy is no TOML.").why(error))?;
    if edited.contains_key("agents") {
        return Ok(ScopedPolicy { document, only_for_the_run: None });
    }
    let own = edited.get("name").and_then(Item::as_str).unwrap_or("run");
    let kept: String = own.chars().take(LONGEST_NAME - run.len() - 1).collect();
    let name = format!("{kept}-{run}");
    edited["name"] = value(name.as_str());
    let mut agents = Table::new();
    agents["names"] = value(Array::from_iter([agent]));
    edited["agents"] = Item::Table(agents);
    Ok(ScopedPolicy { document: edited.to_string(), only_for_the_run: Some(name) })
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCUMENT: &str =
        "version = 1\nname = \"web\" # mine\n\n[[allow]]\nname = \"a\"\nhost = \"a.example\"\n";

    #[test]
    fn a_document_without_agents_is_narrowed_to_the_one_of_the_run() {
        let scoped = scope(DOCUMENT.to_owned(), "python-3fa2", "3fa2").unwrap();
        assert_eq!(scoped.only_for_the_run.as_deref(), Some("web-3fa2"));
        let parsed = creto_policy::Document::parse("p", &scoped.document).unwrap();
        assert_eq!(parsed.name(), "web-3fa2");
        assert_eq!(parsed.rules().len(), 1);
        assert!(scoped.document.contains("names = [\"python-3fa2\"]"), "{}", scoped.document);
    }

    #[test]
    fn a_document_that_says_whom_it_is_for_is_left_as_it_is() {
        let document = format!("{DOCUMENT}\n[agents]\nnames = [\"b\"]\n");
        let scoped = scope(document.clone(), "a", "1").unwrap();
        assert_eq!(scoped, ScopedPolicy { document, only_for_the_run: None });
    }

    #[test]
    fn a_long_name_stays_within_its_bound() {
        let document = DOCUMENT.replace("web", &"w".repeat(63));
        let name = scope(document, "a", "3fa2").unwrap().only_for_the_run.unwrap();
        assert_eq!(name.len(), 63);
        assert!(name.ends_with("-3fa2"));
    }
}
