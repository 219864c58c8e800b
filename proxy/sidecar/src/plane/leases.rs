//! Leases: what quotas may use is got from the control plane ahead of calls, and what was used is told to it.

use std::sync::Arc;
use std::time::Duration;

use creto_client::SidecarClient;
use creto_proto::v1::lease_answer::Answer;
use creto_proto::v1::{ExchangeLeasesRequest, LeaseAccount, LeaseAnswer, LeaseAsk, LeaseExchange, LeaseLine};
use creto_quota::{Lease, Report};
use tonic::{Request, Status};

use crate::path::judge::now_s;
use crate::quota::{LeaseDesk, QuotaLine, Said};

/// Exchanges in one request.
const EXCHANGES: usize = 256;
/// How often what was used is told, when nobody asks for more.
const TELL: Duration = Duration::from_secs(3);
/// Pause between two requests: what comes meanwhile goes together.
const GATHER: Duration = Duration::from_millis(2);
/// How long to wait after a failure.
const BACKOFF: Duration = Duration::from_millis(500);
/// Longest wait for one answer.
const ANSWER: Duration = Duration::from_secs(3);

/// Gets leases and tells of them until it is dropped.
pub(crate) async fn run(desk: &LeaseDesk, process: u64, client: &SidecarClient) {
    loop {
        let _ = tokio::time::timeout(TELL, desk.wake.notified()).await;
        for line in desk.lines() {
            line.look();
        }
        match exchange(desk, process, client, Asks::Too).await {
            Ok(_) => tokio::time::sleep(GATHER).await,
            Err(status) => {
                tracing::debug!(%status, "no leases: the control plane does not answer");
                for line in desk.lines() {
                    // Who has a lease goes on by it.
                    if line.ask().is_some() {
                        line.refused(Said::Away);
                    }
                }
                tokio::time::sleep(BACKOFF).await;
            }
        }
    }
}

/// Gives everything back, for a sidecar that stops; what is not told in time counts as used.
pub(crate) async fn give_back(desk: &LeaseDesk, process: u64, client: &SidecarClient, most: Duration) {
    for line in desk.lines() {
        line.quota.give_back();
    }
    let tell = async {
        // What was under way when the sidecar was stopped is told first, and the rest after it.
        while let Ok(true) = exchange(desk, process, client, Asks::Not).await {}
    };
    let _ = tokio::time::timeout(most, tell).await;
}

/// Whether leases are asked for, beside what is told.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Asks {
    Too,
    Not,
}

/// One quota's part of a request.
struct Part {
    line: Arc<QuotaLine>,
    exchange: LeaseExchange,
}

/// Tells, and asks, once; false when there was nothing to say.
async fn exchange(
    desk: &LeaseDesk,
    process: u64,
    client: &SidecarClient,
    asks: Asks,
) -> Result<bool, Status> {
    let parts: Vec<Part> = desk.lines().into_iter().filter_map(|line| part_of(line, asks)).collect();
    for parts in parts.chunks(EXCHANGES) {
        let exchanges = parts.iter().map(|part| part.exchange.clone()).collect();
        let mut request = Request::new(ExchangeLeasesRequest { process, exchanges });
        request.set_timeout(ANSWER);
        let answers = client.leases().exchange_leases(request).await?.into_inner().answers;
        if answers.len() != parts.len() {
            return Err(Status::internal("not every exchange is answered"));
        }
        for (part, answer) in parts.iter().zip(answers) {
            take_in(part, answer);
        }
    }
    Ok(!parts.is_empty())
}

fn part_of(line: Arc<QuotaLine>, asks: Asks) -> Option<Part> {
    let account = line.quota.take_report(now_s()).map(account_of);
    let ask = if asks == Asks::Too { line.ask() } else { None };
    let ask = ask.map(|(request, wanted, needed)| LeaseAsk { request, wanted, needed });
    if account.is_none() && ask.is_none() {
        return None;
    }
    let (policy, quota) = (line.policy.to_string(), line.name.to_string());
    Some(Part { line, exchange: LeaseExchange { policy, quota, ask, account } })
}

fn account_of(report: Report) -> LeaseAccount {
    let lines = report.leases.into_iter().map(|line| LeaseLine {
        id: line.id,
        epoch: line.epoch,
        spent: line.spent,
        given_back: line.given_back,
        overrun: line.overrun,
        last: line.last,
    });
    LeaseAccount { sequence: report.sequence, lines: lines.collect(), overage: report.overage }
}

fn take_in(part: &Part, answer: LeaseAnswer) {
    let line = &part.line;
    if answer.acknowledged > 0 {
        line.quota.confirm_report(answer.acknowledged);
    }
    if answer.revoke_id > 0 {
        // What is left of it goes back with the next account.
        let _ = line.quota.revoke(answer.revoke_epoch, answer.revoke_id);
    }
    match answer.answer {
        Some(Answer::Lease(lease)) => {
            let lease = Lease {
                id: lease.id,
                epoch: lease.epoch,
                amount: lease.amount,
                not_after_s: lease.not_after_s,
            };
            if !line.granted(&lease, now_s()) {
                tracing::warn!(policy = %line.policy, quota = %line.name, "a lease is not taken and goes back");
            }
        }
        Some(Answer::Exhausted(exhausted)) => line.refused(Said::Exhausted {
            window_ends_ms: exhausted.window_ends_ms,
            available: exhausted.available,
        }),
        Some(Answer::ImpossibleAmount(amount)) => line.refused(Said::Impossible { amount }),
        Some(Answer::Refused(why)) => {
            tracing::warn!(policy = %line.policy, quota = %line.name, why, "the control plane grants no lease");
            if part.exchange.ask.is_some() {
                line.refused(Said::Unknown);
            }
        }
        None => {}
    }
}
