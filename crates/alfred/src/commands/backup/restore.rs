//! `alfred backup restore`.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use alfred_server::{after_restore, another_token};
use alfred_state::Backups;
use alfred_state::backup::{Problem, RestoredStates, Step};
use alfred_store::{SqlOptions, SqlStore, Store, StoreError};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::verify::words;
use super::{Context, failed, look, open};
use crate::cli::{BackupNumber, BackupRestoreArguments};
use crate::client::TOKEN_FILE;
use crate::commands::up::states;
use crate::error::{Exit, Failure, chain, one_line};
use crate::files;
use crate::progress::Bar;
use crate::system::{SystemClock, SystemRandom};

/// What was put back.
#[derive(Default)]
struct Done {
    number: Option<u64>,
    /// With the place that they are in now.
    states: Option<(RestoredStates, String)>,
    /// Rows of alfred's own records.
    rows: Option<u64>,
}

/// Puts states and records back. The states come first: that can be begun again, while records go into an empty database.
pub(super) async fn run(context: &Context, arguments: &BackupRestoreArguments) -> Result<Exit, Failure> {
    let backups = open(context, arguments.from.as_deref()).await?;
    let BackupNumber(asked) = arguments.number;
    // The same one to the end, also if another is made meanwhile.
    let entry = backups.entry(asked).await.map_err(|error| failed(&error))?;
    let number = Some(entry.number);
    let store = match &arguments.store {
        Some(address) => Some(open_store(address).await?),
        None => None,
    };
    let mut done = Done { number, ..Done::default() };
    let result = put_back(context, arguments, &backups, store.as_ref(), &mut done).await;
    if let Some(store) = &store {
        store.close().await;
    }
    result?;
    show(context, &done)?;
    next_steps(context, arguments, &done);
    finish(&done)
}

async fn put_back(
    context: &Context,
    arguments: &BackupRestoreArguments,
    backups: &Backups,
    store: Option<&Arc<SqlStore>>,
    done: &mut Done,
) -> Result<(), Failure> {
    if let Some(address) = &arguments.states {
        done.states = Some(restore_states(context, arguments, backups, address, done.number).await?);
    }
    let Some(store) = store else { return Ok(()) };
    let (into, from) = mpsc::channel(1);
    let (read, taken) = tokio::join!(backups.read_records(done.number, into), store.import(from));
    // An import that ends early is told as such; one that was cut short because the backup is damaged is the backup's.
    read.map_err(|error| failed(&error))?;
    let rows = taken.map_err(|error| {
        let failure = Failure::because("alfred's own records were not restored", &error);
        match error {
            StoreError::NotEmpty { .. } => failure.hint("name another database with `--store`"),
            _ => failure,
        }
    })?;
    done.rows = Some(rows);
    let records = Arc::clone(store) as Arc<dyn Store>;
    let place = done.states.as_ref().map(|(_, place)| place.as_str());
    after_restore(Arc::clone(&records), &SystemClock, place).await.map_err(|error| failed(&error))?;
    if arguments.new_token {
        make_token(context, &*records).await?;
    }
    Ok(())
}

async fn restore_states(
    context: &Context,
    arguments: &BackupRestoreArguments,
    backups: &Backups,
    address: &str,
    number: Option<u64>,
) -> Result<(RestoredStates, String), Failure> {
    let to = states::backend(&context.config, address).await.map_err(|failure| failure.about("the states"))?;
    if to.place() == backups.place() {
        return Err(Failure::usage("states cannot be restored into the place of the backups"));
    }
    let bar: Mutex<Option<Bar>> = Mutex::new(None);
    let progress = |step: Step| {
        let mut bar = bar.lock().unwrap_or_else(PoisonError::into_inner);
        match step {
            Step::Begun(states) => *bar = Some(Bar::new(context.printer, states)),
            Step::Done => bar.iter().for_each(Bar::advance),
        }
    };
    let restored = backups.restore_states(number, &arguments.only, &*to, &progress).await;
    if let Some(bar) = bar.into_inner().unwrap_or_else(PoisonError::into_inner) {
        bar.finish();
    }
    Ok((restored.map_err(|error| failed(&error))?, to.place().to_owned()))
}

/// Opens the database, and makes the folder of a file for this user alone if it is missing.
async fn open_store(address: &str) -> Result<Arc<SqlStore>, Failure> {
    let folder = address.strip_prefix("sqlite://").and_then(|path| Path::new(path).parent());
    if let Some(folder) = folder.filter(|folder| folder.is_absolute() && !folder.exists()) {
        files::private_directory(folder)?;
    }
    let store = SqlStore::open(address, SqlOptions::default()).await;
    store.map(Arc::new).map_err(|error| Failure::new(chain(&error)))
}

/// Makes a token for whoever has lost theirs.
async fn make_token(context: &Context, store: &dyn Store) -> Result<(), Failure> {
    let data_dir = context.config.data_dir()?;
    files::private_directory(data_dir)?;
    let path = data_dir.join(TOKEN_FILE);
    // The token of a server that still runs may be there.
    let is_free = !path.exists();
    let keep = |token: &secrecy::SecretString| {
        if is_free { files::write_private(&path, &format!("{}\n", token.expose_secret())) } else { Ok(()) }
    };
    let token = another_token(store, &SystemClock, &SystemRandom, keep).await.map_err(|error| match error {
        alfred_server::FirstRunError::Keep(failure) => failure,
        alfred_server::FirstRunError::Store(error) => Failure::because("cannot make a token", &error),
    })?;
    let Some(token) = token else {
        context.printer.warning("the records have no administrator, so that no token was made");
        return Ok(());
    };
    let kept = if is_free {
        format!("and kept in `{}` for commands on this machine", path.display())
    } else {
        format!("and not kept: `{}` has another, which is left as it is", path.display())
    };
    context.printer.must_see(format_args!(
        "an administrator's new token is\n  {}\nit is shown this once, {kept}",
        token.expose_secret()
    ));
    Ok(())
}

fn show(context: &Context, done: &Done) -> Result<(), Failure> {
    if context.printer.json() {
        context.printer.document(&document(done))?;
        return Ok(());
    }
    if let Some((states, place)) = &done.states {
        let there = states.restored.iter().filter(|one| one.was_there).count();
        let versions: usize = states.restored.iter().map(|one| one.versions).sum();
        let mut line = format!("{place}: {} states, {versions} versions", states.restored.len());
        if there > 0 {
            line = format!("{line}; {there} of them were there already");
        }
        context.printer.data(line)?;
        for one in &states.restored {
            if let Some(place) = &one.moved_to {
                let name = &one.name;
                context
                    .printer
                    .note(format_args!("`{name}` had been moved to {} before, and still reads so", one_line(place)));
            }
        }
        for lacking in &states.lacking {
            let version = lacking.version.map_or_else(String::new, |version| format!(" version {version}"));
            let words = "was damaged when the backup was made, and is not there";
            context.printer.warning(format_args!("`{}`{version} {words}", lacking.state));
        }
        for problem in &states.damaged {
            context.printer.warning(format_args!("damaged in the backup, and not there: {}", words(problem)));
        }
        for problem in &states.left_out {
            context.printer.warning(format_args!("not restored: {}", words(problem)));
        }
        for key in &states.keys_missing {
            context.printer.warning(format_args!("some versions cannot be read without the key `{key}`"));
        }
    }
    if let Some(rows) = done.rows {
        context.printer.data(format_args!("alfred's own records: {rows} rows"))?;
    }
    Ok(())
}

fn document(done: &Done) -> Value {
    let states = done.states.as_ref().map(|(states, place)| {
        let restored = states.restored.iter().map(|one| {
            json!({
                "name": one.name,
                "versions": one.versions,
                "was_there": one.was_there,
                "moved_to": one.moved_to,
            })
        });
        let told = |problem: &Problem| {
            let serial = problem.version.map(|version| version.serial);
            json!({ "state": problem.state, "serial": serial, "words": problem.words })
        };
        json!({
            "place": place,
            "restored": restored.collect::<Vec<_>>(),
            "left_out": states.left_out.iter().map(told).collect::<Vec<_>>(),
            "damaged": states.damaged.iter().map(told).collect::<Vec<_>>(),
            "lacking": states.lacking.iter().map(look::lacking).collect::<Vec<_>>(),
            "keys_missing": states.keys_missing,
        })
    });
    json!({ "number": done.number, "states": states, "rows": done.rows })
}

fn next_steps(context: &Context, arguments: &BackupRestoreArguments, done: &Done) {
    if done.rows.is_some() {
        let states = if arguments.states.is_some() { "`ALFRED_STATE` and " } else { "" };
        context.printer.note(format_args!(
            "next: start the server with {states}`ALFRED_DATABASE_URL` naming what was restored, and with `ALFRED_BUY=off`;\n  \
             `alfred audit` then finds VMs and records that were made after the backup: these records do not know them"
        ));
    } else if done.states.is_some() {
        context
            .printer
            .note("next: start the server with `ALFRED_STATE` naming this store, and then `alfred state verify`");
    }
}

fn finish(done: &Done) -> Result<Exit, Failure> {
    let Some((states, _)) = &done.states else { return Ok(Exit::Done) };
    let (left_out, damaged) = (states.left_out.len(), states.damaged.len());
    let hint = "they are damaged in the backup; `alfred backup list` shows earlier ones";
    if left_out == 0 && damaged == 0 {
        return Ok(Exit::Done);
    }
    if left_out == 0 {
        return Err(Failure::partly(format!("{damaged} older versions were not restored")).hint(hint));
    }
    if states.restored.is_empty() && done.rows.is_none() {
        return Err(Failure::new("no state was restored").hint(hint));
    }
    Err(Failure::partly(format!("{left_out} states were not restored")).hint(hint))
}
