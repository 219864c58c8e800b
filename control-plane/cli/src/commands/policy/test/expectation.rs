//! What a test expects of a call.

use super::ruling::{Ruled, Verdict};

/// What the author of a test says of a call.
#[derive(Clone, Debug)]
pub(crate) struct Expectation {
    pub(crate) verdict: Verdict,
    /// `policy/rule`, or the name of the rule alone.
    pub(crate) rule: Option<String>,
    /// Machine code of the refusal.
    pub(crate) code: Option<String>,
}

impl Expectation {
    /// Whether this is what came.
    pub(crate) fn holds(&self, came: &Ruled) -> bool {
        let rule = self.rule.as_deref().is_none_or(|wanted| {
            // Of a call that waits: any hold that it waits for.
            let decisive = if came.held.is_empty() { came.by.as_slice() } else { came.held.as_slice() };
            decisive.iter().any(|(policy, rule)| match wanted.split_once('/') {
                Some(pair) => pair == (policy, rule),
                None => wanted == rule,
            })
        });
        let code =
            self.code.as_deref().is_none_or(|wanted| came.code.map(|code| code.as_str()) == Some(wanted));
        self.verdict == came.verdict && rule && code
    }
}

impl std::fmt::Display for Expectation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.verdict.as_str())?;
        if let Some(rule) = &self.rule {
            write!(f, " by {rule}")?;
        }
        if let Some(code) = &self.code {
            write!(f, " ({code})")?;
        }
        Ok(())
    }
}
