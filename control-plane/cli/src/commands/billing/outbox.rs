//! `creto billing exports`: how the export to Stripe stands.

use creto_proto::v1;
use serde_json::json;

use crate::failure::{Outcome, exit};
use crate::operator::refused;
use crate::output::{remark, table};
use crate::session::Session;

/// Tells what waits and what will not be sent; the exit code says whether all goes well.
///
/// # Errors
/// When the control plane refuses.
pub(super) async fn run(session: &Session) -> Outcome<u8> {
    let operator = session.operator().await?;
    let request = v1::GetExportRequest { namespace: operator.namespace.clone() };
    let answer = operator.client.billing().get_export(request).await;
    let export = answer.map_err(|status| refused("The export cannot be looked at.", &status))?.into_inner();
    let dead: Vec<_> = export
        .dead
        .iter()
        .map(|item| json!({"id": item.id, "kind": item.kind, "reason": item.reason}))
        .collect();
    let value = json!({"exports": export.exports, "waiting": export.waiting, "dead": dead});
    session.output.value(&value, &told(&export))?;
    if export.dead.is_empty() {
        return Ok(0);
    }
    remark(&format!(
        "{} are not sent: do away with the reason, then export them by hand.",
        export.dead.len()
    ));
    Ok(exit::FAILED)
}

fn told(export: &v1::GetExportResponse) -> String {
    let state = if export.exports { "exports to Stripe" } else { "does not export" };
    let mut text =
        format!("this control plane {state}; {} waiting, {} not sent", export.waiting, export.dead.len());
    if !export.dead.is_empty() {
        let cells: Vec<[String; 3]> = export
            .dead
            .iter()
            .map(|item| [item.id.clone(), item.kind.clone(), item.reason.clone()])
            .collect();
        let rows: Vec<&[String]> = cells.iter().map(<[String; 3]>::as_slice).collect();
        text.push_str("\n\n");
        text.push_str(&table(&["id", "kind", "why not"], &rows));
    }
    text
}
