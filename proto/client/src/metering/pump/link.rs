//! The stream to the control plane.

use creto_proto::v1::{IngestFrame, IngestMark};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming};

use super::{Grpc, MAX_WINDOW_FRAMES};

/// What is heard.
pub(super) enum Heard {
    /// The stream is open.
    Opened,
    /// A frame was answered.
    Mark(IngestMark),
    /// The control plane ended it without an error, as it does when nothing was sent for long.
    Closed,
    /// It is over.
    Ended(Status),
}

enum State {
    Down,
    Opening(JoinHandle<Result<Streaming<IngestMark>, Status>>),
    Open(Box<Streaming<IngestMark>>),
}

/// The stream, if there is one. Frames may be put in while it opens: the first go with the request.
pub(super) struct Link {
    state: State,
    frames: Option<mpsc::Sender<IngestFrame>>,
}

impl Default for Link {
    fn default() -> Self {
        Self { state: State::Down, frames: None }
    }
}

impl Link {
    pub(super) fn is_down(&self) -> bool {
        matches!(self.state, State::Down)
    }

    /// Begins to open a stream.
    pub(super) fn open(&mut self, mut rpc: Grpc) {
        let (frames, sent) = mpsc::channel(MAX_WINDOW_FRAMES);
        self.frames = Some(frames);
        self.state = State::Opening(tokio::spawn(async move {
            rpc.ingest_frames(ReceiverStream::new(sent)).await.map(tonic::Response::into_inner)
        }));
    }

    /// Sends a frame; `false` when there is no room or no stream.
    pub(super) fn send(&mut self, frame: IngestFrame) -> bool {
        self.frames.as_ref().is_some_and(|frames| frames.try_send(frame).is_ok())
    }

    /// Ends it.
    pub(super) fn close(&mut self) {
        if let State::Opening(task) = &self.state {
            task.abort();
        }
        *self = Self::default();
    }

    /// Waits for what is heard next; for ever while it is down. May be dropped and waited for again.
    pub(super) async fn heard(&mut self) -> Heard {
        match &mut self.state {
            State::Down => std::future::pending().await,
            State::Opening(task) => match task.await {
                Ok(Ok(answers)) => {
                    self.state = State::Open(Box::new(answers));
                    Heard::Opened
                }
                Ok(Err(status)) => Heard::Ended(status),
                Err(_) => Heard::Ended(Status::cancelled("the stream was given up before it opened")),
            },
            State::Open(answers) => match answers.message().await {
                Ok(Some(mark)) => Heard::Mark(mark),
                Ok(None) => Heard::Closed,
                Err(status) => Heard::Ended(status),
            },
        }
    }
}
