//! `creto up`: the control plane, and with `--agent` a sidecar, in the foreground until a signal comes.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use creto_proto::v1;
use serde_json::json;

use crate::commands::policy;
use crate::failure::{Failure, Outcome};
use crate::hosted::{Hosted, Stores};
use crate::operator::Operator;
use crate::output::remark;
use crate::principals::{self, Standing};
use crate::session::Session;
use crate::sidecar_process::{SidecarPlan, SidecarProcess};
use crate::signals::Incoming;

/// How long the delegation to an agent of `creto up` lasts.
const DELEGATION_S: u64 = 30 * 86_400;

/// A sidecar that ends is started again after this, doubled each time ...
const FIRST_RESTART: Duration = Duration::from_secs(1);

/// ... up to this.
const LAST_RESTART: Duration = Duration::from_secs(30);

/// Options of `up`.
#[derive(Args, Debug)]
pub(crate) struct UpArgs {
    /// Where the control plane listens; port 0 for a free one.
    #[arg(long, env = "CRETO_LISTEN", default_value = "127.0.0.1:8443", value_name = "HOST:PORT")]
    listen: String,
    /// Start a sidecar for this agent too; the agent is made if there is none.
    #[arg(long, env = "CRETO_AGENT", value_name = "NAME")]
    agent: Option<String>,
    /// Apply this policy first.
    #[arg(long, env = "CRETO_POLICY", value_name = "FILE")]
    policy: Option<PathBuf>,
    /// Where the sidecar takes the agent's calls; port 0 for a free one.
    #[arg(long, env = "CRETO_PROXY_LISTEN", default_value = "127.0.0.1:15001", value_name = "HOST:PORT")]
    proxy_listen: String,
    /// Where the sidecar answers its operator; port 0 for a free one.
    #[arg(long, env = "CRETO_ADMIN", default_value = "127.0.0.1:15000", value_name = "HOST:PORT")]
    admin: String,
    /// Redis that keeps the quotas, instead of the home (`redis://[user:password@]host:port`).
    #[arg(long, env = "CRETO_REDIS_URL", hide_env_values = true, value_name = "URL")]
    redis_url: Option<String>,
    /// PostgreSQL that keeps metering events, instead of the home (`postgres://user:password@host:port/database`).
    #[arg(long, env = "CRETO_DATABASE_URL", hide_env_values = true, value_name = "URL")]
    database_url: Option<String>,
    /// Where the approvals page listens (`127.0.0.1:8444`); without, there is none.
    #[arg(long, env = "CRETO_DASHBOARD_LISTEN", value_name = "HOST:PORT")]
    dashboard_listen: Option<String>,
    /// Authority that the sidecar trusts in upstreams besides the system's (PEM); may be repeated.
    #[arg(long, env = "CRETO_UPSTREAM_CA", value_name = "FILE", value_delimiter = ',')]
    upstream_ca: Vec<PathBuf>,
}

/// Runs until a signal comes.
///
/// # Errors
/// When something does not start, or the control plane ends by itself.
pub(crate) async fn run(session: &Session, args: UpArgs) -> Outcome {
    if session.is_elsewhere() {
        return Err(
            Failure::new("`creto up` runs a control plane of its own.").next("Leave --control-plane out.")
        );
    }
    // The word of one that was killed may still stand there: only one that answers counts.
    if let Some(running) = session.home.running()
        && Operator::connect(&session.access_at(&running.address), session.namespace()).await.is_ok()
    {
        return Err(Failure::new("A control plane runs in this home already.")
            .why(format!("it listens on {}, process {}", running.address, running.pid))
            .next("Use it, end it, or give another home with --home."));
    }
    let document = match &args.policy {
        Some(file) => {
            let text = policy::read(file)?;
            policy::parse(&file.to_string_lossy(), &text)?;
            Some(text)
        }
        None => None,
    };
    let mut incoming = Incoming::listen()?;
    let stores = Stores {
        redis_url: args.redis_url.as_deref(),
        database_url: args.database_url.as_deref(),
        dashboard_listen: args.dashboard_listen.as_deref(),
    };
    let mut hosted = tokio::select! {
        started = Hosted::start(session.home.data(), &args.listen, &stores) => started?,
        _ = incoming.next() => return Ok(()),
    };
    let mut up = tokio::select! {
        prepared = prepare(session, &args, document, &hosted.address) => prepared?,
        _ = incoming.next() => {
            hosted.stop().await;
            return Ok(());
        }
    };
    announce(session, &hosted, &up)?;
    let ended = tokio::select! {
        _ = incoming.next() => Ok(()),
        status = hosted.ended() => Err(Failure::new("The control plane has ended.")
            .why(status.map_or_else(|| "its status is unknown".to_owned(), |status| status.to_string()))
            .next(format!("Its log is {}.", session.home.data().join("control-plane.log").display()))),
        failure = keep_running(session, &args, &mut up) => Err(failure),
    };
    if let Some(sidecar) = &mut up.sidecar {
        sidecar.stop().await;
    }
    hosted.stop().await;
    ended
}

/// What runs besides the control plane.
struct Up {
    operator: Operator,
    address: String,
    agent: Option<v1::Agent>,
    sidecar: Option<SidecarProcess>,
}

async fn prepare(session: &Session, args: &UpArgs, document: Option<String>, address: &str) -> Outcome<Up> {
    let operator = Operator::connect(&session.access_at(address), session.namespace()).await?;
    let root = principals::root_principal(&session.home, &operator).await?;
    if let Some(document) = document {
        policy::apply(&operator, document).await?;
    }
    let mut up = Up { operator, address: address.to_owned(), agent: None, sidecar: None };
    if let Some(name) = &args.agent {
        let standing = Standing { name, lifetime_s: DELEGATION_S, keep_key: true };
        up.agent = Some(principals::stand(&session.home, &up.operator, &root, &standing).await?);
        up.sidecar = Some(start_sidecar(session, args, &up, name).await?);
    }
    Ok(up)
}

async fn start_sidecar(session: &Session, args: &UpArgs, up: &Up, name: &str) -> Outcome<SidecarProcess> {
    let state = session.home.sidecar(name);
    // A state that has enrolled keeps its identity.
    let enrolled = state.join("sidecar.json").try_exists().unwrap_or(false);
    let token = if enrolled { None } else { Some(principals::enrollment_token(&up.operator, name).await?) };
    let access = session.access_at(&up.address);
    let plan = SidecarPlan {
        state: &state,
        control_plane: &access.address,
        control_plane_ca: &access.authority,
        token: token.as_deref(),
        listen: &args.proxy_listen,
        admin: &args.admin,
        upstream_ca: &args.upstream_ca,
    };
    SidecarProcess::start(&plan).await
}

/// Starts the sidecar again whenever it ends; returns when it cannot be started any more.
async fn keep_running(session: &Session, args: &UpArgs, up: &mut Up) -> Failure {
    let (Some(name), Some(_)) = (&args.agent, &up.sidecar) else { return std::future::pending().await };
    let mut wait = FIRST_RESTART;
    loop {
        if let Some(sidecar) = &mut up.sidecar {
            let status = sidecar.ended().await;
            let status = status.map_or_else(String::new, |status| format!(" ({status})"));
            remark(&format!(
                "creto: the sidecar has ended{status}; starting it again in {} s",
                wait.as_secs()
            ));
        }
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(LAST_RESTART);
        match start_sidecar(session, args, up, name).await {
            Ok(sidecar) => up.sidecar = Some(sidecar),
            Err(failure) if wait == LAST_RESTART => return failure,
            Err(failure) => {
                remark(&format!("creto: {failure}"));
                up.sidecar = None;
            }
        }
    }
}

fn announce(session: &Session, hosted: &Hosted, up: &Up) -> Outcome {
    let data = session.home.data();
    let mut lines = vec![
        format!("control plane  {}", hosted.address),
        format!("authority      {}", data.join("ca.pem").display()),
        format!("token          {}", data.join("operator.token").display()),
    ];
    if let (Some(agent), Some(sidecar)) = (&up.agent, &up.sidecar) {
        lines.push(format!("agent          {}", agent.name));
        lines.push(format!("proxy          http://{}", sidecar.ready.proxy));
        lines.push(format!("trust          {}", sidecar.authority().display()));
        lines.push(format!("admin          http://{}", sidecar.ready.admin));
    }
    lines.push("ready; Ctrl-C ends it".to_owned());
    let sidecar = up.sidecar.as_ref();
    let value = json!({
        "control_plane": hosted.address,
        "authority": data.join("ca.pem"),
        "token_file": data.join("operator.token"),
        "agent": up.agent.as_ref().map(|agent| &agent.name),
        "proxy": sidecar.map(|sidecar| &sidecar.ready.proxy),
        "trust": sidecar.map(SidecarProcess::authority),
        "admin": sidecar.map(|sidecar| &sidecar.ready.admin),
    });
    session.output.value(&value, &lines.join("\n"))
}
