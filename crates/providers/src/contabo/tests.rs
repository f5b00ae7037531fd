use std::net::Ipv4Addr;
use std::time::Duration;

use alfred_model::failure::Disposition;
use alfred_model::vm::InstanceStatus;

use super::*;
use crate::secret::{StoredValue, UserData};
use crate::testing::{Answer, Counting, Script, TokioClock, json, lost, not_sent, with_header};

const SECRETS: [&str; 4] = ["client&secret", "pass word", "the-access-token", "#cloud-config key: s3cret"];

fn client(script: &Arc<Script>) -> Contabo {
    let options = ContaboOptions {
        base: BaseUrl::parse("https://api.example").unwrap(),
        auth_url: BaseUrl::parse("https://auth.example/token").unwrap(),
        client_id: "client".into(),
        client_secret: ClientSecret::new(SECRETS[0]),
        user: "me@example.com".into(),
        password: ApiPassword::new(SECRETS[1]),
        page_size: 2,
    };
    Contabo::new(script.clone(), options, TokioClock::start(), Arc::new(Counting::default()), CallCounts::new())
}

fn token() -> Answer {
    json(200, &format!(r#"{{"access_token":"{}","expires_in":300,"refresh_token":"r"}}"#, SECRETS[2]))
}

fn data(values: &str) -> Answer {
    json(200, &format!(r#"{{"data":[{values}],"_links":{{"self":"","last":""}}}}"#))
}

fn page(ids: &[i64], total: usize) -> Answer {
    let list: Vec<String> = ids.iter().map(|id| format!(r#"{{"instanceId":{id}}}"#)).collect();
    let list = list.join(",");
    json(
        200,
        &format!(r#"{{"data":[{list}],"_pagination":{{"size":2,"totalElements":{total}}},"_links":{{"last":""}}}}"#),
    )
}

fn request_id() -> RequestId {
    RequestId::try_from(uuid::Uuid::parse_str("04e0f898-37b4-48bc-a794-1a57abe6aa31").unwrap()).unwrap()
}

fn order() -> OrderRequest {
    OrderRequest {
        request_id: request_id(),
        display_name: "alfredos-brave-tiger".into(),
        product: "V153".into(),
        region: "EU".into(),
        image: "img".into(),
        period: 1,
        ssh_keys: vec![7],
        root_password: None,
        user_data: Some(UserData::new(SECRETS[3])),
        default_user: None,
    }
}

fn reinstall() -> ReinstallRequest {
    ReinstallRequest {
        image: "img".into(),
        ssh_keys: Vec::new(),
        root_password: None,
        user_data: Some(UserData::new(SECRETS[3])),
        default_user: Some("root".into()),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Read,
    Write,
    Order,
}

const CALLS: [(&str, Kind); 14] = [
    ("create_instance", Kind::Order),
    ("instance", Kind::Read),
    ("instances", Kind::Read),
    ("instance_audits", Kind::Read),
    ("images", Kind::Read),
    ("secrets", Kind::Read),
    ("rename", Kind::Write),
    ("reinstall", Kind::Write),
    ("cancel", Kind::Write),
    ("start", Kind::Write),
    ("stop", Kind::Write),
    ("restart", Kind::Write),
    ("create_secret", Kind::Write),
    ("delete_secret", Kind::Write),
];

async fn call(client: &Contabo, name: &str) -> Result<(), ProviderError> {
    let (request, id) = (request_id(), VmId(12));
    match name {
        "create_instance" => client.create_instance(&order()).await.map(|_| ()),
        "instance" => client.instance(id).await.map(|_| ()),
        "instances" => client.instances(&InstanceFilter::all()).await.map(|_| ()),
        "instance_audits" => client.instance_audits(&AuditFilter::request(request)).await.map(|_| ()),
        "images" => client.images(Some("ubuntu")).await.map(|_| ()),
        "secrets" => client.secrets(None).await.map(|_| ()),
        "rename" => client.rename(request, id, "alfredos-pool-12").await,
        "reinstall" => client.reinstall(request, id, &reinstall()).await,
        "cancel" => client.cancel(request, id).await.map(|_| ()),
        "start" => client.start(request, id).await,
        "stop" => client.stop(request, id).await,
        "restart" => client.restart(request, id).await,
        "create_secret" => {
            let value = StoredValue::new("ssh-ed25519 AAAA");
            client.create_secret(request, "key", StoredSecretKind::Ssh, &value).await.map(|_| ())
        }
        "delete_secret" => client.delete_secret(request, StoredSecretId(3)).await,
        other => panic!("no call {other}"),
    }
}

fn message(status: u16) -> Answer {
    json(status, &format!(r#"{{"statusCode":{status},"message":"no."}}"#))
}

#[tokio::test(start_paused = true)]
async fn what_each_failure_means_for_each_call() {
    use Disposition::{Definite, Unknown};
    let wait = Disposition::Wait { after: None };
    let short = Disposition::Wait { after: Some(Duration::from_secs(9)) };
    let mut cases: Vec<(String, Answer, [Disposition; 3])> = vec![
        ("not sent".into(), not_sent(), [wait, wait, wait]),
        ("lost".into(), lost(), [wait, Unknown, Unknown]),
        ("cut".into(), json(200, r#"{"data":[{"#), [wait, Unknown, Unknown]),
        ("page".into(), json(201, "<html>"), [wait, Unknown, Unknown]),
        ("429 with a wait".into(), with_header(message(429), "retry-after", "9"), [short, short, Unknown]),
        ("500 page".into(), json(500, "<html>"), [wait, Unknown, Unknown]),
    ];
    for status in [400, 402, 403, 405, 415, 422] {
        cases.push((status.to_string(), message(status), [Definite; 3]));
    }
    for status in [409, 413, 302] {
        cases.push((status.to_string(), message(status), [Definite, Definite, Unknown]));
    }
    for status in [408, 429] {
        cases.push((status.to_string(), message(status), [wait, wait, Unknown]));
    }
    for status in [500, 502, 503, 504] {
        cases.push((status.to_string(), message(status), [wait, Unknown, Unknown]));
    }
    for (case, answer, [for_read, for_write, for_order]) in cases {
        for (name, kind) in CALLS {
            if name == "delete_secret" && (case == "cut" || case == "page") {
                continue; // Its answer has no body to be read.
            }
            let script = Script::new([token(), answer.clone()]);
            let error = call(&client(&script), name).await.unwrap_err();
            let expected = match kind {
                Kind::Read => for_read,
                Kind::Write => for_write,
                Kind::Order => for_order,
            };
            assert_eq!(error.disposition, expected, "{case}, {name}: {error}");
            assert_eq!(error.failure().refused, case.starts_with("429"), "{case}, {name}");
            assert_eq!(script.sent().len(), 2, "{case}, {name}: nothing is sent twice");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_401_is_answered_with_one_new_login_for_every_call() {
    for (name, _) in CALLS {
        let script = Script::new([token(), message(401), token(), message(401)]);
        let error = call(&client(&script), name).await.unwrap_err();
        assert_eq!((error.disposition, error.kind), (Disposition::Definite, ErrorKind::Permission), "{name}");
        assert_eq!(script.sent().len(), 4, "{name}");
        assert_eq!(script.header(1, "x-request-id"), script.header(3, "x-request-id"), "{name}");
    }
    let script = Script::new([token(), message(401), token(), data(r#"{"instanceId":12}"#)]);
    assert!(client(&script).instance(VmId(12)).await.unwrap().is_some());
}

#[tokio::test(start_paused = true)]
async fn a_failed_login_means_that_the_call_was_not_sent() {
    let refused = || json(401, r#"{"error":"invalid_grant","error_description":"Invalid user credentials"}"#);
    let bad_client = || json(401, r#"{"error":"invalid_client"}"#);
    for answers in [
        vec![not_sent()],
        vec![lost()],
        vec![json(500, "<html>")],
        vec![json(429, "")],
        vec![json(200, "{}")],
        vec![json(200, r#"{"access_token":"a\nb"}"#)],
        vec![bad_client()],
        vec![refused(), refused()],
    ] {
        let count = answers.len();
        for (name, _) in CALLS {
            let script = Script::new(answers.clone());
            let error = call(&client(&script), name).await.unwrap_err();
            assert!(matches!(error.disposition, Disposition::Wait { .. }), "{name}: {error}");
            assert!(error.words.contains("was not sent, since the login failed"), "{error}");
            assert_eq!(script.sent().len(), count);
        }
    }
    let began = tokio::time::Instant::now();
    let script = Script::new([refused(), token(), data(r#"{"instanceId":12}"#)]);
    client(&script).instance(VmId(12)).await.unwrap();
    assert!(began.elapsed() >= Duration::from_millis(1_500), "the second try waits");
}

#[tokio::test(start_paused = true)]
async fn a_hundred_callers_log_in_once_and_fail_once() {
    let answers = std::iter::once(token()).chain((0..100).map(|_| data(r#"{"instanceId":12}"#)));
    let script = Script::new(answers);
    let shared = client(&script);
    let calls = (0..100).map(|_| shared.instance(VmId(12)));
    assert!(futures::future::join_all(calls).await.into_iter().all(|found| found.unwrap().is_some()));
    assert_eq!(shared.wire.counts.of("POST token"), 1);
    // It holds until 30 seconds before its end, and is renewed then.
    let script = Script::new([token(), page(&[], 0), page(&[], 0), token(), page(&[], 0)]);
    let shared = client(&script);
    for (seconds, logins) in [(0, 1), (269, 1), (2, 2)] {
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        shared.instances(&InstanceFilter::all()).await.unwrap();
        assert_eq!(shared.wire.counts.of("POST token"), logins);
    }
    // Those who waited for a login that failed share its failure; the next caller tries anew.
    let script = Script::new([json(500, ""), token(), page(&[], 0)]);
    let shared = client(&script);
    let calls = (0..100).map(|_| shared.instance(VmId(12)));
    assert!(futures::future::join_all(calls).await.into_iter().all(|found| found.is_err()));
    assert_eq!(shared.wire.counts.of("POST token"), 1);
    assert!(shared.instances(&InstanceFilter::all()).await.unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_login_that_is_put_off_is_put_off_for_all_callers() {
    let refused = with_header(json(429, ""), "retry-after", "9");
    let script = Script::new([refused, token(), page(&[], 0)]);
    let shared = client(&script);
    for (passed, left) in [(0, 9), (5, 4), (3, 1)] {
        tokio::time::sleep(Duration::from_secs(passed)).await;
        let error = shared.instances(&InstanceFilter::all()).await.unwrap_err();
        assert_eq!(error.disposition, Disposition::Wait { after: Some(Duration::from_secs(left)) });
        assert_eq!(script.sent().len(), 1, "nothing is sent meanwhile");
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(shared.instances(&InstanceFilter::all()).await.unwrap().is_empty());
    // Whatever the provider says, nobody is held up for ever.
    let for_ever = with_header(json(429, ""), "retry-after", "99999999");
    let script = Script::new([for_ever, token(), page(&[], 0)]);
    let shared = client(&script);
    shared.instances(&InstanceFilter::all()).await.unwrap_err();
    tokio::time::sleep(Duration::from_mins(5)).await;
    assert!(shared.instances(&InstanceFilter::all()).await.unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn requests_are_as_documented() {
    let one = || data(r#"{"instanceId":12,"secretId":3,"cancelDate":"2026-12-21"}"#);
    let mut answers = vec![token(), one(), one(), page(&[], 0), page(&[], 0), page(&[], 0), page(&[], 0)];
    answers.extend((0..7).map(|_| one()));
    answers.push(json(204, ""));
    let script = Script::new(answers);
    let client = client(&script);
    for (name, _) in CALLS {
        call(&client, name).await.unwrap_or_else(|error| panic!("{name}: {error}"));
    }
    let base = "https://api.example/v1";
    let instance = format!("{base}/compute/instances/12");
    let user_data = SECRETS[3];
    let expected = [
        "POST https://auth.example/token grant_type=password&client_id=client&client_secret=client%26secret\
         &username=me%40example.com&password=pass%20word"
            .to_owned(),
        format!(
            r#"POST {base}/compute/instances {{"displayName":"alfredos-brave-tiger","productId":"V153","region":"EU","imageId":"img","period":1,"sshKeys":[7],"userData":"{user_data}"}}"#
        ),
        format!("GET {instance}"),
        format!("GET {base}/compute/instances?page=1&size=2"),
        format!("GET {base}/compute/instances/audits?requestId={}&page=1&size=2", request_id()),
        format!("GET {base}/compute/images?name=ubuntu&page=1&size=2"),
        format!("GET {base}/secrets?page=1&size=2"),
        format!(r#"PATCH {instance} {{"displayName":"alfredos-pool-12"}}"#),
        format!(r#"PUT {instance} {{"imageId":"img","userData":"{user_data}","defaultUser":"root"}}"#),
        format!("POST {instance}/cancel {{}}"),
        format!("POST {instance}/actions/start"),
        format!("POST {instance}/actions/stop"),
        format!("POST {instance}/actions/restart"),
        format!(r#"POST {base}/secrets {{"name":"key","type":"ssh","value":"ssh-ed25519 AAAA"}}"#),
        format!("DELETE {base}/secrets/3"),
    ];
    assert_eq!(script.sent(), expected);
    assert_eq!(script.header(0, "content-type").unwrap(), "application/x-www-form-urlencoded");
    assert_eq!(script.header(0, "authorization"), None);
    for (index, sent) in expected.iter().enumerate().skip(1) {
        assert_eq!(script.header(index, "authorization").unwrap(), "Bearer the-access-token");
        let content_type = script.header(index, "content-type");
        assert_eq!(content_type.as_deref(), sent.ends_with('}').then_some("application/json"), "{sent}");
        let id = uuid::Uuid::parse_str(&script.header(index, "x-request-id").unwrap()).unwrap();
        assert_eq!(id.get_version_num(), 4, "{sent}");
        assert_eq!(id == request_id().as_uuid(), !sent.starts_with("GET"), "{sent}");
    }
}

#[test]
fn a_request_id_holds_version_4_only() {
    let version_7 = uuid::Uuid::parse_str("0193a5b0-7f00-7000-8000-000000000000").unwrap();
    assert_eq!(RequestId::try_from(version_7), Err(NotVersion4(version_7)));
    assert!(RequestId::try_from(uuid::Uuid::nil()).is_err());
    let random = Counting::default();
    let id = RequestId::random(&random);
    assert_eq!(RequestId::try_from(id.as_uuid()), Ok(id));
    assert_ne!(RequestId::random(&random), id);
}

#[tokio::test]
async fn an_order_without_a_number_is_unknown() {
    for body in ["", r#"{"instanceId":0}"#, r#"{"instanceId":null}"#, r#"{"instanceId":1},{"instanceId":2}"#, "{}"] {
        let error = client(&Script::new([token(), data(body)])).create_instance(&order()).await.unwrap_err();
        assert_eq!(error.disposition, Disposition::Unknown, "{body}: {error}");
    }
    let script = Script::new([token(), data(r#"{"instanceId":"77","createdDate":"2026-11-21T08:00:00.000Z"}"#)]);
    assert_eq!(client(&script).create_instance(&order()).await.unwrap().id, VmId(77));
}

#[test]
fn instances_are_read_leniently() {
    let full = r#"{"tenantId":"DE","customerId":"1","instanceId":12345,"name":"vmi1","displayName":"alfredos-x",
        "dataCenter":"European Union 1","region":"EU","productId":"V153","productType":"gpu","imageId":"i",
        "ipConfig":{"v4":{"ip":"198.51.100.4","gateway":"1.1.1.1","netmaskCidr":19}},"ramMb":8192,"cpuCores":4,
        "createdDate":"2026-11-20T08:00:00.000Z","cancelDate":"2026-12-21","status":"running","addOns":[]}"#;
    let instance: Instance = serde_json::from_str(full).unwrap();
    assert_eq!(instance.address, Some(Ipv4Addr::new(198, 51, 100, 4)));
    assert_eq!((instance.status, instance.ram_mb), (InstanceStatus::Running, Some(8192)));
    assert_eq!(instance.cancel_date.unwrap().to_string(), "2026-12-21");
    for config in ["null", "{}", r#"{"v4":null}"#, r#"{"v4":{"ip":""}}"#, r#"{"v4":{"ip":"0.0.0.0"}}"#, "[]", "\"\""] {
        let text = format!(
            r#"{{"instanceId":1,"ipConfig":{config},"name":null,"displayName":"","ramMb":null,"cancelDate":"","status":"moonwalking"}}"#
        );
        let instance: Instance = serde_json::from_str(&text).unwrap();
        let absent = (instance.address, instance.name, instance.display_name, instance.cancel_date);
        assert_eq!(absent, (None, None, None, None), "{config}");
        assert_eq!(instance.status, InstanceStatus::Other);
    }
    let bare: Instance = serde_json::from_str(r#"{"instanceId":1}"#).unwrap();
    assert_eq!((bare.id, bare.status), (VmId(1), InstanceStatus::Other));
    assert!(serde_json::from_str::<Instance>(r#"{"displayName":"x"}"#).is_err());
    for status in InstanceStatus::ALL {
        let read: Instance = serde_json::from_str(&format!(r#"{{"instanceId":1,"status":"{status}"}}"#)).unwrap();
        assert_eq!(read.status, *status);
    }
}

#[tokio::test]
async fn audits_may_lack_an_instance_and_a_readable_request() {
    let entries = r#"{"id":1,"action":"CREATED","instanceId":0,"timestamp":"2021-03-30 11:35:06.177000+00:00",
        "requestId":"A2F56FAF-18N0-4893-11HG-R312M1E4FEC5","traceId":null},
        {"id":2,"action":"SHAVED","instanceId":"12","requestId":"04E0F898-37B4-48BC-A794-1A57ABE6AA31"}"#;
    let entries = format!(r#"{{"data":[{entries}],"_pagination":{{"totalElements":2}}}}"#);
    let script = Script::new([token(), json(200, &entries)]);
    let filter = AuditFilter { start: Some("2026-11-20".parse().unwrap()), ..AuditFilter::request(request_id()) };
    let audits = client(&script).instance_audits(&filter).await.unwrap();
    assert_eq!((audits[0].action, audits[0].instance_id, audits[0].request_id), (AuditAction::Created, None, None));
    assert!(audits[0].timestamp.is_some());
    assert_eq!((audits[1].action, audits[1].instance_id), (AuditAction::Other, Some(VmId(12))));
    assert_eq!(audits[1].request_id, Some(request_id().as_uuid()));
    assert!(script.sent()[1].contains("&startDate=2026-11-20&"));
}

#[tokio::test]
async fn lists_are_read_to_their_end_and_never_cut_short() {
    let ids = |instances: Vec<Instance>| instances.into_iter().map(|it| it.id.0).collect::<Vec<_>>();
    // An entry moved to the next page meanwhile.
    let script = Script::new([token(), page(&[1, 2], 4), page(&[2, 3], 4)]);
    assert_eq!(ids(client(&script).instances(&InstanceFilter::all()).await.unwrap()), [1, 2, 3]);
    // 404 means none; so does an empty page with empty links.
    for none in [message(404), page(&[], 0), data("")] {
        assert!(client(&Script::new([token(), none])).instances(&InstanceFilter::all()).await.unwrap().is_empty());
    }
    for second in [page(&[], 4), message(404), message(500), data(r#"{"displayName":"no number"}"#)] {
        let script = Script::new([token(), page(&[1, 2], 4), second]);
        let error = client(&script).instances(&InstanceFilter::all()).await.unwrap_err();
        assert_eq!(error.disposition, Disposition::Wait { after: None }, "{error}");
    }
    // Ids go in portions, and no ids means no call.
    let filter = InstanceFilter { ids: Some((1..=60).map(VmId).collect()), ..InstanceFilter::default() };
    let script = Script::new([token(), page(&[1], 1), page(&[60], 1)]);
    assert_eq!(ids(client(&script).instances(&filter).await.unwrap()), [1, 60]);
    assert!(script.sent()[1].contains("instanceIds=1%2C2%2C3"), "{:?}", script.sent());
    let script = Script::new([]);
    let nobody = InstanceFilter { ids: Some(Vec::new()), ..InstanceFilter::default() };
    assert!(client(&script).instances(&nobody).await.unwrap().is_empty());
}

#[tokio::test]
async fn one_instance_is_the_one_that_was_asked_for() {
    let script = Script::new([token(), message(404), data(r#"{"instanceId":13}"#), data("")]);
    let client = client(&script);
    assert_eq!(client.instance(VmId(12)).await.unwrap(), None);
    assert!(client.instance(VmId(12)).await.is_err());
    assert!(client.instance(VmId(12)).await.is_err(), "an empty answer is no proof of absence");
}

#[tokio::test]
async fn messages_may_be_texts_or_lists_and_come_with_the_mend() {
    let body =
        r#"{"statusCode":400,"message":["productId must be longer","No offer was found for product ID 'V91'."]}"#;
    let error = client(&Script::new([token(), json(400, body)])).create_instance(&order()).await.unwrap_err();
    assert_eq!(
        error.words,
        "order instance `alfredos-brave-tiger` (V153, EU) at Contabo was refused with status 400: productId must be \
         longer, No offer was found for product ID 'V91'; the product is not sold any more: choose another one"
    );
    let error = client(&Script::new([token(), message(402)])).cancel(request_id(), VmId(12)).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Payment);
    assert!(error.words.ends_with("settle the payment in Contabo's panel"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn secrets_are_shown_by_nothing() {
    let everything = SECRETS.join(" | ");
    let echo = serde_json::json!({ "statusCode": 400, "message": everything }).to_string();
    let page = format!("oops {everything}");
    let mut shown = Vec::new();
    for answer in [json(400, &echo), json(200, &page), json(500, &page)] {
        for (name, _) in CALLS {
            let client = client(&Script::new([token(), answer.clone()]));
            if let Err(error) = call(&client, name).await {
                let known = if matches!(name, "create_instance" | "reinstall") { 4 } else { 3 };
                for secret in &SECRETS[..known] {
                    assert!(!format!("{error} {error:?}").contains(secret), "{name}: {error}");
                }
            }
            shown.push(format!("{client:?} {:?} {:?}", order(), reinstall()));
        }
    }
    for body in [everything.clone(), serde_json::json!({ "error": "x", "error_description": everything }).to_string()] {
        for status in [200, 401] {
            let error = client(&Script::new([json(status, &body)])).instance(VmId(1)).await.unwrap_err();
            for secret in &SECRETS[..2] {
                assert!(!format!("{error:?}").contains(secret), "{error}");
            }
        }
    }
    let shown = shown.join("\n");
    for secret in SECRETS {
        assert!(!shown.contains(secret), "{shown}");
    }
}
