//! Group `models`: calls of model APIs through the sidecar, and what reads them.

mod answers;
mod first_byte;
mod in_flight;
mod throughput;
mod upstream;
mod wire;

use std::path::Path;

use creto_test_support::{Detached, DetachedSidecar};

use crate::report::Report;
use upstream::Upstream;

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

pub(crate) fn run() -> Outcome<()> {
    let mut report = Report::new("models");
    throughput::measure(&mut report)?;
    first_byte::measure(&mut report)?;
    in_flight::measure(&mut report)?;
    report.finish()
}

/// The secret that the sidecar puts in, of the usual length.
fn secret() -> String {
    format!("sk-proj-{}", "Zk3vQ9xLr7Tn1Bw5".repeat(9))
}

/// A sidecar that understands the provider, decides on the model, puts in the credential and meters.
fn start(
    upstream: &Upstream,
    key: &Path,
    more: impl FnOnce(Detached) -> Detached,
) -> Outcome<DetachedSidecar> {
    std::fs::write(key, secret())?;
    let (port, key) = (upstream.port, key.display());
    let policy = format!(
        "version = 1\nname = \"bench\"\n\
         [[provider]]\nname = \"bench\"\nhost = \"localhost\"\nport = {port}\napi = \"openai\"\nbase = \"/v1\"\n\
         [[allow]]\nname = \"models\"\nhost = \"localhost\"\nport = {port}\nprivate = true\nmodel = \"gpt-5*\"\n\
         [[deny]]\nname = \"not-nano\"\nhost = \"*\"\nport = \"any\"\nmodel = \"*-nano\"\n\
         [[credential]]\nname = \"models\"\nhost = \"localhost\"\nport = {port}\npath = \"/v1/**\"\ntype = \"bearer\"\n\
         from = {{ file = \"{key}\" }}\n"
    );
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    Ok(runtime.block_on(more(Detached::policy(policy).trusting(&upstream.ca_pem)).start()))
}
