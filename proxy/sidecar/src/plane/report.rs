//! Records up: entries of the spool, in order, until the control plane has committed them.

use std::sync::Arc;
use std::time::Duration;

use bytes::{BufMut as _, Bytes, BytesMut};
use creto_client::SidecarClient;
use creto_proto::v1::ReportCallsResponse;
use creto_spool::{Entry, Spool};
use prost::Message as _;
use prost::encoding::{encode_varint, encoded_len_varint};
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::transport::Channel;
use tonic::{Code, Request, Status};

use crate::sidecar::Sidecar;

/// Entries and about bytes in one report.
const ENTRIES: usize = 1000;
const BYTES: usize = 1 << 20;
/// How often the spool is looked at, and how long to wait after a failure.
const TICK: Duration = Duration::from_millis(100);
const BACKOFF: Duration = Duration::from_secs(1);
/// How often what was appended is put on stable storage.
const SYNC: Duration = Duration::from_secs(1);
/// Longest wait for one answer.
const ANSWER: Duration = Duration::from_secs(30);

/// Sends until it is dropped.
pub(crate) async fn run(sidecar: &Arc<Sidecar>, spool: &Arc<Spool>, client: &SidecarClient) {
    let mut reporter = Reporter::new(Arc::clone(spool), client.channel());
    let tell = |pending| sidecar.plane.pending(pending);
    loop {
        let wait = match reporter.report_all(&tell).await {
            Ok(()) => TICK,
            Err(error) => {
                tracing::debug!(%error, "records wait in the spool");
                BACKOFF
            }
        };
        tell(reporter.pending());
        tokio::time::sleep(wait).await;
    }
}

/// Puts appended entries on stable storage, so that a power loss costs at most a second of them.
pub(crate) async fn sync(spool: Arc<Spool>) {
    let mut synced = 0;
    loop {
        tokio::time::sleep(SYNC).await;
        let last = spool.last_sequence();
        if last == synced {
            continue;
        }
        let spool = Arc::clone(&spool);
        match tokio::task::spawn_blocking(move || spool.sync()).await {
            Ok(Ok(())) => synced = last,
            Ok(Err(error)) => tracing::error!(%error, "the spool cannot be put on stable storage"),
            Err(_) => return,
        }
    }
}

/// A last round, for a sidecar that stops: what is not taken stays in the spool for the next start.
pub(crate) async fn flush(spool: &Arc<Spool>, client: &SidecarClient, most: Duration) {
    let mut reporter = Reporter::new(Arc::clone(spool), client.channel());
    let _ = tokio::time::timeout(most, reporter.report_all(&|_| {})).await;
}

#[derive(Debug, thiserror::Error)]
enum ReportError {
    #[error("{0}")]
    Plane(Status),
    #[error("{0}")]
    Spool(#[from] creto_spool::SpoolError),
}

struct Reporter {
    spool: Arc<Spool>,
    channel: Channel,
    reader: creto_spool::SpoolReader,
    mark: u64,
}

impl Reporter {
    fn new(spool: Arc<Spool>, channel: Channel) -> Self {
        let reader = spool.reader();
        Self { spool, channel, reader, mark: 0 }
    }

    /// Entries that are appended and not known to be committed.
    fn pending(&self) -> u64 {
        self.spool.last_sequence().saturating_sub(self.mark)
    }

    /// Until everything is committed. `tell` hears how much is not, before every batch: a report may take long, calls may
    /// come faster than reports are taken in, and whoever waits for zero must not read an old number.
    async fn report_all(&mut self, tell: &(dyn Fn(u64) + Sync)) -> Result<(), ReportError> {
        loop {
            tell(self.pending());
            if self.mark == self.spool.last_sequence() {
                return Ok(());
            }
            let batch = self.reader.read(ENTRIES, BYTES)?;
            if batch.is_empty() {
                return Ok(());
            }
            match self.send(&batch).await {
                Ok(mark) => {
                    self.mark = mark;
                    self.spool.release(mark)?;
                }
                Err(status) => {
                    // From the oldest kept entry, whatever the control plane has of it: what it has, it skips.
                    self.reader.seek(0);
                    if status.code() == Code::FailedPrecondition {
                        tracing::error!(
                            reason = status.message(),
                            "the control plane misses earlier records"
                        );
                    }
                    return Err(ReportError::Plane(status));
                }
            }
        }
    }

    async fn send(&mut self, batch: &[Entry]) -> Result<u64, Status> {
        let mut client = tonic::client::Grpc::new(self.channel.clone());
        client.ready().await.map_err(|error| Status::unavailable(error.to_string()))?;
        let mut request = Request::new(encode(self.spool.epoch(), batch));
        request.set_timeout(ANSWER);
        let path = http::uri::PathAndQuery::from_static("/creto.v1.CallLog/ReportCalls");
        let answer = client.unary(request, path, EncodedReport).await?;
        Ok(answer.into_inner().mark)
    }
}

/// A `ReportCallsRequest`, put together from entries that are encoded already.
fn encode(epoch: u64, batch: &[Entry]) -> Bytes {
    let size = batch.iter().map(|entry| entry.payload.len() + 24).sum::<usize>() + 16;
    let mut out = BytesMut::with_capacity(size);
    out.put_u8(1 << 3 | 1);
    out.put_u64_le(epoch);
    for entry in batch {
        let length = 1 + encoded_len_varint(entry.sequence) + entry.payload.len();
        out.put_u8(2 << 3 | 2);
        encode_varint(length as u64, &mut out);
        out.put_u8(1 << 3);
        encode_varint(entry.sequence, &mut out);
        out.put_slice(&entry.payload);
    }
    out.freeze()
}

/// Sends bytes as they are; reads the answer as usual.
#[derive(Clone, Copy, Debug)]
struct EncodedReport;

impl Codec for EncodedReport {
    type Encode = Bytes;
    type Decode = ReportCallsResponse;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        *self
    }

    fn decoder(&mut self) -> Self {
        *self
    }
}

impl Encoder for EncodedReport {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, target: &mut EncodeBuf<'_>) -> Result<(), Status> {
        target.put(item);
        Ok(())
    }
}

impl Decoder for EncodedReport {
    type Item = ReportCallsResponse;
    type Error = Status;

    fn decode(&mut self, source: &mut DecodeBuf<'_>) -> Result<Option<ReportCallsResponse>, Status> {
        ReportCallsResponse::decode(source)
            .map(Some)
            .map_err(|error| Status::internal(format!("the answer cannot be read: {error}")))
    }
}

#[cfg(test)]
mod tests {
    use creto_proto::v1::{CallEnded, CallEntry, ReportCallsRequest, call_entry};

    use super::*;

    #[test]
    fn a_report_put_together_is_what_the_generated_type_reads() {
        let ended = CallEnded { begun_sequence: 4, status: 200, ..CallEnded::default() };
        let entry = CallEntry { sequence: 0, entry: Some(call_entry::Entry::Ended(ended)) };
        let batch: Vec<Entry> =
            [1, 300].into_iter().map(|sequence| Entry { sequence, payload: entry.encode_to_vec() }).collect();
        let read = ReportCallsRequest::decode(encode(u64::MAX - 1, &batch)).unwrap();
        assert_eq!(read.spool_epoch, u64::MAX - 1);
        assert_eq!(read.entries.iter().map(|e| e.sequence).collect::<Vec<_>>(), [1, 300]);
        assert_eq!(read.entries[1].entry, entry.entry);
    }
}
