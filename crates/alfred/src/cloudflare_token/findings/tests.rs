use alfred_providers::Provider;
use alfred_providers::cloudflare::{TokenOwner, Zone};

use super::*;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn error(kind: ErrorKind, disposition: Disposition) -> ProviderError {
    ProviderError {
        provider: Provider::Cloudflare,
        operation: "ask",
        disposition,
        kind,
        status: Some(403),
        codes: Vec::new(),
        words: "ask at Cloudflare was refused".to_owned(),
    }
}

fn refused() -> ProviderError {
    error(ErrorKind::Permission, Disposition::Definite)
}

fn late() -> ProviderError {
    error(ErrorKind::Other, Disposition::Wait { after: None })
}

fn token(status: &str) -> TokenStatus {
    let owner = TokenOwner::User;
    TokenStatus { id: "t1".into(), status: status.into(), expires_on: None, not_before: None, owner }
}

fn zone(name: &str) -> Zone {
    serde_json::from_value(serde_json::json!({"id": name.replace('.', "0"), "name": name})).unwrap()
}

#[test]
fn a_status_is_good_bad_or_not_known() {
    for (answer, level, words) in [
        (Ok(token("active")), Level::Ok, "the token `t1` in `CLOUDFLARE_API_TOKEN` is active"),
        (Ok(token("disabled")), Level::Problem, "is disabled: make a new one at https://dash.cloudflare.com"),
        (Err(refused()), Level::Problem, "`CLOUDFLARE_API_TOKEN` does not work: ask at Cloudflare was refused"),
        (Err(late()), Level::Unknown, "`CLOUDFLARE_API_TOKEN` cannot be checked now: ask"),
    ] {
        let finding = status(&answer);
        assert_eq!(finding.level, level);
        assert!(finding.line().contains(words), "{}", finding.line());
    }
}

#[test]
fn an_end_is_warned_of_for_the_last_two_weeks() {
    let now = at("2026-03-01T00:00:00Z");
    for (end_at, level, words) in [
        (None, Level::Ok, "the token has no end"),
        (Some("2026-03-15T00:00:00Z"), Level::Ok, "the token ends on 2026-03-15, in 14 days"),
        (Some("2026-03-14T23:59:59Z"), Level::Warning, "the token ends on 2026-03-14, in 13 days: give it a later end"),
        (Some("2026-03-01T05:00:00Z"), Level::Warning, "in 5 hours"),
        (Some("2026-03-01T00:00:00Z"), Level::Problem, "the token ended on 2026-03-01"),
        (Some("0001-01-01T00:00:00Z"), Level::Problem, "the token ended on"),
    ] {
        let finding = end(end_at.map(at), now);
        assert_eq!(finding.level, level, "{end_at:?}");
        assert!(finding.line().contains(words), "{}", finding.line());
    }
}

#[test]
fn an_old_value_is_warned_of_two_weeks_before_it_is_90_days_old() {
    let first = at("2026-01-01T00:00:00Z");
    for (now, level, words) in [
        ("2026-01-01T00:00:00Z", Level::Ok, "first seen here 0 hours ago"),
        ("2025-12-31T00:00:00Z", Level::Ok, "first seen here 0 hours ago"),
        ("2026-01-02T01:00:00Z", Level::Ok, "first seen here 1 day ago"),
        ("2026-03-18T00:00:00Z", Level::Ok, "first seen here 76 days ago"),
        ("2026-03-18T00:00:01Z", Level::Warning, "76 days ago: run `alfred token rotate` before it is 90 days old"),
    ] {
        let finding = age(Some(first), at(now));
        assert_eq!(finding.level, level, "{now}");
        assert!(finding.line().contains(words), "{}", finding.line());
    }
    assert_eq!(age(None, first).level, Level::Unknown);
}

#[test]
fn a_token_that_may_not_edit_is_a_problem_with_its_mend() {
    assert_eq!(edit(&Ok(MayEdit::Yes), "a.b").line(), "the token may edit the zone `a.b`");
    let finding = edit(&Ok(MayEdit::No("Authentication error".into())), "a.b");
    assert_eq!(finding.level, Level::Problem);
    assert!(finding.line().contains("may not edit the zone `a.b`: Authentication error: give it `DNS Write`"));
    assert_eq!(edit(&Err(late()), "a.b").level, Level::Unknown);
}

#[test]
fn zones_too_many_are_counted_and_some_of_them_named() {
    let ours = [zone("a.b").id];
    let seen = |names: &[&str], total| Ok(VisibleZones { zones: names.iter().map(|name| zone(name)).collect(), total });
    for (answer, level, words) in [
        (seen(&["a.b"], Some(1)), Level::Ok, "the token sees no zone but those that are configured"),
        (seen(&[], None), Level::Ok, "sees no zone but"),
        (seen(&["a.b", "c.d"], Some(2)), Level::Warning, "sees 1 zone that is not configured: `c.d`: limit it"),
        (seen(&["c.d"], Some(90)), Level::Warning, "sees 90 zones that are not configured: `c.d` and others"),
        (
            seen(&["c.0", "c.1", "c.2", "c.3", "c.4", "c.5"], Some(6)),
            Level::Warning,
            "sees 6 zones that are not configured: `c.0`, `c.1`, `c.2`, `c.3`, `c.4` and others",
        ),
        (Err(refused()), Level::Ok, "the token may not list zones"),
        (Err(late()), Level::Unknown, "cannot be checked now"),
    ] {
        let finding = zones(&answer, &ours);
        assert_eq!(finding.level, level, "{}", finding.line());
        assert!(finding.line().contains(words), "{}", finding.line());
    }
}

#[test]
fn a_token_that_reads_tokens_may_do_too_much() {
    assert_eq!(tokens(&Ok(false)).level, Level::Ok);
    assert_eq!(tokens(&Err(late())).level, Level::Unknown);
    let finding = tokens(&Ok(true));
    assert_eq!(finding.level, Level::Warning);
    assert!(finding.line().contains("take `API Tokens` from its permissions"), "{}", finding.line());
}
