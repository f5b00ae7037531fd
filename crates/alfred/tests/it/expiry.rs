//! Environments that end by themselves, and a webhook that is told before.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use serde_json::Value;

use crate::place::{Ended, Place, Running};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

fn json(ended: &Ended) -> Value {
    serde_json::from_str(&ended.stdout).unwrap_or_else(|_| panic!("{ended:?}"))
}

fn up(place: &mut Place) -> Running {
    let running = place.start("up --local --instant --listen 127.0.0.1:0");
    place.set("ALFRED_URL", running.told("url"));
    running
}

/// A request as it arrived.
struct Arrived {
    head: Vec<String>,
    body: Value,
}

impl Arrived {
    fn header(&self, name: &str) -> &str {
        let value = self.head.iter().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        value.unwrap_or_else(|| panic!("no `{name}` in {:?}", self.head))
    }
}

/// Takes requests; the first is answered with a failure.
fn listen() -> (String, Receiver<Arrived>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/hooks/4711", listener.local_addr().unwrap());
    let (tell, told) = channel();
    std::thread::spawn(move || {
        for (number, stream) in listener.incoming().enumerate() {
            let Ok(stream) = stream else { return };
            let status = if number == 0 { "503 Service Unavailable" } else { "204 No Content" };
            if tell.send(take(&stream, status)).is_err() {
                return;
            }
        }
    });
    (url, told)
}

fn take(mut stream: &TcpStream, status: &str) -> Arrived {
    let mut reader = BufReader::new(stream);
    let mut head = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        match line.trim_end() {
            "" => break,
            line => head.push(line.to_owned()),
        }
    }
    let arrived = Arrived { head, body: Value::Null };
    let mut body = vec![0; arrived.header("content-length").parse().unwrap()];
    reader.read_exact(&mut body).unwrap();
    write!(stream, "HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").unwrap();
    Arrived { body: serde_json::from_slice(&body).unwrap(), ..arrived }
}

#[test]
fn an_environment_ends_after_a_warning_that_a_webhook_hears_of() {
    let mut place = Place::new();
    let (url, told) = listen();
    place.set("ALFRED_WEBHOOK_URL", url.as_str());
    place.set("ALFRED_WEBHOOK_SECRET", SECRET);
    let running = up(&mut place);
    let ended = place.line("env create --slug brave-tiger --ttl 5s --json");
    assert_eq!(ended.code, 0, "{ended:?}");
    assert!(json(&ended)["environments"][0]["expires_at"].is_string(), "{ended:?}");
    let receive = || told.recv_timeout(Duration::from_mins(1)).expect("the webhook is called");
    let (failed, again) = (receive(), receive());
    assert_eq!(failed.header("webhook-id"), again.header("webhook-id"), "the same event, tried again");
    assert!(again.header("webhook-signature").starts_with("v1,") && again.head[0].starts_with("POST /hooks/4711 "));
    assert_eq!(again.body["type"], "environment.warning");
    assert_eq!(again.body["data"]["environment"]["slug"], "brave-tiger");
    assert_eq!(again.body["data"]["environment"]["owner"], "admin");

    let watched = place.line("env list --all --json");
    let row = &json(&watched)["environments"][0];
    assert!(row["expiry_warned_at"].is_string(), "{row}");
    let gone = || json(&place.line("env list --all --json"))["environments"][0]["status"] == "deleted";
    let mut left = 600;
    while !gone() {
        left -= 1;
        assert!(left > 0, "{}", running.stderr());
        std::thread::sleep(Duration::from_millis(100));
    }
    let shown = place.line(&format!("env show {}", "brave-tiger"));
    for words in
        ["it is deleted at", "alfred env extend brave-tiger --ttl 8h", "deleted, because its time to live is over"]
    {
        assert!(shown.stdout.contains(words), "{words}: {}", shown.stdout);
    }
    assert!(running.stderr().contains("is plain HTTP") && !running.stderr().contains("4711"), "{}", running.stderr());
    assert!(!running.stderr().contains(SECRET));
}

#[test]
fn an_end_is_put_off_and_taken_away() {
    let mut place = Place::new();
    let _running = up(&mut place);
    assert_eq!(place.line("env create --slug brave-tiger --ttl 1h --wait").code, 0);
    let extended = json(&place.line("env extend brave-tiger --ttl 8h --json"));
    let ends = extended["expires_at"].as_str().unwrap().to_owned();
    let shorter = json(&place.line("env extend brave-tiger --ttl 10m --json"));
    assert_eq!(shorter["expires_at"], ends.as_str(), "an extension never shortens");
    let listed = place.line("env list");
    assert!(listed.stdout.contains("EXPIRES") && listed.stdout.contains(" in 7h"), "{}", listed.stdout);
    assert!(place.line("env show brave-tiger").stdout.contains("expires "));
    let endless = place.line("env extend brave-tiger --ttl never");
    assert!(endless.stderr.contains("`brave-tiger` lives until somebody deletes it"), "{endless:?}");
    assert!(json(&place.line("env list --json"))["environments"][0]["expires_at"].is_null());
    assert_eq!(place.line("env delete brave-tiger --wait").code, 0);
    let late = place.line("env extend brave-tiger --ttl 8h");
    assert!(
        late.code == 1 && late.one_line().contains("`brave-tiger` is not extended: it is being deleted"),
        "{late:?}"
    );
}

#[test]
fn members_live_within_what_is_configured_and_administrators_need_not() {
    let mut place = Place::new();
    place.set("ALFRED_TTL_DEFAULT", "1h");
    place.set("ALFRED_TTL_MAX", "2h");
    let _running = up(&mut place);
    assert_eq!(place.line("env create --slug his-own --ttl never").code, 0);
    let token = place.line("token create --user ada --label laptop");
    place.set("ALFRED_TOKEN", token.stdout.trim());
    let usual = json(&place.line("env create --slug her-own --json"));
    assert!(usual["environments"][0]["expires_at"].is_string());
    for refused in ["env create --ttl 3h", "env create --ttl never", "env extend her-own --ttl 1d"] {
        let ended = place.line(refused);
        assert_eq!(ended.code, 1, "{ended:?}");
        assert!(ended.one_line().contains("a time to live is at most 2h here"), "{ended:?}");
    }
    assert!(place.line("env create --ttl 1s").one_line().contains("a time to live is at least 2s"));
    assert_eq!(place.line("env extend her-own --ttl 2h").code, 0);
    assert_eq!(place.line("env extend his-own --ttl 2h").code, 1, "what is somebody else's is not there");
}

#[test]
fn a_webhook_and_times_are_checked_at_the_start() {
    for (values, words) in [
        (
            &[("ALFRED_WEBHOOK_URL", "https://example.com/hooks")][..],
            "`ALFRED_WEBHOOK_URL` is set and `ALFRED_WEBHOOK_SECRET` is not",
        ),
        (&[("ALFRED_WEBHOOK_SECRET", SECRET)], "`ALFRED_WEBHOOK_SECRET` is set and `ALFRED_WEBHOOK_URL` is not"),
        (
            &[("ALFRED_WEBHOOK_URL", "https://example.com/hooks"), ("ALFRED_WEBHOOK_SECRET", "hunter2")],
            "openssl rand -base64 32",
        ),
        (
            &[("ALFRED_WEBHOOK_URL", "https://anna:hunter2@example.com/"), ("ALFRED_WEBHOOK_SECRET", SECRET)],
            "a webhook's address is a URL",
        ),
        (&[("ALFRED_TTL_DEFAULT", "soon")], "`ALFRED_TTL_DEFAULT`"),
        (&[("ALFRED_TTL_MAX", "1s")], "is not from 2s to 3652d"),
        (&[("ALFRED_QUOTA", "many")], "`ALFRED_QUOTA`"),
    ] {
        let mut place = Place::new();
        for (name, value) in values {
            place.set(name, *value);
        }
        let ended = place.line("up --local --instant --listen 127.0.0.1:0 --quiet");
        assert_eq!(ended.code, 2, "{ended:?}");
        assert!(ended.stderr.contains(words) && !ended.stderr.contains("hunter2"), "{words}: {ended:?}");
    }
}
