//! Rows to values and back. What comes back is checked: a database may have been edited by hand or damaged.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::net::Ipv4Addr;
use std::str::FromStr;

use alfred_model::environment::{Environment, ExpiryBound};
use alfred_model::event::Event;
use alfred_model::id::{RecordId, TokenId, VmId};
use alfred_model::intent::Intent;
use alfred_model::user::{AccessToken, User};
use alfred_model::vm::{Contract, Vm};
use jiff::Timestamp;
use sqlx::any::AnyRow;
use sqlx::{Any, Decode, Row as _, Type};

use super::statement::Value;
use crate::StoreError;

pub(crate) const ENVIRONMENT: &str = "id, slug, domain, status, step, wish, owner, vm_id, address, record_id, setup, \
     on_failure, attempts, step_since, released_at, wake_at, reason, attention, expires_at, warn_at, warned_at, \
     expiry_bound, expiry_bound_reason, batch, assigned_at, created_at, updated_at, version";
pub(crate) const VM: &str = "id, display_name, product, region, address, state, step, environment_id, bought_for, released_by, \
     assignable_at, \
     wiped_at, install_seen, cancel_date, attempts, step_since, wake_at, reason, attention, created_at, updated_at, \
     contract_began_at, contract_months, price, reinstalls, version";
pub(crate) const INTENT: &str = "id, kind, environment_id, vm_id, request_id, subject, actor, outcome, answer, \
     refused, call_home_hash, called_home_at, created_at, settled_at, audit_id";
pub(crate) const EVENT: &str = "sequence, environment_id, at, status, step, kind, actor, message";
pub(crate) const USER: &str = "name, role, quota, created_at";
pub(crate) const TOKEN: &str = "id, user_name, label, hash, created_at, expires_at, states_only, revoked_at";

/// A thing that is one row of one table.
pub(crate) trait Record: Sized {
    const TABLE: &'static str;

    /// Reads it from a row with all its columns.
    fn read(row: &Row<'_>) -> Result<Self, StoreError>;

    /// Reads it from a row of its table.
    fn from_row(row: &AnyRow) -> Result<Self, StoreError> {
        Self::read(&Row::new(row, Self::TABLE))
    }
}

/// A row as it came from `table`.
pub(crate) struct Row<'r> {
    cells: Cells<'r>,
    table: &'static str,
}

/// Where a row's values are.
#[derive(Clone, Copy)]
enum Cells<'r> {
    Database(&'r AnyRow),
    Export(&'r BTreeMap<String, Value>),
}

impl<'r> Row<'r> {
    pub(super) fn new(row: &'r AnyRow, table: &'static str) -> Self {
        Self { cells: Cells::Database(row), table }
    }

    /// A row of an export.
    pub(crate) fn exported(row: &'r BTreeMap<String, Value>, table: &'static str) -> Self {
        Self { cells: Cells::Export(row), table }
    }

    fn get<T>(&self, row: &'r AnyRow, column: &str) -> Result<T, StoreError>
    where
        T: Decode<'r, Any> + Type<Any>,
    {
        row.try_get(column).map_err(|error| self.damaged(column, error))
    }

    pub(super) fn damaged(&self, column: &str, error: impl Display) -> StoreError {
        let words: String = format!("column `{column}`: {error}").chars().take(300).collect();
        StoreError::Damaged { table: self.table, words }
    }

    pub(crate) fn text(&self, column: &str) -> Result<String, StoreError> {
        match self.cells {
            Cells::Database(row) => self.get(row, column),
            Cells::Export(_) => self.maybe_text(column)?.ok_or_else(|| self.damaged(column, "it is absent")),
        }
    }

    pub(crate) fn maybe_text(&self, column: &str) -> Result<Option<String>, StoreError> {
        match self.cells {
            Cells::Database(row) => self.get(row, column),
            Cells::Export(row) => match row.get(column) {
                Some(Value::Text(text)) => Ok(text.clone()),
                None | Some(Value::Number(None)) => Ok(None),
                Some(Value::Number(Some(_))) => Err(self.damaged(column, "it is a number")),
            },
        }
    }

    pub(crate) fn number(&self, column: &str) -> Result<i64, StoreError> {
        match self.cells {
            Cells::Database(row) => self.get(row, column),
            Cells::Export(_) => self.maybe_number(column)?.ok_or_else(|| self.damaged(column, "it is absent")),
        }
    }

    pub(super) fn maybe_number(&self, column: &str) -> Result<Option<i64>, StoreError> {
        match self.cells {
            Cells::Database(row) => self.get(row, column),
            Cells::Export(row) => match row.get(column) {
                Some(Value::Number(number)) => Ok(*number),
                None | Some(Value::Text(None)) => Ok(None),
                Some(Value::Text(Some(_))) => Err(self.damaged(column, "it is a text")),
            },
        }
    }

    fn count(&self, column: &str) -> Result<u32, StoreError> {
        u32::try_from(self.number(column)?).map_err(|error| self.damaged(column, error))
    }

    pub(super) fn maybe_count(&self, column: &str) -> Result<Option<u32>, StoreError> {
        let number = self.maybe_number(column)?;
        number.map(u32::try_from).transpose().map_err(|error| self.damaged(column, error))
    }

    pub(crate) fn boolean(&self, column: &str) -> Result<bool, StoreError> {
        match self.number(column)? {
            0 => Ok(false),
            1 => Ok(true),
            other => Err(self.damaged(column, format_args!("`{other}` is neither 0 nor 1"))),
        }
    }

    pub(crate) fn time(&self, column: &str) -> Result<Timestamp, StoreError> {
        Timestamp::from_microsecond(self.number(column)?).map_err(|error| self.damaged(column, error))
    }

    pub(crate) fn maybe_time(&self, column: &str) -> Result<Option<Timestamp>, StoreError> {
        let number = self.maybe_number(column)?;
        number.map(Timestamp::from_microsecond).transpose().map_err(|error| self.damaged(column, error))
    }

    /// A word, an id, an address: whatever reads itself from text.
    pub(crate) fn parsed<T: FromStr<Err: Display>>(&self, column: &str) -> Result<T, StoreError> {
        self.text(column)?.parse().map_err(|error: T::Err| self.damaged(column, error))
    }

    pub(super) fn maybe_parsed<T: FromStr<Err: Display>>(&self, column: &str) -> Result<Option<T>, StoreError> {
        let text = self.maybe_text(column)?;
        text.map(|text| text.parse()).transpose().map_err(|error: T::Err| self.damaged(column, error))
    }

    pub(crate) fn json<T: serde::de::DeserializeOwned>(&self, column: &str) -> Result<T, StoreError> {
        serde_json::from_str(&self.text(column)?).map_err(|error| self.damaged(column, error))
    }
}

impl Record for Environment {
    const TABLE: &'static str = "environments";

    fn read(row: &Row<'_>) -> Result<Self, StoreError> {
        let record_id = row.maybe_text("record_id")?;
        let record_id = record_id
            .map(|text| RecordId::parse(&text).ok_or_else(|| row.damaged("record_id", "no record id")))
            .transpose()?;
        Ok(Self {
            id: row.parsed("id")?,
            slug: row.parsed("slug")?,
            domain: row.parsed("domain")?,
            status: row.parsed("status")?,
            step: row.parsed("step")?,
            wish: row.parsed("wish")?,
            owner: row.parsed("owner")?,
            vm_id: row.maybe_number("vm_id")?.map(VmId),
            address: row.maybe_parsed::<Ipv4Addr>("address")?,
            record_id,
            setup: row.json("setup")?,
            on_failure: row.parsed("on_failure")?,
            attempts: row.count("attempts")?,
            step_since: row.time("step_since")?,
            assigned_at: row.maybe_time("assigned_at")?,
            released_at: row.maybe_time("released_at")?,
            wake_at: row.maybe_time("wake_at")?,
            reason: row.maybe_text("reason")?,
            attention: row.boolean("attention")?,
            expires_at: row.maybe_time("expires_at")?,
            warn_at: row.maybe_time("warn_at")?,
            warned_at: row.maybe_time("warned_at")?,
            expiry_bound: expiry_bound(row)?,
            batch: row.maybe_parsed("batch")?,
            created_at: row.time("created_at")?,
            updated_at: row.time("updated_at")?,
            version: row.number("version")?,
        })
    }
}

impl Record for Vm {
    const TABLE: &'static str = "vms";

    fn read(row: &Row<'_>) -> Result<Self, StoreError> {
        Ok(Self {
            id: VmId(row.number("id")?),
            display_name: row.text("display_name")?,
            product: row.text("product")?,
            region: row.text("region")?,
            address: row.maybe_parsed("address")?,
            state: row.parsed("state")?,
            step: row.parsed("step")?,
            environment_id: row.maybe_parsed("environment_id")?,
            bought_for: row.maybe_parsed("bought_for")?,
            released_by: row.maybe_parsed("released_by")?,
            assignable_at: row.maybe_time("assignable_at")?,
            wiped_at: row.maybe_time("wiped_at")?,
            install_seen: row.boolean("install_seen")?,
            cancel_date: row.maybe_parsed("cancel_date")?,
            contract: Contract {
                began_at: row.maybe_time("contract_began_at")?,
                months: row.maybe_count("contract_months")?,
                price: row.maybe_parsed("price")?,
            },
            reinstalls: row.count("reinstalls")?,
            attempts: row.count("attempts")?,
            step_since: row.time("step_since")?,
            wake_at: row.maybe_time("wake_at")?,
            reason: row.maybe_text("reason")?,
            attention: row.boolean("attention")?,
            created_at: row.time("created_at")?,
            updated_at: row.time("updated_at")?,
            version: row.number("version")?,
        })
    }
}

impl Record for Intent {
    const TABLE: &'static str = "intents";

    fn read(row: &Row<'_>) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.parsed("id")?,
            kind: row.parsed("kind")?,
            environment_id: row.maybe_parsed("environment_id")?,
            vm_id: row.maybe_number("vm_id")?.map(VmId),
            request_id: row.parsed("request_id")?,
            subject: row.text("subject")?,
            actor: row.text("actor")?,
            outcome: row.parsed("outcome")?,
            audit_id: row.maybe_number("audit_id")?,
            answer: row.maybe_text("answer")?,
            refused: row.boolean("refused")?,
            call_home_hash: row.maybe_text("call_home_hash")?,
            called_home_at: row.maybe_time("called_home_at")?,
            created_at: row.time("created_at")?,
            settled_at: row.maybe_time("settled_at")?,
        })
    }
}

impl Record for Event {
    const TABLE: &'static str = "events";

    fn read(row: &Row<'_>) -> Result<Self, StoreError> {
        Ok(Self {
            sequence: row.number("sequence")?,
            environment_id: row.parsed("environment_id")?,
            at: row.time("at")?,
            status: row.parsed("status")?,
            step: row.parsed("step")?,
            kind: row.parsed("kind")?,
            actor: row.text("actor")?,
            message: row.text("message")?,
        })
    }
}

impl Record for User {
    const TABLE: &'static str = "users";

    fn read(row: &Row<'_>) -> Result<Self, StoreError> {
        Ok(Self {
            name: row.parsed("name")?,
            role: row.parsed("role")?,
            quota: row.maybe_count("quota")?,
            created_at: row.time("created_at")?,
        })
    }
}

impl Record for AccessToken {
    const TABLE: &'static str = "access_tokens";

    fn read(row: &Row<'_>) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.parsed::<TokenId>("id")?,
            user: row.parsed("user_name")?,
            label: row.text("label")?,
            hash: row.text("hash")?,
            created_at: row.time("created_at")?,
            expires_at: row.maybe_time("expires_at")?,
            states_only: row.boolean("states_only")?,
            revoked_at: row.maybe_time("revoked_at")?,
        })
    }
}

/// A bound and its reason stand in two columns, and are there together or not at all.
pub(super) fn expiry_bound(row: &Row<'_>) -> Result<Option<ExpiryBound>, StoreError> {
    let (at, reason) = (row.maybe_time("expiry_bound")?, row.maybe_text("expiry_bound_reason")?);
    Ok(at.map(|at| ExpiryBound { at, reason: reason.unwrap_or_default() }))
}

/// The values of [`ENVIRONMENT`].
pub(crate) fn environment_values(environment: &Environment) -> Result<Vec<Value>, StoreError> {
    Ok(vec![
        Value::shown(&environment.id),
        environment.slug.as_str().into(),
        environment.domain.as_str().into(),
        environment.status.as_str().into(),
        environment.step.as_str().into(),
        environment.wish.as_str().into(),
        environment.owner.as_str().into(),
        Value::Number(environment.vm_id.map(|id| id.0)),
        Value::maybe_shown(environment.address),
        Value::maybe_shown(environment.record_id.as_ref()),
        setup_value(environment)?,
        environment.on_failure.as_str().into(),
        i64::from(environment.attempts).into(),
        Value::time(environment.step_since),
        Value::time(environment.released_at),
        Value::time(environment.wake_at),
        environment.reason.as_deref().into(),
        environment.attention.into(),
        Value::time(environment.expires_at),
        Value::time(environment.warn_at),
        Value::time(environment.warned_at),
        Value::time(environment.expiry_bound.as_ref().map(|bound| bound.at)),
        environment.expiry_bound.as_ref().map(|bound| bound.reason.as_str()).into(),
        Value::maybe_shown(environment.batch),
        Value::time(environment.assigned_at),
        Value::time(environment.created_at),
        Value::time(environment.updated_at),
        environment.version.into(),
    ])
}

/// The owner's wishes for the VM as JSON.
pub(super) fn setup_value(environment: &Environment) -> Result<Value, StoreError> {
    let json = serde_json::to_string(&environment.setup)
        .map_err(|error| StoreError::Database { doing: "writing a setup as JSON", source: error.into() })?;
    Ok(json.into())
}

/// The values of [`VM`].
pub(crate) fn vm_values(vm: &Vm) -> Vec<Value> {
    vec![
        vm.id.0.into(),
        vm.display_name.as_str().into(),
        vm.product.as_str().into(),
        vm.region.as_str().into(),
        Value::maybe_shown(vm.address),
        vm.state.as_str().into(),
        vm.step.as_str().into(),
        Value::maybe_shown(vm.environment_id),
        Value::maybe_shown(vm.bought_for),
        Value::maybe_shown(vm.released_by),
        Value::time(vm.assignable_at),
        Value::time(vm.wiped_at),
        vm.install_seen.into(),
        Value::maybe_shown(vm.cancel_date),
        i64::from(vm.attempts).into(),
        Value::time(vm.step_since),
        Value::time(vm.wake_at),
        vm.reason.as_deref().into(),
        vm.attention.into(),
        Value::time(vm.created_at),
        Value::time(vm.updated_at),
        Value::time(vm.contract.began_at),
        Value::Number(vm.contract.months.map(i64::from)),
        Value::maybe_shown(vm.contract.price),
        i64::from(vm.reinstalls).into(),
        vm.version.into(),
    ]
}

/// The values of [`INTENT`].
pub(crate) fn intent_values(intent: &Intent) -> Vec<Value> {
    vec![
        Value::shown(&intent.id),
        intent.kind.as_str().into(),
        Value::maybe_shown(intent.environment_id),
        Value::Number(intent.vm_id.map(|id| id.0)),
        Value::shown(&intent.request_id),
        intent.subject.as_str().into(),
        intent.actor.as_str().into(),
        intent.outcome.as_str().into(),
        intent.answer.as_deref().into(),
        intent.refused.into(),
        intent.call_home_hash.as_deref().into(),
        Value::time(intent.called_home_at),
        Value::time(intent.created_at),
        Value::time(intent.settled_at),
        Value::Number(intent.audit_id),
    ]
}

/// The values of [`EVENT`].
pub(crate) fn event_values(event: &Event) -> Vec<Value> {
    vec![
        event.sequence.into(),
        Value::shown(&event.environment_id),
        Value::time(event.at),
        event.status.as_str().into(),
        event.step.as_str().into(),
        event.kind.as_str().into(),
        event.actor.as_str().into(),
        event.message.as_str().into(),
    ]
}

/// The values of [`USER`].
pub(crate) fn user_values(user: &User) -> Vec<Value> {
    vec![
        user.name.as_str().into(),
        user.role.as_str().into(),
        Value::Number(user.quota.map(i64::from)),
        Value::time(user.created_at),
    ]
}

/// The values of [`TOKEN`].
pub(crate) fn token_values(token: &AccessToken) -> Vec<Value> {
    vec![
        Value::shown(&token.id),
        token.user.as_str().into(),
        token.label.as_str().into(),
        token.hash.as_str().into(),
        Value::time(token.created_at),
        Value::time(token.expires_at),
        token.states_only.into(),
        Value::time(token.revoked_at),
    ]
}
