//! What an approval gives, and how often.

use creto_oversight::{ActionDigest, Approved, ExecutionEnd, Status, TakeError, Taking};

use crate::world::{MINUTE, START, approved, request};

/// For a call that has not taken any yet.
fn take(approved: &Approved, now_ms: u64) -> Result<Approved, TakeError> {
    let call = format!("call-{}", approved.executions().len() + 1);
    let taking = Taking { digest: request().digest, by: "sidecar-1".to_owned(), call };
    approved.take(taking, now_ms).map(|(next, _)| next)
}

fn word(approved: &Approved) -> &'static str {
    Status::Approved(approved.clone()).word()
}

#[test]
fn a_single_use_is_taken_once() {
    let given = approved(1, 0);
    let running = take(&given, START + 2).unwrap();
    assert_eq!((word(&given), word(&running)), ("approved", "executing"));
    assert_eq!(take(&running, START + 3), Err(TakeError::UsedUp(1)));
    let executed = running.ended(1, ExecutionEnd::Answered { status: 200 }).unwrap();
    assert_eq!((word(&executed), Status::Approved(executed.clone()).is_final()), ("executed", true));
    assert_eq!(take(&executed, START + 4), Err(TakeError::UsedUp(1)));
}

#[test]
fn a_call_that_asks_again_since_the_answer_was_lost_is_given_the_same_use() {
    let taking =
        |by: &str, call: &str| Taking { digest: request().digest, by: by.to_owned(), call: call.to_owned() };
    let (running, first) = approved(1, 0).take(taking("sidecar-1", "call-1"), START + 2).unwrap();
    let (again, same) = running.take(taking("sidecar-1", "call-1"), START + 9).unwrap();
    assert_eq!((&again, &same), (&running, &first));
    for other in [taking("sidecar-2", "call-1"), taking("sidecar-1", "call-2")] {
        assert_eq!(running.take(other, START + 9), Err(TakeError::UsedUp(1)));
    }
    let executed = running.ended(1, ExecutionEnd::Answered { status: 200 }).unwrap();
    let late = executed.take(taking("sidecar-1", "call-1"), START + 10);
    assert_eq!(late, Err(TakeError::UsedUp(1)), "what has ended is not had again");
}

#[test]
fn a_changed_call_takes_nothing() {
    let digest = ActionDigest([1; 32]);
    let taking = Taking { digest, by: "sidecar-1".to_owned(), call: "call-1".to_owned() };
    let refused = approved(1, 0).take(taking, START + 2).unwrap_err();
    assert_eq!(refused, TakeError::OtherAction { asked: digest, approved: request().digest });
}

#[test]
fn an_approval_lapses() {
    let given = approved(3, MINUTE);
    assert!(take(&given, given.not_after_ms() - 1).is_ok());
    assert_eq!(take(&given, given.not_after_ms()), Err(TakeError::Lapsed(START + 1 + MINUTE)));
}

#[test]
fn what_nobody_knows_the_end_of_stops_every_further_use_until_a_person_knows() {
    let lost = take(&approved(3, 0), START + 2).unwrap();
    let lost = lost.ended(1, ExecutionEnd::Ambiguous { cause: "the sidecar was killed".to_owned() }).unwrap();
    assert_eq!((word(&lost), Status::Approved(lost.clone()).is_final()), ("ambiguous", false));
    assert_eq!(take(&lost, START + 3), Err(TakeError::Ambiguous(1)));
    // It is not forgotten by saying so again, and becomes known once.
    assert_eq!(lost.ended(1, ExecutionEnd::Ambiguous { cause: String::new() }), None);
    let known = lost.ended(1, ExecutionEnd::Answered { status: 201 }).unwrap();
    assert_eq!(known.ended(1, ExecutionEnd::NeverLeft { cause: String::new() }), None);
    assert_eq!((word(&known), known.uses_left()), ("approved", 2));
    assert!(take(&known, START + 4).is_ok());
}

#[test]
fn a_use_that_never_left_is_given_back_but_not_for_ever() {
    let mut given = approved(1, 0);
    for number in 1..=17 {
        given = take(&given, START + 2).unwrap();
        given =
            given.ended(number, ExecutionEnd::NeverLeft { cause: "connection refused".to_owned() }).unwrap();
        assert_eq!(given.uses_left(), 1);
    }
    assert_eq!(take(&given, START + 2), Err(TakeError::UsedUp(1)));
}

#[test]
fn the_first_end_of_a_use_stands_and_ends_of_no_use_are_not_known() {
    let running = take(&approved(1, 0), START + 2).unwrap();
    assert_eq!(running.ended(2, ExecutionEnd::Answered { status: 200 }), None);
    let ended = running.ended(1, ExecutionEnd::Answered { status: 500 }).unwrap();
    assert_eq!(ended.ended(1, ExecutionEnd::NeverLeft { cause: "no".to_owned() }), None);
}

#[test]
fn what_is_taken_back_keeps_what_was_executed_under_it() {
    let running = take(&approved(2, 0), START + 2).unwrap();
    let revoked = running.revoke("carol", "wrong account", START + 3);
    assert_eq!(revoked.was.executions().len(), 1);
    assert_eq!(Status::Revoked(revoked).word(), "revoked");
}
