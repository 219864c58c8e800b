//! In whose form a refusal is answered.

/// The form of errors that a caller reads, so that its SDK raises its own exception.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// Problem details (RFC 9457).
    #[default]
    Problem,
    /// gRPC status in trailers.
    Grpc,
    /// `{"error": {"message", "type", "param", "code"}}`
    OpenAi,
    /// `{"type": "error", "error": {"type", "message"}}`
    Anthropic,
    /// `{"error": {"code", "message", "status", "details"}}` (google.rpc.Status)
    Google,
    /// `{"message"}` and `x-amzn-errortype`
    Aws,
    /// A JSON-RPC error for the id of the request.
    JsonRpc,
}
