//! What every engine does: makes a request of the facts of a call, says whether the rules allow it.

use std::rc::Rc;

use crate::Outcome;
use crate::subject::Subject;

/// An engine with its rules loaded.
pub(crate) trait Engine: 'static {
    /// The facts of a call, as a data path has them.
    type Facts: 'static;
    /// The same in the form that the engine takes.
    type Request<'f>;

    /// Makes the engine's form of the facts.
    fn prepare<'f>(&self, facts: &'f Self::Facts) -> Option<Self::Request<'f>>;

    /// The verdict.
    fn allows(&self, request: &Self::Request<'_>) -> bool;
}

/// The facts of some calls and what the rules, read by hand, say of each.
pub(crate) struct Calls<F: 'static> {
    /// They live as long as the program: requests that borrow from them can then be kept beside them.
    pub(crate) facts: &'static [F],
    pub(crate) allowed: Vec<bool>,
}

/// The two things measured of an engine: the decision over prepared requests, and with making the request.
///
/// # Errors
/// When the engine's verdict on any of the calls is another than it must be.
pub(crate) fn subjects<E: Engine>(
    name: &str,
    note: &str,
    engine: E,
    calls: &Calls<E::Facts>,
) -> Outcome<[Subject; 2]> {
    let facts = calls.facts;
    let requests: Option<Vec<_>> = facts.iter().map(|facts| engine.prepare(facts)).collect();
    let requests = requests.ok_or_else(|| format!("{name}: takes not every call"))?;
    for (at, (request, must)) in requests.iter().zip(&calls.allowed).enumerate() {
        if engine.allows(request) != *must {
            return Err(
                format!("{name}: call {at} must {}be allowed", if *must { "" } else { "not " }).into()
            );
        }
    }
    let engine = Rc::new(engine);
    let other = Rc::clone(&engine);
    Ok([
        Subject::new(name, note, move |run| engine.allows(&requests[run % requests.len()])),
        Subject::new(&format!("{name}_built"), note, move |run| {
            other.prepare(&facts[run % facts.len()]).is_some_and(|request| other.allows(&request))
        }),
    ])
}
