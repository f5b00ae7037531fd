//! A control plane of its own, a person with `curl`, and one with an account at the provider.

use std::time::Duration;

use alfred_local_cloud::contabo;
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

use crate::place::{Ended, Place, Running};

/// So often is something looked for that comes to pass by itself.
const LOOKS: u32 = 300;

/// A control plane on the local cloud with a price, and more variables.
pub(super) fn up_with(variables: &[(&str, &str)]) -> (Place, Running) {
    let mut place = Place::new();
    place.set("ALFRED_VM_PRICE", "5.50 EUR");
    for (name, value) in variables {
        place.set(name, *value);
    }
    let running = place.start("up --local --instant --listen 127.0.0.1:0");
    place.set("ALFRED_URL", running.told("url"));
    (place, running)
}

pub(super) fn up() -> (Place, Running) {
    up_with(&[])
}

pub(super) fn json(ended: &Ended) -> Value {
    serde_json::from_str(&ended.stdout).unwrap_or_else(|_| panic!("{ended:?}"))
}

pub(super) fn done(place: &Place, line: &str) -> Value {
    let ended = place.line(&format!("{line} --json"));
    assert_eq!(ended.code, 0, "{line}: {ended:?}");
    json(&ended)
}

pub(super) fn vms(place: &Place) -> Vec<Value> {
    done(place, "vm list")["vms"].as_array().unwrap().clone()
}

/// The number of the only VM.
pub(super) fn only_vm(place: &Place) -> i64 {
    let vms = vms(place);
    assert_eq!(vms.len(), 1, "{vms:?}");
    vms[0]["id"].as_i64().unwrap()
}

/// Looks until `found` answers something.
pub(super) fn await_it<T>(running: &Running, what: &str, found: impl FnMut() -> Option<T>) -> T {
    let mut found = found;
    for _ in 0..LOOKS {
        if let Some(it) = found() {
            return it;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    panic!("{what} never came: {}", running.stderr());
}

pub(super) fn await_state(place: &Place, running: &Running, id: i64, state: &str) -> Value {
    await_it(running, state, || vms(place).into_iter().find(|vm| vm["id"] == id && vm["state"] == state))
}

/// An administrator or member who speaks HTTP, and the owner of the account at the provider.
pub(super) struct Http {
    http: reqwest::Client,
    runtime: tokio::runtime::Runtime,
}

impl Http {
    pub(super) fn new() -> Self {
        // The client cannot be built without one; a second installation is refused and changes nothing.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        Self { http: reqwest::Client::builder().no_proxy().build().unwrap(), runtime }
    }

    fn send(&self, request: reqwest::RequestBuilder) -> (u16, Value) {
        self.runtime.block_on(async {
            let response = request.send().await.unwrap();
            let status = response.status().as_u16();
            (status, serde_json::from_slice(&response.bytes().await.unwrap()).unwrap_or_default())
        })
    }

    /// A call of alfred's API; a body makes it a `POST`.
    pub(super) fn api(&self, running: &Running, token: &str, path: &str, body: Option<&Value>) -> (u16, Value) {
        let url = format!("{}{path}", running.told("url"));
        let request = match body {
            None => self.http.get(url),
            Some(body) => self.http.post(url).header("content-type", "application/json").body(body.to_string()),
        };
        self.send(request.bearer_auth(token.trim()))
    }

    /// Buys a VM at the local cloud's Contabo, behind alfred's back.
    pub(super) fn order_behind(&self, running: &Running, display_name: &str) -> i64 {
        let cloud = running.told("cloud_url");
        let options = contabo::Options::instant();
        let form = form_of(&[
            ("grant_type", "password"),
            ("client_id", &options.client_id),
            ("client_secret", options.client_secret.expose_secret()),
            ("username", &options.user),
            ("password", options.password.expose_secret()),
        ]);
        let login = self.http.post(format!("{cloud}/auth/realms/contabo/protocol/openid-connect/token"));
        let login = login.header("content-type", "application/x-www-form-urlencoded").body(form);
        let (status, token) = self.send(login);
        assert_eq!(status, 200, "{token}");
        let order = json!({ "productId": "V153", "region": "EU", "period": 1, "displayName": display_name });
        let request = self.http.post(format!("{cloud}/v1/compute/instances")).body(order.to_string());
        let request = request
            .header("content-type", "application/json")
            .header("x-request-id", "04e0f898-37b4-48bc-a794-1a57abe6aa31")
            .bearer_auth(token["access_token"].as_str().unwrap());
        let (status, answer) = self.send(request);
        assert_eq!(status, 201, "{answer}");
        answer["data"][0]["instanceId"].as_i64().unwrap()
    }
}

pub(super) fn form_of(pairs: &[(&str, &str)]) -> String {
    let encode = |text: &str| text.bytes().map(|byte| format!("%{byte:02X}")).collect::<Vec<_>>().concat();
    pairs.iter().map(|(name, value)| format!("{name}={}", encode(value))).collect::<Vec<_>>().join("&")
}

pub(super) fn admin_token(place: &Place) -> String {
    std::fs::read_to_string(place.data().join("admin-token")).unwrap()
}

pub(super) fn fits_the_screen(ended: &Ended) {
    for line in ended.stdout.lines().chain(ended.stderr.lines()) {
        assert!(line.chars().count() <= 100, "{} columns: {line}", line.chars().count());
    }
}
