//! The desk's side towards the control plane.

use std::time::Duration;

use creto_client::SidecarClient;
use creto_proto::v1::{
    AwaitApprovalsRequest, AwaitedApproval, EndApprovalRequest, TakeApprovalRequest, TakeApprovalResponse,
};
use tokio::sync::{Semaphore, mpsc};
use tonic::{Code, Request, Status};

use super::desk::{ANSWER, ApprovalDesk, Ask};

/// What calls ask.
pub(crate) type Asks = mpsc::Receiver<Ask>;

/// Asks under way at once.
const AT_ONCE: usize = 32;
/// How long one look at the control plane waits for news, in milliseconds.
const LOOK_MS: u32 = 20_000;
/// How long to wait after a failure.
const BACKOFF: Duration = Duration::from_millis(500);
/// How often a use is asked for again, and its end told again, when the control plane does not answer.
const TRIES: u32 = 120;

/// Answers what calls ask, many at once.
pub(crate) async fn answer(asks: &mut Asks, client: &SidecarClient) {
    let room = std::sync::Arc::new(Semaphore::new(AT_ONCE));
    while let Some(ask) = asks.recv().await {
        let Ok(place) = std::sync::Arc::clone(&room).acquire_owned().await else { return };
        let client = client.clone();
        tokio::spawn(async move {
            tell(&client, ask).await;
            drop(place);
        });
    }
}

/// Tells what is left when the sidecar stops, and what ends meanwhile.
pub(crate) async fn finish(desk: &ApprovalDesk, asks: &mut Asks, client: &SidecarClient, most: Duration) {
    let tell_all = async {
        while desk.has_uses() || !asks.is_empty() {
            // Calls that still ask are gone with the sidecar.
            if let Some(end @ Ask::End(_)) = asks.recv().await {
                tell(client, end).await;
            }
        }
    };
    let _ = tokio::time::timeout(most, tell_all).await;
}

async fn tell(client: &SidecarClient, ask: Ask) {
    match ask {
        Ask::Approval(request, answer) => {
            let told = client.approvals().ask_approval(timed(*request)).await;
            // Whoever asked may have left.
            let _ = answer.send(told.map(tonic::Response::into_inner));
        }
        Ask::Use(request, answer) => {
            let told = take(client, &request).await;
            if let Err(Ok(unused)) = answer.send(told) {
                // The call left while its use was taken: nothing of it went out.
                let cause = "the call ended before it left".to_owned();
                let end = Some(creto_proto::v1::end_approval_request::End::NeverLeft(cause));
                end_of(client, EndApprovalRequest { id: request.id, number: unused.number, end }).await;
            }
        }
        Ask::Look(id, answer) => {
            // Every request is past version 0, so the answer comes at once.
            let approvals = vec![AwaitedApproval { id, version: 0 }];
            let look = timed(AwaitApprovalsRequest { approvals, wait_ms: 0 });
            let told = client.approvals().await_approvals(look).await;
            let first = told.and_then(|told| {
                told.into_inner()
                    .moved
                    .pop()
                    .ok_or_else(|| Status::internal("the request is not answered for"))
            });
            let _ = answer.send(first);
        }
        Ask::End(end) => end_of(client, end).await,
    }
}

/// Asks until it is known: a use that was taken and not heard of would count as unknown.
async fn take(client: &SidecarClient, request: &TakeApprovalRequest) -> Result<TakeApprovalResponse, Status> {
    let mut tries = 0;
    loop {
        match client.approvals().take_approval(timed(request.clone())).await {
            Err(status) if is_passing(&status) && tries < TRIES => {
                tries += 1;
                tokio::time::sleep(BACKOFF).await;
            }
            told => return told.map(tonic::Response::into_inner),
        }
    }
}

async fn end_of(client: &SidecarClient, end: EndApprovalRequest) {
    for _ in 0..TRIES {
        match client.approvals().end_approval(timed(end.clone())).await {
            Ok(_) => return,
            Err(status) if is_passing(&status) => tokio::time::sleep(BACKOFF).await,
            Err(status) => {
                tracing::warn!(approval = end.id, %status, "the end of an approved call was not taken");
                return;
            }
        }
    }
    tracing::error!(
        approval = end.id,
        "the end of an approved call could not be told: it will be listed as ambiguous"
    );
}

/// Watches the requests that calls wait for, until it is dropped.
pub(crate) async fn watch(desk: &ApprovalDesk, client: &SidecarClient) {
    loop {
        let approvals = desk.awaited();
        if approvals.is_empty() {
            desk.news.notified().await;
            continue;
        }
        let mut request = Request::new(AwaitApprovalsRequest { approvals, wait_ms: LOOK_MS });
        request.set_timeout(Duration::from_millis(u64::from(LOOK_MS)) + ANSWER);
        let mut approvals = client.approvals();
        tokio::select! {
            answer = approvals.await_approvals(request) => match answer {
                Ok(answer) => answer.into_inner().moved.into_iter().for_each(|told| desk.moved(told)),
                Err(status) => {
                    tracing::debug!(%status, "the control plane does not say where approvals stand");
                    tokio::time::sleep(BACKOFF).await;
                }
            },
            // Looks again, with the new one.
            () = desk.news.notified() => {}
        }
    }
}

fn timed<T>(message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.set_timeout(ANSWER);
    request
}

fn is_passing(status: &Status) -> bool {
    matches!(
        status.code(),
        Code::Unavailable | Code::DeadlineExceeded | Code::Cancelled | Code::Unknown | Code::Aborted
    )
}
