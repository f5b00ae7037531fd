//! What is seen of the machines, and what is saved of the cloud.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use jiff::SignedDuration;
use serde_json::json;
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};

use super::support::{Bench, INSTANCES, UBUNTU, seams};
use crate::contabo::{Contabo, Delay, Options, State};

#[tokio::test]
async fn machines_are_listed_for_whoever_looks_after_them() {
    let bench = Bench::new(Options { boot: Delay::seconds(5, 0), ..Options::instant() }).await;
    let body = json!({ "period": 1, "displayName": "brave-tiger", "userData": "#cloud-config\n" });
    let id = bench.post(INSTANCES, body).await.object()["instanceId"].clone();
    let machine = json!({
        "instanceId": id,
        "address": "127.64.0.1",
        "port": 2222,
        "dial": null,
        "status": "running",
        "booted": false,
        "userDataBytes": 14,
        "wiped": 0,
        "displayName": "brave-tiger",
    });
    assert_eq!(bench.get("/_admin/machines").await.done(200).body, json!([machine]));
    bench.pass(5).await;
    assert_eq!(bench.get("/_admin/machines").await.body[0]["booted"], true);
}

#[tokio::test]
async fn user_data_of_no_machine_is_404() {
    let bench = Bench::instant().await;
    for id in ["1", "x"] {
        bench.get(&format!("/_admin/machines/{id}/user-data")).await.refused(404, "not found");
    }
}

#[tokio::test]
async fn changes_are_told_and_reads_are_not() {
    let bench = Bench::instant().await;
    let mut changed = bench.contabo.changed();
    bench.get(INSTANCES).await.done(200);
    bench.post(INSTANCES, json!({ "period": 7 })).await.invalid("period");
    assert!(!changed.has_changed().unwrap());
    bench.order("one").await;
    assert!(changed.has_changed().unwrap());
    let before = *changed.borrow_and_update();
    bench.order("two").await;
    assert_eq!(*changed.borrow(), before + 1);
}

#[tokio::test]
async fn a_saved_state_is_restored_in_another_process() {
    let bench = Bench::new(Options { boot: Delay::seconds(5, 0), ..Options::instant() }).await;
    let secret = json!({ "name": "root", "type": "password", "value": "PwdA?2092w#" });
    bench.post("/v1/secrets", secret).await.done(201);
    let id = bench.order("one").await;
    let address = bench.address(id).await;
    let saved = serde_json::to_string(&bench.contabo.state()).unwrap();

    let other = Bench::new(Options { boot: Delay::seconds(5, 0), ..Options::instant() }).await;
    other.contabo.restore(serde_json::from_str::<State>(&saved).unwrap());
    other.get(INSTANCES).await.refused(401, "Unauthorized");
    other.login().await;
    assert_eq!(other.instance(id).await, bench.instance(id).await);
    assert_eq!(other.get("/v1/secrets/1").await.object()["value"], "PwdA?2092w#");
    assert!(!other.contabo.reachable(address, 2222));
    other.clock.turn(SignedDuration::from_secs(5));
    assert!(other.contabo.reachable(address, 2222));
    assert_ne!(other.order("two").await, id);
}

#[tokio::test]
async fn nothing_that_is_printed_holds_a_secret() {
    let bench = Bench::instant().await;
    let secret = json!({ "name": "root", "type": "password", "value": "PwdA?2092w#" });
    bench.post("/v1/secrets", secret).await.done(201);
    bench.post(INSTANCES, json!({ "period": 1, "userData": "top-secret" })).await.done(201);
    let printed = format!("{:?} {:?} {:?}", bench.contabo, bench.contabo.state(), Options::default());
    for secret in ["PwdA?2092w#", "top-secret", "local-password", "local-client-secret"] {
        assert!(!printed.contains(secret), "{printed}");
    }
}

#[test]
fn options_are_read_with_defaults_for_what_is_left_out() {
    let options: Options = serde_json::from_str(r#"{"instance_cap":3,"sold_out":"refuse"}"#).unwrap();
    assert_eq!(options.instance_cap, 3);
    assert_eq!(options.readiness_port, 2222);
    let again: Options = serde_json::from_str(&serde_json::to_string(&options).unwrap()).unwrap();
    assert_eq!(again.instance_cap, 3);
}

#[test]
fn no_address_is_reachable_without_a_vm() {
    let (clock, random) = seams();
    let contabo = Contabo::new(Options::instant(), clock, random);
    assert!(!contabo.reachable("127.64.0.1".parse().unwrap(), 2222));
    assert_eq!(contabo.dial("127.64.0.1".parse().unwrap()), None);
}

/// Waits until the machine at `address` has a listener, or has none.
async fn dial(bench: &Bench, address: Ipv4Addr, listening: bool) -> Option<SocketAddr> {
    let seen = async {
        loop {
            let dial = bench.contabo.dial(address);
            if dial.is_some() == listening {
                return dial;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), seen).await.unwrap()
}

#[tokio::test]
async fn a_vm_has_a_real_socket_from_boot_to_wipe_and_again() {
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap().local_addr().unwrap().port();
    let options = Options {
        readiness_port: port,
        pool_base: Ipv4Addr::new(127, 64, 78, 0),
        pool_prefix: 24,
        reinstalling: Delay::seconds(30, 0),
        ..Options::instant()
    };
    let bench = Bench::new(options).await;
    bench.contabo.start_machines().await.unwrap();
    bench.contabo.start_machines().await.expect("a second start does nothing");
    let id = bench.order("one").await;
    let address = bench.address(id).await;
    let first = dial(&bench, address, true).await.unwrap();
    assert_eq!(bench.get("/_admin/machines").await.body[0]["dial"], first.to_string());
    let mut greeting = String::new();
    TcpStream::connect(first).await.unwrap().read_to_string(&mut greeting).await.unwrap();
    assert_eq!(greeting, "SSH-2.0-OpenSSH_9.6 local-cloud\r\n");

    bench.put(&format!("{INSTANCES}/{id}"), json!({ "imageId": UBUNTU })).await.done(200);
    dial(&bench, address, false).await;
    bench.pass(30).await;
    // The machines follow a real timer, the test's clock does not: a change makes them look again.
    bench.contabo.adjust(|_| ());
    dial(&bench, address, true).await;
    bench.contabo.stop_machines().await;
    assert_eq!(bench.contabo.dial(address), None);
    assert!(TcpStream::connect(first).await.is_err());
}

#[tokio::test]
async fn machines_are_not_started_if_the_process_may_not_open_enough_files() {
    let bench = Bench::new(Options { instance_cap: u32::MAX, ..Options::instant() }).await;
    let error = bench.contabo.start_machines().await.unwrap_err();
    assert!(error.to_string().contains("raise the limit"), "{error}");
}
