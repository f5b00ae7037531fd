//! What a user may type: the types that clap fills, with the help that they read. Nothing here acts.

mod audit;
mod backup;
mod cloud;
mod dns;
mod env;
mod state;
mod token;
mod vm;

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;

pub(crate) use audit::AuditArguments;
pub(crate) use backup::{BackupCommand, BackupNumber, BackupRestoreArguments};
pub(crate) use cloud::{CloudArguments, Plan};
pub(crate) use dns::{
    DnsApplyArguments, DnsArguments, DnsCommand, DnsDeleteArguments, DnsGetArguments, DnsListArguments,
    DnsSetArguments, DnsVerifyArguments, FileArguments,
};
pub(crate) use env::{
    CreateArguments, DeleteArguments, EnvCommand, ExtendArguments, ListArguments, QuotaArguments, RetryArguments,
    WatchArguments,
};
pub(crate) use state::{
    BucketJurisdiction, OrDefault, StateCommand, StateDeleteArguments, StateDiffArguments, StateDownloadArguments,
    StateForceUnlockArguments, StateGrantArguments, StateInitArguments, StateLogArguments, StateMigrateArguments,
    StateRevokeArguments, StateRollBackArguments, StateSettingsArguments, StateSubject, StateSwitchArguments,
    StateVersionArguments,
};
pub(crate) use token::{TokenCommand, TokenCreateArguments, TokenRotateArguments};
pub(crate) use vm::{AdoptArguments, CancelArguments, OrderArguments, PoolArguments, PoolCommand, VmCommand};

/// Named environments: a VM, a DNS name that answers, and nothing lost.
///
/// Exit codes: 0 done, 1 failed, 2 wrong usage or configuration, 3 partly done.
#[derive(Debug, Parser)]
#[command(
    name = "alfred",
    version,
    max_term_width = 100,
    after_help = "Try it without any account:\n  alfred demo                     # the whole story in a minute\n  alfred up --local               # in one terminal\n  \
                  alfred env create --wait        # in another"
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: GlobalArguments,

    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command takes.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct GlobalArguments {
    /// Say errors only
    #[arg(long, short, global = true, conflicts_with = "verbose")]
    pub(crate) quiet: bool,

    /// Say also what helps to find a fault
    #[arg(long, short, global = true)]
    pub(crate) verbose: bool,

    /// Print data as JSON, for machines
    #[arg(long, global = true)]
    pub(crate) json: bool,

    /// Read this configuration file instead of `alfred.toml` in the working directory
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,

    /// Where records, tokens and the local cloud's world are kept [env: `ALFRED_DATA_DIR`]
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,

    /// Where the server is [env: `ALFRED_URL`]
    #[arg(long, global = true, value_name = "URL")]
    pub(crate) url: Option<String>,

    /// A file with the access token [env: `ALFRED_TOKEN`, the token itself]
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show the whole story on the local cloud: create, prove, audit, delete; needs nothing configured
    #[command(after_help = "Examples:\n  alfred demo\n  alfred demo --keep")]
    Demo(DemoArguments),

    /// Run the control plane
    Up(UpArguments),

    /// Run the local cloud alone: Cloudflare DNS and R2, Contabo and a DNS server, for tests of anything
    Cloud(Box<CloudArguments>),

    /// Create, list, watch and delete environments
    #[command(subcommand)]
    Env(EnvCommand),

    /// Keep DNS records by hand or from a file, straight at Cloudflare; needs no server
    Dns(DnsArguments),

    /// Look at the VMs that are paid for, buy them, let them end, and look after the pool
    #[command(subcommand)]
    Vm(VmCommand),

    /// Keep Terraform states: versions that are never lost, locks, rights and a log
    #[command(subcommand)]
    State(Box<StateCommand>),

    /// Make and list backups of all states and of alfred's own records, verify and restore them
    #[command(subcommand)]
    Backup(Box<BackupCommand>),

    /// Compare providers, store and ledger, and say what is not as it should be; dry unless told to repair
    Audit(AuditArguments),

    /// Access tokens of alfred's own server, and care for the Cloudflare token
    #[command(subcommand)]
    Token(TokenCommand),

    /// Look at the configuration
    #[command(subcommand)]
    Config(ConfigCommand),

    /// Print a script that completes commands in a shell
    #[command(after_help = "Example:\n  alfred completions bash > ~/.local/share/bash-completion/completions/alfred")]
    Completions {
        /// The shell
        shell: Shell,
    },
}

/// What `alfred demo` takes.
#[derive(Debug, Args)]
pub(crate) struct DemoArguments {
    /// Leave everything running, and print the addresses
    #[arg(long)]
    pub(crate) keep: bool,

    /// How many environments to create
    #[arg(long, default_value_t = 3, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=50))]
    pub(crate) count: u32,
}

/// What `alfred up` takes.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  alfred up --local\n  alfred up --listen 0.0.0.0:7070\n\n\
                        The first start makes an administrator and shows its access token once.")]
pub(crate) struct UpArguments {
    /// Start the local cloud inside, instead of using Cloudflare and Contabo
    #[arg(long)]
    pub(crate) local: bool,

    /// Where to listen [env: `ALFRED_LISTEN`] [default: 127.0.0.1:7070]
    #[arg(long, value_name = "IP:PORT")]
    pub(crate) listen: Option<SocketAddr>,

    /// Where the local cloud's HTTP services listen
    #[arg(long, value_name = "IP:PORT", requires = "local", default_value = "127.0.0.1:0")]
    pub(crate) cloud_listen: SocketAddr,

    /// Where the local cloud's DNS server listens
    #[arg(long, value_name = "IP:PORT", requires = "local", default_value = "127.0.0.1:0")]
    pub(crate) cloud_dns: SocketAddr,

    /// Where the local cloud's R2 (S3) listens
    #[arg(long, value_name = "IP:PORT", requires = "local", default_value = "127.0.0.1:0")]
    pub(crate) cloud_r2: SocketAddr,

    /// Make the local cloud answer at once, without the delays of a real one
    #[arg(long, requires = "local")]
    pub(crate) instant: bool,

    /// A fault of the local cloud, such as `POST /v1/compute/instances lost-after count=1`
    #[arg(long, value_name = "RULE", requires = "local")]
    pub(crate) fault: Vec<String>,
}

/// Commands about the configuration.
#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Print each value with where it came from; secrets are masked
    #[command(after_help = "Example:\n  alfred config show --json")]
    Show,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    fn each(command: &clap::Command, visit: &mut dyn FnMut(&clap::Command)) {
        visit(command);
        for child in command.get_subcommands() {
            each(child, visit);
        }
    }

    #[test]
    fn clap_finds_no_contradiction() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_has_help_and_an_example() {
        each(&Cli::command(), &mut |command| {
            let name = command.get_name();
            assert!(command.get_about().is_some(), "{name} has no help");
            if !command.has_subcommands() {
                let after = command.get_after_help().map(ToString::to_string).unwrap_or_default();
                assert!(after.contains("alfred"), "{name} has no example");
            }
            for argument in command.get_arguments() {
                assert!(argument.get_help().is_some(), "{name} {} has no help", argument.get_id());
            }
        });
    }
}
