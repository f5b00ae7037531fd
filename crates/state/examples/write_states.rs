//! Writes versions of one state, one after the other, and says which ones are safe: `write_states ADDRESS COUNT LENGTH...`.
//!
//! It uses a store as the crate itself does: a version's content first, then the document that names it. The tests kill it
//! at any moment and look whether all that it had said is there. For `r2://` the endpoint is in `R2_ENDPOINT` and the access
//! key in `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`.

#![expect(clippy::print_stdout, reason = "what it prints is its result")]

use std::fs::File;
use std::io::Read as _;
use std::process::ExitCode;
use std::sync::Arc;

use alfred_model::seam::{Clock, Random};
use alfred_model::state::{BlobKey, BlobTag, Checksum, StateName, VersionKey};
use alfred_state::backend::{OpenOptions, Swapped, open};
use alfred_state::{Backend, BackendError, Seams};
use bytes::Bytes;
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

/// The system's time.
struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the system's clock")]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

/// The system's source of random numbers.
struct SystemRandom;

impl Random for SystemRandom {
    fn fill(&self, bytes: &mut [u8]) {
        File::open("/dev/urandom").and_then(|mut file| file.read_exact(bytes)).expect("every Unix has `/dev/urandom`");
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next().unwrap_or_default();
    let numbers: Result<Vec<usize>, _> = arguments.map(|argument| argument.parse()).collect();
    let Some((count, lengths)) = numbers.as_ref().ok().and_then(|numbers| numbers.split_first()) else {
        println!("usage: write_states ADDRESS COUNT LENGTH...");
        return ExitCode::from(2);
    };
    match write(&address, *count, lengths).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn write(address: &str, count: usize, lengths: &[usize]) -> Result<(), BackendError> {
    let variable = |name| std::env::var(name).ok();
    let mut options = OpenOptions::new(Seams { clock: Arc::new(SystemClock), random: Arc::new(SystemRandom) });
    options.endpoint = variable("R2_ENDPOINT");
    options.access_key_id = variable("AWS_ACCESS_KEY_ID").map(Into::into);
    options.secret_access_key = variable("AWS_SECRET_ACCESS_KEY").map(Into::into);
    let backend = open(address, &options).await?;
    let state: StateName = "killed".parse().expect("it is a name");
    let mut written = 0;
    while written < count {
        let length = lengths.get(written % lengths.len().max(1)).copied().unwrap_or(1_000);
        if let Some(key) = write_version(&*backend, &state, length).await? {
            println!("safe: {}", key.as_key());
            written += 1;
        }
    }
    Ok(())
}

/// Writes one version; nothing, if somebody else was faster.
async fn write_version(
    backend: &dyn Backend,
    state: &StateName,
    length: usize,
) -> Result<Option<BlobKey>, BackendError> {
    let document = backend.document(state).await?;
    let (revision, text) = match document {
        Some(document) => (Some(document.revision), String::from_utf8_lossy(&document.content).into_owned()),
        None => (None, String::new()),
    };
    let mut drawn = [0; 32];
    SystemRandom.fill(&mut drawn);
    let content: Bytes = drawn.iter().copied().cycle().take(length).collect();
    let serial = text.lines().count() as u64 + 1;
    let [first, ..] = drawn.as_chunks().0 else { return Ok(None) };
    let version = VersionKey { serial, sha256: Checksum(Sha256::digest(&content).into()) };
    let key = BlobKey { version, tag: BlobTag(u64::from_le_bytes(*first)) };
    backend.put_blob(state, &key, content.into()).await?;
    let text = format!("{text}{}\n", key.as_key());
    Ok(match backend.swap_document(state, revision, text.into()).await? {
        Swapped::Done(_) => Some(key),
        Swapped::Conflict => None,
    })
}
