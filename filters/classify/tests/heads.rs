//! Which endpoint a head means: every provider and way, and what only looks like one.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is a test's failure report")]

use creto_call::{Dialect, ModelApi, ModelCall, ModelOperation, RefusalCode};
use creto_classify::{Endpoint, Known, Meanings};
use http::{HeaderMap, HeaderValue};

fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
    pairs.iter().map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value))).collect()
}

fn known<'a>(name: &'a str, api: &str, base: Option<&'a str>) -> Known<'a> {
    Known { provider: Some((name, ModelApi::parse(api).unwrap(), base)), ..Known::default() }
}

/// `provider api operation model streaming` of a POST, `plain`, or what else it is.
fn posted(host: &str, target: &str, known: Known<'_>) -> String {
    described(&of("POST", host, target, &HeaderMap::new(), known))
}

fn of(method: &str, host: &str, target: &str, headers: &HeaderMap, known: Known<'_>) -> Endpoint {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    Endpoint::of(method, host, path, query, headers, known)
}

fn described(endpoint: &Endpoint) -> String {
    match endpoint {
        Endpoint::Plain => "plain".to_owned(),
        Endpoint::Grpc => "grpc".to_owned(),
        Endpoint::Model(model) => {
            let ModelCall { provider, api, operation, model: name, streaming, .. } = &model.call;
            let (api, operation) = (api.as_str(), operation.as_str());
            let name = name.as_deref().unwrap_or("-");
            let problem = if endpoint.problem().is_some() { " problem" } else { "" };
            let stream = if *streaming { " streams" } else { "" };
            format!("{provider} {api} {operation} {name}{stream}{problem}")
        }
        Endpoint::Mcp { server, posted } => format!("mcp {server} {posted}"),
        Endpoint::A2a(found) => {
            format!("a2a {} {:?} {} {}", found.agent, found.binding, found.method, found.posted)
        }
    }
}

#[test]
fn openai_is_known_under_any_base_path() {
    for (target, expected) in [
        ("/v1/chat/completions", "openai openai chat -"),
        ("/v1/chat/completions?x=1", "openai openai chat -"),
        ("/chat/completions", "openai openai chat -"),
        ("/any/base/v1/chat/completions", "openai openai chat -"),
        ("/v1/chat/completions/", "openai openai chat -"),
        ("//v1//chat/./completions", "openai openai chat -"),
        ("/v1/x/../chat/completions", "openai openai chat -"),
        ("/v1/Chat/COMPLETIONS", "openai openai chat -"),
        ("/v1/%63hat/completions", "openai openai chat -"),
        ("/v1/completions", "openai openai completions -"),
        ("/v1/responses", "openai openai responses -"),
        ("/v1/responses/compact", "openai openai responses -"),
        ("/v1/responses/input_tokens", "openai openai count_tokens -"),
        ("/v1/responses/resp_1/cancel", "plain"),
        ("/v1/embeddings", "openai openai embeddings -"),
        ("/v1/images/generations", "openai openai images -"),
        ("/v1/images/edits", "openai openai images -"),
        ("/v1/engines/davinci/completions", "openai openai completions davinci"),
        ("/v1/chat%2Fcompletions", "openai openai chat - problem"),
        ("/v1/chat%5Ccompletions", "openai openai chat - problem"),
        ("/v1/chat;x=1/completions;y", "openai openai chat - problem"),
        ("/v1/files", "plain"),
        ("/v1/audio/speech", "plain"),
        ("/v1/batches", "plain"),
        ("/v1/chat/completions/x/y", "plain"),
        ("/", "plain"),
        ("", "plain"),
    ] {
        assert_eq!(posted("api.openai.com", target, Known::default()), expected, "{target}");
    }
}

#[test]
fn a_stored_response_that_is_fetched_or_deleted_is_plain() {
    let none = HeaderMap::new();
    for (method, target) in [
        ("GET", "/v1/responses/resp_1"),
        ("DELETE", "/v1/responses/resp_1"),
        ("GET", "/v1/responses"),
        ("GET", "/v1/chat/completions"),
        ("PUT", "/v1/chat/completions"),
        ("GET", "/v1/realtime?model=gpt-realtime"),
    ] {
        let endpoint = of(method, "api.openai.com", target, &none, Known::default());
        assert_eq!(described(&endpoint), "plain", "{method} {target}");
        assert!(!endpoint.reads_body());
    }
}

#[test]
fn a_method_in_other_letters_or_in_a_header_is_the_method_it_becomes() {
    let none = HeaderMap::new();
    let path = "/v1beta/models/gemini-2.5-pro:generateContent";
    let host = "generativelanguage.googleapis.com";
    let expected = "gemini gemini generate_content gemini-2.5-pro";
    assert_eq!(described(&of("post", host, path, &none, Known::default())), expected);
    let overridden = headers(&[("x-http-method-override", "POST")]);
    assert_eq!(described(&of("GET", host, path, &overridden, Known::default())), expected);
    assert_eq!(described(&of("GET", host, path, &none, Known::default())), "plain");
}

#[test]
fn realtime_names_its_model_in_the_query() {
    let upgrade = headers(&[("upgrade", "WebSocket")]);
    for (target, expected) in [
        ("/v1/realtime?model=gpt-realtime", "openai openai realtime gpt-realtime streams"),
        ("/v1/realtime?intent=transcription", "openai openai realtime - streams"),
        ("/v1/realtime?model=gpt%2Drealtime", "openai openai realtime gpt-realtime streams"),
        ("/v1/realtime?m%6Fdel=gpt-realtime", "openai openai realtime gpt-realtime streams"),
        ("/v1/realtime?model=a&model=b", "openai openai realtime - streams problem"),
        ("/v1/realtime?model=a&Model=b", "openai openai realtime - streams problem"),
        ("/v1/realtime?model=gpt+4", "openai openai realtime - streams problem"),
        ("/v1/realtime?model=gpt%204", "openai openai realtime - streams problem"),
        ("/v1/realtime?model=gpt%zz", "openai openai realtime - streams problem"),
        ("/v1/realtime?model=gpt%25204", "openai openai realtime - streams problem"),
        ("/v1/realtime?model=", "openai openai realtime - streams problem"),
        ("/v1/responses", "openai openai responses - streams"),
    ] {
        for method in ["GET", "CONNECT"] {
            let endpoint = of(method, "api.openai.com", target, &upgrade, Known::default());
            assert_eq!(described(&endpoint), expected, "{target}");
            assert!(!endpoint.reads_body());
        }
    }
    let azure =
        of("GET", "acme.openai.azure.com", "/openai/realtime?deployment=rt", &upgrade, Known::default());
    assert_eq!(described(&azure), "azure-openai azure-openai realtime rt streams");
}

#[test]
fn azures_deployment_is_the_model() {
    for (target, expected) in [
        ("/openai/deployments/d1/chat/completions?api-version=1", "azure-openai azure-openai chat d1"),
        ("/openai/deployments/d%201/chat/completions", "azure-openai azure-openai chat - problem"),
        ("/openai/deployments/d1/embeddings", "azure-openai azure-openai embeddings d1"),
        ("/openai/deployments/d1/completions", "azure-openai azure-openai completions d1"),
        ("/openai/deployments/d1/images/generations", "azure-openai azure-openai images d1"),
        ("/openai/deployments/d1/extensions/chat/completions", "azure-openai azure-openai chat d1"),
        ("/openai/v1/chat/completions", "azure-openai azure-openai chat -"),
        ("/openai/v1/responses", "azure-openai azure-openai responses -"),
        ("/openai/responses?api-version=1", "azure-openai azure-openai responses -"),
        ("/OpenAI/Deployments/d1/Chat/Completions", "azure-openai azure-openai chat d1"),
        ("/models/chat/completions", "azure-openai openai chat -"),
        ("/anthropic/v1/messages", "azure-openai anthropic messages -"),
        ("/openai/deployments/d1/unknown", "plain"),
    ] {
        assert_eq!(posted("acme.openai.azure.com", target, Known::default()), expected, "{target}");
    }
}

#[test]
fn anthropic_has_messages_and_their_count() {
    for (target, expected) in [
        ("/v1/messages", "anthropic anthropic messages -"),
        ("/v1/messages?beta=true", "anthropic anthropic messages -"),
        ("/v1/messages/count_tokens", "anthropic anthropic count_tokens -"),
        ("/v1/complete", "anthropic anthropic completions -"),
        ("/v1/messages/batches", "plain"),
        ("/v1/files", "plain"),
        ("/v1/chat/completions", "anthropic openai chat -"),
    ] {
        assert_eq!(posted("api.anthropic.com", target, Known::default()), expected, "{target}");
    }
}

#[test]
fn gemini_names_its_model_before_the_verb() {
    for (target, expected) in [
        ("/v1beta/models/gemini-2.5-pro:generateContent", "gemini gemini generate_content gemini-2.5-pro"),
        (
            "/v1/models/gemini-2.5-pro:streamGenerateContent?alt=sse",
            "gemini gemini generate_content gemini-2.5-pro streams",
        ),
        ("/v1beta/models/gemini-2.5-pro%3AgenerateContent", "gemini gemini generate_content gemini-2.5-pro"),
        ("/v1beta/models/e1:embedContent", "gemini gemini embeddings e1"),
        ("/v1beta/models/e1:batchEmbedContents", "gemini gemini embeddings e1"),
        ("/v1beta/models/g:countTokens", "gemini gemini count_tokens g"),
        ("/v1beta/tunedModels/mine:generateContent", "gemini gemini generate_content tunedModels/mine"),
        ("/v1beta/models/%67emini:generateContent", "gemini gemini generate_content gemini"),
        ("/v1beta/models/gem%2569ni:generateContent", "gemini gemini generate_content - problem"),
        ("/v1beta/models/gemini%20:generateContent", "gemini gemini generate_content - problem"),
        ("/v1beta/models/gem%C3%ADni:generateContent", "gemini gemini generate_content - problem"),
        ("/v1beta/models/gem%FFni:generateContent", "gemini gemini generate_content - problem"),
        ("/v1beta/models/gem%zni:generateContent", "gemini gemini generate_content - problem"),
        ("/v1beta/models/:generateContent", "gemini gemini generate_content - problem"),
        ("/v1beta/models/a%2F..%2Fb:generateContent", "gemini gemini generate_content - problem"),
        ("/v1beta/openai/chat/completions", "gemini openai chat -"),
        ("/v1beta/openai/embeddings", "gemini openai embeddings -"),
        ("/v1beta/interactions", "gemini gemini generate_content -"),
        ("/v1beta/models/m:unknownVerb", "plain"),
        ("/v1beta/cachedContents", "plain"),
    ] {
        let host = "generativelanguage.googleapis.com";
        assert_eq!(posted(host, target, Known::default()), expected, "{target}");
    }
    let upgrade = headers(&[("upgrade", "websocket")]);
    let live = "/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent";
    let live = of("GET", "generativelanguage.googleapis.com", live, &upgrade, Known::default());
    assert_eq!(described(&live), "gemini gemini realtime - streams");
}

#[test]
fn vertex_speaks_the_format_of_the_publisher() {
    let of_vertex = |rest: &str| {
        let target = format!("/v1/projects/p/locations/us-central1/{rest}");
        posted("us-central1-aiplatform.googleapis.com", &target, Known::default())
    };
    for (rest, expected) in [
        (
            "publishers/google/models/gemini-2.5-pro:generateContent",
            "vertex gemini generate_content gemini-2.5-pro",
        ),
        (
            "publishers/google/models/gemini-2.5-pro:streamGenerateContent",
            "vertex gemini generate_content gemini-2.5-pro streams",
        ),
        (
            "publishers/anthropic/models/claude-opus-4@20250514:rawPredict",
            "vertex anthropic messages claude-opus-4@20250514",
        ),
        (
            "publishers/anthropic/models/claude-opus-4@20250514:streamRawPredict",
            "vertex anthropic messages claude-opus-4@20250514 streams",
        ),
        ("publishers/anthropic/models/count-tokens:rawPredict", "vertex anthropic count_tokens -"),
        ("publishers/mistralai/models/mistral-large:rawPredict", "vertex openai chat mistral-large"),
        ("endpoints/123:generateContent", "vertex gemini generate_content endpoints/123"),
        ("endpoints/openapi/chat/completions", "vertex openai chat -"),
        ("publishers/google/models/imagen-4:predict", "vertex gemini generate_content imagen-4"),
        ("endpoints/123:rawPredict", "plain"),
        ("datasets/1:export", "plain"),
    ] {
        assert_eq!(of_vertex(rest), expected, "{rest}");
    }
}

#[test]
fn bedrock_names_its_model_by_id_or_arn() {
    for (target, expected) in [
        ("/model/amazon.nova-pro-v1%3A0/converse", "bedrock bedrock converse amazon.nova-pro-v1:0"),
        (
            "/model/amazon.nova-pro-v1:0/converse-stream",
            "bedrock bedrock converse amazon.nova-pro-v1:0 streams",
        ),
        ("/model/us.anthropic.claude/invoke", "bedrock bedrock invoke_model us.anthropic.claude"),
        (
            "/model/us.anthropic.claude/invoke-with-response-stream",
            "bedrock bedrock invoke_model us.anthropic.claude streams",
        ),
        (
            "/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A123%3Ainference-profile%2Fus.x/converse",
            "bedrock bedrock converse arn:aws:bedrock:us-east-1:123:inference-profile/us.x",
        ),
        (
            "/model/arn:aws:bedrock:us-east-1:123:inference-profile/us.x/converse",
            "bedrock bedrock converse arn:aws:bedrock:us-east-1:123:inference-profile/us.x",
        ),
        ("/model/a/count-tokens", "bedrock bedrock count_tokens a"),
        ("/model/a%2F..%2Fb/converse", "bedrock bedrock converse - problem"),
        ("/model/a%2520/converse", "bedrock bedrock converse - problem"),
        ("/model/converse", "plain"),
        ("/async-invoke", "bedrock bedrock invoke_model -"),
        ("/openai/v1/chat/completions", "bedrock openai chat -"),
        ("/guardrail/g/version/1/apply", "plain"),
    ] {
        let host = "bedrock-runtime.us-east-1.amazonaws.com";
        assert_eq!(posted(host, target, Known::default()), expected, "{target}");
    }
}

#[test]
fn a_host_that_nobody_named_is_known_by_its_path_alone() {
    for (target, expected) in [
        ("/v1/chat/completions", "unnamed openai chat -"),
        ("/proxy/chat/completions", "unnamed openai chat -"),
        ("/v1/responses", "unnamed openai responses -"),
        ("/api/v1/embeddings", "unnamed openai embeddings -"),
        ("/v1/messages", "unnamed anthropic messages -"),
        ("/v1beta/models/g:generateContent", "unnamed gemini generate_content g"),
        ("/model/x/converse", "unnamed bedrock converse x"),
        ("/openai/deployments/d/chat/completions", "unnamed azure-openai chat d"),
        ("/survey/responses", "plain"),
        ("/chat/messages", "plain"),
        ("/embeddings", "plain"),
        ("/repos/a/b/deployments/1/statuses", "plain"),
        ("/video/messages", "plain"),
    ] {
        for host in ["gateway.example", "api.openai.com.evil.example", "api-openai.com", "10.0.0.1"] {
            let endpoint = of("POST", host, target, &HeaderMap::new(), Known::default());
            assert_eq!(described(&endpoint), expected, "{host}{target}");
            assert!(!endpoint.may_edit(), "{host}{target}");
        }
    }
}

#[test]
fn a_provider_that_policy_names_has_its_name_below_its_base() {
    let vllm = known("local-vllm", "openai", Some("/v1"));
    assert_eq!(posted("llm.internal", "/v1/chat/completions", vllm), "local-vllm openai chat -");
    assert_eq!(posted("llm.internal", "/v2/chat/completions", vllm), "unnamed openai chat -");
    let any = known("gate", "openai", None);
    assert_eq!(posted("llm.internal", "/embeddings", any), "gate openai embeddings -");
    assert_eq!(posted("llm.internal", "/anthropic/v1/messages", any), "gate anthropic messages -");
    let mine = known("mine", "openai", None);
    assert_eq!(posted("api.openai.com", "/v1/responses", mine), "mine openai responses -");
    let bedrock = known("b", "bedrock", None);
    assert_eq!(posted("bedrock.internal", "/x/model/m/converse", bedrock), "b bedrock converse m");
    assert!(of("POST", "llm.internal", "/v1/chat/completions", &HeaderMap::new(), vllm).may_edit());
}

#[test]
fn mcp_and_a2a_are_known_where_policy_names_them() {
    let none = HeaderMap::new();
    let mcp = Known { mcp_server: Some("tickets"), ..Known::default() };
    for (method, posted) in [("POST", true), ("GET", false), ("DELETE", false)] {
        let endpoint = of(method, "mcp.example.com", "/mcp", &none, mcp);
        assert_eq!(described(&endpoint), format!("mcp tickets {posted}"));
        assert_eq!(endpoint.reads_body(), posted);
        assert_eq!(endpoint.dialect(), Dialect::JsonRpc);
    }
    let both = Known { provider: Some(("gate", ModelApi::OpenAi, None)), ..mcp };
    assert_eq!(posted("gate.example", "/mcp", both), "mcp tickets true");
    assert_eq!(posted("gate.example", "/v1/chat/completions", both), "gate openai chat -");

    let agent = Known { a2a_agent: Some("t"), ..Known::default() };
    for (method, path, expected) in [
        ("POST", "/a2a", "a2a t JsonRpc  true"),
        ("POST", "/v1/message:send", "a2a t Rest SendMessage true"),
        ("POST", "/tenant/message%3Astream", "a2a t Rest SendStreamingMessage true"),
        ("GET", "/tasks/1", "a2a t Rest GetTask false"),
        ("GET", "/v1/tasks", "a2a t Rest ListTasks false"),
        ("POST", "/tasks/1:cancel", "a2a t Rest CancelTask false"),
        ("GET", "/tasks/1:subscribe", "a2a t Rest SubscribeToTask false"),
        ("POST", "/tasks/1:subscribe", "a2a t Rest SubscribeToTask false"),
        ("POST", "/tasks/1/pushNotificationConfigs", "a2a t Rest CreateTaskPushNotificationConfig false"),
        ("GET", "/tasks/1/pushNotificationConfigs", "a2a t Rest ListTaskPushNotificationConfigs false"),
        ("GET", "/tasks/1/pushNotificationConfigs/2", "a2a t Rest GetTaskPushNotificationConfig false"),
        ("DELETE", "/tasks/1/pushNotificationConfigs/2", "a2a t Rest DeleteTaskPushNotificationConfig false"),
        ("GET", "/extendedAgentCard", "a2a t Rest GetExtendedAgentCard false"),
        ("GET", "/v1/card", "a2a t Rest GetExtendedAgentCard false"),
        ("GET", "/.well-known/agent-card.json", "a2a t Card agent-card false"),
        ("GET", "/.well-known/agent.json", "a2a t Card agent-card false"),
        ("POST", "/lf.a2a.v1.A2AService/SendMessage", "a2a t Grpc SendMessage false"),
        ("POST", "/a2a.v1.A2AService/TaskSubscription", "a2a t Grpc SubscribeToTask false"),
    ] {
        assert_eq!(described(&of(method, "agents.example.com", path, &none, agent)), expected, "{path}");
    }
    let card = of("GET", "any.example", "/.well-known/agent-card.json", &none, Known::default());
    assert_eq!(described(&card), "a2a  Card agent-card false");
    assert_eq!(described(&of("GET", "any.example", "/tasks/1", &none, Known::default())), "plain");
}

#[test]
fn errors_come_in_the_callers_own_form() {
    for (host, path, dialect) in [
        ("api.openai.com", "/v1/chat/completions", Dialect::OpenAi),
        ("acme.openai.azure.com", "/openai/deployments/d/chat/completions", Dialect::OpenAi),
        ("generativelanguage.googleapis.com", "/v1beta/openai/chat/completions", Dialect::OpenAi),
        ("api.anthropic.com", "/v1/messages", Dialect::Anthropic),
        ("generativelanguage.googleapis.com", "/v1beta/models/g:generateContent", Dialect::Google),
        (
            "us-east5-aiplatform.googleapis.com",
            "/v1/projects/p/locations/l/publishers/anthropic/models/c:rawPredict",
            Dialect::Anthropic,
        ),
        ("bedrock-runtime.us-east-1.amazonaws.com", "/model/m/invoke", Dialect::Aws),
        ("example.com", "/", Dialect::Problem),
        ("example.com", "/message:send", Dialect::Google),
    ] {
        let endpoint = of("POST", host, path, &HeaderMap::new(), Known::default());
        assert_eq!(endpoint.dialect(), dialect, "{host}{path}");
    }
    let grpc = headers(&[("content-type", "application/grpc+proto")]);
    for (host, path) in [
        ("example.com", "/pkg.Service/Method"),
        (
            "generativelanguage.googleapis.com",
            "/google.ai.generativelanguage.v1beta.GenerativeService/GenerateContent",
        ),
        ("example.com", "/lf.a2a.v1.A2AService/SendMessage"),
    ] {
        let endpoint = of("POST", host, path, &grpc, Known::default());
        assert_eq!(endpoint.dialect(), Dialect::Grpc, "{path}");
        assert!(!endpoint.reads_body(), "{path}");
    }
}

#[test]
fn an_unclear_model_in_the_path_is_refused_as_such_and_never_named() {
    let endpoint = of(
        "POST",
        "generativelanguage.googleapis.com",
        "/v1beta/models/gemini%20:generateContent",
        &HeaderMap::new(),
        Known::default(),
    );
    assert_eq!(endpoint.problem().unwrap().code(), RefusalCode::ModelUnclear);
    assert_eq!(endpoint.read(&HeaderMap::new(), b"{}").unwrap_err().code(), RefusalCode::ModelUnclear);
    let Meanings::Model(call) = endpoint.head() else { panic!("a model call") };
    assert_eq!((call.model, call.operation), (None, ModelOperation::GenerateContent));
}
