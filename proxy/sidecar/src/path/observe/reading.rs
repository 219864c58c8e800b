//! An answer that is read while it passes.

use std::time::Duration;

use bytes::Bytes;
use creto_credentials::Scrubber;
use creto_metering::{Ending, Scanner, UsageChunkStripper};
use http::HeaderMap;

use super::list_watch::ListWatch;
use super::{AnswerFault, ToolGate, drop_names_with_secrets};
use crate::path::record::CallRecord;

/// An answer that is read.
#[derive(Debug)]
pub(crate) struct Reading {
    scrubber: Option<Scrubber>,
    tools: Option<(ToolGate, ListWatch)>,
    scanner: Option<Scanner>,
    strip: Option<UsageChunkStripper>,
    /// Bytes that the scrubber holds back.
    held: usize,
    /// It was asked for them, and gave what it would.
    asked: bool,
}

/// A message is held back this long for its last bytes' sake.
pub(crate) const PAUSE: Duration = Duration::from_millis(20);

impl Reading {
    pub(super) fn of(
        scrubber: Option<Scrubber>,
        tools: Option<(ToolGate, ListWatch)>,
        scanner: Option<Scanner>,
        strip: Option<UsageChunkStripper>,
    ) -> Self {
        Self { scrubber, tools, scanner, strip, held: 0, asked: false }
    }

    pub(super) fn is_idle(&self) -> bool {
        self.scrubber.is_none() && self.tools.is_none() && self.scanner.is_none() && self.strip.is_none()
    }

    /// Whether more or fewer bytes may be handed on than came.
    pub(crate) fn changes_length(&self) -> bool {
        self.tools.as_ref().is_some_and(|(_, watch)| watch.changes_length()) || self.strip.is_some()
    }

    /// Takes what came and gives what may be handed on now.
    pub(crate) fn push(&mut self, data: Bytes) -> Result<Bytes, AnswerFault> {
        // Secrets first, so that nobody behind sees them.
        let data = match &mut self.scrubber {
            Some(scrubber) => {
                self.held += data.len();
                let sure = scrubber.push(data);
                self.held -= sure.len();
                self.asked = false;
                sure
            }
            None => data,
        };
        self.read(data)
    }

    /// Covers secrets in trailers, which are headers that come last.
    pub(crate) fn cover(&self, trailers: &mut HeaderMap) {
        if let Some(scrubber) = &self.scrubber {
            scrubber.scrub_headers(trailers);
            drop_names_with_secrets(scrubber, trailers);
        }
    }

    /// Whether bytes are held back because a secret could begin with them.
    pub(crate) fn holds(&self) -> bool {
        self.held > 0 && !self.asked
    }

    /// Nothing came for a moment: a message whose last byte could begin a secret goes on all the same.
    pub(crate) fn pause(&mut self) -> Result<Bytes, AnswerFault> {
        let given = self.scrubber.as_mut().map(Scrubber::pause).unwrap_or_default();
        self.held -= given.len();
        self.asked = true;
        self.read(given)
    }

    fn read(&mut self, data: Bytes) -> Result<Bytes, AnswerFault> {
        if let Some(scanner) = &mut self.scanner {
            scanner.push(&data);
        }
        if let Some((gate, watch)) = &mut self.tools {
            return watch.push(gate, data);
        }
        if let Some(strip) = &mut self.strip {
            let mut out = Vec::with_capacity(data.len());
            strip.push(&data, &mut out);
            return Ok(out.into());
        }
        Ok(data)
    }

    /// Tokens that the answer so far took to write, by its text; 0 where nobody counts.
    pub(crate) fn output_so_far(&self) -> u64 {
        self.scanner.as_ref().map_or(0, Scanner::output_so_far)
    }

    /// What is held back only because a secret could begin with it: sent when one side of a WebSocket has ended.
    pub(crate) fn rest(&mut self) -> Bytes {
        self.held = 0;
        self.scrubber.as_mut().map(Scrubber::finish).unwrap_or_default()
    }

    /// The answer is over: gives what was held back, and settles what it used.
    pub(crate) fn end(mut self, record: &CallRecord, ending: Ending) -> Result<Bytes, AnswerFault> {
        let rest = self.rest();
        let mut out = self.read(rest);
        if let Some(scanner) = self.scanner.take() {
            record.settle(scanner.finish(ending, record.request_bytes()));
        }
        if let Ok(passed) = &mut out
            && ending == Ending::Complete
        {
            let mut last = Vec::new();
            if let Some((gate, watch)) = &mut self.tools {
                watch.finish(gate, &mut last)?;
            }
            if let Some(strip) = self.strip.take() {
                strip.finish(&mut last);
            }
            if !last.is_empty() {
                *passed = [passed.as_ref(), &last].concat().into();
            }
        }
        out
    }
}
