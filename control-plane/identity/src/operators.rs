//! Operator tokens.

use std::sync::Arc;

use creto_proto::v1::{CreateOperatorTokenRequest, OperatorRole, OperatorToken};
use creto_store::{KeptOperatorToken, Store, StoreError};

use crate::{IdentityError, SecretToken, check_name, now_ms};

/// Most operator tokens of a namespace.
pub const MAX_OPERATOR_TOKENS: u64 = 1_000;

/// Hands out operator tokens and ends them.
#[derive(Clone)]
pub struct OperatorDesk {
    store: Arc<dyn Store>,
}

impl OperatorDesk {
    /// Over a store.
    #[must_use]
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self { store }
    }

    /// A new token; only its digest is kept.
    ///
    /// # Errors
    /// [`IdentityError::NameTaken`], or [`IdentityError::Invalid`] for a bad field.
    pub async fn create(&self, request: CreateOperatorTokenRequest) -> Result<OperatorToken, IdentityError> {
        check_name("namespace", &request.namespace)?;
        check_name("name", &request.name)?;
        let role = match OperatorRole::try_from(request.role) {
            Ok(OperatorRole::Unspecified | OperatorRole::Operator) => OperatorRole::Operator,
            Ok(OperatorRole::Admin) => OperatorRole::Admin,
            Ok(OperatorRole::Producer) => OperatorRole::Producer,
            Err(_) => return Err(IdentityError::invalid("role", "use operator, admin or producer")),
        };
        let token = SecretToken::random()?;
        self.keep(&request.namespace, &request.name, role, token.text()).await?;
        Ok(OperatorToken {
            namespace: request.namespace,
            name: request.name,
            role: role.into(),
            token: token.text().to_owned(),
        })
    }

    /// Keeps the digest of a token made elsewhere: the one the control plane writes at its first start.
    ///
    /// # Errors
    /// [`IdentityError::NameTaken`].
    pub async fn keep(
        &self,
        namespace: &str,
        name: &str,
        role: OperatorRole,
        token: &str,
    ) -> Result<(), IdentityError> {
        let kept = KeptOperatorToken {
            namespace: namespace.into(),
            name: name.into(),
            digest: SecretToken::digest_of(token),
            admin: role == OperatorRole::Admin,
            producer: role == OperatorRole::Producer,
            created_at_ms: now_ms(),
        };
        let added = self.store.add_operator_token(&kept, MAX_OPERATOR_TOKENS).await;
        added.map_err(|error| IdentityError::about_agent(name, error))
    }

    /// Whether this token is a kept one.
    ///
    /// # Errors
    /// [`IdentityError::Store`] when the store fails.
    pub async fn is_known(&self, token: &str) -> Result<bool, IdentityError> {
        let found = self.store.operator_token(&SecretToken::digest_of(token)).await;
        found.map(|kept| kept.is_some()).map_err(IdentityError::Store)
    }

    /// Ends a token at once.
    ///
    /// # Errors
    /// [`IdentityError::NoOperatorToken`].
    pub async fn revoke(&self, namespace: &str, name: &str) -> Result<(), IdentityError> {
        self.store.delete_operator_token(namespace, name).await.map_err(|error| match error {
            StoreError::NotFound => IdentityError::NoOperatorToken(name.into()),
            other => IdentityError::Store(other),
        })
    }
}
