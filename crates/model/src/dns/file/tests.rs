use proptest::prelude::*;

use super::*;

fn zone() -> DomainName {
    "example.com".parse().unwrap()
}

fn read(text: &[u8], format: Format) -> Result<Vec<WantedRecord>, FileProblems> {
    parse(text, &Reading { format, zone: &zone(), ttl: 300, allow_empty: false })
}

/// Name, target, time to live and line of each record.
fn told(text: &str, format: Format) -> Vec<(String, String, u32, u32)> {
    let records = read(text.as_bytes(), format).unwrap_or_else(|problems| panic!("{format:?} {text}: {problems:?}"));
    records.into_iter().map(|one| (one.name.to_string(), one.target.to_string(), one.ttl, one.line)).collect()
}

#[test]
fn the_same_records_are_read_from_each_format() {
    let lines = "# people\nweb 192.0.2.1   # the site\n\n  API.example.com.  web.example.com 600\nx-1.eu.example.com 192.0.2.3\n";
    let csv = "web,192.0.2.1\r\n# a comment\r\n\r\n\"API.example.com.\", web.example.com ,600\r\nx-1.eu.example.com,192.0.2.3\r\n";
    let header =
        "ttl,name,address\n,web,192.0.2.1\n600,API.example.com.,web.example.com\n\n,x-1.eu.example.com,192.0.2.3\n";
    let list = r#"[
        {"name": "web", "target": "192.0.2.1"},
        {"ttl": 600, "name": "API.example.com.", "content": "web.example.com"},
        {"name": "x-1.eu.example.com", "address": "192.0.2.3", "ttl": null}
    ]"#;
    let map = r#"{"web": "192.0.2.1",
        "API.example.com.": {"target": "web.example.com", "ttl": "600"},
        "x-1.eu.example.com": "192.0.2.3"}"#;
    let yaml_list = "# people\n- name: web\n  target: 192.0.2.1\n- {name: API.example.com., target: web.example.com, ttl: 600}\n- name: x-1.eu.example.com\n  address: 192.0.2.3\n";
    let yaml_map =
        "web: 192.0.2.1\nAPI.example.com.:\n  target: web.example.com\n  ttl: 600\nx-1.eu.example.com: \"192.0.2.3\"\n";
    for (text, format, lines) in [
        (lines, Format::Lines, [4, 2, 5]),
        (csv, Format::Csv, [4, 1, 5]),
        (header, Format::Csv, [3, 2, 5]),
        (list, Format::Json, [3, 2, 4]),
        (map, Format::Json, [2, 1, 3]),
        (yaml_list, Format::Yaml, [4, 2, 5]),
        (yaml_map, Format::Yaml, [2, 1, 5]),
    ] {
        let expected = [
            ("api.example.com".to_owned(), "web.example.com".to_owned(), 600, lines[0]),
            ("web.example.com".to_owned(), "192.0.2.1".to_owned(), 300, lines[1]),
            ("x-1.eu.example.com".to_owned(), "192.0.2.3".to_owned(), 300, lines[2]),
        ];
        assert_eq!(told(text, format), expected, "{format:?}\n{text}");
    }
}

#[test]
fn a_file_says_by_its_name_how_it_is_written() {
    for (path, format) in [
        ("a.csv", Format::Csv),
        ("a.JSON", Format::Json),
        ("/x/a.yaml", Format::Yaml),
        ("a.b.yml", Format::Yaml),
        ("a.txt", Format::Lines),
        ("-", Format::Lines),
        ("csv", Format::Lines),
    ] {
        assert_eq!(Format::of(Path::new(path)), format, "{path}");
    }
}

#[test]
fn numbers_and_odd_words_are_names_too() {
    let expected = [("123.example.com".to_owned(), "192.0.2.1".to_owned(), 300, 1)];
    assert_eq!(told("123 192.0.2.1", Format::Lines), expected);
    assert_eq!(told("123: 192.0.2.1", Format::Yaml), expected);
    assert_eq!(told(r#"[{"name": 123, "target": "192.0.2.1"}]"#, Format::Json), expected);
    let service = [("_x._tcp.example.com".to_owned(), "a.b".to_owned(), 300, 1)];
    assert_eq!(told("_x._tcp.example.com a.b.", Format::Lines), service);
    assert_eq!(told("\u{feff}123 192.0.2.1\r\n", Format::Lines), expected, "a byte order mark is none of it");
}

#[test]
fn what_is_wrong_is_told_with_its_line() {
    use Format::{Csv, Json, Lines, Yaml};
    let long = format!("a 192.0.2.1\nb 192.0.2.1 # {}\n", "x".repeat(1_000));
    let label = format!("{} 192.0.2.1", "x".repeat(64));
    let field = format!("web,{}", "9".repeat(2_000));
    for (text, format, line, words) in [
        (
            "web 192.0.2.1\napi 192.0.2.2\nWEB.example.com 192.0.2.3",
            Lines,
            3,
            "`web.example.com` is given twice, first in line 1",
        ),
        (
            "web 192.0.2.1\nweb a.example.net",
            Lines,
            2,
            "has a CNAME here and an address in line 1: a name with a CNAME",
        ),
        ("web a.example.net\nweb 192.0.2.1", Lines, 2, "has an address here and a CNAME in line 1"),
        ("\nweb.example.org 192.0.2.1", Lines, 2, "`web.example.org` is not in the zone `example.com`"),
        ("api.eu 192.0.2.1", Lines, 1, "is not in the zone `example.com`: write names below it in full"),
        ("notexample.com 192.0.2.1", Lines, 1, "is not in the zone"),
        ("@ 192.0.2.1", Lines, 1, "the zone's own name, `example.com`, is not kept here"),
        ("Example.com. 192.0.2.1", Lines, 1, "the zone's own name"),
        (",192.0.2.1", Csv, 1, "the zone's own name"),
        ("*.example.com 192.0.2.1", Lines, 1, "is a wildcard"),
        ("a..example.com 192.0.2.1", Lines, 1, "is no DNS name"),
        ("-a 192.0.2.1", Lines, 1, "is no DNS name"),
        (&label, Lines, 1, "is no DNS name"),
        ("bücher 192.0.2.1", Lines, 1, "`bücher` has letters outside ASCII: give its Punycode form, `xn--…`"),
        ("web bücher.example", Lines, 1, "has letters outside ASCII"),
        ("web 192.0.2.300", Lines, 1, "`192.0.2.300` is no IPv4 address"),
        ("web 192.0.2", Lines, 1, "is no IPv4 address"),
        ("web 192.0.2.01", Lines, 1, "is no IPv4 address"),
        ("web 2001:db8::1", Lines, 1, "`2001:db8::1` is no IPv4 address, and only A and CNAME records are kept"),
        ("web other", Lines, 1, "`other` is neither an IPv4 address nor a full name, such as `other.example.com`"),
        ("web a_b.-x.com", Lines, 1, "is neither an IPv4 address nor a DNS name"),
        ("web web.example.com.", Lines, 1, "`web.example.com` is a CNAME to itself"),
        ("web", Lines, 1, "`web.example.com` has no address and no other name to lead to"),
        ("web 192.0.2.1 300 more", Lines, 1, "a line has a name, a target and at most a time to live"),
        ("web 192.0.2.1 soon", Lines, 1, "the time to live `soon` is no number of seconds"),
        ("web 192.0.2.1 1", Lines, 1, "the time to live 1 (automatic) is answered as 300 by Cloudflare: write 300"),
        ("web 192.0.2.1 59", Lines, 1, "the time to live 59 is not from 60 to 86400 seconds"),
        ("web 192.0.2.1 86401", Lines, 1, "is not from 60 to 86400 seconds"),
        (&long, Lines, 2, "the line is longer than 1000 bytes"),
        ("web 192.0.2.1\nw\0b 192.0.2.1", Lines, 2, "has a control character"),
        ("", Lines, 1, "there is no record in it"),
        ("# nothing\n\n", Lines, 1, "add `--allow-empty` if that is meant"),
        ("", Csv, 1, "there is no record in it"),
        ("name,target\n", Csv, 1, "there is no record in it"),
        ("", Yaml, 1, "there is no record in it"),
        ("[]", Json, 1, "there is no record in it"),
        ("{}", Json, 1, "there is no record in it"),
        ("web,192.0.2.1\n\n\napi,192.0.2.1,300,x", Csv, 4, "it has 4 fields, and there are 3 columns"),
        ("name,target,colour\nweb,192.0.2.1,red", Csv, 1, "the column `colour` is none of"),
        ("web,\"192.0.2.1\napi,192.0.2.2", Csv, 1, "has a control character"),
        (&field, Csv, 1, "the target is longer than 1000 bytes"),
        ("", Json, 1, "this is no JSON that can be read: EOF while parsing a value"),
        (
            "[\n {\"name\": \"web\", \"target\": \"192.0.2.1\"},\n {\"name\" \"api\"}\n]",
            Json,
            3,
            "this is no JSON that can be read: expected `:`",
        ),
        ("[\n {\"name\": \"web\"},\n 7]", Json, 3, "an entry with `name` and `target` belongs here, this is a number"),
        ("[\n {\"target\": \"192.0.2.1\"}]", Json, 2, "it has no `name`"),
        ("[\"web\"]", Json, 1, "belongs here, this is a text"),
        ("[{\"name\": [\"web\"], \"target\": \"192.0.2.1\"}]", Json, 1, "`name` is no text"),
        ("[{\"name\": \"web\", \"target\": \"192.0.2.1\", \"colour\": 1}]", Json, 1, "`colour` is none of"),
        (
            "[{\"name\": \"web\", \"target\": \"192.0.2.1\", \"address\": \"192.0.2.1\"}]",
            Json,
            1,
            "is given twice in one entry",
        ),
        ("{\"web\": \"192.0.2.1\",\n\"web\": \"192.0.2.2\"}", Json, 2, "is given twice, first in line 1"),
        ("7", Json, 1, "this is no JSON that can be read"),
        ("[] x", Json, 1, "trailing characters"),
        ("web: 192.0.2.1\napi: 2001:db8::1\n", Yaml, 2, "only A and CNAME records are kept"),
        ("web: 192.0.2.1\nweb: 192.0.2.2\n", Yaml, 2, "is given twice, first in line 1"),
        ("- name: web\n  target: 192.0.2.1\n- other\n", Yaml, 3, "an entry with `name` and `target` belongs here"),
        ("web: [192.0.2.1, 192.0.2.2]", Yaml, 1, "belongs here, this is a list"),
        ("web: &a 192.0.2.1\napi: *a\n", Yaml, 1, "this is no YAML that can be read"),
        ("web: 192.0.2.1\n  api: : x\n - y", Yaml, 2, "this is no YAML that can be read"),
        ("web: 192.0.2.1\n---\napi: 192.0.2.1\n", Yaml, 2, "this is no YAML that can be read"),
    ] {
        let problems = read(text.as_bytes(), format).expect_err(text);
        let found = problems.first.iter().find(|problem| problem.line == line && problem.reason.contains(words));
        assert!(found.is_some(), "{format:?} {text:?}: {words:?} in line {line} is not in {problems:?}");
        for problem in &problems.first {
            assert!(!problem.reason.chars().any(char::is_control), "{problem:?}");
            assert!(!problem.reason.ends_with('.'), "{problem:?}");
        }
    }
}

#[test]
fn what_is_no_text_is_told_with_its_line() {
    let problems = read(b"web 192.0.2.1\nap\xff 192.0.2.1\n", Format::Lines).unwrap_err();
    assert_eq!(
        problems.first,
        [FileProblem { line: 2, reason: "this is not UTF-8 text: save the file as UTF-8".into() }]
    );
}

#[test]
fn all_that_is_wrong_is_told_at_once_and_nonsense_is_counted() {
    let problems = read(b"a 1\nb 192.0.2.1\nb 192.0.2.1\nc 2\n", Format::Lines).unwrap_err();
    assert_eq!(problems.first.iter().map(|problem| problem.line).collect::<Vec<_>>(), [1, 3, 4]);
    let nonsense = "\u{1}%%% ??? ".repeat(1_000_000);
    for format in [Format::Lines, Format::Csv, Format::Json, Format::Yaml] {
        let problems = read(nonsense.as_bytes(), format).unwrap_err();
        assert!(problems.first.len() <= PROBLEMS_TOLD, "{format:?}");
        let longest = problems.first.iter().map(|problem| problem.reason.len()).max().unwrap();
        assert!(longest < 300, "{format:?}: {longest}");
    }
    let problems = read("nonsense\n".repeat(100_000).as_bytes(), Format::Lines).unwrap_err();
    assert_eq!((problems.first.len(), problems.more), (PROBLEMS_TOLD, 100_000 - PROBLEMS_TOLD));
}

#[test]
fn an_empty_file_is_fine_where_that_is_meant() {
    for (text, format) in
        [("", Format::Lines), ("", Format::Csv), ("[]", Format::Json), ("{}", Format::Yaml), ("", Format::Yaml)]
    {
        let reading = Reading { format, zone: &zone(), ttl: 300, allow_empty: true };
        assert_eq!(parse(text.as_bytes(), &reading), Ok(Vec::new()), "{format:?}");
    }
}

/// A few lines that would be a billion entries, and a nest without a bottom.
#[test]
fn bombs_do_not_go_off() {
    let mut laughs = vec!["a: &a [x, x, x, x, x, x, x, x, x, x]".to_owned()];
    for (one, other) in ('a'..='y').zip('b'..='z') {
        laughs.push(format!("{other}: &{other} [{}]", [format!("*{one}").as_str(); 10].join(", ")));
    }
    let laughs = laughs.join("\n");
    assert!(read(laughs.as_bytes(), Format::Yaml).is_err());
    for format in [Format::Json, Format::Yaml] {
        assert!(read("[".repeat(1_000_000).as_bytes(), format).is_err(), "{format:?}");
        assert!(read("{\"a\":".repeat(1_000_000).as_bytes(), format).is_err(), "{format:?}");
    }
    assert!(read("- ".repeat(1_000_000).as_bytes(), Format::Yaml).is_err());
}

/// Many names in each format: the largest tables that are kept are the records themselves.
#[test]
fn many_names_are_read() {
    let count = 10_000;
    let each = |entry: fn(&str) -> String, between: &str| {
        let entries: Vec<String> = (0..count).map(|number| entry(&format!("host-{number:06}"))).collect();
        entries.join(between)
    };
    let lines = each(|name| format!("{name} 192.0.2.1"), "\n");
    let csv = each(|name| format!("{name},192.0.2.1"), "\n");
    let json = format!("[{}]", each(|name| format!("{{\"name\":\"{name}\",\"target\":\"192.0.2.1\"}}"), ","));
    let yaml = each(|name| format!("- name: {name}\n  target: 192.0.2.1"), "\n");
    for (text, format) in [(lines, Format::Lines), (csv, Format::Csv), (json, Format::Json), (yaml, Format::Yaml)] {
        let records = read(text.as_bytes(), format).unwrap();
        assert_eq!(records.len(), count, "{format:?}");
        let each = size_of::<WantedRecord>() + records[0].name.as_str().len();
        assert!(100_000 * each < 12 * 1024 * 1024, "{each} bytes each");
    }
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        for format in [Format::Lines, Format::Csv, Format::Json, Format::Yaml] {
            let _ = read(&bytes, format);
        }
    }

    #[test]
    fn no_text_of_these_parts_makes_it_panic(
        parts in proptest::collection::vec(
            prop_oneof![
                Just("web"), Just("192.0.2.1"), Just("\n"), Just(" "), Just(","), Just("\""), Just("{"), Just("}"),
                Just("["), Just("]"), Just(":"), Just("name"), Just("target"), Just("ttl"), Just("- "), Just("&a"),
                Just("*a"), Just("<<"), Just("#"), Just("|"), Just(">"), Just("\t"), Just("ü"), Just("null"), Just("1e9"),
                Just("'"), Just("\\u0000"), Just("---"), Just("!!binary"), Just("@"), Just("."), Just("\r"),
            ],
            0..60,
        )
    ) {
        let text = parts.concat();
        for format in [Format::Lines, Format::Csv, Format::Json, Format::Yaml] {
            match read(text.as_bytes(), format) {
                Ok(records) => {
                    prop_assert!(records.windows(2).all(|pair| pair[0].name < pair[1].name), "sorted, each once");
                    let last = u32::try_from(text.matches('\n').count()).unwrap() + 1;
                    prop_assert!(records.iter().all(|record| (1..=last).contains(&record.line)));
                    prop_assert!(records.iter().all(|record| record.name.is_below(&zone())));
                }
                Err(problems) => prop_assert!(!problems.first.is_empty()),
            }
        }
    }
}
