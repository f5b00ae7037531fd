//! SQL text with its values. Values are always bound, never written into the text.

use std::fmt::Write as _;

use jiff::Timestamp;
use sqlx::any::AnyArguments;
use sqlx::query::Query;
use sqlx::{Any, AssertSqlSafe};

use super::dialect::Dialect;

/// Longest list that one statement carries. With the widest table's 28 columns that is 7,168 parameters; PostgreSQL
/// takes 65,535 and SQLite 32,766 (<https://www.sqlite.org/limits.html#max_variable_number>).
pub(super) const CHUNK: usize = 256;

/// Lists are filled up with NULL rows to one of these lengths, so that a handful of texts stays in the connection's
/// cache of prepared statements instead of one for each length.
const LENGTHS: [usize; 5] = [1, 4, 16, 64, CHUNK];

/// A value to bind: the two types that both databases and sqlx's `Any` agree on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value {
    Text(Option<String>),
    Number(Option<i64>),
}

impl Value {
    /// A time in microseconds.
    pub(crate) fn time(time: impl Into<Option<Timestamp>>) -> Self {
        Self::Number(time.into().map(Timestamp::as_microsecond))
    }

    /// A word, an id or anything else that is kept as it is shown.
    pub(crate) fn shown(value: &impl ToString) -> Self {
        Self::from(value.to_string())
    }

    /// The same, where it may be absent.
    pub(crate) fn maybe_shown(value: Option<impl ToString>) -> Self {
        value.map_or(Self::Text(None), |value| Self::shown(&value))
    }

    /// A length or limit.
    pub(super) fn count(count: usize) -> Self {
        Self::Number(Some(i64::try_from(count).unwrap_or(i64::MAX)))
    }

    fn null_like(&self) -> Self {
        match self {
            Self::Text(_) => Self::Text(None),
            Self::Number(_) => Self::Number(None),
        }
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        // PostgreSQL refuses NUL in text; a provider's error message must not make a row unwritable.
        Self::Text(Some(if text.contains('\0') { text.replace('\0', "\u{fffd}") } else { text }))
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::from(text.to_owned())
    }
}

impl From<Option<&str>> for Value {
    fn from(text: Option<&str>) -> Self {
        text.map_or(Self::Text(None), Self::from)
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Number(Some(number))
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Number(Some(value.into()))
    }
}

/// One statement.
#[derive(Debug)]
pub(super) struct Statement {
    text: String,
    /// Each value, and where in the text its placeholder belongs.
    values: Vec<(usize, Value)>,
}

impl Statement {
    pub(super) fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), values: Vec::new() }
    }

    /// Adds text of the program's own.
    pub(super) fn text(mut self, text: &str) -> Self {
        self.text.push_str(text);
        self
    }

    /// Adds a placeholder for `value`.
    pub(super) fn value(mut self, value: impl Into<Value>) -> Self {
        self.bind(value.into());
        self
    }

    /// Adds `(a, b, …)`. The list has 1 to [`CHUNK`] values of one type.
    pub(super) fn list(mut self, values: Vec<Value>) -> Self {
        let filler = values.first().map(Value::null_like);
        let missing = padded(values.len()) - values.len();
        self.text.push('(');
        let padding = filler.into_iter().cycle().take(missing);
        for (index, value) in values.into_iter().chain(padding).enumerate() {
            if index > 0 {
                self.text.push_str(", ");
            }
            self.bind(value);
        }
        self.text.push(')');
        self
    }

    /// Adds `(a, b, …)` for values of different types, which are not filled up.
    pub(super) fn list_of(mut self, values: impl IntoIterator<Item = Value>) -> Self {
        for (index, value) in values.into_iter().enumerate() {
            self.text.push_str(if index > 0 { ", " } else { "(" });
            self.bind(value);
        }
        self.text.push(')');
        self
    }

    /// Adds `(VALUES (a, b), (c, d), …) AS new`, whose columns are `new.column1`, `new.column2` and so on in both
    /// databases. There are 1 to [`CHUNK`] rows, each with the same types; rows of NULL fill up.
    pub(super) fn rows(mut self, rows: Vec<Vec<Value>>) -> Self {
        let filler: Option<Vec<Value>> = rows.first().map(|row| row.iter().map(Value::null_like).collect());
        let missing = padded(rows.len()) - rows.len();
        self.text.push_str("(VALUES ");
        let padding = filler.into_iter().cycle().take(missing);
        for (index, row) in rows.into_iter().chain(padding).enumerate() {
            self.text.push_str(if index > 0 { ", (" } else { "(" });
            for (column, value) in row.into_iter().enumerate() {
                if column > 0 {
                    self.text.push_str(", ");
                }
                self.bind(value);
            }
            self.text.push(')');
        }
        self.text.push_str(") AS new");
        self
    }

    fn bind(&mut self, value: Value) {
        self.values.push((self.text.len(), value));
    }

    /// The text with placeholders. SQLite would take `$1` too, but as a name, which is searched for among all names
    /// whenever it is bound: the cost of a long statement would grow with the square of its length.
    fn rendered(&self, dialect: Dialect) -> String {
        let mut rendered = String::with_capacity(self.text.len() + 5 * self.values.len());
        let mut done = 0;
        for (number, (place, _)) in (1..).zip(&self.values) {
            rendered.push_str(&self.text[done..*place]);
            match dialect {
                Dialect::Sqlite => rendered.push('?'),
                Dialect::Postgres => write!(rendered, "${number}").expect("writing to a string cannot fail"),
            }
            done = *place;
        }
        rendered.push_str(&self.text[done..]);
        rendered
    }

    /// The statement as sqlx sends it; it is prepared once per connection.
    pub(super) fn into_query(self, dialect: Dialect) -> Query<'static, Any, AnyArguments> {
        let mut query = sqlx::query(AssertSqlSafe(self.rendered(dialect)));
        for (_, value) in self.values {
            query = match value {
                Value::Text(text) => query.bind(text),
                Value::Number(number) => query.bind(number),
            };
        }
        query
    }
}

fn padded(length: usize) -> usize {
    LENGTHS.into_iter().find(|fits| *fits >= length).unwrap_or(length)
}

/// `column1, column2, …` of [`Statement::rows`].
pub(super) fn new_columns(count: usize) -> String {
    (1..=count).map(|index| format!("new.column{index}")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_filled_up_so_that_few_texts_exist() {
        let text = |count: usize| Statement::new("").list(vec![Value::from(1); count]).rendered(Dialect::Postgres);
        assert_eq!(text(1), "($1)");
        assert_eq!(text(2), "($1, $2, $3, $4)");
        assert_eq!(text(5), text(16));
        assert_eq!(text(65), text(256));
    }

    #[test]
    fn rows_keep_their_types_where_they_are_filled_up() {
        let statement = Statement::new("").rows(vec![vec![Value::from("a"), Value::from(1)]; 2]);
        let text = statement.rendered(Dialect::Postgres);
        assert_eq!(text, "(VALUES ($1, $2), ($3, $4), ($5, $6), ($7, $8)) AS new");
        assert_eq!(statement.rendered(Dialect::Sqlite), "(VALUES (?, ?), (?, ?), (?, ?), (?, ?)) AS new");
        assert!(matches!(statement.values.as_slice()[6..], [(_, Value::Text(None)), (_, Value::Number(None))]));
    }

    #[test]
    fn nul_is_replaced() {
        assert!(matches!(Value::from("a\0b"), Value::Text(Some(text)) if text == "a\u{fffd}b"));
    }
}
