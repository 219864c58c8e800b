//! The programs of model SDKs, their commands, and what each has to print.

use creto_test_support::{FakeProvider, SeenCall, Tokens};
use serde_json::Value;

use crate::installation::Installation;
use crate::program::{Program, node_program, python_program};

/// What the programs ask when nobody says otherwise, and the model's answer to it.
const ANSWER: &str = "You said: the weather in Paris";
/// The secret key of AWS that goes with a key.
const AWS_SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

/// An SDK, unmodified, with a program of ours around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ModelSdk {
    /// `openai` for Python.
    OpenAi,
    /// `openai` for Python, against Azure's paths.
    AzureOpenAi,
    /// `anthropic` for Python.
    Anthropic,
    /// `google-genai` for Python.
    GoogleGenAi,
    /// `boto3` for Python, its `bedrock-runtime`.
    Boto3Bedrock,
    /// `langchain-openai` for Python.
    LangChainOpenAi,
    /// `litellm` for Python, as a client of an OpenAI-compatible API.
    LiteLlm,
    /// `openai` for Node.
    NodeOpenAi,
    /// `@anthropic-ai/sdk` for Node.
    NodeAnthropic,
}

/// How a program gets to the provider.
#[derive(Clone, Debug)]
pub struct ModelAccess {
    /// Scheme, host, port and perhaps a path: what stands before `/v1/chat/completions`.
    pub base: String,
    /// The key that the program has: real, or a placeholder. Of AWS, the access key.
    pub key: String,
    /// Variables of its environment besides: proxy and authorities.
    pub variables: Vec<(String, String)>,
}

/// A command that was answered.
#[derive(Clone, Debug)]
pub struct ModelAnswer {
    /// The command.
    pub command: &'static str,
    /// What the program printed.
    pub printed: Value,
    /// The call as the provider saw it.
    pub seen: SeenCall,
}

impl ModelSdk {
    /// Its commands that are answered, one call each.
    #[must_use]
    pub fn commands(self) -> &'static [&'static str] {
        match self {
            Self::OpenAi => &[
                "chat",
                "tools",
                "stream",
                "stream-usage",
                "stream-tools",
                "responses",
                "responses-tools",
                "responses-stream",
                "responses-stream-tools",
                "embeddings",
                "models",
                "realtime",
            ],
            Self::AzureOpenAi => {
                &["chat", "tools", "stream-usage", "responses", "responses-stream", "embeddings"]
            }
            Self::Anthropic | Self::NodeAnthropic => &[
                "chat",
                "tools",
                "cached",
                "search",
                "stream",
                "stream-tools",
                "stream-cached",
                "stream-search",
                "count",
            ],
            Self::GoogleGenAi => &["chat", "tools", "stream", "stream-tools", "embeddings"],
            Self::Boto3Bedrock => &[
                "chat",
                "tools",
                "cached",
                "stream",
                "stream-tools",
                "stream-cached",
                "invoke",
                "invoke-stream",
            ],
            Self::LangChainOpenAi => {
                &["chat", "tools", "stream", "responses", "responses-stream", "embeddings"]
            }
            Self::LiteLlm => &["chat", "tools", "stream", "stream-usage", "embeddings"],
            Self::NodeOpenAi => &[
                "chat",
                "tools",
                "stream",
                "stream-usage",
                "stream-tools",
                "responses",
                "responses-tools",
                "responses-stream",
                "responses-stream-tools",
                "embeddings",
            ],
        }
    }

    /// Its program, configured for the access; commands are yet to be added.
    #[must_use]
    pub fn program(self, access: &ModelAccess) -> Program {
        let base = access.base.as_str();
        let set = |program: Program, variables: &[(&str, &str)]| {
            variables.iter().fold(program, |program, (name, value)| program.env(name, *value))
        };
        let key = access.key.as_str();
        let openai = [("OPENAI_BASE_URL", &*format!("{base}/v1")), ("OPENAI_API_KEY", key)];
        let anthropic = [("ANTHROPIC_BASE_URL", base), ("ANTHROPIC_API_KEY", key)];
        match self {
            Self::OpenAi => set(python_program("with_openai"), &openai),
            Self::AzureOpenAi => set(
                python_program("with_openai"),
                &[
                    ("AZURE_OPENAI_ENDPOINT", base),
                    ("AZURE_OPENAI_API_KEY", key),
                    ("OPENAI_API_VERSION", "2025-04-01-preview"),
                ],
            ),
            Self::Anthropic => set(python_program("with_anthropic"), &anthropic),
            Self::GoogleGenAi => set(
                python_program("with_google_genai"),
                &[("GOOGLE_GEMINI_BASE_URL", base), ("GEMINI_API_KEY", key)],
            ),
            Self::Boto3Bedrock => set(
                python_program("with_boto3_bedrock"),
                &[
                    ("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", base),
                    ("AWS_DEFAULT_REGION", "us-east-1"),
                    ("AWS_ACCESS_KEY_ID", key),
                    ("AWS_SECRET_ACCESS_KEY", AWS_SECRET),
                    ("AWS_EC2_METADATA_DISABLED", "true"),
                ],
            ),
            Self::LangChainOpenAi => set(python_program("with_langchain_openai"), &openai),
            Self::LiteLlm => {
                let program = Program::new(Installation::get().litellm_python())
                    .args(&[concat!(env!("CARGO_MANIFEST_DIR"), "/programs/python/with_litellm.py")])
                    .env("PYTHONDONTWRITEBYTECODE", "1")
                    // Its list of prices would else be loaded from the network.
                    .env("LITELLM_LOCAL_MODEL_COST_MAP", "True");
                set(program, &openai)
            }
            Self::NodeOpenAi => set(node_program(&Installation::get().node24(), "with_openai"), &openai),
            Self::NodeAnthropic => {
                set(node_program(&Installation::get().node24(), "with_anthropic"), &anthropic)
            }
        }
    }

    /// Runs commands in one process; gives what each printed. `more` are variables such as `MODEL`.
    pub async fn run(self, access: &ModelAccess, commands: &[&str], more: &[(&str, &str)]) -> Vec<Value> {
        let program =
            more.iter().fold(self.program(access), |program, (name, value)| program.env(name, *value));
        let ran = program.args(commands).run(&access.variables).await;
        assert_eq!(ran.code, Some(0), "{self:?} {commands:?}\nout: {}\nerr: {}", ran.out, ran.err);
        let lines = ran.out.lines().filter(|line| line.starts_with('{'));
        let printed: Vec<Value> = lines.filter_map(|line| serde_json::from_str(line).ok()).collect();
        assert_eq!(
            printed.len(),
            commands.len(),
            "{self:?} {commands:?}\nout: {}\nerr: {}",
            ran.out,
            ran.err
        );
        printed
    }

    /// Runs all commands; panics unless the SDK understood each answer, with the usage that the provider counted.
    pub async fn is_understood(self, access: &ModelAccess, provider: &FakeProvider) -> Vec<ModelAnswer> {
        provider.forget();
        let printed = self.run(access, self.commands(), &[]).await;
        let calls = provider.calls();
        let report = || format!("{self:?}: {printed:#?}");
        assert_eq!(calls.len(), self.commands().len(), "{}", report());
        let answers = self.commands().iter().zip(printed.clone()).zip(calls);
        answers
            .map(|((command, printed), seen)| {
                let answer = ModelAnswer { command, printed, seen };
                answer.check(self);
                answer
            })
            .collect()
    }

    /// Runs commands that all fail; gives what each printed.
    pub async fn fails(self, access: &ModelAccess, commands: &[&str], more: &[(&str, &str)]) -> Vec<Value> {
        let printed = self.run(access, commands, more).await;
        assert!(
            printed.iter().all(|printed| printed["error"].is_string()),
            "{self:?} {commands:?}: {printed:#?}"
        );
        printed
    }

    /// Whether the SDK is told the usage at all: nobody asked the provider for it, or it has none to tell.
    #[must_use]
    pub fn is_told_usage(self, command: &str) -> bool {
        !matches!(
            (self, command),
            (_, "models")
                | (Self::OpenAi | Self::LangChainOpenAi | Self::LiteLlm | Self::NodeOpenAi, "stream")
                | (Self::GoogleGenAi | Self::LangChainOpenAi, "embeddings")
        )
    }
}

impl ModelAnswer {
    fn check(&self, sdk: ModelSdk) {
        let Self { command, printed, seen } = self;
        let what = format!("{sdk:?} {command}: {printed}\n{seen:?}");
        assert_eq!(printed["error"], Value::Null, "{what}");
        assert!(matches!(seen.status, 101 | 200), "{what}");
        if command.ends_with("tools") {
            assert_eq!(printed["tool"]["name"], "get_weather", "{what}");
            let arguments = match &printed["tool"]["arguments"] {
                Value::String(text) => serde_json::from_str(text).unwrap(),
                arguments => arguments.clone(),
            };
            assert_eq!(arguments, serde_json::json!({"city": "the weather in Paris", "days": 1}), "{what}");
        } else if *command == "embeddings" {
            let vector = printed["vectors"][1].as_array().unwrap();
            assert_eq!(vector[2..], [Value::from(0.5), Value::from(-0.25)], "{what}");
        } else if !matches!(*command, "models" | "count") {
            assert!(printed["text"].as_str().is_some_and(|text| text.starts_with(ANSWER)), "{what}");
        }
        match *command {
            // Its streamed text is told apart from the whole one.
            "stream" | "stream-cached" if printed["streamed"].is_string() => {
                assert_eq!(printed["streamed"], printed["text"], "{what}");
            }
            "models" => assert_eq!(printed["models"][0], "gpt-4o", "{what}"),
            _ => {}
        }
        if *command == "count" {
            assert!(printed["usage"]["input_tokens"].as_u64().is_some_and(|count| count > 0), "{what}");
        } else if sdk.is_told_usage(command) {
            let told = match &printed["usages"] {
                Value::Array(usages) => usages.iter().map(counted).reduce(sum).unwrap_or_default(),
                _ => counted(&printed["usage"]),
            };
            assert_eq!(Some(told), seen.tokens, "{what}");
        } else {
            assert_eq!(printed["usage"], Value::Null, "{what}");
        }
    }
}

fn sum(one: Tokens, other: Tokens) -> Tokens {
    Tokens {
        input: one.input + other.input,
        cached: one.cached + other.cached,
        cache_written: one.cache_written + other.cache_written,
        output: one.output + other.output,
        reasoning: one.reasoning + other.reasoning,
    }
}

/// The usage in an SDK's words.
fn counted(usage: &Value) -> Tokens {
    let count = |value: &Value| value.as_u64().unwrap_or_default();
    if usage["prompt_tokens"].is_u64() {
        Tokens {
            input: count(&usage["prompt_tokens"]),
            cached: count(&usage["prompt_tokens_details"]["cached_tokens"]),
            cache_written: 0,
            output: count(&usage["completion_tokens"]),
            reasoning: count(&usage["completion_tokens_details"]["reasoning_tokens"]),
        }
    } else if usage["prompt_token_count"].is_u64() {
        let reasoning = count(&usage["thoughts_token_count"]);
        Tokens {
            input: count(&usage["prompt_token_count"]),
            cached: count(&usage["cached_content_token_count"]),
            cache_written: 0,
            output: count(&usage["candidates_token_count"]) + reasoning,
            reasoning,
        }
    } else if usage["inputTokens"].is_u64() {
        let (cached, cache_written) =
            (count(&usage["cacheReadInputTokens"]), count(&usage["cacheWriteInputTokens"]));
        let input = count(&usage["inputTokens"]) + cached + cache_written;
        Tokens { input, cached, cache_written, output: count(&usage["outputTokens"]), reasoning: 0 }
    } else if let Some(details) = ["input_tokens_details", "input_token_details"]
        .iter()
        .map(|key| &usage[*key])
        .find(|one| one.is_object())
    {
        let output = ["output_tokens_details", "output_token_details"].iter().map(|key| &usage[*key]);
        let reasoning = output.map(|one| count(&one["reasoning_tokens"]) + count(&one["reasoning"])).sum();
        Tokens {
            input: count(&usage["input_tokens"]),
            cached: count(&details["cached_tokens"]) + count(&details["cache_read"]),
            cache_written: 0,
            output: count(&usage["output_tokens"]),
            reasoning,
        }
    } else {
        let (cached, cache_written) =
            (count(&usage["cache_read_input_tokens"]), count(&usage["cache_creation_input_tokens"]));
        let input = count(&usage["input_tokens"]) + cached + cache_written;
        Tokens { input, cached, cache_written, output: count(&usage["output_tokens"]), reasoning: 0 }
    }
}

/// The provider that knows `key`, also as an access key of AWS.
#[must_use]
pub fn provider_with_key(key: &str) -> FakeProvider {
    FakeProvider::new().with_key(key).with_aws_key(key, AWS_SECRET)
}
