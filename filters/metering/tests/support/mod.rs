//! Golden answers and the ways to replay them.

use std::fs;
use std::path::Path;

use creto_metering::{Encoding, Ending, Framing, Scanner, Settled, Shape, Usage};
use serde_json::Value;

/// One recorded answer and what it must settle as.
pub(crate) struct Golden {
    pub(crate) name: String,
    pub(crate) body: Vec<u8>,
    pub(crate) shape: Shape,
    pub(crate) framing: Framing,
    pub(crate) ending: Ending,
    pub(crate) request_bytes: u64,
    pub(crate) status: u16,
    pub(crate) headers: (Option<u64>, Option<u64>),
    pub(crate) expected: Settled,
}

impl Golden {
    pub(crate) fn scanner(&self, encoding: Encoding) -> Scanner {
        Scanner::new(self.shape, self.framing, encoding)
            .with_status(self.status)
            .with_token_headers(self.headers.0, self.headers.1)
    }

    /// Reads the pieces of `coded`, which is the body in `encoding`.
    pub(crate) fn replay<'a>(
        &self,
        encoding: Encoding,
        pieces: impl IntoIterator<Item = &'a [u8]>,
    ) -> Settled {
        let mut scanner = self.scanner(encoding);
        for piece in pieces {
            scanner.push(piece);
        }
        scanner.finish(self.ending, self.request_bytes)
    }
}

/// Every golden of every provider.
pub(crate) fn goldens() -> Vec<Golden> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let mut goldens = Vec::new();
    for provider in fs::read_dir(root).unwrap() {
        let provider = provider.unwrap().path();
        for file in fs::read_dir(&provider).unwrap() {
            let file = file.unwrap().path();
            let name = file.file_name().unwrap().to_str().unwrap().to_owned();
            if name.ends_with(".expected.json") {
                continue;
            }
            let stem = name.rsplit_once('.').unwrap().0;
            let expected = provider.join(format!("{stem}.expected.json"));
            let expected: Value = serde_json::from_slice(&fs::read(&expected).unwrap()).unwrap();
            let name = format!("{}/{name}", provider.file_name().unwrap().to_str().unwrap());
            goldens.push(golden(name, fs::read(&file).unwrap(), &expected));
        }
    }
    goldens.sort_by(|a, b| a.name.cmp(&b.name));
    goldens
}

fn golden(name: String, body: Vec<u8>, expected: &Value) -> Golden {
    let text = |key: &str| expected[key].as_str().map(ToOwned::to_owned);
    let shape = text("shape").unwrap();
    let content_type = text("content_type").unwrap();
    let usage = &expected["usage"];
    for kind in usage.as_object().unwrap().keys() {
        assert!(Usage::KINDS.contains(&kind.as_str()) || kind == "estimated", "{name}: no kind {kind}");
    }
    let count = |kind: &str| usage[kind].as_u64().unwrap_or(0);
    Golden {
        shape: Shape::ALL.into_iter().find(|known| format!("{known:?}") == shape).unwrap(),
        framing: match content_type.as_str() {
            "websocket" => Framing::WebSocket,
            content_type => Framing::from_content_type(content_type),
        },
        ending: match expected["ending"].as_str().unwrap() {
            "complete" => Ending::Complete,
            "broken" => Ending::Broken,
            "client_gone" => Ending::ClientGone,
            other => panic!("{name}: no ending {other}"),
        },
        request_bytes: expected["request_bytes"].as_u64().unwrap(),
        status: expected["status"].as_u64().unwrap_or(200) as u16,
        headers: (expected["token_headers"]["input"].as_u64(), expected["token_headers"]["output"].as_u64()),
        expected: Settled {
            usage: Usage {
                input: count("input"),
                cached_input: count("cached_input"),
                cache_write: count("cache_write"),
                cache_write_1h: count("cache_write_1h"),
                output: count("output"),
                reasoning: count("reasoning"),
                audio_input: count("audio_input"),
                audio_output: count("audio_output"),
                image_input: count("image_input"),
                images: count("images"),
                server_tool_calls: count("server_tool_calls"),
                estimated: usage["estimated"].as_bool().unwrap_or(false),
            },
            response_model: text("response_model"),
            service_tier: text("service_tier"),
            complete: expected["complete"].as_bool().unwrap(),
        },
        name,
        body,
    }
}
