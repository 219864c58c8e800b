//! An agent whose calls are held, seen from its sidecar.

use std::fs;

use creto_client::{OperatorClient, PlaneEndpoint, SidecarClient, enroll};
use creto_proto::v1;
use ed25519_dalek::SigningKey;
use serde_json::Value;

use crate::plane::Plane;

/// Who asks.
pub(crate) struct Asker {
    client: SidecarClient,
    delegation: Vec<u8>,
}

impl Asker {
    /// The agent `payer`, which may do all, with its sidecar; policy is applied already.
    pub(crate) async fn new(plane: &Plane) -> Self {
        plane.done(&["agents", "create", "payer"]);
        let made = plane.json(&["delegate", "--to", "payer", "--permission", "*:*", "--json"]);
        let delegation = hex::decode(made["delegation_id"].as_str().unwrap()).unwrap();
        let data = plane.path("control-plane");
        let running: Value =
            serde_json::from_str(&fs::read_to_string(data.join("control-plane.json")).unwrap()).unwrap();
        let endpoint = PlaneEndpoint {
            address: running["address"].as_str().unwrap().to_owned(),
            ca_pem: fs::read_to_string(data.join("ca.pem")).unwrap(),
        };
        let token = fs::read_to_string(data.join("operator.token")).unwrap();
        let admin = OperatorClient::connect(&endpoint, &token).await.unwrap();
        let request = v1::CreateEnrollmentTokenRequest {
            namespace: "default".into(),
            agent_name: "payer".into(),
            ttl_s: 0,
        };
        let token = admin.enrollment().create_enrollment_token(request).await.unwrap().into_inner().token;
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).unwrap();
        let public_key = SigningKey::from_bytes(&seed).verifying_key().to_bytes();
        let enrolled = enroll(&endpoint, &token, public_key).await.unwrap();
        let client = SidecarClient::connect(&endpoint, &enrolled.certificate, &seed).await.unwrap();
        Self { client, delegation }
    }

    /// Asks for a call with this body; its digest is made of one byte. Gives the request's id.
    pub(crate) async fn asks(&self, digest: u8, body: &[u8], said: &str) -> String {
        let request = v1::AskApprovalRequest {
            digest: vec![digest; 32],
            policy: "payments".into(),
            rule: "transfers".into(),
            delegation_id: self.delegation.clone(),
            context: Some(v1::ApprovalContext {
                action: "POST https://bank.example/transfers".into(),
                method: "POST".into(),
                url: "https://bank.example/transfers?to=17".into(),
                headers: vec![v1::ApprovalHeader {
                    name: "content-type".into(),
                    value: b"application/json".to_vec(),
                }],
                body: body.to_vec(),
                trigger: "method POST".into(),
                risks: vec!["irreversible".into()],
                cost: String::new(),
                said_by_agent: said.into(),
            }),
        };
        self.client.approvals().ask_approval(request).await.unwrap().into_inner().id
    }

    /// Takes a use.
    pub(crate) async fn takes(&self, id: &str, digest: u8) -> Result<u32, tonic::Status> {
        let request =
            v1::TakeApprovalRequest { id: id.into(), digest: vec![digest; 32], call_id: "call-1".into() };
        Ok(self.client.approvals().take_approval(request).await?.into_inner().number)
    }
}
