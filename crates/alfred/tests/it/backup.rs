//! Backups, as whoever loses a data directory meets them.

use std::path::{Path, PathBuf};

use rustix::process::Signal;
use serde_json::Value;

use crate::place::{Ended, Place, Running};
use crate::state::stage::{Answer, base64, request, state};

/// A control plane beside the local cloud, so that its data directory can be lost and the machines live on.
struct Stage {
    place: Place,
    _cloud: Running,
    up: Running,
    token: String,
}

impl Stage {
    fn new(configure: impl FnOnce(&mut Place, &Running)) -> Self {
        let mut place = Place::new();
        let cloud = place.start("cloud --instant --listen 127.0.0.1:0 --dns 127.0.0.1:0 --r2 127.0.0.1:0");
        place.point_at(&cloud);
        place.set("ALFRED_BUY", "on");
        place.set("ALFRED_VM_LIMIT", "20");
        place.set("ALFRED_BACKUP_INTERVAL", "off");
        configure(&mut place, &cloud);
        let up = place.start("up --listen 127.0.0.1:0");
        place.set("ALFRED_URL", up.told("url"));
        let token = std::fs::read_to_string(place.data().join("admin-token")).unwrap().trim().to_owned();
        Self { place, _cloud: cloud, up, token }
    }

    fn with_folder() -> (Self, PathBuf) {
        let mut folder = PathBuf::new();
        let stage = Self::new(|place, _| {
            folder = place.path().join("backups");
            place.set("ALFRED_BACKUP", folder.display().to_string());
        });
        (stage, folder)
    }

    fn done(&self, line: &str) -> Ended {
        let ended = self.place.line(line);
        assert_eq!(ended.code, 0, "{line}: {ended:?}");
        ended
    }

    fn told(&self, line: &str) -> Value {
        let ended = self.done(&format!("{line} --json"));
        serde_json::from_str(&ended.stdout).unwrap_or_else(|_| panic!("{ended:?}"))
    }

    fn ask(&self, method: &str, path: &str, body: &[u8]) -> Answer {
        let login = format!("Basic {}", base64(format!("anybody:{}", self.token).as_bytes()));
        let length = body.len().to_string();
        let headers = [("authorization", login.as_str()), ("content-length", length.as_str())];
        request(self.up.told("url").strip_prefix("http://").unwrap(), method, path, &headers, body)
    }

    fn write(&self, name: &str, serial: u64) {
        let answer = self.ask("POST", &format!("/tfstate/{name}"), &state(serial, name, &format!("value {serial}")));
        assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
    }

    fn read(&self, name: &str) -> Vec<u8> {
        let answer = self.ask("GET", &format!("/tfstate/{name}"), b"");
        assert_eq!(answer.status, 200, "{name}");
        answer.body
    }

    fn stop(&mut self) {
        self.up.signal(Signal::TERM);
        assert_eq!(self.up.wait(), Some(0), "{}", self.up.stderr());
    }

    /// Loses everything that the control plane has on its own disk.
    fn lose(&mut self) {
        self.up.signal(Signal::KILL);
        self.up.wait();
        std::fs::remove_dir_all(self.place.data()).unwrap();
    }

    fn start_again(&mut self) {
        self.up = self.place.start("up --listen 127.0.0.1:0");
        self.place.set("ALFRED_URL", self.up.told("url"));
        self.place.set("ALFRED_TOKEN", self.token.clone());
    }

    fn restore_all(&self) -> Ended {
        let data = self.place.data();
        let line =
            format!("backup restore newest --states {0}/states --store sqlite://{0}/alfred.sqlite", data.display());
        self.place.line(&line)
    }
}

/// All files below a folder, in order.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}

#[test]
fn all_that_was_there_is_there_again_after_the_data_directory_is_lost() {
    let (mut stage, _) = Stage::with_folder();
    let ended = stage.done("env create --slug brave-tiger --wait");
    assert!(ended.stdout.contains("active"), "{ended:?}");
    for serial in 1..=3 {
        stage.write("team/a", serial);
    }
    stage.write("b", 1);
    let second = stage.done("token create --label second").stdout.trim().to_owned();
    let made = stage.told("backup now");
    assert_eq!(
        (&made["backup"]["number"], &made["backup"]["states"], &made["backup"]["versions"]),
        (&1.into(), &2.into(), &4.into())
    );
    // What comes later is not in it.
    stage.write("team/a", 4);
    let listed = stage.told("backup list");
    assert_eq!(listed["backups"].as_array().unwrap().len(), 1);
    assert!(stage.done("backup list").stdout.contains("VERIFIED"));
    let verified = stage.told("backup verify");
    assert_eq!((&verified["backups"][0]["good"], &verified["backups"][0]["versions"]), (&true.into(), &4.into()));
    stage.lose();

    // Without a server, and with nothing but the place of the backups.
    assert!(stage.done("backup verify --all").stdout.contains("BAD"));
    let shown = stage.told("backup show 1");
    assert_eq!((&shown["states"][1]["name"], &shown["states"][1]["newest"]["serial"]), (&"team/a".into(), &3.into()));
    assert_eq!(stage.done("backup read newest team/a").stdout.into_bytes(), state(3, "team/a", "value 3"));
    let restored = stage.restore_all();
    assert_eq!(restored.code, 0, "{restored:?}");
    assert!(
        restored.stdout.contains("2 states, 4 versions") && restored.stderr.contains("`alfred audit`"),
        "{restored:?}"
    );
    let again = stage.restore_all();
    assert_eq!(again.code, 1, "{again:?}");
    assert!(again.stderr.contains("has records already"), "{again:?}");

    stage.start_again();
    let environments = stage.told("env list");
    assert_eq!(environments["environments"][0]["slug"], "brave-tiger");
    assert_eq!(environments["environments"][0]["status"], "active");
    assert_eq!(stage.read("team/a"), state(3, "team/a", "value 3"));
    assert_eq!(stage.told("state verify")["states"]["team/a"]["versions"], 3);
    stage.token = second;
    stage.write("team/a", 4);
    let audit = stage.told("audit");
    assert_eq!(audit["findings"], Value::Array(Vec::new()), "{audit}");
    // The backups go on where they were, and are this installation's.
    assert_eq!(stage.told("backup now")["backup"]["number"], 2);
    stage.done("env delete brave-tiger --wait --yes");
    stage.stop();
}

#[test]
fn what_was_bought_after_the_backup_is_found_and_a_lost_token_is_replaced() {
    let (mut stage, _) = Stage::with_folder();
    stage.done("backup now");
    stage.done("env create --slug calm-owl --wait");
    stage.lose();
    let data = stage.place.data();
    let line = format!("backup restore 1 --store sqlite://{}/alfred.sqlite --new-token", data.display());
    let restored = stage.done(&line);
    assert!(restored.stderr.contains("new token"), "{restored:?}");
    let new = std::fs::read_to_string(data.join("admin-token")).unwrap().trim().to_owned();
    assert!(new != stage.token && restored.stderr.contains(&new));
    stage.token = new;
    stage.start_again();
    let audit = stage.told("audit");
    let found: Vec<&str> =
        audit["findings"].as_array().unwrap().iter().filter_map(|one| one["kind"].as_str()).collect();
    assert!(found.contains(&"vm_without_environment"), "{audit}");
    assert!(found.contains(&"record_without_environment"), "{audit}");

    // The token of a server that is there is not written over by a restore to somewhere else.
    let elsewhere = stage.place.path().join("elsewhere.sqlite");
    let restored = stage.done(&format!("backup restore 1 --store sqlite://{} --new-token", elsewhere.display()));
    assert!(restored.stderr.contains("has another, which is left as it is"), "{restored:?}");
    assert_eq!(std::fs::read_to_string(data.join("admin-token")).unwrap().trim(), stage.token);
}

#[test]
fn a_flipped_bit_is_found_and_not_restored() {
    let (mut stage, folder) = Stage::with_folder();
    stage.write("a", 1);
    stage.write("b", 1);
    stage.done("backup now");
    stage.stop();
    let all = files(&folder);
    let spoilt = all.iter().find(|path| path.to_string_lossy().contains("/states/a/blobs/")).unwrap();
    let good = std::fs::read(spoilt).unwrap();
    let mut bad = good.clone();
    let last = bad.len() - 3;
    bad[last] ^= 1;
    std::fs::write(spoilt, &bad).unwrap();
    let verified = stage.place.line("backup verify");
    assert_eq!(verified.code, 1, "{verified:?}");
    assert!(verified.stdout.contains("`a` version 1") && verified.stderr.contains("--full"), "{verified:?}");
    let target = stage.place.path().join("restored");
    let restored = stage.place.line(&format!("backup restore newest --states {}", target.display()));
    assert_eq!(restored.code, 3, "{restored:?}");
    assert!(restored.stderr.contains("not restored: `a` version 1"), "{restored:?}");
    assert!(restored.stdout.contains(": 1 states, 1 versions"), "{restored:?}");
    assert!(!files(&target).iter().any(|path| path.to_string_lossy().contains("/states/a/documents/")));

    // The server mends it, and then the rest is restored beside what is there already.
    stage.start_again();
    stage.done("backup now --full");
    assert_eq!(std::fs::read(spoilt).unwrap(), good);
    stage.done("backup verify --all");
    let restored = stage.done(&format!("backup restore 1 --states {}", target.display()));
    assert!(restored.stdout.contains("2 states, 2 versions; 1 of them were there already"), "{restored:?}");
}

#[test]
fn backups_are_made_by_themselves_in_r2_and_told_by_metrics() {
    let mut stage = Stage::new(|place, cloud| {
        let api = cloud.told("CLOUDFLARE_API_BASE");
        let (host, base) = api.strip_prefix("http://").unwrap().split_once('/').unwrap();
        let login = format!("Bearer {}", cloud.told("CLOUDFLARE_API_TOKEN"));
        let body = br#"{"name":"backups"}"#;
        let path = format!("/{base}/accounts/{}/r2/buckets", cloud.told("CLOUDFLARE_ACCOUNT_ID"));
        let length = body.len().to_string();
        let headers =
            [("authorization", login.as_str()), ("content-type", "application/json"), ("content-length", &length)];
        assert_eq!(request(host, "POST", &path, &headers, body).status, 200);
        for name in ["R2_ENDPOINT", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"] {
            place.set(name, cloud.told(name));
        }
        place.set("ALFRED_BACKUP", "r2://backups/alfred");
        place.set("ALFRED_BACKUP_INTERVAL", "1s");
        place.set("ALFRED_BACKUP_KEEP", "2");
        place.set("ALFRED_BACKUP_KEEP_DAYS", "0");
    });
    stage.write("team/a", 1);
    let newest = |stage: &Stage| stage.told("backup list")["backups"].as_array().unwrap().last().cloned();
    let mut looks = 0;
    while newest(&stage).is_none_or(|one| one["number"].as_u64().unwrap() < 5 || one["versions"] != 1) {
        looks += 1;
        assert!(looks < 600, "{}", stage.up.stderr());
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    let bearer = format!("Bearer {}", stage.token);
    let host = stage.up.told("url").strip_prefix("http://").unwrap().to_owned();
    let metrics = request(&host, "GET", "/metrics", &[("authorization", &bearer)], b"");
    let metrics = String::from_utf8(metrics.body).unwrap();
    for name in ["alfred_backup_completed_timestamp_seconds", "alfred_backup_bytes", "alfred_backup_seconds"] {
        assert!(metrics.contains(name), "{name}: {metrics}");
    }
    stage.lose();
    let listed = stage.told("backup list");
    let kept = listed["backups"].as_array().unwrap();
    assert!((2..=4).contains(&kept.len()), "two, the newest good one, and what was not deleted yet: {listed}");
    let server = alfred_testing::postgres::Server::shared().unwrap_or_else(|words| panic!("{words}"));
    let database = server.create_database().unwrap();
    let line = format!("backup restore newest --states {}/states --store {database}", stage.place.data().display());
    stage.done(&line);
    // From SQLite into PostgreSQL.
    stage.place.set("ALFRED_DATABASE_URL", database);
    stage.start_again();
    assert_eq!(stage.read("team/a"), state(1, "team/a", "value 1"));
}

#[test]
fn what_is_asked_wrongly_is_told() {
    let place = Place::new();
    let nowhere = place.line("backup list");
    assert_eq!(nowhere.code, 2);
    assert!(nowhere.one_line().contains("`--from`") && nowhere.one_line().contains("`ALFRED_BACKUP`"));
    let missing = place.line("backup list --from /nowhere/at/all");
    assert!(missing.code == 1 && missing.one_line().contains("no folder"), "{missing:?}");
    let folder = place.path().join("empty");
    std::fs::create_dir(&folder).unwrap();
    let empty = place.line(&format!("backup list --from {}", folder.display()));
    assert!(empty.code == 0 && empty.stderr.contains("has no backups"), "{empty:?}");
    let verify = place.line(&format!("backup verify --from {}", folder.display()));
    assert!(verify.code == 1 && verify.one_line().contains("has no backups"), "{verify:?}");
    for wrong in [
        "backup restore 1",
        "backup show",
        "backup show none",
        "backup verify 0",
        "backup restore 1 --states x --new-token",
    ] {
        assert_eq!(place.line(&format!("{wrong} --from {}", folder.display())).code, 2, "{wrong}");
    }
}

#[test]
fn a_place_that_cannot_be_one_keeps_the_server_from_starting() {
    let mut place = Place::new();
    let states = place.data().join("states").display().to_string();
    place.set("ALFRED_BACKUP", states);
    let same = place.line("up --local --instant --listen 127.0.0.1:0");
    assert!(same.code == 2 && same.stderr.contains("is a store of states"), "{same:?}");
    place.set("ALFRED_BACKUP", "relative");
    let relative = place.line("up --local --instant --listen 127.0.0.1:0");
    assert!(relative.code == 2 && relative.stderr.contains("an absolute path"), "{relative:?}");
    for (name, value) in
        [("ALFRED_BACKUP_INTERVAL", "soon"), ("ALFRED_BACKUP_KEEP", "0"), ("ALFRED_BACKUP_KEEP_DAYS", "401")]
    {
        let mut place = Place::new();
        place.set(name, value);
        let wrong = place.line("up --local --instant --listen 127.0.0.1:0");
        assert!(wrong.code == 2 && wrong.stderr.contains(name), "{wrong:?}");
    }
    let mut place = Place::new();
    let up = place.start("up --local --instant --listen 127.0.0.1:0");
    place.set("ALFRED_URL", up.told("url"));
    let none = place.line("backup now");
    assert!(none.code == 1 && none.one_line().contains("`ALFRED_BACKUP`"), "{none:?}");
}
