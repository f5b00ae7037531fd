//! What people look at DNS with: `dig`, from Debian's package bind9-dnsutils, unchanged.

#![allow(clippy::unwrap_used, reason = "a test ends where something is not as it must be")]

use std::process::Command;
use std::sync::Arc;

use alfred_local_cloud::cloudflare::{DEMO_TOKEN, DEMO_ZONE_ID};
use alfred_local_cloud::{Listen, LocalCloud, Options, Running};
use alfred_model::seam::{Clock, Random};
use bytes::Bytes;
use jiff::Timestamp;
use serde_json::{Value, json};

struct Noon;

impl Clock for Noon {
    fn now(&self) -> Timestamp {
        Timestamp::from_second(1_800_000_000).unwrap()
    }
}

/// A counter instead of chance: ids need only differ.
#[derive(Default)]
struct Counted(std::sync::atomic::AtomicU64);

impl Random for Counted {
    fn fill(&self, bytes: &mut [u8]) {
        for byte in bytes {
            let count = self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            *byte = u8::try_from((count.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32) & 0xFF).unwrap();
        }
    }
}

async fn create(cloud: &LocalCloud, record: Value) {
    let request = http::Request::post(format!("/client/v4/zones/{DEMO_ZONE_ID}/dns_records"))
        .header("authorization", format!("Bearer {DEMO_TOKEN}"))
        .header("content-type", "application/json")
        .body(Bytes::from(record.to_string()))
        .unwrap();
    let answer = cloud.call(request).await.unwrap();
    assert_eq!(answer.status(), 200, "{:?}", answer.body());
}

/// What `dig` prints when asked with `words`.
fn dig(running: &Running, words: &[&str]) -> String {
    let server = format!("@{}", running.dns_address.ip());
    let port = running.dns_address.port().to_string();
    let output = Command::new("dig")
        .args([server.as_str(), "-p", &port, "+tries=1", "+time=5"])
        .args(words)
        .output()
        .unwrap_or_else(|error| panic!("`dig` cannot be run ({error}): install the package bind9-dnsutils"));
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn dig_reads_the_zone_over_udp_and_tcp() {
    let cloud = LocalCloud::new(Options::default(), Arc::new(Noon), Arc::new(Counted::default()));
    let running = cloud.serve(Listen::default()).await.unwrap();
    create(&cloud, json!({"type": "A", "name": "brave-tiger", "content": "127.64.0.1", "ttl": 300})).await;
    create(&cloud, json!({"type": "AAAA", "name": "brave-tiger", "content": "2001:db8::1", "ttl": 300})).await;
    create(&cloud, json!({"type": "CNAME", "name": "alias", "content": "brave-tiger.alfredos.site", "ttl": 120})).await;
    let told = tokio::task::spawn_blocking(move || {
        let short = |words: &[&str]| dig(&running, &[words, &["+short"]].concat());
        for transport in ["+notcp", "+tcp"] {
            assert_eq!(short(&["brave-tiger.alfredos.site", "A", transport]).trim(), "127.64.0.1");
            assert_eq!(short(&["Brave-Tiger.AlfredOS.site.", "AAAA", transport]).trim(), "2001:db8::1");
            let alias = short(&["alias.alfredos.site", "A", transport]);
            assert_eq!(alias.lines().collect::<Vec<_>>(), ["brave-tiger.alfredos.site.", "127.64.0.1"]);
        }
        assert_eq!(short(&["alfredos.site", "SOA"]).split_whitespace().count(), 7, "an SOA record has seven fields");
        assert_eq!(short(&["alfredos.site", "NS"]).lines().count(), 2, "a zone has two name servers");
        let missing = dig(&running, &["nobody.alfredos.site", "A"]);
        assert!(missing.contains("status: NXDOMAIN") && missing.contains("SOA"), "{missing}");
        let no_data = dig(&running, &["brave-tiger.alfredos.site", "MX"]);
        assert!(no_data.contains("status: NOERROR") && no_data.contains("ANSWER: 0"), "{no_data}");
        let elsewhere = dig(&running, &["example.com", "A"]);
        assert!(elsewhere.contains("status: REFUSED"), "{elsewhere}");
        let whole = dig(&running, &["brave-tiger.alfredos.site", "A"]);
        let words: Vec<&str> = whole.split_whitespace().collect();
        assert!(whole.contains("flags: qr aa") && words.join(" ").contains(" 300 IN A 127.64.0.1"), "{whole}");
        running
    });
    told.await.unwrap().stop().await;
}
