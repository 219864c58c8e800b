//! What each store has to survive: restarts, second owners, flushed scripts, lost data.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is a test's failure report")]

#[path = "support/redis_server.rs"]
#[allow(dead_code, unreachable_pub, reason = "tests of other kinds use the rest")]
mod redis_server;

use creto_quota_issuer::{
    Answer, Ask, EmbeddedIssuer, Holder, Issuer, IssuerError, Period, QuotaLimit, RedisIssuer, RedisOptions,
};
use redis_server::RedisServer;

const NOW_MS: u64 = 1_791_973_200_000;
const DURABLE: [&str; 4] = ["--appendonly", "yes", "--appendfsync", "always"];
const FORGETFUL: [&str; 4] = ["--appendonly", "yes", "--appendfsync", "everysec"];

fn limit() -> QuotaLimit {
    QuotaLimit::new("acme", "tokens", "token", 1_000, Period::Hourly)
}

async fn lease(issuer: &dyn Issuer, request: u64) -> u64 {
    let ask = Ask { request, wanted: 0, needed: 100 };
    match issuer.grant(&limit(), &Holder::new("s", 1), &ask, None, NOW_MS).await.unwrap().answer {
        Answer::Lease(lease) => lease.amount,
        Answer::Exhausted { .. } => 0,
    }
}

async fn available(issuer: &dyn Issuer) -> u64 {
    issuer.usage(&limit(), NOW_MS).await.unwrap().usage.available
}

async fn connect(server: &RedisServer, durable: bool) -> Result<RedisIssuer, IssuerError> {
    RedisIssuer::connect(RedisOptions { durable, ..RedisOptions::new(&server.url()) }).await
}

async fn command(server: &RedisServer, words: &[&str]) {
    let client = redis::Client::open(server.url()).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    let (name, rest) = words.split_first().unwrap();
    redis::cmd(name).arg(rest).query_async::<redis::Value>(&mut connection).await.unwrap();
}

#[tokio::test]
async fn a_file_keeps_what_was_granted_and_belongs_to_one_process() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("quota.db");
    let issuer = EmbeddedIssuer::open(&file).await.unwrap();
    issuer.open_namespace("acme").await.unwrap();
    assert_eq!(lease(&issuer, 1).await, 100);
    let second = EmbeddedIssuer::open(&file).await.unwrap_err();
    assert_eq!(second, IssuerError::InUse(file.clone()));
    issuer.close().await.unwrap();
    assert!(matches!(issuer.usage(&limit(), NOW_MS).await, Err(IssuerError::Away(_))));
    let issuer = EmbeddedIssuer::open(&file).await.unwrap();
    assert_eq!(
        (available(&issuer).await, lease(&issuer, 1).await, available(&issuer).await),
        (900, 100, 900)
    );
    issuer.close().await.unwrap();
}

#[tokio::test]
async fn a_file_that_is_gone_closes_the_windows_under_way() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("quota.db");
    let issuer = EmbeddedIssuer::open(&file).await.unwrap();
    issuer.open_namespace("acme").await.unwrap();
    lease(&issuer, 1).await;
    issuer.close().await.unwrap();
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        std::fs::remove_file(entry.unwrap().path()).unwrap();
    }
    let issuer = EmbeddedIssuer::open(&file).await.unwrap();
    assert_eq!((lease(&issuer, 2).await, available(&issuer).await), (0, 0));
    issuer.close().await.unwrap();
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("quota.db");
    std::fs::write(&file, vec![b'x'; 8192]).unwrap();
    assert!(matches!(EmbeddedIssuer::open(&file).await, Err(IssuerError::Damaged(_))));
    assert!(matches!(EmbeddedIssuer::open(folder.path()).await, Err(IssuerError::Open { .. })));
}

#[tokio::test]
async fn a_redis_that_may_forget_is_refused_with_what_to_do() {
    let server = RedisServer::start(&FORGETFUL).await;
    let refused = connect(&server, true).await.unwrap_err();
    assert!(matches!(&refused, IssuerError::NotDurable { why, .. } if why.contains("everysec")), "{refused}");
    assert!(refused.to_string().contains("redis.durable = false"));
    connect(&server, false).await.unwrap();
    command(&server, &["CONFIG", "SET", "maxmemory", "100mb", "maxmemory-policy", "allkeys-lru"]).await;
    for durable in [true, false] {
        let refused = connect(&server, durable).await.unwrap_err();
        assert!(refused.to_string().contains("set maxmemory-policy noeviction"), "{refused}");
    }
}

#[tokio::test]
async fn settings_changed_under_way_are_noticed() {
    let server = RedisServer::durable().await;
    let issuer = connect(&server, true).await.unwrap();
    issuer.open_namespace("acme").await.unwrap();
    lease(&issuer, 1).await;
    issuer.expire(&limit(), NOW_MS).await.unwrap();
    command(&server, &["CONFIG", "SET", "appendfsync", "no"]).await;
    assert!(matches!(issuer.expire(&limit(), NOW_MS).await, Err(IssuerError::NotDurable { .. })));
    assert!(matches!(issuer.usage(&limit(), NOW_MS).await, Err(IssuerError::NotDurable { .. })));
}

#[tokio::test]
async fn a_flushed_script_is_loaded_again() {
    let server = RedisServer::durable().await;
    let issuer = connect(&server, true).await.unwrap();
    issuer.open_namespace("acme").await.unwrap();
    for request in 1..=3 {
        command(&server, &["SCRIPT", "FLUSH"]).await;
        assert_eq!(lease(&issuer, request).await, 100);
    }
    assert_eq!(available(&issuer).await, 700);
}

#[tokio::test]
async fn a_durable_redis_that_was_killed_knows_what_it_granted() {
    let mut server = RedisServer::durable().await;
    let issuer = connect(&server, true).await.unwrap();
    issuer.open_namespace("acme").await.unwrap();
    assert_eq!(lease(&issuer, 1).await, 100);
    server.kill();
    assert!(matches!(issuer.usage(&limit(), NOW_MS).await, Err(IssuerError::Away(_))));
    server.run(&DURABLE).await;
    assert_eq!((lease(&issuer, 1).await, lease(&issuer, 2).await, available(&issuer).await), (100, 100, 800));
}

#[tokio::test]
async fn lost_data_closes_the_windows_under_way() {
    let mut server = RedisServer::durable().await;
    let issuer = connect(&server, true).await.unwrap();
    issuer.open_namespace("acme").await.unwrap();
    lease(&issuer, 1).await;
    server.kill();
    server.lose_data();
    server.run(&DURABLE).await;
    // Not even the one who opened it may say that it is new.
    issuer.open_namespace("acme").await.unwrap();
    assert_eq!((available(&issuer).await, lease(&issuer, 2).await, available(&issuer).await), (0, 0, 0));
    // Another control plane sees the same.
    let other = connect(&server, true).await.unwrap();
    other.open_namespace("acme").await.unwrap();
    assert_eq!(lease(&other, 2).await, 0);
}

#[tokio::test]
async fn data_that_went_back_closes_the_windows_under_way() {
    let server = RedisServer::durable().await;
    let issuer = connect(&server, true).await.unwrap();
    issuer.open_namespace("acme").await.unwrap();
    lease(&issuer, 1).await;
    // As a failover to a replica that is behind, or a backup, does.
    command(&server, &["HSET", "acme:{acme}:quota:run", "version", "1"]).await;
    assert_eq!((lease(&issuer, 2).await, available(&issuer).await), (0, 0));
}

#[tokio::test]
async fn a_restart_of_a_redis_that_may_forget_closes_the_windows_under_way() {
    let mut server = RedisServer::start(&FORGETFUL).await;
    let issuer = connect(&server, false).await.unwrap();
    issuer.open_namespace("acme").await.unwrap();
    assert_eq!(lease(&issuer, 1).await, 100);
    server.kill();
    server.run(&FORGETFUL).await;
    assert_eq!(lease(&issuer, 2).await, 0);
    let later = issuer.usage(&limit(), NOW_MS + 3_600_000).await.unwrap();
    assert_eq!(later.usage.available, 1_000, "the next window is open");
}

#[tokio::test]
async fn keys_begin_with_the_namespace_and_share_a_hash_tag() {
    let server = RedisServer::durable().await;
    let issuer = connect(&server, true).await.unwrap();
    issuer.open_namespace("acme").await.unwrap();
    lease(&issuer, 1).await;
    let client = redis::Client::open(server.url()).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    let keys: Vec<String> = redis::cmd("KEYS").arg("*").query_async(&mut connection).await.unwrap();
    assert!(keys.len() >= 6, "{keys:?}");
    assert!(keys.iter().all(|key| key.starts_with("acme:{acme}:quota:")), "{keys:?}");
}
