//! Records of calls, as kept.

use async_trait::async_trait;

use crate::StoreError;

/// Which call: unique and stable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallKey {
    /// Whose.
    pub namespace: String,
    /// The sidecar that made it.
    pub sidecar_id: String,
    /// The spool it was written to.
    pub spool_epoch: u64,
    /// Sequence of the entry that began it.
    pub sequence: u64,
}

/// How a call began. Numbers of enumerations are the API's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Begun {
    /// Microseconds since the Unix epoch.
    pub at_us: i64,
    /// Way in.
    pub capture: i32,
    /// What kind of call.
    pub kind: String,
    /// `http` or `https`.
    pub scheme: String,
    /// As sent.
    pub method: String,
    /// Destination.
    pub host: String,
    /// Destination.
    pub port: u32,
    /// Without the query.
    pub path: String,
    /// What was decided.
    pub verdict: i32,
    /// Machine code of a refusal.
    pub code: String,
    /// Policy that decided.
    pub policy: String,
    /// Rule that decided.
    pub rule: String,
    /// Epoch of the bundle it was decided under.
    pub policy_epoch: u64,
    /// Delegation it was made under.
    pub delegation_id: Vec<u8>,
    /// What it meant to the service that it went to; empty for plain HTTP.
    pub meaning: Meaning,
    /// Name of the credential that was put in.
    pub credential: String,
}

/// What a call meant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Meaning {
    /// `model`, `mcp` or `a2a`; empty for plain HTTP.
    pub protocol: String,
    /// Provider, MCP server or agent.
    pub service: String,
    /// What was asked of it.
    pub operation: String,
    /// Models, tools or skills, without line feeds.
    pub subjects: Vec<String>,
}

/// What an answer used; the kinds are disjoint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TokenUsage {
    /// Tokens.
    pub input: u64,
    /// Tokens.
    pub cached_input: u64,
    /// Tokens, kept for five minutes.
    pub cache_write: u64,
    /// Tokens, kept for an hour.
    pub cache_write_1h: u64,
    /// Tokens, without reasoning.
    pub output: u64,
    /// Tokens.
    pub reasoning: u64,
    /// Tokens.
    pub audio_input: u64,
    /// Tokens.
    pub audio_output: u64,
    /// Tokens.
    pub image_input: u64,
    /// Images made.
    pub images: u64,
    /// Calls of tools that the provider runs.
    pub server_tool_calls: u64,
    /// Counted from what went by, because the provider did not say.
    pub estimated: bool,
}

/// How a call ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ended {
    /// Sequence of the entry that began it.
    pub begun_sequence: u64,
    /// Microseconds since the Unix epoch.
    pub at_us: i64,
    /// The API's number.
    pub outcome: i32,
    /// HTTP status.
    pub status: u32,
    /// Bytes.
    pub request_bytes: u64,
    /// Bytes.
    pub response_bytes: u64,
    /// Microseconds.
    pub duration_us: u64,
    /// Where it went.
    pub upstream: String,
    /// What the answer used, for calls that are metered.
    pub usage: Option<TokenUsage>,
    /// The model that answered.
    pub response_model: String,
    /// The service tier that the provider says it billed.
    pub service_tier: String,
    /// Machine code of what the sidecar refused or ended it for after it was let through; empty otherwise.
    pub code: String,
}

/// A call begins or ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReportEntry {
    /// It begins.
    Begun(Begun),
    /// It ends.
    Ended(Ended),
}

/// What came of a report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReportOutcome {
    /// Committed up to this mark. The calls are those that changed, as they are now.
    Committed {
        /// Highest sequence committed.
        mark: u64,
        /// Calls begun or ended by it.
        changed: Vec<KeptCall>,
    },
    /// The entries do not continue at the mark; nothing was kept.
    Gap {
        /// Highest sequence committed.
        mark: u64,
    },
}

/// A call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptCall {
    /// Which.
    pub key: CallKey,
    /// Whose, by name.
    pub agent_name: String,
    /// How it began.
    pub begun: Begun,
    /// How it ended; none while it is under way.
    pub ended: Option<Ended>,
}

/// How far a spool is committed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reported {
    /// Highest sequence committed.
    pub mark: u64,
    /// How many of the entries up to it ended a call; of those before version 7 of the schema, none.
    pub ended: u64,
    /// How many of those the present store of events never had.
    pub event_base: u64,
}

/// Where a page of calls ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallPosition {
    /// When the call began.
    pub at_us: i64,
    /// Which sidecar.
    pub sidecar_id: String,
    /// Which spool.
    pub spool_epoch: u64,
    /// Which entry.
    pub sequence: u64,
}

/// Which calls; every field that is set must match.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CallSelection {
    /// By name.
    pub agent_name: Option<String>,
    /// Exactly.
    pub host: Option<String>,
    /// The API's number.
    pub verdict: Option<i32>,
    /// Exactly.
    pub rule: Option<String>,
    /// Exactly.
    pub method: Option<String>,
    /// Begun then or later, microseconds since the Unix epoch.
    pub since_us: Option<i64>,
    /// Begun before, microseconds since the Unix epoch.
    pub until_us: Option<i64>,
    /// `model`, `mcp` or `a2a`.
    pub protocol: Option<String>,
    /// Exactly.
    pub service: Option<String>,
    /// One of the subjects, exactly.
    pub subject: Option<String>,
}

/// Keeps records of calls.
#[async_trait]
pub trait CallStore: Send + Sync + 'static {
    /// Commits entries in sequence order with the mark that vouches for them. Entries at or below the mark are
    /// passed over; entries that leave a gap are refused whole.
    async fn report_calls(
        &self,
        spool: (&str, &str, u64),
        agent_name: &str,
        entries: &[(u64, ReportEntry)],
    ) -> Result<ReportOutcome, StoreError>;
    /// How far a spool is committed.
    async fn reported(&self, spool: (&str, &str, u64)) -> Result<Reported, StoreError>;
    /// Notes how many entries that ended a call the present store of events never had.
    async fn set_event_base(&self, spool: (&str, &str, u64), event_base: u64) -> Result<(), StoreError>;
    /// The call that an entry of a spool began.
    async fn call_begun_by(
        &self,
        spool: (&str, &str, u64),
        sequence: u64,
    ) -> Result<Option<KeptCall>, StoreError>;
    /// At most `limit` calls, newest first, before `before`.
    async fn calls(
        &self,
        namespace: &str,
        selection: &CallSelection,
        before: Option<&CallPosition>,
        limit: u32,
    ) -> Result<Vec<KeptCall>, StoreError>;
}
