//! Rights on states, and the log of what was done to them.

use alfred_model::id::TokenId;
use alfred_model::state::log::{StateLogEntry, StateLogQuery};
use alfred_model::state::{Checksum, StateGrant, StatePattern, Subject, VersionKey};
use alfred_model::user::UserName;
use async_trait::async_trait;

use super::reader::Reader;
use super::row::{Record, Row};
use super::session::Session;
use super::statement::{Statement, Value};
use super::user::NewToken;
use super::writer::Work;
use crate::StoreError;

pub(crate) const GRANT: &str = "subject_kind, subject, pattern, rights, granted_by, granted_at";
pub(crate) const LINE: &str =
    "id, at, actor, token_id, state, action, outcome, serial, checksum, lock_id, bytes, remote, detail";

impl Record for StateGrant {
    const TABLE: &'static str = "state_grants";

    fn read(row: &Row<'_>) -> Result<Self, StoreError> {
        let (kind, name) = (row.text("subject_kind")?, row.text("subject")?);
        let subject =
            Subject::read(&kind, &name).ok_or_else(|| row.damaged("subject", "it is no user and no token"))?;
        Ok(Self {
            subject,
            pattern: row.parsed("pattern")?,
            rights: row.parsed("rights")?,
            by: row.parsed("granted_by")?,
            at: row.time("granted_at")?,
        })
    }
}

impl Record for StateLogEntry {
    const TABLE: &'static str = "state_log";

    fn read(row: &Row<'_>) -> Result<Self, StoreError> {
        let serial = row.maybe_parsed::<u64>("serial")?;
        let checksum = row.maybe_parsed::<Checksum>("checksum")?;
        let bytes = row.maybe_number("bytes")?.map(u64::try_from).transpose();
        Ok(Self {
            id: row.parsed("id")?,
            at: row.time("at")?,
            actor: row.text("actor")?,
            token: row.maybe_parsed("token_id")?,
            state: row.text("state")?,
            action: row.parsed("action")?,
            outcome: row.parsed("outcome")?,
            version: serial.zip(checksum).map(|(serial, sha256)| VersionKey { serial, sha256 }),
            lock_id: row.maybe_text("lock_id")?,
            bytes: bytes.map_err(|error| row.damaged("bytes", error))?,
            remote: row.maybe_text("remote")?,
            detail: row.maybe_text("detail")?,
        })
    }
}

impl Reader {
    pub(super) async fn state_grants(&self) -> Result<Vec<StateGrant>, StoreError> {
        let select = format!("SELECT {GRANT} FROM state_grants ORDER BY pattern, subject_kind, subject");
        self.all("reading rights on states", Statement::new(select)).await
    }

    pub(super) async fn state_grants_of(&self, user: &UserName, token: TokenId) -> Result<Vec<StateGrant>, StoreError> {
        let of = |kind: &str| format!("SELECT {GRANT} FROM state_grants WHERE subject_kind = '{kind}' AND subject = ");
        let select = Statement::new(of("user"))
            .value(user.as_str())
            .text(" UNION ALL ")
            .text(&of("token"))
            .value(Value::shown(&token));
        self.all("reading somebody's rights on states", select).await
    }

    pub(super) async fn state_log(&self, query: &StateLogQuery) -> Result<Vec<StateLogEntry>, StoreError> {
        let mut select = Statement::new(format!("SELECT {LINE} FROM state_log WHERE id IS NOT NULL"));
        if let Some(state) = &query.state {
            select = select.text(" AND state = ").value(state.as_str());
        }
        if let Some(before) = query.before {
            select = select.text(" AND id < ").value(Value::shown(&before));
        }
        let select = select.text(" ORDER BY id DESC LIMIT ").value(Value::count(query.limit));
        self.all("reading the log of states", select).await
    }
}

/// A token to add with its rights.
pub(super) struct NewLimitedToken {
    pub(super) token: NewToken,
    pub(super) grants: Vec<StateGrant>,
}

#[async_trait]
impl Work for NewLimitedToken {
    type Answer = ();

    async fn run(&self, session: &mut Session) -> Result<(), StoreError> {
        self.token.run(session).await?;
        for grant in &self.grants {
            put(session, grant).await?;
        }
        Ok(())
    }
}

/// A right to give, or to give anew.
pub(super) struct PutGrant(pub(super) StateGrant);

#[async_trait]
impl Work for PutGrant {
    type Answer = ();

    async fn run(&self, session: &mut Session) -> Result<(), StoreError> {
        let subject = &self.0.subject;
        let (table, column) = match subject {
            Subject::User(_) => ("users", "name"),
            Subject::Token(_) => ("access_tokens", "id"),
        };
        let select = format!("SELECT {column} AS id FROM {table} WHERE {column} = ");
        let select = Statement::new(select).value(subject.name());
        if session.read("looking for whom rights are given to", select).await?.is_empty() {
            return Err(StoreError::Conflict { what: format!("the {subject}") });
        }
        put(session, &self.0).await
    }
}

async fn put(session: &mut Session, grant: &StateGrant) -> Result<(), StoreError> {
    let insert = Statement::new(format!("INSERT INTO state_grants ({GRANT}) VALUES "))
        .list_of(grant_values(grant))
        .text(" ON CONFLICT (subject_kind, subject, pattern) DO UPDATE SET rights = excluded.rights, ")
        .text("granted_by = excluded.granted_by, granted_at = excluded.granted_at");
    session.write("giving rights on states", insert).await.map(drop)
}

/// A right to take away.
pub(super) struct RemoveGrant {
    pub(super) subject: Subject,
    pub(super) pattern: StatePattern,
}

#[async_trait]
impl Work for RemoveGrant {
    type Answer = bool;

    async fn run(&self, session: &mut Session) -> Result<bool, StoreError> {
        let delete = Statement::new("DELETE FROM state_grants WHERE subject_kind = ")
            .value(self.subject.kind())
            .text(" AND subject = ")
            .value(self.subject.name())
            .text(" AND pattern = ")
            .value(Value::shown(&self.pattern));
        Ok(session.write("taking rights on states away", delete).await? > 0)
    }
}

/// A line of the log.
pub(super) struct LogLine(pub(super) StateLogEntry);

#[async_trait]
impl Work for LogLine {
    type Answer = ();

    async fn run(&self, session: &mut Session) -> Result<(), StoreError> {
        let insert = Statement::new(format!("INSERT INTO state_log ({LINE}) VALUES ")).list_of(line_values(&self.0));
        session.write("writing the log of states", insert).await.map(drop)
    }
}

/// The values of [`GRANT`].
pub(crate) fn grant_values(grant: &StateGrant) -> Vec<Value> {
    vec![
        grant.subject.kind().into(),
        grant.subject.name().into(),
        Value::shown(&grant.pattern),
        Value::shown(&grant.rights),
        grant.by.as_str().into(),
        Value::time(grant.at),
    ]
}

/// The values of [`LINE`].
pub(crate) fn line_values(line: &StateLogEntry) -> Vec<Value> {
    vec![
        Value::shown(&line.id),
        Value::time(line.at),
        line.actor.as_str().into(),
        Value::maybe_shown(line.token),
        line.state.as_str().into(),
        line.action.as_str().into(),
        line.outcome.as_str().into(),
        Value::maybe_shown(line.version.map(|version| version.serial)),
        Value::maybe_shown(line.version.map(|version| version.sha256)),
        line.lock_id.as_deref().into(),
        Value::Number(line.bytes.map(|bytes| i64::try_from(bytes).unwrap_or(i64::MAX))),
        line.remote.as_deref().into(),
        line.detail.as_deref().into(),
    ]
}
