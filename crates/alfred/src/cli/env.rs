//! Commands about environments.

use std::path::PathBuf;
use std::str::FromStr as _;

use alfred_model::environment::{OnFailure, Status};
use alfred_model::id::BatchId;
use alfred_model::name::Slug;
use alfred_model::user::UserName;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Subcommand};

use crate::api::SetQuota;
use crate::ttl::Ttl;

/// Commands about environments.
#[derive(Debug, Subcommand)]
pub(crate) enum EnvCommand {
    /// Ask for environments
    Create(CreateArguments),

    /// List environments
    List(ListArguments),

    /// Show one environment and its history
    #[command(after_help = "Example:\n  alfred env show brave-tiger")]
    Show {
        /// The environment
        #[arg(value_parser = Slug::from_str)]
        slug: Slug,
    },

    /// Follow what happens to environments until interrupted
    Watch(WatchArguments),

    /// Try again now, instead of at the next time
    Retry(RetryArguments),

    /// Let an environment live longer than it would
    Extend(ExtendArguments),

    /// Show how many environments a user may have, and set it
    Quota(QuotaArguments),

    /// Delete environments: their names vanish, their VMs are wiped and go back to the pool
    Delete(DeleteArguments),
}

/// What `alfred env create` takes.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  alfred env create --wait\n  \
                        alfred env create --slug brave-tiger --ssh-key ~/.ssh/id_ed25519.pub\n  \
                        alfred env create --count 20 --ttl 8h --wait --json\n\n\
                        Exit codes of `--wait`: 0 all are active, 3 some are, 1 none is.")]
pub(crate) struct CreateArguments {
    /// How many
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) count: u32,

    /// Its name, instead of one that is made up
    #[arg(long, value_parser = Slug::from_str, conflicts_with = "count")]
    pub(crate) slug: Option<Slug>,

    /// Wait until each one is active or has failed
    #[arg(long)]
    pub(crate) wait: bool,

    /// It is deleted after so long, such as `8h`, `90m`, `7d` or `never`; its owner is warned before. What the server's
    /// configuration says, where not given
    #[arg(long, value_name = "TIME", value_parser = Ttl::from_str)]
    pub(crate) ttl: Option<Ttl>,

    /// Who it is for; only an administrator may ask for others
    #[arg(long, value_name = "NAME", value_parser = UserName::from_str)]
    pub(crate) user: Option<UserName>,

    /// A file with public SSH keys that may log in; may be given several times
    #[arg(long, value_name = "FILE")]
    pub(crate) ssh_key: Vec<PathBuf>,

    /// A script that the VM runs once after installation
    #[arg(long, value_name = "FILE")]
    pub(crate) script: Option<PathBuf>,

    /// The VM's time zone, such as `Europe/Berlin`
    #[arg(long, value_name = "ZONE")]
    pub(crate) time_zone: Option<String>,

    /// What becomes of a VM that was bought for it, if it fails for good
    #[arg(long, value_name = "RULE", value_parser = on_failure())]
    pub(crate) on_failure: Option<OnFailure>,
}

/// What `alfred env list` takes.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  alfred env list\n  alfred env list --status error --json\n  \
                        alfred env list --batch 01926f3c-7a1b-7c3d-9e4f-5a6b7c8d9e00")]
pub(crate) struct ListArguments {
    /// Also deleted ones
    #[arg(long)]
    pub(crate) all: bool,

    /// Only those with this status
    #[arg(long, value_parser = status())]
    pub(crate) status: Option<Status>,

    /// Only those of one request, by the id that `alfred env create` told
    #[arg(long, value_name = "ID", value_parser = BatchId::from_str)]
    pub(crate) batch: Option<BatchId>,
}

/// What `alfred env watch` takes.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  alfred env watch brave-tiger\n  alfred env watch brave-tiger calm-owl\n  \
                        alfred env watch --all --json\n  \
                        alfred env watch --batch 01926f3c-7a1b-7c3d-9e4f-5a6b7c8d9e00")]
pub(crate) struct WatchArguments {
    /// The environments
    #[arg(value_parser = Slug::from_str, value_name = "SLUG", required_unless_present_any = ["all", "batch"])]
    pub(crate) slugs: Vec<Slug>,

    /// Every environment that you may see
    #[arg(long, conflicts_with = "slugs")]
    pub(crate) all: bool,

    /// Those of one request, until each one is active or has failed: as `alfred env create --wait` does, with its exit
    /// codes
    #[arg(long, value_name = "ID", value_parser = BatchId::from_str, conflicts_with_all = ["slugs", "all"])]
    pub(crate) batch: Option<BatchId>,
}

/// What `alfred env extend` takes.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  alfred env extend brave-tiger --ttl 8h\n  alfred env extend brave-tiger --ttl never"
)]
pub(crate) struct ExtendArguments {
    /// The environment
    #[arg(value_parser = Slug::from_str)]
    pub(crate) slug: Slug,

    /// It lives at least so long from now on, such as `8h` or `7d`; `never` for no end. An end that is later stays
    #[arg(long, value_name = "TIME", value_parser = Ttl::from_str)]
    pub(crate) ttl: Ttl,
}

/// What `alfred env quota` takes.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  alfred env quota\n  alfred env quota ada --set 20\n  alfred env quota ada --clear"
)]
pub(crate) struct QuotaArguments {
    /// Whose; your own, where absent. Only an administrator may see or set that of others
    #[arg(value_parser = UserName::from_str)]
    pub(crate) user: Option<UserName>,

    /// At most so many environments that are not deleted
    #[arg(long, value_name = "N", requires = "user", conflicts_with = "clear")]
    pub(crate) set: Option<u32>,

    /// No quota of their own any more, but that of all
    #[arg(long, requires = "user")]
    pub(crate) clear: bool,
}

impl QuotaArguments {
    /// The quota to set, if one is to be set.
    pub(crate) fn change(&self) -> Option<SetQuota> {
        (self.clear || self.set.is_some()).then_some(SetQuota { quota: self.set })
    }
}

/// What `alfred env retry` takes.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  alfred env retry brave-tiger")]
pub(crate) struct RetryArguments {
    /// The environment
    #[arg(value_parser = Slug::from_str)]
    pub(crate) slug: Slug,

    /// Give up an order whose outcome is unknown; make sure first that it bought nothing, or the VM is paid for twice
    #[arg(long)]
    pub(crate) abandon_order: bool,
}

/// What `alfred env delete` takes.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  alfred env delete brave-tiger --wait\n  alfred env delete calm-owl quick-fox --yes"
)]
pub(crate) struct DeleteArguments {
    /// The environments
    #[arg(value_parser = Slug::from_str, required = true, value_name = "SLUG")]
    pub(crate) slugs: Vec<Slug>,

    /// Wait until each one is gone
    #[arg(long)]
    pub(crate) wait: bool,

    /// Do not ask before deleting several
    #[arg(long, short)]
    pub(crate) yes: bool,
}

fn on_failure() -> impl TypedValueParser<Value = OnFailure> {
    PossibleValuesParser::new(OnFailure::ALL.iter().map(|rule| rule.as_str())).try_map(|word| word.parse())
}

fn status() -> impl TypedValueParser<Value = Status> {
    PossibleValuesParser::new(Status::ALL.iter().map(|status| status.as_str())).try_map(|word| word.parse())
}
