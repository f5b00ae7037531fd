//! Everything in the database as it is at one moment.

use futures::TryStreamExt as _;
use sqlx::{AnyConnection, Executor as _};
use tokio::sync::mpsc;

use super::dialect::Dialect;
use super::failure::store_error;
use super::reader::Reader;
use super::row::Row;
use super::statement::{Statement, Value};
use crate::StoreError;
use crate::export::{Parts, TABLES};

const DOING: &str = "exporting records";

/// A column of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Column {
    pub(super) name: String,
    /// Whether it holds numbers. Otherwise it holds texts.
    pub(super) is_number: bool,
}

impl Reader {
    /// Writes every row of every table, in one transaction that sees no other's writes. One row is held at a time, beside the
    /// part that is being filled.
    pub(super) async fn export(&self, into: mpsc::Sender<Vec<u8>>) -> Result<u64, StoreError> {
        let mut connection = self.pool.acquire().await.map_err(|error| store_error(DOING, error))?;
        // Whoever gives up in the middle leaves a transaction behind, which ends with the connection.
        connection.close_on_drop();
        plain(&mut connection, self.dialect().begin_snapshot()).await?;
        let mut parts = Parts::begin(into);
        for (table, order) in TABLES {
            export_table(&mut connection, self.dialect(), table, order, &mut parts).await?;
        }
        parts.end().await
    }
}

async fn export_table(
    connection: &mut AnyConnection,
    dialect: Dialect,
    table: &'static str,
    order: &str,
    parts: &mut Parts,
) -> Result<(), StoreError> {
    let columns = columns(connection, dialect, table).await?;
    parts.table(table, columns.iter().map(|column| column.name.clone()).collect());
    let names = columns.iter().map(|column| column.name.as_str()).collect::<Vec<_>>().join(", ");
    let select = Statement::new(format!("SELECT {names} FROM {table} ORDER BY {order}"));
    let mut rows = select.into_query(dialect).fetch(connection);
    while let Some(row) = rows.try_next().await.map_err(|error| store_error(DOING, error))? {
        let row = Row::new(&row, table);
        let value = |column: &Column| {
            Ok(if column.is_number {
                Value::Number(row.maybe_number(&column.name)?)
            } else {
                Value::Text(row.maybe_text(&column.name)?)
            })
        };
        let values = columns.iter().map(value).collect::<Result<_, StoreError>>()?;
        parts.row(values).await?;
    }
    Ok(())
}

/// The columns of one of our tables, as the migrations made them.
pub(super) async fn columns(
    connection: &mut AnyConnection,
    dialect: Dialect,
    table: &'static str,
) -> Result<Vec<Column>, StoreError> {
    let question = match dialect {
        Dialect::Sqlite => {
            Statement::new("SELECT name, type FROM pragma_table_info(").value(table).text(") ORDER BY cid")
        }
        Dialect::Postgres => Statement::new(
            "SELECT CAST(column_name AS TEXT) AS name, upper(CAST(data_type AS TEXT)) AS type \
             FROM information_schema.columns WHERE table_schema = current_schema() AND table_name = ",
        )
        .value(table)
        .text(" ORDER BY ordinal_position"),
    };
    let rows = question.into_query(dialect).fetch_all(connection).await.map_err(|error| store_error(DOING, error))?;
    let column = |row| {
        let row = Row::new(row, table);
        let name = row.text("name")?;
        // It becomes part of a statement.
        if name.is_empty() || !name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'_')) {
            return Err(row.damaged("name", "a column is called as none of ours is"));
        }
        match row.text("type")?.as_str() {
            "TEXT" => Ok(Column { name, is_number: false }),
            "INTEGER" | "BIGINT" => Ok(Column { name, is_number: true }),
            other => Err(row.damaged("type", format_args!("the column `{name}` has the type `{other}`"))),
        }
    };
    rows.iter().map(column).collect()
}

pub(super) async fn plain(connection: &mut AnyConnection, text: &'static str) -> Result<(), StoreError> {
    connection.execute(sqlx::raw_sql(text)).await.map(drop).map_err(|error| store_error(DOING, error))
}
