//! Several zones, as a user has them: a local cloud with two, a control plane, and the tools that need no server.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::place::{Place, Running};

/// A local cloud with two zones of three records each, and a place whose variables point at it.
fn two_zones() -> (Place, Running, Place) {
    let cloud = Place::new();
    let line = "cloud --instant --listen 127.0.0.1:0 --dns 127.0.0.1:0 --r2 127.0.0.1:0 --quota 3 --zone example.com --zone example.org";
    let running = cloud.start(line);
    let mut place = Place::new();
    place.point_at(&running);
    (cloud, running, place)
}

#[test]
fn environments_are_spread_and_a_full_fleet_of_zones_refuses_with_the_numbers() {
    let (_cloud, _running, mut place) = two_zones();
    let up = place.start("up --listen 127.0.0.1:0");
    place.set("ALFRED_URL", up.told("url"));
    let created = place.line("env create --count 4 --wait --json");
    assert_eq!(created.code, 0, "{created:?} {}", up.stderr());
    let listed = place.line("env list --json");
    let listed: Value = serde_json::from_str(&listed.stdout).unwrap();
    let mut zones = BTreeMap::<&str, u32>::new();
    for environment in listed.as_array().or(listed["environments"].as_array()).unwrap() {
        let (_, zone) = environment["domain"].as_str().unwrap().split_once('.').unwrap();
        *zones.entry(zone).or_default() += 1;
    }
    assert_eq!(zones, BTreeMap::from([("example.com", 2), ("example.org", 2)]));
    let refused = place.line("env create --count 3");
    assert_eq!(refused.code, 1, "{refused:?}");
    let line = refused.one_line();
    for part in
        ["3 more names", "`example.com` holds 2 of 3 records", "`example.org` holds 2 of 3", "nothing was created"]
    {
        assert!(line.contains(part), "{part}: {line}");
    }
    let audited = place.line("audit --json");
    assert_eq!(audited.code, 0, "{audited:?}");
    let report: Value = serde_json::from_str(&audited.stdout).unwrap();
    assert_eq!((&report["records"], report["findings"].as_array().map(Vec::len)), (&4.into(), Some(0)), "{report}");
}

#[test]
fn tools_without_a_server_are_told_which_zone() {
    let (_cloud, _running, place) = two_zones();
    let asked = place.line("dns list");
    assert_eq!(asked.code, 2);
    let line = asked.one_line();
    assert!(line.contains("`example.com`, `example.org`") && line.contains("--zone"), "{line}");
    let unknown = place.line("dns --zone example.net list");
    assert_eq!(unknown.code, 2);
    assert!(unknown.one_line().contains("`example.net` is not configured"), "{unknown:?}");
    for zone in ["example.com", "example.org"] {
        let set = place.line(&format!("dns set web 192.0.2.1 --zone {zone}"));
        assert_eq!(set.code, 0, "{set:?}");
        let verified = place.line(&format!("dns --zone {zone} verify web --expect 192.0.2.1"));
        assert_eq!(verified.code, 0, "{verified:?}");
    }
    let checked = place.line("token check");
    assert_eq!(checked.code, 0, "{checked:?}");
    for zone in ["example.com", "example.org"] {
        assert!(checked.stdout.contains(&format!("may edit the zone `{zone}`")), "{checked:?}");
    }
}

#[test]
fn names_and_ids_that_do_not_fit_each_other() {
    let (_cloud, running, mut place) = two_zones();
    place.set("ALFRED_DOMAIN", "example.com");
    let ended = place.line("up --listen 127.0.0.1:0");
    assert_eq!(ended.code, 2);
    let line = ended.one_line();
    assert!(line.contains("`ALFRED_DOMAIN` names 1 zone and `CLOUDFLARE_ZONE_ID` has 2 ids"), "{line}");
    place.set("ALFRED_DOMAIN", "example.com, example.com");
    assert!(place.line("up --listen 127.0.0.1:0").one_line().contains("configured twice"));
    place.set("ALFRED_DOMAIN", "example.org,example.com");
    let swapped = place.line("up --listen 127.0.0.1:0");
    assert_eq!(swapped.code, 1);
    let line = swapped.one_line();
    assert!(line.contains("is the zone `example.com`, but `ALFRED_DOMAIN` is `example.org`"), "{line}");
    drop(running);
}
