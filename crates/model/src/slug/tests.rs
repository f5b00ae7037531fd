use std::cell::Cell;
use std::collections::BTreeSet;
use std::sync::Mutex;

use proptest::prelude::*;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::*;

/// Random numbers from a seed.
struct Seeded(Mutex<StdRng>);

impl Seeded {
    fn new(seed: u64) -> Self {
        Self(Mutex::new(StdRng::seed_from_u64(seed)))
    }
}

impl Random for Seeded {
    fn fill(&self, bytes: &mut [u8]) {
        self.0.lock().unwrap().fill_bytes(bytes);
    }
}

/// A source that is stuck at one byte.
struct Stuck(u8);

impl Random for Stuck {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.fill(self.0);
    }
}

#[test]
fn every_word_that_is_kept_is_fit_and_enough_are_kept() {
    let words = &*WORDS;
    for word in words.adjectives.iter().chain(&words.nouns) {
        assert!(word.bytes().all(|byte| byte.is_ascii_lowercase()), "{word}");
        assert!(word.parse::<Slug>().is_ok(), "{word}");
    }
    assert!(words.adjectives.len() * words.nouns.len() > 500_000);
}

#[test]
fn every_pair_is_a_slug_that_leaves_room_for_a_number() {
    let longest = |words: &[&'static str]| words.iter().map(|word| word.len()).max().unwrap();
    let longest_pair = longest(&WORDS.adjectives) + 1 + longest(&WORDS.nouns);
    assert!(longest_pair + "-999999".len() <= crate::name::SLUG_MAX);
    for adjective in &WORDS.adjectives {
        let slug = format!("{adjective}-{}", WORDS.nouns[0]);
        assert!(slug.parse::<Slug>().is_ok(), "{slug}");
    }
    for noun in &WORDS.nouns {
        let slug = format!("{}-{noun}", WORDS.adjectives[0]);
        assert!(slug.parse::<Slug>().is_ok(), "{slug}");
    }
}

#[test]
fn withheld_words_are_sorted_and_come_from_the_lists() {
    let lists = petname::Petnames::medium();
    for (withheld, list, kept) in
        [(withheld::ADJECTIVES, &lists.adjectives, &WORDS.adjectives), (withheld::NOUNS, &lists.nouns, &WORDS.nouns)]
    {
        assert!(withheld.is_sorted(), "binary search needs them sorted");
        for word in withheld {
            assert!(list.contains(word), "`{word}` is not in the list");
            assert!(!kept.contains(word), "`{word}` is handed out");
        }
    }
}

#[test]
fn the_choice_reaches_the_first_and_the_last_word() {
    assert_eq!(choose(&["a", "b", "c"], &Stuck(0)), Some("a"));
    assert_eq!(choose(&["a", "b", "c"], &Stuck(0xff)), Some("c"));
    assert_eq!(choose(&[], &Stuck(0)), None);
    assert_eq!(number(&Stuck(0), 100, 999), 100);
    assert_eq!(number(&Stuck(0xff), 100, 999), 999);
}

#[test]
fn names_vary() {
    let random = Seeded::new(7);
    let names: BTreeSet<Slug> = (0..1_000).map(|_| generate(&random)).collect();
    assert!(names.len() > 990, "only {} of 1,000 names differ", names.len());
}

#[test]
fn the_last_resort_is_a_slug_at_both_ends() {
    assert_eq!(last_resort(&Stuck(0)).as_str(), "env-10000000");
    assert_eq!(last_resort(&Stuck(0xff)).as_str(), "env-99999999");
}

#[test]
fn a_number_is_added_only_when_pairs_are_taken() {
    let random = Seeded::new(1);
    let has_number = |slug: &Slug| slug.as_str().ends_with(|last: char| last.is_ascii_digit());
    let free = generate_unlike(&random, &|_| false).unwrap();
    assert!(!has_number(&free), "{free}");
    let crowded = generate_unlike(&random, &|slug| !has_number(slug)).unwrap();
    let digits = crowded.as_str().rsplit('-').next().unwrap();
    assert_eq!(digits.len(), 3, "{crowded}");
    let full =
        generate_unlike(&random, &|slug| slug.as_str().rsplit('-').next().unwrap().len() != 6 || !has_number(slug));
    assert_eq!(full.unwrap().as_str().rsplit('-').next().unwrap().len(), 6);
}

#[test]
fn asking_ends_where_everything_is_taken() {
    let asked = Cell::new(0);
    let answer = generate_unlike(&Seeded::new(2), &|_| {
        asked.set(asked.get() + 1);
        true
    });
    assert_eq!(answer, None);
    assert_eq!(asked.get(), 30);
}

proptest! {
    #[test]
    fn every_name_is_a_slug_and_the_seed_repeats_it(seed: u64) {
        let name = generate(&Seeded::new(seed));
        prop_assert_eq!(name.as_str().parse::<Slug>(), Ok(name.clone()));
        prop_assert_eq!(name.as_str().split('-').count(), 2);
        prop_assert_eq!(&generate(&Seeded::new(seed)), &name);
    }

    #[test]
    fn a_name_that_is_taken_is_never_given(seed: u64, taken_first in 0_usize..29) {
        let seen = std::cell::RefCell::new(Vec::new());
        let name = generate_unlike(&Seeded::new(seed), &|slug| {
            let taken = seen.borrow().len() < taken_first;
            seen.borrow_mut().push(slug.clone());
            taken
        });
        prop_assert_eq!(seen.borrow().last().cloned(), name);
        prop_assert_eq!(seen.borrow().len(), taken_first + 1);
    }
}
