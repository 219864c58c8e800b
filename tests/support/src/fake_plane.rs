//! A control plane's side of policy push that says what a test tells it to: the truth or not.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use creto_bundle::{BundleSigner, Content, Notice};
use creto_proto::v1::policy_sync_server::{PolicySync, PolicySyncServer};
use creto_proto::v1::{
    Ack, Delta, Heartbeat, Hello, Nack, Revocation, SidecarEvent, SidecarEventKind, SyncRequest,
    SyncResponse, sync_request, sync_response,
};
use parking_lot::Mutex;
use tokio::sync::mpsc;
use tokio_stream::wrappers::{ReceiverStream, TcpListenerStream};
use tonic::transport::{Identity, Server, ServerTlsConfig};
use tonic::{Request, Response, Status, Streaming};

use crate::authority::TestAuthority;
use crate::detached::Detached;
use crate::patience::eventually;

/// What a sidecar said to a delta.
#[derive(Clone, Debug, PartialEq)]
pub enum Reply {
    /// Enforced.
    Ack(Ack),
    /// Refused.
    Nack(Nack),
}

/// One that runs.
pub struct FakePlane {
    address: SocketAddr,
    ca_pem: String,
    heard: Arc<Heard>,
    serving: tokio::task::JoinHandle<()>,
}

#[derive(Default)]
struct Heard {
    /// To the sidecar, on the stream opened last.
    down: Mutex<Option<mpsc::Sender<Result<SyncResponse, Status>>>>,
    hellos: Mutex<Vec<Hello>>,
    replies: Mutex<Vec<Reply>>,
    events: Mutex<Vec<SidecarEvent>>,
    /// Answered instead of a stream.
    refusal: Mutex<Option<Status>>,
    refused: Mutex<Vec<tokio::time::Instant>>,
    /// Bytes of the deltas sent.
    sent: Mutex<HashMap<String, usize>>,
}

struct Service(Arc<Heard>);

#[tonic::async_trait]
impl PolicySync for Service {
    type SyncStream = ReceiverStream<Result<SyncResponse, Status>>;

    async fn sync(
        &self,
        request: Request<Streaming<SyncRequest>>,
    ) -> Result<Response<Self::SyncStream>, Status> {
        if let Some(status) = self.0.refusal.lock().clone() {
            self.0.refused.lock().push(tokio::time::Instant::now());
            return Err(status);
        }
        let (down, messages) = mpsc::channel(64);
        let heard = Arc::clone(&self.0);
        let mut up = request.into_inner();
        // Held in one place, so that the stream ends when it is let go of there.
        let mut down = Some(down);
        tokio::spawn(async move {
            while let Ok(Some(message)) = up.message().await {
                match message.message {
                    Some(sync_request::Message::Hello(hello)) => {
                        *heard.down.lock() = down.take();
                        heard.hellos.lock().push(hello);
                    }
                    Some(sync_request::Message::Ack(ack)) => heard.replies.lock().push(Reply::Ack(ack)),
                    Some(sync_request::Message::Nack(nack)) => heard.replies.lock().push(Reply::Nack(nack)),
                    Some(sync_request::Message::Report(report)) => heard.events.lock().extend(report.events),
                    None => {}
                }
            }
        });
        Ok(Response::new(ReceiverStream::new(messages)))
    }
}

impl FakePlane {
    /// Starts it on a free port.
    pub async fn start() -> Self {
        let authority = TestAuthority::new("fake control plane");
        let leaf = authority.issue(&["127.0.0.1".to_owned()]);
        let chain: String = leaf.chain.iter().map(|der| creto_client::certificate_pem(der)).collect();
        let key = format!(
            "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
            STANDARD.encode(leaf.key.secret_der())
        );
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let heard = Arc::new(Heard::default());
        let service = PolicySyncServer::new(Service(Arc::clone(&heard)));
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let serving = Server::builder()
            .tls_config(ServerTlsConfig::new().identity(Identity::from_pem(chain, key)))
            .unwrap()
            .add_service(service)
            .serve_with_incoming(TcpListenerStream::new(listener));
        let serving = tokio::spawn(async move {
            serving.await.unwrap();
        });
        Self { address, ca_pem: authority.pem().to_owned(), heard, serving }
    }

    /// `https://127.0.0.1:PORT`.
    #[must_use]
    pub fn address(&self) -> String {
        format!("https://{}", self.address)
    }

    /// Its certificate authority.
    #[must_use]
    pub fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    /// Waits until the sidecar has opened its stream for the `number`th time, counted from 1.
    pub async fn hello(&self, number: usize) -> Hello {
        eventually(&format!("hello number {number}"), || {
            std::future::ready(self.heard.hellos.lock().get(number - 1).cloned())
        })
        .await
    }

    /// Sends a message on the stream opened last.
    pub async fn send(&self, message: sync_response::Message) {
        let down = self.heard.down.lock().clone().expect("a stream is open");
        down.send(Ok(SyncResponse { message: Some(message) })).await.expect("the stream is open");
    }

    /// What is current, says the plane.
    pub async fn heartbeat(&self, epoch: u64) {
        self.send(sync_response::Message::Heartbeat(Heartbeat { epoch })).await;
    }

    /// A delta as it is.
    pub async fn send_delta(&self, delta: Delta) {
        let bytes = delta.resources.iter().map(|resource| resource.body.len()).sum();
        self.heard.sent.lock().insert(delta.nonce.clone(), bytes);
        self.send(sync_response::Message::Delta(delta)).await;
    }

    /// Signs content as an honest plane does, with every body that differs from what was sent `before`.
    #[must_use]
    pub fn delta(nonce: &str, epoch: u64, content: &Content, before: Option<&Content>) -> Delta {
        Self::delta_signed_by(&Detached::signer(), nonce, epoch, content, before)
    }

    /// The same under another key.
    #[must_use]
    pub fn delta_signed_by(
        signer: &BundleSigner,
        nonce: &str,
        epoch: u64,
        content: &Content,
        before: Option<&Content>,
    ) -> Delta {
        let issued = std::time::UNIX_EPOCH.elapsed().unwrap().as_millis();
        let manifest = content.manifest(Detached::SIDECAR, epoch, issued as i64);
        let resources = match before {
            Some(before) => content.since(before),
            None => content.missing(&HashMap::new()),
        };
        signer.delta(nonce.to_owned(), &manifest, resources)
    }

    /// Sends what an honest plane sends, and waits for the acknowledgement.
    pub async fn push(&self, nonce: &str, epoch: u64, content: &Content, before: Option<&Content>) {
        self.send_delta(Self::delta(nonce, epoch, content, before)).await;
        assert_eq!(self.reply(nonce).await, Reply::Ack(Ack { nonce: nonce.to_owned(), epoch }));
    }

    /// Bytes of bodies in the delta with this nonce.
    #[must_use]
    pub fn bytes_sent(&self, nonce: &str) -> usize {
        self.heard.sent.lock().get(nonce).copied().unwrap_or_default()
    }

    /// Sends a notice.
    pub async fn revoke(&self, signer: &BundleSigner, notice: Notice) -> Revocation {
        let revocation = signer.revocation(&notice.message(Detached::SIDECAR, 1));
        self.send(sync_response::Message::Revocation(revocation.clone())).await;
        revocation
    }

    /// The reply to the delta with this nonce, if there is one so far.
    #[must_use]
    pub fn reply_so_far(&self, nonce: &str) -> Option<Reply> {
        let replies = self.heard.replies.lock();
        let found = replies.iter().find(|reply| match reply {
            Reply::Ack(ack) => ack.nonce == nonce,
            Reply::Nack(nack) => nack.nonce == nonce,
        });
        found.cloned()
    }

    /// Waits for the reply to the delta with this nonce.
    pub async fn reply(&self, nonce: &str) -> Reply {
        eventually(&format!("a reply to {nonce}"), || std::future::ready(self.reply_so_far(nonce))).await
    }

    /// Waits for the refusal of the delta with this nonce.
    pub async fn refusal(&self, nonce: &str) -> Nack {
        match self.reply(nonce).await {
            Reply::Nack(nack) => nack,
            Reply::Ack(ack) => panic!("{nonce} was acknowledged: {ack:?}"),
        }
    }

    /// Waits for an event of this kind whose detail holds these words.
    pub async fn event(&self, kind: SidecarEventKind, words: &str) -> SidecarEvent {
        let what = format!("{kind:?}: {words}; there are {:?}", self.events());
        eventually(&what, || {
            let found =
                self.events().into_iter().find(|one| one.kind() == kind && one.detail.contains(words));
            std::future::ready(found)
        })
        .await
    }

    /// All events so far.
    #[must_use]
    pub fn events(&self) -> Vec<SidecarEvent> {
        self.heard.events.lock().clone()
    }

    /// Ends the stream; and from now on answers with this status instead of a stream, or opens them again.
    pub fn refuse_streams(&self, status: Option<Status>) {
        *self.heard.refusal.lock() = status;
        self.heard.down.lock().take();
    }

    /// When streams were refused.
    #[must_use]
    pub fn refused_at(&self) -> Vec<tokio::time::Instant> {
        self.heard.refused.lock().clone()
    }
}

impl Drop for FakePlane {
    fn drop(&mut self) {
        self.serving.abort();
    }
}
