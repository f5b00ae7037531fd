//! States in a SQLite file or in PostgreSQL: one code path, one SQL.
//!
//! A document is a row that counts its values, so the compare-and-set is one statement. A blob is a row and its pieces,
//! written in one transaction. The tables have names and migrations of their own and may lie beside others.
//!
//! Both databases and sqlx's `Any` agree on TEXT, BIGINT and bytes; nothing else is used.

mod connection;
mod failure;
mod migration;

use std::fmt;

use alfred_model::state::{BlobKey, StateName};
use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures::TryStreamExt as _;
use sqlx::{AnyPool, Row as _};

use super::frame::{Mark, frame, unframe};
use super::place::Place;
use super::{Backend, BackendError, Blob, BlobEntry, Document, Put, Revision, Swapped};
use connection::Dialect;
use failure::Failed as _;

/// Longest piece of a blob in one row, in bytes.
const CHUNK: usize = 1 << 20;

/// Rows are compared by their revision, so a value needs no mark to be told from another.
const NO_MARK: Mark = [0; 16];

/// States in a database.
pub struct Sql {
    place: Place,
    dialect: Dialect,
    pool: AnyPool,
}

impl Sql {
    /// Opens `sqlite://PATH` (made for this user alone, if it is missing) or `postgres://…`, and brings its tables up to
    /// date. Any number of processes may have it open.
    pub async fn open(address: &str) -> Result<Self, BackendError> {
        let (place, dialect, pool) = connection::open(address).await?;
        Ok(Self { place, dialect, pool })
    }

    fn unframed(&self, state: &StateName, revision: u64, stored: Vec<u8>) -> Result<Bytes, BackendError> {
        let content = unframe(&stored.into());
        let content = content.and_then(|content| content.ok_or("it is empty"));
        let damaged = |words| {
            let words = format_args!("the document of state `{state}`, revision {revision}: {words}");
            self.place.damaged_document(revision, words)
        };
        content.map_err(damaged)
    }

    async fn insert_blob(&self, state: &StateName, key: &BlobKey, content: &Blob) -> Result<Put, sqlx::Error> {
        let (state, key) = (state.as_str(), key.as_key());
        let mut transaction = self.pool.begin_with(self.dialect.begin()).await?;
        // Of two that insert the same row, the later waits here until the earlier has ended.
        let inserted =
            sqlx::query("INSERT INTO state_blobs (state, key, size) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING")
                .bind(state)
                .bind(&key)
                .bind(number(content.len()))
                .execute(&mut *transaction)
                .await?;
        if inserted.rows_affected() == 0 {
            transaction.rollback().await?;
            return Ok(Put::Exists);
        }
        for (chunk, place) in chunks(content).zip(0_i64..) {
            sqlx::query("INSERT INTO state_chunks (state, key, number, content) VALUES ($1, $2, $3, $4)")
                .bind(state)
                .bind(&key)
                .bind(place)
                .bind(Vec::from(chunk))
                .execute(&mut *transaction)
                .await?;
        }
        transaction.commit().await?;
        Ok(Put::Created)
    }

    /// The length that a blob must have, and its pieces: one statement, so that it is all of one moment.
    async fn select_blob(&self, state: &StateName, key: &BlobKey) -> Result<Option<(i64, Vec<Bytes>)>, sqlx::Error> {
        let key = key.as_key();
        let mut rows = sqlx::query(
            "SELECT state_blobs.size AS size, state_chunks.content AS content FROM state_blobs \
             LEFT JOIN state_chunks ON state_chunks.state = state_blobs.state AND state_chunks.key = state_blobs.key \
             WHERE state_blobs.state = $1 AND state_blobs.key = $2 ORDER BY state_chunks.number",
        )
        .bind(state.as_str())
        .bind(&key)
        .fetch(&self.pool);
        let mut found = None;
        while let Some(row) = rows.try_next().await? {
            let (_, pieces) = found.get_or_insert((row.try_get("size")?, Vec::new()));
            pieces.extend(row.try_get::<Option<Vec<u8>>, _>("content")?.map(Bytes::from));
        }
        Ok(found)
    }
}

impl fmt::Debug for Sql {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Sql({})", self.place.0)
    }
}

#[async_trait]
impl Backend for Sql {
    fn place(&self) -> &str {
        &self.place.0
    }

    async fn document(&self, state: &StateName) -> Result<Option<Document>, BackendError> {
        let question = "SELECT revision, content FROM state_documents WHERE name = $1 AND removed = 0";
        let row = sqlx::query(question).bind(state.as_str()).fetch_optional(&self.pool).await.failed(&self.place)?;
        let Some(row) = row else { return Ok(None) };
        let revision = revision(row.try_get("revision").failed(&self.place)?);
        let content = self.unframed(state, revision.0, row.try_get("content").failed(&self.place)?)?;
        Ok(Some(Document { revision, content }))
    }

    async fn swap_document(
        &self,
        state: &StateName,
        expected: Option<Revision>,
        content: Bytes,
    ) -> Result<Swapped, BackendError> {
        self.place.check_document(&content)?;
        let framed = Vec::from(frame(Some(&content), &NO_MARK));
        let query = match expected {
            Some(Revision(revision)) => sqlx::query(
                "UPDATE state_documents SET revision = revision + 1, content = $1 \
                 WHERE name = $2 AND removed = 0 AND revision = $3 RETURNING revision",
            )
            .bind(framed)
            .bind(state.as_str())
            .bind(number(revision)),
            None => sqlx::query(
                "INSERT INTO state_documents (name, revision, removed, content) VALUES ($1, 1, 0, $2) \
                 ON CONFLICT (name) DO UPDATE \
                 SET revision = state_documents.revision + 1, removed = 0, content = excluded.content \
                 WHERE state_documents.removed = 1 RETURNING revision",
            )
            .bind(state.as_str())
            .bind(framed),
        };
        self.swapped(query).await
    }

    async fn remove_document(&self, state: &StateName, expected: Revision) -> Result<Swapped, BackendError> {
        let query = sqlx::query(
            "UPDATE state_documents SET revision = revision + 1, removed = 1, content = $1 \
             WHERE name = $2 AND removed = 0 AND revision = $3 RETURNING revision",
        );
        let framed = Vec::from(frame(None, &NO_MARK));
        self.swapped(query.bind(framed).bind(state.as_str()).bind(number(expected.0))).await
    }

    async fn states(&self, after: Option<&StateName>, limit: usize) -> Result<Vec<StateName>, BackendError> {
        let question = "SELECT name FROM state_documents WHERE removed = 0 AND name > $1 ORDER BY name LIMIT $2";
        // No name is empty, so every name comes after this.
        let query = sqlx::query(question).bind(after.map_or("", StateName::as_str)).bind(number(limit));
        let rows = query.fetch_all(&self.pool).await.failed(&self.place)?;
        let names = rows.iter().map(|row| {
            let name: String = row.try_get("name").failed(&self.place)?;
            name.parse()
                .map_err(|error| self.place.damaged(format_args!("`state_documents` has a name that is none: {error}")))
        });
        names.collect()
    }

    async fn put_blob(&self, state: &StateName, key: &BlobKey, content: Blob) -> Result<Put, BackendError> {
        self.insert_blob(state, key, &content).await.failed(&self.place)
    }

    async fn blob(&self, state: &StateName, key: &BlobKey) -> Result<Option<Blob>, BackendError> {
        let Some((size, pieces)) = self.select_blob(state, key).await.failed(&self.place)? else {
            return Ok(None);
        };
        let blob = Blob(pieces);
        if number(blob.len()) != size {
            let length = blob.len();
            return Err(self
                .place
                .damaged(format_args!("version {key} of state `{state}` has {length} bytes of {size}")));
        }
        Ok(Some(blob))
    }

    async fn blobs(&self, state: &StateName) -> Result<Vec<BlobEntry>, BackendError> {
        let query = sqlx::query("SELECT key, size FROM state_blobs WHERE state = $1").bind(state.as_str());
        let rows = query.fetch_all(&self.pool).await.failed(&self.place)?;
        let mut entries = Vec::with_capacity(rows.len());
        for row in rows {
            let (key, size): (String, i64) =
                (row.try_get("key").failed(&self.place)?, row.try_get("size").failed(&self.place)?);
            let key = BlobKey::from_key(&key).ok_or_else(|| {
                self.place.damaged(format_args!("`state_blobs` has a key that is none for state `{state}`"))
            })?;
            entries.push(BlobEntry { key, size: u64::try_from(size).unwrap_or(0) });
        }
        entries.sort_unstable_by_key(|entry| entry.key);
        Ok(entries)
    }

    async fn delete_blob(&self, state: &StateName, key: &BlobKey) -> Result<(), BackendError> {
        let key = key.as_key();
        let delete = async {
            let mut transaction = self.pool.begin_with(self.dialect.begin()).await?;
            for statement in [
                "DELETE FROM state_blobs WHERE state = $1 AND key = $2",
                "DELETE FROM state_chunks WHERE state = $1 AND key = $2",
            ] {
                sqlx::query(statement).bind(state.as_str()).bind(&key).execute(&mut *transaction).await?;
            }
            transaction.commit().await
        };
        delete.await.failed(&self.place)
    }
}

impl Sql {
    /// Carries out a statement that returns the new revision if it changed anything.
    async fn swapped(
        &self,
        query: sqlx::query::Query<'_, sqlx::Any, sqlx::any::AnyArguments>,
    ) -> Result<Swapped, BackendError> {
        // All rows, of which there is at most one: SQLite ends a statement only when it is read to its end.
        let rows = query.fetch_all(&self.pool).await.failed(&self.place)?;
        let Some(row) = rows.first() else { return Ok(Swapped::Conflict) };
        Ok(Swapped::Done(revision(row.try_get("revision").failed(&self.place)?)))
    }
}

/// A length, limit or revision as the databases have it. None of ours reaches the end of their range.
fn number(value: impl TryInto<i64>) -> i64 {
    value.try_into().unwrap_or(i64::MAX)
}

fn revision(number: i64) -> Revision {
    Revision(u64::try_from(number).unwrap_or(0))
}

/// The content in pieces of [`CHUNK`] bytes, of which the last may be shorter.
fn chunks(content: &Blob) -> impl Iterator<Item = Bytes> {
    let mut pieces = content.0.iter().cloned();
    let mut piece = Bytes::new();
    std::iter::from_fn(move || {
        let mut chunk = BytesMut::new();
        loop {
            if piece.is_empty() {
                match pieces.next() {
                    Some(next) => piece = next,
                    None => return (!chunk.is_empty()).then(|| chunk.freeze()),
                }
            }
            let taken = piece.split_to(piece.len().min(CHUNK - chunk.len()));
            if chunk.is_empty() && taken.len() == CHUNK {
                return Some(taken);
            }
            chunk.extend_from_slice(&taken);
            if chunk.len() == CHUNK {
                return Some(chunk.freeze());
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_have_one_length_but_for_the_last() {
        let zeros = |length| Bytes::from(vec![0; length]);
        let content = Blob(vec![zeros(200), zeros(0), zeros(3 * CHUNK), zeros(CHUNK - 100), zeros(7)]);
        let lengths: Vec<usize> = chunks(&content).map(|chunk| chunk.len()).collect();
        assert_eq!(lengths, [CHUNK, CHUNK, CHUNK, CHUNK, 107]);
        assert_eq!(chunks(&zeros(2 * CHUNK).into()).count(), 2);
        assert_eq!(chunks(&Blob::default()).count(), 0);
    }
}
