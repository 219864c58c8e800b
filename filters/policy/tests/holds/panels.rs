//! Who decides, and what an approval gives.

use std::time::Duration;

use creto_oversight::{MAX_GRANT_MS, Panel, Quorum};

use crate::world::document;

#[test]
fn every_key_of_a_hold_is_read() {
    let document = document(
        r#"
[[hold]]
name = "payments"
host = "api.bank.example"
approvers = ["bob@example.com", "alice@example.com"]
quorum = "all"
wait = "2h"
escalate = [
  { approvers = ["carol@example.com", "dave@example.com", "erin@example.com"], quorum = 2, wait = "1d" },
  { approvers = ["frank@example.com"], wait = "30d" },
]
inline = "90s"
uses = 3
holds_for = "14d"
reason = "money leaves the house"
cost_over = "0.5 USD"

[[hold]]
name = "least"
host = "a.example"
approvers = "alice@example.com"
wait = "1s"
"#,
    );
    let hold = document.hold("payments").unwrap();
    assert_eq!((hold.line(), hold.most_uses(), hold.most_ms()), (4, 3, MAX_GRANT_MS));
    assert_eq!((hold.inline(), hold.reason()), (Duration::from_secs(90), Some("money leaves the house")));
    assert_eq!(hold.cost_over(), Some(500_000_000));
    let tiers: Vec<(Vec<&str>, Quorum, u64)> = hold
        .panel()
        .tiers()
        .iter()
        .map(|tier| (tier.people.iter().map(|person| person.as_str()).collect(), tier.quorum, tier.wait_ms))
        .collect();
    let day = 86_400_000;
    assert_eq!(
        tiers,
        [
            (vec!["alice@example.com", "bob@example.com"], Quorum::All, 7_200_000),
            (vec!["carol@example.com", "dave@example.com", "erin@example.com"], Quorum::Threshold(2), day),
            (vec!["frank@example.com"], Quorum::Any, 30 * day),
        ]
    );
    assert_eq!(
        hold.to_string(),
        "all of alice@example.com, bob@example.com for 2h, then 2 of carol@example.com, dave@example.com, \
         erin@example.com for 1d, then frank@example.com for 30d; an approval gives 3 uses within 14d; asks above 0.50 USD"
    );
    let least = document.hold("least").unwrap();
    assert_eq!((least.most_uses(), least.most_ms(), least.inline()), (1, 900_000, Duration::from_secs(50)));
    assert_eq!(least.panel(), &Panel::new(least.panel().tiers().to_vec()).unwrap());
    assert_eq!(document.holds().len(), 2);
    assert!(document.hold("other").is_none());
    assert_eq!(document.rules().len(), 0, "a hold is no allow or deny rule");
}
