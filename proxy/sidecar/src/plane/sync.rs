//! The push stream: bundles down, acknowledgements up.

use std::time::Duration;

use creto_client::SidecarClient;
use creto_proto::v1::{Ack, Hello, Nack, SignedBundle, SyncRequest, sync_request, sync_response};
use prost::Message as _;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status};

use crate::enforcement::AgentStanding;
use crate::plane::link::PlaneLink;

/// Without a word for this long the stream counts as broken: heartbeats come every 5 seconds.
const SILENCE: Duration = Duration::from_secs(20);
/// Reconnects wait a random time up to a bound that doubles from the first to the last of these.
const FIRST_BACKOFF: Duration = Duration::from_millis(200);
const LAST_BACKOFF: Duration = Duration::from_secs(30);

/// Keeps the stream open for as long as the sidecar lives.
pub(crate) async fn run(link: &PlaneLink, client: &SidecarClient) {
    let mut bound = FIRST_BACKOFF;
    loop {
        let status = stream(link, client, &mut bound).await;
        link.sidecar.plane.connected(false);
        match status.code() {
            Code::Unauthenticated | Code::PermissionDenied => cut_off(link, &status),
            _ => tracing::warn!(
                reason = status.message(),
                "the control plane is away; the last good policy stays"
            ),
        }
        // Full jitter: ten thousand sidecars do not come back at once.
        let random = f64::from(getrandom::u32().unwrap_or(u32::MAX / 2)) / f64::from(u32::MAX);
        tokio::time::sleep(bound.mul_f64(random)).await;
        bound = (bound * 2).min(LAST_BACKOFF);
    }
}

async fn stream(link: &PlaneLink, client: &SidecarClient, bound: &mut Duration) -> Status {
    let (up, outgoing) = mpsc::channel(4);
    let hello = {
        let enforcement = link.sidecar.enforced.load();
        Hello { epoch: enforcement.epoch, version: enforcement.version.clone() }
    };
    let hello = SyncRequest { message: Some(sync_request::Message::Hello(hello)) };
    if up.send(hello).await.is_err() {
        return Status::internal("the stream closed before it began");
    }
    let mut incoming = match client.policy_sync().sync(ReceiverStream::new(outgoing)).await {
        Ok(answer) => answer.into_inner(),
        Err(status) => return status,
    };
    loop {
        let message = match tokio::time::timeout(SILENCE, incoming.message()).await {
            Ok(Ok(Some(message))) => message,
            Ok(Ok(None)) => return Status::unavailable("the control plane closed the stream"),
            Ok(Err(status)) => return status,
            Err(_) => return Status::unavailable("the control plane fell silent"),
        };
        *bound = FIRST_BACKOFF;
        link.sidecar.plane.connected(true);
        match message.message {
            Some(sync_response::Message::Heartbeat(heartbeat))
                if heartbeat.epoch == link.sidecar.enforced.load().epoch =>
            {
                link.sidecar.plane.confirmed();
                link.announce();
            }
            // Of another bundle than ours: the control plane is about to send that one.
            Some(sync_response::Message::Heartbeat(_)) | None => {}
            Some(sync_response::Message::Bundle(signed)) => {
                let answer = apply(link, &signed);
                if up.send(SyncRequest { message: Some(answer) }).await.is_err() {
                    return Status::unavailable("the control plane closed the stream");
                }
            }
        }
    }
}

/// Enforces a bundle, or says why not.
fn apply(link: &PlaneLink, signed: &SignedBundle) -> sync_request::Message {
    let nonce = signed.nonce.clone();
    let current = link.sidecar.enforced.load().epoch;
    match link.bundles.read(signed, current) {
        Ok(next) => {
            let epoch = next.epoch;
            // Kept before it is enforced: whatever was refused once stays refused after kill -9.
            let kept =
                link.state.keep_bundle(&signed.encode_to_vec()).and_then(|()| link.state.set_cut_off(false));
            if let Err(error) = kept {
                // Enforced all the same; a restart without the control plane would go by the one before.
                tracing::error!(%error, "the policy could not be kept on disk");
            }
            link.sidecar.enforce(next);
            link.sidecar.plane.confirmed();
            tracing::info!(epoch, "policy applied");
            link.announce();
            sync_request::Message::Ack(Ack { nonce, epoch })
        }
        Err(error) => {
            tracing::error!(%error, "a policy is refused; the last good one stays");
            sync_request::Message::Nack(Nack { nonce, epoch: current, reason: error.to_string() })
        }
    }
}

/// The control plane knows this sidecar no more: its agent is revoked, or it was replaced. Everything is refused,
/// across restarts too, until a bundle comes.
fn cut_off(link: &PlaneLink, status: &Status) {
    let enforcement = link.sidecar.enforced.load();
    if enforcement.standing == AgentStanding::Revoked {
        return;
    }
    if let Err(error) = link.state.set_cut_off(true) {
        tracing::error!(%error, "that this sidecar is refused could not be kept on disk");
    }
    tracing::error!(
        reason = status.message(),
        "the control plane refuses this sidecar; all calls are refused"
    );
    link.sidecar.enforce(link.bundles.revoked(enforcement.epoch, &enforcement.version));
}
