use std::collections::HashSet;
use std::fmt::{Debug, Display};
use std::hash::Hash;
use std::str::FromStr;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::*;
use crate::audit::FindingKind;
use crate::environment::{OnFailure, Status, Step, Wish};
use crate::intent::{IntentKind, Outcome};
use crate::user::Role;
use crate::vm::{InstanceStatus, VmState, VmStep};

/// The same word in the store, in JSON and on the screen, and no word twice.
fn one_word_each<T>(all: &[T], as_str: fn(T) -> &'static str)
where
    T: Copy + Debug + Display + Eq + Hash + FromStr<Err = UnknownWord> + Serialize + DeserializeOwned,
{
    let words: HashSet<&str> = all.iter().map(|variant| as_str(*variant)).collect();
    assert_eq!(words.len(), all.len());
    for variant in all {
        let word = as_str(*variant);
        assert!(word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{word}");
        assert_eq!(variant.to_string(), word);
        assert_eq!(word.parse::<T>(), Ok(*variant));
        let json = serde_json::to_string(variant).unwrap();
        assert_eq!(json, format!("\"{word}\""));
        assert_eq!(serde_json::from_str::<T>(&json).unwrap(), *variant);
        assert!(word.to_uppercase().parse::<T>().is_err());
    }
}

#[test]
fn every_enum_is_one_word_everywhere() {
    one_word_each(FindingKind::ALL, FindingKind::as_str);
    one_word_each(InstanceStatus::ALL, InstanceStatus::as_str);
    one_word_each(IntentKind::ALL, IntentKind::as_str);
    one_word_each(OnFailure::ALL, OnFailure::as_str);
    one_word_each(Outcome::ALL, Outcome::as_str);
    one_word_each(Role::ALL, Role::as_str);
    one_word_each(Status::ALL, Status::as_str);
    one_word_each(Step::ALL, Step::as_str);
    one_word_each(VmState::ALL, VmState::as_str);
    one_word_each(VmStep::ALL, VmStep::as_str);
    one_word_each(Wish::ALL, Wish::as_str);
}

#[test]
fn display_keeps_to_a_width() {
    assert_eq!(format!("{:<8}|", Status::Active), "active  |");
}

#[test]
fn an_unknown_word_is_named_and_cut() {
    let error = "sleeping".parse::<Status>().unwrap_err();
    assert_eq!(error.to_string(), "`sleeping` is no status");
    let long = "ü".repeat(1_000).parse::<VmStep>().unwrap_err();
    assert_eq!((long.kind, long.word.chars().count()), ("VM step", 64));
}
