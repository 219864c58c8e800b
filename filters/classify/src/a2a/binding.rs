//! The three bindings, told apart by method and path.

use super::method;
use crate::head::Head;

/// How a message to another agent is carried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum A2aBinding {
    /// JSON-RPC 2.0 over POST.
    JsonRpc,
    /// HTTP+JSON: `POST …/message:send`, `GET …/tasks/{id}`.
    Rest,
    /// gRPC: `/lf.a2a.v1.A2AService/SendMessage`.
    Grpc,
    /// A GET of the agent's card at its well-known place.
    Card,
}

/// What a head says of a message to an agent.
#[derive(Clone, Copy)]
pub(crate) struct A2aHead {
    pub(crate) binding: A2aBinding,
    /// Empty when it stands in the body.
    pub(crate) method: &'static str,
    pub(crate) posted: bool,
}

/// The agent's endpoint. On a host that policy does not name, only what no other protocol has: its card's place, its
/// gRPC service, `message:send`.
pub(crate) fn find(head: &Head<'_>, agent: Option<&str>) -> Option<A2aHead> {
    if let Some(found) = unmistakable(head) {
        return Some(found);
    }
    agent?;
    Some(rest(head).unwrap_or(A2aHead {
        binding: A2aBinding::JsonRpc,
        method: "",
        posted: head.method == "POST",
    }))
}

fn unmistakable(head: &Head<'_>) -> Option<A2aHead> {
    let path = head.path;
    match head.method {
        "GET" | "HEAD"
            if path.ends_with(&[".well-known", "agent-card.json"])
                || path.ends_with(&[".well-known", "agent.json"]) =>
        {
            Some(A2aHead { binding: A2aBinding::Card, method: "agent-card", posted: false })
        }
        "POST" => match path.segments() {
            [service, name] if matches!(&**service, "lf.a2a.v1.A2AService" | "a2a.v1.A2AService") => {
                let method = method::known(name).unwrap_or("");
                Some(A2aHead { binding: A2aBinding::Grpc, method, posted: false })
            }
            _ if path.ends_with(&["message:send"]) => Some(posted("SendMessage")),
            _ if path.ends_with(&["message:stream"]) => Some(posted("SendStreamingMessage")),
            _ => None,
        },
        _ => None,
    }
}

fn posted(method: &'static str) -> A2aHead {
    A2aHead { binding: A2aBinding::Rest, method, posted: true }
}

/// The other paths of the HTTP+JSON binding.
fn rest(head: &Head<'_>) -> Option<A2aHead> {
    const CONFIGS: &str = "pushNotificationConfigs";
    let get = matches!(head.method, "GET" | "HEAD");
    let post = head.is_post();
    let method = match head.path.segments() {
        [.., tasks, _, configs] if tasks == "tasks" && configs == CONFIGS && get => {
            "ListTaskPushNotificationConfigs"
        }
        [.., tasks, _, configs] if tasks == "tasks" && configs == CONFIGS && post => {
            "CreateTaskPushNotificationConfig"
        }
        [.., tasks, _, configs, _] if tasks == "tasks" && configs == CONFIGS && get => {
            "GetTaskPushNotificationConfig"
        }
        [.., tasks, _, configs, _] if tasks == "tasks" && configs == CONFIGS && head.method == "DELETE" => {
            "DeleteTaskPushNotificationConfig"
        }
        [.., tasks, task] if tasks == "tasks" => match task.rsplit_once(':') {
            Some((_, "cancel")) if post => "CancelTask",
            Some((_, "subscribe")) if post || get => "SubscribeToTask",
            _ if get => "GetTask",
            _ => return None,
        },
        [.., tasks] if tasks == "tasks" && get => "ListTasks",
        [.., card] if card == "extendedAgentCard" && get => "GetExtendedAgentCard",
        [.., version, card] if version == "v1" && card == "card" && get => "GetExtendedAgentCard",
        _ => return None,
    };
    // Their bodies hold no facts.
    Some(A2aHead { binding: A2aBinding::Rest, method, posted: false })
}
