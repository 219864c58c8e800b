//! Sessions: a random token in the browser, its hash here.

use creto_oversight::Person;

use super::{PeopleDesk, PeopleError, Role, Token, damaged, signed};
use crate::bounds::{MAX_SESSIONS, SEEN_EVERY_MS, SESSION_IDLE_MS, SESSION_MS};

/// One who is signed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedIn {
    /// The namespace whose requests they see.
    pub namespace: String,
    /// Who.
    pub person: Person,
    /// What they may do.
    pub role: Role,
    /// The session.
    pub token: Token,
}

impl PeopleDesk {
    /// Begins a session of an account. Sessions that are over go, and the oldest of this account when it has too many.
    ///
    /// # Errors
    /// The store's, an account that there is not included.
    pub async fn begin_session(
        &self,
        namespace: &str,
        name: &str,
        now_ms: u64,
    ) -> Result<Token, PeopleError> {
        const OVER: &str = "DELETE FROM people_sessions WHERE created_ms <= $1 OR seen_ms <= $2";
        const OLDEST: &str = "DELETE FROM people_sessions WHERE token IN (SELECT token FROM people_sessions \
             WHERE namespace = $1 AND name = $2 ORDER BY created_ms DESC, token LIMIT 1000 OFFSET $3)";
        const BEGIN: &str = "INSERT INTO people_sessions (token, namespace, name, created_ms, seen_ms) \
             VALUES ($1, $2, $3, $4, $4)";
        let token = Token::random()?;
        let mut work = self.database.begin().await?;
        let over = vec![
            signed(now_ms.saturating_sub(SESSION_MS)).into(),
            signed(now_ms.saturating_sub(SESSION_IDLE_MS)).into(),
        ];
        work.run(OVER, over).await?;
        work.run(OLDEST, vec![namespace.into(), name.into(), (MAX_SESSIONS - 1).into()]).await?;
        work.run(BEGIN, vec![token.kept().into(), namespace.into(), name.into(), signed(now_ms).into()])
            .await?;
        work.commit().await?;
        Ok(token)
    }

    /// Whose session it is; none when it is over, or its account was disabled. `active`: a person does something, which keeps it
    /// from ending; a page that looks by itself is none.
    ///
    /// # Errors
    /// The store's.
    pub async fn session(
        &self,
        token: &Token,
        active: bool,
        now_ms: u64,
    ) -> Result<Option<SignedIn>, PeopleError> {
        const SESSION: &str = "SELECT s.namespace, s.name, a.role, s.seen_ms FROM people_sessions s \
             JOIN people_accounts a ON a.namespace = s.namespace AND a.name = s.name \
             WHERE s.token = $1 AND a.disabled = 0 AND s.created_ms > $2 AND s.seen_ms > $3";
        const SEEN: &str = "UPDATE people_sessions SET seen_ms = $2 WHERE token = $1 AND seen_ms < $2";
        let given = vec![
            token.kept().into(),
            signed(now_ms.saturating_sub(SESSION_MS)).into(),
            signed(now_ms.saturating_sub(SESSION_IDLE_MS)).into(),
        ];
        let mut read = self.database.read().await?;
        let Some(mut row) = read.row(SESSION, given).await? else { return Ok(None) };
        drop(read);
        let signed_in = SignedIn {
            namespace: row.text()?,
            person: row.text()?.parse().map_err(|error| damaged(&error))?,
            role: row.text()?.parse().map_err(|error| damaged(&error))?,
            token: token.clone(),
        };
        if active && row.number()?.unsigned_abs().saturating_add(SEEN_EVERY_MS) <= now_ms {
            let mut work = self.database.begin().await?;
            work.run(SEEN, vec![token.kept().into(), signed(now_ms).into()]).await?;
            work.commit().await?;
        }
        Ok(Some(signed_in))
    }

    /// Ends a session.
    ///
    /// # Errors
    /// The store's.
    pub async fn end_session(&self, token: &Token) -> Result<(), PeopleError> {
        let mut work = self.database.begin().await?;
        work.run("DELETE FROM people_sessions WHERE token = $1", vec![token.kept().into()]).await?;
        Ok(work.commit().await?)
    }
}
