//! The quotas of a set.

use std::sync::Arc;

use creto_call::Call;

use super::PolicySet;
use crate::{AgentFacts, Document, QuotaRule, facts::Facts, quota::of_labels, truth::Truth};

/// Those of documents in the order of their names, then those that the agent's labels say.
pub(super) fn of(documents: &[&Document], agent: Option<&AgentFacts>) -> Box<[Arc<QuotaRule>]> {
    let written = documents.iter().flat_map(|document| document.quotas.iter().map(Arc::clone));
    written.chain(agent.into_iter().flat_map(of_labels)).collect()
}

impl PolicySet {
    /// All quotas and budgets: by name of policy and as they stand in the documents, then those of the agent's labels
    /// ([`crate::IMPLICIT_POLICY`]), which only a set made by [`PolicySet::for_agent`] has.
    #[must_use]
    pub fn quotas(&self) -> &[Arc<QuotaRule>] {
        &self.quotas
    }

    /// The quotas that count this call, each with its place in [`PolicySet::quotas`]; also one of which it cannot be
    /// told, as long as the model is not known. Allocates nothing.
    ///
    /// At most [`creto_quota::MAX_SET`] can be held for a call: what more count together, no call gets past, and who
    /// enforces them refuses it.
    pub fn quotas_for<'s: 'c, 'c>(
        &'s self,
        call: &Call<'c>,
    ) -> impl Iterator<Item = (usize, &'s Arc<QuotaRule>)> + use<'s, 'c> {
        let facts = Facts::of_call(call, self.agent());
        self.quotas.iter().enumerate().filter(move |(_, quota)| quota.counts(&facts) != Truth::False)
    }
}
