//! `creto doctor`: what this machine has, what runs, and what to do about the rest.

use std::fs;
use std::path::Path;

use serde_json::json;

use crate::failure::{Failure, Outcome};
use crate::home::make_private_folder;
use crate::operator::Operator;
use crate::session::Session;
use crate::{hosted, sidecar_process, trust};

/// The oldest kernel that the sidecar is tested on.
const OLDEST_KERNEL: (u32, u32) = (5, 10);

/// A clock this far behind what the control plane saw is wrong, milliseconds.
const CLOCK_SLACK_MS: i64 = 60_000;

/// 2025-01-01 in milliseconds: a clock before it was never set.
const SET_CLOCK_MS: i64 = 1_735_689_600_000;

/// How a row stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Ok,
    Warn,
    Fail,
}

/// One row: what, how it stands, what was found, what to do.
struct Row(&'static str, State, String, String);

/// Checks everything; fails when a row does.
///
/// # Errors
/// When something that is needed is missing.
pub(crate) async fn run(session: &Session) -> Outcome {
    let mut rows =
        vec![kernel(), home(session), left_behind(session), nftables(), authorities(), environment()];
    rows.push(program("sidecar", sidecar_process::program()));
    rows.push(program("control plane", hosted::program()));
    rows.extend(running(session).await);
    let printed: Vec<_> = rows
        .iter()
        .map(|Row(name, state, found, next)| {
            let word = match state {
                State::Ok => "ok",
                State::Warn => "warn",
                State::Fail => "fail",
            };
            let cells = vec![(*name).to_owned(), word.to_owned(), found.clone(), next.clone()];
            (cells, json!({"check": name, "state": word, "found": found, "next": next}))
        })
        .collect();
    session.output.list(&["check", "state", "found", "what to do"], &printed)?;
    if rows.iter().any(|row| row.1 == State::Fail) {
        return Err(Failure::new("Something that is needed is missing.").next("See the rows that say fail."));
    }
    Ok(())
}

fn ok(name: &'static str, found: impl Into<String>) -> Row {
    Row(name, State::Ok, found.into(), String::new())
}

fn kernel() -> Row {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim().to_owned();
    let mut numbers = release.split(['.', '-']).filter_map(|part| part.parse::<u32>().ok());
    match (numbers.next(), numbers.next()) {
        (Some(major), Some(minor)) if (major, minor) >= OLDEST_KERNEL => {
            ok("kernel", format!("Linux {release}"))
        }
        _ => Row("kernel", State::Warn, format!("Linux {release}"), "Use Linux 5.10 or newer.".to_owned()),
    }
}

fn home(session: &Session) -> Row {
    let folder = session.home.keys();
    match make_private_folder(&folder) {
        Ok(()) => ok("home", folder.parent().unwrap_or(&folder).display().to_string()),
        Err(failure) => Row("home", State::Fail, failure.to_string(), "Give another with --home.".to_owned()),
    }
}

fn left_behind(session: &Session) -> Row {
    let left = session.home.left_behind();
    let Some(first) = left.first() else { return ok("records", "no run has left any behind") };
    let more = match left.len() {
        1 => String::new(),
        count => format!(" and {} more", count - 1),
    };
    Row(
        "records",
        State::Warn,
        format!("perhaps in {}{more}", first.display()),
        "Start creto-proxy on its sidecar folder to hand them in; then remove it (docs/operate.md)."
            .to_owned(),
    )
}

fn nftables() -> Row {
    let at = trust::find_on_path("nft").or_else(|| Some(Path::new("/usr/sbin/nft").to_path_buf()));
    match at.filter(|path| path.try_exists().unwrap_or(false)) {
        Some(path) => ok("nftables", path.display().to_string()),
        None => Row(
            "nftables",
            State::Warn,
            "nft is missing".to_owned(),
            "Only needed to redirect connections: apt-get install nftables.".to_owned(),
        ),
    }
}

fn authorities() -> Row {
    match trust::system_bundle() {
        Some(path) => ok("authorities", path.display().to_string()),
        None => Row(
            "authorities",
            State::Warn,
            "no file of system authorities".to_owned(),
            "Upstreams cannot be verified: apt-get install ca-certificates.".to_owned(),
        ),
    }
}

fn environment() -> Row {
    let set: Vec<&str> =
        crate::agent_environment::names().filter(|name| std::env::var_os(name).is_some()).collect();
    if set.is_empty() {
        return ok("environment", "no proxy or authority variable is set");
    }
    Row(
        "environment",
        State::Warn,
        format!("set: {}", set.join(" ")),
        "`creto run` keeps them: unset them, or use --replace-env.".to_owned(),
    )
}

fn program(name: &'static str, found: Outcome<std::path::PathBuf>) -> Row {
    match found {
        Ok(path) => ok(name, path.display().to_string()),
        Err(failure) => {
            let variable = if name == "sidecar" { "CRETO_PROXY_BIN" } else { "CRETO_CONTROL_PLANE_BIN" };
            Row(name, State::Fail, failure.to_string(), format!("Put it beside creto, or set {variable}."))
        }
    }
}

/// The control plane, its sidecars and its clock.
async fn running(session: &Session) -> Vec<Row> {
    let access = match session.access() {
        Ok(access) => access,
        Err(failure) => {
            return vec![Row("running", State::Warn, failure.to_string(), "Start it: creto up.".to_owned())];
        }
    };
    let operator = match Operator::connect(&access, session.namespace()).await {
        Ok(operator) => operator,
        Err(failure) => {
            let next = "Check its address, its ca.pem and that it runs.".to_owned();
            return vec![Row("running", State::Fail, format!("{}: {failure}", access.address), next)];
        }
    };
    let sidecars = match super::sidecars::all(&operator).await {
        Ok(sidecars) => sidecars,
        Err(failure) => {
            let next = "Use the operator's token of this control plane.".to_owned();
            return vec![Row("running", State::Fail, failure.to_string(), next)];
        }
    };
    let mut rows = vec![ok("running", access.address)];
    let counted =
        |state: &str| sidecars.iter().filter(|one| crate::words::sidecar_state(one) == state).count();
    let (synced, pending, rejected) = (counted("synced"), counted("pending"), counted("rejected"));
    let found = format!("{synced} synced, {pending} pending, {rejected} rejected, {} away", counted("away"));
    rows.push(if rejected > 0 {
        let next = "`creto sidecars` has the reason; the last good policy stays in force.".to_owned();
        Row("sidecars", State::Fail, found, next)
    } else {
        ok("sidecars", found)
    });
    let now = jiff::Timestamp::now().as_millisecond();
    let latest = sidecars.iter().map(|sidecar| sidecar.last_seen_ms).max().unwrap_or(0);
    rows.push(if now < SET_CLOCK_MS || latest > now + CLOCK_SLACK_MS {
        let next = "Set it (NTP): delegations and certificates depend on it.".to_owned();
        Row("clock", State::Fail, format!("this machine says {}", crate::output::moment(now)), next)
    } else {
        ok("clock", crate::output::moment(now))
    });
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_program_is_named_with_what_to_do() {
        let row = program("sidecar", crate::guard::beside("no-such-program", "CRETO_NO_SUCH_VARIABLE"));
        assert_eq!(row.1, State::Fail);
        assert!(
            row.2.contains("no-such-program") && row.3.contains("CRETO_PROXY_BIN"),
            "{} {}",
            row.2,
            row.3
        );
    }
}
