//! One file for each command, and what they share: reading the command line, finding the configuration, starting the
//! runtime and turning the end into an exit code.

mod audit;
mod backup;
mod cloud;
mod completions;
mod config;
mod demo;
mod dns;
mod env;
mod state;
mod token;
mod up;
mod vm;

use std::error::Error as _;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser as _;
use clap::error::{ContextKind, ErrorKind};

use crate::cli::{Cli, Command, GlobalArguments};
use crate::client::Client;
use crate::config::{Config, Key, Sources};
use crate::error::{Exit, Failure};
use crate::printer::{Printer, Verbosity};

/// What a command works with.
#[derive(Debug)]
pub(crate) struct Context {
    /// The way to the streams.
    pub(crate) printer: Printer,
    /// The configuration.
    pub(crate) config: Config,
    global: GlobalArguments,
}

impl Context {
    /// The same, with another configuration.
    pub(crate) fn with_config(&self, config: Config) -> Self {
        Self { printer: self.printer, config, global: self.global.clone() }
    }

    /// A client for the configured server.
    pub(crate) fn client(&self) -> Result<Client, Failure> {
        Client::new(&self.config, self.global.token_file.as_deref(), self.printer)
    }
}

/// Runs the command of this process' command line.
pub(crate) fn run() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return bad_command_line(&error),
    };
    let verbosity = match (cli.global.quiet, cli.global.verbose) {
        (true, _) => Verbosity::Quiet,
        (false, true) => Verbosity::Verbose,
        (false, false) => Verbosity::Default,
    };
    let printer = Printer::new(verbosity, cli.global.json);
    match start(cli, printer) {
        Ok(exit) => exit.into(),
        Err(failure) => {
            if !failure.is_silent() {
                printer.error(&failure);
            }
            failure.exit.into()
        }
    }
}

/// Help and version go to stdout with success. A value that does not fit is told in one line; for other mistakes the
/// usage helps.
fn bad_command_line(error: &clap::Error) -> ExitCode {
    if error.kind() == ErrorKind::ValueValidation {
        let told = |kind| error.get(kind).map(ToString::to_string).unwrap_or_default();
        let (value, argument) = (told(ContextKind::InvalidValue), told(ContextKind::InvalidArg));
        let value: String = value.chars().take(80).collect();
        let reason = error.source().map(|reason| format!(": {reason}")).unwrap_or_default();
        let failure = Failure::usage(format!("`{value}` does not fit `{argument}`{reason}"));
        Printer::new(Verbosity::Default, false).error(&failure);
        return failure.exit.into();
    }
    // A stream that is closed has nobody who could be told.
    let _ = error.print();
    u8::try_from(error.exit_code()).map_or(ExitCode::FAILURE, ExitCode::from)
}

fn start(cli: Cli, printer: Printer) -> Result<Exit, Failure> {
    if let Command::Completions { shell } = cli.command {
        return completions::run(printer, shell);
    }
    let config = Config::load(&sources(&cli)?)?;
    let context = Context { printer, config, global: cli.global };
    // Fails only if it is done twice, and then it is done.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut runtime = match &cli.command {
        // One writer and one list: more threads would only tear apart what is handed in together.
        Command::Dns(_) => tokio::runtime::Builder::new_current_thread(),
        _ => tokio::runtime::Builder::new_multi_thread(),
    };
    let runtime = runtime.enable_all().build().map_err(|error| Failure::because("cannot start the runtime", &error))?;
    let result = runtime.block_on(dispatch(&context, cli.command));
    // Whatever still reads in the background must not keep the process.
    runtime.shutdown_timeout(Duration::from_millis(100));
    result
}

async fn dispatch(context: &Context, command: Command) -> Result<Exit, Failure> {
    match command {
        Command::Demo(arguments) => demo::run(context, &arguments).await,
        Command::Up(arguments) => up::run(context, arguments).await,
        Command::Cloud(arguments) => cloud::run(context, *arguments).await,
        Command::Env(command) => env::run(context, command).await,
        Command::Dns(arguments) => dns::run(context, arguments).await,
        Command::Vm(command) => vm::run(context, command).await,
        Command::State(command) => state::run(context, *command).await,
        Command::Backup(command) => backup::run(context, *command).await,
        Command::Audit(arguments) => audit::run(context, &arguments).await,
        Command::Token(command) => token::run(context, command).await,
        Command::Config(command) => config::run(context, &command),
        Command::Completions { shell } => completions::run(context.printer, shell),
    }
}

fn sources(cli: &Cli) -> Result<Sources, Failure> {
    let mut flags = Vec::new();
    if let Some(directory) = &cli.global.data_dir {
        let directory = std::path::absolute(directory)
            .map_err(|error| Failure::because(format!("`{}` is no directory", directory.display()), &error))?;
        let text = directory.into_os_string().into_string();
        flags.push((Key::DataDir, text.map_err(|_| Failure::usage("`--data-dir` must be UTF-8 text"))?));
    }
    flags.extend(cli.global.url.iter().map(|url| (Key::Url, url.clone())));
    if let Command::Up(arguments) = &cli.command {
        flags.extend(arguments.listen.iter().map(|address| (Key::Listen, address.to_string())));
    }
    let directory =
        std::env::current_dir().map_err(|error| Failure::because("cannot find the working directory", &error))?;
    let pairs = std::env::vars_os();
    let environment = pairs.filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    Ok(Sources { flags, environment: environment.collect(), toml: cli.global.config.clone(), directory })
}
