//! Runs that operators ask for: each reads and rates a period's events, which may take longer than a call.
//!
//! A run goes on by itself, on a thread of its own, whoever waits. A call waits for [`ANSWER_WITHIN`]; then it says that
//! the run goes on, and the same call again waits for the same run. Every draft is kept as soon as it is drawn up, so a run
//! that dies with the control plane is begun again and replaces its drafts.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use creto_billing::{BillingError, BillingRun};
use creto_proto::v1::{DrawUpInvoicesResponse, PreviewInvoiceResponse};
use parking_lot::Mutex;
use tokio::sync::{Semaphore, watch};
use tokio::time::{Instant, timeout};
use tonic::Status;

use super::apart::apart;
use super::{Billing, answers, draft_json, now, stops, triggers};
use crate::status::of_billing;

/// How long a call waits for its run: less than a call may take.
pub(crate) const ANSWER_WITHIN: Duration = Duration::from_secs(20);
/// Runs at once, over all namespaces.
pub(crate) const MAX_RUNS: usize = 4;
/// Runs at once of one namespace: a draw-up and a preview, or two previews.
pub(crate) const MAX_RUNS_A_NAMESPACE: usize = 2;
/// Runs under way and outcomes that wait, over all namespaces.
pub(crate) const MAX_OUTCOMES: usize = 1_000;
/// How long the outcome of a run is kept that nobody waited for.
pub(crate) const OUTCOME_KEPT: Duration = Duration::from_secs(60);
/// Longest wait for late usage that a run may be asked for, in seconds: 35 days.
pub(crate) const MAX_GRACE_SECONDS: u32 = 35 * 86_400;
/// How often a type of events that no plan charges is told of, in microseconds: once in thirty days.
const UNCHARGED_US: i64 = 30 * 86_400_000_000;

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// Drafts of what is over, or of what passed a threshold.
    DrawUp {
        /// What passed a threshold.
        progressive: bool,
        /// How long usage is waited for.
        grace_seconds: u32,
    },
    /// What a subscription comes to so far.
    Preview {
        /// The subscription.
        subscription: String,
    },
}

/// What came of it.
#[derive(Clone, Debug)]
pub(crate) enum Found {
    /// Of [`Asked::DrawUp`].
    Drawn(DrawUpInvoicesResponse),
    /// Of [`Asked::Preview`].
    Previewed(PreviewInvoiceResponse),
}

type Outcome = Option<(Result<Found, Status>, Instant)>;
/// The namespace, and the subscription of a preview: one run each.
type Place = (String, Option<String>);

struct Run {
    number: u64,
    asked: Asked,
    outcome: watch::Receiver<Outcome>,
}

#[derive(Default)]
struct Open {
    next: u64,
    runs: HashMap<Place, Run>,
}

/// The runs under way, and outcomes that wait to be asked for.
#[derive(Clone)]
pub(crate) struct Runs {
    open: Arc<Mutex<Open>>,
    room: Arc<Semaphore>,
    stopping: watch::Receiver<bool>,
}

impl Runs {
    pub(crate) fn new(stopping: watch::Receiver<bool>) -> Self {
        Self { open: Arc::default(), room: Arc::new(Semaphore::new(MAX_RUNS)), stopping }
    }

    /// The outcome of a run, begun if it is not under way; none while it goes on.
    ///
    /// # Errors
    /// Why the run failed, that another is under way, or that there are as many as may be.
    pub(crate) async fn ask<W>(
        &self,
        namespace: &str,
        asked: Asked,
        work: impl FnOnce() -> W + Send + 'static,
    ) -> Result<Option<Found>, Status>
    where
        W: Future<Output = Result<Found, Status>>,
    {
        let place = match &asked {
            Asked::DrawUp { .. } => (namespace.to_owned(), None),
            Asked::Preview { subscription } => (namespace.to_owned(), Some(subscription.clone())),
        };
        let (number, mut outcome) = self.join(&place, asked, work)?;
        let waited = timeout(ANSWER_WITHIN, outcome.wait_for(Option::is_some)).await;
        let found = match waited {
            Err(_) => return Ok(None),
            Ok(Ok(outcome)) => outcome.as_ref().map(|(found, _)| found.clone()),
            Ok(Err(_)) => None,
        };
        let mut open = self.open.lock();
        if open.runs.get(&place).is_some_and(|run| run.number == number) {
            open.runs.remove(&place);
        }
        match found {
            Some(found) => found.map(Some),
            None => Err(Status::internal("the run came to no end: the control plane's log says why")),
        }
    }

    fn join<W>(
        &self,
        place: &Place,
        asked: Asked,
        work: impl FnOnce() -> W + Send + 'static,
    ) -> Result<(u64, watch::Receiver<Outcome>), Status>
    where
        W: Future<Output = Result<Found, Status>>,
    {
        let mut open = self.open.lock();
        let over = |run: &Run| match &*run.outcome.borrow() {
            Some((_, at)) => Some(at.elapsed() >= OUTCOME_KEPT),
            // It panicked: nothing comes of it.
            None if run.outcome.has_changed().is_err() => Some(true),
            None => None,
        };
        open.runs.retain(|_, run| over(run) != Some(true));
        if let Some(run) = open.runs.get(place) {
            if run.asked == asked {
                return Ok((run.number, run.outcome.clone()));
            }
            if over(run).is_none() {
                return Err(Status::aborted(
                    "another run over this namespace is under way: ask again when it is done",
                ));
            }
        }
        let of_namespace = |(of, run): &(&Place, &Run)| of.0 == place.0 && over(run).is_none();
        if open.runs.iter().filter(of_namespace).count() >= MAX_RUNS_A_NAMESPACE {
            return Err(Status::resource_exhausted(format!(
                "{MAX_RUNS_A_NAMESPACE} runs over this namespace are under way: ask again when one is done"
            )));
        }
        if open.runs.len() >= MAX_OUTCOMES {
            return Err(Status::resource_exhausted("too many runs of late: ask again in a minute"));
        }
        let permit = Arc::clone(&self.room).try_acquire_owned().map_err(|_| {
            Status::resource_exhausted(format!("{MAX_RUNS} runs are under way: ask again when one is done"))
        })?;
        open.next += 1;
        let number = open.next;
        let (tell, outcome) = watch::channel(None);
        let mut stopping = self.stopping.clone();
        tokio::spawn(async move {
            let done = apart(move || async move {
                tokio::select! {
                    biased;
                    () = stops(&mut stopping) => {
                        Err(Status::unavailable("the control plane stops: ask again later"))
                    }
                    found = work() => found,
                }
            });
            let found = done.await.unwrap_or_else(|error| {
                tracing::error!(%error, "a billing run came to no end");
                Err(Status::internal("the run came to no end: the control plane's log says why"))
            });
            drop(permit);
            tell.send_replace(Some((found, Instant::now())));
        });
        open.runs.insert(place.clone(), Run { number, asked, outcome: outcome.clone() });
        Ok((number, outcome))
    }
}

impl Billing {
    /// Does what is asked, or joins who does.
    ///
    /// # Errors
    /// See [`Runs::ask`].
    pub(crate) async fn run(&self, namespace: &str, asked: Asked) -> Result<Option<Found>, Status> {
        if let Asked::DrawUp { grace_seconds, .. } = asked
            && grace_seconds > MAX_GRACE_SECONDS
        {
            return Err(Status::invalid_argument(format!(
                "grace_seconds: {grace_seconds} is more than {MAX_GRACE_SECONDS}"
            )));
        }
        let (billing, of, what) = (self.clone(), namespace.to_owned(), asked.clone());
        self.runs.ask(namespace, asked, move || async move { billing.found(&of, what).await }).await
    }

    async fn found(&self, namespace: &str, asked: Asked) -> Result<Found, Status> {
        let at = now()?;
        let (store, usage) = (self.store.as_ref(), &self.usage);
        match asked {
            Asked::DrawUp { progressive, grace_seconds } => {
                let grace_micros = i64::from(grace_seconds) * 1_000_000;
                let run = BillingRun { grace_micros, ..BillingRun::new(namespace, at) };
                let report = if progressive {
                    run.draw_up_progressive(store, usage).await
                } else {
                    run.draw_up(store, usage).await
                };
                let report = report.map_err(of_billing)?;
                let window_us = at.micros() - at.micros().rem_euclid(UNCHARGED_US);
                for trigger in report.triggers() {
                    // The drafts stand without.
                    if let Err(error) = triggers::raise(store, namespace, &trigger, window_us).await {
                        tracing::warn!(%error, namespace, "a type of events that no plan charges is not told of");
                    }
                }
                Ok(Found::Drawn(answers::drawn(&report)))
            }
            Asked::Preview { subscription } => {
                let run = BillingRun::new(namespace, at);
                let draft = run.preview(store, usage, &subscription).await.map_err(of_billing)?;
                let total_minor = draft.total_minor().map_err(of_billing)?;
                let currency = draft.currency.code().to_owned();
                let draft = draft_json(&draft).map_err(|error: BillingError| of_billing(error))?;
                Ok(Found::Previewed(PreviewInvoiceResponse { draft, total_minor, currency, running: false }))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;
    use tonic::Code;

    use super::*;

    const DRAW_UP: Asked = Asked::DrawUp { progressive: false, grace_seconds: 0 };

    fn drawn(count: u64) -> Result<Found, Status> {
        Ok(Found::Drawn(DrawUpInvoicesResponse { drawn_up: count, ..DrawUpInvoicesResponse::default() }))
    }

    fn count(found: Option<Found>) -> Option<u64> {
        match found? {
            Found::Drawn(drawn) => Some(drawn.drawn_up),
            Found::Previewed(_) => None,
        }
    }

    #[tokio::test]
    async fn those_who_ask_the_same_wait_for_one_run_and_others_are_told_of_it() {
        let (_stop, stopping) = watch::channel(false);
        let runs = Runs::new(stopping);
        let (go, gone) = oneshot::channel::<()>();
        let first = {
            let runs = runs.clone();
            tokio::spawn(async move {
                let work = move || async move {
                    gone.await.ok();
                    drawn(1)
                };
                runs.ask("a", DRAW_UP, work).await
            })
        };
        while runs.open.lock().runs.is_empty() {
            tokio::task::yield_now().await;
        }
        let other = Asked::DrawUp { progressive: true, grace_seconds: 0 };
        let refused = runs.ask("a", other, || async { drawn(2) }).await.unwrap_err();
        assert_eq!(refused.code(), Code::Aborted);
        let elsewhere = runs.ask("b", DRAW_UP, || async { drawn(3) }).await.unwrap();
        assert_eq!(count(elsewhere), Some(3), "another namespace does not wait");
        let same = {
            let runs = runs.clone();
            tokio::spawn(async move { runs.ask("a", DRAW_UP, || async { drawn(4) }).await })
        };
        tokio::task::yield_now().await;
        go.send(()).unwrap();
        assert_eq!(count(first.await.unwrap().unwrap()), Some(1));
        assert_eq!(count(same.await.unwrap().unwrap()), Some(1));
        let next = runs.ask("a", DRAW_UP, || async { drawn(5) }).await.unwrap();
        assert_eq!(count(next), Some(5), "what was told is not told again");
    }

    #[tokio::test]
    async fn a_call_that_was_given_up_leaves_its_outcome_to_the_next() {
        let (_stop, stopping) = watch::channel(false);
        let runs = Runs::new(stopping);
        let slow = || async {
            tokio::time::sleep(Duration::from_millis(50)).await;
            drawn(1)
        };
        let given_up = timeout(Duration::from_millis(5), runs.ask("a", DRAW_UP, slow)).await;
        assert!(given_up.is_err());
        let found = runs.ask("a", DRAW_UP, || async { drawn(2) }).await.unwrap();
        assert_eq!(count(found), Some(1));
    }

    #[tokio::test]
    async fn runs_end_when_the_control_plane_stops_and_no_more_than_the_bound_are_under_way() {
        let (stop, stopping) = watch::channel(false);
        let runs = Runs::new(stopping);
        let mut waiting = Vec::new();
        for place in 0..MAX_RUNS {
            let runs = runs.clone();
            let ask = async move { runs.ask(&place.to_string(), DRAW_UP, std::future::pending).await };
            waiting.push(tokio::spawn(ask));
        }
        while runs.open.lock().runs.len() < MAX_RUNS {
            tokio::task::yield_now().await;
        }
        let refused = runs.ask("more", DRAW_UP, || async { drawn(1) }).await.unwrap_err();
        assert_eq!(refused.code(), Code::ResourceExhausted);
        stop.send_replace(true);
        for run in waiting {
            assert_eq!(run.await.unwrap().unwrap_err().code(), Code::Unavailable);
        }
    }

    #[tokio::test]
    async fn one_namespace_does_not_take_all_runs() {
        let (_stop, stopping) = watch::channel(false);
        let runs = Runs::new(stopping);
        let preview = |subscription: &str| Asked::Preview { subscription: subscription.into() };
        let mut waiting = Vec::new();
        for asked in [DRAW_UP, preview("one")] {
            let runs = runs.clone();
            waiting.push(tokio::spawn(async move { runs.ask("a", asked, std::future::pending).await }));
        }
        while runs.open.lock().runs.len() < MAX_RUNS_A_NAMESPACE {
            tokio::task::yield_now().await;
        }
        let refused = runs.ask("a", preview("two"), || async { drawn(1) }).await.unwrap_err();
        assert_eq!(refused.code(), Code::ResourceExhausted);
        assert_eq!(count(runs.ask("b", DRAW_UP, || async { drawn(2) }).await.unwrap()), Some(2));
    }
}
