//! Chooses the names that users do not choose themselves: `brave-tiger`, and `brave-tiger-417` where many are taken.
//!
//! The words come from the English lists of the `petname` crate (<https://github.com/allenap/rust-petname>), whose
//! medium nouns are animals. Nothing here knows which names are taken; the caller says so, and the store has the last
//! word.

mod withheld;

use std::sync::LazyLock;

use crate::name::Slug;
use crate::seam::Random;

#[cfg(test)]
mod tests;

/// How often a pair is drawn before [`generate`] falls back to a number. Words that are refused were left out of the
/// lists, so that a second draw is needed only where the pair itself is refused.
const PAIR_DRAWS: usize = 16;

/// How many pairs [`generate_unlike`] tries before it adds numbers.
const PLAIN_DRAWS: usize = 6;

/// The numbers that [`generate_unlike`] adds, in the order in which they are tried, and how often each range is. With
/// all pairs taken, the last range alone holds more than 10¹¹ names.
const NUMBER_RANGES: [(u32, u32, usize); 2] = [(100, 999, 8), (100_000, 999_999, 16)];

/// The words that may be drawn.
struct Words {
    adjectives: Vec<&'static str>,
    nouns: Vec<&'static str>,
}

static WORDS: LazyLock<Words> = LazyLock::new(|| {
    let lists = petname::Petnames::medium();
    let keep = |words: &[&'static str], withheld: &[&str]| {
        let keeps = |word: &&str| is_fit(word) && withheld.binary_search(word).is_err();
        words.iter().copied().filter(keeps).collect()
    };
    Words { adjectives: keep(&lists.adjectives, withheld::ADJECTIVES), nouns: keep(&lists.nouns, withheld::NOUNS) }
});

/// A name of two words, such as `brave-tiger`. It may be taken; see [`generate_unlike`].
///
/// Never fails: should the lists hold nothing that is fit, the name is `env-` and a number.
pub fn generate(random: &dyn Random) -> Slug {
    (0..PAIR_DRAWS).find_map(|_| pair(random)).unwrap_or_else(|| last_resort(random))
}

/// A name that is not `taken`: a pair of words, and after a few that are taken a pair with a number, such as
/// `brave-tiger-417`.
///
/// `taken` is asked at most 30 times. Nothing is returned where each of these names was taken, which means that
/// `taken` does not tell the truth. The answer is true only at this moment: the store refuses a name that was taken
/// since, and the caller asks again.
pub fn generate_unlike(random: &dyn Random, taken: &dyn Fn(&Slug) -> bool) -> Option<Slug> {
    let plain = std::iter::repeat_with(|| generate(random)).take(PLAIN_DRAWS);
    let numbered = NUMBER_RANGES.into_iter().flat_map(|(from, to, draws)| {
        std::iter::repeat_with(move || with_number(&generate(random), number(random, from, to))).take(draws)
    });
    plain.chain(numbered).find(|slug| !taken(slug))
}

/// Whether a word of the lists can be half of a name.
fn is_fit(word: &str) -> bool {
    word.bytes().all(|byte| byte.is_ascii_lowercase()) && word.parse::<Slug>().is_ok()
}

fn pair(random: &dyn Random) -> Option<Slug> {
    let adjective = choose(&WORDS.adjectives, random)?;
    let noun = choose(&WORDS.nouns, random)?;
    format!("{adjective}-{noun}").parse().ok()
}

fn choose(words: &[&'static str], random: &dyn Random) -> Option<&'static str> {
    let last = u32::try_from(words.len().checked_sub(1)?).ok()?;
    words.get(number(random, 0, last) as usize).copied()
}

/// A number in `from..=to`; `to` must not be less than `from`.
fn number(random: &dyn Random, from: u32, to: u32) -> u32 {
    let count = f64::from(to - from) + 1.0;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "0.0 ≤ unit < 1.0, and the cast saturates"
    )]
    let offset = (random.unit() * count) as u32;
    from + offset.min(to - from)
}

/// Falls back to the name without a number where that would be too long: it is then taken, and the next is drawn.
fn with_number(slug: &Slug, number: u32) -> Slug {
    format!("{slug}-{number}").parse().unwrap_or_else(|_| slug.clone())
}

fn last_resort(random: &dyn Random) -> Slug {
    format!("env-{}", number(random, 10_000_000, 99_999_999))
        .parse()
        .expect("`env-` and eight digits are a slug, and neither reserved nor offensive")
}
