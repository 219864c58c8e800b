//! The connection to Redis: made again when it breaks, and trusted only after Redis said that it keeps what it answers.

use std::time::Duration;

use ::redis::aio::MultiplexedConnection;
use ::redis::{AsyncConnectionConfig, Client, RedisError, ServerErrorKind, Value, cmd};
use tokio::sync::Mutex;

use super::RedisOptions;
use crate::IssuerError;

/// How long connecting may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// How long an answer may take; after that the connection is made again.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);
/// Requests in flight on the connection; who comes on top waits.
const MAX_IN_FLIGHT: usize = 1_024;
/// Times a request is sent, over a new connection each: it is safe to repeat.
const TRIES: usize = 2;

/// A connection that passed the questions.
#[derive(Clone)]
struct Checked {
    connection: MultiplexedConnection,
    /// The run of the server's process, which a connection does not outlive.
    run_id: String,
    /// The name of the script, as the server knows it.
    script: String,
    /// Which connection of this link it is.
    turn: u64,
}

/// The connection to one Redis.
pub(super) struct Link {
    client: Client,
    options: RedisOptions,
    script: String,
    current: Mutex<(u64, Option<Checked>)>,
}

/// A field of what INFO answers; empty when it is not there.
fn field<'a>(info: &'a str, name: &str) -> &'a str {
    let value = |line: &'a str| line.strip_prefix(name)?.strip_prefix(':');
    info.lines().find_map(value).unwrap_or_default().trim()
}

fn is_no_script(error: &RedisError) -> bool {
    error.kind() == ::redis::ErrorKind::Server(ServerErrorKind::NoScript)
}

fn away(error: &RedisError) -> IssuerError {
    IssuerError::Away(error.to_string())
}

impl Link {
    pub(super) fn new(options: RedisOptions, script: String) -> Result<Self, IssuerError> {
        let client = Client::open(options.url.as_str()).map_err(|error| away(&error))?;
        Ok(Self { client, options, script, current: Mutex::new((0, None)) })
    }

    /// The address, without what it may hold of a password.
    fn address(&self) -> String {
        self.client.get_connection_info().addr().to_string()
    }

    /// Has a connection that passed the questions.
    pub(super) async fn check(&self) -> Result<(), IssuerError> {
        self.checked(None).await.map(drop)
    }

    /// Runs the script. `arguments` makes them for a run of the server.
    pub(super) async fn run(
        &self,
        keys: &[String],
        arguments: impl Fn(&str) -> Vec<String> + Send + Sync,
    ) -> Result<Vec<Value>, IssuerError> {
        let (mut failed, mut failure) = (None, IssuerError::Away("Redis did not answer".into()));
        for _ in 0..TRIES {
            let mut checked = self.checked(failed).await?;
            let command = |script: &str, run_id: &str| {
                let mut command = cmd("EVALSHA");
                command.arg(script).arg(keys.len()).arg(keys).arg(arguments(run_id));
                command
            };
            let mut answer =
                command(&checked.script, &checked.run_id).query_async(&mut checked.connection).await;
            // Scripts are flushed by operators; nothing was done.
            if answer.as_ref().is_err_and(is_no_script) {
                answer = match self.load(&mut checked.connection).await {
                    Ok(script) => {
                        command(&script, &checked.run_id).query_async(&mut checked.connection).await
                    }
                    Err(error) => Err(error),
                };
            }
            match answer {
                Ok(answer) => return Ok(answer),
                Err(error) => (failed, failure) = (Some(checked.turn), away(&error)),
            }
        }
        // Whoever comes next begins with a new connection.
        let mut current = self.current.lock().await;
        current.1.take_if(|checked| Some(checked.turn) == failed);
        Err(failure)
    }

    async fn load(&self, connection: &mut MultiplexedConnection) -> Result<String, RedisError> {
        cmd("SCRIPT").arg("LOAD").arg(&self.script).query_async(connection).await
    }

    /// The connection, or a new one in place of the one that failed.
    async fn checked(&self, failed: Option<u64>) -> Result<Checked, IssuerError> {
        let mut current = self.current.lock().await;
        current.1.take_if(|checked| Some(checked.turn) == failed);
        if let Some(checked) = &current.1 {
            return Ok(checked.clone());
        }
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT_TIMEOUT))
            .set_response_timeout(Some(ANSWER_TIMEOUT))
            .set_concurrency_limit(MAX_IN_FLIGHT);
        let mut connection = self
            .client
            .get_multiplexed_async_connection_with_config(&config)
            .await
            .map_err(|error| away(&error))?;
        self.require_durable(&mut connection).await?;
        let info: String =
            cmd("INFO").arg("server").query_async(&mut connection).await.map_err(|error| away(&error))?;
        let run_id = field(&info, "run_id").to_owned();
        if run_id.is_empty() {
            return Err(self.refused(
                "it does not tell its run_id, so a restart that forgets goes unnoticed".into(),
                "use a Redis whose INFO server tells run_id",
            ));
        }
        let script = self.load(&mut connection).await.map_err(|error| away(&error))?;
        current.0 += 1;
        let checked = Checked { connection, run_id, script, turn: current.0 };
        current.1 = Some(checked.clone());
        Ok(checked)
    }

    /// Asks again whether Redis keeps what it answers: its settings can be changed while it runs.
    pub(super) async fn check_again(&self) -> Result<(), IssuerError> {
        let mut checked = self.checked(None).await?;
        let result = self.require_durable(&mut checked.connection).await;
        if result.is_err() {
            let mut current = self.current.lock().await;
            current.1.take_if(|now| now.turn == checked.turn);
        }
        result
    }

    fn refused(&self, why: String, next_step: &'static str) -> IssuerError {
        IssuerError::NotDurable { address: self.address(), why, next_step }
    }

    /// Where the settings are not told, what INFO says of memory has to do.
    async fn require_no_eviction(&self, connection: &mut MultiplexedConnection) -> Result<(), IssuerError> {
        let info: String =
            cmd("INFO").arg("memory").query_async(connection).await.map_err(|error| away(&error))?;
        match field(&info, "maxmemory_policy") {
            "noeviction" => Ok(()),
            policy => Err(self.refused(
                format!("maxmemory-policy {policy:?} may throw quotas away when memory runs out"),
                "set maxmemory-policy noeviction, or allow CONFIG GET to this user",
            )),
        }
    }

    /// Refuses a Redis that may forget what it answered.
    async fn require_durable(&self, connection: &mut MultiplexedConnection) -> Result<(), IssuerError> {
        let settings: Result<Vec<String>, _> = cmd("CONFIG")
            .arg("GET")
            .arg("appendonly")
            .arg("appendfsync")
            .arg("maxmemory")
            .arg("maxmemory-policy")
            .query_async(connection)
            .await;
        let settings = match settings {
            Ok(settings) => settings,
            Err(error) if error.is_io_error() => return Err(away(&error)),
            Err(_) if !self.options.durable => return self.require_no_eviction(connection).await,
            Err(error) => {
                return Err(self.refused(
                    format!("it does not tell its settings ({error})"),
                    "allow CONFIG GET to this user, or say redis.durable = false and accept closed windows after a restart",
                ));
            }
        };
        let setting = |name: &str| {
            let at = settings.chunks_exact(2).find(|pair| pair[0] == name);
            at.map_or("", |pair| pair[1].as_str())
        };
        if setting("maxmemory") != "0" && setting("maxmemory-policy").starts_with("allkeys") {
            let why = format!(
                "maxmemory-policy {} throws quotas away when memory runs out",
                setting("maxmemory-policy")
            );
            return Err(self.refused(why, "set maxmemory-policy noeviction"));
        }
        if !self.options.durable {
            return Ok(());
        }
        for (name, wanted) in [("appendonly", "yes"), ("appendfsync", "always")] {
            let found = setting(name);
            if found != wanted {
                return Err(self.refused(
                    format!(
                        "{name} is {found:?} and not {wanted:?}, so a crash forgets leases that were granted"
                    ),
                    "set appendonly yes and appendfsync always, or say redis.durable = false and accept closed windows after a restart",
                ));
            }
        }
        Ok(())
    }
}
