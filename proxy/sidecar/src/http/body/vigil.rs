//! A watch on a body: on its silence, and on what lets it flow.

use std::future::Future as _;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::{Instant, Sleep};

use super::BodyError;
use crate::path::tenure::{LOOK, Tenure};

/// Which way a body flows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// From the agent, which does more with every byte of it.
    Out,
    /// To the agent, which has asked already.
    Back,
}

/// A timer exists only once a body has been waited for at all.
#[derive(Debug)]
pub(super) struct Vigil {
    tenure: Arc<Tenure>,
    way: Way,
    longest: Duration,
    heard: Instant,
    looked: Instant,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Vigil {
    pub(super) fn new(tenure: Arc<Tenure>, way: Way, longest: Duration) -> Self {
        let now = Instant::now();
        Self { tenure, way, longest, heard: now, looked: now, timer: None }
    }

    /// Something came. Fails when it may not pass any more.
    pub(super) fn heard(&mut self) -> Result<(), BodyError> {
        self.heard = Instant::now();
        if self.heard.duration_since(self.looked) < LOOK {
            return Ok(());
        }
        self.look(self.heard)
    }

    /// Waits while nothing comes: ready when it is not to be waited for any more.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<BodyError> {
        let longest = self.longest;
        let first = LOOK.min(longest);
        loop {
            let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep(first)));
            ready!(timer.as_mut().poll(cx));
            let now = Instant::now();
            let silent = now.duration_since(self.heard);
            if silent >= longest {
                return Poll::Ready(BodyError::Silent(longest));
            }
            timer.as_mut().reset(now + LOOK.min(longest - silent));
            if let Err(error) = self.look(now) {
                return Poll::Ready(error);
            }
        }
    }

    /// What ends a call that failed for another reason too, if anything does.
    pub(super) fn taken_away(&self) -> Option<creto_call::RefusalCode> {
        self.tenure.stands().err()
    }

    fn look(&mut self, now: Instant) -> Result<(), BodyError> {
        self.looked = now;
        let stands = match self.way {
            Way::Out => self.tenure.may_act(),
            Way::Back => self.tenure.stands(),
        };
        stands.map_err(BodyError::TakenAway)
    }
}
