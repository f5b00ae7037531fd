//! Commands about backups.

use std::str::FromStr;

use alfred_model::state::StateName;
use clap::{ArgGroup, Args, Subcommand};

/// Which backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BackupNumber(pub(crate) Option<u64>);

impl FromStr for BackupNumber {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "newest" => Ok(Self(None)),
            text => match text.parse() {
                Ok(number) if number > 0 => Ok(Self(Some(number))),
                _ => Err("a backup is its number, as `alfred backup list` shows it, or `newest`".to_owned()),
            },
        }
    }
}

/// Commands about backups. All but `now` work without a server.
#[derive(Debug, Subcommand)]
pub(crate) enum BackupCommand {
    /// Make a backup now, and wait until it is made
    #[command(
        after_help = "Examples:\n  alfred backup now\n  alfred backup now --full   # after `verify` found damage"
    )]
    Now {
        /// Compare everything that is there from earlier backups with what it came from, and mend what is damaged
        #[arg(long)]
        full: bool,
    },

    /// List the backups in a place
    #[command(
        after_help = "Examples:\n  alfred backup list\n  alfred backup list --from r2://my-backups/alfred   # needs no server"
    )]
    List {
        /// Where the backups are [env: `ALFRED_BACKUP`]
        #[arg(long, value_name = "ADDRESS")]
        from: Option<String>,
    },

    /// Read all of a backup back and compare it with what was written
    #[command(after_help = "Examples:\n  alfred backup verify\n  alfred backup verify --all --from /srv/backups")]
    Verify {
        /// The backup's number; the newest, where not said
        #[arg(conflicts_with = "all")]
        number: Option<BackupNumber>,

        /// Every backup in the place
        #[arg(long)]
        all: bool,

        /// Where the backups are [env: `ALFRED_BACKUP`]
        #[arg(long, value_name = "ADDRESS")]
        from: Option<String>,
    },

    /// List the states in a backup
    #[command(after_help = "Examples:\n  alfred backup show 17\n  alfred backup show newest --from /srv/backups")]
    Show {
        /// The backup's number, or `newest`
        number: BackupNumber,

        /// Where the backups are [env: `ALFRED_BACKUP`]
        #[arg(long, value_name = "ADDRESS")]
        from: Option<String>,
    },

    /// Print the newest content that a state had when a backup was made
    #[command(after_help = "Example:\n  alfred backup read 17 team/network > terraform.tfstate")]
    Read {
        /// The backup's number, or `newest`
        number: BackupNumber,

        /// The state's name
        #[arg(value_parser = StateName::from_str)]
        state: StateName,

        /// Where the backups are [env: `ALFRED_BACKUP`]
        #[arg(long, value_name = "ADDRESS")]
        from: Option<String>,
    },

    /// Put states, alfred's own records, or both back where they are not
    Restore(BackupRestoreArguments),
}

/// What `alfred backup restore` takes.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  alfred backup restore newest --from /srv/backups \\\n    --states /var/lib/alfred/states --store \
                  sqlite:///var/lib/alfred/alfred.sqlite\n  alfred backup restore 17 --states r2://new-bucket --only team/network\n\n\
                  Nothing that is there is overwritten: a state that the store has already is refused unless it is\n\
                  exactly what the backup has, and records are put back into an empty database only."
)]
#[command(group(ArgGroup::new("what").args(["states", "store"]).required(true).multiple(true)))]
pub(crate) struct BackupRestoreArguments {
    /// The backup's number, or `newest`
    pub(crate) number: BackupNumber,

    /// The store that the states are put into: a folder, or an address such as `r2://BUCKET/PREFIX`
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) states: Option<String>,

    /// The database that alfred's own records are put into: `sqlite://PATH` or `postgres://…`
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) store: Option<String>,

    /// Only this state; may be given several times
    #[arg(long, value_name = "NAME", requires = "states", value_parser = StateName::from_str)]
    pub(crate) only: Vec<StateName>,

    /// Also make another administrator's token, if those that there were are lost; kept in the data directory
    #[arg(long, requires = "store")]
    pub(crate) new_token: bool,

    /// Where the backups are [env: `ALFRED_BACKUP`]
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) from: Option<String>,
}
