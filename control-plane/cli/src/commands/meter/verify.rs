//! `creto meter verify`: every event that was sent is accepted, a duplicate, or rejected with a code.

use clap::Args;
use creto_proto::v1;
use serde_json::{Value, json};

use crate::failure::{Outcome, exit};
use crate::operator::refused;
use crate::output::{moment, remark};
use crate::session::Session;

/// Options of `meter verify`.
#[derive(Args, Debug)]
pub(crate) struct VerifyArgs {
    /// Of this producer only: its name, calls/<id>, or the source of its CloudEvents.
    #[arg(long, value_name = "NAME", default_value = "", hide_default_value = true)]
    producer: String,
}

/// Prints the accounts; the exit code says whether all add up.
///
/// # Errors
/// When the control plane refuses.
pub(super) async fn run(session: &Session, args: VerifyArgs) -> Outcome<u8> {
    let operator = session.operator().await?;
    let request =
        v1::VerifyProducersRequest { namespace: operator.namespace.clone(), producer: args.producer };
    let answer = operator.client.meters().verify_producers(request).await;
    let accounts = answer
        .map_err(|status| refused("The producers cannot be verified.", &status))?
        .into_inner()
        .producers;
    let rows: Vec<_> = accounts.iter().map(row).collect();
    let heading = ["producer", "epoch", "sent", "accepted", "duplicate", "rejected", "adds up", "last seen"];
    session.output.list(&heading, &rows)?;
    let wrong = accounts.iter().filter(|account| !adds_up(account)).count();
    if wrong == 0 {
        return Ok(0);
    }
    remark(&format!(
        "{wrong} of {} accounts do not add up: events were lost or counted twice.",
        accounts.len()
    ));
    Ok(exit::FAILED)
}

/// Whether sent = accepted + duplicate + rejected, and the rejected are those of their codes.
fn adds_up(account: &v1::ProducerAccount) -> bool {
    let sum = |counts: &[u64]| counts.iter().map(|count| u128::from(*count)).sum::<u128>();
    let by_code: Vec<u64> = account.rejected_by_code.values().copied().collect();
    u128::from(account.sent) == sum(&[account.accepted, account.duplicate, account.rejected])
        && u128::from(account.rejected) == sum(&by_code)
}

fn row(account: &v1::ProducerAccount) -> (Vec<String>, Value) {
    let mut codes: Vec<_> = account.rejected_by_code.iter().collect();
    codes.sort();
    let told: Vec<String> = codes.iter().map(|(code, count)| format!("{count} {code}")).collect();
    let rejected = if told.is_empty() {
        account.rejected.to_string()
    } else {
        format!("{} ({})", account.rejected, told.join(", "))
    };
    let adds_up = adds_up(account);
    let epoch = format!("{:016x}", account.epoch);
    let cells = vec![
        account.producer.clone(),
        epoch.clone(),
        account.sent.to_string(),
        account.accepted.to_string(),
        account.duplicate.to_string(),
        rejected,
        if adds_up { "yes" } else { "NO" }.to_owned(),
        moment(account.last_seen_ms),
    ];
    let value = json!({
        "producer": account.producer, "epoch": epoch, "sent": account.sent, "accepted": account.accepted,
        "duplicate": account.duplicate, "rejected": account.rejected, "rejected_by_code": account.rejected_by_code,
        "adds_up": adds_up, "last_seen": moment(account.last_seen_ms),
    });
    (cells, value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(sent: u64, counts: [u64; 3], code: u64) -> v1::ProducerAccount {
        let [accepted, duplicate, rejected] = counts;
        let rejected_by_code = [("time_too_old".to_owned(), code)].into();
        v1::ProducerAccount { sent, accepted, duplicate, rejected, rejected_by_code, ..Default::default() }
    }

    #[test]
    fn an_account_adds_up_when_nothing_is_lost_or_counted_twice() {
        assert!(adds_up(&account(10, [6, 3, 1], 1)));
        assert!(!adds_up(&account(11, [6, 3, 1], 1)), "one was lost");
        assert!(!adds_up(&account(9, [6, 3, 1], 1)), "one was counted twice");
        assert!(!adds_up(&account(10, [6, 3, 1], 0)), "one was rejected without a reason");
        assert!(!adds_up(&account(4, [u64::MAX, 3, 2], 2)), "nothing wraps around");
    }
}
