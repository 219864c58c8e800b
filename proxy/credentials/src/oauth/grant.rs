//! What the source has: a refresh token, perhaps with a client secret.

use serde_json::{Map, Value};
use zeroize::{Zeroize, Zeroizing};

use crate::{Secret, ValueFault, value::MIN_SECRET_BYTES};

/// A refresh token and who may use it.
#[derive(Clone)]
pub(super) struct Grant {
    pub(super) refresh_token: Zeroizing<String>,
    pub(super) client_secret: Option<Zeroizing<String>>,
}

impl Grant {
    /// Reads `{"refresh_token": ..., "client_secret"?: ...}` or the token alone.
    pub(super) fn read(secret: &Secret) -> Result<Self, ValueFault> {
        let text = std::str::from_utf8(secret.expose()).map_err(|_| ValueFault::NotAHeader)?;
        let grant = if text.trim_start().starts_with('{') {
            let mut fields = Fields::read(text).ok_or(ValueFault::NoRefreshToken)?;
            let refresh_token = fields.take("refresh_token").ok_or(ValueFault::NoRefreshToken)?;
            Self { refresh_token, client_secret: fields.take("client_secret") }
        } else {
            Self { refresh_token: Zeroizing::new(text.to_owned()), client_secret: None }
        };
        for value in [Some(&grant.refresh_token), grant.client_secret.as_ref()].into_iter().flatten() {
            crate::value::check(value.as_bytes())?;
            debug_assert!(value.len() >= MIN_SECRET_BYTES);
        }
        Ok(grant)
    }

    /// The source's secret with another refresh token; its other fields stay.
    pub(super) fn rewritten(secret: &Secret, refresh_token: &str) -> Secret {
        let rewritten = std::str::from_utf8(secret.expose())
            .ok()
            .filter(|text| text.trim_start().starts_with('{'))
            .and_then(Fields::read)
            .and_then(|mut fields| {
                let new = Value::String(refresh_token.into());
                if let Some(Value::String(mut old)) = fields.0.insert("refresh_token".into(), new) {
                    old.zeroize();
                }
                // All room at once: a buffer that grows leaves unwiped copies behind.
                let mut json = Zeroizing::new(Vec::with_capacity((secret.len() + refresh_token.len()) * 6));
                serde_json::to_writer(&mut *json, &fields.0).ok()?;
                Some(Secret::new(json))
            });
        rewritten.unwrap_or_else(|| Secret::copied_from(refresh_token.as_bytes()))
    }
}

/// A JSON object whose texts are wiped.
pub(crate) struct Fields(Map<String, Value>);

impl Fields {
    pub(crate) fn read(text: &str) -> Option<Self> {
        // Depth is bounded by serde_json.
        serde_json::from_str(text).ok().map(Self)
    }

    pub(super) fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).and_then(Value::as_str)
    }

    pub(crate) fn take(&mut self, name: &str) -> Option<Zeroizing<String>> {
        match self.0.remove(name)? {
            Value::String(text) if !text.is_empty() => Some(Zeroizing::new(text)),
            _ => None,
        }
    }
}

impl Drop for Fields {
    fn drop(&mut self) {
        for value in self.0.values_mut() {
            if let Value::String(text) = value {
                text.zeroize();
            }
        }
    }
}
