//! `creto sidecars`: which sidecars there are, whether they enforce what they were offered, and what they reported.

use clap::{Args, Subcommand};
use creto_proto::v1;
use serde_json::json;

use crate::failure::Outcome;
use crate::operator::{Operator, all_pages, refused};
use crate::session::Session;
use crate::words;

/// What is asked of sidecars; without more, they are listed.
#[derive(Args, Debug)]
pub(crate) struct SidecarsArgs {
    #[command(subcommand)]
    command: Option<SidecarsCommand>,
}

#[derive(Debug, Subcommand)]
enum SidecarsCommand {
    /// Give every sidecar of the namespace a new key for delegation chains. Chains under the key before go on.
    RotateKeys {
        /// Void what was minted before too: for a key that is no longer secret.
        #[arg(long)]
        void_earlier: bool,
    },
    /// What sidecars reported, newest first: policy refused, policy grown old, revocations, clocks that jumped.
    Events {
        /// Of this sidecar only.
        #[arg(long, value_name = "ID")]
        sidecar: Option<String>,
        /// The newest only.
        #[arg(long, value_name = "COUNT", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=100_000))]
        limit: u32,
    },
}

/// Does it.
///
/// # Errors
/// When the control plane refuses.
pub(crate) async fn run(session: &Session, args: SidecarsArgs) -> Outcome {
    match args.command {
        None => list(session).await,
        Some(SidecarsCommand::Events { sidecar, limit }) => events(session, sidecar, limit).await,
        Some(SidecarsCommand::RotateKeys { void_earlier }) => rotate_keys(session, void_earlier).await,
    }
}

async fn events(session: &Session, sidecar: Option<String>, limit: u32) -> Outcome {
    let operator = session.operator().await?;
    let sidecar_id = sidecar.unwrap_or_default();
    let limit = usize::try_from(limit).unwrap_or(super::LONGEST_LIST);
    let records = all_pages(limit, |page_size, page_token| {
        let request = v1::ListSidecarEventsRequest {
            namespace: operator.namespace.clone(),
            sidecar_id: sidecar_id.clone(),
            page_size,
            page_token,
        };
        let policies = operator.client.policies();
        async move {
            let mut policies = policies;
            let answer = policies.list_sidecar_events(request).await;
            let page =
                answer.map_err(|status| refused("The events cannot be listed.", &status))?.into_inner();
            Ok((page.events, page.next_page_token))
        }
    })
    .await?;
    let rows: Vec<_> = records
        .iter()
        .take(limit)
        .map(|record| {
            let event = record.event.clone().unwrap_or_default();
            let cells = vec![
                crate::output::moment(event.at_ms),
                record.sidecar_id.clone(),
                record.agent_name.clone(),
                words::sidecar_event(&event).to_owned(),
                event.epoch.to_string(),
                event.detail.lines().next().unwrap_or_default().to_owned(),
            ];
            (cells, words::sidecar_event_record(record))
        })
        .collect();
    session.output.list(&["at", "sidecar", "agent", "event", "epoch", "detail"], &rows)
}

async fn rotate_keys(session: &Session, void_earlier: bool) -> Outcome {
    let operator = session.operator().await?;
    let request = v1::RotateChainKeysRequest { namespace: operator.namespace.clone(), void_earlier };
    let answer = operator.client.delegations().rotate_chain_keys(request).await;
    let key_id = answer.map_err(|status| refused("The keys are not rotated.", &status))?.into_inner().key_id;
    let text = format!("chains are minted under key {key_id} from now on");
    session.output.value(&json!({"key_id": key_id, "voided_earlier": void_earlier}), &text)
}

async fn list(session: &Session) -> Outcome {
    let rows: Vec<_> = all(&session.operator().await?)
        .await?
        .iter()
        .map(|sidecar| {
            let cells = vec![
                sidecar.sidecar_id.clone(),
                sidecar.agent_name.clone(),
                words::sidecar_state(sidecar).to_owned(),
                format!("{}/{}", sidecar.applied_epoch, sidecar.offered_epoch),
                crate::output::moment(sidecar.last_seen_ms),
                sidecar.rejection.lines().next().unwrap_or_default().to_owned(),
            ];
            (cells, words::sidecar(sidecar))
        })
        .collect();
    session.output.list(&["id", "agent", "state", "epoch", "last seen", "rejection"], &rows)
}

/// All sidecars of the namespace.
///
/// # Errors
/// When the control plane refuses.
pub(crate) async fn all(operator: &Operator) -> Outcome<Vec<v1::SidecarStatus>> {
    all_pages(super::LONGEST_LIST, |page_size, page_token| async move {
        let request =
            v1::ListSidecarsRequest { namespace: operator.namespace.clone(), page_size, page_token };
        let answer = operator.client.policies().list_sidecars(request).await;
        let page = answer.map_err(|status| refused("The sidecars cannot be listed.", &status))?.into_inner();
        Ok((page.sidecars, page.next_page_token))
    })
    .await
}
