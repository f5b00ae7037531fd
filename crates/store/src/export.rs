//! Records on their way out of one store and into another, whatever kind each of them is.
//!
//! Lines of JSON: a head, then for each table its name and columns, then each of its rows, and an end that counts them.
//!
//! ```text
//! {"format":"alfred-records/1","schema":6}
//! {"table":"settings","columns":["name","value"]}
//! ["installation","0198c1de-7b0a-7000-8000-2f1d3c5b7a99"]
//! {"rows":1}
//! ```
//!
//! All values are texts, numbers and null. An export of an older schema may be taken in: what it lacks has its default, which
//! is right because migrations only add tables and columns; a test holds them to that. One of a later schema is refused.

use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use crate::StoreError;
use crate::sql::migration;
use crate::sql::statement::Value;

/// What the first line says.
const FORMAT: &str = "alfred-records/1";

/// A part ends after so many rows of a table, counted from the table's first: a table that is only added to leaves all parts
/// as they were but the one that it begins in and the one that it ends in.
const ROWS: u64 = 1_000;

/// A part ends when it is this long, in bytes, whatever is in it.
const LENGTH: usize = 4 << 20;

/// Longest line that is taken in, in bytes. Rows are far shorter: the longest holds a script of 16 KiB, or a thousand ids.
const LINE_MAX: usize = 16 << 20;

/// Every table with what orders its rows, in an order in which each comes after those that it refers to.
pub(crate) const TABLES: [(&str, &str); 14] = [
    ("settings", "name"),
    ("counters", "name"),
    ("environments", "id"),
    ("vms", "id"),
    ("intents", "id"),
    ("events", "sequence"),
    ("idempotency_keys", "user_name, request_key"),
    ("users", "name"),
    ("access_tokens", "id"),
    ("shared_values", "name"),
    ("sightings", "finding"),
    ("audit_times", "name"),
    ("state_grants", "subject_kind, subject, pattern"),
    ("state_log", "id"),
];

/// The names of the tables that an export has.
pub fn tables() -> impl Iterator<Item = &'static str> {
    TABLES.into_iter().map(|(name, _)| name)
}

/// A line that is no row.
#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
enum Mark {
    Head { format: String, schema: i64 },
    Table { table: String, columns: Vec<String> },
    End { rows: u64 },
}

/// A value as JSON has it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
enum Cell {
    Number(i64),
    Text(String),
    Absent,
}

/// Writes an export in parts.
pub(crate) struct Parts {
    into: mpsc::Sender<Vec<u8>>,
    open: Vec<u8>,
    /// Rows of the table that is being written.
    of_table: u64,
    rows: u64,
}

impl Parts {
    pub(crate) fn begin(into: mpsc::Sender<Vec<u8>>) -> Self {
        let mut parts = Self { into, open: Vec::new(), of_table: 0, rows: 0 };
        parts.line(&Mark::Head { format: FORMAT.to_owned(), schema: migration::newest() });
        parts
    }

    pub(crate) fn table(&mut self, name: &str, columns: Vec<String>) {
        self.of_table = 0;
        self.line(&Mark::Table { table: name.to_owned(), columns });
    }

    pub(crate) async fn row(&mut self, row: Vec<Value>) -> Result<(), StoreError> {
        let cell = |value| match value {
            Value::Text(Some(text)) => Cell::Text(text),
            Value::Number(Some(number)) => Cell::Number(number),
            Value::Text(None) | Value::Number(None) => Cell::Absent,
        };
        self.line(&row.into_iter().map(cell).collect::<Vec<_>>());
        self.rows += 1;
        self.of_table += 1;
        if self.of_table.is_multiple_of(ROWS) || self.open.len() >= LENGTH {
            self.send().await?;
        }
        Ok(())
    }

    /// Ends the export and answers how many rows it has.
    pub(crate) async fn end(mut self) -> Result<u64, StoreError> {
        self.line(&Mark::End { rows: self.rows });
        self.send().await?;
        Ok(self.rows)
    }

    fn line(&mut self, line: &impl Serialize) {
        serde_json::to_writer(&mut self.open, line).expect("texts and numbers are always JSON, and a vector takes all");
        self.open.push(b'\n');
    }

    async fn send(&mut self) -> Result<(), StoreError> {
        let part = std::mem::take(&mut self.open);
        self.into.send(part).await.map_err(|_| StoreError::ExportUnwanted)
    }
}

/// What comes next in an export.
#[derive(Debug)]
pub(crate) enum Next {
    /// Rows of this table follow, with these columns.
    Table(&'static str, Vec<String>),
    /// A row of the last table.
    Row(Vec<Value>),
    /// That was all.
    End(u64),
}

/// Reads an export, of which nothing is trusted.
pub(crate) struct Lines {
    from: mpsc::Receiver<Vec<u8>>,
    part: Vec<u8>,
    place: usize,
    /// The schema that the rows were written for.
    schema: i64,
    columns: Option<usize>,
    tables: Vec<&'static str>,
    rows: u64,
}

impl Lines {
    /// Reads the head.
    pub(crate) async fn begin(from: mpsc::Receiver<Vec<u8>>) -> Result<Self, StoreError> {
        let mut lines =
            Self { from, part: Vec::new(), place: 0, schema: 0, columns: None, tables: Vec::new(), rows: 0 };
        let head = lines.line().await?.ok_or_else(|| bad("it is empty"))?;
        let Ok(Mark::Head { format, schema }) = serde_json::from_slice(&head) else {
            return Err(bad("it does not begin as an export does"));
        };
        if format != FORMAT {
            return Err(bad("its format is none that this version of alfred knows"));
        }
        let known = migration::newest();
        if schema > known {
            return Err(StoreError::Newer { found: schema, known });
        }
        lines.schema = schema;
        Ok(lines)
    }

    /// Whether what the export lacks is a defect: it was written for today's schema.
    pub(crate) fn is_todays(&self) -> bool {
        self.schema == migration::newest()
    }

    /// The next thing; after the end, the export must be over.
    pub(crate) async fn next(&mut self) -> Result<Next, StoreError> {
        let line = self.line().await?.ok_or_else(|| bad("it is cut short"))?;
        if line.first() == Some(&b'[') {
            let cells: Vec<Cell> = serde_json::from_slice(&line).map_err(bad)?;
            if self.columns != Some(cells.len()) {
                return Err(bad("a row has another number of values than its table has columns"));
            }
            self.rows += 1;
            return Ok(Next::Row(cells.into_iter().map(value).collect()));
        }
        match serde_json::from_slice(&line).map_err(bad)? {
            Mark::Table { table, columns } => {
                let name = tables().find(|name| *name == table);
                let name = name.ok_or_else(|| bad("it has a table that this version of alfred does not know"))?;
                if self.tables.contains(&name) {
                    return Err(bad(format_args!("it has the table `{name}` twice")));
                }
                self.tables.push(name);
                self.columns = Some(columns.len());
                Ok(Next::Table(name, columns))
            }
            Mark::End { rows } => self.end(rows).await,
            Mark::Head { .. } => Err(bad("it begins a second time")),
        }
    }

    async fn end(&mut self, rows: u64) -> Result<Next, StoreError> {
        if rows != self.rows {
            return Err(bad(format_args!("it has {} rows and should have {rows}", self.rows)));
        }
        if self.is_todays()
            && let Some(missing) = tables().find(|name| !self.tables.contains(name))
        {
            return Err(bad(format_args!("the table `{missing}` is missing")));
        }
        if self.line().await?.is_some() {
            return Err(bad("something follows its end"));
        }
        Ok(Next::End(rows))
    }

    /// The next line; a part ends where a line does.
    async fn line(&mut self) -> Result<Option<Vec<u8>>, StoreError> {
        while self.place >= self.part.len() {
            let Some(part) = self.from.recv().await else { return Ok(None) };
            self.part = part;
            self.place = 0;
        }
        let rest = &self.part[self.place..];
        let length = rest.iter().position(|byte| *byte == b'\n').ok_or_else(|| bad("a line of it is cut short"))?;
        if length > LINE_MAX {
            return Err(bad("a line of it is too long"));
        }
        let line = rest[..length].to_vec();
        self.place += length + 1;
        Ok(Some(line))
    }
}

fn value(cell: Cell) -> Value {
    match cell {
        Cell::Number(number) => Value::Number(Some(number)),
        Cell::Text(text) => Value::from(text),
        Cell::Absent => Value::Text(None),
    }
}

/// What is wrong with an export.
#[expect(clippy::needless_pass_by_value, reason = "errors are mapped by it")]
pub(crate) fn bad(words: impl ToString) -> StoreError {
    StoreError::BadExport { words: words.to_string() }
}
