//! Named events: the row that makes an event known, the event, its rollups and the accounts in one transaction.

use std::collections::{BTreeMap, HashMap};

use sqlx::{PgConnection, Postgres, Transaction};

use super::accounts::{Account, Holder};
use super::fault::Fault;
use super::series::Numbers;
use super::store::PostgresEventStore;
use crate::bounds::MAX_ID_BYTES;
use crate::{Event, NamedEvent, NamedOutcome, RejectCode};

const ADD: &str = "INSERT INTO creto_events.named (namespace, source, id, digest, came_us) \
     SELECT $1, source, id, digest, $2 FROM unnest($3::text[], $4::text[], $5::bytea[]) WITH ORDINALITY \
     AS new(source, id, digest, place) ORDER BY place ON CONFLICT DO NOTHING RETURNING source, id";
const FIND: &str = "SELECT n.source, n.id, n.digest FROM unnest($2::text[], $3::text[]) AS wanted(source, id) \
     JOIN creto_events.named n ON n.namespace = $1 AND n.source = wanted.source AND n.id = wanted.id";

/// Source and id.
type Name = (String, String);

/// Events taken in, but for the commit.
pub(super) struct TakenNamed {
    pub(super) outcomes: Vec<NamedOutcome>,
    /// What to remember after the commit.
    pub(super) numbers: Numbers,
}

impl PostgresEventStore {
    /// Takes named events in. The caller commits.
    pub(super) async fn take_named(
        &self,
        transaction: &mut Transaction<'_, Postgres>,
        name: &str,
        events: &[NamedEvent],
        now_us: i64,
    ) -> Result<Option<TakenNamed>, Fault> {
        let connection: &mut PgConnection = &mut *transaction;
        let Some(shared) = self.namespaces().share(connection, name).await? else { return Ok(None) };
        self.space().check(connection, name, self.most_bytes()).await?;
        let digests: Vec<[u8; 32]> = events.iter().map(NamedEvent::digest).collect();
        let mut outcomes: Vec<Option<NamedOutcome>> = events
            .iter()
            .map(|event| match shared.namespace.catalog.judge_named(event, now_us, self.acceptance()) {
                Ok(()) => None,
                Err(why) => Some(NamedOutcome::Rejected { code: why.code, detail: why.detail }),
            })
            .collect();
        // The first of each source and id in the request, in an order that is the same for everybody.
        let mut firsts: BTreeMap<(&str, &str), usize> = BTreeMap::new();
        for (index, event) in events.iter().enumerate().filter(|(index, _)| outcomes[*index].is_none()) {
            firsts.entry((&event.source, &event.id)).or_insert(index);
        }
        let kept = remembered(connection, name, &firsts, &digests, now_us).await?;
        for (index, (event, outcome)) in events.iter().zip(&mut outcomes).enumerate() {
            if outcome.is_some() {
                continue;
            }
            let is_first = firsts.get(&(&*event.source, &*event.id)) == Some(&index);
            *outcome = match kept.get(&(event.source.to_string(), event.id.to_string())) {
                Some(Kept::Now) if is_first => Some(NamedOutcome::Accepted),
                Some(Kept::Now) => {
                    let first = firsts.get(&(&*event.source, &*event.id)).map(|first| digests[*first]);
                    Some(repeated(first == Some(digests[index])))
                }
                Some(Kept::Before(digest)) => Some(repeated(digest[..] == digests[index])),
                None => return Err(Fault::Outdated),
            };
        }
        let outcomes: Vec<NamedOutcome> = outcomes.into_iter().flatten().collect();
        let accepted =
            events.iter().zip(&outcomes).filter(|(_, outcome)| **outcome == NamedOutcome::Accepted);
        let accepted: Vec<Event> = accepted.map(|(event, _)| event.clone().into_event(now_us)).collect();
        let numbers = self.add(connection, name, &shared, &accepted).await?;
        account(connection, name, events, &outcomes, now_us).await?;
        Ok(Some(TakenNamed { outcomes, numbers }))
    }
}

fn repeated(same: bool) -> NamedOutcome {
    if same { NamedOutcome::Duplicate } else { NamedOutcome::Conflict }
}

/// Since when an event is known.
enum Kept {
    /// Since this transaction.
    Now,
    /// From before, with this digest.
    Before(Vec<u8>),
}

/// Makes events known; who does the same at the same time waits here.
async fn remembered(
    connection: &mut PgConnection,
    name: &str,
    firsts: &BTreeMap<(&str, &str), usize>,
    digests: &[[u8; 32]],
    now_us: i64,
) -> Result<HashMap<Name, Kept>, Fault> {
    let mut kept = HashMap::with_capacity(firsts.len());
    if firsts.is_empty() {
        return Ok(kept);
    }
    let added: Vec<Name> = sqlx::query_as(ADD)
        .bind(name)
        .bind(now_us)
        .bind(firsts.keys().map(|(source, _)| *source).collect::<Vec<_>>())
        .bind(firsts.keys().map(|(_, id)| *id).collect::<Vec<_>>())
        .bind(firsts.values().map(|index| &digests[*index][..]).collect::<Vec<_>>())
        .fetch_all(&mut *connection)
        .await?;
    kept.extend(added.into_iter().map(|added| (added, Kept::Now)));
    if kept.len() < firsts.len() {
        let is_known = |source: &str, id: &str| !kept.contains_key(&(source.to_owned(), id.to_owned()));
        let known: Vec<_> = firsts.keys().filter(|(source, id)| is_known(source, id)).collect();
        let found: Vec<(String, String, Vec<u8>)> = sqlx::query_as(FIND)
            .bind(name)
            .bind(known.iter().map(|(source, _)| *source).collect::<Vec<_>>())
            .bind(known.iter().map(|(_, id)| *id).collect::<Vec<_>>())
            .fetch_all(&mut *connection)
            .await?;
        kept.extend(found.into_iter().map(|(source, id, digest)| ((source, id), Kept::Before(digest))));
    }
    Ok(kept)
}

/// Counts what came in by source.
async fn account(
    connection: &mut PgConnection,
    name: &str,
    events: &[NamedEvent],
    outcomes: &[NamedOutcome],
    now_us: i64,
) -> Result<(), Fault> {
    let mut by_source: BTreeMap<&str, Vec<&NamedOutcome>> = BTreeMap::new();
    for (event, outcome) in events.iter().zip(outcomes) {
        by_source.entry(source(event)).or_default().push(outcome);
    }
    for (source, outcomes) in by_source {
        let holder = Holder { namespace: name, named: true, producer: source, epoch: 0 };
        let mut account = Account::lock(connection, holder).await?;
        for outcome in outcomes {
            account.sent += 1;
            match outcome {
                NamedOutcome::Accepted => account.accepted += 1,
                NamedOutcome::Duplicate => account.duplicate += 1,
                NamedOutcome::Conflict => account.reject(RejectCode::Conflict),
                NamedOutcome::Rejected { code, .. } => account.reject(*code),
            }
        }
        account.last_seen_us = now_us;
        account.save(connection, holder).await?;
    }
    Ok(())
}

/// Whose account an event is counted in; one whose source is none in that of nobody.
fn source(event: &NamedEvent) -> &str {
    let is_source = event.source.len() <= MAX_ID_BYTES && !event.source.chars().any(char::is_control);
    if is_source { &event.source } else { "" }
}
