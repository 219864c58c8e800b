//! Policy documents: from files, and as they are applied.

use std::collections::BTreeSet;
use std::fs;
use std::io::IsTerminal;
use std::path::Path;

use creto_policy::{AgentFacts, Document, MAX_DOCUMENT_BYTES, Tier, Trust};
use creto_proto::v1;

use crate::commands::LONGEST_LIST;
use crate::failure::{Failure, Outcome};
use crate::operator::{Operator, all_pages, refused};
use crate::words;

/// A document with the text that it was read from.
#[derive(Clone, Debug)]
pub(super) struct Written {
    /// The file, or the name of the policy as it is applied.
    pub(super) from: String,
    pub(super) text: String,
    pub(super) document: Document,
}

impl Written {
    /// Reads a file.
    ///
    /// # Errors
    /// As [`read`] and [`parse`].
    pub(super) fn load(file: &Path) -> Outcome<Self> {
        let from = file.to_string_lossy().into_owned();
        let text = read(file)?;
        let document = parse(&from, &text)?;
        Ok(Self { from, text, document })
    }
}

/// Reads files, of which each must have another name of policy.
///
/// # Errors
/// When one cannot be read or does not hold, or two are documents of one name.
pub(super) fn load_all<P: AsRef<Path>>(files: impl IntoIterator<Item = P>) -> Outcome<Vec<Written>> {
    let mut names = BTreeSet::new();
    let mut found = Vec::new();
    for file in files {
        let written = Written::load(file.as_ref())?;
        if !names.insert(written.document.name().to_owned()) {
            return Err(Failure::new(format!("Two documents have the name {}.", written.document.name()))
                .why(format!("{} is the second", written.from))
                .next("Only one of a name can be applied: name one of them, or give it another name."));
        }
        found.push(written);
    }
    Ok(found)
}

/// Reads a document from a file.
///
/// # Errors
/// When the file cannot be read as text or is too large.
pub(crate) fn read(file: &Path) -> Outcome<String> {
    let unreadable = |why: String| {
        Failure::new(format!("The policy {} cannot be read.", file.display()))
            .why(why)
            .next("Name a TOML document; docs/write-a-policy.md shows one.")
    };
    let size = fs::metadata(file).map_err(|error| unreadable(error.to_string()))?.len();
    if size > u64::try_from(MAX_DOCUMENT_BYTES).unwrap_or(u64::MAX) {
        return Err(unreadable(format!("it has {size} bytes, over the bound of {MAX_DOCUMENT_BYTES}")));
    }
    fs::read_to_string(file).map_err(|error| unreadable(error.to_string()))
}

/// Parses a document; the failure shows every problem with line and caret.
///
/// # Errors
/// When the document does not hold.
pub(crate) fn parse(name: &str, text: &str) -> Outcome<Document> {
    Document::parse(name, text).map_err(|problems| {
        Failure::new(format!("The policy {name} does not hold."))
            .why(problems.to_string())
            .next("Correct the places shown; nothing was applied.")
            .shown_as(problems.render(in_color()))
    })
}

/// Whether what goes to standard error may have colours.
pub(super) fn in_color() -> bool {
    std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none()
}

/// Applies a document.
///
/// # Errors
/// When the control plane refuses.
pub(crate) async fn apply(operator: &Operator, document: String) -> Outcome<v1::Policy> {
    let request = v1::ApplyPolicyRequest { namespace: operator.namespace.clone(), document };
    let answer = operator.client.policies().apply_policy(request).await;
    answer.map(tonic::Response::into_inner).map_err(|status| refused("The policy is not applied.", &status))
}

/// Removes a policy.
///
/// # Errors
/// When the control plane refuses.
pub(crate) async fn delete(operator: &Operator, name: &str) -> Outcome {
    let request = v1::DeletePolicyRequest { namespace: operator.namespace.clone(), name: name.to_owned() };
    let answer = operator.client.policies().delete_policy(request).await;
    answer.map(|_| ()).map_err(|status| refused(format!("The policy {name} is not deleted."), &status))
}

/// The policies of the namespace.
///
/// # Errors
/// When the control plane refuses.
pub(super) async fn listed(operator: &Operator) -> Outcome<Vec<v1::Policy>> {
    all_pages(LONGEST_LIST, |page_size, page_token| async move {
        let request =
            v1::ListPoliciesRequest { namespace: operator.namespace.clone(), page_size, page_token };
        let answer = operator.client.policies().list_policies(request).await;
        let page = answer.map_err(|status| refused("The policies cannot be listed.", &status))?.into_inner();
        Ok((page.policies, page.next_page_token))
    })
    .await
}

/// The policies of the namespace, parsed.
///
/// # Errors
/// When the control plane refuses, or this program does not understand one of them.
pub(super) async fn applied(operator: &Operator) -> Outcome<Vec<Written>> {
    listed(operator)
        .await?
        .into_iter()
        .map(|policy| {
            let document = parse(&policy.name, &policy.document)?;
            Ok(Written { from: policy.name, text: policy.document, document })
        })
        .collect()
}

/// What policies may ask of an agent, by its registration.
pub(super) fn facts(agent: &v1::Agent) -> AgentFacts {
    AgentFacts {
        name: agent.name.clone(),
        tier: Tier::parse(&words::tier(agent)).unwrap_or(Tier::Basic),
        trust: Trust::parse(&words::trust(agent)).unwrap_or(Trust::Untrusted),
        labels: agent.labels.clone().into_iter().collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_documents_of_one_name_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let files = ["a.toml", "b.toml"].map(|name| folder.path().join(name));
        for file in &files {
            fs::write(file, "version = 1\nname = \"web\"\n").unwrap();
        }
        assert_eq!(load_all(&files[..1]).unwrap().len(), 1);
        let failure = load_all(&files).unwrap_err();
        assert!(failure.to_string().contains("web"), "{failure}");
    }
}
