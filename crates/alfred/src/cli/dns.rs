//! Commands about DNS records.

use std::path::PathBuf;
use std::str::FromStr as _;
use std::time::Duration;

use alfred_model::dns::file::{Format, TTL_SECONDS};
use alfred_model::dns::limit::DeleteLimit;
use alfred_model::dns::plan::Checksum;
use alfred_model::name::DomainName;
use alfred_model::record::{OwnerName, RECORD_TTL_SECONDS};
use clap::{Args, Subcommand, ValueEnum};

/// What `alfred dns` takes.
#[derive(Debug, Args)]
pub(crate) struct DnsArguments {
    /// Which zone, where several are configured
    #[arg(long, global = true, value_name = "ZONE", value_parser = DomainName::from_str)]
    pub(crate) zone: Option<DomainName>,

    #[command(subcommand)]
    pub(crate) command: DnsCommand,
}

/// Commands about DNS records.
#[derive(Debug, Subcommand)]
pub(crate) enum DnsCommand {
    /// List the records of an owner, or all A and CNAME records of the zone
    List(DnsListArguments),

    /// Show every record at a name, and whose it is
    Get(DnsGetArguments),

    /// Create or change one record
    Set(DnsSetArguments),

    /// Delete records of an owner
    Delete(DnsDeleteArguments),

    /// Ask every authoritative server of the zone what it answers
    Verify(DnsVerifyArguments),

    /// Show what `apply` would do; changes nothing
    Plan(DnsPlanArguments),

    /// Make the zone hold what a file says
    Apply(Box<DnsApplyArguments>),
}

/// Whose records.
#[derive(Debug, Args)]
pub(crate) struct AccessArguments {
    /// Whose records they are; others are never touched [env: `ALFRED_DNS_OWNER`] [default: dns]
    #[arg(long, value_name = "NAME", value_parser = OwnerName::from_str)]
    pub(crate) owner: Option<OwnerName>,
}

/// What `alfred dns list` takes.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  alfred dns list\n  alfred dns list --all --json")]
pub(crate) struct DnsListArguments {
    /// Only the owner's records; this is the default
    #[arg(long, conflicts_with = "all")]
    pub(crate) owned: bool,

    /// All A and CNAME records of the zone, with whose they are
    #[arg(long)]
    pub(crate) all: bool,

    #[command(flatten)]
    pub(crate) access: AccessArguments,
}

/// What `alfred dns get` takes.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  alfred dns get web")]
pub(crate) struct DnsGetArguments {
    /// The name: `web` or `web.example.com`; `@` for the zone's own
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
}

/// What `alfred dns set` takes.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  alfred dns set web 192.0.2.1\n  alfred dns set www web.example.com --ttl 3600\n  \
                        alfred dns set shop 192.0.2.7 --adopt"
)]
pub(crate) struct DnsSetArguments {
    /// The name: `web` or `web.example.com`
    #[arg(value_name = "NAME")]
    pub(crate) name: String,

    /// An IPv4 address (A), or a full name (CNAME)
    #[arg(value_name = "TARGET")]
    pub(crate) target: String,

    /// Time to live in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = RECORD_TTL_SECONDS, value_parser = ttl())]
    pub(crate) ttl: u32,

    /// Take over a single record that is not the owner's
    #[arg(long)]
    pub(crate) adopt: bool,

    #[command(flatten)]
    pub(crate) access: AccessArguments,
}

/// What `alfred dns delete` takes.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  alfred dns delete web\n  alfred dns delete web www --yes")]
pub(crate) struct DnsDeleteArguments {
    /// The names
    #[arg(value_name = "NAME", required = true)]
    pub(crate) names: Vec<String>,

    /// Do not ask
    #[arg(long, short)]
    pub(crate) yes: bool,

    #[command(flatten)]
    pub(crate) access: AccessArguments,
}

/// What `alfred dns verify` takes.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  alfred dns verify web\n  alfred dns verify web --expect 192.0.2.1 --wait 2m")]
pub(crate) struct DnsVerifyArguments {
    /// The name: `web` or `web.example.com`
    #[arg(value_name = "NAME")]
    pub(crate) name: String,

    /// What every server must answer, instead of what the zone's record says; with it no token is needed
    #[arg(long, value_name = "TARGET")]
    pub(crate) expect: Option<String>,

    /// Ask again until all servers answer so, at most this long, such as `90s` or `2m`
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub(crate) wait: Option<Duration>,
}

/// A file of wanted records, and how it is compared with the zone.
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
#[derive(Debug, Args)]
pub(crate) struct FileArguments {
    /// Lines `NAME TARGET [TTL]`, CSV, JSON or YAML; `-` is the standard input
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,

    /// How the file is written; by the end of its name where not said
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub(crate) format: Option<FileFormat>,

    /// Time to live of records that do not say one, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = RECORD_TTL_SECONDS, value_parser = ttl())]
    pub(crate) ttl: u32,

    /// Delete the owner's records that are not in the file
    #[arg(long)]
    pub(crate) prune: bool,

    /// Take over records that are not the owner's, where a name in the file has a single one
    #[arg(long)]
    pub(crate) adopt: bool,

    /// Refuse to delete more than this: a number, or a share of the owner's records such as `10%` [default: 30%, and 10
    /// in any case]
    #[arg(long, value_name = "LIMIT", value_parser = DeleteLimit::from_str)]
    pub(crate) max_delete: Option<DeleteLimit>,

    /// Take a file without any record
    #[arg(long)]
    pub(crate) allow_empty: bool,

    /// Show every line of the plan
    #[arg(long)]
    pub(crate) all: bool,

    #[command(flatten)]
    pub(crate) access: AccessArguments,
}

/// What `alfred dns plan` takes.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  alfred dns plan records.txt\n  alfred dns plan records.yaml --prune --json")]
pub(crate) struct DnsPlanArguments {
    #[command(flatten)]
    pub(crate) file: FileArguments,
}

/// What `alfred dns apply` takes.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  alfred dns apply records.txt\n  alfred dns apply records.csv --prune --yes\n  \
                        alfred dns apply records.txt --checksum 1f0c5a9e77d2b340")]
pub(crate) struct DnsApplyArguments {
    #[command(flatten)]
    pub(crate) file: FileArguments,

    /// Do not ask
    #[arg(long, short)]
    pub(crate) yes: bool,

    /// Do not ask, and change nothing unless the plan is the one with this checksum
    #[arg(long, value_name = "CHECKSUM", value_parser = Checksum::from_str)]
    pub(crate) checksum: Option<Checksum>,

    /// Change nothing if a single record of the file cannot be had
    #[arg(long)]
    pub(crate) strict: bool,

    /// How long to go on trying what can be tried again, such as `90s` or `15m`
    #[arg(long, value_name = "DURATION", default_value = "15m", value_parser = duration)]
    pub(crate) timeout: Duration,
}

/// How a file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum FileFormat {
    /// `NAME TARGET [TTL]` on each line
    Lines,
    /// `name,target[,ttl]`
    Csv,
    /// A list of objects, or names with targets
    Json,
    /// The same as JSON
    Yaml,
}

impl From<FileFormat> for Format {
    fn from(format: FileFormat) -> Self {
        match format {
            FileFormat::Lines => Self::Lines,
            FileFormat::Csv => Self::Csv,
            FileFormat::Json => Self::Json,
            FileFormat::Yaml => Self::Yaml,
        }
    }
}

fn ttl() -> clap::builder::RangedI64ValueParser<u32> {
    clap::value_parser!(u32).range(i64::from(*TTL_SECONDS.start())..=i64::from(*TTL_SECONDS.end()))
}

/// A number with `s`, `m` or `h`, up to a day.
fn duration(text: &str) -> Result<Duration, String> {
    let bad = || "give a number with `s`, `m` or `h`, such as `90s`, up to a day".to_owned();
    let unit = text.chars().last().ok_or_else(bad)?;
    let seconds: u64 = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        _ => return Err(bad()),
    };
    let number: u64 = text[..text.len() - 1].parse().map_err(|_| bad())?;
    let length = number.checked_mul(seconds).filter(|seconds| *seconds <= 86_400).ok_or_else(bad)?;
    Ok(Duration::from_secs(length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read_with_their_unit() {
        for (text, seconds) in [("0s", 0), ("90s", 90), ("15m", 900), ("24h", 86_400)] {
            assert_eq!(duration(text), Ok(Duration::from_secs(seconds)));
        }
        for bad in ["", "s", "5", "-5s", "25h", "1.5m", "5ü", "18446744073709551615h"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
    }
}
