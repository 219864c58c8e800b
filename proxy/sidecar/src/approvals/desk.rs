//! Where calls wait: each request once, however many identical calls wait for it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use creto_oversight::ActionDigest;
use creto_proto::v1;
use parking_lot::Mutex;
use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio::time::Instant;
use tonic::Status;

use super::standing::{Phase, Standing};

/// Asks that wait for the link; more wait with those who ask.
const WAITING: usize = 1024;
/// Requests that are watched at once: as many as the control plane lets one agent have open.
pub(crate) const MAX_WATCHED: usize = 64;
/// Longest wait for an answer of the control plane.
pub(crate) const ANSWER: Duration = Duration::from_secs(5);

/// What is asked of the control plane.
#[derive(Debug)]
pub(crate) enum Ask {
    /// To ask people.
    Approval(Box<v1::AskApprovalRequest>, oneshot::Sender<Result<v1::ApprovalStanding, Status>>),
    /// For one use.
    Use(v1::TakeApprovalRequest, oneshot::Sender<Result<v1::TakeApprovalResponse, Status>>),
    /// How a request stands.
    Look(String, oneshot::Sender<Result<v1::ApprovalStanding, Status>>),
    /// A use has ended.
    End(v1::EndApprovalRequest),
}

/// Where calls ask, and wait.
#[derive(Debug)]
pub(crate) struct ApprovalDesk {
    asks: mpsc::Sender<Ask>,
    /// By what would be approved.
    watched: Mutex<HashMap<ActionDigest, watch::Sender<Standing>>>,
    /// Uses that calls have, whose end is still to be told.
    under_way: AtomicUsize,
    /// There is one more to watch.
    pub(super) news: Notify,
}

/// A call that asks, for all that are like it.
struct Asking<'a> {
    desk: &'a ApprovalDesk,
    digest: ActionDigest,
}

impl Asking<'_> {
    fn answered(self, standing: Standing) {
        if let Some(known) = self.desk.watched.lock().get(&self.digest) {
            known.send_replace(standing);
        }
        self.desk.news.notify_one();
    }
}

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        let mut watched = self.desk.watched.lock();
        let unanswered = |known: &watch::Sender<Standing>| known.borrow().phase == Phase::Asked;
        if watched.get(&self.digest).is_some_and(unanswered) {
            watched.remove(&self.digest);
        }
    }
}

/// A call's place in front of one request.
#[derive(Debug)]
pub(crate) struct Seat(watch::Receiver<Standing>);

impl Seat {
    /// Where the request stands.
    pub(crate) fn standing(&self) -> Standing {
        self.0.borrow().clone()
    }

    /// Waits until it stands elsewhere; false when the time is over.
    pub(crate) async fn moves(&mut self, until: Instant) -> bool {
        // A desk that is gone moves nothing any more.
        matches!(tokio::time::timeout_at(until, self.0.changed()).await, Ok(Ok(())))
    }
}

impl ApprovalDesk {
    /// A desk, and what the link answers from.
    pub(crate) fn open() -> (Self, mpsc::Receiver<Ask>) {
        let (asks, waiting) = mpsc::channel(WAITING);
        let desk =
            Self { asks, watched: Mutex::default(), under_way: AtomicUsize::new(0), news: Notify::new() };
        (desk, waiting)
    }

    /// A seat before the request for an action: the one that is watched, or a new one, which `question` asks for. However many
    /// identical calls come at once, people are asked by one of them.
    ///
    /// # Errors
    /// What the control plane says; `UNAVAILABLE` when it says nothing in time.
    pub(crate) async fn seat(
        &self,
        digest: ActionDigest,
        question: impl Fn() -> Box<v1::AskApprovalRequest>,
    ) -> Result<Seat, Status> {
        let until = Instant::now() + ANSWER;
        loop {
            let (mut seat, first) = self.place(digest)?;
            if first {
                let asking = Asking { desk: self, digest };
                let told = self.told(|answer| Ask::Approval(question(), answer)).await?;
                asking.answered(Standing::from(told));
                return Ok(seat);
            }
            match seat.standing().phase {
                Phase::Asked => {}
                _ => return Ok(seat),
            }
            // Who asks may fail, or leave: then the next one does.
            if !seat.moves(until).await && Instant::now() >= until {
                return Err(Status::unavailable("the control plane does not answer"));
            }
        }
    }

    /// A place before a request that may still come to something; true for whoever is to ask for it.
    fn place(&self, digest: ActionDigest) -> Result<(Seat, bool), Status> {
        let mut watched = self.watched.lock();
        let open = |standing: &watch::Sender<Standing>| {
            let phase = standing.borrow().phase;
            // Told of by nobody, it may be old.
            standing.receiver_count() > 0
                && matches!(phase, Phase::Asked | Phase::Waiting | Phase::Approved | Phase::Taken)
        };
        if let Some(known) = watched.get(&digest).filter(|known| open(known)) {
            return Ok((Seat(known.subscribe()), false));
        }
        watched.retain(|_, standing| standing.receiver_count() > 0);
        if watched.len() >= MAX_WATCHED && !watched.contains_key(&digest) {
            return Err(Status::resource_exhausted("too many requests of this agent wait for people"));
        }
        let (sender, receiver) = watch::channel(Standing::asked());
        watched.insert(digest, sender);
        Ok((Seat(receiver), true))
    }

    /// Takes one use, for one call.
    ///
    /// # Errors
    /// As [`ApprovalDesk::ask`].
    pub(crate) async fn take(
        &self,
        request: v1::TakeApprovalRequest,
    ) -> Result<v1::TakeApprovalResponse, Status> {
        self.told(|answer| Ask::Use(request, answer)).await
    }

    /// How a request of the own agent stands.
    ///
    /// # Errors
    /// `NOT_FOUND`, or as [`ApprovalDesk::ask`].
    pub(crate) async fn look(&self, id: String) -> Result<v1::ApprovalStanding, Status> {
        self.told(|answer| Ask::Look(id, answer)).await
    }

    /// A call has a use.
    pub(super) fn begun(&self) {
        self.under_way.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether some call has a use whose end is still to be told.
    pub(super) fn has_uses(&self) -> bool {
        self.under_way.load(Ordering::Relaxed) > 0
    }

    /// Tells how a use ended. What cannot be told counts as unknown after a while, where it is kept.
    pub(super) fn ended(&self, end: v1::EndApprovalRequest) {
        self.under_way.fetch_sub(1, Ordering::Relaxed);
        if self.asks.try_send(Ask::End(end)).is_err() {
            tracing::error!("the end of an approved call could not be told: it will be listed as ambiguous");
        }
    }

    async fn told<T>(
        &self,
        ask: impl FnOnce(oneshot::Sender<Result<T, Status>>) -> Ask,
    ) -> Result<T, Status> {
        let away = || Status::unavailable("the control plane does not answer");
        let (answer, answered) = oneshot::channel();
        let telling = async {
            self.asks.send(ask(answer)).await.map_err(|_| away())?;
            answered.await.map_err(|_| away())?
        };
        tokio::time::timeout(ANSWER, telling).await.map_err(|_| away())?
    }

    /// What calls go by has changed: each looks again whether it still waits.
    pub(crate) fn look_again(&self) {
        for standing in self.watched.lock().values() {
            standing.send_modify(|_| {});
        }
    }

    /// Requests that calls wait for, and up to where they know.
    pub(super) fn awaited(&self) -> Vec<v1::AwaitedApproval> {
        let mut watched = self.watched.lock();
        watched.retain(|_, standing| standing.receiver_count() > 0);
        let awaited = watched.values().filter_map(|standing| {
            let standing = standing.borrow();
            let asked = standing.phase != Phase::Asked;
            asked.then(|| v1::AwaitedApproval { id: standing.id.clone(), version: standing.version })
        });
        awaited.collect()
    }

    /// A request moved on.
    pub(super) fn moved(&self, told: v1::ApprovalStanding) {
        let standing = Standing::from(told);
        let watched = self.watched.lock();
        if let Some(known) = watched.values().find(|known| known.borrow().id == standing.id) {
            known.send_if_modified(|held| newer(held, &standing));
        }
    }
}

/// Takes over what is newer; a request that was asked anew has another id.
fn newer(held: &mut Standing, told: &Standing) -> bool {
    let news = held.id != told.id || told.version > held.version;
    if news {
        *held = told.clone();
    }
    news
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(id: &str, state: &str, version: i64) -> v1::ApprovalStanding {
        v1::ApprovalStanding { id: id.into(), state: state.into(), version, ..Default::default() }
    }

    /// Answers the next ask.
    async fn answers(asks: &mut mpsc::Receiver<Ask>, standing: v1::ApprovalStanding) {
        match asks.recv().await {
            Some(Ask::Approval(_, answer)) => answer.send(Ok(standing)).unwrap(),
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn identical_calls_ask_once_and_all_hear_of_it() {
        let (desk, mut asks) = ApprovalDesk::open();
        let digest = ActionDigest([1; 32]);
        // All at once, before there is any answer.
        let all = futures::future::join_all((0..100).map(|_| desk.seat(digest, Box::default)));
        let (seats, ()) = tokio::join!(all, answers(&mut asks, told("a", "pending", 1)));
        let mut seats: Vec<Seat> = seats.into_iter().map(Result::unwrap).collect();
        assert!(asks.try_recv().is_err(), "asked once");
        assert_eq!(desk.awaited().len(), 1);
        desk.moved(told("a", "approved", 2));
        for seat in &mut seats {
            seat.moves(Instant::now() + Duration::from_secs(5)).await;
            assert_eq!(seat.standing().phase, Phase::Approved);
        }
        desk.moved(told("a", "pending", 1));
        assert_eq!(seats[0].standing().phase, Phase::Approved, "what is older changes nothing");
        drop(seats);
        assert!(desk.awaited().is_empty(), "nobody waits: nothing is watched");
    }

    #[tokio::test]
    async fn when_the_one_who_asks_leaves_the_next_one_asks() {
        let (desk, mut asks) = ApprovalDesk::open();
        let digest = ActionDigest([1; 32]);
        let first = desk.seat(digest, Box::default);
        let leaves = tokio::time::timeout(Duration::from_millis(50), first);
        let second = async {
            tokio::time::sleep(Duration::from_millis(10)).await;
            desk.seat(digest, Box::default).await
        };
        let answer = async {
            // The first one's, which nobody waits for any more.
            let gone = asks.recv().await;
            answers(&mut asks, told("a", "pending", 1)).await;
            drop(gone);
        };
        let (left, seat, ()) = tokio::join!(leaves, second, answer);
        assert!(left.is_err());
        assert_eq!(seat.unwrap().standing().id, "a");
    }

    #[tokio::test(start_paused = true)]
    async fn a_control_plane_that_does_not_answer_is_said_so_in_time() {
        let (desk, _asks) = ApprovalDesk::open();
        let asked = desk.seat(ActionDigest([1; 32]), Box::default).await;
        assert_eq!(asked.unwrap_err().code(), tonic::Code::Unavailable);
        assert!(desk.awaited().is_empty());
    }

    #[tokio::test]
    async fn more_requests_than_the_bound_are_not_watched() {
        let (desk, mut asks) = ApprovalDesk::open();
        let mut seats = Vec::new();
        for number in 0..MAX_WATCHED {
            let digest = ActionDigest([number as u8; 32]);
            let standing = told(&number.to_string(), "pending", 1);
            let (seat, ()) = tokio::join!(desk.seat(digest, Box::default), answers(&mut asks, standing));
            seats.push(seat.unwrap());
        }
        let more = desk.seat(ActionDigest([255; 32]), Box::default).await;
        assert_eq!(more.unwrap_err().code(), tonic::Code::ResourceExhausted);
    }

    #[test]
    fn a_state_this_version_does_not_know_lets_nothing_through() {
        assert_eq!(Standing::from(told("a", "rubber_stamped", 1)).phase, Phase::Denied);
    }
}
