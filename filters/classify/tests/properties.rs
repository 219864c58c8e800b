//! What holds for every body.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is a test's failure report")]

use creto_call::{ModelApi, ModelCall, ModelOperation};
use creto_classify::{Endpoint, Known, Meanings, add_include_usage};
use http::{HeaderMap, HeaderValue};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

fn chat() -> Endpoint {
    Endpoint::of("POST", "api.openai.com", "/v1/chat/completions", "", &HeaderMap::new(), Known::default())
}

fn read(body: &[u8]) -> Option<ModelCall> {
    match chat().read(&HeaderMap::new(), body).ok()? {
        Meanings::Model(call) => Some(call),
        other => panic!("{other:?}"),
    }
}

fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        "\\PC{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            objects(inner).prop_map(Value::Object),
        ]
    })
}

/// Objects whose keys are often those that are looked for.
fn objects(values: impl Strategy<Value = Value>) -> impl Strategy<Value = Map<String, Value>> {
    // A key that is one we look for in other letters is refused, as it should be; the others must not be.
    let other = "\\PC{1,4}".prop_filter("reads as `n` to some", |key| key.to_lowercase() != "n");
    let keys = prop_oneof!["model", "name", "stream_options", "messages", "include_usage", other];
    proptest::collection::btree_map(keys, values, 0..6).prop_map(|fields| fields.into_iter().collect())
}

fn body(mut rest: Map<String, Value>, model: &str, stream: bool) -> Map<String, Value> {
    rest.insert("model".to_owned(), model.into());
    rest.insert("stream".to_owned(), stream.into());
    rest
}

/// How many objects of the document have members.
fn objects_in(value: &Value) -> usize {
    match value {
        Value::Object(fields) => {
            usize::from(!fields.is_empty()) + fields.values().map(objects_in).sum::<usize>()
        }
        Value::Array(items) => items.iter().map(objects_in).sum(),
        _ => 0,
    }
}

/// Adds a marker, which the test replaces, to the object with so many before it; the key that shall stand there twice.
fn mark(value: &mut Value, left: &mut usize) -> Option<String> {
    match value {
        Value::Object(fields) => {
            let first = fields.keys().next().cloned();
            if *left == 0 && first.is_some() {
                fields.insert("\u{1}twice".to_owned(), Value::Null);
                return first;
            }
            *left -= usize::from(first.is_some());
            fields.values_mut().find_map(|value| mark(value, left))
        }
        Value::Array(items) => items.iter_mut().find_map(|value| mark(value, left)),
        _ => None,
    }
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), content in 0..3_usize) {
        let mut headers = HeaderMap::new();
        let types = ["application/json", "multipart/form-data; boundary=x", "application/grpc"];
        headers.insert("content-type", HeaderValue::from_static(types[content]));
        let named = Known { mcp_server: Some("m"), ..Known::default() };
        let agent = Known { a2a_agent: Some("a"), ..Known::default() };
        for (path, known) in [
            ("/v1/chat/completions", Known::default()),
            ("/v1/images/edits", Known::default()),
            ("/v1/messages", Known::default()),
            ("/v1beta/models/g:generateContent", Known::default()),
            ("/model/m/converse", Known::default()),
            ("/", Known::default()),
            ("/", named),
            ("/", agent),
            ("/message:send", agent),
        ] {
            let _ = Endpoint::of("POST", "h.example", path, "", &headers, known).read(&headers, &bytes);
        }
    }

    #[test]
    fn no_form_makes_it_panic(text in "(--x|\r\n|Content-Disposition: form-data; name=|\"|model|;|:|--|a){0,40}") {
        let mut headers = HeaderMap::new();
        headers.insert("content-type", HeaderValue::from_static("multipart/form-data; boundary=x"));
        let endpoint = Endpoint::of("POST", "h.example", "/images/edits", "", &headers, Known::default());
        let _ = endpoint.read(&headers, text.as_bytes());
    }

    #[test]
    fn no_head_makes_it_panic(
        method in "(POST|GET|CONNECT|\\PC{0,4})",
        host in "(api\\.openai\\.com|[a-z.]{0,20}(amazonaws\\.com|azure\\.com|googleapis\\.com)?)",
        path in "(/|models|model|:generateContent|converse|deployments|openai|chat|completions|publishers|%2F|%|\\.\\.|\\\\|\\PC){0,12}",
        query in "(model=|&|%|;|\\PC){0,8}",
    ) {
        let endpoint = Endpoint::of(&method, &host, &path, &query, &HeaderMap::new(), Known::default());
        let _ = (endpoint.dialect(), endpoint.reads_body(), endpoint.may_edit(), endpoint.head());
    }

    #[test]
    fn the_model_we_read_is_the_model_the_provider_reads(
        rest in objects(values()),
        model in "[!-~]{1,20}",
        stream in any::<bool>(),
    ) {
        let document = Value::Object(body(rest, &model, stream));
        for text in [document.to_string(), serde_json::to_string_pretty(&document).unwrap()] {
            let call = read(text.as_bytes()).unwrap();
            prop_assert_eq!(call.model.as_deref(), document["model"].as_str());
            prop_assert_eq!(call.streaming, stream);
        }
    }

    #[test]
    fn a_key_that_stands_twice_anywhere_is_refused(
        rest in objects(values()),
        which in any::<prop::sample::Index>(),
    ) {
        let mut document = Value::Object(body(rest, "gpt-5", false));
        let mut before = which.index(objects_in(&document));
        let key = mark(&mut document, &mut before).unwrap();
        let once = document.to_string().replace("\\u0001twice", "once");
        prop_assert!(read(once.as_bytes()).is_some(), "{}", once);
        let key = serde_json::to_string(&key).unwrap();
        let twice = document.to_string().replace("\"\\u0001twice\"", &key);
        prop_assert!(read(twice.as_bytes()).is_none(), "{}", twice);
    }

    #[test]
    fn asking_for_usage_changes_nothing_else(
        rest in objects(values()),
        options in prop_oneof![
            Just(None),
            Just(Some(Value::Null)),
            objects(values()).prop_map(|fields| Some(Value::Object(fields))),
            any::<bool>().prop_map(|value| Some(json!({"include_obfuscation": true, "include_usage": value}))),
        ],
        pretty in any::<bool>(),
    ) {
        let mut fields = body(rest, "gpt-5", true);
        fields.remove("stream_options");
        fields.extend(options.map(|options| ("stream_options".to_owned(), options)));
        let document = Value::Object(fields);
        let text = if pretty { serde_json::to_string_pretty(&document).unwrap() } else { document.to_string() };
        let call = read(text.as_bytes()).unwrap();
        let said = document.pointer("/stream_options/include_usage").cloned().unwrap_or(Value::Null);
        match add_include_usage(text.as_bytes(), &call) {
            None => prop_assert!(!matches!(said, Value::Null | Value::Bool(false))),
            Some(edited) => {
                prop_assert!(matches!(said, Value::Null | Value::Bool(false)));
                prop_assert_eq!(read(&edited).unwrap(), call.clone());
                let most = r#""stream_options":{"include_usage":true},"#.len();
                prop_assert!(edited.len() <= text.len() + most);
                let mut expected = document.clone();
                if !expected["stream_options"].is_object() {
                    expected["stream_options"] = json!({});
                }
                expected["stream_options"]["include_usage"] = json!(true);
                prop_assert_eq!(serde_json::from_slice::<Value>(&edited).unwrap(), expected);
                prop_assert!(add_include_usage(&edited, &call).is_none(), "once is enough");
            }
        }
    }
}

#[test]
fn the_edit_is_the_smallest() {
    let call = |operation, streaming| ModelCall {
        provider: "openai".to_owned(),
        api: ModelApi::OpenAi,
        operation,
        model: None,
        streaming,
        max_output_tokens: None,
        tools: Vec::new(),
        demand: creto_call::Demand::default(),
    };
    let edit = |body: &str| {
        let edited = add_include_usage(body.as_bytes(), &call(ModelOperation::Chat, true));
        edited.map(|edited| String::from_utf8(edited).unwrap())
    };
    for (body, edited) in [
        (r#"{ "stream" : true }"#, Some(r#"{"stream_options":{"include_usage":true}, "stream" : true }"#)),
        (
            r#"{"stream":true,"stream_options":null}"#,
            Some(r#"{"stream":true,"stream_options":{"include_usage":true}}"#),
        ),
        (
            r#"{"stream":true,"stream_options":{}}"#,
            Some(r#"{"stream":true,"stream_options":{"include_usage":true}}"#),
        ),
        (
            r#"{"stream_options": { "a":1},"x":1}"#,
            Some(r#"{"stream_options": {"include_usage":true, "a":1},"x":1}"#),
        ),
        (
            r#"{"stream_options":{"include_usage": false ,"a":1}}"#,
            Some(r#"{"stream_options":{"include_usage": true ,"a":1}}"#),
        ),
        (
            r#"{"stream_options":{"include_usage":null}}"#,
            Some(r#"{"stream_options":{"include_usage":true}}"#),
        ),
        (r#"{"stream_\u006fptions":null}"#, Some(r#"{"stream_\u006fptions":{"include_usage":true}}"#)),
        (r#"{"stream_options":{"include_usage":true}}"#, None),
        (r#"{"stream_options":{"include_usage":"yes"}}"#, None),
        (r#"{"stream_options":5}"#, None),
        (r#"{"stream_options":[]}"#, None),
        (r#"{"stream":true,"stream":true}"#, None),
        ("[]", None),
        ("{", None),
    ] {
        assert_eq!(edit(body).as_deref(), edited, "{body}");
    }
    let body = br#"{"stream":true}"#;
    assert!(add_include_usage(body, &call(ModelOperation::Chat, false)).is_none());
    assert!(add_include_usage(body, &call(ModelOperation::Responses, true)).is_none());
    assert!(add_include_usage(body, &call(ModelOperation::Completions, true)).is_some());
}
