//! A test file, read; and what came of its calls.

use std::fs;
use std::net::IpAddr;
use std::path::Path;

use creto_authz::Scope;
use creto_policy::{AgentFacts, Document, PolicySet};
use http::HeaderMap;

use super::expectation::Expectation;
use super::read;
use super::ruling::{Ruled, ruled};
use crate::commands::policy::documents::{Written, load_all};
use crate::commands::policy::meaning::Asked;
use crate::commands::policy::target::Target;
use crate::commands::policy::whole_call::WholeCall;
use crate::failure::{Failure, Outcome};

/// Longest test file, in bytes.
const MAX_TEST_FILE_BYTES: u64 = 4 << 20;

/// A test file with the documents that it is about.
#[derive(Debug)]
pub(crate) struct Suite {
    pub(crate) file: String,
    pub(crate) documents: Vec<Written>,
    pub(crate) calls: Vec<TestCall>,
}

/// One `[[call]]`.
#[derive(Debug)]
pub(crate) struct TestCall {
    /// As given, else its method and URL.
    pub(crate) name: String,
    /// Line on which it begins.
    pub(crate) line: usize,
    pub(crate) url: String,
    pub(crate) target: Target,
    pub(crate) method: String,
    pub(crate) asked: Asked,
    pub(crate) headers: HeaderMap,
    pub(crate) size: Option<u64>,
    /// The most that it can cost, in billionths of a dollar.
    pub(crate) cost: Option<u64>,
    /// Address that the host's name has.
    pub(crate) address: Option<IpAddr>,
    pub(crate) agent: Option<AgentFacts>,
    /// What the agent was delegated, where the test says so.
    pub(crate) scope: Option<Scope>,
    pub(crate) expected: Expectation,
}

/// A test file whose calls were decided.
#[derive(Debug)]
pub(super) struct SuiteResult {
    pub(super) file: String,
    pub(super) documents: Vec<Written>,
    pub(super) cases: Vec<Case>,
}

/// One call and what came of it.
#[derive(Debug)]
pub(super) struct Case {
    pub(super) call: TestCall,
    pub(super) came: Ruled,
}

impl Case {
    /// Whether that was expected.
    pub(super) fn holds(&self) -> bool {
        self.call.expected.holds(&self.came)
    }
}

impl Suite {
    /// Reads a test file and its documents.
    ///
    /// # Errors
    /// When the file or a document cannot be read or does not hold.
    pub(crate) fn load(path: &Path) -> Outcome<Self> {
        let file = path.to_string_lossy().into_owned();
        let text = text_of(path)?;
        let written = read::file(&file, &text)?;
        let folder = path.parent().unwrap_or(Path::new(""));
        let documents = load_all(written.documents.iter().map(|named| folder.join(named)))?;
        Ok(Self { file, documents, calls: written.calls })
    }

    /// Decides every call.
    pub(super) fn run(self) -> SuiteResult {
        let Self { file, documents, calls } = self;
        let decided = {
            let mut sets = Sets::of(documents.iter().map(|written| &written.document).collect());
            calls.iter().map(|call| sets.rule(call)).collect::<Vec<_>>()
        };
        let cases = calls.into_iter().zip(decided).map(|(call, came)| Case { call, came }).collect();
        SuiteResult { file, documents, cases }
    }
}

/// Documents compiled for each agent that calls; those of one agent mostly stand together.
#[derive(Debug)]
pub(crate) struct Sets<'d> {
    documents: Vec<&'d Document>,
    last: Option<(Option<AgentFacts>, PolicySet)>,
}

impl<'d> Sets<'d> {
    pub(crate) fn of(documents: Vec<&'d Document>) -> Self {
        Self { documents, last: None }
    }

    /// What comes of a call.
    pub(crate) fn rule(&mut self, call: &TestCall) -> Ruled {
        if self.last.as_ref().is_some_and(|(agent, _)| *agent != call.agent) {
            self.last = None;
        }
        let documents = &self.documents;
        let (_, set) = self.last.get_or_insert_with(|| {
            let set = match &call.agent {
                Some(agent) => PolicySet::for_agent(documents.iter().copied(), agent),
                None => PolicySet::compile(documents.iter().copied()),
            };
            (call.agent.clone(), set)
        });
        ruled(set, &call.whole(set), call.scope.as_ref(), call.address, call.cost)
    }
}

impl TestCall {
    /// The call as these policies understand it.
    fn whole(&self, set: &PolicySet) -> WholeCall {
        WholeCall {
            facts: self.asked.facts(&self.method, &self.target, &self.headers, set),
            target: self.target.clone(),
            method: self.method.clone(),
            headers: Some(self.headers.clone()),
            size: self.size,
        }
    }
}

fn text_of(path: &Path) -> Outcome<String> {
    let unreadable = |why: String| {
        Failure::new(format!("The test file {} cannot be read.", path.display()))
            .why(why)
            .next("docs/test-a-policy.md shows a test file.")
    };
    let size = fs::metadata(path).map_err(|error| unreadable(error.to_string()))?.len();
    if size > MAX_TEST_FILE_BYTES {
        return Err(unreadable(format!("it has {size} bytes, over the bound of {MAX_TEST_FILE_BYTES}")));
    }
    fs::read_to_string(path).map_err(|error| unreadable(error.to_string()))
}
