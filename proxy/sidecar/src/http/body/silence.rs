//! A watch on silence.

use std::future::Future as _;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep};

/// A timer exists only once a body has been silent at all.
#[derive(Debug)]
pub(super) struct Silence {
    longest: Duration,
    timer: Option<Pin<Box<Sleep>>>,
    heard: bool,
}

impl Silence {
    pub(super) fn new(longest: Duration) -> Self {
        Self { longest, timer: None, heard: false }
    }

    pub(super) fn longest(&self) -> Duration {
        self.longest
    }

    pub(super) fn broken(&mut self) {
        self.heard = true;
    }

    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let longest = self.longest;
        let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep(longest)));
        if std::mem::take(&mut self.heard) {
            timer.as_mut().reset(Instant::now() + longest);
        }
        timer.as_mut().poll(cx)
    }
}
