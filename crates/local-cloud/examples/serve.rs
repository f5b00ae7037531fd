//! Runs the local cloud alone, to try clients against: `cargo run -p alfred-local-cloud --example serve`.
//!
//! `LOCAL_CLOUD_HTTP`, `LOCAL_CLOUD_DNS` and `LOCAL_CLOUD_R2` set the addresses, `LOCAL_CLOUD_STATE` a state file; arguments are fault
//! rules, one each. It runs until Ctrl-C.

use std::{env, error::Error, net::SocketAddr, sync::Arc};

use alfred_local_cloud::{
    Listen, LocalCloud, Options,
    cloudflare::{DEMO_ACCOUNT_ID, DEMO_TOKEN, DEMO_ZONE_ID},
    r2::{DEMO_ACCESS_KEY_ID, DEMO_SECRET_ACCESS_KEY},
};
use alfred_model::seam::{Clock, Random};
use jiff::Timestamp;

struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "an example is a program of its own")]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

struct SystemRandom;

impl Random for SystemRandom {
    #[expect(clippy::disallowed_methods, reason = "an example is a program of its own")]
    fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(16) {
            chunk.copy_from_slice(&uuid::Uuid::new_v4().as_bytes()[..chunk.len()]);
        }
    }
}

fn address(variable: &str, default: &str) -> Result<SocketAddr, Box<dyn Error>> {
    let text = env::var(variable).unwrap_or_else(|_| default.to_owned());
    text.parse().map_err(|error| format!("`{variable}={text}` is no address: {error}").into())
}

#[expect(clippy::print_stdout, reason = "an example talks to whoever runs it")]
#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut options = Options { state_file: env::var_os("LOCAL_CLOUD_STATE").map(Into::into), ..Options::default() };
    for rule in env::args().skip(1) {
        options.faults.push(rule.parse()?);
    }
    let cloud = LocalCloud::open(options, Arc::new(SystemClock), Arc::new(SystemRandom))?;
    let running = cloud
        .serve(Listen {
            http: address("LOCAL_CLOUD_HTTP", "127.0.0.1:7071")?,
            dns: address("LOCAL_CLOUD_DNS", "127.0.0.1:7053")?,
            r2: address("LOCAL_CLOUD_R2", "127.0.0.1:7072")?,
        })
        .await?;
    println!("CLOUDFLARE_API_BASE=http://{}/client/v4", running.http_address);
    println!("CLOUDFLARE_API_TOKEN={DEMO_TOKEN}");
    println!("CLOUDFLARE_ZONE_ID={DEMO_ZONE_ID}");
    println!("CLOUDFLARE_ACCOUNT_ID={DEMO_ACCOUNT_ID}");
    println!("R2_ENDPOINT=http://{}", running.r2_address);
    println!("AWS_ACCESS_KEY_ID={DEMO_ACCESS_KEY_ID}");
    println!("AWS_SECRET_ACCESS_KEY={DEMO_SECRET_ACCESS_KEY}");
    println!("LOCAL_CLOUD_ADMIN=http://{}/_admin", running.http_address);
    println!("ALFRED_DNS_SERVER={}", running.dns_address);
    tokio::signal::ctrl_c().await?;
    running.stop().await;
    Ok(())
}
