use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use prost::Message as _;

use super::*;
use crate::metering::EventDraft;

const PLACE: FramePlace<'_> =
    FramePlace { namespace: "default", producer: "test", epoch: 7, first_sequence: 41 };

fn decimal() -> impl Strategy<Value = Decimal> {
    let digits = prop_oneof![any::<i64>().prop_map(i128::from), -(10_i128.pow(18))..10_i128.pow(18), Just(0)];
    (digits, 0..=MAX_SCALE).prop_filter_map("too long", |(digits, scale)| Decimal::new(digits, scale).ok())
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        "[a-c]{0,3}|.{0,12}".prop_map(|text| Value::Text(text.into())),
        decimal().prop_map(Value::Number),
        any::<bool>().prop_map(Value::Flag),
    ]
}

fn recorded() -> impl Strategy<Value = Recorded> {
    let names = ("[ab]{1,2}", "[ab]{0,2}", "[ab]{0,2}", "[ab]{0,1}", "[ab/]{0,5}");
    let properties = vec(("[p-t]", value()), 0..6);
    (names, option::of(any::<i64>()), any::<i64>(), any::<u32>(), properties).prop_map(
        |((kind, agent, customer, subscription, delegation), own, at_us, logical, properties)| {
            let mut draft = EventDraft::new(kind)
                .agent(agent)
                .customer(customer)
                .subscription(subscription)
                .delegation(delegation);
            draft.at_us = own;
            for (name, value) in properties {
                if draft.properties.iter().all(|(earlier, _)| *earlier != name) {
                    draft.properties.push((name.into(), value));
                }
            }
            Recorded { draft, at_us, logical }
        },
    )
}

fn read_value(value: &Value) -> ReadValue {
    match value {
        Value::Text(text) => ReadValue::Text(text.to_string()),
        Value::Number(number) => ReadValue::Number(*number),
        Value::Flag(flag) => ReadValue::Flag(*flag),
    }
}

fn expected(at: usize, recorded: &Recorded) -> ReadEvent {
    let draft = &recorded.draft;
    let mut properties: Vec<_> =
        draft.properties.iter().map(|(name, value)| (name.to_string(), read_value(value))).collect();
    properties.sort_by(|one, other| one.0.cmp(&other.0));
    ReadEvent {
        sequence: PLACE.first_sequence + at as u64,
        event_type: draft.event_type.to_string(),
        agent: draft.agent.to_string(),
        customer: draft.customer.to_string(),
        subscription: draft.subscription.to_string(),
        delegation: draft.delegation.to_string(),
        at_us: recorded.at_us,
        logical: recorded.logical,
        properties,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn a_frame_reads_back_as_what_was_recorded(events in vec(recorded(), 1..40)) {
        let wire = pack_frame(PLACE, &events).encode_to_vec();
        let mut read = read_frame(&IngestFrame::decode(wire.as_slice()).unwrap()).unwrap();
        for event in &mut read {
            event.properties.sort_by(|one, other| one.0.cmp(&other.0));
        }
        let expected: Vec<_> = events.iter().enumerate().map(|(at, event)| expected(at, event)).collect();
        prop_assert_eq!(read, expected);
    }

    #[test]
    fn a_frame_that_somebody_else_made_up_is_read_or_refused_and_never_panics(bytes in vec(any::<u8>(), 0..200)) {
        if let Ok(mut frame) = IngestFrame::decode(bytes.as_slice()) {
            frame.count = frame.count.min(100);
            frame.first_sequence = frame.first_sequence.min(1 << 60);
            let _ = read_frame(&frame);
        }
    }
}

#[test]
fn a_text_stands_in_the_frame_once() {
    let event = || EventDraft::new("render").agent("painter").text("size", "painter").number("pixels", 4);
    let events: Vec<_> =
        (0..100).map(|at| Recorded { draft: event(), at_us: 1_000_000 + at, logical: 0 }).collect();
    let frame = pack_frame(PLACE, &events);
    assert_eq!(frame.strings, ["render", "painter", "size", "pixels"]);
    assert!(frame.customer.is_empty() && frame.logical.is_empty(), "columns of nothing are left out");
    assert!(frame.properties.iter().all(|column| column.events.is_empty()), "all events have both");
    // Each event: two names, a gap of time, a text and a number.
    let each = (frame.encoded_len() - pack_frame(PLACE, &events[..1]).encoded_len()) / 99;
    assert!(each <= 5, "{each} bytes an event");
}
