//! One report of a freshly installed machine to a server on this computer.
//!
//! Nothing but plain HTTP on a loopback address is called: user data comes from outside, and must not turn the local cloud
//! into somebody's way into a network.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use http::header::{CONTENT_TYPE, HOST, USER_AGENT};
use http::{Request, StatusCode, Uri};
use http_body_util::Full;
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::cloud_init::CloudConfig;

/// Attempts if the configuration names none, as in cloud-init.
const TRIES: u32 = 10;
/// More attempts than this are not made.
const TRIES_MAX: u32 = 20;
/// Between two attempts.
const PAUSE: Duration = Duration::from_secs(1);
/// For one attempt.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Why an attempt failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum CallError {
    #[error("could not connect to `{0}`")]
    Connect(SocketAddr, #[source] io::Error),
    #[error("could not send the report")]
    Send(#[source] hyper::Error),
    #[error("could not build the report")]
    Build(#[source] http::Error),
    #[error("the report was answered with status {0}")]
    Refused(StatusCode),
    #[error("the report took longer than {} seconds", TIMEOUT.as_secs())]
    TooSlow,
}

/// A report, ready to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Caller {
    server: SocketAddr,
    uri: Uri,
    form: String,
    tries: u32,
}

impl Caller {
    /// The report that the configuration asks for; `None` if it asks for none, or for one that may not be sent.
    pub(super) fn new(id: i64, hostname: &str, config: CloudConfig) -> Option<Self> {
        let phone_home = config.phone_home?;
        let uri: Uri = phone_home.url.replace("$INSTANCE_ID", &id.to_string()).parse().ok()?;
        let server = loopback(&uri)?;
        let hostname = config.hostname.unwrap_or_else(|| hostname.to_owned());
        let fqdn = config.fqdn.unwrap_or_else(|| hostname.clone());
        let mut form = form_urlencoded::Serializer::new(String::new());
        for (name, value) in [("instance_id", id.to_string()), ("hostname", hostname), ("fqdn", fqdn)] {
            if phone_home.post.has(name) {
                form.append_pair(name, &value);
            }
        }
        let tries = phone_home.tries.unwrap_or(TRIES).clamp(1, TRIES_MAX);
        Some(Self { server, uri, form: form.finish(), tries })
    }
}

/// The address of a plain HTTP server on this computer.
fn loopback(uri: &Uri) -> Option<SocketAddr> {
    if uri.scheme_str() != Some("http") {
        return None;
    }
    let host = uri.host()?;
    let ip = match host {
        "localhost" => IpAddr::V4(Ipv4Addr::LOCALHOST),
        _ => host.trim_start_matches('[').trim_end_matches(']').parse().ok()?,
    };
    ip.is_loopback().then(|| SocketAddr::new(ip, uri.port_u16().unwrap_or(80)))
}

/// Sends the report, several times if need be.
pub(super) async fn call(caller: &Caller) -> Result<(), CallError> {
    let mut left = caller.tries;
    loop {
        left -= 1;
        let attempt = tokio::time::timeout(TIMEOUT, send(caller)).await.unwrap_or(Err(CallError::TooSlow));
        match attempt {
            Err(_) if left > 0 => tokio::time::sleep(PAUSE).await,
            result => return result,
        }
    }
}

async fn send(caller: &Caller) -> Result<(), CallError> {
    let stream = TcpStream::connect(caller.server).await.map_err(|source| CallError::Connect(caller.server, source))?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(CallError::Send)?;
    let path = caller.uri.path_and_query().map_or("/", |path| path.as_str());
    let host = caller.uri.authority().map_or("localhost", |authority| authority.as_str());
    let request = Request::post(path)
        .header(HOST, host)
        .header(USER_AGENT, "Cloud-Init/local-cloud")
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(Full::new(Bytes::from(caller.form.clone())))
        .map_err(CallError::Build)?;
    // The connection is driven only as long as the answer is awaited, and is dropped with it. A server that closes at once
    // may end the connection and give the answer in the same step, so that the answer is asked for again.
    let mut answer = std::pin::pin!(sender.send_request(request));
    let response = tokio::select! {
        response = &mut answer => response,
        _ = connection => answer.await,
    };
    let status = response.map_err(CallError::Send)?.status();
    if status.is_success() { Ok(()) } else { Err(CallError::Refused(status)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(url: &str) -> Option<Caller> {
        let text = format!("#cloud-config\nphone_home:\n  url: \"{url}\"\n  post: [instance_id, hostname, fqdn]\n");
        Caller::new(7, "vmi7", CloudConfig::parse(&text).unwrap())
    }

    #[test]
    fn only_plain_http_on_loopback_is_called() {
        for url in [
            "https://127.0.0.1/x",
            "http://192.0.2.1/x",
            "http://example.org/x",
            "http://169.254.169.254/latest",
            "http://127.0.0.1.example.org/",
            "ftp://127.0.0.1/",
            "/x",
            "",
        ] {
            assert_eq!(caller(url), None, "`{url}`");
        }
        for url in ["http://127.0.0.1:7070/x", "http://localhost/x", "http://[::1]:1/x", "http://127.9.9.9/x"] {
            assert!(caller(url).is_some(), "`{url}`");
        }
    }

    #[test]
    fn the_report_names_the_machine() {
        let caller = caller("http://127.0.0.1:7070/booted/$INSTANCE_ID").unwrap();
        assert_eq!(caller.uri.path(), "/booted/7");
        assert_eq!(caller.form, "instance_id=7&hostname=vmi7&fqdn=vmi7");
    }
}
