//! The command that audits.

use clap::Args;

/// What `alfred audit` takes.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  alfred audit\n  alfred audit --exit-code --quiet   # for a timer\n  \
                        alfred audit --repair --yes --max-count 5\n\n\
                        A repair withdraws records that were left over and writes again those that are missing or wrong,\n\
                        if two audits saw it, a while apart. VMs and whatever is not ours are only reported.")]
pub(crate) struct AuditArguments {
    /// Repair what two audits saw; exit with code 3 if something of it stays as it was
    #[arg(long)]
    pub(crate) repair: bool,

    /// Do not ask before repairing
    #[arg(long, short, requires = "repair")]
    pub(crate) yes: bool,

    /// Repair nothing if more than so many findings are ripe [default: 25]
    #[arg(long, value_name = "N", requires = "repair", value_parser = clap::value_parser!(u32).range(0..=10_000))]
    pub(crate) max_count: Option<u32>,

    /// Repair nothing if more than this share of our records is ripe, but one always may be [default: 10]
    #[arg(long, value_name = "PERCENT", requires = "repair", value_parser = clap::value_parser!(u32).range(0..=100))]
    pub(crate) max_share: Option<u32>,

    /// Exit with code 3 if there are findings
    #[arg(long)]
    pub(crate) exit_code: bool,
}
