//! What is typed wrong is told in one clear line, with exit code 2, before anything is sent anywhere.

use crate::place::Place;

#[test]
fn a_bad_slug_is_refused_before_any_server_is_asked() {
    let place = Place::new();
    let long = "a".repeat(51);
    for (slug, words) in [
        ("a.b", "`.` is none of these"),
        ("ünder", "`ü` is none of these"),
        ("Brave", "`B` is none of these"),
        ("", "must not be empty"),
        ("-tiger", "must not begin or end with `-`"),
        ("xn--tiger", "`--` in its third and fourth place"),
        ("www", "is reserved, choose another"),
        (long.as_str(), "at most 50 characters, this one has 51"),
        ("a\n\u{1b}[31mb", "is none of these"),
    ] {
        let argument = format!("--slug={slug}");
        let ended = place.run(["env", "create", &argument]);
        assert_eq!(ended.code, 2, "{slug}: {ended:?}");
        assert!(ended.one_line().contains(words), "{slug}: {ended:?}");
        assert!(ended.stdout.is_empty());
    }
}

#[test]
fn other_bad_values_are_one_line_too() {
    let place = Place::new();
    let script = place.file("script", "echo no interpreter\n", 0o644);
    let script = script.to_str().unwrap();
    for (line, words) in [
        ("env create --count 0", "0 is not in 1..=1000"),
        ("env create --count 1001", "1001 is not in 1..=1000"),
        ("env create --count many", "invalid digit"),
        ("env create --user Ada", "a user name is"),
        ("env create --ssh-key nothing.pub", "there is no file `nothing.pub`"),
        (&format!("env create --script {script}"), "#!"),
        ("env create --time-zone ../../etc/passwd", "time zone"),
        ("env create --ttl soon", "a time to live is a length such as `8h`"),
        ("env extend ox --ttl 1mo", "a time to live is a length such as `8h`"),
        ("env watch --batch 7", "`7` does not fit `--batch <ID>`"),
        ("env show a_b", "`_` is none of these"),
        ("env delete brave-tiger a.b", "`.` is none of these"),
        ("token revoke 7", "`7` does not fit `<ID>`"),
        ("vm order --count 0", "0 is not in 1..=20"),
        ("vm order --count 21", "21 is not in 1..=20"),
        ("vm order --abandon 7", "`7` does not fit `--abandon <ID>`"),
        ("vm order --count 2", "buying needs a yes: add `--yes`"),
        ("vm cancel 0", "0 is not in 1.."),
        ("vm cancel alfredos-ox", "invalid digit"),
        ("vm cancel 7", "its name is needed: add `--name NAME`"),
        ("vm adopt 7", "its name is needed: add `--name NAME`"),
        ("up --listen localhost", "invalid socket address"),
        ("cloud --zone single", "is a single label"),
        ("cloud --fault nonsense", "is no part of a fault rule"),
        ("--url ftp://example.com env list", "which is not a URL"),
        ("--url http://user:secret@example.com env list", "which is not a URL"),
        ("--token-file nothing env list", "there is no token file `nothing`"),
        ("--config nothing.toml config show", "there is no configuration file `nothing.toml`"),
    ] {
        let ended = place.line(line);
        assert_eq!(ended.code, 2, "{line}: {ended:?}");
        assert!(ended.one_line().contains(words), "{line}: {ended:?}");
    }
}

#[test]
fn wrong_usage_has_exit_code_2_and_says_how_it_is_used() {
    let place = Place::new();
    for line in [
        "",
        "nonsense",
        "env",
        "env create --nonsense",
        "env create --slug ox --count 2",
        "env create --on-failure burn",
        "env list --status lost",
        "env watch",
        "env watch ox --all",
        "env watch --all --batch 01926f3c-7a1b-7c3d-9e4f-5a6b7c8d9e00",
        "env extend ox",
        "env quota --set 5",
        "env quota ada --set 5 --clear",
        "env delete",
        "vm order --abandon 0198c1de-7b0a-7000-8000-2f1d3c5b7a99 --count 2",
        "vm cancel",
        "vm pool drain",
        "up --instant",
        "cloud --instant --demo",
        "--quiet --verbose config show",
    ] {
        let ended = place.line(line);
        assert_eq!(ended.code, 2, "{line}: {ended:?}");
        assert!(ended.stdout.is_empty() && ended.stderr.contains("--help"), "{line}: {ended:?}");
    }
}

#[test]
fn without_a_server_it_says_how_to_start_one() {
    let mut place = Place::new();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = port.local_addr().unwrap();
    drop(port);
    place.set("ALFRED_URL", format!("http://{address}"));
    for line in [
        "env create",
        "env list",
        "env show ox",
        "env watch --all",
        "vm list",
        "vm pool",
        "vm order --dry-run",
        "audit",
        "token list",
    ] {
        let ended = place.line(line);
        assert_eq!(ended.code, 1, "{line}: {ended:?}");
        let words = format!("no server answers at `http://{address}`: start one with `alfred up --local`");
        assert!(ended.one_line().contains(&words), "{line}: {ended:?}");
    }
}

#[test]
fn deleting_several_needs_a_yes_where_nobody_can_be_asked() {
    let ended = Place::new().line("env delete brave-tiger calm-owl");
    assert_eq!(ended.code, 2);
    assert!(ended.one_line().contains("deleting 2 environments needs a yes: add `--yes`"), "{ended:?}");
}

#[test]
fn a_private_key_is_recognised_before_it_leaves_the_machine() {
    let place = Place::new();
    place.file("id_ed25519", "-----BEGIN OPENSSH PRIVATE KEY-----\nc2VjcmV0\n", 0o600);
    let ended = place.line("env create --ssh-key id_ed25519");
    assert_eq!(ended.code, 2);
    assert!(ended.one_line().contains("is a private key: give the `.pub` file"), "{ended:?}");
    assert!(!ended.stderr.contains("c2VjcmV0"));
}

#[test]
fn something_else_at_the_address_is_no_server_of_ours() {
    use std::io::{Read as _, Write as _};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut place = Place::new();
    place.set("ALFRED_URL", format!("http://{}", listener.local_addr().unwrap()));
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let _ = stream.read(&mut [0; 4096]).unwrap();
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\nconnection: close\r\n\r\n<html>").unwrap();
    });
    let ended = place.line("env list");
    server.join().unwrap();
    assert_eq!(ended.code, 1);
    assert!(ended.one_line().contains("answered something that is not alfred's API"), "{ended:?}");
}
