use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::printable::is_printable;

/// A key as `ssh-keygen` writes it, with these parts after the type's name.
fn key_of(name: &str, parts: &[&[u8]]) -> String {
    let mut body = Vec::new();
    for part in std::iter::once(&name.as_bytes()).chain(parts) {
        body.extend(u32::try_from(part.len()).unwrap().to_be_bytes());
        body.extend(*part);
    }
    format!("{name} {}", STANDARD.encode(body))
}

fn ed25519() -> String {
    key_of("ssh-ed25519", &[&[7; 32]])
}

fn key_setup(key: impl Into<String>) -> Setup {
    Setup { ssh_keys: vec![key.into()], ..Setup::default() }
}

fn script_setup(script: impl Into<String>) -> Setup {
    Setup { script: Some(script.into()), ..Setup::default() }
}

fn zone_setup(time_zone: impl Into<String>) -> Setup {
    Setup { time_zone: Some(time_zone.into()), ..Setup::default() }
}

fn plain() -> UserData {
    UserData {
        hostname: "brave-tiger".to_owned(),
        fqdn: None,
        setup: Setup::default(),
        call_home_url: None,
        open_ports: vec![],
    }
}

fn key_problem(key: impl Into<String>) -> KeyProblem {
    match check_setup(&key_setup(key)) {
        Err(BadUserData::Key { number: 1, problem }) => problem,
        other => panic!("not a bad key: {other:?}"),
    }
}

/// What the document must say, written without the types that it is made from.
fn expected(data: &UserData) -> Value {
    let mut files = vec![json!({
        "path": "/etc/apt/apt.conf.d/20auto-upgrades", "owner": "root:root", "permissions": "0644",
        "content": "APT::Periodic::Update-Package-Lists \"1\";\nAPT::Periodic::Unattended-Upgrade \"1\";\n",
    })];
    let mut commands = vec![
        json!(["ufw", "default", "deny", "incoming"]),
        json!(["ufw", "default", "allow", "outgoing"]),
        json!(["ufw", "allow", "22/tcp"]),
    ];
    let ports = data.open_ports.iter().filter(|port| **port != 22);
    commands.extend(ports.map(|port| json!(["ufw", "allow", format!("{port}/tcp")])));
    commands.push(json!(["ufw", "--force", "enable"]));
    if let Some(script) = &data.setup.script {
        files.push(json!({
            "path": "/usr/local/sbin/alfred-setup", "owner": "root:root", "permissions": "0700", "encoding": "b64",
            "content": STANDARD.encode(script),
        }));
        commands.push(json!(["/usr/local/sbin/alfred-setup"]));
    }
    let mut document = json!({
        "hostname": data.hostname,
        "manage_etc_hosts": "localhost",
        "timezone": data.setup.time_zone.as_deref().unwrap_or("Etc/UTC"),
        "ssh_pwauth": false,
        "package_update": true,
        "packages": ["unattended-upgrades", "ufw"],
        "write_files": files,
        "runcmd": commands,
    });
    if let Some(fqdn) = &data.fqdn {
        document["fqdn"] = json!(fqdn.as_str());
    }
    if !data.setup.ssh_keys.is_empty() {
        document["ssh_authorized_keys"] = json!(data.setup.ssh_keys);
    }
    if let Some(url) = &data.call_home_url {
        document["phone_home"] = json!({ "url": url, "post": ["instance_id", "hostname", "fqdn"], "tries": 10 });
    }
    document
}

fn read(document: &str) -> Value {
    serde_saphyr::from_str(document).unwrap()
}

#[test]
fn the_whole_document() {
    let data = UserData {
        fqdn: Some("brave-tiger.alfredos.site".parse().unwrap()),
        setup: Setup {
            ssh_keys: vec![format!("{} ada@example.com", ed25519())],
            time_zone: Some("Europe/Berlin".to_owned()),
            script: Some("#!/bin/sh\necho 'on: # %YAML'\n".to_owned()),
        },
        call_home_url: Some("https://alfred.example/v1/home/token".to_owned()),
        open_ports: vec![4222, 22, 443],
        ..plain()
    };
    let document = data.render().unwrap();
    assert_eq!(document.lines().next(), Some("#cloud-config"));
    assert_eq!(read(&document), expected(&data));
}

#[test]
fn texts_that_yaml_1_1_reads_as_something_else_are_quoted() {
    for hostname in ["on", "no", "null", "1e3", "0x10", "012", "2024-01-01", "1.5", "y"] {
        let document = UserData { hostname: hostname.to_owned(), ..plain() }.render().unwrap();
        assert!(document.contains(&format!("hostname: '{hostname}'\n")), "{document}");
    }
    assert!(plain().render().unwrap().contains("permissions: '0644'"));
}

#[test]
fn each_type_of_key_is_taken_with_and_without_a_comment() {
    let (point256, point384, point521) = ([4; 65], [4; 97], [4; 133]);
    for key in [
        ed25519(),
        key_of("ssh-rsa", &[&[1, 0, 1], &[9; 257]]),
        key_of("ecdsa-sha2-nistp256", &[b"nistp256", &point256]),
        key_of("ecdsa-sha2-nistp384", &[b"nistp384", &point384]),
        key_of("ecdsa-sha2-nistp521", &[b"nistp521", &point521]),
        key_of("sk-ssh-ed25519@openssh.com", &[&[7; 32], b"ssh:"]),
        key_of("sk-ecdsa-sha2-nistp256@openssh.com", &[b"nistp256", &point256, b"ssh:"]),
    ] {
        assert_eq!(check_setup(&key_setup(&key)), Ok(()), "{key}");
        assert_eq!(check_setup(&key_setup(format!("{key} José's \"laptop\": #1 & *2 💻"))), Ok(()), "{key}");
    }
}

/// Their private halves were thrown away.
#[test]
fn keys_that_ssh_keygen_made_are_taken() {
    for real in [
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAINi5HOq1NjSarc12hOU+etFVKX6ciBWEjctXBWXJzTqt ada@example",
        "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBKYyjF/Ny1Z8SAyS8r5PWeym/ot6ltCKUUJpL2\
         vmOJ4stjgRN06kJJP3+WpzjDz3lVpCuZi8PrlTzpUSdvFcv7I= ada@example",
    ] {
        assert_eq!(check_setup(&key_setup(real)), Ok(()), "{real}");
    }
}

#[test]
fn bad_keys_are_told_apart() {
    let key = ed25519();
    let body = key.split(' ').nth(1).unwrap();
    assert_eq!(key_problem(""), KeyProblem::Type(String::new()));
    assert_eq!(key_problem(format!("{key} {}", "a".repeat(KEY_MAX))), KeyProblem::TooLong(KEY_MAX + 1 + key.len()));
    assert_eq!(
        key_problem("-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----"),
        KeyProblem::Private
    );
    assert_eq!(key_problem(format!("{key}\n")), KeyProblem::LineBreak);
    assert_eq!(key_problem(format!("{key} a\r\n{key}")), KeyProblem::LineBreak);
    for hidden in ['\0', '\t', '\u{1b}', '\u{85}', '\u{200f}', '\u{202e}', '\u{2028}', '\u{feff}', '\u{ffff}'] {
        assert_eq!(key_problem(format!("{key} a{hidden}b")), KeyProblem::Character(hidden));
    }
    assert_eq!(key_problem(format!("command=\"/bin/sh\" {key}")), KeyProblem::Options);
    assert_eq!(key_problem(format!("restrict,pty {key}")), KeyProblem::Options);
    assert_eq!(key_problem(format!(" {key}")), KeyProblem::Options);
    assert_eq!(key_problem(key_of("ssh-dss", &[&[1; 20]])), KeyProblem::Type("ssh-dss".to_owned()));
    assert_eq!(key_problem("ssh-ed25519"), KeyProblem::Base64);
    assert_eq!(key_problem(format!("ssh-ed25519  {body}")), KeyProblem::Base64);
    assert_eq!(key_problem("ssh-ed25519 AAAA=AAA"), KeyProblem::Base64);
    assert_eq!(key_problem(format!("ssh-rsa {body}")), KeyProblem::OtherType("ssh-rsa"));
    assert_eq!(key_problem(format!("ssh-ed25519 {}", &body[..body.len() - 4])), KeyProblem::Damaged);
    assert_eq!(key_problem(key_of("ssh-ed25519", &[&[7; 32], b"more"])), KeyProblem::Damaged);
    assert_eq!(key_problem(key_of("ssh-rsa", &[&[1, 0, 1], &[9; 64]])), KeyProblem::Damaged);
    assert_eq!(key_problem(key_of("ecdsa-sha2-nistp256", &[b"nistp384", &[4; 65]])), KeyProblem::Damaged);
    assert_eq!(key_problem(format!("ssh-ed25519 {}", STANDARD.encode([0xff; 40]))), KeyProblem::Damaged);
}

#[test]
fn a_bad_key_is_named_by_its_place() {
    let setup = Setup { ssh_keys: vec![ed25519(), ed25519(), "what".to_owned()], ..Setup::default() };
    let error = check_setup(&setup).unwrap_err();
    assert_eq!(error, BadUserData::Key { number: 3, problem: KeyProblem::Type("what".to_owned()) });
    assert_eq!(
        error.to_string(),
        "SSH key 3: `what` is no key type that is taken; make a key with `ssh-keygen -t ed25519`"
    );
    let many = Setup { ssh_keys: vec![ed25519(); 21], ..Setup::default() };
    assert_eq!(check_setup(&many), Err(BadUserData::TooManyKeys(21)));
}

#[test]
fn time_zones() {
    for good in ["UTC", "Etc/UTC", "Europe/Berlin", "America/Argentina/Buenos_Aires", "Etc/GMT+5"] {
        assert_eq!(check_setup(&zone_setup(good)), Ok(()), "{good}");
    }
    for bad in [
        "",
        "europe/berlin",
        "Europe/Berln",
        "../../etc/passwd",
        "/etc/passwd",
        "Europe/Berlin\n",
        "UTC; reboot",
        ":UTC",
    ] {
        assert!(matches!(check_setup(&zone_setup(bad)), Err(BadUserData::TimeZone(_))), "{bad}");
    }
    let Err(BadUserData::TimeZone(shown)) = check_setup(&zone_setup("\u{1b}[31m\u{202e}".repeat(100))) else {
        panic!("taken")
    };
    assert!(shown.chars().count() == 64 && shown.chars().all(is_printable), "{shown:?}");
}

#[test]
fn scripts() {
    for good in ["#!/bin/sh", "#! /bin/sh\nset -eu\n", "#!/usr/bin/env python3\nprint('ü\0')\r\n"] {
        assert_eq!(check_setup(&script_setup(good)), Ok(()), "{good}");
    }
    for bad in ["", "echo", " #!/bin/sh", "#!", "#!\n/bin/sh", "#cloud-config\n", "#!sh", "\u{feff}#!/bin/sh"] {
        assert_eq!(check_setup(&script_setup(bad)), Err(BadUserData::ScriptWithoutInterpreter), "{bad}");
    }
    assert_eq!(check_setup(&script_setup("#!/bin/sh\r\nls\r\n")), Err(BadUserData::ScriptLineEnd));
    let longest = format!("#!/bin/sh\n{}", "#".repeat(SCRIPT_MAX - 10));
    assert_eq!(check_setup(&script_setup(&longest)), Ok(()));
    assert_eq!(check_setup(&script_setup(longest + "#")), Err(BadUserData::ScriptTooLong(SCRIPT_MAX + 1)));
}

#[test]
fn hostnames() {
    for good in ["a", "brave-tiger-417", "alfredos-pool.12345", &"a".repeat(63)] {
        assert!(UserData { hostname: good.to_owned(), ..plain() }.render().is_ok(), "{good}");
    }
    for bad in ["", "-a", "a-", "a..b", ".a", "A", "a b", "a: b", "a\n", "a#", "ä", "a_b", "'", &"a".repeat(64)] {
        let refused = UserData { hostname: bad.to_owned(), ..plain() }.render();
        assert_eq!(refused, Err(BadUserData::Hostname), "{bad}");
    }
}

#[test]
fn urls() {
    for good in ["https://a.example/x?y=1&z=%20#f", "http://127.0.0.1:7070/v1", "http://[::1]:7070/"] {
        assert!(UserData { call_home_url: Some(good.to_owned()), ..plain() }.render().is_ok(), "{good}");
    }
    let long = format!("https://a.example/{}", "a".repeat(URL_MAX));
    for bad in [
        "",
        "a.example",
        "ftp://a",
        "https://",
        "https:///x",
        "https://a/$INSTANCE_ID",
        "https://a/ b",
        "https://a/\n",
        &long,
    ] {
        let refused = UserData { call_home_url: Some(bad.to_owned()), ..plain() }.render();
        assert_eq!(refused, Err(BadUserData::CallHomeUrl), "{bad}");
    }
}

#[test]
fn ports() {
    let with = |ports: Vec<u16>| UserData { open_ports: ports, ..plain() }.render();
    assert_eq!(with(vec![80, 0]), Err(BadUserData::PortZero));
    assert_eq!(with(vec![80; 33]), Err(BadUserData::TooManyPorts(33)));
    assert!(with(vec![u16::MAX; PORTS_MAX]).is_ok());
}

#[test]
fn too_much_in_all_is_refused_before_a_vm_is_bought() {
    let padded = format!("{} {}", ed25519(), "c".repeat(2_000));
    let setup = Setup { ssh_keys: vec![padded; KEYS_MAX], ..Setup::default() };
    assert!(matches!(check_setup(&setup), Err(BadUserData::TooLong(length)) if length > DOCUMENT_MAX));
}

#[test]
fn nothing_secret_is_in_debug_or_errors() {
    let data = UserData {
        setup: script_setup("#!/bin/sh\nPASSWORD=hunter2"),
        call_home_url: Some("https://a.example/$s3cret".to_owned()),
        ..plain()
    };
    let shown = format!("{data:?} {:?} {}", data.render(), data.render().unwrap_err());
    assert!(!shown.contains("hunter2") && !shown.contains("s3cret"), "{shown}");
    let private = check_setup(&key_setup("-----BEGIN PRIVATE KEY-----hunter2")).unwrap_err();
    assert!(!format!("{private:?} {private}").contains("hunter2"));
}

/// Texts that break naive writers of YAML.
fn hostile() -> impl Strategy<Value = String> {
    prop_oneof![
        "\\PC{0,60}",
        any::<String>(),
        prop::sample::select(vec![
            "a: b",
            "# no comment",
            "'",
            "\"",
            "''\"\"",
            "%YAML 1.1",
            "!!python/object:os.system",
            "&anchor",
            "*alias",
            "---",
            "...",
            "\n- x",
            "{a: b}",
            "[a, b]",
            "| literal",
            "> folded",
            "\\",
            "\\n",
            "\0",
            "\u{202e}txt",
            "",
            " ",
            "  x  ",
            "\t",
            "~",
            "null",
            "<<: *a",
            "? key",
            "- item",
            "@at",
            "`tick",
            "a\u{a0}b",
            "\u{feff}",
        ])
        .prop_map(str::to_owned),
        (0_usize..9_000).prop_map(|length| "x".repeat(length)),
    ]
}

fn setups() -> impl Strategy<Value = Setup> {
    let comments = prop::collection::vec(hostile(), 0..4);
    let zones = prop::option::of(prop_oneof![6 => Just("Asia/Tokyo".to_owned()), 1 => hostile()]);
    (comments, zones, prop::option::of(hostile()), prop::bool::weighted(0.9)).prop_map(
        |(comments, time_zone, script, runs)| Setup {
            ssh_keys: comments.into_iter().map(|comment| format!("{} {comment}", ed25519())).collect(),
            time_zone,
            script: script.map(|script| if runs { format!("#!/bin/sh\n{script}") } else { script }),
        },
    )
}

proptest! {
    #[test]
    fn what_was_put_in_is_read_back_and_nothing_else(
        setup in setups(),
        hostname in prop_oneof![6 => "[a-z0-9]{1,20}", 1 => hostile()],
        url in prop::option::of(prop_oneof![6 => "https://[a-z]{1,9}/[a-z0-9?=&%#']{0,40}", 1 => hostile()]),
        open_ports in prop::collection::vec(any::<u16>(), 0..4),
        named: bool,
    ) {
        let fqdn = named.then(|| "brave-tiger.alfredos.site".parse().unwrap());
        let data = UserData { hostname, fqdn, setup, call_home_url: url, open_ports };
        if let Ok(document) = data.render() {
            prop_assert!(document.len() <= DOCUMENT_MAX);
            prop_assert!(document.starts_with("#cloud-config\n"));
            prop_assert_eq!(read(&document), expected(&data));
        }
    }

    #[test]
    fn a_setup_that_passes_the_check_can_be_rendered_with_any_name(setup in setups()) {
        let widest = UserData {
            hostname: "h".repeat(63),
            fqdn: Some(format!("{0}.{0}.{0}.{1}", "f".repeat(63), "f".repeat(61)).parse().unwrap()),
            setup: setup.clone(),
            call_home_url: Some(format!("https://{}", "u".repeat(URL_MAX - 8))),
            open_ports: vec![u16::MAX; PORTS_MAX],
        };
        match check_setup(&setup) {
            Ok(()) => {
                let short = UserData { setup, ..plain() };
                prop_assert!(widest.render().is_ok());
                prop_assert!(short.render().is_ok());
            }
            Err(error) => prop_assert_eq!(widest.render().map(|_| ()), Err(error)),
        }
    }

    #[test]
    fn any_line_is_judged_without_panic(line in hostile(), body in prop::collection::vec(any::<u8>(), 0..80)) {
        let _: Result<(), BadUserData> = check_setup(&key_setup(&line));
        let garbage = check_setup(&key_setup(format!("ssh-rsa {}", STANDARD.encode(body))));
        prop_assert!(garbage.is_err());
    }
}
