//! Commands about Terraform states.

use std::path::PathBuf;
use std::str::FromStr as _;

use alfred_model::state::{Rights, StateName, StatePattern};
use alfred_model::user::UserName;
use clap::{Args, Subcommand};

use crate::ttl::Ttl;

/// Commands about Terraform states.
#[derive(Debug, Subcommand)]
pub(crate) enum StateCommand {
    /// List states, with their newest version and who has the lock
    #[command(after_help = "Examples:\n  alfred state list\n  alfred state list --all --json")]
    List {
        /// Also those that were deleted, whose versions are kept
        #[arg(long)]
        all: bool,
    },

    /// Show one state: newest version, lock, settings, and what you may do with it
    #[command(after_help = "Example:\n  alfred state show team/network")]
    Show {
        /// Its name
        #[arg(value_parser = StateName::from_str)]
        name: StateName,
    },

    /// Print what Terraform needs to keep a state here: the backend block, and the environment
    Init(StateInitArguments),

    /// List the versions that are kept of a state
    #[command(after_help = "Example:\n  alfred state versions team/network")]
    Versions {
        /// The state's name
        #[arg(value_parser = StateName::from_str)]
        name: StateName,
    },

    /// Show what changed between two versions; what may be secret is not shown
    Diff(StateDiffArguments),

    /// Write a version's content to a file, or to the output
    Download(StateDownloadArguments),

    /// Make the content of an older version the newest again, with a higher serial
    RollBack(StateRollBackArguments),

    /// Keep a version whatever the retention says
    #[command(after_help = "Example:\n  alfred state pin team/network 7")]
    Pin(StateVersionArguments),

    /// Let a version go as others do
    #[command(after_help = "Example:\n  alfred state unpin team/network 7")]
    Unpin(StateVersionArguments),

    /// Take a state's lock by hand, so that nobody changes it
    #[command(after_help = "Example:\n  alfred state lock team/network --reason 'the network is rebuilt by hand'")]
    Lock {
        /// The state's name
        #[arg(value_parser = StateName::from_str)]
        name: StateName,

        /// Why, for whoever waits
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },

    /// Give a lock back that is yours
    #[command(after_help = "Example:\n  alfred state unlock team/network 9db590f1-b6fe-c5f2-2678-8804f089deba")]
    Unlock {
        /// The state's name
        #[arg(value_parser = StateName::from_str)]
        name: StateName,

        /// The lock's id, as `alfred state show` tells it
        id: String,
    },

    /// Take the lock away from whoever has it, such as a killed Terraform; needs the right to
    ForceUnlock(StateForceUnlockArguments),

    /// Show or change how many versions are kept for how long, and when locks expire
    Settings(StateSettingsArguments),

    /// Read every version back and compare it with what was written
    #[command(after_help = "Examples:\n  alfred state verify team/network\n  alfred state verify   # all of yours")]
    Verify {
        /// The states' names; all of yours, where none is named
        #[arg(value_parser = StateName::from_str)]
        names: Vec<StateName>,
    },

    /// Delete a state: it then reads as absent, and its versions are kept
    Delete(StateDeleteArguments),

    /// Give a user or a token rights on states
    Grant(StateGrantArguments),

    /// Take rights on states away
    Revoke(StateRevokeArguments),

    /// List who has which rights on states
    #[command(after_help = "Examples:\n  alfred state rights\n  alfred state rights team/network")]
    Rights {
        /// Only those on this state
        #[arg(value_parser = StateName::from_str)]
        name: Option<StateName>,
    },

    /// Show who read, wrote, locked or was refused what
    Log(StateLogArguments),

    /// Show the two stores that states are kept in: which one counts, and whether the other has everything
    #[command(after_help = "Example:\n  alfred state mirror")]
    Mirror,

    /// Make the second of two stores the one that counts, or go back
    Switch(StateSwitchArguments),

    /// Move states from one store to another with all versions, without a server
    Migrate(StateMigrateArguments),
}

/// What `alfred state switch` takes.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  alfred state switch --trial 30m\n  alfred state switch --without-old   # the old one is gone"
)]
pub(crate) struct StateSwitchArguments {
    /// Go back by itself if the new one fails within this time
    #[arg(long, value_name = "TIME")]
    pub(crate) trial: Option<Ttl>,

    /// More failed calls of a hundred are too many
    #[arg(long, value_name = "PERCENT", requires = "trial", value_parser = clap::value_parser!(u8).range(0..=100))]
    pub(crate) max_errors: Option<u8>,

    /// A slower median of calls, in milliseconds, is too slow
    #[arg(long, value_name = "MS", requires = "trial")]
    pub(crate) max_latency: Option<u32>,

    /// Leave the old one as it is, because it cannot be reached
    #[arg(long)]
    pub(crate) without_old: bool,

    /// Accept this loss, as the refusal names it
    #[arg(long, value_name = "LOSS")]
    pub(crate) accept_loss: Option<String>,

    /// Do not ask
    #[arg(long)]
    pub(crate) yes: bool,
}

/// What `alfred state migrate` takes.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  alfred state migrate /var/lib/alfred/states r2://my-states\n  \
                        alfred state migrate terraform.tfstate r2://my-states --state team/network\n  \
                        alfred state migrate https://gitlab.example/api/v4/projects/1/terraform/state/x nats://host/states --state x\n  \
                        alfred state migrate r2-object://bucket/team/terraform.tfstate r2://my-states --state team/network\n\n\
                        Addresses are those of `ALFRED_STATE`. Stop writing to the source first, or lock it: a state that is \
                        locked is not moved.")]
pub(crate) struct StateMigrateArguments {
    /// Where they are: a store, a `terraform.tfstate`, the address of an HTTP backend, or the object of Terraform's backend `s3`
    #[arg(value_name = "SOURCE")]
    pub(crate) source: String,

    /// The store they go to
    #[arg(value_name = "TARGET")]
    pub(crate) target: String,

    /// Only this one, again for more; for a file, an address or an object its new name
    #[arg(long = "state", value_name = "NAME", value_parser = StateName::from_str)]
    pub(crate) states: Vec<StateName>,

    /// Leave the source open for writing, such as for a trial
    #[arg(long)]
    pub(crate) leave_open: bool,
}

/// What `alfred state init` takes.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  alfred state init team/network\n  \
                        alfred state init team/network --new-token > terraform.env\n  \
                        alfred state init team/network --r2 my-states --create --location weur\n\n\
                        Put the block into a `.tf` file and the environment into the shell, then run `terraform init`.\n\
                        With --r2, Terraform speaks to R2 itself, without this server: there are no versions, rules or \
                        rights then, and a lock whose answer was lost must be taken away by hand.")]
pub(crate) struct StateInitArguments {
    /// The state's name; the state itself is made by the first apply
    #[arg(value_parser = StateName::from_str)]
    pub(crate) name: StateName,

    /// Make a token that may read, write and lock this state and nothing else, and print it as the password
    #[arg(long, conflicts_with = "r2")]
    pub(crate) new_token: bool,

    /// Keep the state in this bucket of R2, without a server
    #[arg(long, value_name = "BUCKET")]
    pub(crate) r2: Option<String>,

    /// Make the bucket, if it is not there, and set its rules
    #[arg(long, requires = "r2")]
    pub(crate) create: bool,

    /// Where a new bucket should lie
    #[arg(long, requires = "create", value_enum)]
    pub(crate) location: Option<BucketLocation>,

    /// Under which law the bucket lies; it cannot be changed later
    #[arg(long, requires = "r2", value_enum)]
    pub(crate) jurisdiction: Option<BucketJurisdiction>,

    /// For so many days, versions that `alfred` keeps in the bucket (`ALFRED_STATE=r2://BUCKET`) cannot be deleted by anybody
    #[arg(long, requires = "create", value_name = "DAYS", value_parser = clap::value_parser!(u32).range(1..=3650))]
    pub(crate) lock_versions: Option<u32>,

    /// Let web pages of this origin read, again for more
    #[arg(long, requires = "create", value_name = "ORIGIN")]
    pub(crate) cors: Vec<String>,

    /// Let everybody read; states hold secrets
    #[arg(long, requires = "create")]
    pub(crate) public: bool,
}

/// A hint where a bucket should lie.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub(crate) enum BucketLocation {
    /// Western Europe
    Weur,
    /// Eastern Europe
    Eeur,
    /// Western North America
    Wnam,
    /// Eastern North America
    Enam,
    /// Asia and the Pacific
    Apac,
    /// Oceania
    Oc,
}

/// A law.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub(crate) enum BucketJurisdiction {
    /// European Union
    Eu,
    /// United States
    Us,
    /// FedRAMP
    Fedramp,
}

/// What `alfred state diff` takes.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  alfred state diff team/network        # the newest and the one before\n  \
                        alfred state diff team/network 7      # 7 and the newest\n  alfred state diff team/network 3 7")]
pub(crate) struct StateDiffArguments {
    /// The state's name
    #[arg(value_parser = StateName::from_str)]
    pub(crate) name: StateName,

    /// The older version; the one before the newer, where not said
    #[arg(value_parser = version)]
    pub(crate) from: Option<String>,

    /// The newer version; the newest, where not said
    #[arg(value_parser = version)]
    pub(crate) to: Option<String>,
}

/// What `alfred state download` takes.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  alfred state download team/network > terraform.tfstate\n  \
                        alfred state download team/network 7 --output old.tfstate")]
pub(crate) struct StateDownloadArguments {
    /// The state's name
    #[arg(value_parser = StateName::from_str)]
    pub(crate) name: StateName,

    /// The version; the newest, where not said
    #[arg(value_parser = version)]
    pub(crate) version: Option<String>,

    /// A new file to write, readable for you alone; states hold secrets
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

/// What `alfred state roll-back` takes.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  alfred state roll-back team/network 7\n\n\
                        Only the state goes back: run `terraform plan` to see what that means for what it describes.")]
pub(crate) struct StateRollBackArguments {
    /// The state's name
    #[arg(value_parser = StateName::from_str)]
    pub(crate) name: StateName,

    /// The version to go back to
    #[arg(value_parser = version)]
    pub(crate) version: String,

    /// The id of the lock under which it is done, if the state is locked
    #[arg(long, value_name = "ID")]
    pub(crate) lock_id: Option<String>,

    /// Do not ask
    #[arg(long, short)]
    pub(crate) yes: bool,
}

/// A version of a state.
#[derive(Debug, Args)]
pub(crate) struct StateVersionArguments {
    /// The state's name
    #[arg(value_parser = StateName::from_str)]
    pub(crate) name: StateName,

    /// The version: its serial, or `SERIAL-CHECKSUM` where two have the same
    #[arg(value_parser = version)]
    pub(crate) version: String,
}

/// What `alfred state force-unlock` takes.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  alfred state force-unlock team/network 9db590f1-b6fe-c5f2-2678-8804f089deba")]
pub(crate) struct StateForceUnlockArguments {
    /// The state's name
    #[arg(value_parser = StateName::from_str)]
    pub(crate) name: StateName,

    /// Only the lock with this id; the one that is shown before you say yes, where not said
    pub(crate) id: Option<String>,

    /// Do not ask
    #[arg(long, short)]
    pub(crate) yes: bool,
}

/// What `alfred state settings` takes.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  alfred state settings team/network\n  \
                        alfred state settings team/network --keep-versions 50 --keep-days 90\n  \
                        alfred state settings team/network --lock-expires 4h")]
pub(crate) struct StateSettingsArguments {
    /// The state's name
    #[arg(value_parser = StateName::from_str)]
    pub(crate) name: StateName,

    /// Keep so many versions, the newest included and pinned ones not counted; or `default`
    #[arg(long, value_name = "N", value_parser = number_or_default)]
    pub(crate) keep_versions: Option<OrDefault>,

    /// Keep versions for so many days after they were replaced; or `default`
    #[arg(long, value_name = "N", value_parser = number_or_default)]
    pub(crate) keep_days: Option<OrDefault>,

    /// A lock no longer counts after so long without a write, such as `4h`; or `never`
    #[arg(long, value_name = "TIME")]
    pub(crate) lock_expires: Option<Ttl>,
}

/// A number, or the installation's default.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OrDefault(pub(crate) Option<u32>);

/// What `alfred state delete` takes.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  alfred state delete team/network\n  alfred state delete team/network --purge   # for ever"
)]
pub(crate) struct StateDeleteArguments {
    /// The state's name
    #[arg(value_parser = StateName::from_str)]
    pub(crate) name: StateName,

    /// Remove a deleted state with all its versions; this cannot be undone
    #[arg(long)]
    pub(crate) purge: bool,

    /// Do not ask
    #[arg(long, short)]
    pub(crate) yes: bool,
}

/// To whom rights are given.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct StateSubject {
    /// The user
    #[arg(long, value_name = "NAME", value_parser = UserName::from_str)]
    pub(crate) user: Option<UserName>,

    /// The token, by its id
    #[arg(long, value_name = "ID")]
    pub(crate) token: Option<uuid::Uuid>,
}

/// What `alfred state grant` takes.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  alfred state grant 'team/*' --user ada --right read,write,lock\n  \
                        alfred state grant team/network --user ada --right administer")]
pub(crate) struct StateGrantArguments {
    /// A state, `NAME/*` for all below a name, or `*` for all
    #[arg(value_parser = StatePattern::from_str)]
    pub(crate) pattern: StatePattern,

    #[command(flatten)]
    pub(crate) subject: StateSubject,

    /// What may be done: of `read`, `write`, `lock`, `force-unlock` and `administer`, joined by commas
    #[arg(long, value_name = "RIGHTS", value_parser = Rights::from_str)]
    pub(crate) right: Rights,
}

/// What `alfred state revoke` takes.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  alfred state revoke 'team/*' --user ada")]
pub(crate) struct StateRevokeArguments {
    /// The pattern, as it was granted
    #[arg(value_parser = StatePattern::from_str)]
    pub(crate) pattern: StatePattern,

    #[command(flatten)]
    pub(crate) subject: StateSubject,
}

/// What `alfred state log` takes.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  alfred state log team/network\n  alfred state log --limit 1000 --json   # all states"
)]
pub(crate) struct StateLogArguments {
    /// The state's name; all states, where not said
    #[arg(value_parser = StateName::from_str)]
    pub(crate) name: Option<StateName>,

    /// The newest so many lines
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) limit: u32,
}

fn version(text: &str) -> Result<String, String> {
    let (serial, checksum) = text.split_once('-').unwrap_or((text, "0"));
    let fits = !serial.is_empty()
        && serial.bytes().all(|byte| byte.is_ascii_digit())
        && (1..=64).contains(&checksum.len())
        && checksum.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    if fits {
        Ok(text.to_owned())
    } else {
        Err("a version is its serial, such as `7`, or `7-1f2e3d4c` with its checksum".to_owned())
    }
}

fn number_or_default(text: &str) -> Result<OrDefault, String> {
    if text == "default" {
        return Ok(OrDefault(None));
    }
    match text.parse() {
        Ok(number) if number > 0 => Ok(OrDefault(Some(number))),
        _ => Err("give a number from 1 on, or `default`".to_owned()),
    }
}
