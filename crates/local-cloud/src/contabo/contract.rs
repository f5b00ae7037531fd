//! The paid term of a VM, and the day on which a cancellation ends it.
//!
//! A VM is paid for whole terms in advance and renewed by itself. A cancellation ends it with the last day of the running
//! term, or of the next one if it comes later than the notice. The platform publishes no rule for the notice; reports
//! from the field range from some hours to four weeks (<https://help.contabo.com/>), and `Options::cancel_notice` sets it.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};

use super::time::after;

/// The last day of a VM ordered at `created` for terms of `months`, if it is cancelled at `now` with `notice` to give, and
/// is wanted at least until `wanted`.
pub(crate) fn last_day(
    created: Timestamp,
    months: i64,
    now: Timestamp,
    notice: jiff::SignedDuration,
    wanted: Option<Date>,
) -> Date {
    let first = day(created);
    let deadline = after(now, notice);
    let mut terms = 1;
    loop {
        let renewal = add_months(first, months.max(1).saturating_mul(terms));
        let last = renewal.yesterday().unwrap_or(Date::MAX);
        let in_time = start_of(renewal) >= deadline && wanted.is_none_or(|wanted| last >= wanted);
        if in_time || renewal == Date::MAX {
            return last;
        }
        terms += 1;
    }
}

/// How many terms of a VM ordered at `created` have begun at `until`, which is not earlier: each is paid when it begins.
pub(crate) fn terms_begun(created: Timestamp, months: i64, until: Timestamp) -> u32 {
    let mut terms = 1;
    loop {
        let begins = renewal(created, months, i64::from(terms));
        if begins >= until || begins == Timestamp::MAX {
            return terms;
        }
        terms += 1;
    }
}

/// When the term after `terms` terms begins.
pub(crate) fn renewal(created: Timestamp, months: i64, terms: i64) -> Timestamp {
    start_of(add_months(day(created), months.max(1).saturating_mul(terms)))
}

/// The moment at which the day after `last` begins, in UTC.
pub(crate) fn end_of(last: Date) -> Timestamp {
    last.tomorrow().map_or(Timestamp::MAX, start_of)
}

pub(crate) fn day(time: Timestamp) -> Date {
    time.to_zoned(TimeZone::UTC).date()
}

fn start_of(date: Date) -> Timestamp {
    TimeZone::UTC.to_timestamp(date.at(0, 0, 0, 0)).unwrap_or(Timestamp::MAX)
}

fn add_months(date: Date, months: i64) -> Date {
    Span::new().try_months(months).map_or(Date::MAX, |span| date.saturating_add(span))
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;

    fn last(now: &str, months: i64, notice_hours: i64, wanted: Option<&str>) -> String {
        let created = "2026-04-10T08:00:00Z".parse().unwrap();
        let wanted = wanted.map(|date| date.parse().unwrap());
        last_day(created, months, now.parse().unwrap(), SignedDuration::from_hours(notice_hours), wanted).to_string()
    }

    #[test]
    fn a_cancellation_in_time_ends_the_first_term() {
        assert_eq!(last("2026-04-10T09:00:00Z", 1, 28 * 24, None), "2026-05-09");
        assert_eq!(last("2026-04-12T00:00:00Z", 1, 28 * 24, None), "2026-05-09");
    }

    #[test]
    fn a_late_cancellation_costs_another_term() {
        assert_eq!(last("2026-04-12T00:00:01Z", 1, 28 * 24, None), "2026-06-09");
        // The case reported from the field: five hours before the renewal.
        assert_eq!(last("2026-05-09T19:30:00Z", 1, 24, None), "2026-06-09");
    }

    #[test]
    fn a_long_term_ends_after_its_months() {
        assert_eq!(last("2026-04-11T00:00:00Z", 12, 28 * 24, None), "2027-04-09");
        assert_eq!(last("2026-04-11T00:00:00Z", 24, 28 * 24, None), "2028-04-09");
    }

    #[test]
    fn a_later_wish_is_kept_and_an_earlier_one_is_not() {
        assert_eq!(last("2026-04-10T09:00:00Z", 1, 0, Some("2026-06-20")), "2026-07-09");
        assert_eq!(last("2026-04-10T09:00:00Z", 1, 0, Some("2026-04-11")), "2026-05-09");
    }

    #[test]
    fn each_term_is_paid_when_it_begins() {
        let begun =
            |until: &str, months| terms_begun("2026-01-31T08:00:00Z".parse().unwrap(), months, until.parse().unwrap());
        assert_eq!(begun("2026-01-31T08:00:00Z", 1), 1);
        assert_eq!(begun("2026-02-28T00:00:00Z", 1), 1);
        assert_eq!(begun("2026-02-28T00:00:01Z", 1), 2);
        assert_eq!(begun("2026-03-31T00:00:01Z", 1), 3, "a month without a 31st shortens no later term");
        assert_eq!(begun("2026-12-31T00:00:00Z", 12), 1);
        assert_eq!(begun("2027-01-31T00:00:01Z", 12), 2);
    }

    #[test]
    fn the_end_of_the_calendar_is_reached_without_a_panic() {
        assert_eq!(last("2026-04-10T09:00:00Z", 24, 0, Some("9999-12-31")), "9999-12-30");
        assert_eq!(end_of(Date::MAX), Timestamp::MAX);
    }
}
