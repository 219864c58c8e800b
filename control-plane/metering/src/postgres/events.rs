//! Events as rows.

use std::sync::Arc;

use serde_json::value::RawValue;
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row as _};

use super::fault::Fault;
use super::rows::Rows;
use super::space::ByMonth;
use super::text;
use crate::{Event, EventId, StoreError, Value, Window};

/// Writes rows straight into the partitions.
const COPY: &str = "COPY creto_events.events (namespace, at_us, logical, ordinal, event_type, agent, \
     customer, subscription, delegation, producer, epoch, sequence, source, id, properties, signature) \
     FROM STDIN (FORMAT binary)";
/// Fields of a row.
const FIELDS: i16 = 16;
/// The columns [`read`] reads.
pub(super) const COLUMNS: &str = "ordinal, at_us, logical, event_type, agent, customer, subscription, delegation, \
     producer, epoch, sequence, source, id, properties::text AS properties, signature";
/// Bytes of rows in memory before they are sent: a frame that says the same long text often is much larger as rows.
const CHUNK: usize = 1 << 20;

/// Writes events, with their numbers in the order of ingestion, into the partitions of their months. Whoever calls is in
/// a transaction, which what fails here ends. How much room they take, about, is returned by month.
pub(super) async fn copy<'e>(
    connection: &mut PgConnection,
    namespace: &str,
    events: impl Iterator<Item = (&'e Event, u64)>,
) -> Result<ByMonth, Fault> {
    let mut added = ByMonth::new();
    let mut copy = connection.copy_in_raw(COPY).await?;
    let mut rows = Rows::new(CHUNK + CHUNK / 4);
    for (event, order) in events {
        let before = rows.len();
        write(&mut rows, namespace, event, order);
        let bytes = added.entry(Window::Month.start_us(event.at_us)).or_default();
        *bytes += (rows.len() - before) as u64;
        if rows.len() >= CHUNK {
            copy.send(rows.take()).await?;
        }
    }
    copy.send(rows.finish()).await?;
    copy.finish().await?;
    Ok(added)
}

fn write(rows: &mut Rows, namespace: &str, event: &Event, order: u64) {
    rows.row(FIELDS).text(namespace).bigint(event.at_us).bigint(event.logical.into());
    // Numbers come from a sequence of 63 bits.
    rows.bigint(order.cast_signed());
    rows.text(&event.event_type).text(&event.agent).text(&event.customer).text(&event.subscription);
    rows.text(&event.delegation);
    match &event.id {
        EventId::Sequenced { producer, epoch, sequence } => {
            rows.text(producer).bigint(epoch.cast_signed()).bigint(sequence.cast_signed()).null().null();
        }
        EventId::Named { source, id } => {
            rows.null().null().null().text(source).text(id);
        }
    }
    rows.sized(|bytes| properties(bytes, &event.properties));
    match &event.signature {
        Some(signature) => rows.bytes(signature),
        None => rows.null(),
    };
}

/// A JSON object: texts, flags, and numbers with all their digits.
fn properties(bytes: &mut Vec<u8>, properties: &[(Arc<str>, Value)]) {
    bytes.push(b'{');
    for (at, (name, value)) in properties.iter().enumerate() {
        if at > 0 {
            bytes.push(b',');
        }
        json_text(bytes, name);
        bytes.push(b':');
        match value {
            Value::Text(value) => json_text(bytes, &text::kept(value)),
            Value::Number(number) => bytes.extend_from_slice(number.to_string().as_bytes()),
            Value::Flag(flag) => bytes.extend_from_slice(if *flag { b"true" } else { b"false" }),
        }
    }
    bytes.push(b'}');
}

fn json_text(bytes: &mut Vec<u8>, text: &str) {
    bytes.push(b'"');
    for character in text.bytes() {
        match character {
            b'"' | b'\\' => bytes.extend_from_slice(&[b'\\', character]),
            0x00..=0x1f => {
                let digit = |nibble: u8| b"0123456789abcdef"[usize::from(nibble & 0xf)];
                bytes.extend_from_slice(b"\\u00");
                bytes.extend_from_slice(&[digit(character >> 4), digit(character)]);
            }
            other => bytes.push(other),
        }
    }
    bytes.push(b'"');
}

/// The event of a row of [`COLUMNS`], and its number in the order of ingestion.
pub(super) fn read(row: &PgRow) -> Result<(Event, u64), StoreError> {
    columns(row).map_err(|error| StoreError::Away(format!("PostgreSQL: an event cannot be read: {error}")))
}

fn columns(row: &PgRow) -> Result<(Event, u64), sqlx::Error> {
    let text = |column: &str| row.try_get::<&str, _>(column).map(Arc::<str>::from);
    let number = |column: &str| row.try_get::<i64, _>(column);
    let id = match row.try_get::<Option<&str>, _>("producer")? {
        Some(producer) => EventId::Sequenced {
            producer: producer.into(),
            epoch: number("epoch")?.cast_unsigned(),
            sequence: number("sequence")?.cast_unsigned(),
        },
        None => EventId::Named { source: text("source")?, id: text("id")? },
    };
    let signature: Option<Vec<u8>> = row.try_get("signature")?;
    let event = Event {
        id,
        event_type: text("event_type")?,
        agent: text("agent")?,
        customer: text("customer")?,
        subscription: text("subscription")?,
        delegation: text("delegation")?,
        at_us: number("at_us")?,
        logical: u32::try_from(number("logical")?).unwrap_or(u32::MAX),
        properties: property_list(row.try_get("properties")?)?,
        signature: signature.map(Vec::into_boxed_slice),
    };
    Ok((event, number("ordinal")?.cast_unsigned()))
}

/// Properties in the order they were written.
fn property_list(json: &str) -> Result<Vec<(Arc<str>, Value)>, sqlx::Error> {
    let decode = |error: serde_json::Error| sqlx::Error::Decode(error.into());
    let Members(members) = serde_json::from_str(json).map_err(decode)?;
    let mut properties = Vec::with_capacity(members.len());
    for (name, value) in members {
        let written = value.get();
        let value = match written.as_bytes().first() {
            Some(b'"') => {
                let kept: String = serde_json::from_str(written).map_err(decode)?;
                Value::Text(text::original(&kept).into())
            }
            Some(b't') => Value::Flag(true),
            Some(b'f') => Value::Flag(false),
            _ => Value::Number(written.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))?),
        };
        properties.push((name.into(), value));
    }
    Ok(properties)
}

/// The members of a JSON object, in their order.
struct Members<'t>(Vec<(String, &'t RawValue)>);

impl<'t> serde::Deserialize<'t> for Members<'t> {
    fn deserialize<D: serde::Deserializer<'t>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'t> serde::de::Visitor<'t> for Reader {
            type Value = Members<'t>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object of properties")
            }

            fn visit_map<A: serde::de::MapAccess<'t>>(self, mut map: A) -> Result<Members<'t>, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Reader)
    }
}
