//! Commands about access tokens.

use std::str::FromStr as _;

use alfred_model::user::UserName;
use clap::{Args, Subcommand};

/// Commands about access tokens.
#[derive(Debug, Subcommand)]
pub(crate) enum TokenCommand {
    /// Make an access token; it is shown once
    Create(TokenCreateArguments),

    /// List access tokens, without their secrets
    #[command(after_help = "Example:\n  alfred token list")]
    List,

    /// Withdraw an access token at once
    #[command(after_help = "Example:\n  alfred token revoke 0198c1de-7b0a-7000-8000-2f1d3c5b7a99")]
    Revoke {
        /// Its id, as `alfred token list` shows it
        #[arg(value_parser = uuid::Uuid::from_str)]
        id: uuid::Uuid,
    },
}

/// What `alfred token create` takes.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  alfred token create --label laptop\n  \
                        alfred token create --user ada --label ci --days 90")]
pub(crate) struct TokenCreateArguments {
    /// Whose it is, made a member if new; only an administrator may ask for others
    #[arg(long, value_name = "NAME", value_parser = UserName::from_str)]
    pub(crate) user: Option<UserName>,

    /// What it is for
    #[arg(long, value_name = "TEXT", default_value = "alfred token create")]
    pub(crate) label: String,

    /// How many days it is good for; for ever, where not said
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=3650))]
    pub(crate) days: Option<u32>,
}
