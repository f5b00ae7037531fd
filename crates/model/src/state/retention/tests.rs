use proptest::prelude::*;

use super::*;
use crate::state::version::{BlobTag, Checksum, Version};

const DAY: i64 = 24 * 60 * 60;

fn day(number: i64) -> Timestamp {
    Timestamp::from_second(number * DAY).unwrap()
}

fn version(serial: u64, at: Timestamp, pinned: bool) -> Version {
    Version {
        blob: BlobTag(0),
        key: VersionKey { serial, sha256: Checksum([0; 32]) },
        lineage: "lineage".to_owned(),
        size: 2,
        at,
        by: "ann".to_owned(),
        lock_id: None,
        key_id: None,
        opaque: false,
        pinned,
        rolled_back_to: None,
    }
}

/// Versions 1, 2, … written on these days; those in `pinned` are.
fn document(days: &[i64], pinned: &[u64]) -> StateDocument {
    let mut document = StateDocument::new();
    for (serial, written) in (1..).zip(days) {
        document.versions.push(version(serial, day(*written), pinned.contains(&serial)));
    }
    document
}

fn serials(keys: &[VersionKey]) -> Vec<u64> {
    keys.iter().map(|key| key.serial).collect()
}

fn of(keep_versions: u32, keep_days: Option<u32>) -> Defaults {
    Defaults { keep_versions, keep_days }
}

#[test]
fn the_oldest_go_when_there_are_too_many_and_pinned_ones_are_not_counted() {
    let state = document(&[1, 2, 3, 4, 5], &[]);
    assert_eq!(serials(&dropped(&state, &of(3, None), day(9))), [1, 2]);
    assert_eq!(serials(&dropped(&document(&[1, 2, 3, 4, 5], &[1, 4]), &of(2, None), day(9))), [2]);
    assert_eq!(serials(&dropped(&state, &of(0, None), day(9))), [1, 2, 3, 4], "the newest stays");
    assert_eq!(dropped(&StateDocument::new(), &of(1, Some(0)), day(9)), []);
}

#[test]
fn the_age_counts_from_when_a_version_was_replaced() {
    // On day 40, ten days back is day 30: what was in force then is version 2, which was replaced on day 35.
    let state = document(&[1, 2, 35], &[]);
    assert_eq!(serials(&dropped(&state, &of(100, Some(10)), day(40))), [1]);
    assert_eq!(serials(&dropped(&state, &of(100, Some(10)), day(46))), [1, 2], "and the newest is never too old");
    assert_eq!(dropped(&state, &of(100, Some(u32::MAX)), day(46)), [], "before the beginning of time");
}

#[test]
fn what_the_owner_decided_goes_before_the_default() {
    let mut state = document(&[1, 2, 3, 4], &[]);
    state.settings.keep_versions = Some(3);
    assert_eq!(serials(&dropped(&state, &of(1, None), day(9))), [1]);
    state.settings.keep_days = Some(1);
    assert_eq!(serials(&dropped(&state, &of(1, None), day(9))), [1, 2, 3]);
}

#[test]
fn a_deleted_state_keeps_its_newest_version() {
    let mut state = document(&[1, 2], &[]);
    state.deleted_at = Some(day(3));
    assert_eq!(serials(&dropped(&state, &of(1, Some(0)), day(100))), [1]);
}

#[test]
fn the_list_of_versions_fits_into_its_document() {
    let days: Vec<i64> = (1..=i64::try_from(VERSIONS_MAX).unwrap() + 10).collect();
    let state = document(&days, &[1, 2]);
    let gone = dropped(&state, &of(u32::MAX, None), day(2_000));
    assert_eq!(days.len() - gone.len(), VERSIONS_MAX);
    assert_eq!(gone[0].serial, 3);
}

proptest! {
    #[test]
    fn neither_the_newest_nor_a_pinned_version_is_dropped_and_a_second_look_finds_nothing(
        written in prop::collection::vec((0_i64..50, any::<bool>()), 0..30),
        keep_versions in 0_u32..40,
        keep_days in prop::option::of(0_u32..60),
        now in 0_i64..100,
    ) {
        let mut state = StateDocument::new();
        for (serial, (at, pinned)) in (1..).zip(written) {
            state.versions.push(version(serial, day(at), pinned));
        }
        let defaults = of(keep_versions, keep_days);
        let gone = dropped(&state, &defaults, day(now));
        prop_assert!(gone.is_sorted());
        let newest = state.versions.last().map(|version| version.key);
        for key in &gone {
            prop_assert!(Some(*key) != newest);
            prop_assert!(!state.version(key).unwrap().pinned);
        }
        state.versions.retain(|version| !gone.contains(&version.key));
        let kept = state.versions.iter().filter(|version| !version.pinned).count();
        prop_assert!(kept <= usize::try_from(keep_versions.max(1)).unwrap());
        prop_assert_eq!(state.versions.last().map(|version| version.key), newest);
        if keep_days.is_none() {
            prop_assert_eq!(dropped(&state, &defaults, day(now)), vec![]);
        }
    }
}
