//! What only SQLite can show: every statement prepares, and every statement names the namespace.

use std::os::unix::fs::PermissionsExt as _;

use sqlx::{Executor as _, SqlSafeStr as _};

use super::{
    SqliteStore, agents, calls, delegations, enrollment, migration, policies, secrets, sidecars, tokens,
};
use crate::conformance;

/// Statements that cannot name the namespace, with the reason.
const EXCEPTIONS: &[(&str, &str, &str)] = &[
    ("enrollment", "BY_DIGEST", "the namespace is what the token tells"),
    ("secrets", "ANY", "one key file seals the secrets of all namespaces"),
    ("secrets", "OF_OTHER_KEYS", "one key file seals the secrets of all namespaces"),
    ("sidecars", "BY_FINGERPRINT", "the namespace is what the certificate tells"),
    ("tokens", "BY_DIGEST", "the namespace is what the token tells"),
];

/// Statements that read all of a namespace, or the one row it has, with the reason.
const READ_ALL: &[(&str, &str, &str)] = &[
    ("agents", "COUNT", "creation only"),
    ("agents", "EPOCH", "one row a namespace"),
    ("delegations", "COUNT", "creation only"),
    ("delegations", "KEY_ID", "one row a namespace"),
    ("enrollment", "COUNT", "creation only"),
    ("enrollment", "PURGE", "creation only"),
    ("policies", "OTHERS", "the few documents of a namespace, when one is written"),
    ("secrets", "ANY", "once, when the control plane starts"),
    ("secrets", "COUNT", "creation only"),
    ("sidecars", "LAST_EVENT", "the last of the order it is read in"),
    ("tokens", "COUNT", "creation only"),
];

/// Tables that are a statement's own argument.
const ARGUMENTS: [&str; 2] = ["FROM json_each(", "FROM note "];

const FILES: &[(&str, &[(&str, &str)])] = &[
    ("agents", agents::ALL),
    ("calls", calls::ALL),
    ("delegations", delegations::ALL),
    ("enrollment", enrollment::ALL),
    ("policies", policies::ALL),
    ("secrets", secrets::ALL),
    ("sidecars", sidecars::ALL),
    ("tokens", tokens::ALL),
];

async fn fresh() -> (SqliteStore, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&folder.path().join("creto.db")).await.unwrap();
    (store, folder)
}

#[test]
fn every_statement_is_confined_to_a_namespace() {
    for (file, statements) in FILES {
        for (name, sql) in *statements {
            let excepted = EXCEPTIONS.iter().any(|(f, n, _)| f == file && n == name);
            let count = |words: &[&str]| words.iter().map(|word| sql.matches(word).count()).sum::<usize>();
            let tables = count(&["FROM ", "JOIN "]) - count(&ARGUMENTS);
            let confined = sql.matches("namespace = ?1").count();
            let inserts = sql.starts_with("INSERT INTO");
            assert!(
                excepted || confined >= tables.max(1) || (inserts && sql.contains("(namespace,")),
                "{file}::{name} is not confined to a namespace: {sql}"
            );
        }
    }
}

#[tokio::test]
async fn statements_find_rows_by_more_than_the_namespace() {
    let (store, _folder) = fresh().await;
    for (file, statements) in FILES {
        for (name, sql) in *statements {
            let explain = sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {sql}"));
            let plan = sqlx::query(explain).fetch_all(&store.readers).await.unwrap();
            let steps: Vec<String> = plan.iter().map(|step| sqlx::Row::get(step, "detail")).collect();
            let reads_all = |step: &String| {
                let argument = step.contains("json_each") || step.starts_with("SCAN note");
                step.contains("(namespace=?)")
                    || (step.starts_with("SCAN") && !argument && step != "SCAN CONSTANT ROW")
            };
            let excepted = READ_ALL.iter().any(|(f, n, _)| f == file && n == name);
            assert_eq!(steps.iter().any(reads_all), excepted, "{file}::{name}: {steps:#?}");
        }
    }
}

#[test]
fn every_exception_is_still_a_statement() {
    for (file, name, _) in EXCEPTIONS {
        let known = FILES.iter().any(|(f, all)| f == file && all.iter().any(|(n, _)| n == name));
        assert!(known, "{file}::{name} is gone: drop it from the exceptions");
    }
}

#[test]
fn every_key_begins_with_the_namespace() {
    for (version, schema) in migration::STEPS {
        let tables = schema.matches("CREATE TABLE").count();
        assert_eq!(schema.matches("PRIMARY KEY (namespace").count(), tables, "step {version}");
    }
}

#[tokio::test]
async fn every_statement_prepares() {
    let (store, _folder) = fresh().await;
    for (file, statements) in FILES {
        for (name, sql) in *statements {
            let prepared = store.writer.prepare(sql.into_sql_str()).await;
            assert!(prepared.is_ok(), "{file}::{name}: {:?}", prepared.err());
        }
    }
}

#[tokio::test]
async fn the_file_is_for_its_owner_only() {
    let (_store, folder) = fresh().await;
    let mode = std::fs::metadata(folder.path().join("creto.db")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[tokio::test]
async fn the_newest_calls_come_out_of_the_index() {
    let (store, _folder) = fresh().await;
    let plan: Vec<(i64, i64, i64, String)> = sqlx::query_as(
        "EXPLAIN QUERY PLAN SELECT * FROM calls WHERE namespace = 'a' AND at_us >= 0 AND at_us < 9 \
         AND (at_us, sidecar_id, spool_epoch, sequence) < (5, 'x', 1, 1) \
         ORDER BY at_us DESC, sidecar_id DESC, spool_epoch DESC, sequence DESC LIMIT 10",
    )
    .fetch_all(&store.readers)
    .await
    .unwrap();
    let text = plan.iter().map(|row| row.3.as_str()).collect::<Vec<_>>().join("; ");
    assert!(text.contains("calls_by_time"), "{text}");
    assert!(!text.contains("TEMP B-TREE"), "{text}");
}

macro_rules! conforms {
    ($($name:ident),+ $(,)?) => {
        $(#[tokio::test]
        async fn $name() {
            let (store, _folder) = fresh().await;
            conformance::$name(&store).await;
        })+
    };
}

conforms!(
    agents_are_kept_by_namespace,
    a_name_or_key_is_never_taken_twice,
    a_rotated_key_ends_its_delegations,
    a_revoked_agent_does_not_come_back,
    a_revoked_link_ends_all_that_stands_on_it,
    an_enrolment_token_works_once,
    only_those_who_delegate_concern_others,
    chain_keys_rotate,
    a_policy_epoch_only_grows,
    what_sidecars_run_is_noted,
    sidecar_events_are_kept_newest_first_and_bounded,
    policies_count_their_applications,
    reported_calls_are_kept_once,
    calls_are_paged_newest_first,
    what_calls_meant_and_used_is_kept,
    operator_tokens_are_found_by_digest,
    secrets_count_their_versions,
    secrets_are_kept_by_namespace,
    secrets_of_other_keys_are_found_and_resealed,
);
