//! The price files that are built in; `data/import.py` makes them.

/// Name and text of each.
pub(crate) const FILES: [(&str, &str); 13] = [
    ("anthropic.json", include_str!("../data/anthropic.json")),
    ("azure-openai.json", include_str!("../data/azure-openai.json")),
    ("bedrock-1.json", include_str!("../data/bedrock-1.json")),
    ("bedrock-2.json", include_str!("../data/bedrock-2.json")),
    ("cohere.json", include_str!("../data/cohere.json")),
    ("deepseek.json", include_str!("../data/deepseek.json")),
    ("gemini.json", include_str!("../data/gemini.json")),
    ("groq.json", include_str!("../data/groq.json")),
    ("mistral.json", include_str!("../data/mistral.json")),
    ("openai-1.json", include_str!("../data/openai-1.json")),
    ("openai-2.json", include_str!("../data/openai-2.json")),
    ("vertex.json", include_str!("../data/vertex.json")),
    ("xai.json", include_str!("../data/xai.json")),
];
