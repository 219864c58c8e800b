//! How often somebody may try to sign in: counted by account and by where it comes from, in tables of fixed size.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;

use parking_lot::Mutex;
use sha2::{Digest as _, Sha256};

use crate::bounds::{ATTEMPTS_MS, MAX_ATTEMPTS_AN_ACCOUNT, MAX_ATTEMPTS_AN_ADDRESS, MAX_COUNTED};

/// Counts attempts.
#[derive(Debug, Default)]
pub(crate) struct Throttle(Mutex<Tables>);

#[derive(Debug, Default)]
struct Tables {
    accounts: Table<[u8; 32]>,
    addresses: Table<IpAddr>,
}

/// Windows by key, and in the order in which they began.
#[derive(Debug)]
struct Table<K> {
    windows: HashMap<K, Window>,
    order: VecDeque<(K, u64)>,
}

impl<K> Default for Table<K> {
    fn default() -> Self {
        Self { windows: HashMap::new(), order: VecDeque::new() }
    }
}

#[derive(Clone, Copy, Debug)]
struct Window {
    began_ms: u64,
    attempts: u32,
}

impl Throttle {
    /// Counts an attempt before anything is compared. `Err`: not now, but in so many seconds.
    pub(crate) fn attempt(
        &self,
        (namespace, name): (&str, &str),
        from: IpAddr,
        now_ms: u64,
    ) -> Result<(), u64> {
        let mut tables = self.0.lock();
        let address = tables.addresses.count(network(from), MAX_ATTEMPTS_AN_ADDRESS, now_ms);
        // Whoever is over its own limit must not use up the account's.
        address?;
        tables.accounts.count(account(namespace, name), MAX_ATTEMPTS_AN_ACCOUNT, now_ms)
    }

    /// Forgets attempts at an account whose password is known.
    pub(crate) fn succeeded(&self, (namespace, name): (&str, &str)) {
        self.0.lock().accounts.windows.remove(&account(namespace, name));
    }
}

impl<K: Copy + Eq + std::hash::Hash> Table<K> {
    fn count(&mut self, key: K, most: u32, now_ms: u64) -> Result<(), u64> {
        // Those that are over go, and the oldest when there are too many.
        while let Some((oldest, began_ms)) = self.order.front().copied() {
            let is_over = now_ms >= began_ms.saturating_add(ATTEMPTS_MS);
            if !is_over && self.order.len() < MAX_COUNTED {
                break;
            }
            self.order.pop_front();
            // It may have been forgotten, and begun anew since.
            if self.windows.get(&oldest).is_some_and(|window| window.began_ms == began_ms) {
                self.windows.remove(&oldest);
            }
        }
        let order = &mut self.order;
        let window = self.windows.entry(key).or_insert_with(|| {
            order.push_back((key, now_ms));
            Window { began_ms: now_ms, attempts: 0 }
        });
        if window.attempts >= most {
            let left = window.began_ms.saturating_add(ATTEMPTS_MS).saturating_sub(now_ms);
            return Err(left.div_ceil(1_000).max(1));
        }
        window.attempts += 1;
        Ok(())
    }
}

/// Fixed in size, whatever name somebody tries.
fn account(namespace: &str, name: &str) -> [u8; 32] {
    Sha256::digest(format!("{namespace}\0{name}")).into()
}

/// One who has an IPv6 address has 2^64 of them.
fn network(from: IpAddr) -> IpAddr {
    match from.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            std::net::Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    #[test]
    fn an_account_and_an_address_are_each_tried_so_often_and_then_later_again() {
        let throttle = Throttle::default();
        for attempt in 0..MAX_ATTEMPTS_AN_ACCOUNT {
            assert_eq!(throttle.attempt(("default", "bob"), from(attempt as u8), 1_000), Ok(()));
        }
        let late = throttle.attempt(("default", "bob"), from(99), 2_000);
        assert_eq!(late, Err((ATTEMPTS_MS - 1_000) / 1_000));
        assert_eq!(throttle.attempt(("default", "carol"), from(99), 2_000), Ok(()));
        assert_eq!(throttle.attempt(("other", "bob"), from(99), 2_000), Ok(()));
        assert_eq!(throttle.attempt(("default", "bob"), from(99), 1_000 + ATTEMPTS_MS), Ok(()));
        let many = Throttle::default();
        for attempt in 0..MAX_ATTEMPTS_AN_ADDRESS {
            assert_eq!(many.attempt(("default", &attempt.to_string()), from(1), 0), Ok(()));
        }
        assert!(many.attempt(("default", "fresh"), from(1), 0).is_err());
        assert!(many.attempt(("default", "fresh"), from(2), 0).is_ok());
    }

    #[test]
    fn a_password_that_was_right_is_a_fresh_start_for_the_account() {
        let throttle = Throttle::default();
        for _ in 0..3 * MAX_ATTEMPTS_AN_ACCOUNT {
            assert_eq!(throttle.attempt(("default", "bob"), from(1), 0), Ok(()));
            throttle.succeeded(("default", "bob"));
        }
    }

    #[test]
    fn addresses_of_one_network_are_one_and_the_tables_do_not_grow() {
        let throttle = Throttle::default();
        for last in 0..2 * MAX_COUNTED as u32 {
            let address =
                std::net::Ipv6Addr::new(0x2001, 0xdb8, (last >> 16) as u16, last as u16, 0, 0, 0, 1);
            let _ = throttle.attempt(("default", &last.to_string()), address.into(), u64::from(last));
        }
        let tables = throttle.0.lock();
        assert_eq!((tables.accounts.windows.len(), tables.addresses.order.len()), (MAX_COUNTED, MAX_COUNTED));
        assert_eq!(network("2001:db8::1".parse().unwrap()), network("2001:db8::ffff".parse().unwrap()));
        assert_eq!(network("::ffff:192.0.2.1".parse().unwrap()), from(1));
    }
}
