//! Secrets of the control plane's store: asked for from any thread, fetched by the link to the control plane, whose
//! runtime its connection belongs to.

use async_trait::async_trait;
use creto_client::SidecarClient;
use creto_credentials::{SecretFault, StoredSecret, StoredSecrets};
use tokio::sync::{mpsc, oneshot};
use tonic::Code;

/// Asks that wait for the link; more wait with those who ask.
const WAITING: usize = 64;

/// One ask.
#[derive(Debug)]
pub(crate) struct SecretAsk {
    name: String,
    answer: oneshot::Sender<Result<StoredSecret, SecretFault>>,
}

/// Where secrets are asked for.
#[derive(Debug)]
pub(crate) struct SecretDesk(mpsc::Sender<SecretAsk>);

impl SecretDesk {
    /// A desk, and what the link answers from.
    pub(crate) fn open() -> (Self, mpsc::Receiver<SecretAsk>) {
        let (asks, waiting) = mpsc::channel(WAITING);
        (Self(asks), waiting)
    }
}

#[async_trait]
impl StoredSecrets for SecretDesk {
    async fn fetch(&self, name: &str) -> Result<StoredSecret, SecretFault> {
        let away = || SecretFault::Away { name: name.to_owned(), reason: "the sidecar is stopping".into() };
        let (answer, answered) = oneshot::channel();
        self.0.send(SecretAsk { name: name.to_owned(), answer }).await.map_err(|_| away())?;
        answered.await.map_err(|_| away())?
    }
}

/// Answers asks for as long as the sidecar lives; one after the other, since each name is asked for once.
pub(crate) async fn answer_asks(asks: &mut mpsc::Receiver<SecretAsk>, client: &SidecarClient) {
    while let Some(SecretAsk { name, answer }) = asks.recv().await {
        let fetched = match client.fetch_secret(&name).await {
            Ok(fetched) => Ok(StoredSecret { value: fetched.value, version: fetched.version }),
            Err(status) => Err(match status.code() {
                Code::NotFound => SecretFault::NotStored { name },
                Code::PermissionDenied | Code::FailedPrecondition | Code::Unauthenticated => {
                    SecretFault::NotGiven { name }
                }
                _ => SecretFault::Away { name, reason: status.message().to_owned() },
            }),
        };
        // Whoever asked may have left.
        let _ = answer.send(fetched);
    }
}
