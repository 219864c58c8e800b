//! Whether the control plane has every record of a sidecar, before its state may go.

use std::time::Duration;

use creto_proto::v1;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};

/// How long the end of a run waits for the records.
pub(crate) const WAIT: Duration = Duration::from_secs(5);

/// Between two looks. Longer than the sidecar's own round of 100 ms, so that two looks see two rounds.
const LOOK: Duration = Duration::from_millis(150);

/// Longest wait for the sidecar's numbers, and most bytes of them.
const ANSWER_WAIT: Duration = Duration::from_secs(1);
const ANSWER_BYTES: u64 = 256 * 1024;

/// What a sidecar says of its calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Calls begun since it started.
    begun: u64,
    /// Calls ended since it started.
    ended: u64,
    /// Entries that the control plane has not taken.
    pending: u64,
}

impl Counts {
    fn is_settled(self) -> bool {
        self.pending == 0 && self.begun == self.ended
    }

    /// Whether `calls` of the control plane hold all of these, each ended. `whole` tells that the list was not cut.
    #[must_use]
    pub(crate) fn are_among(self, calls: &[v1::CallRecord], sidecar: &str, whole: bool) -> bool {
        if !whole {
            return self.is_settled();
        }
        let of_it = || calls.iter().filter(|call| call.sidecar_id == sidecar);
        of_it().count() as u64 >= self.begun && of_it().all(|call| call.ended.is_some())
    }

    /// Whether nothing was waiting when the sidecar was last asked.
    #[must_use]
    pub(crate) fn were_taken(self) -> bool {
        self.is_settled()
    }
}

/// Waits, at most five seconds, until every call of the sidecar has ended and the control plane has its record. Gives
/// what the sidecar said last; none when it does not answer.
pub(crate) async fn settled(admin: &str) -> Option<Counts> {
    let end = Instant::now() + WAIT;
    let mut last: Option<Counts> = None;
    loop {
        let now = ask(admin).await;
        match now {
            // Twice the same: the number of pending entries is as old as the sidecar's last round.
            Some(counts) if counts.is_settled() && last == now => return now,
            None if last.is_some() => return last,
            None => return None,
            Some(_) if Instant::now() > end => return now,
            Some(_) => last = now,
        }
        sleep(LOOK).await;
    }
}

async fn ask(admin: &str) -> Option<Counts> {
    let asked = async {
        let mut stream = TcpStream::connect(admin).await.ok()?;
        let request = format!("GET /metrics HTTP/1.1\r\nhost: {admin}\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.ok()?;
        let mut answer = String::new();
        stream.take(ANSWER_BYTES).read_to_string(&mut answer).await.ok()?;
        parse(&answer)
    };
    timeout(ANSWER_WAIT, asked).await.ok().flatten()
}

/// Of the Prometheus text format; none when the numbers are not there.
fn parse(answer: &str) -> Option<Counts> {
    let sum = |family: &str| {
        let values = answer.lines().filter_map(|line| {
            let (name, value) = line.trim_end().rsplit_once(' ')?;
            (name.split('{').next() == Some(family)).then(|| value.parse::<f64>().ok())?
        });
        // Counters, and far below 2^53.
        values.map(|value| value as u64).reduce(|a, b| a + b)
    };
    Some(Counts {
        begun: sum("creto_calls_total")?,
        ended: sum("creto_calls_ended_total")?,
        pending: sum("creto_spool_pending")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const METRICS: &str = "HTTP/1.1 200 OK\r\n\r\n# HELP creto_calls_total Calls by verdict.\n\
        creto_calls_total{verdict=\"allowed\"} 4\ncreto_calls_total{verdict=\"denied\"} 2\n\
        creto_calls_ended_total{outcome=\"completed\"} 5\ncreto_spool_pending 3\n";

    fn call(sidecar: &str, ended: bool) -> v1::CallRecord {
        v1::CallRecord {
            sidecar_id: sidecar.to_owned(),
            ended: ended.then(v1::CallEnded::default),
            ..Default::default()
        }
    }

    #[test]
    fn the_numbers_are_read_from_the_metrics() {
        assert_eq!(parse(METRICS), Some(Counts { begun: 6, ended: 5, pending: 3 }));
        assert_eq!(parse("HTTP/1.1 404 Not Found\r\n\r\n"), None);
    }

    #[test]
    fn records_are_handed_in_when_every_call_is_there_and_ended() {
        let counts = Counts { begun: 2, ended: 2, pending: 1 };
        let all = [call("s", true), call("s", true), call("other", false)];
        assert!(counts.are_among(&all, "s", true));
        assert!(!counts.are_among(&all[1..], "s", true), "one is missing");
        assert!(!counts.are_among(&[call("s", true), call("s", false)], "s", true), "one is open");
        assert!(!counts.are_among(&all, "s", false), "of a cut list the sidecar's word counts");
    }

    #[tokio::test]
    async fn a_sidecar_that_is_gone_says_nothing() {
        assert_eq!(settled("127.0.0.1:1").await, None);
    }
}
