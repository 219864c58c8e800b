//! Group `decision`: a policy of 1,000 rules decides, a delegation chain is verified.

mod meaning;

use creto_authz::{AgentId, CompactChain, DelegatorKey, Link, MasterKey, Scope, VerdictCache, verify_links};
use creto_authz::{ChainVerifier, SignedLink};
use creto_call::{Call, Capture, Details, Kind, Scheme};
use creto_policy::{Document, PolicySet};
use ed25519_dalek::SigningKey;
use stats_alloc::Region;

use crate::ALLOCATOR;
use crate::report::Report;
use crate::timing::Times;

const NOW: u64 = 1_800_000_000;
const SAMPLES: usize = 400_000;

pub(crate) fn run() -> Result<(), Box<dyn std::error::Error>> {
    let mut report = Report::new("decision");
    let document = Document::parse("bench", &thousand_rules()).map_err(|problems| problems.render(false))?;
    let policy = PolicySet::compile([&document]);
    let scope = Scope::parse(&["*:*"])?;
    let hosts: Vec<String> = (0..512).map(|n| format!("host-{}.example.com", n * 2)).collect();
    let calls: Vec<Call<'_>> = hosts
        .iter()
        .enumerate()
        .map(|(n, host)| Call {
            capture: Capture::Connect,
            kind: Kind::Http,
            scheme: Scheme::Https,
            method: if n % 3 == 0 { "POST" } else { "GET" },
            host,
            port: 443,
            path: "/v1/messages/batches/42",
            details: Details::default(),
        })
        .collect();
    let decide = |run: usize| {
        let call = &calls[run % calls.len()];
        (scope.permits(call), policy.decide(call))
    };
    let times = Times::of(SAMPLES, decide);
    report.add(
        "decision.p50_ns",
        times.percentile(50.0),
        "ns",
        "scope and policy, 1,000 rules; quota comes with its issue",
    );
    report.add("decision.p99_ns", times.percentile(99.0), "ns", "same");
    report.add("decision.allocations", allocations(decide), "", "in 10,000 decisions");
    meaning::measure(&mut report)?;

    let (verifier, bytes, holder) = two_links()?;
    let times = Times::of(SAMPLES, |_| verifier.verify(&bytes, &holder, NOW, 0).is_ok());
    report.add("chain.verify2_p50_ns", times.percentile(50.0), "ns", "two links, uncached");
    report.add("chain.verify2_p99_ns", times.percentile(99.0), "ns", "two links, uncached");
    let mut cache = VerdictCache::new();
    let times = Times::of(SAMPLES, |_| cache.verify(&verifier, &bytes, &holder, NOW, 0).is_ok());
    report.add("chain.cached_p50_ns", times.percentile(50.0), "ns", "one hot chain; clock resolution 10 ns");
    report.add("chain.cached_p99_ns", times.percentile(99.0), "ns", "same");
    report.finish()
}

/// How often 10,000 decisions allocate.
fn allocations<T>(mut decide: impl FnMut(usize) -> T) -> f64 {
    let region = Region::new(ALLOCATOR);
    for run in 0..10_000 {
        std::hint::black_box(decide(run));
    }
    region.change().allocations as f64
}

/// 990 allow rules over exact hosts, wildcards, methods and paths, and 10 denies.
fn thousand_rules() -> String {
    let mut text = String::from("version = 1\nname = \"bench\"\n");
    for n in 0..990 {
        let host =
            if n % 20 == 0 { format!("*.zone-{n}.example.com") } else { format!("host-{n}.example.com") };
        text.push_str(&format!(
            "[[allow]]\nname = \"a{n}\"\nhost = \"{host}\"\nmethod = [\"GET\", \"POST\"]\npath = \"/v1/**\"\n"
        ));
    }
    for n in 0..10 {
        text.push_str(&format!(
            "[[deny]]\nname = \"d{n}\"\nhost = \"*\"\nmethod = \"DELETE\"\npath = \"/d{n}/**\"\n"
        ));
    }
    text
}

fn two_links() -> Result<(ChainVerifier, Vec<u8>, AgentId), Box<dyn std::error::Error>> {
    let keys = [1, 2, 3].map(|seed| SigningKey::from_bytes(&[seed; 32]));
    let id = |key: &SigningKey| AgentId::of_key(&key.verifying_key().to_bytes());
    let link = |from: &SigningKey, to: &SigningKey, expires_at_s| -> SignedLink {
        Link {
            delegator_id: id(from),
            agent_id: id(to),
            permissions: vec!["*:*".into()],
            audience: "default".into(),
            not_before_s: NOW - 10,
            expires_at_s,
            nonce: [expires_at_s as u8; 16],
        }
        .sign(from)
    };
    let links = [link(&keys[0], &keys[1], NOW + 1000), link(&keys[1], &keys[2], NOW + 900)];
    let known = |wanted: &AgentId| {
        keys.iter().find(|key| id(key) == *wanted).map(|key| DelegatorKey {
            public_key: key.verifying_key().to_bytes(),
            root: id(key) == id(&keys[0]),
        })
    };
    let verified = verify_links(&links, "default", NOW, known)?;
    let key = MasterKey::from_bytes([7; 32]).derive("sidecar", 1);
    let chain = CompactChain::mint(&verified, &key, 0);
    Ok((ChainVerifier::new(key), chain.as_bytes().to_vec(), id(&keys[2])))
}
