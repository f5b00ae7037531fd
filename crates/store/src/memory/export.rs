//! Everything in memory on its way out and in, in the same rows as the databases have.

use std::collections::BTreeMap;

use alfred_model::audit::Sighting;
use alfred_model::environment::Environment;
use alfred_model::event::Event;
use alfred_model::intent::Intent;
use alfred_model::state::StateGrant;
use alfred_model::state::log::StateLogEntry;
use alfred_model::user::{AccessToken, User};
use alfred_model::vm::Vm;
use jiff::Timestamp;
use tokio::sync::mpsc;

use super::rows::{Held, Leasable};
use super::tables::{Tables, UsedKey};
use crate::export::{Lines, Next, Parts, TABLES, bad};
use crate::sql::row::{
    ENVIRONMENT, EVENT, INTENT, Record, Row, TOKEN, USER, VM, environment_values, event_values, intent_values,
    token_values, user_values, vm_values,
};
use crate::sql::sightings::{SIGHTING, sighting_values};
use crate::sql::statement::Value;
use crate::sql::states::{GRANT, LINE, grant_values, line_values};
use crate::{SharedValue, StoreError};

const LEASE: &str = "lease_worker, lease_until, woken";
const NAMED: &str = "name, value";
const KEY: &str = "user_name, request_key, request_hash, environment_ids, used_at";
const SHARED: &str = "name, value, version";
const TIME: &str = "name, at";

/// A table's name, its columns and its rows.
type Table = (&'static str, Vec<String>, Vec<Vec<Value>>);

/// A row by its columns.
type Cells = BTreeMap<String, Value>;

impl Tables {
    /// Everything, as it is now.
    pub(super) fn rows_of_all(&self) -> Result<Vec<Table>, StoreError> {
        TABLES.into_iter().map(|(name, _)| self.rows_of(name)).collect()
    }

    fn rows_of(&self, name: &'static str) -> Result<Table, StoreError> {
        let one_of = |columns: &str, rows| Ok((name, names(columns), rows));
        match name {
            "settings" => {
                let installation = self.installation.iter();
                one_of(NAMED, installation.map(|id| vec!["installation".into(), Value::shown(id)]).collect())
            }
            "counters" => one_of(NAMED, vec![vec!["events".into(), self.last_event().into()]]),
            "environments" => {
                let row = |held: &Held<Environment>| Ok(leased(environment_values(&held.row)?, held));
                let rows = self.environments.held().map(row).collect::<Result<_, StoreError>>()?;
                one_of(&format!("{ENVIRONMENT}, {LEASE}"), rows)
            }
            "vms" => {
                let rows = self.vms.held().map(|held| leased(vm_values(&held.row), held)).collect();
                one_of(&format!("{VM}, {LEASE}"), rows)
            }
            "intents" => one_of(INTENT, self.intents.values().map(intent_values).collect()),
            "events" => one_of(EVENT, self.events.iter().map(event_values).collect()),
            "idempotency_keys" => one_of(KEY, self.key_rows()?),
            "users" => one_of(USER, self.users.values().map(user_values).collect()),
            "access_tokens" => one_of(TOKEN, self.tokens.values().map(token_values).collect()),
            "shared_values" => {
                let row = |(name, value): (&String, &SharedValue)| {
                    vec![name.as_str().into(), value.text.as_str().into(), value.version.into()]
                };
                one_of(SHARED, self.shared_values.iter().map(row).collect())
            }
            "sightings" => one_of(SIGHTING, self.sightings.all().iter().map(sighting_values).collect()),
            "audit_times" => {
                let row = |(name, at)| vec![Value::from(name), Value::time(at)];
                one_of(TIME, self.sightings.times().into_iter().map(row).collect())
            }
            "state_grants" => one_of(GRANT, self.states.grants().iter().map(grant_values).collect()),
            "state_log" => one_of(LINE, self.states.lines().map(line_values).collect()),
            other => Err(StoreError::Damaged { table: other, words: "memory does not know this table".to_owned() }),
        }
    }

    fn key_rows(&self) -> Result<Vec<Vec<Value>>, StoreError> {
        let row = |((user, key), used): (&(_, String), &UsedKey)| {
            let ids = serde_json::to_string(&used.environments)
                .map_err(|error| StoreError::Database { doing: "writing ids as JSON", source: error.into() })?;
            let user: &alfred_model::user::UserName = user;
            Ok(vec![
                user.as_str().into(),
                key.as_str().into(),
                used.request_hash.as_str().into(),
                ids.into(),
                Value::time(used.at),
            ])
        };
        self.used_keys.iter().map(row).collect()
    }

    /// Takes one row in. What is wrong with it is said as of a damaged row of a database.
    fn take(&mut self, table: &'static str, cells: &Cells) -> Result<(), StoreError> {
        let row = Row::exported(cells, table);
        match table {
            "settings" => self.installation = Some(row.parsed("value")?),
            // The events say it as well.
            "counters" => {}
            "environments" => {
                let held = held(Environment::read(&row)?, &row)?;
                let environment = &held.row;
                if environment.status != alfred_model::environment::Status::Deleted {
                    self.live_slugs.insert(environment.slug.clone(), environment.id);
                }
                self.environments.put_held(held);
            }
            "vms" => self.vms.put_held(held(Vm::read(&row)?, &row)?),
            "intents" => {
                let intent = Intent::read(&row)?;
                if intent.outcome.is_open() {
                    self.open_intents.insert(intent.id);
                }
                self.intents.insert(intent.id, intent);
            }
            "events" => self.events.push(Event::read(&row)?),
            "idempotency_keys" => {
                let (request_hash, at) = (row.text("request_hash")?, row.time("used_at")?);
                let used = UsedKey { request_hash, environments: row.json("environment_ids")?, at };
                self.used_keys.insert((row.parsed("user_name")?, row.text("request_key")?), used);
            }
            "users" => self.create_user(&User::read(&row)?)?,
            "access_tokens" => self.create_token(&AccessToken::read(&row)?)?,
            "shared_values" => {
                let value = SharedValue { text: row.text("value")?, version: row.number("version")? };
                self.shared_values.insert(row.text("name")?, value);
            }
            "sightings" => self.sightings.put(Sighting::read(&row)?),
            "audit_times" => self.sightings.put_time(&row.text("name")?, row.time("at")?),
            "state_grants" => self.put_state_grant(&StateGrant::read(&row)?)?,
            "state_log" => self.states.note(StateLogEntry::read(&row)?),
            other => return Err(bad(format_args!("memory does not know the table `{other}`"))),
        }
        Ok(())
    }
}

/// Hands tables over.
pub(super) async fn export(tables: Vec<Table>, into: mpsc::Sender<Vec<u8>>) -> Result<u64, StoreError> {
    let mut parts = Parts::begin(into);
    for (name, columns, rows) in tables {
        parts.table(name, columns);
        for row in rows {
            parts.row(row).await?;
        }
    }
    parts.end().await
}

/// Reads an export into tables of their own.
pub(super) async fn import(from: mpsc::Receiver<Vec<u8>>) -> Result<(Tables, u64), StoreError> {
    let mut lines = Lines::begin(from).await?;
    let mut tables = Tables::default();
    let mut target: Option<(&'static str, Vec<String>)> = None;
    loop {
        match lines.next().await? {
            Next::Table(name, columns) => {
                let known = Tables::default().rows_of(name)?.1;
                let is_known = columns.iter().all(|column| known.contains(column));
                if !is_known || (lines.is_todays() && columns.len() != known.len()) {
                    return Err(bad(format_args!("`{name}` has an unknown column, or lacks one")));
                }
                target = Some((name, columns));
            }
            Next::Row(values) => {
                let Some((table, columns)) = &target else { return Err(bad("it has a row before any table")) };
                let cells = columns.iter().cloned().zip(values).collect();
                tables.take(table, &cells).map_err(bad)?;
            }
            Next::End(rows) => return Ok((tables, rows)),
        }
    }
}

fn names(columns: &str) -> Vec<String> {
    columns.split(", ").map(|name| name.trim().to_owned()).collect()
}

fn leased<R: Leasable>(mut values: Vec<Value>, held: &Held<R>) -> Vec<Value> {
    let (worker, until) = match &held.lease {
        Some((worker, until)) => (Some(worker.as_str()), Some(*until)),
        None => (None, None),
    };
    values.extend([worker.into(), Value::time(until), held.woken.into()]);
    values
}

fn held<R: Leasable>(found: R, row: &Row<'_>) -> Result<Held<R>, StoreError> {
    let until: Option<Timestamp> = row.maybe_time("lease_until")?;
    let lease = row.maybe_text("lease_worker")?.zip(until);
    Ok(Held { row: found, lease, woken: row.boolean("woken")? })
}
