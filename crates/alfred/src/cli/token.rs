//! Commands about tokens: those that this program's server gives out, and Cloudflare's.

use std::str::FromStr as _;

use alfred_model::state::{Rights, StatePattern};
use alfred_model::user::UserName;
use clap::{Args, Subcommand};

/// Commands about tokens.
#[derive(Debug, Subcommand)]
pub(crate) enum TokenCommand {
    /// Make an access token for alfred's own server; it is shown once
    Create(TokenCreateArguments),

    /// List the access tokens of alfred's own server, without their secrets
    #[command(after_help = "Example:\n  alfred token list")]
    List,

    /// Withdraw an access token of alfred's own server at once
    #[command(after_help = "Example:\n  alfred token revoke 0198c1de-7b0a-7000-8000-2f1d3c5b7a99")]
    Revoke {
        /// Its id, as `alfred token list` shows it
        #[arg(value_parser = uuid::Uuid::from_str)]
        id: uuid::Uuid,
    },

    /// Check the Cloudflare token: whether it works, when it ends, how old it is, and what it may do too much
    ///
    /// Needs no server. Exit code 0 if the token works, also with warnings, and 1 if it does not.
    #[command(after_help = "Examples:\n  alfred token check\n  alfred token check --json")]
    Check,

    /// Give the Cloudflare token a new value, prove it, and store it where the old one is
    ///
    /// The value must come from the file that `CLOUDFLARE_API_TOKEN_FILE` names, or from `.env.server`. Another token,
    /// in `CLOUDFLARE_TOKEN_MANAGER`, rolls it. A running `alfred up` takes the new value up by itself. If anything goes
    /// wrong on the way, run it again.
    Rotate(TokenRotateArguments),
}

/// What `alfred token rotate` takes.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  alfred token rotate\n  alfred token rotate --yes   # without a terminal")]
pub(crate) struct TokenRotateArguments {
    /// Do not ask
    #[arg(long)]
    pub(crate) yes: bool,

    /// Let the token roll itself; if the answer is lost, so is the token
    #[arg(long = "self")]
    pub(crate) by_itself: bool,
}

/// What `alfred token create` takes.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  alfred token create --label laptop\n  \
                        alfred token create --user ada --label ci --days 90\n  \
                        alfred token create --label ci --state 'team/*' --right read,write,lock")]
pub(crate) struct TokenCreateArguments {
    /// Whose it is, made a member if new; only an administrator may ask for others
    #[arg(long, value_name = "NAME", value_parser = UserName::from_str)]
    pub(crate) user: Option<UserName>,

    /// What it is for
    #[arg(long, value_name = "TEXT", default_value = "alfred token create")]
    pub(crate) label: String,

    /// Make it good for nothing but this state; or `NAME/*` for all below a name, or `*` for all
    #[arg(long, value_name = "PATTERN", value_parser = StatePattern::from_str)]
    pub(crate) state: Vec<StatePattern>,

    /// What may be done with those states: of `read`, `write`, `lock`, `force-unlock` and `administer`
    #[arg(long, value_name = "RIGHTS", requires = "state", default_value = "read,write,lock", value_parser = Rights::from_str)]
    pub(crate) right: Rights,

    /// How many days it is good for; for ever, where not said
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=3650))]
    pub(crate) days: Option<u32>,
}
