//! Rules with an expression of four terms, of which the last decides, and calls to models that they decide.

use creto_call::{ModelApi, ModelCall, ModelOperation};
use http::{HeaderMap, HeaderValue};

use crate::engine::Calls;

/// The host of every call.
pub(crate) const HOST: &str = "models.example.com";
/// The expression of rule `n`, in CEL.
pub(crate) fn in_cel(n: usize) -> String {
    format!(
        "!(\"x-debug\" in request.headers) && request.headers[\"x-team\"] == \"search\" && \
         llm.provider == \"models\" && llm.request_model.startsWith(\"{}\")",
        family(n)
    )
}

/// What a model that rule `n` is about begins with.
pub(crate) fn family(n: usize) -> String {
    format!("family-{n}-")
}

/// What a data path knows of a call to a model.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) headers: HeaderMap,
    pub(crate) model: ModelCall,
}

impl Asked {
    /// The headers as text.
    pub(crate) fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        self.headers.iter().filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)))
    }

    /// The model.
    pub(crate) fn model(&self) -> &str {
        self.model.model.as_deref().unwrap_or_default()
    }
}

/// Calls that the first of so many rules allows, the second and so on, and one that none allows.
pub(crate) fn calls(rules: usize) -> Calls<Asked> {
    let asked: Vec<Asked> = (0..=rules).map(asked).collect();
    Calls { facts: asked.leak(), allowed: (0..=rules).map(|n| n < rules).collect() }
}

fn asked(n: usize) -> Asked {
    let headers = [("content-type", "application/json"), ("user-agent", "bench/1"), ("x-team", "search")];
    let headers =
        headers.map(|(name, value)| (http::HeaderName::from_static(name), HeaderValue::from_static(value)));
    let model = ModelCall {
        provider: "models".into(),
        api: ModelApi::OpenAi,
        operation: ModelOperation::Chat,
        model: Some(format!("{}2026-01-01", family(n)).into()),
        streaming: true,
        max_output_tokens: Some(4096),
        tools: vec!["search".into(), "read_file".into()],
        demand: creto_call::Demand::default(),
    };
    Asked { headers: headers.into_iter().collect(), model }
}
