//! `alfred state …` as people use it.

use super::stage::{Stage, state};

fn stage_with_versions(count: u64) -> Stage {
    let stage = Stage::new();
    let token = stage.administrator();
    for serial in 1..=count {
        assert_eq!(stage.ask(&token, "POST", "/tfstate/a", &state(serial, "l", &serial.to_string())).status, 200);
    }
    stage
}

#[test]
fn what_destroys_asks_first_and_a_deleted_state_can_be_brought_back() {
    let stage = stage_with_versions(2);
    stage.done("state lock a");
    for line in ["state delete a", "state delete a --purge", "state roll-back a 1", "state force-unlock a"] {
        let refused = stage.place.line(line);
        assert_eq!(refused.code, 2, "{line}: {refused:?}");
        assert!(refused.one_line().contains("--yes"), "{refused:?}");
    }
    let refused = stage.place.line("state delete a --yes");
    assert!(refused.code == 1 && refused.one_line().contains("locked by `admin`"), "{refused:?}");
    stage.done("state force-unlock a --yes");
    let told = stage.done("state delete a --yes").stderr;
    assert!(told.contains("`alfred state roll-back a 2-"), "{told}");
    assert_eq!(stage.ask(&stage.administrator(), "GET", "/tfstate/a", b"").status, 404);
    assert!(stage.done("state list").stdout.is_empty());
    assert!(stage.done("state list --all").stdout.contains("deleted"));
    stage.done("state roll-back a 2 --yes");
    assert_eq!(stage.told("state show a")["newest"]["serial"], 3);
    stage.done("state delete a --yes");
    stage.done("state delete a --purge --yes");
    assert!(stage.done("state list --all").stdout.is_empty());
    let gone = stage.place.line("state versions a");
    assert!(gone.code == 1 && gone.one_line().contains("there is no state `a`"), "{gone:?}");
}

#[test]
fn versions_go_by_number_and_pinned_ones_stay() {
    let stage = stage_with_versions(4);
    stage.done("state pin a 1");
    stage.done("state settings a --keep-versions 2");
    assert_eq!(stage.ask(&stage.administrator(), "POST", "/tfstate/a", &state(5, "l", "5")).status, 200);
    let serials = |stage: &Stage| -> Vec<u64> {
        let versions = stage.told("state versions a");
        versions["versions"].as_array().unwrap().iter().map(|version| version["serial"].as_u64().unwrap()).collect()
    };
    assert_eq!(serials(&stage), [5, 4, 1]);
    stage.done("state unpin a 1");
    stage.done("state settings a --keep-versions default --lock-expires 2h");
    let settings = stage.done("state settings a").stdout;
    assert!(settings.contains("keep versions  default") && settings.contains("after 2h without a write"), "{settings}");
    let refused = stage.place.line("state settings a --lock-expires 5s");
    assert!(refused.code == 1 && refused.one_line().contains("at least 60"), "{refused:?}");
    let missing = stage.place.line("state download a 2");
    assert!(missing.code == 1 && missing.one_line().contains("`a` has no version `2`"), "{missing:?}");
}

#[test]
fn init_prints_what_a_shell_and_terraform_can_read() {
    if !alfred_testing::terraform::is_there() {
        return;
    }
    let stage = Stage::new();
    let printed = stage.done("state init team/network --new-token").stdout;
    let address = format!("{}/tfstate/team/network", stage.url);
    for name in ["TF_HTTP_ADDRESS", "TF_HTTP_LOCK_ADDRESS", "TF_HTTP_UNLOCK_ADDRESS"] {
        assert!(printed.lines().any(|line| line == format!("export {name}={address}")), "{printed}");
    }
    assert!(printed.lines().all(|line| line.starts_with('#') || line.starts_with("export TF_HTTP_")), "{printed}");
    let password = printed.lines().find_map(|line| line.strip_prefix("export TF_HTTP_PASSWORD=")).unwrap();
    let terraform = stage.terraform("work", "team/network", password);
    terraform.done("apply -auto-approve");
    assert_eq!(stage.ask(password, "GET", "/tfstate/other", b"").status, 403);
    let without = stage.done("state init team/network");
    assert!(
        without.stdout.contains("\"$ALFRED_TOKEN\"") && without.stderr.contains("alfred token create"),
        "{without:?}"
    );
    let told = stage.told("state init team/network");
    assert_eq!(told["environment"]["TF_HTTP_ADDRESS"], address.as_str());
}

#[test]
fn a_download_is_private_and_never_over_another_file() {
    use std::os::unix::fs::PermissionsExt as _;
    let stage = stage_with_versions(1);
    stage.done("state download a --output one");
    let path = stage.place.path().join("one");
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(std::fs::read(&path).unwrap(), state(1, "l", "1"));
    let refused = stage.place.line("state download a --output one");
    assert!(refused.code == 1 && refused.one_line().contains("`one`"), "{refused:?}");
    let printed = stage.done("state download a 1");
    assert_eq!((printed.stdout.as_bytes(), printed.stderr.as_str()), (&state(1, "l", "1")[..], ""));
    let missing = stage.place.line("state download b --output two");
    assert!(missing.code == 1 && !stage.place.path().join("two").exists(), "{missing:?}");
}

#[test]
fn what_cannot_be_meant_is_refused_before_anything_is_sent() {
    let place = crate::place::Place::new();
    for (line, words) in [
        ("state show A", "may hold only"),
        ("state show a//b", "a part of it is empty"),
        ("state diff a x", "a version is its serial"),
        ("state download a 7-xyz", "a version is its serial"),
        ("state grant a* --user ada --right read", "a pattern is"),
        ("state grant a --user ada --right all", "`all` is no right"),
        ("state settings a --keep-versions 0", "from 1 on"),
        ("token create --state Team/* --right read", "a pattern is"),
    ] {
        let ended = place.line(line);
        assert_eq!(ended.code, 2, "{line}: {ended:?}");
        assert!(ended.one_line().contains(words), "{line}: {ended:?}");
    }
    for line in [
        "state grant a --right read",
        "state grant a --user ada --token 0198c1de-7b0a-7000-8000-2f1d3c5b7a99 --right read",
    ] {
        assert_eq!(place.line(line).code, 2, "{line}");
    }
    assert!(place.line("state list").one_line().contains("no server answers"));
}
