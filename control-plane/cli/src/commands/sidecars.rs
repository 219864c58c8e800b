//! `creto sidecars`: which sidecars there are and whether they enforce what they were offered.

use creto_proto::v1;

use crate::failure::Outcome;
use crate::operator::{Operator, all_pages, refused};
use crate::session::Session;
use crate::words;

/// Lists them.
///
/// # Errors
/// When the control plane refuses.
pub(crate) async fn run(session: &Session) -> Outcome {
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
