//! Commands about environments.

use std::path::PathBuf;
use std::str::FromStr as _;

use alfred_model::environment::{OnFailure, Status};
use alfred_model::name::Slug;
use alfred_model::user::UserName;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Subcommand};

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

    /// Delete environments: their names vanish, their VMs are wiped and go back to the pool
    Delete(DeleteArguments),
}

/// What `alfred env create` takes.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  alfred env create --wait\n  \
                        alfred env create --slug brave-tiger --ssh-key ~/.ssh/id_ed25519.pub\n  \
                        alfred env create --count 20 --wait --json")]
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
#[command(after_help = "Examples:\n  alfred env list\n  alfred env list --status error --json")]
pub(crate) struct ListArguments {
    /// Also deleted ones
    #[arg(long)]
    pub(crate) all: bool,

    /// Only those with this status
    #[arg(long, value_parser = status())]
    pub(crate) status: Option<Status>,
}

/// What `alfred env watch` takes.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  alfred env watch brave-tiger\n  alfred env watch --all --json")]
pub(crate) struct WatchArguments {
    /// The environment
    #[arg(value_parser = Slug::from_str, required_unless_present = "all", conflicts_with = "all")]
    pub(crate) slug: Option<Slug>,

    /// Every environment that you may see
    #[arg(long)]
    pub(crate) all: bool,
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
