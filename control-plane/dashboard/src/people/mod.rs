//! People who sign in: local accounts and their sessions.

mod account;
mod password;
mod sessions;

use std::path::Path;
use std::sync::Arc;

use creto_oversight::Person;
use creto_sql::{Database, Given, Row, Schema, SqlError, Step};
use tokio::sync::Semaphore;

pub use account::{Account, PeopleError, Role};
pub use sessions::SignedIn;

pub use crate::cookies::Token;

use crate::bounds::{MAX_ACCOUNTS, MAX_HASHING, MAX_HASHING_WAITING, PASSWORD_BYTES};

const SCHEMA: Schema = Schema {
    name: "people",
    steps: &[Step { tables: include_str!("../../migrations/0001_people.sql"), sqlite: "", postgres: "" }],
};

/// Longest name of a namespace.
const MAX_NAMESPACE: usize = 63;

/// Keeps accounts and sessions, in SQLite or PostgreSQL.
#[derive(Clone, Debug)]
pub struct PeopleDesk {
    pub(crate) database: Database,
    hashing: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
}

impl PeopleDesk {
    /// In a file, which is made (mode 0600) if it is not there. Several programs may have it open.
    ///
    /// # Errors
    /// [`PeopleError::Store`].
    pub async fn sqlite(path: &Path) -> Result<Self, PeopleError> {
        Ok(Self::over(Database::sqlite(path, &SCHEMA).await?))
    }

    /// In PostgreSQL, at a URL such as `postgres://user@host/database`. Its tables begin with `people_`.
    ///
    /// # Errors
    /// [`PeopleError::Store`].
    pub async fn postgres(url: &str) -> Result<Self, PeopleError> {
        Ok(Self::over(Database::postgres(url, &SCHEMA).await?))
    }

    fn over(database: Database) -> Self {
        let (hashing, waiting) =
            (Semaphore::new(MAX_HASHING), Semaphore::new(MAX_HASHING + MAX_HASHING_WAITING));
        Self { database, hashing: Arc::new(hashing), waiting: Arc::new(waiting) }
    }

    /// Closes it; what was committed is kept without.
    pub async fn close(&self) {
        self.database.close().await;
    }

    /// Adds an account.
    ///
    /// # Errors
    /// [`PeopleError::Namespace`], [`PeopleError::Password`], [`PeopleError::Exists`], [`PeopleError::Full`], or the store's.
    pub async fn add(
        &self,
        namespace: &str,
        name: &Person,
        role: Role,
        password: &str,
        now_ms: u64,
    ) -> Result<(), PeopleError> {
        check_namespace(namespace)?;
        let hash = self.hash(password).await?;
        let mut work = self.database.begin().await?;
        const COUNT: &str = "SELECT COUNT(*) FROM people_accounts WHERE namespace = $1";
        let found = work.row(COUNT, vec![namespace.into()]).await?.map_or(Ok(0), |mut row| row.number())?;
        if found >= MAX_ACCOUNTS {
            return Err(PeopleError::Full(namespace.to_owned()));
        }
        const ADD: &str = "INSERT INTO people_accounts (namespace, name, hash, role, disabled, created_ms, changed_ms) \
             VALUES ($1, $2, $3, $4, 0, $5, $5) ON CONFLICT DO NOTHING";
        let given = vec![
            namespace.into(),
            name.as_str().into(),
            hash.into(),
            role.name().into(),
            signed(now_ms).into(),
        ];
        if work.run(ADD, given).await? == 0 {
            return Err(PeopleError::Exists { namespace: namespace.to_owned(), name: name.to_string() });
        }
        Ok(work.commit().await?)
    }

    /// Gives an account another password; its sessions end.
    ///
    /// # Errors
    /// [`PeopleError::Password`], [`PeopleError::Unknown`], or the store's.
    pub async fn set_password(
        &self,
        namespace: &str,
        name: &Person,
        password: &str,
        now_ms: u64,
    ) -> Result<(), PeopleError> {
        let hash = self.hash(password).await?;
        const SET: &str =
            "UPDATE people_accounts SET hash = $3, changed_ms = $4 WHERE namespace = $1 AND name = $2";
        self.change(namespace, name, SET, vec![hash.into(), signed(now_ms).into()]).await
    }

    /// Disables an account: its sessions end, and nobody signs in with it.
    ///
    /// # Errors
    /// [`PeopleError::Unknown`], or the store's.
    pub async fn disable(&self, namespace: &str, name: &Person, now_ms: u64) -> Result<(), PeopleError> {
        self.switch(namespace, name, 1, now_ms).await
    }

    /// Enables an account again.
    ///
    /// # Errors
    /// [`PeopleError::Unknown`], or the store's.
    pub async fn enable(&self, namespace: &str, name: &Person, now_ms: u64) -> Result<(), PeopleError> {
        self.switch(namespace, name, 0, now_ms).await
    }

    async fn switch(
        &self,
        namespace: &str,
        name: &Person,
        disabled: i64,
        now_ms: u64,
    ) -> Result<(), PeopleError> {
        const SWITCH: &str =
            "UPDATE people_accounts SET disabled = $3, changed_ms = $4 WHERE namespace = $1 AND name = $2";
        self.change(namespace, name, SWITCH, vec![disabled.into(), signed(now_ms).into()]).await
    }

    /// Removes an account and its sessions. What it decided stays.
    ///
    /// # Errors
    /// [`PeopleError::Unknown`], or the store's.
    pub async fn remove(&self, namespace: &str, name: &Person) -> Result<(), PeopleError> {
        const REMOVE: &str = "DELETE FROM people_accounts WHERE namespace = $1 AND name = $2";
        self.change(namespace, name, REMOVE, Vec::new()).await
    }

    /// Ends an account's sessions and changes it, as one.
    async fn change(
        &self,
        namespace: &str,
        name: &Person,
        statement: &'static str,
        more: Vec<Given>,
    ) -> Result<(), PeopleError> {
        const END: &str = "DELETE FROM people_sessions WHERE namespace = $1 AND name = $2";
        let which: Vec<Given> = vec![namespace.into(), name.as_str().into()];
        let mut work = self.database.begin().await?;
        work.run(END, which.clone()).await?;
        if work.run(statement, which.into_iter().chain(more).collect()).await? == 0 {
            return Err(PeopleError::Unknown { namespace: namespace.to_owned(), name: name.to_string() });
        }
        Ok(work.commit().await?)
    }

    /// The accounts of a namespace by name, at most [`MAX_ACCOUNTS`].
    ///
    /// # Errors
    /// The store's.
    pub async fn list(&self, namespace: &str) -> Result<Vec<Account>, PeopleError> {
        const LIST: &str = "SELECT name, role, disabled, created_ms FROM people_accounts \
             WHERE namespace = $1 ORDER BY name LIMIT $2";
        let mut read = self.database.read().await?;
        let rows = read.rows(LIST, vec![namespace.into(), MAX_ACCOUNTS.into()]).await?;
        let account = |mut row: Row| {
            Ok(Account {
                namespace: namespace.to_owned(),
                name: row.text()?.parse().map_err(|error| damaged(&error))?,
                role: row.text()?.parse().map_err(|error| damaged(&error))?,
                disabled: row.number()? != 0,
                created_ms: row.number()?.unsigned_abs(),
            })
        };
        rows.into_iter().map(account).collect()
    }

    /// Whether a password is the one of an account that may sign in. It takes as long for names that there are not.
    ///
    /// # Errors
    /// [`PeopleError::Busy`], or the store's.
    pub async fn knows(&self, namespace: &str, name: &str, password: &str) -> Result<bool, PeopleError> {
        const HASH: &str = "SELECT hash, disabled FROM people_accounts WHERE namespace = $1 AND name = $2";
        // What is no name is asked of no database.
        let row = if check_namespace(namespace).is_ok() && name.parse::<Person>().is_ok() {
            let mut read = self.database.read().await?;
            read.row(HASH, vec![namespace.into(), name.into()]).await?
        } else {
            None
        };
        let (kept, may) = match row {
            Some(mut row) => (row.text()?, row.number()? == 0),
            None => (password::decoy(), false),
        };
        let fits = PASSWORD_BYTES.contains(&password.len());
        // One that cannot be right is hashed all the same, cut to a length that is.
        let mut tried = password.as_bytes().to_vec();
        tried.truncate(*PASSWORD_BYTES.end());
        let right = self.work(move || password::verifies(&tried, &kept)).await?;
        Ok(right && may && fits)
    }

    async fn hash(&self, password: &str) -> Result<String, PeopleError> {
        if !PASSWORD_BYTES.contains(&password.len()) {
            return Err(PeopleError::Password);
        }
        let password = password.as_bytes().to_vec();
        self.work(move || password::hash(&password)).await?
    }

    /// Hashes off the threads that serve, a few at once.
    async fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, PeopleError> {
        let _place = self.waiting.try_acquire().map_err(|_| PeopleError::Busy)?;
        let _turn = self.hashing.acquire().await.map_err(|_| PeopleError::Busy)?;
        tokio::task::spawn_blocking(work).await.map_err(|_| PeopleError::Busy)
    }
}

fn check_namespace(namespace: &str) -> Result<(), PeopleError> {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if namespace.is_empty() || namespace.len() > MAX_NAMESPACE || !namespace.bytes().all(plain) {
        return Err(PeopleError::Namespace(namespace.chars().take(MAX_NAMESPACE).collect()));
    }
    Ok(())
}

fn signed(ms: u64) -> i64 {
    i64::try_from(ms).unwrap_or(i64::MAX)
}

fn damaged(error: &dyn std::fmt::Display) -> PeopleError {
    PeopleError::Store(SqlError::Damaged(error.to_string()))
}
