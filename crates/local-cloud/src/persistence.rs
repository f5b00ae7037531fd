//! The state file: one JSON document with everything, read at the start, written whole or not at all.

use std::{
    fs, io,
    io::Write,
    path::{Path, PathBuf},
    sync::atomic::Ordering,
    time::Duration,
};

use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::{LocalCloud, cloudflare, contabo, r2};

/// The version this code writes; it reads no newer one.
const VERSION: u32 = 2;
/// Changes are gathered this long before they are written.
const QUIET: Duration = Duration::from_millis(50);

/// Why the state file could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// It cannot be read.
    #[error("cannot read the state file `{path}`; check that it is a file you may read")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// It is no state document.
    #[error("the state file `{path}` is damaged; mend it, or move it away to start empty")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where it stops making sense.
        #[source]
        source: serde_json::Error,
    },
    /// The content of an object is missing beside it, or is another.
    #[error(
        "an object's content `{content}` of the state file `{path}` cannot be found; restore it, or move both away"
    )]
    Content {
        /// The state file.
        path: PathBuf,
        /// The content's file.
        content: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A later release wrote it.
    #[error(
        "the state file `{path}` has version {found}, this program knows up to {VERSION}; use the program that wrote it"
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u32,
    },
    /// It cannot be written.
    #[error("cannot write the state file `{path}`; check the folder and the space on the disk")]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// It was never read, so writing it could lose what it says.
    #[error("the state file `{path}` was not read; make the cloud with `LocalCloud::open`")]
    NotLoaded {
        /// The file.
        path: PathBuf,
    },
}

#[derive(Serialize, Deserialize)]
struct Document {
    version: u32,
    cloudflare: cloudflare::State,
    contabo: contabo::State,
    /// Since version 2.
    #[serde(default)]
    r2: r2::State,
}

#[derive(Deserialize)]
struct Header {
    version: u32,
}

/// Restores the cloud from its file, if it has one and the file exists.
pub(crate) fn load(cloud: &LocalCloud) -> Result<(), StateError> {
    let Some(path) = cloud.inner.state_file.clone() else {
        return Ok(());
    };
    match fs::read(&path) {
        Ok(bytes) => {
            let damaged = |source| StateError::Damaged { path: path.clone(), source };
            let header: Header = serde_json::from_slice(&bytes).map_err(damaged)?;
            if header.version > VERSION {
                return Err(StateError::Newer { path, found: header.version });
            }
            let document: Document = serde_json::from_slice(&bytes).map_err(damaged)?;
            cloud.cloudflare().restore(document.cloudflare);
            cloud.contabo().restore(document.contabo);
            let lost = |(content, source)| StateError::Content { path: path.clone(), content, source };
            cloud.r2().restore(document.r2).map_err(lost)?;
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(source) => return Err(StateError::Read { path, source }),
    }
    cloud.inner.loaded.store(true, Ordering::Release);
    Ok(())
}

/// Fails if there is a state file that was not read.
pub(crate) fn check_loaded(cloud: &LocalCloud) -> Result<(), StateError> {
    match &cloud.inner.state_file {
        Some(path) if !cloud.inner.loaded.load(Ordering::Acquire) => Err(StateError::NotLoaded { path: path.clone() }),
        _ => Ok(()),
    }
}

/// Writes the cloud to its file, if it has one.
pub(crate) fn save(cloud: &LocalCloud) -> Result<(), StateError> {
    check_loaded(cloud)?;
    let Some(path) = &cloud.inner.state_file else {
        return Ok(());
    };
    let (r2, forsaken) = cloud.r2().picture();
    let document =
        Document { version: VERSION, cloudflare: cloud.cloudflare().state(), contabo: cloud.contabo().state(), r2 };
    let written = write_whole(path, &document);
    cloud.r2().settle(forsaken, written.is_ok());
    written.map_err(|source| StateError::Write { path: path.clone(), source })
}

/// Where the contents of objects are, beside the state file.
pub(crate) fn objects_folder(state_file: &Path) -> PathBuf {
    let mut name = state_file.file_name().unwrap_or_default().to_owned();
    name.push(".objects");
    state_file.with_file_name(name)
}

/// Writes beside the file and renames, so that a reader finds the old document or the new one.
fn write_whole(path: &Path, document: &Document) -> io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let beside = path.with_file_name(name);
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    let mut writer = io::BufWriter::new(options.open(&beside)?);
    serde_json::to_writer(&mut writer, document)?;
    writer.flush()?;
    writer.get_ref().sync_all()?;
    drop(writer);
    fs::rename(&beside, path)
}

/// Keeps the file up to date until `stop` turns true, then writes it a last time.
pub(crate) async fn keep_saved(cloud: LocalCloud, mut stop: watch::Receiver<bool>) {
    if cloud.inner.state_file.is_none() {
        return;
    }
    let mut cloudflare = cloud.cloudflare().changed();
    let mut contabo = cloud.contabo().changed();
    let mut r2 = cloud.r2().changed();
    // What changed before anybody served it, or before this task ran, is written as well.
    cloudflare.mark_changed();
    loop {
        tokio::select! {
            _ = cloudflare.changed() => {}
            _ = contabo.changed() => {}
            _ = r2.changed() => {}
            _ = stop.wait_for(|stop| *stop) => break,
        }
        tokio::time::sleep(QUIET).await;
        cloudflare.mark_unchanged();
        contabo.mark_unchanged();
        r2.mark_unchanged();
        save_apart(&cloud).await;
    }
    save_apart(&cloud).await;
}

/// Saves on a thread that may block.
async fn save_apart(cloud: &LocalCloud) {
    let cloud = cloud.clone();
    match tokio::task::spawn_blocking(move || save(&cloud)).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::error!(error = %error, "the local cloud's state was not saved"),
        Err(error) => tracing::error!(%error, "saving the local cloud's state failed"),
    }
}
