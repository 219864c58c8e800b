//! A provider with a sidecar in front of it, and without one.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;

use creto_test_clients::{Beside, ModelAccess, ModelSdk};
use creto_test_support::{
    Detached, FakeProvider, UPSTREAM_NAME, Upstream, UpstreamBuilder, agent_environment,
    ensure_upstream_name, write_bundle,
};
use serde_json::json;
use tempfile::TempDir;

/// What the provider takes: a key, or the name of one and its secret.
pub(crate) const KEY: &str = "AKIDREALKEYOFCRETO01";
pub(crate) const AWS_SECRET: &str = "the/real+secret/of+a/key/of/40+characters";
/// What the program has instead.
pub(crate) const PLACEHOLDER: &str = "creto-placeholder-real";

/// A provider, and a sidecar that has its key.
pub(crate) struct Through {
    pub(crate) provider: FakeProvider,
    /// As the program has it.
    pub(crate) access: ModelAccess,
    pub(crate) beside: Beside,
    pub(crate) upstream: Upstream,
    _folder: TempDir,
}

impl Through {
    pub(crate) async fn start(sdk: ModelSdk) -> Self {
        Self::with(sdk, credential(sdk), PLACEHOLDER).await
    }

    /// With a credential's lines, or none; and the key that the program has.
    pub(crate) async fn with(sdk: ModelSdk, credential: &str, key: &str) -> Self {
        let provider = provider();
        let upstream = provider.on(Upstream::builder());
        Self::before(sdk, provider, upstream, credential, key).await
    }

    /// Before an upstream that is none of the provider's, with the SDK's credential.
    pub(crate) async fn before_another(sdk: ModelSdk, upstream: UpstreamBuilder) -> Self {
        Self::before(sdk, provider(), upstream, credential(sdk), PLACEHOLDER).await
    }

    async fn before(
        sdk: ModelSdk,
        provider: FakeProvider,
        upstream: UpstreamBuilder,
        credential: &str,
        key: &str,
    ) -> Self {
        let upstream = start(upstream).await;
        let folder = tempfile::tempdir().unwrap();
        let secret = folder.path().join("secret");
        let aws = json!({"access_key_id": KEY, "secret_access_key": AWS_SECRET}).to_string();
        std::fs::write(&secret, if sdk == ModelSdk::Boto3Bedrock { &aws } else { KEY }).unwrap();
        std::fs::set_permissions(&secret, Permissions::from_mode(0o600)).unwrap();
        let place = format!("host = \"{UPSTREAM_NAME}\"\nport = {}\n", upstream.port());
        let mut policy = policy(api(sdk), &place);
        if !credential.is_empty() {
            let from = format!("from = {{ file = \"{}\" }}\n", secret.display());
            policy += &format!("[[credential]]\nname = \"real\"\n{place}{credential}{from}");
        }
        let beside = Beside::start(Detached::policy(policy).trusting(upstream.ca_pem())).await;
        let access = ModelAccess {
            base: base(&upstream),
            key: key.to_owned(),
            variables: beside.environment().to_vec(),
        };
        Self { provider, access, beside, upstream, _folder: folder }
    }
}

/// The same provider without a sidecar.
pub(crate) struct Direct {
    pub(crate) provider: FakeProvider,
    pub(crate) access: ModelAccess,
    _upstream: Upstream,
    _folder: TempDir,
}

impl Direct {
    pub(crate) async fn start() -> Self {
        let provider = provider();
        let upstream = start(provider.on(Upstream::builder())).await;
        let folder = tempfile::tempdir().unwrap();
        let (ca, bundle) = (folder.path().join("ca.pem"), folder.path().join("bundle.pem"));
        std::fs::write(&ca, upstream.ca_pem()).unwrap();
        write_bundle(&ca, &bundle);
        let variables = agent_environment("", &ca, &bundle)
            .into_iter()
            .filter(|(name, _)| !name.to_lowercase().ends_with("proxy"))
            .collect();
        let access = ModelAccess { base: base(&upstream), key: KEY.to_owned(), variables };
        Self { provider, access, _upstream: upstream, _folder: folder }
    }
}

fn provider() -> FakeProvider {
    FakeProvider::new().with_key(KEY).with_aws_key(KEY, AWS_SECRET)
}

async fn start(upstream: UpstreamBuilder) -> Upstream {
    ensure_upstream_name();
    upstream.name(UPSTREAM_NAME).start().await
}

fn base(upstream: &Upstream) -> String {
    upstream.url("").replacen("localhost", UPSTREAM_NAME, 1)
}

/// One destination that speaks one API.
fn policy(api: &str, place: &str) -> String {
    format!(
        r#"
version = 1
name = "through"

[[provider]]
name = "fake"
api = "{api}"
{place}
[[allow]]
name = "models"
private = true
provider = "fake"
model = ["gpt-*", "text-embedding-*", "claude-*", "gemini-*", "anthropic.*"]
{place}
[[allow]]
name = "list"
private = true
method = "GET"
path = "/v1/models"
{place}
[[deny]]
name = "forbidden"
host = "*"
port = "any"
model = "*forbidden*"

"#
    )
}

pub(crate) fn api(sdk: ModelSdk) -> &'static str {
    match sdk {
        ModelSdk::OpenAi | ModelSdk::LangChainOpenAi | ModelSdk::LiteLlm | ModelSdk::NodeOpenAi => "openai",
        ModelSdk::AzureOpenAi => "azure-openai",
        ModelSdk::Anthropic | ModelSdk::NodeAnthropic => "anthropic",
        ModelSdk::GoogleGenAi => "gemini",
        ModelSdk::Boto3Bedrock => "bedrock",
    }
}

fn credential(sdk: ModelSdk) -> &'static str {
    match api(sdk) {
        "openai" => "type = \"bearer\"\n",
        "azure-openai" => "type = \"header\"\nheader = \"api-key\"\n",
        "anthropic" => "type = \"header\"\nheader = \"x-api-key\"\n",
        "gemini" => "type = \"header\"\nheader = \"x-goog-api-key\"\n",
        _ => "type = \"aws-sigv4\"\nregion = \"us-east-1\"\nservice = \"bedrock\"\n",
    }
}
