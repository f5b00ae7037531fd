//! Bad files: each line with its reason, exit code 2, and no call at all.

use alfred_local_cloud::cloudflare::Plan;

use super::stage::{Stage, ours};

#[test]
fn what_is_wrong_with_a_file_is_told_by_line_and_nothing_is_asked_of_anybody() {
    let stage = Stage::new(Plan::Free);
    stage.plant(&[ours("old", "192.0.2.1")]);
    let before = stage.held();
    let nonsense = "\u{7f}%$ nonsense ÄÖ ".repeat(600_000);
    let large = " ".repeat(17 * 1024 * 1024);
    for (name, text, told) in [
        ("a.txt", "web 192.0.2.1\nweb 192.0.2.2\n", "a.txt:2: `web.example.com` is given twice, first in line 1"),
        (
            "b.txt",
            "web 192.0.2.1\nweb a.example.net\n",
            "b.txt:2: `web.example.com` has a CNAME here and an address in line 1",
        ),
        ("c.txt", "\n\nweb.example.org 192.0.2.1\n", "c.txt:3: `web.example.org` is not in the zone `example.com`"),
        ("d.txt", "@ 192.0.2.1\n", "d.txt:1: the zone's own name, `example.com`, is not kept here"),
        ("e.txt", "web 192.0.2.256\n", "e.txt:1: `192.0.2.256` is no IPv4 address"),
        ("f.txt", "", "f.txt:1: there is no record in it"),
        ("g.txt", &nonsense, "g.txt:1: the line is longer than 1000 bytes"),
        ("h.yaml", "bücher: 192.0.2.1\n", "h.yaml:1: `bücher` has letters outside ASCII: give its Punycode form"),
        ("i.json", "[{\"name\": \"web\",\n\"target\": }]", "i.json:2: this is no JSON that can be read"),
        ("j.csv", "name,target\nweb,2001:db8::1\n", "j.csv:2: `2001:db8::1` is no IPv4 address, and only A and CNAME"),
        ("k.txt", "web\t192.0.2.1\0\n", "k.txt:1: "),
        ("l.txt", &large, "`l.txt` is larger than 16 MiB"),
    ] {
        stage.file(name, text);
        for command in ["plan", "apply --prune --yes"] {
            let ended = stage.dns(&format!("{command} {name}"));
            assert_eq!(ended.code, 2, "{name}: {ended:?}");
            assert!(ended.stderr.contains(told), "{name}: {told:?} is not in {}", ended.stderr);
            assert!(ended.stdout.is_empty() && ended.stderr.len() < 10_000, "{name}");
        }
    }
    let ended = stage.dns("plan nothing.txt");
    assert_eq!(ended.code, 2);
    assert!(ended.one_line().contains("cannot read `nothing.txt`"), "{ended:?}");
    assert!(stage.calls().is_empty(), "nobody was asked");
    assert_eq!(stage.held(), before, "nothing was changed");
}

#[test]
fn every_problem_is_told_in_one_run_and_the_rest_is_counted() {
    let stage = Stage::new(Plan::Free);
    stage.file("many.txt", &"nonsense\n".repeat(1_000));
    let ended = stage.dns("plan many.txt");
    assert_eq!(ended.code, 2);
    let lines: Vec<&str> = ended.stderr.lines().collect();
    assert_eq!(lines.len(), 22, "{ended:?}");
    assert!(lines[19].starts_with("many.txt:20: ") && lines[20] == "and 980 more", "{ended:?}");
    assert_eq!(lines[21], "error: `many.txt` has 1000 problems: nothing was changed");
}

#[test]
fn an_empty_file_is_taken_only_where_it_is_meant() {
    let stage = Stage::new(Plan::Free);
    stage.plant(&[ours("old", "192.0.2.1")]);
    stage.file("empty.txt", "# nothing any more\n");
    assert_eq!(stage.dns("apply empty.txt --prune --yes").code, 2);
    assert_eq!(stage.at("old"), ["A 192.0.2.1"]);
    assert_eq!(stage.dns("apply empty.txt --prune --yes --allow-empty").code, 0);
    assert!(stage.held().is_empty());
}

#[test]
fn the_same_zone_comes_from_each_format() {
    let stage = Stage::new(Plan::Free);
    for (name, text) in [
        ("a.txt", "web 192.0.2.1 # people\nwww web.example.com 600\n"),
        ("a.csv", "name,target,ttl\nweb,192.0.2.1,\n\"www.example.com.\",web.example.com.,600\n"),
        ("a.json", r#"{"web": "192.0.2.1", "www": {"target": "web.example.com", "ttl": 600}}"#),
        ("a.yml", "- name: web\n  address: 192.0.2.1\n- {name: www, content: web.example.com, ttl: 600}\n"),
    ] {
        stage.file(name, text);
        let ended = stage.dns(&format!("apply {name} --yes"));
        assert_eq!(ended.code, 0, "{name}: {ended:?}");
        let batches = stage.calls().get("cloudflare.records.batch").copied().unwrap_or_default();
        assert_eq!(batches, u64::from(name == "a.txt"), "{name}: only the first changes anything");
        assert_eq!(stage.at("www"), ["CNAME web.example.com"]);
        assert_eq!(stage.held()["www.example.com"][0].ttl, 600);
    }
}
