//! Delegation: a chain of links checked, each link narrower in time than the one before it.

use std::time::Duration;

use biscuit_auth::builder::BlockBuilder;
use biscuit_auth::{AuthorizerBuilder, AuthorizerLimits, Biscuit, KeyPair};
use creto_authz::{
    AgentId, ChainVerifier, CompactChain, DelegatorKey, Link, MasterKey, SignedLink, verify_links,
};
use ed25519_dalek::SigningKey;

use crate::Outcome;
use crate::subject::Subject;
use crate::versions::version;

const NOW: u64 = 1_800_000_000;
const AUDIENCE: &str = "default";
/// Longest time that the authorizer of Biscuit takes: its own 1 ms is too short for a machine with company.
const LONGEST: Duration = Duration::from_secs(1);

/// Everything measured of chains of so many links.
///
/// # Errors
/// When a chain does not hold, or one that is changed does.
pub(crate) fn subjects(links: u8) -> Outcome<Vec<Subject>> {
    let [compact, signed] = ours(links)?;
    let [verified, authorized] = biscuit(links)?;
    Ok(vec![compact, signed, verified, authorized])
}

fn ours(links: u8) -> Outcome<[Subject; 2]> {
    let keys: Vec<SigningKey> = (1..=links + 1).map(|n| SigningKey::from_bytes(&[n; 32])).collect();
    let ids: Vec<AgentId> = keys.iter().map(|key| AgentId::of_key(&key.verifying_key().to_bytes())).collect();
    let known: Vec<DelegatorKey> = keys
        .iter()
        .enumerate()
        .map(|(n, key)| DelegatorKey { public_key: key.verifying_key().to_bytes(), root: n == 0 })
        .collect();
    let chain: Vec<SignedLink> = (0..usize::from(links))
        .map(|n| {
            Link {
                delegator_id: ids[n],
                agent_id: ids[n + 1],
                permissions: vec!["get:api.github.com".into()],
                audience: AUDIENCE.into(),
                not_before_s: NOW - 10,
                expires_at_s: NOW + 1000 - n as u64,
                nonce: [n as u8; 16],
            }
            .sign(&keys[n])
        })
        .collect();
    let holder = ids[usize::from(links)];
    let find = move |id: &AgentId| {
        let at = ids.iter().position(|known| known == id)?;
        Some(DelegatorKey { public_key: known[at].public_key, root: known[at].root })
    };
    let delegation = verify_links(&chain, AUDIENCE, NOW, &find)?;
    let key = MasterKey::from_bytes([7; 32]).derive("sidecar", 1);
    let bytes = CompactChain::mint(&delegation, &key, 0).as_bytes().to_vec();
    let verifier = ChainVerifier::new(key);
    let holds = move |bytes: &[u8]| verifier.verify(bytes, &holder, NOW, 0).is_ok();
    held(&bytes, &holds)?;
    let size = bytes.len();
    Ok([
        Subject::new(
            &format!("creto.chain_{links}"),
            &format!("compact, one HMAC under the sidecar's key, uncached; {size} bytes"),
            move |_| holds(&bytes),
        ),
        Subject::new(
            &format!("creto_signed.chain_{links}"),
            "the signed links it is minted from, an Ed25519 signature each: once a chain, not once a call",
            move |_| verify_links(&chain, AUDIENCE, NOW, &find).is_ok(),
        ),
    ])
}

fn biscuit(links: u8) -> Outcome<[Subject; 2]> {
    let root = KeyPair::new();
    let mut token = Biscuit::builder()
        .code(r#"right("get", "api.github.com"); check if time($t), $t < 2027-01-15T09:00:00Z;"#)?
        .build(&root)?;
    for _ in 1..links {
        let narrower = r#"check if operation("get"); check if time($t), $t < 2027-01-15T08:30:00Z;"#;
        token = token.append(BlockBuilder::new().code(narrower)?)?;
    }
    let bytes = token.to_vec()?;
    let public = root.public();
    held(&bytes, &|bytes: &[u8]| Biscuit::from(bytes, public).is_ok())?;
    let limits = AuthorizerLimits { max_time: LONGEST, ..AuthorizerLimits::default() };
    let authorizer = |operation: &str| {
        let code = format!(
            "time(2027-01-15T08:00:00Z); operation(\"{operation}\"); resource(\"api.github.com\"); \
             allow if right($o, $r), operation($o), resource($r);"
        );
        Ok::<_, biscuit_auth::error::Token>(AuthorizerBuilder::new().code(code)?.set_limits(limits.clone()))
    };
    let authorized = move |bytes: &[u8], policy: &AuthorizerBuilder| {
        let Ok(token) = Biscuit::from(bytes, public) else { return false };
        policy.clone().build(&token).is_ok_and(|mut authorizer| authorizer.authorize().is_ok())
    };
    let (get, put) = (authorizer("get")?, authorizer("put")?);
    if !authorized(&bytes, &get) || authorized(&bytes, &put) {
        return Err("biscuit: authorizes what it must not, or not what it must".into());
    }
    let version = version("biscuit-auth");
    let size = bytes.len();
    let other = bytes.clone();
    Ok([
        Subject::new(
            &format!("biscuit.chain_{links}"),
            &format!("biscuit-auth {version}: parsed, an Ed25519 signature a block verified; {size} bytes"),
            move |_| Biscuit::from(&bytes, public).is_ok(),
        ),
        Subject::new(
            &format!("biscuit_authorized.chain_{links}"),
            &format!(
                "biscuit-auth {version}: the same, then its checks and a policy of one line by its Datalog"
            ),
            move |_| authorized(&other, &get),
        ),
    ])
}

/// Whether the chain holds, and none that has a bit changed in its last bytes.
fn held(bytes: &[u8], holds: &dyn Fn(&[u8]) -> bool) -> Outcome<()> {
    let mut changed = bytes.to_vec();
    if let Some(last) = changed.last_mut() {
        *last ^= 1;
    }
    if holds(bytes) && !holds(&changed) { Ok(()) } else { Err("a chain is not checked".into()) }
}
