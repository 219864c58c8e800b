//! `PolicySync`.

use std::pin::Pin;

use creto_policy_store::PolicySync;
use creto_proto::v1::policy_sync_server::PolicySync as PolicySyncService;
use creto_proto::v1::{SyncRequest, SyncResponse};
use tokio_stream::{Stream, StreamExt as _};
use tonic::{Request, Response, Status, Streaming, async_trait};

use crate::confine::own;
use crate::status::of_sync;

/// Serves push streams.
pub(crate) struct Syncing {
    pub(crate) sync: PolicySync,
}

#[async_trait]
impl PolicySyncService for Syncing {
    type SyncStream = Pin<Box<dyn Stream<Item = Result<SyncResponse, Status>> + Send>>;

    async fn sync(
        &self,
        request: Request<Streaming<SyncRequest>>,
    ) -> Result<Response<Self::SyncStream>, Status> {
        let (sidecar, said) = own(request)?;
        let (session, answers) = self.sync.open(sidecar).map_err(of_sync)?;
        tokio::spawn(session.run(said));
        Ok(Response::new(Box::pin(answers.map(|item| item.map_err(of_sync)))))
    }
}
