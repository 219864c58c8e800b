//! What the bodies of model calls say, and which are refused.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is a test's failure report")]

use creto_call::{ModelCall, RefusalCode};
use creto_classify::{BodyProblem, Endpoint, Known, Meanings};
use http::{HeaderMap, HeaderValue};

const OPENAI: (&str, &str) = ("api.openai.com", "/v1/chat/completions");
const RESPONSES: (&str, &str) = ("api.openai.com", "/v1/responses");
const AZURE: (&str, &str) = ("a.openai.azure.com", "/openai/deployments/d/chat/completions");
const ANTHROPIC: (&str, &str) = ("api.anthropic.com", "/v1/messages");
const GEMINI: (&str, &str) = ("generativelanguage.googleapis.com", "/v1beta/models/g:generateContent");
const CONVERSE: (&str, &str) = ("bedrock-runtime.us-east-1.amazonaws.com", "/model/m/converse");
const INVOKE: (&str, &str) = ("bedrock-runtime.us-east-1.amazonaws.com", "/model/m/invoke");
const UNNAMED: (&str, &str) = ("gate.example", "/openai/deployments/d/chat/completions");

fn read(to: (&str, &str), headers: &HeaderMap, body: &[u8]) -> Result<ModelCall, BodyProblem> {
    let endpoint = Endpoint::of("POST", to.0, to.1, "", headers, Known::default());
    assert!(endpoint.reads_body());
    endpoint.read(headers, body).map(|meanings| match meanings {
        Meanings::Model(call) => call,
        other => panic!("{other:?}"),
    })
}

fn read_json(to: (&str, &str), body: &str) -> Result<ModelCall, BodyProblem> {
    read(to, &header("content-type", "application/json"), body.as_bytes())
}

fn header(name: &'static str, value: &'static str) -> HeaderMap {
    HeaderMap::from_iter([(name.parse().unwrap(), HeaderValue::from_static(value))])
}

#[test]
fn each_apis_body_says_model_stream_limit_and_tools() {
    for (to, body, model, streaming, limit, tools) in [
        (
            OPENAI,
            r#"{"messages":[{"role":"user","content":"\"model\":\"x\""}],"model":"gpt-5","stream":true,
               "max_completion_tokens":100,"stream_options":{"include_usage":true},
               "tools":[{"type":"function","function":{"name":"search","parameters":{"name":"no","model":"no"}}},
                        {"type":"custom","custom":{"name":"grep"}}],"functions":[{"name":"old"}]}"#,
            Some("gpt-5"),
            true,
            Some(100),
            &["search", "grep", "old"][..],
        ),
        (
            OPENAI,
            r#"{"\u006dodel":"gpt-5","max_tokens":7,"max_completion_tokens":9}"#,
            Some("gpt-5"),
            false,
            Some(9),
            &[],
        ),
        (OPENAI, r#"{"model":"gpt-5","max_tokens":-1}"#, Some("gpt-5"), false, None, &[]),
        (
            OPENAI,
            r#"{"model":"gpt-5","max_tokens":null,"stream":null,"tools":null,"max_output_tokens":5}"#,
            Some("gpt-5"),
            false,
            None,
            &[],
        ),
        (
            OPENAI,
            r#"{"model":"gpt-5","max_tokens":99999999999999999999999}"#,
            Some("gpt-5"),
            false,
            Some(u64::MAX),
            &[],
        ),
        (OPENAI, "{}", None, false, None, &[]),
        (
            RESPONSES,
            r#"{"model":"gpt-5","max_output_tokens":1e2,"stream":false,"input":[{"model":"no"}],
               "tools":[{"type":"function","name":"f"},{"type":"web_search"},{"type":"mcp","server_label":"s"},
                        {"type":"namespace","name":"n","tools":[{"type":"function","name":"inner"}]}]}"#,
            Some("gpt-5"),
            false,
            Some(100),
            &["f", "web_search", "mcp", "inner", "n"],
        ),
        (AZURE, r#"{"model":"whatever","stream":true,"max_tokens":5}"#, Some("d"), true, Some(5), &[]),
        (AZURE, r#"{"model":null}"#, Some("d"), false, None, &[]),
        (
            ANTHROPIC,
            r#"{"model":"claude-opus-4-1","max_tokens":1024,"stream":true,"metadata":{"model":"no"},
               "tools":[{"name":"get_weather","input_schema":{"properties":{"name":{"type":"string"}}}},
                        {"type":"web_search_20250305","name":"web_search"}]}"#,
            Some("claude-opus-4-1"),
            true,
            Some(1024),
            &["get_weather", "web_search"],
        ),
        (
            GEMINI,
            r#"{"contents":[],"generationConfig":{"maxOutputTokens":"64"},"stream":"ignored",
               "tools":[{"functionDeclarations":[{"name":"a"},{"name":"b"}]},{"function_declarations":[{"name":"c"}]},
                        {"google_search":{}},{"codeExecution":{}}]}"#,
            Some("g"),
            false,
            Some(64),
            &["a", "b", "c", "googleSearch", "codeExecution"],
        ),
        (GEMINI, r#"{"generation_config":{"max_output_tokens":64.0}}"#, Some("g"), false, Some(64), &[]),
        (
            CONVERSE,
            r#"{"messages":[],"inferenceConfig":{"maxTokens":50},
               "toolConfig":{"tools":[{"toolSpec":{"name":"t","inputSchema":{"json":{"name":"no"}}}},{"cachePoint":{"type":"default"}},
               {"systemTool":{"name":"s"}}]}}"#,
            Some("m"),
            false,
            Some(50),
            &["t", "s"],
        ),
        (
            INVOKE,
            r#"{"anthropic_version":"x","max_tokens":9,"tools":[{"name":"t"}]}"#,
            Some("m"),
            false,
            Some(9),
            &["t"],
        ),
        (
            INVOKE,
            r#"{"inputText":"x","textGenerationConfig":{"maxTokenCount":3}}"#,
            Some("m"),
            false,
            Some(3),
            &[],
        ),
        (INVOKE, r#"{"prompt":"x","max_gen_len":3,"model":7}"#, Some("m"), false, Some(3), &[]),
        (UNNAMED, r#"{"model":"d"}"#, Some("d"), false, None, &[]),
    ] {
        let call = read_json(to, body).expect(body);
        let found = (call.model.as_deref(), call.streaming, call.max_output_tokens);
        assert_eq!(found, (model, streaming, limit), "{body}");
        assert_eq!(call.tools, tools, "{body}");
    }
}

#[test]
fn a_body_that_can_be_read_in_two_ways_is_refused() {
    use RefusalCode::{BodyUnclear, ModelUnclear};
    for (to, body, code) in [
        (OPENAI, r#"{"model":"a","model":"b"}"#, BodyUnclear),
        (OPENAI, r#"{"model":"a","\u006dodel":"b"}"#, BodyUnclear),
        (OPENAI, r#"{"model":"a","Model":"b"}"#, BodyUnclear),
        (OPENAI, r#"{"model":"a","ſtream":true}"#, BodyUnclear),
        (OPENAI, r#"{"model":"a","messages":[{"role":"user","content":1,"content":2}]}"#, BodyUnclear),
        (OPENAI, r#"{"model":"a","tools":[{"Function":{"name":"x"}}]}"#, BodyUnclear),
        (OPENAI, r#"{"model":"a"} {"model":"b"}"#, BodyUnclear),
        (OPENAI, r#"{"model":"a"}garbage"#, BodyUnclear),
        (OPENAI, r#"[{"model":"a"}]"#, BodyUnclear),
        (OPENAI, r#""model""#, BodyUnclear),
        (OPENAI, "", BodyUnclear),
        (OPENAI, "model=a", BodyUnclear),
        (OPENAI, "\u{feff}{\"model\":\"a\"}", BodyUnclear),
        (OPENAI, r#"{"model":"a","temperature":NaN}"#, BodyUnclear),
        (OPENAI, r#"{"model":"a",/* x */"n":1}"#, BodyUnclear),
        (OPENAI, r#"{"model":"a","user":"\ud800"}"#, BodyUnclear),
        (OPENAI, r#"{"model":"a","stream":"true"}"#, BodyUnclear),
        (OPENAI, r#"{"model":"a","stream":1}"#, BodyUnclear),
        (OPENAI, r#"{"model":"a","stream":{}}"#, BodyUnclear),
        (OPENAI, r#"{"model":"a","max_tokens":"many"}"#, BodyUnclear),
        (OPENAI, r#"{"model":"a","max_tokens":1.5}"#, BodyUnclear),
        (OPENAI, r#"{"model":"a","max_tokens":1e400}"#, BodyUnclear),
        (OPENAI, r#"{"model":"a","max_tokens":[1]}"#, BodyUnclear),
        (OPENAI, r#"{"model":"a","tools":[{"type":"function","function":{"name":["x"]}}]}"#, BodyUnclear),
        (OPENAI, r#"{"model":null}"#, ModelUnclear),
        (OPENAI, r#"{"model":5}"#, ModelUnclear),
        (OPENAI, r#"{"model":["a"]}"#, ModelUnclear),
        (OPENAI, r#"{"model":{"id":"a"}}"#, ModelUnclear),
        (OPENAI, r#"{"model":""}"#, ModelUnclear),
        (OPENAI, r#"{"model":"gpt-5 "}"#, ModelUnclear),
        (OPENAI, r#"{"model":" gpt-5"}"#, ModelUnclear),
        (OPENAI, r#"{"model":"gpt 5"}"#, ModelUnclear),
        (OPENAI, r#"{"model":"gpt-5\n"}"#, ModelUnclear),
        (OPENAI, r#"{"model":"gpt-5\u0000"}"#, ModelUnclear),
        (OPENAI, r#"{"model":"gpt-5\u200b"}"#, ModelUnclear),
        (OPENAI, r#"{"model":"gрt-5"}"#, ModelUnclear),
        (OPENAI, r#"{"model":"gpt‑5"}"#, ModelUnclear),
        (OPENAI, r#"{"model":"a","models":["b"]}"#, ModelUnclear),
        (UNNAMED, r#"{"model":"other"}"#, ModelUnclear),
        (ANTHROPIC, r#"{"model":"a","max_tokens":true}"#, BodyUnclear),
        (GEMINI, r#"{"generationConfig":{"maxOutputTokens":"-"}}"#, BodyUnclear),
        (GEMINI, r#"{"GenerationConfig":{"maxOutputTokens":1}}"#, BodyUnclear),
        (CONVERSE, r#"{"toolConfig":{"tools":[{"toolSpec":{"name":"a","name":"b"}}]}}"#, BodyUnclear),
    ] {
        let problem = read_json(to, body).expect_err(body);
        assert_eq!(problem.code(), code, "{body}: {problem}");
    }
    let invalid = b"{\"model\":\"a\",\"user\":\"\xff\"}";
    assert_eq!(read(OPENAI, &HeaderMap::new(), invalid).unwrap_err().code(), BodyUnclear);
    let longest = format!(r#"{{"model":"{}"}}"#, "x".repeat(256));
    assert!(read_json(OPENAI, &longest).is_ok());
    let longer = format!(r#"{{"model":"{}"}}"#, "x".repeat(257));
    assert_eq!(read_json(OPENAI, &longer).unwrap_err().code(), ModelUnclear);
    let bomb = format!(r#"{{"model":"a","x":{}"#, "[".repeat(1_000_000));
    assert_eq!(read_json(OPENAI, &bomb).unwrap_err().code(), BodyUnclear);
}

#[test]
fn an_encoded_body_is_refused() {
    let body = br#"{"model":"a"}"#;
    for coding in ["gzip", "br", "zstd", "identity, gzip", "GZIP", "x"] {
        let headers = header("content-encoding", coding);
        assert_eq!(read(OPENAI, &headers, body).unwrap_err().code(), RefusalCode::BodyEncoded, "{coding}");
    }
    for coding in ["identity", ""] {
        assert!(read(OPENAI, &header("content-encoding", coding), body).is_ok(), "{coding}");
    }
    for (content_type, clear) in [
        ("application/json", true),
        ("application/json; charset=utf-8", true),
        ("application/json; charset=\"UTF-8\"", true),
        ("text/plain", true),
        ("application/json; charset=utf-16", false),
        ("application/json; Charset=iso-8859-1", false),
    ] {
        let found = read(OPENAI, &header("content-type", content_type), body);
        assert_eq!(found.is_ok(), clear, "{content_type}");
    }
}

#[test]
fn a_call_with_too_many_or_too_long_tools_is_refused() {
    let offering = |name: &str, count: usize| {
        let tool = format!(r#"{{"type":"function","function":{{"name":"{name}"}}}}"#);
        read_json(OPENAI, &format!(r#"{{"model":"a","tools":[{}]}}"#, vec![tool; count].join(",")))
    };
    assert_eq!(offering("t", 4_096).unwrap().tools.len(), 4_096);
    assert!(offering("t", 4_097).is_err());
    assert!(offering(&"t".repeat(1_024), 1).is_ok());
    assert!(offering(&"t".repeat(1_025), 1).is_err());
}

#[test]
fn a_form_says_its_model_in_a_field() {
    const IMAGES: (&str, &str) = ("api.openai.com", "/v1/images/edits");
    let headers = header("content-type", "multipart/form-data; boundary=\"XX\"");
    let part = |disposition: &str, value: &str| {
        format!("--XX\r\nContent-Disposition: form-data; {disposition}\r\n\r\n{value}\r\n")
    };
    let form = |parts: &[String]| format!("{}--XX--\r\n", parts.concat());
    let image = part(r#"name="image"; filename="model; name=model""#, "\u{1}\r\n--X\r\n\r\nmodel");
    let model = part(r#"name="model""#, "gpt-image-1");
    for (body, expected) in [
        (form(&[image.clone(), model.clone()]), Ok(Some("gpt-image-1"))),
        (form(std::slice::from_ref(&model)), Ok(Some("gpt-image-1"))),
        (form(&[part("name=model", "dall-e-2")]), Ok(Some("dall-e-2"))),
        (form(std::slice::from_ref(&image)), Ok(None)),
        (form(&[model.clone(), model.clone()]), Err(RefusalCode::ModelUnclear)),
        (form(&[part(r#"name="model""#, "gpt-image-1 ")]), Err(RefusalCode::ModelUnclear)),
        (form(&[part(r#"name="mod\el""#, "x")]), Err(RefusalCode::BodyUnclear)),
        (form(&[part(r#"name="x"; name="model""#, "x")]), Err(RefusalCode::BodyUnclear)),
        (form(&[part("name*=utf-8''model", "x")]), Err(RefusalCode::BodyUnclear)),
        (
            form(&[model.replace("\r\n\r\n", "\r\nContent-Transfer-Encoding: base64\r\n\r\n")]),
            Err(RefusalCode::ModelUnclear),
        ),
        (model.clone(), Err(RefusalCode::BodyUnclear)),
        (model.replace("\r\n", "\n"), Err(RefusalCode::BodyUnclear)),
        (String::new(), Err(RefusalCode::BodyUnclear)),
    ] {
        let found = read(IMAGES, &headers, body.as_bytes());
        let found = found.as_ref().map(|call| call.model.as_deref()).map_err(BodyProblem::code);
        assert_eq!(found, expected, "{body}");
    }
    assert_eq!(
        read_json(IMAGES, r#"{"model":"gpt-image-1"}"#).unwrap().model.as_deref(),
        Some("gpt-image-1")
    );
    let nowhere = header("content-type", "multipart/form-data");
    assert!(read(IMAGES, &nowhere, b"").is_err());
    // A form is no body of an endpoint that takes JSON only.
    assert!(read(OPENAI, &headers, form(&[model]).as_bytes()).is_err());
}

#[test]
fn a_body_says_what_it_may_come_to_use() {
    let demand = |to, body: &str| read_json(to, body).expect(body).demand;
    let asked = demand(
        OPENAI,
        r#"{"model":"m","n":3,"service_tier":"flex","messages":[{"role":"user","content":"image_url"}]}"#,
    );
    assert_eq!((asked.answers, asked.service_tier.as_deref()), (Some(3), Some("flex")));
    assert!(!asked.media && !asked.refers && !asked.provider_tools);
    let shown = demand(
        OPENAI,
        r#"{"model":"m","messages":[{"content":[{"type":"image_url","image_url":{"url":"x"}}]}]}"#,
    );
    assert!(shown.media && !shown.refers);
    for body in [
        r#"{"model":"m","previous_response_id":"resp_1"}"#,
        r#"{"model":"m","prompt":{"id":"pmpt_1"}}"#,
        r#"{"model":"m","input":[{"type":"item_reference","id":"i"}]}"#,
        r#"{"model":"m","input":[{"content":[{"type":"input_file","file_id":"f"}]}]}"#,
    ] {
        assert!(demand(RESPONSES, body).refers, "{body}");
    }
    assert!(!demand(OPENAI, r#"{"model":"m","prompt":"text"}"#).refers);
    assert!(demand(GEMINI, r#"{"cachedContent":"c"}"#).refers);
    assert_eq!(demand(GEMINI, r#"{"generationConfig":{"candidateCount":4}}"#).answers, Some(4));
}

#[test]
fn tools_that_the_provider_runs_are_told_from_those_of_the_caller() {
    let demand = |to, body: &str| read_json(to, body).expect(body).demand;
    for (to, body) in [
        (RESPONSES, r#"{"model":"m","max_tool_calls":2,"tools":[{"type":"web_search"}]}"#),
        (ANTHROPIC, r#"{"model":"m","tools":[{"type":"web_search_20250305","name":"web_search"}]}"#),
        (GEMINI, r#"{"tools":[{"google_search":{}}]}"#),
        (OPENAI, r#"{"model":"m","web_search_options":{}}"#),
    ] {
        assert!(demand(to, body).provider_tools, "{body}");
    }
    for (to, body) in [
        (OPENAI, r#"{"model":"m","tools":[{"type":"function","function":{"name":"f"}}]}"#),
        (ANTHROPIC, r#"{"model":"m","tools":[{"name":"f"},{"type":"bash_20250124","name":"bash"}]}"#),
        (GEMINI, r#"{"tools":[{"functionDeclarations":[{"name":"a"}]}]}"#),
        (CONVERSE, r#"{"toolConfig":{"tools":[{"toolSpec":{"name":"t"}}]}}"#),
    ] {
        assert!(!demand(to, body).provider_tools, "{body}");
    }
    let bounded = demand(RESPONSES, r#"{"model":"m","max_tool_calls":2,"tools":[{"type":"web_search"}]}"#);
    assert_eq!(bounded.max_tool_calls, Some(2));
}

#[test]
fn every_prompt_of_a_list_is_answered() {
    const COMPLETIONS: (&str, &str) = ("api.openai.com", "/v1/completions");
    let answers = |body: &str| read_json(COMPLETIONS, body).expect(body).demand.answers;
    assert_eq!(answers(r#"{"model":"m","prompt":["a","b","c"],"n":2}"#), Some(6));
    assert_eq!(answers(r#"{"model":"m","prompt":[[1,2],[3]]}"#), Some(2));
    assert_eq!(answers(r#"{"model":"m","prompt":[1,2,3]}"#), None, "one prompt, of tokens");
    assert_eq!(answers(r#"{"model":"m","prompt":"a"}"#), None);
}
