//! `alfred state migrate`: moves states from store to store, without a server.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use alfred_model::state::StateName;
use alfred_state::backend::{is_object, read_object};
use alfred_state::migrate::{Migration, Moved, Step};
use bytes::Bytes;
use serde_json::{Value, json};

use super::super::up::states;
use super::{Context, size};
use crate::cli::StateMigrateArguments;
use crate::error::{Exit, Failure, chain};
use crate::progress::Bar;
use crate::table;

/// The longest single state that is taken in, in bytes.
const SINGLE_MAX: u64 = 4 << 30;

/// What the source is.
enum Source {
    /// A store with names.
    Store,
    /// One state in a file, as Terraform's local backend keeps it.
    File(PathBuf),
    /// One state at an HTTP backend.
    Http(String),
    /// One state in a bucket, as Terraform's own backend keeps it.
    Object(String),
}

impl Source {
    fn of(address: &str) -> Self {
        let path = Path::new(address.strip_prefix("file://").unwrap_or(address));
        match address {
            _ if address.starts_with("http://") || address.starts_with("https://") => Self::Http(address.to_owned()),
            _ if is_object(address) => Self::Object(address.to_owned()),
            _ if path.is_file() => Self::File(path.to_owned()),
            _ => Self::Store,
        }
    }
}

/// Moves states and tells what became of each.
pub(super) async fn run(context: &Context, arguments: &StateMigrateArguments) -> Result<Exit, Failure> {
    let StateMigrateArguments { source, target, states: names, leave_open } = arguments;
    let config = &context.config;
    let kind = Source::of(source);
    let to = states::backend(config, target).await.map_err(|failure| failure.about("the target"))?;
    let by = whoami();
    let keys = [states::keyring(config)?, states::keyring(config)?];
    let single = match kind {
        Source::Store => None,
        Source::File(path) => Some(read_file(&path)?),
        Source::Http(address) => Some(read_http(&address).await?),
        Source::Object(address) => {
            let read = read_object(&address, SINGLE_MAX, &states::options(config)).await;
            Some(read.map_err(|error| Failure::new(chain(&error)).about("the source"))?)
        }
    };
    if let Some(content) = single {
        let [name] = names.as_slice() else {
            return Err(Failure::usage("a single state needs a name in the target").hint("add `--state NAME`"));
        };
        let migration = Migration::new(Arc::clone(&to), to, keys, states::seams(), &by);
        return take_in(context, &migration, name, content).await;
    }
    let from = states::backend(config, source).await.map_err(|failure| failure.about("the source"))?;
    if from.place() == to.place() {
        return Err(Failure::usage("source and target are the same"));
    }
    let migration = Migration::new(from, to, keys, states::seams(), &by);
    let names = if names.is_empty() {
        migration.states().await.map_err(|error| Failure::new(chain(&error)))?
    } else {
        names.clone()
    };
    if names.is_empty() && ["r2://", "s3://"].iter().any(|scheme| source.starts_with(scheme)) {
        context
            .printer
            .note("a state of Terraform's own backend `s3` is `r2-object://BUCKET/KEY` or `s3-object://BUCKET/KEY`");
    }
    move_all(context, &migration, &names, *leave_open).await
}

async fn take_in(context: &Context, migration: &Migration, name: &StateName, state: Bytes) -> Result<Exit, Failure> {
    let version = migration.take_in(name, state).await.map_err(|error| Failure::new(chain(&error)))?;
    if context.printer.json() {
        context.printer.document(&json!({ "states": { name.as_str(): version } }))?;
    } else {
        context
            .printer
            .note(format_args!("`{name}` is there at serial {}, lineage {}", version.key.serial, version.lineage));
    }
    Ok(Exit::Done)
}

async fn move_all(
    context: &Context,
    migration: &Migration,
    names: &[StateName],
    leave_open: bool,
) -> Result<Exit, Failure> {
    let mut moved: Vec<(&StateName, Moved)> = Vec::new();
    let mut failed: Vec<(&StateName, String)> = Vec::new();
    for name in names {
        let bar: Mutex<Option<Bar>> = Mutex::new(None);
        let progress = |step: Step| {
            let mut bar = bar.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            match step {
                Step::Begun { versions, bytes } => {
                    let new = Bar::new(context.printer, versions);
                    if context.printer.live() {
                        new.say(&format!("{name}: {}", size(bytes)));
                    }
                    *bar = Some(new);
                }
                Step::Copied { .. } => bar.iter().for_each(Bar::advance),
                Step::Checking => bar.iter().filter(|_| context.printer.live()).for_each(|bar| bar.say("reading back")),
            }
        };
        let result = migration.run(name, leave_open, &progress).await;
        if let Some(bar) = bar.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner) {
            bar.finish();
        }
        match result {
            Ok(done) => moved.push((name, done)),
            Err(error) => failed.push((name, chain(&error))),
        }
    }
    print(context, &moved, &failed)?;
    match (moved.len(), failed.len()) {
        (_, 0) => Ok(Exit::Done),
        (0, _) => {
            Err(Failure::new("no state was moved").hint("each may be used where it was; the command can be repeated"))
        }
        (done, left) => Err(Failure::partly(format!("{done} states were moved, {left} were not"))
            .hint("those may be used where they were; the command can be repeated")),
    }
}

fn print(context: &Context, moved: &[(&StateName, Moved)], failed: &[(&StateName, String)]) -> Result<(), Failure> {
    if context.printer.json() {
        let done = moved.iter().map(|(name, moved)| {
            let Moved { newest, versions, bytes, copied } = moved;
            (name.to_string(), json!({ "newest": newest, "versions": versions, "bytes": bytes, "copied": copied }))
        });
        let left = failed.iter().map(|(name, words)| (name.to_string(), json!({ "problem": words })));
        let states: serde_json::Map<String, Value> = done.chain(left).collect();
        context.printer.document(&json!({ "states": states }))?;
        return Ok(());
    }
    if moved.is_empty() && failed.is_empty() {
        context.printer.note("the source has no states");
    }
    if !moved.is_empty() {
        let mut table = table::table(&["NAME", "NEWEST", "VERSIONS", "SIZE", "COPIED NOW"]);
        for (name, Moved { newest, versions, bytes, copied }) in moved {
            let newest = table::or_dash(newest.map(|key| key.serial));
            table.add_row([name.to_string(), newest, versions.to_string(), size(*bytes), copied.to_string()]);
        }
        context.printer.data(table::text(&table))?;
    }
    for (_, words) in failed {
        context.printer.note(format_args!("not moved: {words}"));
    }
    Ok(())
}

fn read_file(path: &Path) -> Result<Bytes, Failure> {
    let failed = |error: &std::io::Error| Failure::because(format_args!("cannot read `{}`", path.display()), error);
    let length = std::fs::metadata(path).map_err(|error| failed(&error))?.len();
    if length > SINGLE_MAX {
        return Err(Failure::new(format!("`{}` is too long for a state", path.display())));
    }
    std::fs::read(path).map(Bytes::from).map_err(|error| failed(&error))
}

/// Reads a state as Terraform would, with the user and password of its variables.
async fn read_http(address: &str) -> Result<Bytes, Failure> {
    let failed = |error: &reqwest::Error| Failure::because("cannot read the state at the source", error);
    let client = reqwest::Client::builder().build().map_err(|error| failed(&error))?;
    let mut request = client.get(address);
    if let Ok(user) = std::env::var("TF_HTTP_USERNAME") {
        request = request.basic_auth(user, std::env::var("TF_HTTP_PASSWORD").ok());
    }
    let answer = request.send().await.map_err(|error| failed(&error.without_url()))?;
    if answer.status() != reqwest::StatusCode::OK {
        let failure = Failure::new(format!("the source answered {}", answer.status()));
        return Err(failure.hint("`TF_HTTP_USERNAME` and `TF_HTTP_PASSWORD` are sent to it, if they are set"));
    }
    answer.bytes().await.map_err(|error| failed(&error.without_url()))
}

/// Who moves them, for the states' own records.
fn whoami() -> String {
    let user = std::env::var("USER").ok().filter(|user| !user.is_empty() && user.len() <= 64);
    user.unwrap_or_else(|| "alfred".to_owned())
}
