//! `Metering` and `MeterView`.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use creto_event_store::{EventStore, FrameOutcome, MAX_FRAME_CELLS, Meter, MeterQuery, StoreError};
use creto_identity::now_us;
use creto_proto::v1;
use creto_proto::v1::meter_view_server::MeterView;
use creto_proto::v1::metering_server::Metering as MeteringRpc;
use creto_proto::v1::{IngestFrame, IngestMark};
use creto_store::Store;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_stream::Stream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming, async_trait};

use crate::caller::Ingester;
use crate::confine::confined;
use crate::reserved::{Reserved, is_reserved_name};
use crate::shares::{Most, Share, Shares};
use crate::status::{of_events, of_store};

/// What the columns of frames that are taken in take in memory, in bytes: of all, of a namespace, of one caller. A column has
/// an entry for every event of its frame, whatever it was sent as.
pub(crate) const MAX_COLUMN_BYTES: Most =
    Most { all: 512 << 20, of_namespace: 256 << 20, of_caller: 128 << 20 };
/// An entry of a column, in bytes.
const ENTRY: usize = 16;
/// How long a frame waits for room for its columns.
const ROOM: Duration = Duration::from_secs(5);
/// How long a producer may take to read an answer; then its stream ends.
const READING: Duration = Duration::from_secs(30);
/// Answers that wait for their producer to read them; then its frames wait.
const WAITING_ANSWERS: usize = 4;
/// How often a stream looks whether its token or certificate still holds.
const STANDING_CHECK: Duration = Duration::from_secs(5);
/// Names of producers that only sidecars have.
const SIDECAR_PREFIX: &str = "sidecar/";

/// A frame that was checked, and the room of its columns.
type Checked = (Reserved, Share);

/// Serves metering: frames of producers, meters to operators.
#[derive(Clone)]
pub(crate) struct Metering {
    store: Arc<dyn Store>,
    events: Arc<dyn EventStore>,
    columns: Shares,
    stopping: watch::Receiver<bool>,
}

impl Metering {
    pub(crate) fn new(
        store: Arc<dyn Store>,
        events: Arc<dyn EventStore>,
        stopping: watch::Receiver<bool>,
    ) -> Self {
        Self { store, events, columns: Shares::new(MAX_COLUMN_BYTES), stopping }
    }
}

/// One stream of frames.
struct Ingest {
    metering: Metering,
    who: Ingester,
    /// What frames that do not say it are of.
    namespace: String,
    producer: String,
    epoch: u64,
}

impl Ingest {
    /// The frame with its producer and namespace, if it is within what this caller may send.
    async fn completed(&mut self, mut frame: IngestFrame) -> Result<Checked, Status> {
        match &self.who {
            Ingester::Sidecar { identity, .. } => {
                let own = format!("{SIDECAR_PREFIX}{}", identity.sidecar_id);
                let said = [(&frame.namespace, &identity.namespace), (&frame.producer, &own)];
                if said.iter().any(|(said, own)| !said.is_empty() && said != own) {
                    return Err(Status::permission_denied("a sidecar sends events as itself only"));
                }
                self.namespace.clone_from(&identity.namespace);
                self.producer = own;
            }
            Ingester::Token(operator) => {
                let namespace = if frame.namespace.is_empty() { &self.namespace } else { &frame.namespace };
                if !operator.admin && *namespace != operator.namespace {
                    return Err(Status::permission_denied(
                        "this token is for another namespace: name its own",
                    ));
                }
                if is_reserved_name(&frame.producer) {
                    return Err(Status::permission_denied(
                        "names that begin with sidecar/ or calls/ are those of sidecars and their calls",
                    ));
                }
                if !frame.namespace.is_empty() {
                    self.namespace = std::mem::take(&mut frame.namespace);
                }
                if !frame.producer.is_empty() {
                    self.producer = std::mem::take(&mut frame.producer);
                }
            }
        }
        if frame.epoch != 0 {
            self.epoch = frame.epoch;
        }
        frame.namespace.clone_from(&self.namespace);
        frame.producer.clone_from(&self.producer);
        frame.epoch = self.epoch;
        let entries = frame.properties.len().saturating_mul(frame.count as usize).min(MAX_FRAME_CELLS);
        let room = self.metering.columns.wait(&self.who.holder(), entries * ENTRY, ROOM).await;
        let room = room.map_err(|spent| Status::resource_exhausted(spent.told()))?;
        let checked = Reserved::new(frame).map_err(|error| Status::invalid_argument(error.to_string()))?;
        Ok((checked, room))
    }

    async fn take(&self, (checked, _room): Checked) -> Result<IngestMark, Status> {
        let (frame, reserved) = checked.into_parts();
        let epoch = frame.epoch();
        let taken = self.metering.events.ingest_frame(&self.namespace, frame, now_us()).await;
        taken.map(|outcome| reserved.told(mark(epoch, outcome))).map_err(of_events)
    }

    /// Takes frames until the stream ends, one after the other.
    async fn run(
        mut self,
        first: Checked,
        mut frames: Streaming<IngestFrame>,
        answers: mpsc::Sender<Result<IngestMark, Status>>,
    ) {
        let mut next = Some(first);
        let mut check_at = Instant::now() + STANDING_CHECK;
        let mut stopping = self.metering.stopping.clone();
        loop {
            if let Some(frame) = next.take() {
                let answer = self.take(frame).await;
                let failed = answer.is_err();
                if !matches!(timeout(READING, answers.send(answer)).await, Ok(Ok(()))) || failed {
                    return;
                }
            }
            let end = tokio::select! {
                biased;
                () = stopped(&mut stopping) => {
                    Some(Status::unavailable("the control plane stops: send again later"))
                }
                () = sleep_until(check_at) => {
                    check_at = Instant::now() + STANDING_CHECK;
                    self.who.stands(self.metering.store.as_ref()).await.err()
                }
                frame = frames.message() => match frame {
                    Ok(Some(frame)) => match self.completed(frame).await {
                        Ok(frame) => {
                            next = Some(frame);
                            None
                        }
                        Err(status) => Some(status),
                    },
                    // Its producer ended it, or was silent for too long.
                    Ok(None) => return,
                    Err(status) => Some(status),
                },
            };
            if let Some(status) = end {
                // A producer that does not listen any more does not need to know.
                let _ = timeout(READING, answers.send(Err(status))).await;
                return;
            }
        }
    }
}

async fn stopped(stopping: &mut watch::Receiver<bool>) {
    // A sender that is gone is a control plane that is gone.
    let _ = stopping.wait_for(|stops| *stops).await;
}

fn mark(epoch: u64, outcome: FrameOutcome) -> IngestMark {
    IngestMark {
        epoch,
        sequence: outcome.mark,
        accepted: outcome.accepted,
        duplicate: outcome.duplicate,
        rejected: outcome
            .rejected
            .into_iter()
            .map(|one| v1::RejectedEvent {
                sequence: one.sequence,
                code: one.code.as_str().into(),
                detail: one.detail,
            })
            .collect(),
    }
}

#[async_trait]
impl MeteringRpc for Metering {
    type IngestFramesStream = Pin<Box<dyn Stream<Item = Result<IngestMark, Status>> + Send>>;

    async fn ingest_frames(
        &self,
        request: Request<Streaming<IngestFrame>>,
    ) -> Result<Response<Self::IngestFramesStream>, Status> {
        let who = Ingester::of(request.extensions())?;
        let mut frames = request.into_inner();
        // The door in front says how long that may take.
        let Some(first) = frames.message().await? else {
            return Ok(Response::new(Box::pin(tokio_stream::empty())));
        };
        let namespace = who.namespace().to_owned();
        let mut ingest = Ingest { metering: self.clone(), who, namespace, producer: String::new(), epoch: 0 };
        let first = ingest.completed(first).await?;
        let (answers, answered) = mpsc::channel(WAITING_ANSWERS);
        tokio::spawn(ingest.run(first, frames, answers));
        Ok(Response::new(Box::pin(ReceiverStream::new(answered))))
    }
}

#[async_trait]
impl MeterView for Metering {
    async fn put_meter(
        &self,
        request: Request<v1::PutMeterRequest>,
    ) -> Result<Response<v1::PutMeterResponse>, Status> {
        let (_, message) = confined(request)?;
        let said = message.meter.ok_or_else(|| Status::invalid_argument("meter: say which"))?;
        let meter = Meter {
            name: said.name.into(),
            event_type: said.event_type.into(),
            aggregation: said.aggregation.parse().map_err(|error| of_events(StoreError::Meter(error)))?,
            field: said.field.into(),
            dimensions: said.dimensions.into_iter().map(Into::into).collect(),
            unit: said.unit.into(),
        };
        self.events.put_meter(&message.namespace, &meter).await.map_err(of_events)?;
        Ok(Response::new(v1::PutMeterResponse {}))
    }

    async fn list_meters(
        &self,
        request: Request<v1::ListMetersRequest>,
    ) -> Result<Response<v1::ListMetersResponse>, Status> {
        let (_, message) = confined(request)?;
        let meters = self.events.meters(&message.namespace).await.map_err(of_events)?;
        let shown = |meter: Meter| v1::Meter {
            name: meter.name.to_string(),
            event_type: meter.event_type.to_string(),
            aggregation: meter.aggregation.as_str().into(),
            field: meter.field.to_string(),
            dimensions: meter.dimensions.iter().map(ToString::to_string).collect(),
            unit: meter.unit.to_string(),
        };
        Ok(Response::new(v1::ListMetersResponse { meters: meters.into_iter().map(shown).collect() }))
    }

    async fn query_meter(
        &self,
        request: Request<v1::QueryMeterRequest>,
    ) -> Result<Response<v1::QueryMeterResponse>, Status> {
        let (_, message) = confined(request)?;
        let mut query = MeterQuery::new(
            &message.meter,
            message.from_ms.saturating_mul(1_000),
            message.to_ms.saturating_mul(1_000),
        );
        if !message.window.is_empty() {
            query.window = Some(message.window.parse().map_err(|error| of_events(StoreError::Query(error)))?);
        }
        query.group_by = message.group_by.into_iter().map(Into::into).collect();
        query.filter = message.r#where.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        let values = self.events.query(&message.namespace, &query).await.map_err(of_events)?;
        let values = values.into_iter().map(|value| v1::MeterValue {
            window_starts_ms: value.window_starts_us.div_euclid(1_000),
            group: value.group.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect(),
            value: value.value.to_string(),
            events: value.events,
        });
        Ok(Response::new(v1::QueryMeterResponse { values: values.collect() }))
    }

    async fn verify_producers(
        &self,
        request: Request<v1::VerifyProducersRequest>,
    ) -> Result<Response<v1::VerifyProducersResponse>, Status> {
        let (_, message) = confined(request)?;
        let accounts = self.events.producers(&message.namespace).await.map_err(of_events)?;
        let chosen = |producer: &str| message.producer.is_empty() || message.producer == producer;
        let producers = accounts.into_iter().filter(|account| chosen(&account.producer));
        let producers = producers.map(|account| v1::ProducerAccount {
            producer: account.producer.to_string(),
            epoch: account.epoch,
            sent: account.sent,
            accepted: account.accepted,
            duplicate: account.duplicate,
            rejected: account.rejected,
            rejected_by_code: account
                .rejected_by_code
                .into_iter()
                .map(|(code, count)| (code.to_string(), count))
                .collect(),
            last_seen_ms: account.last_seen_us.div_euclid(1_000),
        });
        Ok(Response::new(v1::VerifyProducersResponse { producers: producers.collect() }))
    }
}

impl Ingester {
    /// Whether the token or certificate still holds.
    async fn stands(&self, store: &dyn Store) -> Result<(), Status> {
        match self {
            Self::Token(operator) => match store.operator_token(&operator.digest).await {
                Ok(Some(_)) => Ok(()),
                Ok(None) => Err(Status::unauthenticated("the token was revoked")),
                Err(error) => Err(of_store(error)),
            },
            Self::Sidecar { fingerprint, .. } => match store.sidecar_by_fingerprint(fingerprint).await {
                Ok(Some(_)) => Ok(()),
                Ok(None) => Err(Status::unauthenticated("the sidecar's certificate was revoked")),
                Err(error) => Err(of_store(error)),
            },
        }
    }
}
