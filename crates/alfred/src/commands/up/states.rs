//! Opening the store of the Terraform states, with a plain word for everything that may be wrong with it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use alfred_model::state::retention::Defaults;
use alfred_server::{STATE_SIZE_MAX, StatesParts};
use alfred_state::backend::Folder;
use alfred_state::{Backend, Keyring, Seams, States, Stores};

use crate::config::{Config, Key};
use crate::error::{Failure, chain};
use crate::system::{SystemClock, SystemRandom};

/// A content is never allowed to be longer, in bytes: it is held in memory whole.
const SIZE_MAX: u64 = 4 << 30;

/// Opens the states that the configuration names.
pub(in crate::commands) async fn open(config: &Config) -> Result<StatesParts, Failure> {
    let seams = Seams { clock: Arc::new(SystemClock), random: Arc::new(SystemRandom) };
    let stores = Stores::single(backend(config).await?, seams.clone());
    let states = Arc::new(States::new(stores, keyring(config)?, retention(config)?, seams));
    Ok(StatesParts { states, size_max: size_max(config)? })
}

async fn backend(config: &Config) -> Result<Arc<dyn Backend>, Failure> {
    let expected = "a folder: an absolute path, or `file://` and one";
    let text = config.secret(Key::State).map(secrecy::ExposeSecret::expose_secret).unwrap_or_default();
    let path = PathBuf::from(text.strip_prefix("file://").unwrap_or(text));
    if !path.is_absolute() {
        return Err(config.wrong(Key::State, expected));
    }
    folder(&path).await
}

async fn folder(path: &Path) -> Result<Arc<dyn Backend>, Failure> {
    let opened = Folder::open(path).await;
    opened.map(|folder| Arc::new(folder) as Arc<dyn Backend>).map_err(|error| Failure::new(chain(&error)))
}

fn keyring(config: &Config) -> Result<Keyring, Failure> {
    let Some(keys) = config.secret(Key::StateKeys) else { return Ok(Keyring::default()) };
    Keyring::parse(keys).map_err(|error| Failure::usage(format!("`{}`: {error}", Key::StateKeys.variable())))
}

fn retention(config: &Config) -> Result<Defaults, Failure> {
    let usual = Defaults::default();
    let number = |key| config.parse::<std::num::NonZeroU32>(key, "a number from 1 on");
    Ok(Defaults {
        keep_versions: number(Key::StateKeepVersions)?.map_or(usual.keep_versions, std::num::NonZeroU32::get),
        keep_days: number(Key::StateKeepDays)?.map(std::num::NonZeroU32::get).or(usual.keep_days),
    })
}

fn size_max(config: &Config) -> Result<usize, Failure> {
    let expected = "a length from 1KiB to 4GiB, such as `256MiB`";
    let Some(text) = config.text(Key::StateSizeMax) else { return Ok(STATE_SIZE_MAX) };
    let bytes = length(text).filter(|bytes| (1_024..=SIZE_MAX).contains(bytes));
    bytes.and_then(|bytes| usize::try_from(bytes).ok()).ok_or_else(|| config.wrong(Key::StateSizeMax, expected))
}

/// Reads `1048576`, `512KiB`, `256MiB` or `1GiB`.
fn length(text: &str) -> Option<u64> {
    let digits = text.trim_end_matches(|character: char| !character.is_ascii_digit());
    let unit = match text[digits.len()..].trim_start() {
        "" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_read_as_people_write_them() {
        for (text, bytes) in [("4096", 4_096), ("512KiB", 512 << 10), ("256 MiB", 256 << 20), ("1GiB", 1 << 30)] {
            assert_eq!(length(text), Some(bytes), "{text}");
        }
        for bad in ["", "MiB", "-1", "1MB", "1 mib", "1.5GiB", "99999999999999999999", "18446744073709551615GiB", "ä"]
        {
            assert_eq!(length(bad), None, "{bad}");
        }
    }
}
