//! Stored versions that were changed by a disk or a hand: none goes unnoticed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use alfred_model::seam::{Clock, Random};
use alfred_model::state::retention::Defaults;
use alfred_model::state::{BlobKey, StateName, Version};
use alfred_state::backend::Folder;
use alfred_state::{Keyring, Seams, StateError, States, Stores};
use bytes::Bytes;
use jiff::Timestamp;
use secrecy::SecretString;

use crate::fixture::{Chance, name, noise};

/// So many damages are done.
const DAMAGES: u64 = 10_000;

struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_second(1_800_000_000).unwrap()
    }
}

/// A choice that follows from a number.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 += 1;
        let bytes: [u8; 8] = noise(8, self.0).as_ref().try_into().unwrap();
        usize::try_from(u64::from_le_bytes(bytes) % bound as u64).unwrap()
    }
}

/// A file of the store that holds a version, with what it held.
struct Stored {
    state: StateName,
    version: Version,
    path: PathBuf,
    content: Vec<u8>,
}

async fn states(path: &Path, keys: &str) -> States {
    let folder = Arc::new(Folder::open(path).await.unwrap());
    let random: Arc<dyn Random> = Chance::new();
    let seams = Seams { clock: Arc::new(SystemClock), random };
    let keyring = Keyring::parse(&SecretString::from(keys)).unwrap();
    States::new(Stores::single(folder, seams.clone()), keyring, Defaults::default(), seams)
}

/// Two states with versions of several lengths, half of them encrypted, and where each of them lies.
async fn filled(path: &Path) -> (States, Vec<Stored>) {
    let key = "k:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    let (plain, sealing) = (states(path, "").await, states(path, key).await);
    let mut stored = Vec::new();
    for state in [name("a"), name("team/b")] {
        for serial in 1..=4 {
            let states = if serial % 2 == 0 { &sealing } else { &plain };
            let filler: String = noise([0, 40, 900, 5_000][usize::try_from(serial).unwrap() - 1], serial)
                .iter()
                .map(|byte| char::from(b'a' + byte % 26))
                .collect();
            let content = format!(r#"{{"version":4,"serial":{serial},"lineage":"{state}","x":"{filler}"}}"#);
            states.write(&state, content.into(), None, "ann").await.unwrap();
        }
        for version in sealing.document(&state).await.unwrap().unwrap().versions {
            let path = file_of(path, &state, &version.blob_key());
            let content = std::fs::read(&path).unwrap();
            stored.push(Stored { state: state.clone(), version, path, content });
        }
    }
    (sealing, stored)
}

/// The one file below `path` that is called after the key and lies in the state's folder.
fn file_of(path: &Path, state: &StateName, key: &BlobKey) -> PathBuf {
    let mut found = Vec::new();
    let mut open = vec![path.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let text = path.to_string_lossy().into_owned();
            if path.is_dir() {
                open.push(path);
            } else if text.contains(&key.as_key()) && text.contains(&format!("/{}/", state.as_key())) {
                found.push(path);
            }
        }
    }
    assert_eq!(found.len(), 1, "{state} {key:?}: {found:?}");
    found.remove(0)
}

/// Other bytes for one of the files: a flipped bit, a cut, something added, something lost within, another version's file.
fn damaged(dice: &mut Dice, stored: &[Stored], which: usize) -> (&'static str, Option<Vec<u8>>) {
    let mut content = stored[which].content.clone();
    let at = dice.below(content.len());
    match dice.below(6) {
        0 | 1 => {
            content[at] ^= 1 << dice.below(8);
            ("a flipped bit", Some(content))
        }
        2 => {
            content.truncate(at);
            ("a cut", Some(content))
        }
        3 => {
            content.extend_from_slice(&noise(1 + at % 40, at as u64));
            ("something added", Some(content))
        }
        4 => {
            let other = (which + 1 + dice.below(stored.len() - 1)) % stored.len();
            ("another version's file", Some(stored[other].content.clone()))
        }
        _ => ("no file", None),
    }
}

#[tokio::test]
async fn every_damage_of_a_stored_version_is_found_and_nothing_damaged_is_given_out() {
    let folder = tempfile::tempdir().unwrap();
    let (states, stored) = filled(folder.path()).await;
    let mut dice = Dice(1);
    let mut kinds = BTreeMap::new();
    let versions = u64::try_from(stored.len()).unwrap();
    for round in 0..DAMAGES / versions {
        for (which, Stored { state, version, path, .. }) in stored.iter().enumerate() {
            let (kind, content) = damaged(&mut dice, &stored, which);
            match content {
                Some(content) => std::fs::write(path, content).unwrap(),
                None => std::fs::remove_file(path).unwrap(),
            }
            let read = states.read_version(state, &version.key).await;
            assert!(
                matches!(read, Err(StateError::Damaged { .. } | StateError::Backend(_))),
                "{round}, {kind}: {read:?}"
            );
            *kinds.entry(kind).or_insert(0) += 1;
        }
        for state in [name("a"), name("team/b")] {
            let report = states.verify(&state).await.unwrap();
            let found: BTreeSet<_> = report.problems.iter().map(|problem| problem.version).collect();
            let all = stored.iter().filter(|stored| stored.state == state).map(|stored| stored.version.key).collect();
            assert_eq!((found, report.good), (all, 0), "{round}");
        }
        for Stored { path, content, .. } in &stored {
            std::fs::write(path, content).unwrap();
        }
    }
    for state in [name("a"), name("team/b")] {
        assert_eq!(states.verify(&state).await.unwrap().good, 4, "nothing is damaged any more");
    }
    assert_eq!(kinds.len(), 5);
    println!("{} damages, all found: {kinds:?}", kinds.values().sum::<u64>());
    assert_eq!(kinds.values().sum::<u64>(), DAMAGES);
    let whole: Bytes = states.read(&name("a")).await.unwrap().unwrap().content;
    assert!(whole.starts_with(b"{\"version\":4,\"serial\":4"));
}
