//! When an environment is deleted by itself, when its owner is warned of it, and how far that can be put off.
//!
//! The end of an environment is a wish that somebody wrote down beforehand. This module decides about it and knows
//! neither who asks nor where rows are kept: whoever changes an end hands the store what it read ([`Expiry`]) and what
//! shall stand instead, so that an extension and the deletion that it prevents cannot both win.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::environment::{Environment, ExpiryBound, Status, Wish};
use crate::policy::later;

/// No time to live is longer: ten years.
pub const LONGEST: Duration = Duration::from_hours(24 * 3652);

/// How long environments may live, and how early their owners are warned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// No time to live is shorter.
    pub shortest: Duration,
    /// A warning comes at least so long before the end.
    pub warn_least: Duration,
    /// And at most so long.
    pub warn_most: Duration,
    /// What an environment gets whose owner says nothing; it lives for ever, where absent.
    pub usual: Option<Duration>,
    /// The longest that members may ask for at once, where there is such a thing. Administrators may ask for more.
    pub most: Option<Duration>,
}

impl Rules {
    /// For people: warned at least five minutes and at most a day before.
    pub const fn platform() -> Self {
        Self {
            shortest: Duration::from_mins(5),
            warn_least: Duration::from_mins(5),
            warn_most: Duration::from_hours(24),
            usual: None,
            most: None,
        }
    }

    /// For the local cloud, where nobody waits five minutes to see it.
    pub const fn local() -> Self {
        Self { shortest: Duration::from_secs(2), warn_least: Duration::from_secs(1), ..Self::platform() }
    }

    /// How long before its end the owner of something that lives for `life` is warned: a tenth of it, within bounds.
    pub fn warn_before(&self, life: Duration) -> Duration {
        (life / 10).min(self.warn_most).max(self.warn_least)
    }

    /// The time to live that somebody gets who asks for `wanted`. Nothing stands for one that does not end.
    pub fn granted(&self, wanted: AskedLife, asker: Asker) -> Result<Option<Duration>, BadLife> {
        let most = self.most.filter(|_| asker == Asker::Member);
        let life = match (wanted, most) {
            (AskedLife::Usual, most) => return Ok(least(self.usual, most)),
            (AskedLife::Endless, None) => return Ok(None),
            (AskedLife::Endless, Some(most)) => return Err(BadLife::TooLong { most }),
            (AskedLife::For(life), _) => life,
        };
        let most = most.map_or(LONGEST, |most| most.min(LONGEST));
        if life < self.shortest {
            return Err(BadLife::TooShort { least: self.shortest });
        }
        if life > most { Err(BadLife::TooLong { most }) } else { Ok(Some(life)) }
    }
}

/// The shorter of two times to live, of which neither need exist.
fn least(one: Option<Duration>, other: Option<Duration>) -> Option<Duration> {
    [one, other].into_iter().flatten().min()
}

/// Who asks, as far as it matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asker {
    /// Somebody whom [`Rules::most`] binds.
    Member,
    /// Somebody whom it does not.
    Administrator,
}

/// How long an environment shall live.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
pub enum AskedLife {
    /// As long as the configuration says.
    #[default]
    Usual,
    /// Until somebody deletes it.
    Endless,
    /// So long.
    For(Duration),
}

/// Why a time to live is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadLife {
    /// Its owner could not even be warned.
    #[error("a time to live is at least {}: ask for more", spoken(*least))]
    TooShort {
        /// The shortest.
        least: Duration,
    },
    /// Longer than the asker may have.
    #[error("a time to live is at most {} here: ask for less, and extend it later", spoken(*most))]
    TooLong {
        /// The longest.
        most: Duration,
    },
}

/// Why an environment is not extended.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExtensionRefused {
    /// It is too late.
    #[error("it is being deleted: that cannot be taken back, make another one with `alfred env create`")]
    Deleted,
    /// Something else ends then.
    #[error("it ends at {} at the latest, because {reason}: ask for less, or move to another one", moment(*at))]
    Bound {
        /// The latest.
        at: Timestamp,
        /// Why.
        reason: String,
    },
}

/// All that an environment's row says about its end. It changes as a whole, and only if it is as it was read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Expiry {
    /// [`Environment::expires_at`].
    pub at: Option<Timestamp>,
    /// [`Environment::warn_at`].
    pub warn_at: Option<Timestamp>,
    /// [`Environment::warned_at`].
    pub warned_at: Option<Timestamp>,
    /// [`Environment::expiry_bound`].
    pub bound: Option<ExpiryBound>,
}

/// What is to be done about an end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Due {
    /// Its owner is warned, and the row says so.
    Warn(Expiry),
    /// It is deleted.
    Delete,
}

impl Expiry {
    /// That of something that lives for `life` from `now` on.
    pub fn after(life: Option<Duration>, now: Timestamp, rules: &Rules) -> Self {
        life.map_or_else(Self::default, |life| Self::default().ending(later(now, life), now, rules))
    }

    /// The same with another end, of which the owner is yet to be warned.
    fn ending(self, at: Timestamp, now: Timestamp, rules: &Rules) -> Self {
        let life = Duration::try_from(at.duration_since(now)).unwrap_or_default();
        let warn_at = later_by(at, -signed(rules.warn_before(life))).max(now.min(at));
        Self { at: Some(at), warn_at: Some(warn_at), warned_at: None, bound: self.bound }
    }

    /// When something is to be done about it.
    pub fn next_at(&self) -> Option<Timestamp> {
        if self.warned_at.is_none() { self.at.and(self.warn_at) } else { self.at }
    }

    /// What is to be done about it now.
    ///
    /// Nothing is deleted of which nobody was warned. A warning that comes late, because nothing ran when it was due,
    /// puts the end off, so that there is still time to answer it; only a bound is not put off.
    pub fn due(&self, now: Timestamp, rules: &Rules) -> Option<Due> {
        let at = self.at?;
        if self.next_at()? > now {
            return None;
        }
        if self.warned_at.is_some() {
            return Some(Due::Delete);
        }
        let notice = later(now, rules.warn_least);
        let notice = self.bound.as_ref().map_or(notice, |bound| notice.min(bound.at));
        Some(Due::Warn(Self { at: Some(at.max(notice)), warned_at: Some(now), ..self.clone() }))
    }
}

/// The end of an environment that shall live at least for `life` from now on; never sooner than it would have been.
pub fn extended(
    environment: &Environment,
    life: Option<Duration>,
    now: Timestamp,
    rules: &Rules,
) -> Result<Expiry, ExtensionRefused> {
    if environment.wish == Wish::Absent || environment.status == Status::Deleted {
        return Err(ExtensionRefused::Deleted);
    }
    let expiry = environment.expiry();
    let wanted = life.map(|life| later(now, life));
    if let Some(bound) = &expiry.bound
        && wanted.is_none_or(|wanted| wanted > bound.at)
    {
        return Err(ExtensionRefused::Bound { at: bound.at, reason: bound.reason.clone() });
    }
    Ok(match (expiry.at, wanted) {
        (Some(at), Some(wanted)) if wanted > at => expiry.ending(wanted, now, rules),
        (Some(_), None) => Expiry { bound: expiry.bound, ..Expiry::default() },
        _ => expiry,
    })
}

/// The end of an environment that shall not live beyond `bound`: no later than it would have been. Where that moves it,
/// its owner is warned anew. A later bound takes the place of an earlier one and gives nothing back.
pub fn bounded(environment: &Environment, bound: ExpiryBound, now: Timestamp, rules: &Rules) -> Expiry {
    let expiry = environment.expiry();
    let latest = bound.at;
    let expiry = Expiry { bound: Some(bound), ..expiry };
    if expiry.at.is_some_and(|at| at <= latest) { expiry } else { expiry.ending(latest, now, rules) }
}

/// What the owner is told beforehand.
pub fn warning(environment: &Environment, expiry: &Expiry) -> String {
    let slug = &environment.slug;
    let at = expiry.at.map(moment).unwrap_or_default();
    match expiry.bound.as_ref().filter(|bound| expiry.at.is_some_and(|at| at >= bound.at)) {
        Some(bound) => format!(
            "it is deleted at {at}, because {}: it cannot be extended, take what you need to another one",
            bound.reason
        ),
        None => format!("it is deleted at {at}: `alfred env extend {slug} --ttl 8h` keeps it for longer"),
    }
}

/// What the owner is told when it happens.
pub fn farewell(expiry: &Expiry) -> String {
    match expiry.bound.as_ref().filter(|bound| expiry.at.is_some_and(|at| at >= bound.at)) {
        Some(bound) => format!("deleted, because {}", bound.reason),
        None => "deleted, because its time to live is over".to_owned(),
    }
}

/// A moment as messages have it: to the second, in UTC.
pub fn moment(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// A length of time as messages have it, such as `8h` or `1d 12h`.
pub fn spoken(length: Duration) -> String {
    let seconds = length.as_secs();
    let parts = [("d", seconds / 86_400), ("h", seconds / 3_600 % 24), ("m", seconds / 60 % 60), ("s", seconds % 60)];
    let words: Vec<String> =
        parts.iter().filter(|(_, count)| *count > 0).map(|(unit, count)| format!("{count}{unit}")).collect();
    if words.is_empty() { "0s".to_owned() } else { words.join(" ") }
}

fn signed(length: Duration) -> SignedDuration {
    SignedDuration::try_from(length).unwrap_or(SignedDuration::MAX)
}

fn later_by(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.checked_add(by).unwrap_or(Timestamp::MIN)
}

impl Environment {
    /// What its row says about its end.
    pub fn expiry(&self) -> Expiry {
        Expiry {
            at: self.expires_at,
            warn_at: self.warn_at,
            warned_at: self.warned_at,
            bound: self.expiry_bound.clone(),
        }
    }

    /// Gives it another end.
    pub fn set_expiry(&mut self, expiry: Expiry) {
        let Expiry { at, warn_at, warned_at, bound } = expiry;
        self.expires_at = at;
        self.warn_at = warn_at;
        self.warned_at = warned_at;
        self.expiry_bound = bound;
    }
}

#[cfg(test)]
mod tests;
