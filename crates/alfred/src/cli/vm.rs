//! Commands about VMs and the pool.

use clap::{Args, Subcommand};

/// Commands about VMs.
#[derive(Debug, Subcommand)]
pub(crate) enum VmCommand {
    /// List VMs, until when each is paid, and what it waits for
    #[command(after_help = "Example:\n  alfred vm list")]
    List,

    /// Show the pool and its plan: what is wanted, bought and held, what it costs, what must be decided by when
    Pool(PoolArguments),

    /// Buy VMs for the pool, or give up an order of which nothing is known
    Order(OrderArguments),

    /// Let a VM's contract end; this cannot be undone
    Cancel(CancelArguments),

    /// Take a VM into the pool, with all that is on it erased: a quarantined one, or one that nothing accounts for
    Adopt(AdoptArguments),
}

/// What `alfred vm pool` takes.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  alfred vm pool\n  alfred vm pool pause --reason 'the invoice is being looked at'\n  \
                        alfred vm pool resume"
)]
pub(crate) struct PoolArguments {
    /// What to do instead of showing the plan
    #[command(subcommand)]
    pub(crate) command: Option<PoolCommand>,
}

/// What is done to the whole pool.
#[derive(Debug, Subcommand)]
pub(crate) enum PoolCommand {
    /// Buy nothing and let nothing lapse until `resume`; VMs go on being wiped and assigned
    #[command(after_help = "Example:\n  alfred vm pool pause --reason 'the invoice is being looked at'")]
    Pause {
        /// Why, in one line; whoever waits for a VM reads it
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },

    /// Let it buy again; orders that failed before are forgiven
    #[command(after_help = "Example:\n  alfred vm pool resume")]
    Resume,
}

/// What `alfred vm order` takes.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  alfred vm order --dry-run\n  alfred vm order --count 3 --yes\n  \
                        alfred vm order --abandon 0198c1de-7b0a-7000-8000-2f1d3c5b7a99")]
pub(crate) struct OrderArguments {
    /// How many
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=20))]
    pub(crate) count: u32,

    /// Say what it would cost and whether anything holds it, and buy nothing
    #[arg(long)]
    pub(crate) dry_run: bool,

    /// Do not ask before buying
    #[arg(long, short)]
    pub(crate) yes: bool,

    /// Give up an order of which nothing is known; make sure first that no VM came of it, or it is paid and unused
    #[arg(long, value_name = "ID", conflicts_with_all = ["count", "dry_run", "yes"])]
    pub(crate) abandon: Option<uuid::Uuid>,
}

/// What `alfred vm cancel` takes.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  alfred vm cancel 203000001 --dry-run\n  \
                        alfred vm cancel 203000001 --name alfredos-pool.203000001")]
pub(crate) struct CancelArguments {
    /// The VM's number
    #[arg(value_parser = clap::value_parser!(i64).range(1..))]
    pub(crate) id: i64,

    /// Say what is given up, and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,

    /// The VM's name, as a proof that this one is meant; asked for on a terminal
    #[arg(long)]
    pub(crate) name: Option<String>,
}

/// What `alfred vm adopt` takes.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  alfred vm adopt 203000001 --dry-run\n  \
                        alfred vm adopt 203000001 --name alfredos-calm-owl")]
pub(crate) struct AdoptArguments {
    /// The VM's number
    #[arg(value_parser = clap::value_parser!(i64).range(1..))]
    pub(crate) id: i64,

    /// Take it although it is not called as alfred's are; it may be anybody's
    #[arg(long)]
    pub(crate) foreign: bool,

    /// Say what is given up, and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,

    /// The VM's name, as a proof that this one is meant; asked for on a terminal
    #[arg(long)]
    pub(crate) name: Option<String>,
}
