//! An issuer as a process of its own, for tests that kill it: JSON lines over loopback.
//!
//! `quota-issuer embedded FILE | redis URL`; prints its port. One request a line, one answer a line.
#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a program for tests: it says its port, and ends when confused"
)]

use std::path::Path;
use std::sync::Arc;

use creto_quota::{LeaseReport, Report};
use creto_quota_issuer::{
    Answer, Ask, EmbeddedIssuer, Granted, Holder, Issuer, IssuerError, LeaseTerms, Period, QuotaLimit,
    RedisIssuer, RedisOptions,
};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;

/// The limit the holders race on.
fn limit(amount: u64) -> QuotaLimit {
    let period = Period::Custom { seconds: 86_400 * 30, anchor_ms: 0 };
    let leases = LeaseTerms { life_ms: 5_000, minimum: 1 };
    QuotaLimit { leases, ..QuotaLimit::new("race", "tokens", "token", amount, period) }
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap()
}

fn report(value: &Value) -> Option<Report> {
    let lines = value["leases"].as_array()?.iter().map(|line| LeaseReport {
        epoch: number(&line[0]),
        id: number(&line[1]),
        spent: number(&line[2]),
        given_back: number(&line[3]),
        overrun: 0,
        last: number(&line[4]) == 1,
    });
    Some(Report { sequence: number(&value["sequence"]), leases: lines.collect(), overage: 0 })
}

fn granted(granted: &Granted) -> Value {
    let acknowledged = granted.reported.map_or(0, |reported| reported.acknowledged);
    match granted.answer {
        Answer::Lease(lease) => {
            json!({"lease": [lease.epoch, lease.id, lease.amount, lease.not_after_s], "acknowledged": acknowledged})
        }
        Answer::Impossible { amount } => json!({"amount": amount, "leased": 0, "acknowledged": acknowledged}),
        Answer::Exhausted { available, leased, .. } => {
            json!({"available": available, "leased": leased, "acknowledged": acknowledged})
        }
    }
}

async fn answer(issuer: &dyn Issuer, request: &Value) -> Result<Value, IssuerError> {
    let limit = limit(number(&request["amount"]));
    let now_ms = number(&request["now_ms"]);
    let name = request["holder"].as_str().unwrap_or("none");
    let holder = Holder::new(name, request["process"].as_u64().unwrap_or(0));
    let report = report(&request["report"]);
    match request["op"].as_str().unwrap() {
        "open" => issuer.open_namespace("race").await.map(|()| json!({})),
        "grant" => {
            let (request, wanted) = (number(&request["request"]), number(&request["wanted"]));
            let ask = Ask { request, wanted, needed: 0 };
            issuer.grant(&limit, &holder, &ask, report.as_ref(), now_ms).await.map(|answer| granted(&answer))
        }
        "report" => {
            let reported = issuer.report(&limit, &holder, &report.unwrap(), now_ms).await?;
            Ok(json!({"acknowledged": reported.acknowledged}))
        }
        "expire" => issuer.expire(&limit, now_ms).await.map(|expired| json!({"stranded": expired.stranded})),
        _ => {
            let usage = issuer.usage(&limit, now_ms).await?.usage;
            Ok(json!({
                "spent": usage.spent, "leased": usage.leased, "stranded": usage.stranded, "lost": usage.lost,
                "assumed": usage.assumed, "available": usage.available,
            }))
        }
    }
}

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let issuer: Arc<dyn Issuer> = match arguments[1].as_str() {
        "embedded" => Arc::new(EmbeddedIssuer::open(Path::new(&arguments[2])).await.unwrap()),
        _ => Arc::new(RedisIssuer::connect(RedisOptions::new(&arguments[2])).await.unwrap()),
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    println!("{}", listener.local_addr().unwrap().port());
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let issuer = Arc::clone(&issuer);
        tokio::spawn(async move {
            let (reader, mut writer) = stream.into_split();
            let mut lines = BufReader::new(reader).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                let request = serde_json::from_str(&line).unwrap();
                let answer = match answer(&*issuer, &request).await {
                    Ok(answer) => answer,
                    Err(error) => json!({"error": error.to_string()}),
                };
                if writer.write_all(format!("{answer}\n").as_bytes()).await.is_err() {
                    return;
                }
            }
        });
    }
}
