//! `ApprovalInbox`: what people are asked, and what they say.

use std::pin::Pin;

use creto_approvals::{ApprovalDesk, ApprovalError, Kept, MAX_PAGE, Selection};
use creto_oversight::{Ballot, Channel, Decision, MAX_REASON_BYTES, Person};
use creto_proto::v1;
use creto_proto::v1::approval_inbox_server::ApprovalInbox;
use futures::stream::{self, Stream};
use tonic::{Request, Response, Status, async_trait};

use crate::approvals::{Watches, listed, now, whole};
use crate::caller::Operator;
use crate::confine::confined;
use crate::finish::finished;
use crate::services::approvals::{digest_of, id_of};
use crate::status::of_approvals;

/// Decisions of one call.
const MAX_DECISIONS: usize = 100;
/// The states that lists may be asked for.
const STATES: [&str; 11] = [
    "pending",
    "escalated",
    "info_requested",
    "approved",
    "executing",
    "executed",
    "ambiguous",
    "denied",
    "timed_out",
    "cancelled",
    "revoked",
];

/// Serves people.
#[derive(Clone)]
pub(crate) struct Inbox {
    pub(crate) desk: ApprovalDesk,
    pub(crate) watches: Watches,
}

impl Inbox {
    async fn shown(&self, namespace: &str, id: creto_oversight::RequestId) -> Result<v1::Approval, Status> {
        let kept = self.desk.get(namespace, id).await.map_err(of_approvals)?;
        let steps = self.desk.steps(id, 0).await.map_err(of_approvals)?;
        Ok(whole(&kept, steps))
    }

    /// As it is after a step.
    async fn after(&self, stepped: Result<Kept, ApprovalError>) -> Result<Response<v1::Approval>, Status> {
        let kept = stepped.map_err(of_approvals)?;
        self.shown(&kept.facts.namespace, kept.id()).await.map(Response::new)
    }

    /// Decides one item; says where the request stands then.
    async fn decide(
        &self,
        namespace: &str,
        person: &Person,
        item: v1::ApprovalDecision,
    ) -> Result<String, Status> {
        let (id, shown) = (id_of(&item.id)?, digest_of(&item.digest)?);
        let decision = match item.decision.as_str() {
            "approve" => {
                let uses = u16::try_from(item.uses.max(1)).unwrap_or(u16::MAX);
                Decision::Approve { uses, for_ms: item.for_ms }
            }
            "deny" => Decision::Deny,
            "escalate" => Decision::Escalate,
            "request_info" => Decision::RequestInfo,
            _ => {
                return Err(Status::invalid_argument(
                    "decision: write approve, deny, escalate or request_info",
                ));
            }
        };
        let reason = Some(item.reason).filter(|reason| !reason.is_empty());
        let ballot = Ballot { person: person.clone(), decision, reason, channel: Channel::Cli, shown };
        let kept = self.desk.vote(namespace, id, ballot, now()).await.map_err(of_approvals)?;
        tracing::info!(namespace, request = %id, %person, state = kept.status.word(), "a person decided");
        Ok(kept.status.word().to_owned())
    }
}

#[async_trait]
impl ApprovalInbox for Inbox {
    type WatchApprovalsStream = Pin<Box<dyn Stream<Item = Result<v1::ApprovalStep, Status>> + Send>>;

    async fn list_approvals(
        &self,
        request: Request<v1::ListApprovalsRequest>,
    ) -> Result<Response<v1::ListApprovalsResponse>, Status> {
        let (_, message) = confined(request)?;
        if message.page_size > MAX_PAGE {
            return Err(Status::invalid_argument(format!("page_size: at most {MAX_PAGE}")));
        }
        if !message.state.is_empty() && !STATES.contains(&message.state.as_str()) {
            return Err(Status::invalid_argument(format!("state: one of {}", STATES.join(", "))));
        }
        let word = Some(message.state).filter(|state| !state.is_empty());
        let selection = Selection { inbox: message.inbox, word: word.clone(), limit: message.page_size };
        let found = self.desk.list(&message.namespace, &selection).await.map_err(of_approvals)?;
        // An inbox is listed whatever its state.
        let meant = |kept: &&Kept| word.as_deref().is_none_or(|word| kept.status.word() == word);
        let approvals = found.iter().filter(meant).map(listed).collect();
        Ok(Response::new(v1::ListApprovalsResponse { approvals }))
    }

    async fn get_approval(
        &self,
        request: Request<v1::GetApprovalRequest>,
    ) -> Result<Response<v1::Approval>, Status> {
        let (_, message) = confined(request)?;
        self.shown(&message.namespace, id_of(&message.id)?).await.map(Response::new)
    }

    async fn decide_approvals(
        &self,
        request: Request<v1::DecideApprovalsRequest>,
    ) -> Result<Response<v1::DecideApprovalsResponse>, Status> {
        let (operator, message) = confined(request)?;
        let person = voter(&operator, &message.namespace)?;
        if message.decisions.is_empty() || message.decisions.len() > MAX_DECISIONS {
            return Err(Status::invalid_argument(format!("decisions: 1 to {MAX_DECISIONS} of them")));
        }
        let inbox = self.clone();
        finished(async move {
            let mut decided = Vec::with_capacity(message.decisions.len());
            for item in message.decisions {
                let id = item.id.clone();
                // Each by itself: one that is refused says why and keeps nobody else's from counting.
                decided.push(match inbox.decide(&message.namespace, &person, item).await {
                    Ok(state) => v1::DecidedApproval { id, state, refused: String::new() },
                    Err(status) => {
                        v1::DecidedApproval { id, state: String::new(), refused: status.message().to_owned() }
                    }
                });
            }
            Ok(Response::new(v1::DecideApprovalsResponse { decided }))
        })
        .await
    }

    async fn answer_approval(
        &self,
        request: Request<v1::AnswerApprovalRequest>,
    ) -> Result<Response<v1::Approval>, Status> {
        let (operator, message) = confined(request)?;
        let by = operator.named_in(&message.namespace);
        let text = worded("text", &message.text)?;
        let id = id_of(&message.id)?;
        let stepped = self.desk.answer(&message.namespace, id, (text, &by), now()).await;
        self.after(stepped).await
    }

    async fn reassign_approval(
        &self,
        request: Request<v1::ReassignApprovalRequest>,
    ) -> Result<Response<v1::Approval>, Status> {
        let (operator, message) = confined(request)?;
        let (from, to) = (person(&message.from)?, person(&message.to)?);
        let own = operator.namespace == message.namespace;
        if !(operator.admin || own && operator.name == message.from) {
            return Err(Status::permission_denied(
                "only the person themselves or an admin puts somebody else in their place",
            ));
        }
        let id = id_of(&message.id)?;
        let kept = self.desk.summary(&message.namespace, id).await.map_err(of_approvals)?;
        let excluded = &kept.facts.request.excluded;
        if own && excluded.iter().any(|one| one.as_str() == operator.name) {
            return Err(Status::permission_denied(
                "you ask for this yourself, or handed it on: you do not choose who decides it",
            ));
        }
        let by = operator.named_in(&message.namespace);
        let stepped = self.desk.reassign(&message.namespace, id, (&from, &to, &by), now()).await;
        self.after(stepped).await
    }

    async fn cancel_approval(
        &self,
        request: Request<v1::CancelApprovalRequest>,
    ) -> Result<Response<v1::Approval>, Status> {
        let (operator, message) = confined(request)?;
        let by = operator.named_in(&message.namespace);
        let reason = worded("reason", &message.reason)?;
        let id = id_of(&message.id)?;
        let stepped = self.desk.cancel(&message.namespace, id, (reason, &by), now()).await;
        self.after(stepped).await
    }

    async fn revoke_approval(
        &self,
        request: Request<v1::RevokeApprovalRequest>,
    ) -> Result<Response<v1::Approval>, Status> {
        let (operator, message) = confined(request)?;
        let by = operator.named_in(&message.namespace);
        let reason = worded("reason", &message.reason)?;
        let id = id_of(&message.id)?;
        let stepped = self.desk.revoke(&message.namespace, id, (reason, &by), now()).await;
        self.after(stepped).await
    }

    async fn watch_approvals(
        &self,
        request: Request<v1::WatchApprovalsRequest>,
    ) -> Result<Response<Self::WatchApprovalsStream>, Status> {
        let (operator, message) = confined(request)?;
        let steps = self.watches.open(&operator, message.namespace).await?;
        let told = stream::unfold(steps, |mut steps| async move {
            let item = steps.next().await?;
            Some((item, steps))
        });
        Ok(Response::new(Box::pin(told)))
    }
}

/// Whose vote this is: that of the token, in its own namespace, for a name is one person's in one namespace only.
fn voter(operator: &Operator, namespace: &str) -> Result<Person, Status> {
    if operator.namespace != namespace {
        return Err(Status::permission_denied(format!(
            "this token is of namespace `{}`, and people decide in their own only: vote with a token of `{namespace}`",
            operator.namespace
        )));
    }
    person(&operator.name)
}

fn person(name: &str) -> Result<Person, Status> {
    name.parse().map_err(|error: creto_oversight::PersonError| of_approvals(error.into()))
}

fn worded<'t>(field: &str, text: &'t str) -> Result<&'t str, Status> {
    if text.is_empty() || text.len() > MAX_REASON_BYTES {
        return Err(Status::invalid_argument(format!("{field}: 1 to {MAX_REASON_BYTES} bytes")));
    }
    Ok(text)
}
