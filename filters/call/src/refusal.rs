//! Why a call is refused, in words an agent can act on.

use crate::RuleName;

/// A refusal: a stable code and, where a rule is the reason, the rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal<'p> {
    /// What is wrong.
    pub code: RefusalCode,
    /// The rule that says so; none for a default.
    pub by: Option<RuleName<'p>>,
}

impl<'p> Refusal<'p> {
    /// A refusal no rule gave.
    #[must_use]
    pub fn of(code: RefusalCode) -> Self {
        Self { code, by: None }
    }

    /// A refusal a rule gave.
    #[must_use]
    pub fn by_rule(code: RefusalCode, by: RuleName<'p>) -> Self {
        Self { code, by: Some(by) }
    }
}

macro_rules! refusal_codes {
    ($($(#[doc = $doc:literal])+ $variant:ident = $code:literal, $status:literal, $title:literal, $next:literal;)+) => {
        /// The closed list of refusals. One row a code: machine code, HTTP status, what it says, what to do next.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum RefusalCode {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl RefusalCode {
            /// All codes, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The stable machine code.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $code,)+ }
            }

            /// HTTP status of the answer.
            #[must_use]
            pub fn status(self) -> u16 {
                match self { $(Self::$variant => $status,)+ }
            }

            /// One sentence: what is wrong.
            #[must_use]
            pub fn title(self) -> &'static str {
                match self { $(Self::$variant => $title,)+ }
            }

            /// One sentence: what the agent or its operator does next.
            #[must_use]
            pub fn next_step(self) -> &'static str {
                match self { $(Self::$variant => $next,)+ }
            }
        }
    };
}

refusal_codes! {
    /// No rule allows the call.
    NoRuleAllows = "no_rule_allows", 403,
        "No rule allows this call.",
        "Use an allowed destination, or ask the operator for an allow rule; `creto policy explain` shows what decides.";
    /// A deny rule matches.
    RuleDenies = "rule_denies", 403,
        "A rule denies this call.",
        "Do not repeat the call; ask the operator about the rule named here.";
    /// The port is not in any allow rule.
    PortForbidden = "port_forbidden", 403,
        "No rule allows any call to this port.",
        "Use an allowed port, or ask the operator for a rule that names the port.";
    /// The name resolves to an address that is private, loopback or link-local, or the metadata service.
    AddressForbidden = "address_forbidden", 403,
        "The destination resolves to an address that is not allowed: private, loopback, link-local or metadata.",
        "Ask the operator to set `private = true` on the rule, or to allow the address itself.";
    /// No policy has reached the sidecar.
    NoPolicy = "no_policy", 503,
        "The sidecar has no policy to decide by, so it refuses.",
        "Wait for the control plane, or ask the operator to apply a policy for this agent.";
    /// The policy was confirmed too long ago for what the call risks.
    PolicyExpired = "policy_expired", 503,
        "The control plane has been away for longer than the policy allows for this kind of call.",
        "Retry later; the operator brings the control plane back, or sets longer limits under `[staleness]` in the policy.";
    /// The agent holds no delegation.
    NoDelegation = "no_delegation", 403,
        "The agent holds no delegation, so it may call nothing.",
        "Ask the operator to delegate to this agent (`creto delegate`).";
    /// The delegation has ended.
    DelegationExpired = "delegation_expired", 403,
        "The delegation this call is made under has expired.",
        "Ask the delegator for a new delegation.";
    /// The delegation was revoked.
    DelegationRevoked = "delegation_revoked", 403,
        "The delegation this call is made under was revoked.",
        "Ask the delegator for a new delegation.";
    /// The `creto-delegation` header is not a chain this sidecar can accept.
    DelegationInvalid = "delegation_invalid", 403,
        "The creto-delegation header does not hold a valid chain for this agent.",
        "Send a chain minted for this sidecar, or leave the header out.";
    /// The chain does not carry the permission.
    PermissionMissing = "permission_missing", 403,
        "The delegation does not carry a permission for this call.",
        "Ask the delegator for a delegation with a permission that covers it.";
    /// The agent is suspended.
    AgentSuspended = "agent_suspended", 403,
        "The agent is suspended.",
        "Ask the operator to resume the agent.";
    /// The agent is revoked.
    AgentRevoked = "agent_revoked", 403,
        "The agent is revoked.",
        "Stop: this identity does not come back.";
    /// The request can be read in more than one way, or is not HTTP.
    MalformedRequest = "malformed_request", 400,
        "The request is malformed or can be read in more than one way.",
        "Send a request that follows RFC 9112 and RFC 9113.";
    /// Host, authority, CONNECT target and SNI do not agree.
    DestinationMismatch = "destination_mismatch", 421,
        "The request names another destination than its connection was opened for.",
        "Make Host, CONNECT target and TLS server name agree.";
    /// No base-URL route has this path.
    NoRoute = "no_route", 404,
        "No route of the policy has this path, and the request names no destination.",
        "Use the sidecar as HTTP proxy, or a path that a route of the policy begins with.";
    /// Something that the sidecar does not forward.
    NotSupported = "not_supported", 501,
        "The sidecar does not forward this kind of request.",
        "Use another method or protocol.";
    /// The body is longer than what is read of one.
    BodyTooLarge = "body_too_large", 413,
        "The request's body, or a part of it, is longer than the sidecar reads, and policy asks what it says.",
        "Send less; for whole bodies the operator can raise --body-limit.";
    /// The body can be read in more than one way, or not at all.
    BodyUnclear = "body_unclear", 400,
        "The request's body cannot be read, or can be read in more than one way.",
        "Send valid JSON in UTF-8, each key once.";
    /// The body came encoded.
    BodyEncoded = "body_encoded", 415,
        "The request's body has a Content-Encoding, and policy asks what it says.",
        "Send the body without Content-Encoding.";
    /// The model's name could be taken for another one.
    ModelUnclear = "model_unclear", 400,
        "The model's name holds spaces or characters outside ASCII, so it could be taken for another one.",
        "Send the model's name exactly as its provider writes it.";
    /// Headers of an MCP request say something else than its body.
    HeaderMismatch = "header_mismatch", 400,
        "The headers of the MCP request and its body do not agree.",
        "Send the same method, name and version in both.";
    /// A tool is not the one that was seen before.
    ToolChanged = "tool_changed", 403,
        "The server changed this tool's definition after it was first seen.",
        "Ask the operator to review the tool and to pin its new hash.";
    /// A placeholder on its way to where its credential does not belong.
    PlaceholderMisplaced = "placeholder_misplaced", 403,
        "The request carries a placeholder for a credential that does not belong to this destination.",
        "Send the placeholder only where its credential is bound to.";
    /// The credential would go out in plain text.
    CredentialNeedsTls = "credential_needs_tls", 403,
        "A credential is bound to this destination, and the call would carry it in plain text.",
        "Use https, or ask the operator to set `plain_http = true` on the credential.";
    /// The secret cannot be had.
    CredentialUnavailable = "credential_unavailable", 503,
        "The credential for this call cannot be had now.",
        "Retry later; the sidecar's log says what is wrong with it.";
    /// The upstream's answer must be read and cannot be.
    AnswerUnclear = "answer_unclear", 502,
        "The destination's answer must be read before it is handed on, and cannot be.",
        "Check the effect before calling again; the detail says what is wrong with the answer.";
    /// A quota or budget has no room for the call until its window ends.
    OverQuota = "over_quota", 429,
        "A quota or budget of this agent is used up, or has less left than this call could use.",
        "Wait until the window ends (`retry-after`), send a call that asks for less, or ask the operator to raise the limit.";
    /// Nothing may be spent of a quota now, though its limit may not be reached.
    QuotaUnavailable = "quota_unavailable", 503,
        "What is left of a quota or budget of this agent cannot be known now, so nothing is spent of it.",
        "Retry shortly; if it goes on, the operator checks the control plane and `creto quota list`.";
    /// A budget counts the call, and there is no price for it.
    Unpriced = "unpriced", 403,
        "A budget counts this call, and there is no price for its model, so what it costs cannot be bounded.",
        "Use a model that has a price, or ask the operator to add its price to the price list.";
    /// People have not decided yet.
    ApprovalPending = "approval_pending", 403,
        "This call waits for people's approval, and nobody has decided yet.",
        "Send the same call again after `retry-after`: it joins the same request, and goes out once it is approved.";
    /// People said no.
    ApprovalDenied = "approval_denied", 403,
        "People were asked about this call and did not approve it.",
        "Do not repeat the call; the detail holds what was said.";
    /// Nobody decided in time.
    ApprovalTimedOut = "approval_timed_out", 403,
        "People were asked about this call and nobody decided in time, so it is denied.",
        "Ask the people named in the policy to look, then send the call again in a few minutes.";
    /// An earlier use of the same approval may have been executed.
    ApprovalAmbiguous = "approval_ambiguous", 409,
        "The same call was approved before and left, and nobody knows whether it was executed.",
        "Check its effect; a person ends the earlier request (`creto approvals cancel`) before it is asked for again.";
    /// The control plane cannot be asked.
    ApprovalUnavailable = "approval_unavailable", 503,
        "This call needs people's approval, and they cannot be asked now.",
        "Retry shortly; if it goes on, the operator checks the control plane.";
    /// It cannot be shown to people.
    CannotBeHeld = "cannot_be_held", 403,
        "This call needs people's approval, and cannot be shown to them whole: a tunnel, a WebSocket, or too much to read.",
        "Send it as an ordinary request of at most 1 MiB, or ask the operator about the rule named here.";
    /// The records of calls cannot be kept.
    RecordUnavailable = "record_unavailable", 503,
        "The call cannot be recorded (disk full or unwritable), so it is refused.",
        "Free space in the sidecar's state folder.";
    /// Too much at once.
    Overloaded = "overloaded", 503,
        "The sidecar is at its limit of concurrent calls.",
        "Retry later with fewer calls at once.";
    /// The name does not resolve.
    NameUnresolved = "name_unresolved", 502,
        "The destination's name does not resolve.",
        "Check the name.";
    /// The upstream does not accept a connection.
    UpstreamUnreachable = "upstream_unreachable", 502,
        "The destination does not accept a connection.",
        "Check that it is up; the call was not sent.";
    /// The upstream's certificate does not hold.
    UpstreamTls = "upstream_tls", 502,
        "The destination's TLS handshake or certificate does not hold.",
        "Check its certificate; private authorities are given to the sidecar with --upstream-ca.";
    /// The upstream answered nothing in time.
    UpstreamTimeout = "upstream_timeout", 504,
        "The destination did not answer in time; it may have acted on the call.",
        "Check the effect before calling again.";
    /// The upstream answered something that is not HTTP, or broke off.
    UpstreamBroken = "upstream_broken", 502,
        "The destination broke off or answered something that is not HTTP; it may have acted on the call.",
        "Check the effect before calling again.";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_have_error_statuses() {
        let mut seen = std::collections::HashSet::new();
        for code in RefusalCode::ALL {
            assert!(seen.insert(code.as_str()), "{} stands twice", code.as_str());
            assert!((400..600).contains(&code.status()), "{} has status {}", code.as_str(), code.status());
        }
    }
}
