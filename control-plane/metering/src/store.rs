//! What every event store does.

use std::ops::ControlFlow;

use async_trait::async_trait;

use crate::bounds::MAX_NAMESPACE_BYTES;
use crate::{
    Event, Frame, FrameOutcome, Meter, MeterQuery, MeterValue, NamedEvent, NamedOutcome, ProducerAccount,
    StoreError,
};

/// Takes in events, exactly once, and counts them. Everything belongs to a namespace and is confined to it.
#[async_trait]
pub trait EventStore: Send + Sync {
    /// Defines a meter. It counts events that come in from then on. The same definition again changes nothing.
    ///
    /// # Errors
    /// [`StoreError::Meter`] when it is wrong, [`StoreError::MeterChanged`] when the name stands for another,
    /// [`StoreError::Full`] at [`crate::MAX_METERS`], else why it cannot be kept.
    async fn put_meter(&self, namespace: &str, meter: &Meter) -> Result<(), StoreError>;

    /// The meters of a namespace, by name; the built-in ones are in each.
    ///
    /// # Errors
    /// Why they cannot be read.
    async fn meters(&self, namespace: &str) -> Result<Vec<Meter>, StoreError>;

    /// Takes in a frame of a producer. On disk when it returns. What is at or below the producer's mark is ignored;
    /// what cannot be counted is rejected one by one, and the rest is taken in. `now_us`: microseconds since 1970.
    ///
    /// # Errors
    /// [`StoreError::Gap`] when it begins above the mark, else why it cannot be kept. Sending it again is safe.
    async fn ingest_frame(
        &self,
        namespace: &str,
        frame: Frame,
        now_us: i64,
    ) -> Result<FrameOutcome, StoreError>;

    /// Takes in events of third parties; one outcome each, in order. What is accepted is on disk when it returns.
    /// Sources and ids are remembered for the time of retention.
    ///
    /// # Errors
    /// Why none of them can be kept. Sending them again is safe.
    async fn ingest_named(
        &self,
        namespace: &str,
        events: Vec<NamedEvent>,
        now_us: i64,
    ) -> Result<Vec<NamedOutcome>, StoreError>;

    /// What a meter comes to, from rollups, by window and then by group. Windows and groups without events are left
    /// out. Whoever asks sees all that was acknowledged before.
    ///
    /// # Errors
    /// [`StoreError::Query`] when the question is wrong, [`StoreError::TooManyMembers`] when distinct values are more
    /// than can be counted, else why there is no answer.
    async fn query(&self, namespace: &str, query: &MeterQuery) -> Result<Vec<MeterValue>, StoreError>;

    /// The same, from the events themselves: slow, and equal.
    ///
    /// # Errors
    /// As [`EventStore::query`], and [`StoreError::Gone`] for a time whose events are not kept any more.
    async fn recompute(&self, namespace: &str, query: &MeterQuery) -> Result<Vec<MeterValue>, StoreError>;

    /// Shows every accepted event that happened in `[from_us, to_us)` (microseconds since 1970), with its number in the
    /// order of ingestion, which rises and never changes. They come in that order. Ends early when told to break.
    ///
    /// # Errors
    /// [`StoreError::Gone`] for a time whose events are not kept any more, [`StoreError::Damaged`] when what is kept
    /// is not what was written.
    async fn scan(
        &self,
        namespace: &str,
        from_us: i64,
        to_us: i64,
        each: &mut (dyn for<'e> FnMut(&'e Event, u64) -> ControlFlow<()> + Send),
    ) -> Result<(), StoreError>;

    /// What came in from whom, by producer and epoch.
    ///
    /// # Errors
    /// Why it cannot be read.
    async fn producers(&self, namespace: &str) -> Result<Vec<ProducerAccount>, StoreError>;
}

/// Whether it is the name of a namespace.
///
/// # Errors
/// [`StoreError::Namespace`].
pub(crate) fn check_namespace(namespace: &str) -> Result<(), StoreError> {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if !namespace.is_empty() && namespace.len() <= MAX_NAMESPACE_BYTES && namespace.bytes().all(plain) {
        return Ok(());
    }
    Err(StoreError::Namespace(namespace.chars().take(MAX_NAMESPACE_BYTES).collect()))
}
