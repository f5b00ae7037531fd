//! One VM: what was ordered, where it is in its life, and how it looks on the wire.

use std::net::Ipv4Addr;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::Date;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::catalogue::{Product, Region};
use super::options::Options;
use super::page::SortKey;
use super::secret_text;
use super::state::{CUSTOMER, TENANT};
use super::status::Status;
use super::time::wire;

/// From `at` on, the VM has `status`.
#[derive(Clone, Copy, Serialize, Deserialize)]
struct Turn {
    at: Timestamp,
    status: Status,
}

/// An add-on that was ordered.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct AddOn {
    pub(crate) id: i64,
    pub(crate) quantity: i64,
}

/// A cancellation.
#[derive(Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Cancellation {
    /// The last day of use.
    pub(crate) last_day: Date,
    /// From when on GET and lists show it.
    pub(crate) shown_at: Timestamp,
    /// When the VM is gone.
    pub(crate) ends_at: Timestamp,
}

/// What is put on a VM's disk when it is installed.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Install {
    pub(crate) image: String,
    pub(crate) windows: bool,
    pub(crate) ssh_keys: Vec<i64>,
    pub(crate) default_user: String,
    pub(crate) application: Option<String>,
    pub(crate) user_data: UserData,
}

/// cloud-init data; it often holds keys, so that it is kept as a secret, and may be long, so that copies share it.
#[derive(Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct UserData(#[serde(with = "secret_text::shared")] Arc<SecretString>);

impl UserData {
    pub(crate) fn new(text: &str) -> Self {
        Self(Arc::new(SecretString::from(text)))
    }

    /// The text as a secret.
    pub(crate) fn secret(&self) -> Arc<SecretString> {
        Arc::clone(&self.0)
    }

    /// The text; empty if there is none.
    pub(crate) fn text(&self) -> &str {
        self.0.expose_secret()
    }
}

/// One VM. All that time changes follows from the timestamps in it: nothing has to run for a status to change.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Instance {
    pub(crate) id: i64,
    pub(crate) display_name: String,
    pub(crate) product: Product,
    pub(crate) region: Region,
    pub(crate) period: i64,
    pub(crate) add_ons: Vec<AddOn>,
    pub(crate) install: Install,
    /// How often the VM was reinstalled, that is, wiped.
    pub(crate) wiped: u32,
    pub(crate) created_at: Timestamp,
    pub(crate) readable_at: Timestamp,
    pub(crate) listed_at: Timestamp,
    /// When it gets its hardware and address; `None` is never.
    pub(crate) allocated_at: Option<Timestamp>,
    pub(crate) address: Option<Ipv4Addr>,
    pub(crate) extra_address: Option<Ipv4Addr>,
    pub(crate) error_message: Option<String>,
    pub(crate) cancellation: Option<Cancellation>,
    turns: Vec<Turn>,
    /// When the running system accepts connections; it counts while the VM is running.
    booted_at: Timestamp,
}

/// The facts of an order that is about to become a VM.
pub(crate) struct Order {
    pub(crate) id: i64,
    pub(crate) display_name: String,
    pub(crate) product: Product,
    pub(crate) region: Region,
    pub(crate) period: i64,
    pub(crate) add_ons: Vec<AddOn>,
    pub(crate) install: Install,
    pub(crate) created_at: Timestamp,
    pub(crate) readable_at: Timestamp,
    pub(crate) listed_at: Timestamp,
}

impl Instance {
    /// A VM without an address or a future; [`Self::proceed`] and the allocation give it both.
    pub(crate) fn new(order: Order, status: Status) -> Self {
        Self {
            turns: vec![Turn { at: order.created_at, status }],
            booted_at: Timestamp::MAX,
            wiped: 0,
            allocated_at: None,
            address: None,
            extra_address: None,
            error_message: None,
            cancellation: None,
            id: order.id,
            display_name: order.display_name,
            product: order.product,
            region: order.region,
            period: order.period,
            add_ons: order.add_ons,
            install: order.install,
            created_at: order.created_at,
            readable_at: order.readable_at,
            listed_at: order.listed_at,
        }
    }

    /// Forgets what was to come after `now`, and sets what comes instead.
    pub(crate) fn proceed(&mut self, now: Timestamp, turns: impl IntoIterator<Item = (Timestamp, Status)>) {
        let current = self.timed_status(now);
        self.turns.clear();
        self.turns.push(Turn { at: now, status: current });
        self.turns.extend(turns.into_iter().map(|(at, status)| Turn { at, status }));
    }

    pub(crate) fn boots(&mut self, at: Timestamp) {
        self.booted_at = at;
    }

    /// The status by the clock alone.
    pub(crate) fn timed_status(&self, now: Timestamp) -> Status {
        self.turns
            .iter()
            .rev()
            .find(|turn| turn.at <= now)
            .or(self.turns.first())
            .map_or(Status::Unknown, |turn| turn.status)
    }

    /// The status that the platform shows.
    pub(crate) fn status(&self, now: Timestamp, options: &Options) -> Status {
        let frozen = options.stuck.as_ref().and_then(|stuck| stuck(self.id));
        match frozen {
            Some(word) => Status::parse(&word).unwrap_or(Status::Other),
            None => self.timed_status(now),
        }
    }

    /// Whether the contract still runs.
    pub(crate) fn exists(&self, now: Timestamp) -> bool {
        self.created_at <= now && self.cancellation.is_none_or(|cancellation| now < cancellation.ends_at)
    }

    pub(crate) fn allocated(&self, now: Timestamp, options: &Options) -> bool {
        self.allocated_at.is_some_and(|at| at <= now) && !self.status(now, options).before_allocation()
    }

    /// Whether the VM accepts connections.
    pub(crate) fn booted(&self, now: Timestamp, options: &Options) -> bool {
        self.exists(now)
            && self.allocated(now, options)
            && self.timed_status(now) == Status::Running
            && self.status(now, options) == Status::Running
            && self.booted_at <= now
    }

    /// The next moment at which the clock changes something about it.
    pub(crate) fn next_change(&self, now: Timestamp) -> Option<Timestamp> {
        let ends_at = self.cancellation.map(|cancellation| cancellation.ends_at);
        self.turns
            .iter()
            .map(|turn| turn.at)
            .chain(self.allocated_at)
            .chain([self.booted_at])
            .chain(ends_at)
            .filter(|at| *at > now && *at < Timestamp::MAX)
            .min()
    }

    pub(crate) fn name(&self) -> String {
        format!("vmi{}", self.id)
    }

    pub(crate) fn shown_cancel_date(&self, now: Timestamp) -> Option<Date> {
        self.cancellation.filter(|cancellation| cancellation.shown_at <= now).map(|cancellation| cancellation.last_day)
    }

    pub(crate) fn os_type(&self) -> &'static str {
        if self.install.windows { "Windows" } else { "Linux" }
    }

    /// The whole object. Before the allocation, fields that the published schema requires are null or empty, as the
    /// platform's are; which of the two, goes by the id.
    pub(crate) fn wire(&self, now: Timestamp, options: &Options) -> Value {
        let allocated = self.allocated(now, options);
        let even = self.id % 2 == 0;
        let known = |value: Value| if allocated { value } else { Value::Null };
        let add_ons: Vec<Value> =
            self.add_ons.iter().map(|add_on| json!({ "id": add_on.id, "quantity": add_on.quantity })).collect();
        let cancel_date = match self.shown_cancel_date(now) {
            Some(date) => Value::from(date.to_string()),
            None if even => Value::Null,
            None => Value::from(""),
        };
        let mut object = json!({
            "tenantId": TENANT,
            "customerId": CUSTOMER,
            "additionalIps": [],
            "name": known(Value::from(self.name())),
            "displayName": self.display_name,
            "instanceId": self.id,
            "dataCenter": known(Value::from(format!("{} 1", self.region.name()))),
            "region": self.region.as_str(),
            "regionName": self.region.name(),
            "productId": self.product.id,
            "imageId": self.install.image,
            "ipConfig": self.ip_config(allocated, even, options),
            "macAddress": known(Value::from(self.mac_address())),
            "ramMb": known(Value::from(self.product.ram_mb)),
            "cpuCores": self.product.cores,
            "osType": self.os_type(),
            "diskMb": known(Value::from(self.product.disk_mb)),
            "sshKeys": self.install.ssh_keys,
            "createdDate": wire(self.created_at),
            "cancelDate": cancel_date,
            "status": self.status(now, options).as_str(),
            "vHostId": known(Value::from(70_000 + self.id % 1_000)),
            "vHostNumber": known(Value::from(1_000 + self.id % 1_000)),
            "vHostName": known(Value::from(format!("m{}", 1_000 + self.id % 1_000))),
            "addOns": add_ons,
            "productType": self.product.category,
            "productName": self.product.name,
            "defaultUser": self.install.default_user,
            "applicationId": self.install.application.as_deref().unwrap_or_default(),
        });
        if let Some(message) = self.error_message.as_ref().filter(|_| self.timed_status(now) == Status::Error) {
            object["errorMessage"] = Value::from(message.as_str());
        }
        if let Some(address) = self.extra_address.filter(|_| allocated) {
            object["additionalIps"] = json!([{ "v4": v4(address, options) }]);
        }
        object
    }

    fn ip_config(&self, allocated: bool, even: bool, options: &Options) -> Value {
        match self.address {
            Some(address) if allocated => json!({
                "v4": v4(address, options),
                "v6": {
                    "ip": format!("2001:db8:{:x}:{:x}::1", (self.id >> 16) & 0xffff, self.id & 0xffff),
                    "gateway": "fe80::1",
                    "netmaskCidr": 64,
                },
            }),
            _ if even => Value::Null,
            _ => json!({ "v4": { "ip": "", "gateway": "", "netmaskCidr": 0 } }),
        }
    }

    fn mac_address(&self) -> String {
        let [_, _, _, _, a, b, c, d] = self.id.to_be_bytes();
        format!("02:50:{a:02X}:{b:02X}:{c:02X}:{d:02X}")
    }

    /// The value of a field to order lists by.
    pub(crate) fn sort_key(&self, field: &str, now: Timestamp, options: &Options) -> Option<SortKey> {
        Some(match field {
            "instanceId" => SortKey::Number(self.id),
            "name" => SortKey::Text(self.name()),
            "displayName" => SortKey::Text(self.display_name.clone()),
            "createdDate" => SortKey::Text(wire(self.created_at)),
            "region" => SortKey::Text(self.region.as_str().to_owned()),
            "productId" => SortKey::Text(self.product.id.clone()),
            "status" => SortKey::Text(self.status(now, options).as_str().to_owned()),
            "cancelDate" => {
                SortKey::Text(self.shown_cancel_date(now).map_or_else(String::new, |date| date.to_string()))
            }
            _ => return None,
        })
    }
}

fn v4(address: Ipv4Addr, options: &Options) -> Value {
    let mask = u32::MAX.checked_shr(u32::from(options.pool_prefix)).unwrap_or(0);
    // The last host of the pool, which is never given to a VM unless the pool is nearly used up.
    let gateway = Ipv4Addr::from((u32::from(options.pool_base) | mask).saturating_sub(1));
    json!({ "ip": address.to_string(), "gateway": gateway.to_string(), "netmaskCidr": options.pool_prefix })
}
