//! What can be adjusted: credentials, delays, stock, quirks and limits.

use std::collections::BTreeMap;
use std::fmt;
use std::net::Ipv4Addr;
use std::sync::Arc;

use alfred_model::seam::Random;
use jiff::SignedDuration;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use super::catalogue::{self, Product, Region};
use super::secret_text;
use super::status::Status;

/// A delay with a random part: it lasts `base` plus an even share of `spread`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delay {
    /// The part that always passes.
    pub base: SignedDuration,
    /// The most that is added to it.
    pub spread: SignedDuration,
}

impl Delay {
    /// No delay at all.
    pub const ZERO: Self = Self { base: SignedDuration::ZERO, spread: SignedDuration::ZERO };

    /// A delay of `base` to `base + spread` milliseconds.
    pub const fn millis(base: i64, spread: i64) -> Self {
        Self { base: SignedDuration::from_millis(base), spread: SignedDuration::from_millis(spread) }
    }

    /// A delay of `base` to `base + spread` seconds.
    pub const fn seconds(base: i64, spread: i64) -> Self {
        Self { base: SignedDuration::from_secs(base), spread: SignedDuration::from_secs(spread) }
    }

    /// One such delay; never negative.
    pub(crate) fn draw(&self, random: &dyn Random) -> SignedDuration {
        if self.spread <= SignedDuration::ZERO {
            return self.base.max(SignedDuration::ZERO);
        }
        let extra = SignedDuration::try_from_secs_f64(self.spread.as_secs_f64() * random.unit())
            .unwrap_or(SignedDuration::ZERO);
        self.base.saturating_add(extra).max(SignedDuration::ZERO)
    }
}

/// What becomes of an order that is accepted (201) but does not simply become a VM.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OrderOutcome {
    /// The ordinary course: provisioning, installing, running.
    Normal,
    /// The invoice was not paid; the ghost stays until somebody removes it in the panel.
    PendingPayment,
    /// The account holder has to prove who they are.
    VerificationRequired,
    /// Staff builds it by hand.
    ManualProvisioning,
    /// Sold out in that region.
    ProductNotAvailable,
    /// It is built and has an address, but its installation failed; a reinstall mends it.
    Error,
}

impl OrderOutcome {
    pub(crate) fn status(self) -> Option<Status> {
        match self {
            Self::Normal => None,
            Self::PendingPayment => Some(Status::PendingPayment),
            Self::VerificationRequired => Some(Status::VerificationRequired),
            Self::ManualProvisioning => Some(Status::ManualProvisioning),
            Self::ProductNotAvailable => Some(Status::ProductNotAvailable),
            Self::Error => Some(Status::Error),
        }
    }
}

/// How many VMs of a product can still be sold in a region; a pair without an entry never sells out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stock {
    /// Product id, such as `V153`.
    pub product: String,
    /// Where.
    pub region: Region,
    /// How many VMs may be sold over the life of this cloud.
    pub count: u32,
}

/// What an order gets that finds nothing in stock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SoldOut {
    /// 201, and the instance has the status `product_not_available`.
    #[default]
    Accept,
    /// 400 `No offer was found …`, as for a product that is no longer sold.
    Refuse,
}

/// How a `displayName` or `name` filter compares; the platform does not say which it does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NameMatch {
    /// Substring without regard to case: the answer that punishes a client which does not compare again.
    #[default]
    Substring,
    /// The whole name.
    Exact,
}

/// Whether audit rows of created instances carry the instance's id; the platform sometimes writes 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ZeroRows {
    /// Each row carries the id.
    #[default]
    Never,
    /// A second `CREATED` row with the id 0 precedes the one with the id.
    Extra,
    /// The only `CREATED` row has the id 0.
    Instead,
}

/// At most `calls` in each window of `window`; more get 429.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rate {
    /// Calls that are let through.
    pub calls: u32,
    /// Length of the window; it starts with the first call in it.
    pub window: SignedDuration,
}

/// Decides whether an instance is frozen, and in which status (a word such as `provisioning`).
pub type Stuck = Arc<dyn Fn(i64) -> Option<String> + Send + Sync>;

/// Everything that can be adjusted. The default behaves like the platform, with waits of seconds instead of minutes.
#[derive(Clone, Serialize, Deserialize)]
#[serde(default)]
pub struct Options {
    /// OAuth2 client id.
    pub client_id: String,
    /// OAuth2 client secret.
    #[serde(with = "secret_text")]
    pub client_secret: SecretString,
    /// API user (a login e-mail on the platform).
    pub user: String,
    /// The user's API password.
    #[serde(with = "secret_text")]
    pub password: SecretString,
    /// How long an access token is good for.
    pub token_lifetime: SignedDuration,
    /// How long a refresh token is good for.
    pub refresh_lifetime: SignedDuration,
    /// From the order until the VM has an address and is being installed.
    pub provisioning: Delay,
    /// From `installing` to `running`, for a new VM.
    pub installing: Delay,
    /// From `installing` to `running`, for a reinstalled VM.
    pub reinstalling: Delay,
    /// From `running` until the VM accepts a TCP connection.
    pub boot: Delay,
    /// From a `shutdown` action until `stopped`, and from `resetPassword` until `running`.
    pub action: Delay,
    /// After creation, for how long a single GET answers 404.
    pub unreadable_after_create: Delay,
    /// After creation, for how long lists leave the instance out.
    pub unlisted_after_create: Delay,
    /// From a change until its audit row can be read.
    pub audit_lag: Delay,
    /// From a cancellation until GET and lists show `cancelDate`.
    pub cancel_date_delay: Delay,
    /// How long before the end of the paid term a cancellation must come; a later one costs another term.
    pub cancel_notice: SignedDuration,
    /// After which staff is done with `manual_provisioning` and `verification_required`; `None` is never.
    pub staff: Option<Delay>,
    /// The port on which a booted VM accepts connections.
    pub readiness_port: u16,
    /// How many instances the account may have.
    pub instance_cap: u32,
    /// The status code of an order beyond the cap (the platform's is not published).
    pub instance_cap_status: u16,
    /// What is sold.
    pub products: Vec<Product>,
    /// What may run out.
    pub stock: Vec<Stock>,
    /// What happens when it has.
    pub sold_out: SoldOut,
    /// Outcomes of the first orders, in turn; later orders take their ordinary course.
    pub next_orders: Vec<OrderOutcome>,
    /// Freezes instances in a status; such an instance is not reachable unless that status is `running`.
    #[serde(skip)]
    pub stuck: Option<Stuck>,
    /// Lists repeat an element on later pages, as if an instance had been created while the client was paging.
    pub duplicate_pages: bool,
    /// How name filters compare.
    pub name_match: NameMatch,
    /// Quirk of the audit rows.
    pub zero_rows: ZeroRows,
    /// Rate limit; `None` is none.
    pub rate: Option<Rate>,
    /// The largest page of a list; a larger `size` gets this many.
    pub page_size_max: u32,
    /// The longest `userData`, in characters.
    pub user_data_max: usize,
    /// The first address of the pool. Addresses are given in ascending order, without those ending in 0 or 255.
    pub pool_base: Ipv4Addr,
    /// The length of the pool's prefix, 0 to 30.
    pub pool_prefix: u8,
    /// More images than the built-in ones: id to name. They count as Linux.
    pub images: BTreeMap<String, String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            client_id: "local-client".to_owned(),
            client_secret: SecretString::from("local-client-secret"),
            user: "local@alfred.invalid".to_owned(),
            password: SecretString::from("local-password"),
            token_lifetime: SignedDuration::from_secs(300),
            refresh_lifetime: SignedDuration::from_secs(1_800),
            provisioning: Delay::seconds(10, 10),
            installing: Delay::seconds(10, 10),
            reinstalling: Delay::seconds(15, 15),
            boot: Delay::seconds(5, 5),
            action: Delay::seconds(3, 2),
            unreadable_after_create: Delay::seconds(1, 2),
            unlisted_after_create: Delay::seconds(1, 2),
            audit_lag: Delay::seconds(2, 3),
            cancel_date_delay: Delay::seconds(3, 3),
            cancel_notice: SignedDuration::from_hours(28 * 24),
            staff: None,
            readiness_port: 2222,
            instance_cap: 75,
            instance_cap_status: 402,
            products: catalogue::products(),
            stock: Vec::new(),
            sold_out: SoldOut::default(),
            next_orders: Vec::new(),
            stuck: None,
            duplicate_pages: false,
            name_match: NameMatch::default(),
            zero_rows: ZeroRows::default(),
            rate: None,
            page_size_max: 100,
            user_data_max: 32_768,
            pool_base: Ipv4Addr::new(127, 64, 0, 0),
            pool_prefix: 10,
            images: BTreeMap::new(),
        }
    }
}

impl Options {
    /// No delays: each call's effect is there when it answers. Rules and limits stay.
    pub fn instant() -> Self {
        Self {
            provisioning: Delay::ZERO,
            installing: Delay::ZERO,
            reinstalling: Delay::ZERO,
            boot: Delay::ZERO,
            action: Delay::ZERO,
            unreadable_after_create: Delay::ZERO,
            unlisted_after_create: Delay::ZERO,
            audit_lag: Delay::ZERO,
            cancel_date_delay: Delay::ZERO,
            ..Self::default()
        }
    }

    /// Delays that a person watching a demonstration can see and bear: a VM is up within about five seconds.
    pub fn demo() -> Self {
        Self {
            provisioning: Delay::millis(800, 700),
            installing: Delay::millis(800, 700),
            reinstalling: Delay::millis(1_000, 1_000),
            boot: Delay::millis(500, 500),
            action: Delay::millis(300, 200),
            unreadable_after_create: Delay::millis(200, 200),
            unlisted_after_create: Delay::millis(200, 200),
            audit_lag: Delay::millis(300, 300),
            cancel_date_delay: Delay::millis(500, 500),
            ..Self::default()
        }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Options")
            .field("client_id", &self.client_id)
            .field("user", &self.user)
            .field("readiness_port", &self.readiness_port)
            .field("instance_cap", &self.instance_cap)
            .field("pool", &format_args!("{}/{}", self.pool_base, self.pool_prefix))
            .finish_non_exhaustive()
    }
}
