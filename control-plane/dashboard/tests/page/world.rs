//! A page with people and calls that wait for them, and a browser without scripts.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::{SystemTime, UNIX_EPOCH};

use creto_approvals::{ApprovalDesk, Ask, Context, Header, Payload, RequestStore};
use creto_dashboard::people::{PeopleDesk, Role};
use creto_dashboard::{Dashboard, DashboardOptions};
use creto_oversight::{ActionDigest, ApprovalSigner, Panel, Person, Quorum, RequestId, Tier};
use http::{HeaderMap, Method, Request, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::TokioIo;
use tempfile::TempDir;
use tokio::net::TcpStream;

pub(crate) const PASSWORD: &str = "correct horse battery";
pub(crate) const MINUTE: u64 = 60_000;

pub(crate) fn now() -> u64 {
    u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap()
}

pub(crate) fn person(name: &str) -> Person {
    name.parse().unwrap()
}

/// A page over a desk, with accounts: bob, carol and dave approve, vera looks, root is an admin, alice asks.
pub(crate) struct World {
    pub(crate) desk: ApprovalDesk,
    pub(crate) people: PeopleDesk,
    pub(crate) dashboard: Dashboard,
    pub(crate) folder: TempDir,
}

impl World {
    pub(crate) async fn start() -> Self {
        Self::behind(None).await
    }

    pub(crate) async fn behind(url: Option<&str>) -> Self {
        let folder = TempDir::new().unwrap();
        let store = RequestStore::sqlite(&folder.path().join("approvals.db")).await.unwrap();
        let desk = ApprovalDesk::new(store, ApprovalSigner::from_seed(&[5; 32]));
        let people = PeopleDesk::sqlite(&folder.path().join("people.db")).await.unwrap();
        for (name, role) in [
            ("bob", Role::Approver),
            ("carol", Role::Approver),
            ("dave", Role::Approver),
            ("alice", Role::Approver),
            ("erin", Role::Approver),
            ("vera", Role::Viewer),
            ("root", Role::Admin),
        ] {
            people.add("default", &person(name), role, PASSWORD, now()).await.unwrap();
        }
        let options =
            DashboardOptions { listen: "127.0.0.1:0".parse().unwrap(), url: url.map(str::to_owned) };
        let dashboard = Dashboard::start(&options, desk.clone(), people.clone()).await.unwrap();
        Self { desk, people, dashboard, folder }
    }

    pub(crate) fn browser(&self) -> Browser {
        Browser::new(self.dashboard.address())
    }

    /// A browser in which somebody is signed in.
    pub(crate) async fn signed_in(&self, name: &str) -> Browser {
        let mut browser = self.browser();
        let answer = browser.sign_in("default", name, PASSWORD).await;
        assert_eq!((answer.status, answer.location()), (StatusCode::SEE_OTHER, "/"), "{}", answer.text);
        browser
    }

    pub(crate) async fn ask(&self, digest: u8) -> RequestId {
        self.desk.ask(ask(digest), now()).await.unwrap().kept.id()
    }

    pub(crate) async fn word(&self, id: RequestId) -> String {
        self.desk.get("default", id).await.unwrap().status.word().to_owned()
    }
}

/// A call whose digest is made of one byte, decided by bob or carol, then by dave; asked for by alice.
pub(crate) fn ask(digest: u8) -> Ask {
    let tier = |names: &[&str]| Tier {
        people: names.iter().map(|name| person(name)).collect(),
        quorum: Quorum::Any,
        wait_ms: 10 * MINUTE,
    };
    Ask {
        namespace: "default".to_owned(),
        agent: "payer".to_owned(),
        digest: ActionDigest([digest; 32]),
        policy: "payments".to_owned(),
        rule: "transfers".to_owned(),
        panel: Panel::new(vec![tier(&["bob", "carol"]), tier(&["dave"])]).unwrap(),
        excluded: BTreeSet::from([person("alice")]),
        most_uses: 3,
        most_ms: 60 * MINUTE,
        context: Context {
            action: "POST https://bank.example/transfers".to_owned(),
            method: "POST".to_owned(),
            url: "https://bank.example/transfers?dry_run=false".to_owned(),
            headers: vec![Header { name: "content-type".to_owned(), value: "application/json".to_owned() }],
            body: Payload::Text("{\"amount\":100,\"to\":\"CH93\"}".to_owned()),
            trigger: "rule `transfers` holds every transfer".to_owned(),
            risks: vec!["money moves, and does not come back".to_owned()],
            cost: "100.00 CHF".to_owned(),
            delegation: vec!["alice".to_owned(), "payer".to_owned()],
            said_by_agent: Some("The invoice is due today.".to_owned()),
        },
        delegation: "ab".repeat(32),
    }
}

pub(crate) fn digest(byte: u8) -> String {
    ActionDigest([byte; 32]).to_string()
}

/// A browser without scripts: keeps cookies, says where its forms come from, follows nothing by itself.
#[derive(Clone)]
pub(crate) struct Browser {
    pub(crate) address: SocketAddr,
    pub(crate) cookies: BTreeMap<String, String>,
    /// On every request, instead of what a browser would send.
    pub(crate) headers: BTreeMap<&'static str, String>,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn location(&self) -> &str {
        self.headers.get(header::LOCATION).map_or("", |value| value.to_str().unwrap())
    }

    /// The token of the page's forms.
    pub(crate) fn token(&self) -> String {
        let (_, after) = self.text.split_once("name=\"token\" value=\"").expect("the page has a form");
        after[..64].to_owned()
    }
}

impl Browser {
    pub(crate) fn new(address: SocketAddr) -> Self {
        Self { address, cookies: BTreeMap::new(), headers: BTreeMap::new() }
    }

    pub(crate) async fn send(&mut self, method: Method, path: &str, form: Option<&[(&str, &str)]>) -> Answer {
        let mut headers = BTreeMap::from([("host", self.address.to_string())]);
        if !self.cookies.is_empty() {
            let pairs: Vec<String> =
                self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
            headers.insert("cookie", pairs.join("; "));
        }
        let mut body = String::new();
        if let Some(form) = form {
            headers.insert("content-type", "application/x-www-form-urlencoded".to_owned());
            // As browsers do on a page that sends no referrer.
            headers.insert("origin", "null".to_owned());
            headers.insert("sec-fetch-site", "same-origin".to_owned());
            body = form_urlencoded::Serializer::new(body).extend_pairs(form).finish();
        }
        headers.extend(self.headers.clone());
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers.iter().filter(|(_, value)| !value.is_empty()) {
            request = request.header(*name, value);
        }
        let stream = TcpStream::connect(self.address).await.unwrap();
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        let answer = sender
            .send_request(request.body(Full::<bytes::Bytes>::new(body.into_bytes().into())).unwrap())
            .await
            .unwrap();
        let (parts, body) = answer.into_parts();
        for set in parts.headers.get_all(header::SET_COOKIE) {
            let pair = set.to_str().unwrap().split(';').next().unwrap();
            match pair.split_once('=').unwrap() {
                (name, "") => drop(self.cookies.remove(name)),
                (name, value) => drop(self.cookies.insert(name.to_owned(), value.to_owned())),
            }
        }
        let text = String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap();
        Answer { status: parts.status, headers: parts.headers, text }
    }

    pub(crate) async fn get(&mut self, path: &str) -> Answer {
        self.send(Method::GET, path, None).await
    }

    pub(crate) async fn post(&mut self, path: &str, form: &[(&str, &str)]) -> Answer {
        self.send(Method::POST, path, Some(form)).await
    }

    pub(crate) async fn sign_in(&mut self, namespace: &str, name: &str, password: &str) -> Answer {
        let token = self.get("/sign-in").await.token();
        let form =
            [("token", token.as_str()), ("namespace", namespace), ("name", name), ("password", password)];
        self.post("/sign-in", &form).await
    }

    /// Loads a request's page and sends one of its forms.
    pub(crate) async fn step(&mut self, id: RequestId, step: &str, more: &[(&str, &str)]) -> Answer {
        let token = self.get(&format!("/approvals/{id}")).await.token();
        let mut form = vec![("token", token.as_str())];
        form.extend_from_slice(more);
        self.post(&format!("/approvals/{id}/{step}"), &form).await
    }
}
