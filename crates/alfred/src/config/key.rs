//! Every key of the configuration: its name in `alfred.toml`, its variable, its default, and what it is for.

/// How a value is to be treated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// It may be seen by anybody.
    Plain,
    /// It may carry a password, which is masked.
    Url,
    /// It is never shown and never comes from `alfred.toml`.
    Secret,
}

macro_rules! keys {
    ($($(#[doc = $about:literal])* $key:ident, $name:literal, $variable:literal, $kind:ident, $default:expr;)+) => {
        /// A key of the configuration.
        #[expect(clippy::enum_variant_names, reason = "the word of `AWS_SECRET_ACCESS_KEY` is not ours")]
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub(crate) enum Key {
            $($(#[doc = $about])* $key,)+
        }

        impl Key {
            /// Every key, in the order in which they are shown.
            pub(crate) const ALL: &'static [Self] = &[$(Self::$key),+];

            /// Its name in `alfred.toml`.
            pub(crate) const fn name(self) -> &'static str {
                match self { $(Self::$key => $name,)+ }
            }

            /// Its environment variable.
            pub(crate) const fn variable(self) -> &'static str {
                match self { $(Self::$key => $variable,)+ }
            }

            /// How its value is to be treated.
            pub(crate) const fn kind(self) -> Kind {
                match self { $(Self::$key => Kind::$kind,)+ }
            }

            /// Its value where nobody said anything and it does not follow from others.
            pub(crate) const fn default(self) -> Option<&'static str> {
                match self { $(Self::$key => $default,)+ }
            }
        }
    };
}

keys! {
    /// Where records, the administrator's token and the local cloud's world are kept.
    DataDir, "data_dir", "ALFRED_DATA_DIR", Plain, None;
    /// The database: `sqlite://PATH`, or `postgres://…` for several replicas.
    DatabaseUrl, "database_url", "ALFRED_DATABASE_URL", Url, None;
    /// Where the server listens.
    Listen, "listen", "ALFRED_LISTEN", Plain, Some("127.0.0.1:7070");
    /// Where the other commands find the server.
    Url, "url", "ALFRED_URL", Plain, None;
    /// The access token with which the other commands speak to the server.
    Token, "token", "ALFRED_TOKEN", Secret, None;
    /// The zone's name, under which environments are named.
    Domain, "domain", "ALFRED_DOMAIN", Plain, None;
    /// Who is asked whether a name answers, as `IP:PORT`, instead of the zone's own servers.
    DnsServer, "dns_server", "ALFRED_DNS_SERVER", Plain, None;
    /// Whose records `alfred dns` keeps in the zone.
    DnsOwner, "dns_owner", "ALFRED_DNS_OWNER", Plain, Some("dns");
    /// The port that a VM must accept connections on to be ready.
    ReadinessPort, "readiness_port", "ALFRED_READINESS_PORT", Plain, Some("22");
    /// What is bought: Contabo's product id.
    Product, "product", "ALFRED_PRODUCT", Plain, Some("V153");
    /// Where it is bought.
    Region, "region", "ALFRED_REGION", Plain, Some("EU");
    /// What is installed: Contabo's image id; its API's own default, Ubuntu 22.04, where nothing is said.
    Image, "image", "ALFRED_IMAGE", Plain, Some("afecbb85-e2fc-46f0-9684-b46b1faf00bb");
    /// Whether VMs may be bought: `on` or `off`.
    Buy, "buy", "ALFRED_BUY", Plain, None;
    /// Never own more VMs than this.
    VmLimit, "vm_limit", "ALFRED_VM_LIMIT", Plain, None;
    /// Never order more VMs than this in one calendar month.
    OrdersPerMonth, "orders_per_month", "ALFRED_ORDERS_PER_MONTH", Plain, None;
    /// What a VM costs a month, such as `5.50 EUR`: the provider's API tells no price.
    VmPrice, "vm_price", "ALFRED_VM_PRICE", Plain, None;
    /// How many VMs shall wait ready in the pool: a number, `auto`, or `auto:MIN-MAX`.
    PoolReady, "pool_ready", "ALFRED_POOL_READY", Plain, Some("0");
    /// Whether contracts that nobody needs are let end without a person: `on` or `off`.
    PoolLapse, "pool_lapse", "ALFRED_POOL_LAPSE", Plain, Some("off");
    /// How many environments a user may have who has no quota of their own; any number, where nothing is said.
    Quota, "quota", "ALFRED_QUOTA", Plain, None;
    /// How long an environment lives whose owner says nothing, such as `7d`; for ever, where nothing is said.
    TtlDefault, "ttl_default", "ALFRED_TTL_DEFAULT", Plain, None;
    /// The longest time to live that members may ask for at once, such as `30d`.
    TtlMax, "ttl_max", "ALFRED_TTL_MAX", Plain, None;
    /// Where warnings and calls for attention are sent by HTTP POST.
    WebhookUrl, "webhook_url", "ALFRED_WEBHOOK_URL", Url, None;
    /// What they are signed with: `whsec_` and 24 to 64 bytes in base64.
    WebhookSecret, "webhook_secret", "ALFRED_WEBHOOK_SECRET", Secret, None;
    /// Where VMs call home once they are installed, such as `https://alfred.example.com`.
    CallHomeUrl, "call_home_url", "ALFRED_CALL_HOME_URL", Plain, None;
    /// How long after one audit the next one is made, such as `1h` or `30m`; `off` for none.
    AuditInterval, "audit_interval", "ALFRED_AUDIT_INTERVAL", Plain, Some("1h");
    /// Whether those audits repair what they find: `on` or `off`.
    AuditRepair, "audit_repair", "ALFRED_AUDIT_REPAIR", Plain, Some("off");
    /// Cloudflare's API token, with `DNS Write` on the zone.
    CloudflareApiToken, "cloudflare_api_token", "CLOUDFLARE_API_TOKEN", Secret, None;
    /// Another API token, with `API Tokens Write`, by which `alfred token rotate` gives that one a new value.
    CloudflareTokenManager, "cloudflare_token_manager", "CLOUDFLARE_TOKEN_MANAGER", Secret, None;
    /// The zone's id.
    CloudflareZoneId, "cloudflare_zone_id", "CLOUDFLARE_ZONE_ID", Plain, None;
    /// The account's id, needed for tokens that belong to an account.
    CloudflareAccountId, "cloudflare_account_id", "CLOUDFLARE_ACCOUNT_ID", Plain, None;
    /// How much of Cloudflare's limit of calls is used, by all replicas together, in percent.
    ApiShare, "api_share", "ALFRED_API_SHARE", Plain, Some("90");
    /// Cloudflare's API.
    CloudflareApiBase, "cloudflare_api_base", "CLOUDFLARE_API_BASE", Plain,
        Some("https://api.cloudflare.com/client/v4");
    /// Contabo's OAuth2 client.
    ContaboClientId, "contabo_client_id", "CONTABO_CLIENT_ID", Plain, None;
    /// The secret of Contabo's OAuth2 client.
    ContaboClientSecret, "contabo_client_secret", "CONTABO_CLIENT_SECRET", Secret, None;
    /// The API user, an e-mail address.
    ContaboApiUser, "contabo_api_user", "CONTABO_API_USER", Plain, None;
    /// The API user's password, which is not the customer panel's.
    ContaboApiPassword, "contabo_api_password", "CONTABO_API_PASSWORD", Secret, None;
    /// Contabo's API.
    ContaboApiBase, "contabo_api_base", "CONTABO_API_BASE", Plain, Some("https://api.contabo.com");
    /// Contabo's token endpoint.
    ContaboAuthUrl, "contabo_auth_url", "CONTABO_AUTH_URL", Plain,
        Some("https://auth.contabo.com/auth/realms/contabo/protocol/openid-connect/token");
    /// Where Terraform states are kept; the folder `states` in the data directory, where nothing is said.
    State, "state", "ALFRED_STATE", Url, None;
    /// A second store of states, which follows the first one; none, where nothing is said.
    StateMirror, "state_mirror", "ALFRED_STATE_MIRROR", Url, None;
    /// The content of a NATS credentials file, for states that are kept in NATS.
    StateNatsCredentials, "state_nats_credentials", "ALFRED_STATE_NATS_CREDENTIALS", Secret, None;
    /// What states are encrypted with at rest: `NAME:KEY,NAME:KEY…`, keys of 32 bytes in base64; the first one writes.
    StateKeys, "state_keys", "ALFRED_STATE_KEYS", Secret, None;
    /// The longest state that is taken, such as `256MiB`.
    StateSizeMax, "state_size_max", "ALFRED_STATE_SIZE_MAX", Plain, Some("256MiB");
    /// How many versions of a state are kept of which nothing else was decided.
    StateKeepVersions, "state_keep_versions", "ALFRED_STATE_KEEP_VERSIONS", Plain, Some("100");
    /// For how many days a version that was replaced is kept; for ever, where nothing is said.
    StateKeepDays, "state_keep_days", "ALFRED_STATE_KEEP_DAYS", Plain, None;
    /// Where backups of all states and of alfred's own records are kept; there are none, where nothing is said.
    Backup, "backup", "ALFRED_BACKUP", Url, None;
    /// How long after one backup the next one is made, such as `1h` or `30m`; `off` for only when asked.
    BackupInterval, "backup_interval", "ALFRED_BACKUP_INTERVAL", Plain, Some("1h");
    /// How many of the newest backups are kept.
    BackupKeep, "backup_keep", "ALFRED_BACKUP_KEEP", Plain, Some("48");
    /// Of how many days, today included, the newest backup is kept as well.
    BackupKeepDays, "backup_keep_days", "ALFRED_BACKUP_KEEP_DAYS", Plain, Some("30");
    /// The endpoint of R2's S3 API, for Terraform state.
    R2Endpoint, "r2_endpoint", "R2_ENDPOINT", Plain, None;
    /// The id of R2's access key.
    AwsAccessKeyId, "aws_access_key_id", "AWS_ACCESS_KEY_ID", Plain, None;
    /// R2's access key.
    AwsSecretAccessKey, "aws_secret_access_key", "AWS_SECRET_ACCESS_KEY", Secret, None;
}

impl Key {
    /// The key of this name in `alfred.toml`.
    pub(crate) fn of_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|key| key.name() == name)
    }
}
