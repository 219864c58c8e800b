//! The suite, on both backends.

use crate::{EmbeddedIssuer, RedisIssuer, RedisOptions};

#[path = "../tests/support/redis_server.rs"]
#[allow(dead_code, unreachable_pub, reason = "tests of other kinds use the rest")]
mod redis_server;

macro_rules! on_both {
    ($($scenario:ident)+) => {
        mod embedded {
            $(#[tokio::test]
            async fn $scenario() {
                let folder = tempfile::tempdir().unwrap();
                let issuer = super::EmbeddedIssuer::open(&folder.path().join("quota.db")).await.unwrap();
                crate::conformance::$scenario(&issuer).await;
                issuer.close().await.unwrap();
            })+
        }
        mod redis {
            $(#[tokio::test]
            async fn $scenario() {
                let server = super::redis_server::RedisServer::durable().await;
                let issuer = super::RedisIssuer::connect(super::RedisOptions::new(&server.url())).await.unwrap();
                crate::conformance::$scenario(&issuer).await;
            })+
        }
    };
}

crate::every_scenario!(on_both);
