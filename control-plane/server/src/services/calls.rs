//! `CallLog`.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use creto_calls::{CallJournal, Follower, Reporter};
use creto_proto::v1::call_log_server::CallLog;
use creto_proto::v1::{
    CallRecord, FollowCallsRequest, ListCallsRequest, ListCallsResponse, ReportCallsRequest,
    ReportCallsResponse,
};
use creto_store::Store;
use futures::stream::{self, Stream};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};
use tonic::{Request, Response, Status, async_trait};

use crate::confine::{confined, own};
use crate::status::{of_calls, of_store};

/// How often a stream looks whether its operator's token still holds.
const TOKEN_CHECK: Duration = Duration::from_secs(5);

/// Serves records of calls.
pub(crate) struct Calls {
    pub(crate) journal: CallJournal,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) stopping: watch::Receiver<bool>,
}

struct Following {
    follower: Follower,
    store: Arc<dyn Store>,
    digest: [u8; 32],
    stopping: watch::Receiver<bool>,
    check_at: Instant,
    ended: bool,
}

impl Following {
    async fn next(&mut self) -> Option<Result<CallRecord, Status>> {
        if self.ended {
            return None;
        }
        let item = loop {
            tokio::select! {
                biased;
                () = stopped(&mut self.stopping) => {
                    break Some(Err(Status::unavailable("the control plane stops: follow again later")));
                }
                () = sleep_until(self.check_at) => {
                    self.check_at = Instant::now() + TOKEN_CHECK;
                    match self.store.operator_token(&self.digest).await {
                        Ok(Some(_)) => {}
                        Ok(None) => break Some(Err(Status::unauthenticated("the operator token was revoked"))),
                        Err(error) => break Some(Err(of_store(error))),
                    }
                }
                record = self.follower.next() => break record.map_err(of_calls).transpose(),
            }
        };
        self.ended = !matches!(item, Some(Ok(_)));
        item
    }
}

async fn stopped(stopping: &mut watch::Receiver<bool>) {
    // A sender that is gone is a control plane that is gone.
    let _ = stopping.wait_for(|stops| *stops).await;
}

#[async_trait]
impl CallLog for Calls {
    type FollowCallsStream = Pin<Box<dyn Stream<Item = Result<CallRecord, Status>> + Send>>;

    async fn report_calls(
        &self,
        request: Request<ReportCallsRequest>,
    ) -> Result<Response<ReportCallsResponse>, Status> {
        let (sidecar, message) = own(request)?;
        let reporter = Reporter {
            namespace: &sidecar.namespace,
            sidecar_id: &sidecar.sidecar_id,
            agent_name: &sidecar.agent_name,
        };
        self.journal.report(reporter, message).await.map(Response::new).map_err(of_calls)
    }

    async fn list_calls(
        &self,
        request: Request<ListCallsRequest>,
    ) -> Result<Response<ListCallsResponse>, Status> {
        let (_, message) = confined(request)?;
        self.journal.list(message).await.map(Response::new).map_err(of_calls)
    }

    async fn follow_calls(
        &self,
        request: Request<FollowCallsRequest>,
    ) -> Result<Response<Self::FollowCallsStream>, Status> {
        let (operator, message) = confined(request)?;
        let following = Following {
            follower: self.journal.follow(message).map_err(of_calls)?,
            store: Arc::clone(&self.store),
            digest: operator.digest,
            stopping: self.stopping.clone(),
            check_at: Instant::now() + TOKEN_CHECK,
            ended: false,
        };
        let records = stream::unfold(following, |mut following| async move {
            following.next().await.map(|item| (item, following))
        });
        Ok(Response::new(Box::pin(records)))
    }
}
