//! All that the platform remembers, and the one function through which it changes.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::net::Ipv4Addr;

use alfred_model::seam::Random;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::audit::{Change, Entry, History, Kind, Origin};
use super::block;
use super::catalogue::{Image, standard_images};
use super::fields::Query;
use super::instance::Instance;
use super::options::{Options, OrderOutcome};
use super::reply::{Refusal, Reply};
use super::route::Route;
use super::secrets::Secret;
use super::tags::{Assignment, Tag};
use super::time::after;
use super::token::Tokens;

/// The tenant of the account.
pub(crate) const TENANT: &str = "DE";
/// The number of the account.
pub(crate) const CUSTOMER: &str = "10000001";
/// Instance ids start after this, so that they look like the platform's and are not mistaken for other numbers.
const FIRST_INSTANCE: i64 = 203_000_000;

/// A call, taken apart and checked as far as the transport goes.
pub(crate) struct Call<'a> {
    pub(crate) route: Route,
    /// The path without the query.
    pub(crate) path: &'a str,
    pub(crate) query: Query,
    pub(crate) body: Map<String, Value>,
    pub(crate) origin: Origin,
}

/// What a call's effect depends on beside the state.
#[derive(Clone, Copy)]
pub(crate) struct Moment<'a> {
    pub(crate) now: Timestamp,
    pub(crate) options: &'a Options,
    pub(crate) random: &'a dyn Random,
}

/// All that the platform remembers. It can be saved and restored; tokens are not saved, so that clients log in again.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct State {
    pub(crate) instances: BTreeMap<i64, Instance>,
    /// Which VM an address was given to. Addresses are not given twice.
    pub(crate) owners: BTreeMap<Ipv4Addr, i64>,
    /// The block of addresses that the machines live in; the whole pool, where absent.
    #[serde(default)]
    pub(crate) block: Option<Ipv4Addr>,
    pub(crate) next_offset: u32,
    pub(crate) last_instance: i64,
    /// How many VMs were sold, by `product/region`.
    pub(crate) sold: BTreeMap<String, u32>,
    pub(crate) next_orders: VecDeque<OrderOutcome>,
    pub(crate) secrets: BTreeMap<i64, Secret>,
    pub(crate) last_secret: i64,
    pub(crate) tags: BTreeMap<i64, Tag>,
    pub(crate) last_tag: i64,
    pub(crate) assignments: Vec<Assignment>,
    pub(crate) history: History,
    #[serde(skip)]
    pub(crate) tokens: Tokens,
    #[serde(skip)]
    pub(crate) window: Option<(Timestamp, u32)>,
}

impl fmt::Debug for State {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("State")
            .field("instances", &self.instances.len())
            .field("secrets", &self.secrets.len())
            .field("tags", &self.tags.len())
            .finish_non_exhaustive()
    }
}

/// Applies a call to the state, and answers it.
pub(crate) fn apply(state: &mut State, call: &Call<'_>, moment: Moment<'_>) -> Reply {
    state.dispatch(call, moment).unwrap_or_else(Reply::from)
}

impl State {
    fn dispatch(&mut self, call: &Call<'_>, moment: Moment<'_>) -> Result<Reply, Refusal> {
        let history = |kind| self.history.list(kind, &call.query, moment.options, moment.now);
        match &call.route {
            Route::InstanceCreate => self.create_instance(call, moment),
            Route::InstanceList => self.list_instances(call, moment),
            Route::InstanceGet(id) => self.get_instance(id, call, moment),
            Route::InstanceRename(id) => self.rename_instance(id, call, moment),
            Route::InstanceReinstall(id) => self.reinstall_instance(id, call, moment),
            Route::InstanceCancel(id) => self.cancel_instance(id, call, moment),
            Route::InstanceAction(id, action) => self.act_on_instance(id, *action, call, moment),
            Route::InstanceAudits => history(Kind::Instance),
            Route::ActionAudits => history(Kind::Action),
            Route::ImageList => Self::list_images(call, moment),
            Route::ImageGet(id) => Self::get_image(id, call, moment),
            Route::SecretCreate => self.create_secret(call, moment),
            Route::SecretList => self.list_secrets(call, moment),
            Route::SecretGet(id) => self.get_secret(id, call),
            Route::SecretUpdate(id) => self.update_secret(id, call, moment),
            Route::SecretDelete(id) => self.delete_secret(id, call, moment),
            Route::SecretAudits => history(Kind::Secret),
            Route::TagCreate => self.create_tag(call, moment),
            Route::TagList => self.list_tags(call, moment),
            Route::TagGet(id) => self.get_tag(id, call),
            Route::TagUpdate(id) => self.update_tag(id, call, moment),
            Route::TagDelete(id) => self.delete_tag(id, call, moment),
            Route::TagAudits => history(Kind::Tag),
            Route::AssignmentList(tag) => self.list_assignments(tag, call, moment),
            Route::AssignmentGet(assigned) => self.get_assignment(assigned, call, moment),
            Route::AssignmentCreate(assigned) => self.create_assignment(assigned, call, moment),
            Route::AssignmentDelete(assigned) => self.delete_assignment(assigned, call, moment),
            Route::AssignmentAudits => history(Kind::Assignment),
        }
    }

    /// Writes down a change that is happening now.
    pub(crate) fn note(
        &mut self,
        call: &Call<'_>,
        moment: Moment<'_>,
        kind: Kind,
        change: Change,
        resource: i64,
        changes: Value,
    ) {
        let readable_at = after(moment.now, moment.options.audit_lag.draw(moment.random));
        let entry = Entry { kind, resource, assigned: None, change, at: moment.now, readable_at, changes };
        self.history.add(entry, &call.origin);
    }

    /// Counts a call against the rate limit.
    pub(crate) fn admit(&mut self, moment: Moment<'_>) -> Result<(), Refusal> {
        let Some(rate) = moment.options.rate else {
            return Ok(());
        };
        let (start, calls) = match self.window {
            Some((start, calls)) if moment.now < after(start, rate.window) => (start, calls),
            _ => (moment.now, 0),
        };
        self.window = Some((start, calls.saturating_add(1)));
        if calls < rate.calls {
            Ok(())
        } else {
            Err(Refusal::new(429, "Rate-limit reached. Please wait for some time"))
        }
    }

    /// The next address of the pool; `None` once it is used up.
    pub(crate) fn give_address(&mut self, owner: i64, options: &Options) -> Option<Ipv4Addr> {
        let (base, prefix) = self.block.map_or((options.pool_base, options.pool_prefix), |base| (base, block::PREFIX));
        let size = u32::MAX.checked_shr(u32::from(prefix)).unwrap_or(0);
        let base = u32::from(base) & !size;
        loop {
            let offset = self.next_offset;
            if offset > size {
                return None;
            }
            self.next_offset = offset.checked_add(1)?;
            let address = Ipv4Addr::from(base.checked_add(offset)?);
            // The last address but one of a block is the listener that holds it.
            let kept = matches!(address.octets()[3], 0 | 255) || address.octets()[2..] == [255, 254];
            if !kept && !self.owners.contains_key(&address) {
                self.owners.insert(address, owner);
                return Some(address);
            }
        }
    }

    pub(crate) fn next_instance_id(&mut self) -> i64 {
        self.last_instance = self.last_instance.max(FIRST_INSTANCE) + 1;
        self.last_instance
    }

    /// The VM at an address, if there is one and its contract runs.
    pub(crate) fn machine_at(&self, address: Ipv4Addr, now: Timestamp) -> Option<&Instance> {
        self.owners.get(&address).and_then(|id| self.instances.get(id)).filter(|instance| instance.exists(now))
    }

    /// How long after `now` the clock next changes something about a VM.
    pub(crate) fn next_change(&self, now: Timestamp) -> Option<SignedDuration> {
        self.instances.values().filter_map(|instance| instance.next_change(now)).min().map(|at| at.duration_since(now))
    }
}

/// All images: the standard ones, and those of the options.
pub(crate) fn images(options: &Options) -> Vec<Image> {
    let mut images = standard_images();
    images.extend(options.images.iter().map(|(id, name)| Image {
        id: id.clone(),
        name: name.clone(),
        description: name.clone(),
        version: String::new(),
        windows: false,
    }));
    images
}
