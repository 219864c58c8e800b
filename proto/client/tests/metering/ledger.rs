//! A server that counts exactly once by mark, as the control plane does, and misbehaves when it is told to.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use creto_client::metering::{ReadEvent, ReadValue, read_frame};
use creto_proto::v1::metering_server::{Metering, MeteringServer};
use creto_proto::v1::{IngestFrame, IngestMark, RejectedEvent};
use parking_lot::Mutex;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_stream::wrappers::{ReceiverStream, TcpListenerStream};
use tokio_stream::{Stream, StreamExt as _};
use tonic::{Request, Response, Status, Streaming};

/// How it misbehaves, each in percent of frames.
#[derive(Clone, Copy, Default)]
pub(crate) struct Manners {
    /// The stream ends before the frame is taken.
    pub(crate) ends_before: u64,
    /// The frame is taken and the answer is lost.
    pub(crate) loses_answer: u64,
    /// The answer comes up to this late.
    pub(crate) late_ms: u64,
    /// Refuses every event whose number is a multiple of this, if it is not zero.
    pub(crate) refuses_multiples_of: u64,
    /// Ends a stream without an error once nothing came for so long, in milliseconds, if it is not zero.
    pub(crate) silence_ms: u64,
    /// Refuses every stream with this code.
    pub(crate) refuses_streams: Option<tonic::Code>,
}

#[derive(Default)]
pub(crate) struct Ledger {
    /// Every event counted, by epoch and sequence.
    pub(crate) events: BTreeMap<(u64, u64), ReadEvent>,
    pub(crate) rejected: u64,
    marks: HashMap<(String, u64), u64>,
    pub(crate) streams: u64,
    pub(crate) repeated_frames: u64,
    pub(crate) answers_lost: u64,
    pub(crate) faults: Vec<String>,
}

impl Ledger {
    fn take(&mut self, frame: &IngestFrame, manners: Manners) -> Result<IngestMark, Status> {
        let mark = self.marks.entry((frame.producer.clone(), frame.epoch)).or_default();
        let last = frame.first_sequence + u64::from(frame.count) - 1;
        if last <= *mark {
            self.repeated_frames += 1;
            let duplicate = u64::from(frame.count);
            return Ok(IngestMark {
                epoch: frame.epoch,
                sequence: *mark,
                duplicate,
                ..IngestMark::default()
            });
        }
        if frame.first_sequence != *mark + 1 {
            let fault = format!("a gap: mark {mark}, frame from {}", frame.first_sequence);
            let mut status = Status::failed_precondition(fault.clone());
            status.metadata_mut().insert("creto-gap-epoch", frame.epoch.into());
            status.metadata_mut().insert("creto-gap-mark", (*mark).into());
            self.faults.push(fault);
            return Err(status);
        }
        *mark = last;
        let mut answer = IngestMark { epoch: frame.epoch, sequence: last, ..IngestMark::default() };
        for event in read_frame(frame).map_err(|error| Status::invalid_argument(error.to_string()))? {
            if manners.refuses_multiples_of > 0 && nth(&event).is_multiple_of(manners.refuses_multiples_of) {
                let refused = ("bad_value".into(), "a multiple".into());
                answer.rejected.push(RejectedEvent {
                    sequence: event.sequence,
                    code: refused.0,
                    detail: refused.1,
                });
                self.rejected += 1;
            } else {
                answer.accepted += 1;
                self.events.insert((frame.epoch, event.sequence), event);
            }
        }
        Ok(answer)
    }

    /// Forgets all marks, as those of epochs that were silent for very long are.
    pub(crate) fn forget(&mut self) {
        self.marks.clear();
    }

    /// The numbers of the events counted, in the order of their sequence.
    pub(crate) fn numbers(&self) -> Vec<u64> {
        self.events.values().map(nth).collect()
    }
}

pub(crate) fn nth(event: &ReadEvent) -> u64 {
    let found = event.properties.iter().find(|(name, _)| name == "nth");
    match found {
        Some((_, ReadValue::Number(number))) => number.scaled(0).unwrap().unsigned_abs(),
        other => panic!("{other:?}"),
    }
}

#[derive(Clone)]
pub(crate) struct Server {
    pub(crate) ledger: Arc<Mutex<Ledger>>,
    manners: Arc<Mutex<(Manners, Dice)>>,
}

/// Xorshift64: the same seed, the same breaks.
#[derive(Clone, Copy)]
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound.max(1)
    }
}

impl Server {
    pub(crate) async fn start(manners: Manners) -> (Self, SocketAddr) {
        let server = Self {
            ledger: Arc::default(),
            manners: Arc::new(Mutex::new((manners, Dice(0x9e37_79b9_7f4a_7c15)))),
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let service = MeteringServer::new(server.clone());
        tokio::spawn(
            tonic::transport::Server::builder()
                .add_service(service)
                .serve_with_incoming(TcpListenerStream::new(listener)),
        );
        (server, address)
    }

    pub(crate) fn behave(&self, manners: Manners) {
        self.manners.lock().0 = manners;
    }

    fn roll(&self) -> (Manners, [u64; 3]) {
        let mut both = self.manners.lock();
        let manners = both.0;
        (manners, [both.1.below(100), both.1.below(100), both.1.below(manners.late_ms + 1)])
    }
}

#[tonic::async_trait]
impl Metering for Server {
    type IngestFramesStream = Pin<Box<dyn Stream<Item = Result<IngestMark, Status>> + Send>>;

    async fn ingest_frames(
        &self,
        request: Request<Streaming<IngestFrame>>,
    ) -> Result<Response<Self::IngestFramesStream>, Status> {
        if let Some(code) = self.roll().0.refuses_streams {
            return Err(Status::new(code, "not today"));
        }
        let mut frames = request.into_inner();
        let server = self.clone();
        server.ledger.lock().streams += 1;
        let (answers, answered) = mpsc::channel(4);
        tokio::spawn(async move {
            loop {
                let silence = Duration::from_millis(match server.manners.lock().0.silence_ms {
                    0 => 3_600_000,
                    silence => silence,
                });
                let Ok(Some(Ok(frame))) = tokio::time::timeout(silence, frames.next()).await else { return };
                let (manners, [before, lost, late_ms]) = server.roll();
                if before < manners.ends_before {
                    let _ = answers.send(Err(Status::unavailable("going away"))).await;
                    return;
                }
                let answer = server.ledger.lock().take(&frame, manners);
                if lost < manners.loses_answer {
                    server.ledger.lock().answers_lost += 1;
                    let _ = answers.send(Err(Status::unavailable("going away"))).await;
                    return;
                }
                tokio::time::sleep(Duration::from_millis(late_ms)).await;
                if answers.send(answer).await.is_err() {
                    return;
                }
            }
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(answered))))
    }
}
