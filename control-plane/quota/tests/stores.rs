//! What each store has to survive: restarts, second owners, flushed scripts, lost data.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a panic is a test's failure report")]

#[path = "support/redis_server.rs"]
#[allow(dead_code, unreachable_pub, reason = "tests of other kinds use the rest")]
mod redis_server;

use creto_quota::Report;
use creto_quota_issuer::{
    Answer, Ask, EmbeddedIssuer, Holder, Issuer, IssuerError, Period, QuotaLimit, RedisIssuer, RedisOptions,
};
use redis_server::RedisServer;
use sqlx::ConnectOptions as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

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
        Answer::Exhausted { .. } | Answer::Impossible { .. } => 0,
    }
}

async fn available(issuer: &dyn Issuer) -> u64 {
    issuer.usage(&limit(), NOW_MS).await.unwrap().usage.available
}

async fn connect(server: &RedisServer, durable: bool) -> Result<RedisIssuer, IssuerError> {
    RedisIssuer::connect(RedisOptions { durable, ..RedisOptions::new(&server.url()) }).await
}

async fn keys(server: &RedisServer, pattern: &str) -> Vec<String> {
    let client = redis::Client::open(server.url()).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    redis::cmd("KEYS").arg(pattern).query_async(&mut connection).await.unwrap()
}

/// Between a client and Redis: what one answers of its run, the other does not get to see.
async fn without_run_id(server: &RedisServer) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let behind = server.url().trim_start_matches("redis://").to_owned();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let redis = TcpStream::connect(&behind).await.unwrap();
            let ((mut asked, mut answer), (mut answered, mut ask)) =
                (client.into_split(), redis.into_split());
            tokio::spawn(async move { tokio::io::copy(&mut asked, &mut ask).await });
            tokio::spawn(async move {
                let mut bytes = vec![0; 1 << 16];
                while let Ok(count @ 1..) = answered.read(&mut bytes).await {
                    let part = &mut bytes[..count];
                    if let Some(at) = part.windows(7).position(|window| window == b"run_id:") {
                        part[at..at + 7].copy_from_slice(b"nothing");
                    }
                    answer.write_all(part).await.unwrap();
                }
            });
        }
    });
    format!("redis://127.0.0.1:{port}")
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
async fn a_loss_is_of_the_latest_moment_that_was_ever_named() {
    let server = RedisServer::durable().await;
    let issuer = connect(&server, true).await.unwrap();
    issuer.open_namespace("acme").await.unwrap();
    let at = async |hours: u64| {
        let ask = Ask { request: 1, wanted: 10, needed: 0 };
        let now_ms = NOW_MS + hours * 3_600_000;
        let holder = Holder::new("s", hours + 1);
        issuer.grant(&limit(), &holder, &ask, None, now_ms).await.map(|granted| granted.answer)
    };
    assert!(matches!(at(2).await, Ok(Answer::Lease(_))));
    command(&server, &["FLUSHALL"]).await;
    // The clock was put back: what was used of the window that is still to come is lost too.
    for hours in 0..3 {
        assert!(matches!(at(hours).await, Ok(Answer::Exhausted { .. })), "{hours}");
    }
    assert!(matches!(at(3).await, Ok(Answer::Lease(_))));
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

#[tokio::test]
async fn a_key_that_is_gone_from_redis_closes_the_window_under_way() {
    for (gone, is_known) in [
        (&["limit:tokens:head"][..], false),
        (&["limit:tokens:windows"], false),
        (&["limit:tokens:head", "limits"], true),
        (&["limits"], true),
        (
            &["limit:tokens:head", "limit:tokens:windows", "limit:tokens:leases", "limit:tokens:holders"],
            false,
        ),
    ] {
        let server = RedisServer::durable().await;
        let issuer = connect(&server, true).await.unwrap();
        issuer.open_namespace("acme").await.unwrap();
        assert_eq!(lease(&issuer, 1).await, 100);
        for key in gone {
            command(&server, &["DEL", &format!("acme:{{acme}}:quota:{key}")]).await;
        }
        // Who only looks sees it too, where nothing is left to be seen.
        assert!(is_known || gone == ["limit:tokens:head"] || available(&issuer).await == 0, "{gone:?}");
        assert_eq!((lease(&issuer, 2).await, available(&issuer).await), (0, 0), "{gone:?}");
        issuer.expire(&limit(), NOW_MS + 120_000).await.unwrap();
        assert_eq!(available(&issuer).await, 0, "{gone:?}");
        let later = issuer.usage(&limit(), NOW_MS + 3_600_000).await.unwrap();
        assert_eq!(later.usage.available, 1_000, "the next window is open");
    }
}

#[tokio::test]
async fn rows_that_are_gone_from_a_file_close_the_window_under_way() {
    for gone in ["quota_limits", "quota_windows"] {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("quota.db");
        let issuer = EmbeddedIssuer::open(&file).await.unwrap();
        issuer.open_namespace("acme").await.unwrap();
        assert_eq!(lease(&issuer, 1).await, 100);
        issuer.close().await.unwrap();
        let mut rows = sqlx::sqlite::SqliteConnectOptions::new().filename(&file).connect().await.unwrap();
        let sql =
            if gone == "quota_limits" { "DELETE FROM quota_limits" } else { "DELETE FROM quota_windows" };
        sqlx::query(sql).execute(&mut rows).await.unwrap();
        sqlx::Connection::close(rows).await.unwrap();
        let issuer = EmbeddedIssuer::open(&file).await.unwrap();
        assert_eq!((lease(&issuer, 2).await, available(&issuer).await), (0, 0), "{gone}");
        issuer.expire(&limit(), NOW_MS + 120_000).await.unwrap();
        let later = issuer.usage(&limit(), NOW_MS + 3_600_000).await.unwrap();
        assert_eq!(later.usage.available, 1_000, "the next window is open");
        issuer.close().await.unwrap();
    }
}

#[tokio::test]
async fn a_redis_that_hides_its_settings_must_not_evict() {
    let server = RedisServer::start(&FORGETFUL).await;
    command(&server, &["ACL", "SETUSER", "app", "on", ">secret", "~*", "&*", "+@all", "-config"]).await;
    let url = server.url().replace("redis://", "redis://app:secret@");
    let options = RedisOptions { durable: false, ..RedisOptions::new(&url) };
    RedisIssuer::connect(options.clone()).await.unwrap();
    command(&server, &["CONFIG", "SET", "maxmemory", "100mb", "maxmemory-policy", "allkeys-lru"]).await;
    let refused = RedisIssuer::connect(options).await.unwrap_err();
    assert!(refused.to_string().contains("allkeys-lru"), "{refused}");
    assert!(refused.to_string().contains("set maxmemory-policy noeviction"), "{refused}");
}

#[tokio::test]
async fn a_redis_that_does_not_tell_its_run_is_refused() {
    let server = RedisServer::start(&FORGETFUL).await;
    let url = without_run_id(&server).await;
    let options = RedisOptions { durable: false, ..RedisOptions::new(&url) };
    let refused = RedisIssuer::connect(options).await.unwrap_err();
    assert!(matches!(&refused, IssuerError::NotDurable { why, .. } if why.contains("run_id")), "{refused}");
}

#[tokio::test]
async fn data_that_went_back_is_noticed_however_busy_others_are() {
    let server = RedisServer::durable().await;
    let (issuer, other) = (connect(&server, true).await.unwrap(), connect(&server, true).await.unwrap());
    issuer.open_namespace("acme").await.unwrap();
    other.open_namespace("acme").await.unwrap();
    lease(&issuer, 1).await;
    for key in keys(&server, "acme:*").await {
        command(&server, &["COPY", &key, &format!("backup:{key}")]).await;
    }
    lease(&issuer, 2).await;
    for key in keys(&server, "acme:*").await {
        command(&server, &["DEL", &key]).await;
    }
    for key in keys(&server, "backup:*").await {
        command(&server, &["COPY", &key, &key["backup:".len()..]]).await;
    }
    // The marker all share is soon above what was lost.
    for _ in 0..10 {
        assert_eq!(available(&other).await, 900);
    }
    assert_eq!((lease(&issuer, 3).await, available(&issuer).await), (0, 0));
    assert_eq!(available(&other).await, 0);
}

#[tokio::test]
async fn markers_of_control_planes_are_bounded() {
    let server = RedisServer::durable().await;
    let issuer = connect(&server, true).await.unwrap();
    issuer.open_namespace("acme").await.unwrap();
    let run = "acme:{acme}:quota:run";
    for gone in 0..300 {
        command(&server, &["HSET", run, &format!("seen:{gone}"), "0"]).await;
    }
    let client = redis::Client::open(server.url()).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    let mut before: u64 = redis::cmd("HLEN").arg(run).query_async(&mut connection).await.unwrap();
    for _ in 0..3 {
        let another = connect(&server, true).await.unwrap();
        assert_eq!(available(&another).await, 1_000);
        let after: u64 = redis::cmd("HLEN").arg(run).query_async(&mut connection).await.unwrap();
        assert_eq!(after, before, "one comes, the one silent the longest goes");
        before = after;
    }
    assert_eq!(lease(&issuer, 1).await, 100, "who is heard of stays");
}

#[tokio::test]
async fn a_backup_put_in_place_of_a_file_closes_the_windows_under_way() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("quota.db");
    let backup = folder.path().join("backup");
    let issuer = EmbeddedIssuer::open(&file).await.unwrap();
    issuer.open_namespace("acme").await.unwrap();
    assert_eq!(lease(&issuer, 1).await, 100);
    issuer.close().await.unwrap();
    std::fs::copy(&file, &backup).unwrap();
    let issuer = EmbeddedIssuer::open(&file).await.unwrap();
    assert_eq!(lease(&issuer, 2).await, 100);
    for sequence in 1..=150 {
        let report = Report { sequence, leases: Vec::new(), overage: 0 };
        issuer.report(&limit(), &Holder::new("s", 1), &report, NOW_MS).await.unwrap();
    }
    issuer.close().await.unwrap();
    // As it was left it is as good as ever, however often it is opened.
    for _ in 0..3 {
        let issuer = EmbeddedIssuer::open(&file).await.unwrap();
        assert_eq!(available(&issuer).await, 800);
        issuer.close().await.unwrap();
    }
    std::fs::copy(&backup, &file).unwrap();
    for _ in 0..2 {
        let issuer = EmbeddedIssuer::open(&file).await.unwrap();
        assert_eq!(
            (lease(&issuer, 3).await, available(&issuer).await),
            (0, 0),
            "the second lease is not known"
        );
        issuer.close().await.unwrap();
    }
    let issuer = EmbeddedIssuer::open(&file).await.unwrap();
    let now_ms = NOW_MS + 365 * 86_400_000;
    let ask = Ask { request: 4, wanted: 0, needed: 100 };
    let granted = issuer.grant(&limit(), &Holder::new("s", 1), &ask, None, now_ms).await.unwrap();
    assert!(matches!(granted.answer, Answer::Lease(_)), "a window begun after the loss is open");
    issuer.close().await.unwrap();
}

#[tokio::test]
async fn what_is_about_the_store_is_not_for_those_who_ask() {
    let server = RedisServer::start(&FORGETFUL).await;
    let refused = connect(&server, true).await.unwrap_err();
    assert!(refused.to_string().contains("127.0.0.1") && !refused.concerns_the_asker(), "{refused}");
    let away = IssuerError::Away("redis://h".into());
    assert!(!away.concerns_the_asker());
    assert!(IssuerError::NotGranted { id: 1, epoch: 1 }.concerns_the_asker());
}
