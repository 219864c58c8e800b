//! Clients as they come from their registries, with the timeouts they come with, whose calls wait for people: approved in
//! time they complete; later they are told so in their own words, and the same call completes when it is made again.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is a test's failure report")]

use std::time::Duration;

use creto_test_clients::{
    Installation, ModelAccess, ModelSdk, Program, node_program, provider_with_key, python_program,
};
use creto_test_support::{Approver, FakeMcp, Plane, Sidecar, UPSTREAM_NAME, Upstream, ensure_upstream_name};
use futures::future::join_all;
use serde_json::Value;

const KEY: &str = "AKIDCRETOREALKEY0001";

/// A system with a person, and a policy that holds all that its `[[hold]]` lines are about.
struct Scene {
    plane: Plane,
    sidecar: Sidecar,
    alice: Approver,
    port: u16,
    /// Services and the hold's own lines.
    services: String,
    hold: String,
}

impl Scene {
    async fn set(port: u16, ca_pem: &str, services: &str, hold: &str) -> Self {
        let plane = Plane::start().await;
        let alice = plane.approver("alice").await;
        let agent = plane.trusted_agent("caller").await;
        let scene = (services.to_owned(), hold.to_owned());
        plane.apply_policy(&policy(port, services, hold, 50)).await;
        let sidecar = plane.sidecar(&agent).upstream_ca(ca_pem).start().await;
        Self { plane, sidecar, alice, port, services: scene.0, hold: scene.1 }
    }

    /// From now on a call is held open for so many seconds.
    async fn waits(&self, seconds: u32) {
        self.plane.apply_policy(&policy(self.port, &self.services, &self.hold, seconds)).await;
    }

    async fn approves(&self, count: usize) {
        for asked in self.alice.waits_for(count).await {
            self.alice.approves(&asked).await;
        }
    }
}

fn policy(port: u16, services: &str, hold: &str, inline: u32) -> String {
    let place = format!("host = \"{UPSTREAM_NAME}\"\nport = {port}\n");
    format!(
        "version = 1\nname = \"p\"\n{}\n[[allow]]\nname = \"all\"\n{place}private = true\n\
         [[hold]]\nname = \"held\"\n{place}{hold}approvers = [\"alice\"]\nwait = \"1h\"\ninline = \"{inline}s\"\n",
        services.replace("PLACE", &place)
    )
}

/// A chat by two SDKs at once: each asks another model, so that each is a call of its own.
async fn chats(sdks: [(ModelSdk, &str); 2], access: &ModelAccess) -> Vec<Value> {
    let each = sdks
        .map(|(sdk, model)| async move { sdk.run(access, &["chat"], &[("MODEL", model)]).await.remove(0) });
    join_all(each).await
}

async fn models_wait(api: &str, sdks: [(ModelSdk, &str); 2]) {
    ensure_upstream_name();
    let provider = provider_with_key(KEY);
    let upstream = provider.on(Upstream::builder().name(UPSTREAM_NAME)).start().await;
    let services = format!("[[provider]]\nname = \"{api}\"\nPLACEapi = \"{api}\"\n");
    let scene = Scene::set(upstream.port(), upstream.ca_pem(), &services, "").await;
    let access = ModelAccess {
        base: format!("https://{UPSTREAM_NAME}:{}", upstream.port()),
        key: KEY.to_owned(),
        variables: scene.sidecar.agent_environment(),
    };

    // Approved while the client waits, as long as people may need: it knows of nothing.
    let approved_late = async {
        let open = scene.alice.waits_for(2).await;
        tokio::time::sleep(Duration::from_secs(12)).await;
        for asked in open {
            scene.alice.approves(&asked).await;
        }
    };
    let (answers, ()) = tokio::join!(chats(sdks, &access), approved_late);
    for answer in &answers {
        assert!(answer["error"].is_null(), "{answer}");
        assert!(answer["text"].as_str().unwrap().starts_with("You said:"), "{answer}");
    }
    assert_eq!(provider.calls().len(), 2);

    // Not approved in time: the SDK tries again by itself, which waits on, and then says why in its own words.
    scene.waits(1).await;
    for answer in chats(sdks, &access).await {
        assert_eq!(
            (&answer["error"], &answer["status"]),
            (&"PermissionDeniedError".into(), &403.into()),
            "{answer}"
        );
        assert!(answer.to_string().contains("approval_pending"), "{answer}");
    }
    assert_eq!(provider.calls().len(), 2, "nothing left");
    scene.approves(2).await;
    for answer in chats(sdks, &access).await {
        assert!(answer["error"].is_null(), "{answer}");
    }
    assert_eq!(provider.calls().len(), 4, "each once");
}

#[tokio::test]
async fn openai_sdks_wait_for_people() {
    models_wait("openai", [(ModelSdk::OpenAi, "gpt-4o"), (ModelSdk::NodeOpenAi, "gpt-4o-mini")]).await;
}

#[tokio::test]
async fn anthropic_sdks_wait_for_people() {
    let sdks = [(ModelSdk::Anthropic, "claude-sonnet-4-5"), (ModelSdk::NodeAnthropic, "claude-haiku-4-5")];
    models_wait("anthropic", sdks).await;
}

#[tokio::test]
async fn mcp_clients_wait_for_people() {
    ensure_upstream_name();
    let server = FakeMcp::start().await;
    let services = "[[mcp_server]]\nname = \"tickets\"\nPLACEpath = \"/mcp\"\n";
    let hold = "mcp_server = \"tickets\"\ntool = [\"add\"]\n";
    let ca_pem = server.upstream().ca_pem().to_owned();
    let scene = Scene::set(server.port(), &ca_pem, services, hold).await;
    let environment = scene.sidecar.agent_environment();
    let clients: [(Program, &str); 3] = [
        (python_program("with_mcp"), r#"{"a": 1, "b": 1}"#),
        (python_program("with_mcp").env("MODE", "legacy"), r#"{"a": 1, "b": 2}"#),
        (node_program(&Installation::get().node24(), "with_mcp"), r#"{"a": 1, "b": 3}"#),
    ];
    let url = server.url();
    let call = |(program, arguments): &(Program, &str)| {
        let program = program.clone().env("URL", &url).args(&["call", "add", arguments]);
        let environment = environment.clone();
        async move { program.run(&environment).await.json() }
    };
    let sums = ["2", "3", "4"];

    let approved_late = async {
        let open = scene.alice.waits_for(3).await;
        tokio::time::sleep(Duration::from_secs(8)).await;
        for asked in open {
            scene.alice.approves(&asked).await;
        }
    };
    let (answers, ()) = tokio::join!(join_all(clients.iter().map(call)), approved_late);
    for (answer, sum) in answers.iter().zip(sums) {
        assert_eq!(
            (&answer["call"]["text"], &answer["call"]["failed"]),
            (&sum.into(), &false.into()),
            "{answer}"
        );
    }
    assert_eq!(server.calls_of("add"), 3);

    scene.waits(1).await;
    for answer in join_all(clients.iter().map(call)).await {
        // A result, so that the model reads it and goes on with something else.
        assert_eq!(answer["call"]["failed"], true, "{answer}");
        assert!(answer["call"]["text"].as_str().unwrap().contains("[creto: approval_pending"), "{answer}");
    }
    assert_eq!(server.calls_of("add"), 3, "nothing left");
    scene.approves(3).await;
    // Another session, another id of the message: the same call all the same.
    for (answer, sum) in join_all(clients.iter().map(call)).await.iter().zip(sums) {
        assert_eq!(
            (&answer["call"]["text"], &answer["call"]["failed"]),
            (&sum.into(), &false.into()),
            "{answer}"
        );
    }
    assert_eq!(server.calls_of("add"), 6);
}
