//! Instances: read, rename, reinstall and cancel. Orders are in `order`, power actions in `actions`.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::audit::{Change, Entry, Kind};
use super::contract;
use super::fields::{Fields, Query, integer};
use super::install::read_install;
use super::instance::{Cancellation, Instance};
use super::options::{NameMatch, Options};
use super::page::page;
use super::reply::{Refusal, Reply};
use super::state::{CUSTOMER, Call, Moment, State, TENANT};
use super::status::Status;
use super::time::{after, wire};

impl State {
    /// The instance that a path names, if its contract runs.
    pub(crate) fn instance(&self, id: &str, now: Timestamp) -> Result<&Instance, Refusal> {
        let id = integer("instanceId", id)?;
        self.instances
            .get(&id)
            .filter(|instance| instance.exists(now))
            .ok_or_else(|| Refusal::not_found(&format!("Instance {id}")))
    }

    /// The same, to change it.
    pub(crate) fn instance_mut(&mut self, id: &str, now: Timestamp) -> Result<&mut Instance, Refusal> {
        let id = integer("instanceId", id)?;
        self.instances
            .get_mut(&id)
            .filter(|instance| instance.exists(now))
            .ok_or_else(|| Refusal::not_found(&format!("Instance {id}")))
    }

    pub(super) fn get_instance(&self, id: &str, call: &Call<'_>, moment: Moment<'_>) -> Result<Reply, Refusal> {
        let instance = self.instance(id, moment.now)?;
        if instance.readable_at > moment.now {
            return Err(Refusal::not_found(&format!("Instance {id}")));
        }
        Ok(Reply::one(200, &instance.wire(moment.now, moment.options), call.path))
    }

    pub(super) fn list_instances(&self, call: &Call<'_>, moment: Moment<'_>) -> Result<Reply, Refusal> {
        let Moment { now, options, .. } = moment;
        let filter = Filter::read(&call.query)?;
        let instances: Vec<&Instance> = self
            .instances
            .values()
            .filter(|instance| instance.exists(now) && instance.listed_at <= now)
            .filter(|instance| filter.admits(instance, now, options))
            .collect();
        page(
            call.path,
            instances,
            &call.query,
            options,
            |instance, field| instance.sort_key(field, now, options),
            |instance| instance.wire(now, options),
        )
    }

    /// Renames. A `cancelDate` in the body is ignored: a cancellation cannot be taken back here.
    pub(super) fn rename_instance(&mut self, id: &str, call: &Call<'_>, moment: Moment<'_>) -> Result<Reply, Refusal> {
        let mut fields = Fields::new(&call.body);
        let display_name = fields.text("displayName", 0, 255);
        fields.finish()?;
        let instance = self.instance_mut(id, moment.now)?;
        let reply = Reply::one(200, &receipt(instance), call.path);
        if let Some(display_name) = display_name {
            let id = instance.id;
            let previous = std::mem::replace(&mut instance.display_name, display_name.to_owned());
            let changes = json!({ "prev": { "displayName": previous }, "new": { "displayName": display_name } });
            self.note(call, moment, Kind::Instance, Change::Updated, id, changes);
        }
        Ok(reply)
    }

    /// Wipes the VM and installs it anew. It keeps its address and its name.
    pub(super) fn reinstall_instance(
        &mut self,
        id: &str,
        call: &Call<'_>,
        moment: Moment<'_>,
    ) -> Result<Reply, Refusal> {
        let Moment { now, options, random } = moment;
        let allocated = self.instance(id, now)?.allocated(now, options);
        let mut fields = Fields::new(&call.body);
        fields.require("imageId");
        let install = read_install(&mut fields, moment);
        fields.finish()?;
        let install = self.check_install(install, moment)?;
        if !allocated {
            return Err(not_ready());
        }
        let running_at = after(now, options.reinstalling.draw(random));
        let booted_at = after(running_at, options.boot.draw(random));
        let instance = self.instance_mut(id, now)?;
        let changes = json!({ "prev": { "imageId": instance.install.image }, "new": { "imageId": install.image } });
        instance.install = install;
        instance.wiped = instance.wiped.saturating_add(1);
        instance.error_message = None;
        instance.proceed(now, [(now, Status::Installing), (running_at, Status::Running)]);
        instance.boots(booted_at);
        let id = instance.id;
        let reply = Reply::one(200, &receipt(instance), call.path);
        self.note(call, moment, Kind::Instance, Change::Updated, id, changes);
        Ok(reply)
    }

    /// Ends the contract with its paid term. Until then the VM can be used and reinstalled.
    pub(super) fn cancel_instance(&mut self, id: &str, call: &Call<'_>, moment: Moment<'_>) -> Result<Reply, Refusal> {
        let Moment { now, options, random } = moment;
        let mut fields = Fields::new(&call.body);
        let text = fields.text("cancelDate", 0, 64);
        let wanted = text.and_then(|text| text.parse::<Timestamp>().ok());
        if text.is_some() && wanted.is_none() {
            fields.complain("cancelDate must be a valid ISO 8601 date string".to_owned());
        }
        fields.finish()?;
        let instance = self.instance_mut(id, now)?;
        if instance.cancellation.is_some() {
            return Err(Refusal::new(422, "Instance is already cancelled"));
        }
        if instance.timed_status(now) == Status::PendingPayment {
            return Err(Refusal::new(422, "Instance cannot be cancelled because its order is not paid"));
        }
        let last_day = contract::last_day(
            instance.created_at,
            instance.period,
            now,
            options.cancel_notice,
            wanted.map(contract::day),
        );
        let ends_at = contract::end_of(last_day);
        let shown_at = after(now, options.cancel_date_delay.draw(random));
        instance.cancellation = Some(Cancellation { at: now, last_day, shown_at, ends_at });
        let id = instance.id;
        let date = last_day.to_string();
        let changes = json!({ "prev": { "cancelDate": null }, "new": { "cancelDate": date } });
        self.note(call, moment, Kind::Instance, Change::Updated, id, changes);
        let deleted = Entry {
            kind: Kind::Instance,
            resource: id,
            assigned: None,
            change: Change::Deleted,
            at: ends_at,
            readable_at: after(ends_at, options.audit_lag.draw(random)),
            changes: json!({}),
        };
        self.history.add(deleted, &call.origin);
        let object = json!({ "tenantId": TENANT, "customerId": CUSTOMER, "instanceId": id, "cancelDate": date });
        Ok(Reply::one(201, &object, call.path))
    }
}

/// What a change of an instance that has no hardware yet is refused with.
pub(super) fn not_ready() -> Refusal {
    Refusal::new(409, "Instance is not provisioned yet")
}

/// The short object that a rename and a reinstall answer with.
fn receipt(instance: &Instance) -> Value {
    json!({
        "tenantId": TENANT,
        "customerId": CUSTOMER,
        "instanceId": instance.id,
        "createdDate": wire(instance.created_at),
    })
}

/// The filters of a list, read once.
struct Filter<'a> {
    query: &'a Query,
    ids: Option<Vec<i64>>,
    statuses: Option<Vec<Status>>,
    products: Option<Vec<&'a str>>,
    categories: Option<Vec<&'a str>>,
    add_ons: Option<Vec<i64>>,
    ip_config: Option<bool>,
    suspended: Option<bool>,
}

impl<'a> Filter<'a> {
    fn read(query: &'a Query) -> Result<Self, Refusal> {
        let integers = |name: &'static str| {
            let words = query.list(name);
            words
                .map(|words| words.into_iter().map(|word| integer(name, word)).collect::<Result<Vec<_>, _>>())
                .transpose()
        };
        let statuses = query.list("status").map(|words| {
            let invalid = |word| Refusal::invalid(vec![format!("status '{word}' is not valid")]);
            words
                .into_iter()
                .map(|word| Status::parse(word).ok_or_else(|| invalid(word)))
                .collect::<Result<Vec<_>, _>>()
        });
        let mut ids = integers("instanceIds")?;
        if let Some(id) = query.integer("instanceId")? {
            ids.get_or_insert_default().push(id);
        }
        Ok(Self {
            query,
            ids,
            statuses: statuses.transpose()?,
            products: query.list("productIds"),
            categories: query.list("productTypes"),
            add_ons: integers("addOnIds")?,
            ip_config: query.boolean("ipConfig")?,
            suspended: query.boolean("suspended")?,
        })
    }

    fn admits(&self, instance: &Instance, now: Timestamp, options: &Options) -> bool {
        let allocated = instance.allocated(now, options);
        let name = if allocated { instance.name() } else { String::new() };
        let data_center = if allocated { format!("{} 1", instance.region.name()) } else { String::new() };
        let address = instance.address.filter(|_| allocated).map_or_else(String::new, |address| address.to_string());
        let named = |parameter: &str, own: &str| {
            self.query.get(parameter).is_none_or(|wanted| match options.name_match {
                NameMatch::Exact => own == wanted,
                NameMatch::Substring => contains(own, wanted),
            })
        };
        let same = |parameter: &str, own: &str| self.query.get(parameter).is_none_or(|wanted| own == wanted);
        let found = |text: &str| [&name, &instance.display_name, &address].iter().any(|own| contains(own, text));
        named("name", &name)
            && named("displayName", &instance.display_name)
            && same("dataCenter", &data_center)
            && same("region", instance.region.as_str())
            && same("customerId", CUSTOMER)
            && same("tenantId", TENANT)
            && self.query.get("search").is_none_or(found)
            && self.ids.as_ref().is_none_or(|ids| ids.contains(&instance.id))
            && self.statuses.as_ref().is_none_or(|statuses| statuses.contains(&instance.status(now, options)))
            && self.products.as_ref().is_none_or(|products| products.contains(&instance.product.id.as_str()))
            && self.categories.as_ref().is_none_or(|words| words.contains(&instance.product.category.as_str()))
            && self
                .add_ons
                .as_ref()
                .is_none_or(|ids| instance.add_ons.iter().any(|add_on| ids.contains(&add_on.id)))
            && self.ip_config.is_none_or(|wanted| wanted == allocated)
            // Nothing here is ever suspended.
            && self.suspended != Some(true)
    }
}

fn contains(text: &str, part: &str) -> bool {
    text.to_lowercase().contains(&part.to_lowercase())
}
