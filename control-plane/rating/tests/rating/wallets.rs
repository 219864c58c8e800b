//! Wallets: what is spent first, and that nothing is lost or spent twice.

use creto_rating::{Credit, Currency, Due, Source, Wallet, spend};
use proptest::prelude::*;

use crate::speech::{at, later};

fn credit(id: &str, priority: u8, source: Source, age: i64, left: u64) -> Credit {
    let received_at = later(at("2022-01-01T00:00:00Z"), -age);
    Credit { id: id.into(), priority, source, received_at, expires_at: None, left }
}

fn wallet(id: &str, priority: u8, credits: Vec<Credit>) -> Wallet {
    let created_at = at("2021-01-01T00:00:00Z");
    Wallet { id: id.into(), priority, created_at, currency: Currency::USD, only: None, credits }
}

fn due(minor: u64) -> Due {
    Due { meter: Some("calls".into()), currency: Currency::USD, minor }
}

#[test]
fn credit_goes_by_priority_then_granted_before_purchased_then_age() {
    let credits = vec![
        credit("young", 2, Source::Granted, 1, 10),
        credit("purchased", 1, Source::Purchased, 9, 10),
        credit("old", 2, Source::Granted, 5, 10),
        credit("granted", 1, Source::Granted, 1, 10),
    ];
    let mut wallets = [wallet("w", 1, credits)];
    let mut dues = [due(35)];
    let spent = spend(&mut wallets, &mut dues, at("2022-02-01T00:00:00Z")).unwrap();
    let spent: Vec<_> = spent.iter().map(|spent| (spent.credit.as_str(), spent.minor)).collect();
    assert_eq!(spent, [("granted", 10), ("purchased", 10), ("old", 10), ("young", 5)]);
    assert_eq!((dues[0].minor, wallets[0].balance(at("2022-02-01T00:00:00Z"))), (0, 5));
}

#[test]
fn wallets_go_by_priority_and_pay_the_largest_line_first_and_only_what_they_may() {
    let mut limited = wallet("limited", 1, vec![credit("a", 1, Source::Granted, 1, 50)]);
    limited.only = Some(["tokens".to_owned()].into());
    let mut wallets = [wallet("any", 2, vec![credit("b", 1, Source::Granted, 1, 30)]), limited];
    let tokens = Due { meter: Some("tokens".into()), ..due(30) };
    let mut dues = [due(20), due(40), tokens, Due { meter: None, ..due(5) }];
    let spent = spend(&mut wallets, &mut dues, at("2022-02-01T00:00:00Z")).unwrap();
    let spent: Vec<_> = spent.iter().map(|spent| (spent.wallet.as_str(), spent.line, spent.minor)).collect();
    assert_eq!(spent, [("limited", 2, 30), ("any", 1, 30)]);
    assert_eq!(dues.map(|due| due.minor), [20, 10, 0, 5]);
}

#[test]
fn credit_is_not_spent_before_it_came_nor_from_the_instant_it_expires() {
    let now = at("2022-02-01T00:00:00Z");
    let expiring = |left, end| Credit { expires_at: Some(end), ..credit("e", 1, Source::Granted, 1, left) };
    let future = Credit { received_at: later(now, 1), ..credit("f", 1, Source::Granted, 0, 7) };
    let mut wallets = [wallet("w", 1, vec![expiring(3, now), expiring(4, later(now, 1)), future])];
    let mut dues = [due(100)];
    assert_eq!(spend(&mut wallets, &mut dues, now).unwrap().iter().map(|spent| spent.minor).sum::<u64>(), 4);
}

#[test]
fn a_wallet_in_euros_never_pays_what_is_due_in_dollars() {
    let mut euros = wallet("euros", 2, vec![credit("a", 1, Source::Granted, 1, 50)]);
    euros.currency = Currency::EUR;
    let mut wallets = [wallet("dollars", 1, vec![credit("b", 1, Source::Granted, 1, 5)]), euros];
    let mut dues = [due(20)];
    let refused = spend(&mut wallets, &mut dues, at("2022-02-01T00:00:00Z")).unwrap_err();
    assert_eq!((refused.wallet.as_str(), refused.found, refused.line), ("euros", Currency::EUR, 0));
    assert!(refused.to_string().contains("never converted"), "{refused}");
    let left: Vec<u64> = wallets.iter().map(|wallet| wallet.credits[0].left).collect();
    assert_eq!((dues[0].minor, left), (20, vec![5, 50]), "nothing is spent, from no wallet");
}

proptest! {
    #[test]
    fn what_is_spent_and_what_is_left_is_what_there_was(
        held in prop::collection::vec(prop::collection::vec((0..3_u8, any::<bool>(), 0..500_u64), 0..6), 0..4),
        wanted in prop::collection::vec((any::<bool>(), 0..800_u64), 0..6),
    ) {
        let now = at("2022-02-01T00:00:00Z");
        let mut wallets: Vec<Wallet> = held.iter().enumerate().map(|(place, credits)| {
            let credit = |(nth, (priority, granted, left)): (usize, &(u8, bool, u64))| {
                let source = if *granted { Source::Granted } else { Source::Purchased };
                credit(&format!("{place}-{nth}"), *priority, source, nth as i64, *left)
            };
            let mut made = wallet(&place.to_string(), (place % 2) as u8, credits.iter().enumerate().map(credit).collect());
            made.only = (place == 1).then(|| ["calls".to_owned()].into());
            made
        }).collect();
        let mut dues: Vec<Due> =
            wanted.iter().map(|(usage, minor)| Due { meter: usage.then(|| "calls".to_owned()), ..due(*minor) }).collect();
        let balances = |wallets: &[Wallet]| wallets.iter().map(|wallet| wallet.balance(now)).sum::<u128>();
        let owed = |dues: &[Due]| dues.iter().map(|due| u128::from(due.minor)).sum::<u128>();
        let (held_before, owed_before) = (balances(&wallets), owed(&dues));
        let spent = spend(&mut wallets, &mut dues, now).unwrap();
        let paid: u128 = spent.iter().map(|spent| u128::from(spent.minor)).sum();
        prop_assert_eq!(balances(&wallets) + paid, held_before);
        prop_assert_eq!(owed(&dues) + paid, owed_before);
        // Nothing is due while a wallet that may pay everything still holds credit.
        let open = wallets.iter().any(|wallet| wallet.only.is_none() && wallet.balance(now) > 0);
        prop_assert!(!open || owed(&dues) == 0);
        prop_assert_eq!(spend(&mut wallets.clone(), &mut dues.clone(), now).unwrap().len(), 0);
    }
}
