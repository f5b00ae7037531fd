//! How often the control plane audits itself, from the configuration.

use std::str::FromStr;
use std::time::Duration;

use alfred_engine::AuditSchedule;
use alfred_model::audit::Limits;
use jiff::SignedDuration;

use crate::config::{Config, Key};
use crate::error::Failure;

/// After a start everybody else goes first.
const FIRST: Duration = Duration::from_mins(4);

/// More often than this would be nothing but load.
const SHORTEST: Duration = Duration::from_secs(1);

/// A time between audits, or none.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Interval(pub(super) Option<Duration>);

/// A yes or no.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Switch(pub(super) bool);

/// Why a text is no value of the schedule's.
#[derive(Debug)]
pub(super) struct BadValue;

impl FromStr for Interval {
    type Err = BadValue;

    fn from_str(text: &str) -> Result<Self, BadValue> {
        if text == "off" {
            return Ok(Self(None));
        }
        let span: SignedDuration = text.parse().map_err(|_| BadValue)?;
        let every = Duration::try_from(span).map_err(|_| BadValue)?;
        let longest = Duration::from_hours(24 * 365);
        if (SHORTEST..=longest).contains(&every) { Ok(Self(Some(every))) } else { Err(BadValue) }
    }
}

impl FromStr for Switch {
    type Err = BadValue;

    fn from_str(text: &str) -> Result<Self, BadValue> {
        match text {
            "on" => Ok(Self(true)),
            "off" => Ok(Self(false)),
            _ => Err(BadValue),
        }
    }
}

/// The schedule that the configuration asks for.
pub(super) fn schedule(config: &Config) -> Result<AuditSchedule, Failure> {
    let every = config.parse(Key::AuditInterval, "a time such as `1h` or `30m`, at least `1s`, or `off`")?;
    let repair = config.parse(Key::AuditRepair, "`on` or `off`")?;
    let every = every.and_then(|Interval(every)| every);
    Ok(AuditSchedule {
        first: every.map_or(FIRST, |every| every.min(FIRST)),
        every,
        repair: repair.is_some_and(|Switch(on)| on).then(Limits::default),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals() {
        let read = |text: &str| text.parse::<Interval>().ok().map(|Interval(every)| every);
        assert_eq!(read("1h"), Some(Some(Duration::from_hours(1))));
        assert_eq!(read("90s"), Some(Some(Duration::from_secs(90))));
        assert_eq!(read("off"), Some(None));
        for bad in ["", "1", "0s", "-1h", "soon", "100000h", "999ms", "on"] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }

    #[test]
    fn switches() {
        assert_eq!("on".parse::<Switch>().ok(), Some(Switch(true)));
        assert_eq!("off".parse::<Switch>().ok(), Some(Switch(false)));
        assert!("yes".parse::<Switch>().is_err() && "".parse::<Switch>().is_err());
    }
}
