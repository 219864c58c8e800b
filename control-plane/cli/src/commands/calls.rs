//! `creto calls`: what went out, what was refused, and why.

use clap::Args;
use creto_proto::v1;

use crate::failure::Outcome;
use crate::operator::{Operator, all_pages, refused};
use crate::output::{Output, bytes, moment};
use crate::session::Session;
use crate::span::Span;
use crate::words;

/// Options of `calls`; every one that is given must hold.
#[derive(Args, Debug)]
pub(crate) struct CallsArgs {
    /// Of this agent.
    #[arg(long, value_name = "NAME", default_value = "")]
    agent: String,
    /// To this host.
    #[arg(long, default_value = "")]
    host: String,
    /// With this verdict.
    #[arg(long, value_enum)]
    verdict: Option<words::Verdict>,
    /// Decided by this rule.
    #[arg(long, default_value = "")]
    rule: String,
    /// With this method.
    #[arg(long, default_value = "")]
    method: String,
    /// Of this protocol: model, mcp or a2a.
    #[arg(long, value_parser = ["model", "mcp", "a2a"])]
    protocol: Option<String>,
    /// Of this provider, MCP server or agent.
    #[arg(long, value_name = "NAME", default_value = "", hide_default_value = true)]
    service: String,
    /// That asked for this model.
    #[arg(long, default_value = "", hide_default_value = true, conflicts_with_all = ["tool", "skill"])]
    model: String,
    /// That called this tool.
    #[arg(long, default_value = "", hide_default_value = true, conflicts_with = "skill")]
    tool: String,
    /// That asked for this skill.
    #[arg(long, default_value = "", hide_default_value = true)]
    skill: String,
    /// Begun within this span: 1h, 7d.
    #[arg(long, value_name = "SPAN")]
    since: Option<Span>,
    /// At most this many, the newest.
    #[arg(long, default_value_t = 50)]
    limit: usize,
    /// Stay and print calls as they begin and end; with --json one object a line.
    #[arg(long)]
    follow: bool,
}

/// Lists or follows.
///
/// # Errors
/// When the control plane refuses or goes away.
pub(crate) async fn run(session: &Session, args: CallsArgs) -> Outcome {
    let operator = session.operator().await?;
    let since_ms = args.since.map_or(0, |span| jiff::Timestamp::now().as_millisecond() - span.millis());
    let (protocol, subject) = match (&*args.model, &*args.tool, &*args.skill) {
        ("", "", "") => (args.protocol.as_deref().unwrap_or_default(), ""),
        (model, "", "") => ("model", model),
        (_, tool, "") => ("mcp", tool),
        (_, _, skill) => ("a2a", skill),
    };
    let filter = v1::CallFilter {
        protocol: protocol.to_owned(),
        service: args.service.clone(),
        subject: subject.to_owned(),
        agent_name: args.agent,
        host: args.host,
        verdict: args.verdict.map_or(v1::Verdict::Unspecified, Into::into).into(),
        rule: args.rule,
        method: args.method,
        since_ms,
        until_ms: 0,
    };
    if args.follow {
        return follow(session.output, &operator, filter).await;
    }
    let calls = list(&operator, filter, args.limit).await?;
    let rows: Vec<_> = calls.iter().map(|call| (cells(call), words::call(call))).collect();
    session.output.list(
        &["at", "agent", "verdict", "method", "target", "asks", "status", "bytes", "used", "decided by"],
        &rows,
    )
}

/// The newest calls that pass the filter, at most `limit`.
///
/// # Errors
/// When the control plane refuses.
pub(crate) async fn list(
    operator: &Operator,
    filter: v1::CallFilter,
    limit: usize,
) -> Outcome<Vec<v1::CallRecord>> {
    all_pages(limit, |page_size, page_token| {
        let filter = Some(filter.clone());
        async move {
            let request =
                v1::ListCallsRequest { namespace: operator.namespace.clone(), filter, page_size, page_token };
            let answer = operator.client.calls().list_calls(request).await;
            let page = answer.map_err(|status| refused("The calls cannot be listed.", &status))?.into_inner();
            Ok((page.calls, page.next_page_token))
        }
    })
    .await
}

async fn follow(output: Output, operator: &Operator, filter: v1::CallFilter) -> Outcome {
    let request = v1::FollowCallsRequest { namespace: operator.namespace.clone(), filter: Some(filter) };
    let answer = operator.client.calls().follow_calls(request).await;
    let mut stream = answer.map_err(|status| refused("The calls cannot be followed.", &status))?.into_inner();
    loop {
        match stream.message().await {
            Ok(Some(call)) => output.value(&words::call(&call), &cells(&call).join("  "))?,
            Ok(None) => return Ok(()),
            Err(status) => return Err(refused("The stream of calls broke off.", &status)),
        }
    }
}

fn cells(call: &v1::CallRecord) -> Vec<String> {
    let begun = call.begun.clone().unwrap_or_default();
    // A quota, or what was taken away later, says more than the rule that let the call begin.
    let ended = call.ended.as_ref().map(|ended| ended.code.as_str()).filter(|code| !code.is_empty());
    let by = match (begun.rule.is_empty(), begun.code.is_empty()) {
        _ if ended.is_some() => ended.unwrap_or_default().to_owned(),
        (false, _) => format!("{}/{}", begun.policy, begun.rule),
        (true, false) => begun.code.clone(),
        (true, true) => String::new(),
    };
    let (status, moved) = match &call.ended {
        Some(ended) if ended.status == 0 => (words::outcome(call), bytes(ended.response_bytes)),
        Some(ended) => (ended.status.to_string(), bytes(ended.response_bytes)),
        None => ("open".to_owned(), String::new()),
    };
    let method = if begun.method.is_empty() { begun.kind.clone() } else { begun.method.clone() };
    vec![
        moment(begun.at_us / 1000),
        call.agent_name.clone(),
        words::verdict(&begun),
        method,
        words::target(&begun),
        words::asks(&begun),
        status,
        moved,
        call.ended.as_ref().map(words::used).unwrap_or_default(),
        by,
    ]
}
