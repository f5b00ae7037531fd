//! Taking in what was exported, by a database that has nothing yet.

use std::collections::HashMap;

use sqlx::{AnyConnection, AssertSqlSafe, Connection as _, Executor as _};
use tokio::sync::mpsc;

use super::connection::Connector;
use super::dialect::Dialect;
use super::export::{Column, columns};
use super::failure::store_error;
use super::statement::{CHUNK, Statement, Value};
use crate::StoreError;
use crate::export::{Lines, Next, bad, tables};

const DOING: &str = "taking records in";

/// Takes all in, in one transaction, on a connection of its own.
pub(super) async fn run(connector: &Connector, from: mpsc::Receiver<Vec<u8>>) -> Result<u64, StoreError> {
    let lines = Lines::begin(from).await?;
    let mut connection = connector.connect().await?;
    let dialect = connector.dialect;
    plain(&mut connection, dialect.begin()).await?;
    let outcome = Import { connection: &mut connection, dialect, lines }.run().await;
    let end = if outcome.is_ok() { "COMMIT" } else { "ROLLBACK" };
    let ended = plain(&mut connection, end).await;
    let rows = outcome?;
    ended?;
    if let Err(error) = connection.close().await {
        tracing::warn!(%error, "the connection on which records were taken in did not end in order");
    }
    Ok(rows)
}

struct Import<'a> {
    connection: &'a mut AnyConnection,
    dialect: Dialect,
    lines: Lines,
}

/// The table whose rows come.
struct Target {
    name: &'static str,
    /// Its columns in the order in which the export has them.
    columns: Vec<Column>,
    rows: Vec<Vec<Value>>,
}

impl Import<'_> {
    async fn run(mut self) -> Result<u64, StoreError> {
        self.refuse_if_not_empty().await?;
        let mut target: Option<Target> = None;
        loop {
            match self.lines.next().await? {
                Next::Table(name, names) => {
                    self.flush(target.take()).await?;
                    target = Some(self.target(name, names).await?);
                }
                Next::Row(values) => {
                    let Some(into) = &mut target else { return Err(bad("it has a row before any table")) };
                    into.add(values)?;
                    if into.rows.len() == CHUNK {
                        let rows = std::mem::take(&mut into.rows);
                        let (name, columns) = (into.name, into.columns.clone());
                        self.flush(Some(Target { name, columns, rows })).await?;
                    }
                }
                Next::End(rows) => {
                    self.flush(target.take()).await?;
                    return Ok(rows);
                }
            }
        }
    }

    /// Nobody else may write until this is done: what they would begin is what is being brought.
    async fn refuse_if_not_empty(&mut self) -> Result<(), StoreError> {
        if self.dialect == Dialect::Postgres {
            let all = tables().collect::<Vec<_>>().join(", ");
            let lock = format!("LOCK TABLE {all} IN ACCESS EXCLUSIVE MODE");
            let locked = self.connection.execute(sqlx::raw_sql(AssertSqlSafe(lock))).await;
            locked.map_err(|error| store_error(DOING, error))?;
        }
        for table in tables() {
            // A new database begins with a counter that has counted nothing.
            let condition = if table == "counters" { " WHERE value <> 0" } else { "" };
            let look = Statement::new(format!("SELECT 1 FROM {table}{condition} LIMIT 1"));
            let found = look.into_query(self.dialect).fetch_optional(&mut *self.connection).await;
            if found.map_err(|error| store_error(DOING, error))?.is_some() {
                return Err(StoreError::NotEmpty { table });
            }
        }
        plain(self.connection, "DELETE FROM counters").await
    }

    async fn target(&mut self, name: &'static str, names: Vec<String>) -> Result<Target, StoreError> {
        let ours = columns(self.connection, self.dialect, name).await?;
        let mut known: HashMap<&str, &Column> = ours.iter().map(|column| (column.name.as_str(), column)).collect();
        let mut columns = Vec::with_capacity(names.len());
        for wanted in names {
            // Taken out, so that none comes twice.
            let column = known.remove(wanted.as_str());
            columns.push(
                column.cloned().ok_or_else(|| bad(format_args!("`{name}` has an unknown column, or one twice")))?,
            );
        }
        if self.lines.is_todays() && !known.is_empty() {
            return Err(bad(format_args!("`{name}` lacks columns")));
        }
        if columns.is_empty() {
            return Err(bad(format_args!("`{name}` has no columns")));
        }
        Ok(Target { name, columns, rows: Vec::new() })
    }

    async fn flush(&mut self, target: Option<Target>) -> Result<(), StoreError> {
        let Some(Target { name, columns, rows }) = target.filter(|target| !target.rows.is_empty()) else {
            return Ok(());
        };
        let names = columns.iter().map(|column| column.name.as_str()).collect::<Vec<_>>().join(", ");
        let mut insert = Statement::new(format!("INSERT INTO {name} ({names}) VALUES "));
        for (index, row) in rows.into_iter().enumerate() {
            insert = if index > 0 { insert.text(", ") } else { insert };
            insert = insert.list_of(row);
        }
        let inserted = insert.into_query(self.dialect).execute(&mut *self.connection).await;
        inserted.map(drop).map_err(|error| store_error(DOING, error))
    }
}

impl Target {
    /// Adds a row whose values are of the columns' types.
    fn add(&mut self, values: Vec<Value>) -> Result<(), StoreError> {
        let typed = |(value, column): (Value, &Column)| match (value, column.is_number) {
            (Value::Text(None) | Value::Number(None), true) => Ok(Value::Number(None)),
            (Value::Text(None) | Value::Number(None), false) => Ok(Value::Text(None)),
            (value @ Value::Number(_), true) | (value @ Value::Text(_), false) => Ok(value),
            _ => Err(bad(format_args!("a value of `{}` in `{}` has another type", column.name, self.name))),
        };
        let row = values.into_iter().zip(&self.columns).map(typed).collect::<Result<_, _>>()?;
        self.rows.push(row);
        Ok(())
    }
}

async fn plain(connection: &mut AnyConnection, text: &'static str) -> Result<(), StoreError> {
    connection.execute(sqlx::raw_sql(text)).await.map(drop).map_err(|error| store_error(DOING, error))
}
