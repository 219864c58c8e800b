//! Calls that go on while something is broken.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use creto_test_support::{Answer, HttpAgent, Trip, Way};
use tokio::task::JoinHandle;

use crate::journal::Journal;

/// How all calls here get in: the quickest way, as many are made.
pub const WAY_IN: Way = Way::BaseUrl("/up");
/// Between two calls of one caller.
const PAUSE: Duration = Duration::from_millis(5);
/// One call in so many is one that the policy refuses.
const REFUSED_EVERY: u64 = 4;

/// Allows everything at the upstream on this port but what is under `/echo/secret/`.
#[must_use]
pub fn policy(port: u16) -> String {
    format!(
        r#"version = 1
name = "resilience"
[[allow]]
name = "all-but-secrets"
host = "127.0.0.1"
port = {port}
[[deny]]
name = "no-secrets"
host = "*"
port = "any"
path = "/echo/secret/**"
[[route]]
name = "up"
prefix = "/up"
to = "http://127.0.0.1:{port}"
"#
    )
}

/// Makes one call to a path that no other call has, and notes it. The path is also its `x-id`.
///
/// # Errors
/// What broke, in words: no status line came.
pub async fn call(client: &HttpAgent, journal: &Journal, path: &str) -> Result<Answer, String> {
    let (bare, _query) = path.split_once('?').unwrap_or((path, ""));
    let trip = Trip::get(WAY_IN, &format!("http://upstream{path}")).header("x-id", bare);
    let answer = client.try_go(trip).await;
    journal.note(bare, answer.as_ref().ok());
    answer
}

/// Callers that call until they are stopped.
pub struct Traffic {
    stop: Arc<AtomicBool>,
    made: Arc<AtomicU64>,
    callers: Vec<JoinHandle<()>>,
}

impl Traffic {
    /// So many callers at once; `tag` keeps their paths apart from others'. Calls that get no answer are noted as such.
    #[must_use]
    pub fn begin(client: &HttpAgent, journal: &Arc<Journal>, tag: &str, callers: usize) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let made = Arc::new(AtomicU64::new(0));
        let callers = (0..callers)
            .map(|caller| {
                let (client, journal, tag) = (client.clone(), Arc::clone(journal), tag.to_owned());
                let (stop, made) = (Arc::clone(&stop), Arc::clone(&made));
                tokio::spawn(async move {
                    for n in 0.. {
                        if stop.load(Ordering::Relaxed) {
                            break;
                        }
                        let kind = if n % REFUSED_EVERY == 0 { "secret" } else { "open" };
                        call(&client, &journal, &format!("/echo/{kind}/{tag}/{caller}/{n}")).await.ok();
                        made.fetch_add(1, Ordering::Relaxed);
                        tokio::time::sleep(PAUSE).await;
                    }
                })
            })
            .collect();
        Self { stop, made, callers }
    }

    /// Waits until this many more calls are through.
    pub async fn more(&self, calls: u64) {
        let wanted = self.made.load(Ordering::Relaxed) + calls;
        creto_test_support::eventually(&format!("{calls} more calls are through"), || {
            std::future::ready((self.made.load(Ordering::Relaxed) >= wanted).then_some(()))
        })
        .await;
    }

    /// Lets every caller finish its call, and ends.
    pub async fn end(self) {
        self.stop.store(true, Ordering::Relaxed);
        for caller in self.callers {
            caller.await.unwrap();
        }
    }
}
