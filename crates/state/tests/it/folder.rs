//! What is particular to states in a folder.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use alfred_state::backend::{Folder, Put, Swapped};
use alfred_state::{Backend as _, BackendError};
use bytes::Bytes;

use crate::fixture::{blob, done, key, name, noise};

const CONTENT: Bytes = Bytes::from_static(b"{}");

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let (folders, mut found): (Vec<_>, Vec<_>) = entries.partition(|path| path.is_dir());
    for folder in folders {
        found.extend(files(&folder));
        found.push(folder);
    }
    found
}

#[tokio::test]
async fn only_its_owner_may_read_what_is_in_it() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("made/for/states");
    let backend = Folder::open(&root).await.unwrap();
    let state = name("team/production");
    done(backend.swap_document(&state, None, CONTENT).await.unwrap());
    assert_eq!(backend.put_blob(&state, &key(1, 1), blob(&noise(10, 1))).await.unwrap(), Put::Created);
    let found = files(&folder.path().join("made"));
    assert!(found.len() >= 10, "{found:?}");
    for path in found {
        let metadata = fs::metadata(&path).unwrap();
        let mode = if metadata.is_dir() { 0o700 } else { 0o600 };
        assert_eq!(metadata.mode() & 0o777, mode, "{}", path.display());
    }
    assert_eq!(backend.place(), format!("folder {}", root.display()));
}

#[tokio::test]
async fn a_place_that_cannot_be_a_folder_of_ours_is_refused_with_advice() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    for path in [file.clone(), file.join("below")] {
        let error = Folder::open(&path).await.unwrap_err();
        assert!(
            matches!(&error, BackendError::Refused { words, .. } if words.contains("name another folder")),
            "{error}"
        );
    }
    let read_only = Path::new("/proc/alfred-states");
    let error = Folder::open(read_only).await.unwrap_err();
    assert!(error.to_string().starts_with("folder /proc/alfred-states "), "{error}");
}

#[tokio::test]
async fn a_folder_without_the_right_to_write_is_refused_with_advice() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("states");
    fs::create_dir(&root).unwrap();
    fs::set_permissions(&root, fs::Permissions::from_mode(0o500)).unwrap();
    if fs::write(root.join("probe"), "").is_ok() {
        // Root may write everywhere; `/proc` in the test above is what refuses root.
        println!(
            "\ncould not run: folder::a_folder_without_the_right_to_write_is_refused_with_advice: root may write anywhere"
        );
        return;
    }
    let error = Folder::open(&root).await.unwrap_err();
    assert!(matches!(&error, BackendError::Refused { words, .. } if words.contains("let this user")), "{error}");
}

#[tokio::test]
async fn a_damaged_document_is_told_and_a_foreign_file_is_not_ours() {
    let folder = tempfile::tempdir().unwrap();
    let backend = Folder::open(folder.path()).await.unwrap();
    let state = name("damaged");
    let revision = done(backend.swap_document(&state, None, noise(500, 1)).await.unwrap());
    let documents = folder.path().join("states/damaged/documents");
    fs::write(documents.join("README"), "not a value").unwrap();
    fs::write(folder.path().join("states/Not A Name"), "").unwrap();
    assert_eq!(backend.states(None, 10).await.unwrap(), std::slice::from_ref(&state));

    let file = documents.join("00000000000000000001");
    let stored = fs::read(&file).unwrap();
    for damaged in [stored[..stored.len() - 1].to_vec(), Vec::new(), vec![b'x'; 1_000], [&stored[..], b"x"].concat()] {
        fs::write(&file, damaged).unwrap();
        let error = backend.document(&state).await.unwrap_err();
        let is_told = matches!(&error, BackendError::Damaged { words, .. } if words.contains("`damaged`, value 1"));
        assert!(is_told, "{error}");
    }
    fs::write(&file, stored).unwrap();
    assert_eq!(backend.document(&state).await.unwrap().unwrap().revision, revision);
}

#[tokio::test]
async fn what_was_being_written_when_a_process_ended_is_never_seen() {
    let folder = tempfile::tempdir().unwrap();
    let backend = Folder::open(folder.path()).await.unwrap();
    let state = name("killed");
    assert_eq!(backend.put_blob(&state, &key(1, 1), blob(&noise(100, 1))).await.unwrap(), Put::Created);
    // The next process may draw the same temporary names.
    for number in 0..20 {
        let leftover = folder.path().join(format!("temporary/{}-{number}", std::process::id()));
        fs::write(leftover, "half").unwrap();
    }
    assert_eq!(backend.put_blob(&state, &key(2, 2), blob(&noise(100, 2))).await.unwrap(), Put::Created);
    assert_eq!(backend.blob(&state, &key(2, 2)).await.unwrap().unwrap().into_bytes(), noise(100, 2));
    assert_eq!(backend.blobs(&state).await.unwrap().len(), 2);

    // A day later they are removed.
    let old = folder.path().join("temporary/old");
    let file = fs::File::create(&old).unwrap();
    file.set_modified(file.metadata().unwrap().modified().unwrap() - std::time::Duration::from_secs(100_000)).unwrap();
    let before = files(&folder.path().join("temporary")).len();
    Folder::open(folder.path()).await.unwrap();
    assert!(!old.exists());
    assert_eq!(files(&folder.path().join("temporary")).len(), before - 1, "a young one may belong to somebody");
}

#[tokio::test]
async fn a_few_values_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let backend = Folder::open(folder.path()).await.unwrap();
    let state = name("kept");
    let mut revision = None;
    for _ in 0..20 {
        revision = Some(done(backend.swap_document(&state, revision, CONTENT).await.unwrap()));
    }
    assert_eq!(files(&folder.path().join("states/kept/documents")).len(), 4);
}

#[tokio::test]
async fn a_value_made_past_the_lock_is_never_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let backend = Folder::open(folder.path()).await.unwrap();
    let state = name("foreign");
    let revision = done(backend.swap_document(&state, None, CONTENT).await.unwrap());
    let documents = folder.path().join("states/foreign/documents");
    fs::copy(documents.join("00000000000000000001"), documents.join("00000000000000000002")).unwrap();
    assert_eq!(backend.swap_document(&state, Some(revision), CONTENT).await.unwrap(), Swapped::Conflict);
}
