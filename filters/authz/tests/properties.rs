//! What holds for every delegation and for every order of events, on generated ones.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is a test's failure report")]
#![forbid(unsafe_code)]

use std::sync::{Arc, LazyLock};

use creto_authz::{
    AgentId, ChainError, ChainKey, ChainVerifier, CompactChain, DelegatorKey, Link, LinkError, MasterKey,
    Permission, SharedVerdicts, VerdictCache, VerifiedDelegation, verify_links,
};
use creto_call::{Call, Capture, Details, Kind, Scheme};
use ed25519_dalek::SigningKey;
use proptest::{collection::vec, prelude::*, sample::select};

const NOW: u64 = 1_800_000_000;

/// Keys of agents 1 to 9 and their ids.
static AGENTS: LazyLock<Vec<(SigningKey, AgentId)>> = LazyLock::new(|| {
    let agent = |n| {
        let key = SigningKey::from_bytes(&[n; 32]);
        let id = AgentId::of_key(&key.verifying_key().to_bytes());
        (key, id)
    };
    (1..=9).map(agent).collect()
});

fn id(n: usize) -> AgentId {
    AGENTS[n - 1].1
}

/// Links from agent 1 on: what each permits and when it ends.
fn delegate(links: &[(Vec<String>, u64)]) -> Result<VerifiedDelegation, LinkError> {
    let signed: Vec<_> = links
        .iter()
        .enumerate()
        .map(|(at, (permissions, expires_at_s))| {
            Link {
                delegator_id: AGENTS[at].1,
                agent_id: AGENTS[at + 1].1,
                permissions: permissions.clone(),
                audience: "default".into(),
                not_before_s: NOW - 10,
                expires_at_s: *expires_at_s,
                nonce: [at as u8; 16],
            }
            .sign(&AGENTS[at].0)
        })
        .collect();
    verify_links(&signed, "default", NOW, |wanted| {
        AGENTS
            .iter()
            .position(|(_, id)| id == wanted)
            .map(|at| DelegatorKey { public_key: AGENTS[at].0.verifying_key().to_bytes(), root: at == 0 })
    })
}

fn one_permission() -> impl Strategy<Value = Option<String>> {
    let verb = select(vec!["*", "get", "post", "connect"]);
    let host = select(vec!["*", "*.b", "*.a.b", "a.b", "x.a.b"]);
    let path = select(vec!["", "", "/**", "/p/**", "/p/*", "/p", "/p/q", "/*/q", "/p/q/**", "/p*"]);
    (verb, host, path).prop_map(|(verb, host, path)| {
        let text = format!("{verb}:{host}{path}");
        Permission::parse(&text).is_ok().then_some(text)
    })
}

fn permissions() -> impl Strategy<Value = Vec<String>> {
    vec(one_permission(), 1..4).prop_filter_map("at least one", |permissions| {
        let mut permissions: Vec<String> = permissions.into_iter().flatten().collect();
        permissions.sort_unstable();
        permissions.dedup();
        (!permissions.is_empty()).then_some(permissions)
    })
}

/// Links that mostly narrow: each takes some of the permissions of the one before it, or others.
fn links() -> impl Strategy<Value = Vec<(Vec<String>, u64)>> {
    let start = prop_oneof![permissions(), Just(vec!["*:*".to_owned()])];
    let step = (permissions(), any::<prop::sample::Index>(), 0_u8..4, 0_u64..3);
    (start, vec(step, 0..7)).prop_map(|(start, steps)| {
        let mut links = vec![(start, NOW + 100)];
        for (others, picked, kind, shorter) in steps {
            let (before, expires_at_s) = links[links.len() - 1].clone();
            let permissions = match kind {
                0 => others,
                1 => before,
                _ => vec![before[picked.index(before.len())].clone()],
            };
            links.push((permissions, expires_at_s + 1 - shorter));
        }
        links
    })
}

fn call<'a>(method: &'a str, host: &'a str, path: &'a str) -> Call<'a> {
    Call {
        capture: Capture::Connect,
        kind: if method.is_empty() { Kind::Opaque } else { Kind::Http },
        scheme: Scheme::Https,
        method,
        host,
        port: 443,
        path,
        details: Details::default(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn what_a_chain_permits_at_its_end_every_link_before_permits(
        links in links(),
        paths in vec("/[pq/.%2f*]{0,6}", 12),
    ) {
        let Ok(delegation) = delegate(&links) else { return Ok(()) };
        for earlier in delegation.links() {
            prop_assert!(delegation.expires_at_s() <= earlier.expires_at_s);
            for path in paths.iter().map(String::as_str).chain(["/", "/p", "/p/q", "/p/q/p", "/q/q"]) {
                for method in ["GET", "POST", "PURGE", ""] {
                    for host in ["a.b", "x.a.b", "y.x.a.b", "c.b", "d.e"] {
                        let call = call(method, host, path);
                        prop_assert!(
                            !delegation.scope().permits(&call) || earlier.scope.permits(&call),
                            "{:?} from {:?}", call, links
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn a_chain_holds_for_the_sidecar_and_the_key_it_was_minted_for_and_for_no_other(
        links in 1_usize..=8,
        masters in proptest::array::uniform2(0_u8..3),
        sidecars in proptest::array::uniform2(select(vec!["a", "b", "ab", "a\0", ""])),
        ids in proptest::array::uniform2(0_u32..3),
    ) {
        let key = |at: usize| MasterKey::from_bytes([masters[at]; 32]).derive(sidecars[at], ids[at]);
        let delegation = narrowing(links);
        let chain = CompactChain::mint(&delegation, &key(0), 0);
        let same = (masters[0], sidecars[0], ids[0]) == (masters[1], sidecars[1], ids[1]);
        let verdict = ChainVerifier::new(key(1)).verify(chain.as_bytes(), delegation.holder(), NOW, 0);
        let expected = match (same, ids[0] == ids[1]) {
            (true, _) => Ok(()),
            (false, true) => Err(ChainError::Tag),
            (false, false) => Err(ChainError::KeyId),
        };
        prop_assert_eq!(verdict.map(drop), expected);
    }
}

/// A delegation of this many links; the last ends first, soon after now.
fn narrowing(links: usize) -> VerifiedDelegation {
    static ALL: LazyLock<Vec<VerifiedDelegation>> = LazyLock::new(|| {
        let links: Vec<_> = (1..=8).map(|n| (vec!["*:*".to_owned()], NOW + 1000 - 110 * n)).collect();
        (1..=8).map(|count| delegate(&links[..count]).unwrap()).collect()
    });
    ALL[links - 1].clone()
}

/// What happens to a sidecar.
#[derive(Clone, Debug)]
enum Event {
    /// A thread is shown a chain by an agent.
    Show { thread: usize, chain: usize, stranger: bool, damaged: bool },
    /// The clock goes on, or is set back.
    Clock(i64),
    /// The control plane raises the lowest accepted epoch; an older bundle may have a lower one.
    Epoch(u32),
    /// The keys with these ids are in use from now on.
    Keys(Vec<u32>),
}

fn event() -> impl Strategy<Value = Event> {
    let keys = select(vec![vec![1], vec![2, 1], vec![2], vec![3, 2, 1], vec![3], vec![1, 3]]);
    prop_oneof![
        12 => (0_usize..3, 0_usize..CHAINS, prop::bool::weighted(0.1), prop::bool::weighted(0.1))
            .prop_map(|(thread, chain, stranger, damaged)| Event::Show { thread, chain, stranger, damaged }),
        2 => (-400_i64..400).prop_map(Event::Clock),
        1 => (0_u32..3).prop_map(Event::Epoch),
        1 => keys.prop_map(Event::Keys),
    ]
}

/// Chains of 1 to 8 links, in epochs 0 to 2, under keys 1 to 3.
const CHAINS: usize = 24;

fn key(id: u32) -> ChainKey {
    MasterKey::from_bytes([3; 32]).derive("a", id)
}

static MINTED: LazyLock<Vec<CompactChain>> = LazyLock::new(|| {
    let mint = |at: usize| CompactChain::mint(&narrowing(at % 8 + 1), &key(at as u32 / 8 + 1), at as u32 % 3);
    (0..CHAINS).map(mint).collect()
});

fn verifier(ids: &[u32]) -> ChainVerifier {
    let (first, older) = ids.split_first().unwrap();
    older.iter().fold(ChainVerifier::new(key(*first)), |verifier, id| verifier.with_previous(key(*id)))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_remembered_verdict_is_the_one_a_full_check_would_give(
        entries in select(vec![4_usize, 8, 64]),
        events in vec(event(), 1..400),
    ) {
        let shared = Arc::new(SharedVerdicts::new(entries));
        // Two threads share, one remembers for itself.
        let mut threads = [
            VerdictCache::shared(Arc::clone(&shared)),
            VerdictCache::shared(shared),
            VerdictCache::new(),
        ];
        let (mut now_s, mut min_epoch, mut in_use) = (NOW, 0, verifier(&[1]));
        for event in events {
            match event {
                Event::Clock(seconds) => now_s = now_s.saturating_add_signed(seconds),
                Event::Epoch(epoch) => min_epoch = epoch,
                Event::Keys(ids) => in_use = verifier(&ids),
                Event::Show { thread, chain, stranger, damaged } => {
                    let mut bytes = MINTED[chain].as_bytes().to_vec();
                    if damaged {
                        *bytes.last_mut().unwrap() ^= 1;
                    }
                    let holder = if stranger { id(1) } else { id(chain % 8 + 2) };
                    let full = in_use.verify(&bytes, &holder, now_s, min_epoch);
                    let remembered = threads[thread].verify(&in_use, &bytes, &holder, now_s, min_epoch);
                    prop_assert_eq!(remembered, full);
                }
            }
        }
    }
}
