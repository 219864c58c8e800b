//! Makes the vectors: chains put together byte by byte, their tags by the `hmac` crate.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use crate::document::{Document, Expected, Holds, Key, Vector};
use creto_authz::MasterKey;

const NOW: u64 = 1_800_000_000;
const EPOCH: u32 = 5;
const DESCRIPTION: [&str; 11] = [
    "A compact chain is a header, 1 to 8 links and a tag. Numbers are big-endian.",
    "header: version (1 byte, 1), algorithm (1 byte, 1 = HMAC-SHA256), number of links (1 byte), zero (1 byte), key id (4 bytes), revocation epoch (4 bytes), zero (4 bytes).",
    "link: first 20 bytes of the holder's agent id, scope digest (20 bytes), end in seconds since the Unix epoch (8 bytes).",
    "tag: HMAC-SHA256 over header and links, 32 bytes, under the key of the id in the header.",
    "A key is HKDF-SHA256 (RFC 5869) of the master, without salt, info = 'creto-chain-key-v1', key id (4 bytes), sidecar id; 32 bytes.",
    "Checks, in this order; the first that fails is the error. length: 48 bytes and 48 for each of 1 to 8 links.",
    "key_id: the id is of a key in use. tag: it holds, compared in constant time.",
    "version: 1, and all zeros are zero. algorithm: 1. length: the number of links is the real one.",
    "revoked: the epoch is not below the lowest accepted one. widened: no link ends after the one before it.",
    "expired: now is before the end of the last link. holder: who shows it is the holder of the last link.",
    "If all hold: the number of links, the scope of the last link, its end, and the epoch.",
];

fn sha(label: &str, n: u8) -> [u8; 32] {
    Sha256::new().chain_update(label).chain_update([n]).finalize().into()
}

fn agent(n: u8) -> [u8; 32] {
    sha("creto vector agent", n)
}

fn ends(n: u8) -> u64 {
    NOW + 100_000 - 3600 * u64::from(n)
}

fn key(name: &str, master: u8, sidecar: &str, id: u32) -> Key {
    let master = sha("creto vector master", master);
    let derived = MasterKey::from_bytes(master).derive(sidecar, id);
    Key {
        name: name.into(),
        id,
        master: hex::encode(master),
        sidecar: sidecar.into(),
        key: hex::encode(derived.secret_bytes()),
    }
}

/// The body of a chain of this many links under key 7; the holder of link n is agent n.
fn body(links: u8) -> Vec<u8> {
    let mut body = vec![1, 1, links, 0, 0, 0, 0, 7];
    body.extend(EPOCH.to_be_bytes());
    body.extend([0; 4]);
    for n in 1..=links {
        body.extend(&agent(n)[..20]);
        body.extend(&sha("creto vector scope", n)[..20]);
        body.extend(ends(n).to_be_bytes());
    }
    body
}

fn tagged(mut body: Vec<u8>, key: &Key) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(&hex::decode(&key.key).unwrap()).unwrap();
    mac.update(&body);
    body.extend(mac.finalize().into_bytes());
    body
}

struct Maker {
    keys: Vec<Key>,
    vectors: Vec<Vector>,
}

impl Maker {
    fn key(&self, name: &str) -> &Key {
        self.keys.iter().find(|key| key.name == name).unwrap()
    }

    /// A chain whose tag holds, of a body that was changed first.
    fn made(&self, links: u8, change: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
        let mut body = body(links);
        change(&mut body);
        tagged(body, self.key("a-7"))
    }

    /// Shown by the agent of the last of `links` links, now, to the sidecar that has key a-7.
    fn add(&mut self, name: &str, links: u8, chain: &[u8], expected: Expected) -> &mut Vector {
        self.vectors.push(Vector {
            name: name.into(),
            accepts: vec!["a-7".into()],
            holder: hex::encode(agent(links)),
            now_s: NOW,
            min_epoch: EPOCH,
            chain: hex::encode(chain),
            header: matches!(expected, Expected::Ok(_)).then(|| URL_SAFE_NO_PAD.encode(chain)),
            expected,
        });
        self.vectors.last_mut().unwrap()
    }

    fn refused(&mut self, name: &str, links: u8, chain: &[u8], code: &str) -> &mut Vector {
        self.add(name, links, chain, Expected::Error(code.into()))
    }

    fn holds(&mut self, name: &str, links: u8) -> &mut Vector {
        let chain = self.made(links, |_| ());
        let expected = Holds {
            links: usize::from(links),
            scope: hex::encode(&sha("creto vector scope", links)[..20]),
            expires_at_s: ends(links),
            epoch: EPOCH,
        };
        self.add(name, links, &chain, Expected::Ok(expected))
    }
}

pub(crate) fn document() -> Document {
    let keys = vec![
        key("a-7", 1, "sidecar-a", 7),
        key("a-8", 1, "sidecar-a", 8),
        key("b-7", 1, "sidecar-b", 7),
        key("other-master-7", 2, "sidecar-a", 7),
    ];
    let mut make = Maker { keys, vectors: Vec::new() };
    what_holds(&mut make);
    changed_without_the_key(&mut make);
    under_other_keys(&mut make);
    minted_wrong(&mut make);
    out_of_time_and_place(&mut make);
    Document {
        format: "creto-compact-chain-v1".into(),
        description: DESCRIPTION.map(str::to_owned).to_vec(),
        keys: make.keys,
        vectors: make.vectors,
    }
}

fn what_holds(make: &mut Maker) {
    for links in 1..=8 {
        make.holds(&format!("{links} links"), links);
    }
    make.holds("during a rotation", 2).accepts = vec!["a-8".into(), "a-7".into()];
    make.holds("one second before the end", 2).now_s = ends(2) - 1;
    make.holds("minted after the lowest accepted epoch", 2).min_epoch = EPOCH - 1;
}

fn changed_without_the_key(make: &mut Maker) {
    let two = make.made(2, |_| ());
    let change = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut chain = two.clone();
        change(&mut chain);
        chain
    };
    make.refused("first bit of the tag flipped", 2, &change(&|chain| chain[112] ^= 0x80), "tag");
    make.refused("last bit of the tag flipped", 2, &change(&|chain| chain[143] ^= 1), "tag");
    make.refused("last bit of the body flipped", 2, &change(&|chain| chain[111] ^= 1), "tag");
    make.refused("version changed", 2, &change(&|chain| chain[0] = 2), "tag");
    make.refused("number of links changed", 2, &change(&|chain| chain[2] = 1), "tag");
    make.refused("epoch raised", 2, &change(&|chain| chain[11] = 6), "tag");
    make.refused("scope changed", 2, &change(&|chain| chain[84] ^= 1), "tag");
    make.refused("one byte short", 2, &two[..143], "length");
    make.refused("without its tag", 2, &two[..112], "length");
    make.refused("last link cut off, tag kept", 2, &change(&|chain| drop(chain.drain(64..112))), "tag");
    make.refused("one byte longer", 2, &change(&|chain| chain.push(0)), "length");
    make.refused(
        "a link of its own added",
        2,
        &change(&|chain| drop(chain.splice(112..112, [0; 48]))),
        "tag",
    );
    make.refused("links swapped", 2, &change(&|chain| chain[16..112].rotate_left(48)), "tag");
    let three = make.made(3, |body| body[12 + 52..12 + 72].fill(9));
    let spliced = change(&|chain| chain[16..64].copy_from_slice(&three[64..112]));
    make.refused("first link of another chain spliced in", 2, &spliced, "tag");
    let spliced = change(&|chain| chain[112..].copy_from_slice(&three[160..]));
    make.refused("tag of another chain", 2, &spliced, "tag");
    make.refused("nothing", 2, &[], "length");
}

fn under_other_keys(make: &mut Maker) {
    let two = make.made(2, |_| ());
    let mut other_id = two.clone();
    other_id[7] = 8;
    make.refused("key id changed to one not in use", 2, &other_id, "key_id");
    make.refused("key id changed to another one in use", 2, &other_id, "tag").accepts =
        vec!["a-8".into(), "a-7".into()];
    make.refused("under a key that went out of use", 2, &two, "key_id").accepts = vec!["a-8".into()];
    for (name, key) in
        [("under another sidecar's key", "b-7"), ("under another master's key", "other-master-7")]
    {
        let chain = tagged(body(2), make.key(key));
        make.refused(name, 2, &chain, "tag");
    }
}

/// Tags hold here: a minting party that went wrong.
fn minted_wrong(make: &mut Maker) {
    let none = make.made(0, |_| ());
    make.refused("no links", 1, &none, "length");
    let nine = make.made(9, |_| ());
    make.refused("nine links", 9, &nine, "length");
    for (name, at, value, code) in [
        ("minted with version 2", 0, 2, "version"),
        ("minted with algorithm 2", 1, 2, "algorithm"),
        ("minted with algorithm 0", 1, 0, "algorithm"),
        ("minted with the wrong number of links", 2, 3, "length"),
        ("minted with its fourth byte not zero", 3, 1, "version"),
        ("minted with its last header byte not zero", 15, 1, "version"),
    ] {
        let chain = make.made(2, |body| body[at] = value);
        make.refused(name, 2, &chain, code);
    }
    let wider = make.made(2, |body| body[104..112].copy_from_slice(&(ends(1) + 1).to_be_bytes()));
    make.refused("second link ends after the first", 2, &wider, "widened");
    let wider = make.made(8, |body| body[344..352].copy_from_slice(&(ends(6) + 1).to_be_bytes()));
    make.refused("seventh link ends after the sixth", 8, &wider, "widened");
}

fn out_of_time_and_place(make: &mut Maker) {
    let two = make.made(2, |_| ());
    make.refused("in the second it ends", 2, &two, "expired").now_s = ends(2);
    make.refused("after its end", 2, &two, "expired").now_s = ends(2) + 1_000_000;
    make.refused("minted before the lowest accepted epoch", 2, &two, "revoked").min_epoch = EPOCH + 1;
    make.refused("shown by someone else", 2, &two, "holder").holder = hex::encode(agent(3));
    make.refused("shown by the holder of the first link", 2, &two, "holder").holder = hex::encode(agent(1));
}
