//! The command that runs the local cloud.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr as _;

use alfred_model::name::DomainName;
use clap::{Args, ValueEnum};

/// What `alfred cloud` takes.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  alfred cloud --instant\n  \
                        alfred cloud --state world.json --fault 'POST /v1/compute/instances lost-after count=1'\n\n\
                        The variables that it prints point any client of the two platforms at it.")]
pub(crate) struct CloudArguments {
    /// Where the HTTP services listen
    #[arg(long, value_name = "IP:PORT", default_value = "127.0.0.1:7071")]
    pub(crate) listen: SocketAddr,

    /// Where the DNS server listens
    #[arg(long, value_name = "IP:PORT", default_value = "127.0.0.1:7053")]
    pub(crate) dns: SocketAddr,

    /// Where R2 (S3) listens
    #[arg(long, value_name = "IP:PORT", default_value = "127.0.0.1:7072")]
    pub(crate) r2: SocketAddr,

    /// Keep the world in this file, so that a restart meets the same one; objects of R2 are in a folder beside it
    #[arg(long, value_name = "FILE")]
    pub(crate) state: Option<PathBuf>,

    /// A fault, such as `POST /v1/compute/instances lost-after count=1`; may be given several times
    #[arg(long, value_name = "RULE")]
    pub(crate) fault: Vec<String>,

    /// Answer at once, without the delays of a real cloud
    #[arg(long, conflicts_with = "demo")]
    pub(crate) instant: bool,

    /// Delays of a few seconds, as a demonstration wants them; this is the default
    #[arg(long)]
    pub(crate) demo: bool,

    /// A zone's name; may be given several times
    #[arg(long, value_name = "NAME", default_value = "alfredos.site", value_parser = DomainName::from_str)]
    pub(crate) zone: Vec<DomainName>,

    /// The zones' plan, which decides how many records and how large batches they take
    #[arg(long, value_enum, default_value_t = Plan::Free)]
    pub(crate) plan: Plan,

    /// How many records each zone takes, instead of what its plan says
    #[arg(long, value_name = "N")]
    pub(crate) quota: Option<u32>,

    /// How many instances the account may have; more orders are refused
    #[arg(long, value_name = "N")]
    pub(crate) instances: Option<u32>,
}

/// A zone's plan at Cloudflare.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Plan {
    /// Free
    Free,
    /// Pro
    Pro,
    /// Business
    Business,
    /// Enterprise
    Enterprise,
}
