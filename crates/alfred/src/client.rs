//! The client of the server's HTTP API.
//!
//! It finds the access token, says plainly when there is no server, and repeats a call whose answer was lost only
//! where a repetition cannot do anything twice: reads, deletions, and creations that carry an idempotency key.

mod events;

use std::io::Write;
use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use alfred_model::seam::Random as _;
use futures::StreamExt as _;
use http::{Method, StatusCode, header};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::api::{Environment, Environments, Problem};
use crate::config::{Config, Key, Origin};
use crate::error::{Failure, chain, one_line};
use crate::files;
use crate::printer::Printer;
use crate::system::SystemRandom;

pub(crate) use events::EventStream;

/// The file in the data directory that holds the administrator's token.
pub(crate) const TOKEN_FILE: &str = "admin-token";

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const CALL_TIMEOUT: Duration = Duration::from_mins(1);

/// For answers that take a look at everything at both platforms.
const SLOW_TIMEOUT: Duration = Duration::from_mins(15);

/// An answer is not larger; a list of a thousand environments has half a megabyte.
const ANSWER_MAX: usize = 64 * 1024 * 1024;

/// A token is not longer.
const TOKEN_MAX: u64 = 4096;

/// A call whose answer was lost is repeated after these waits: a server that is restarted is back by then.
const REPEATS: [Duration; 7] = [
    Duration::from_millis(200),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(4),
    Duration::from_secs(8),
    Duration::from_secs(8),
];

/// Why a call to the server brought no answer of use.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClientError {
    /// Nothing was sent.
    #[error("no server answers at `{0}`: start one with `alfred up --local`, or say where it is with `--url`")]
    NoServer(String),
    /// It was sent, and what came of it is not known.
    #[error("the connection to the server was lost: {0}")]
    Lost(String),
    /// The server said no.
    #[error("{words}")]
    Refused {
        /// The HTTP status.
        status: StatusCode,
        /// The stable word for scripts and for us.
        code: String,
        /// What happened and what to do.
        words: String,
    },
    /// The answer is not what this API says.
    #[error("`{0}` answered something that is not alfred's API: check `ALFRED_URL`")]
    Unreadable(String),
}

impl ClientError {
    /// Whether the same call may well be answered later.
    pub(crate) fn may_pass(&self) -> bool {
        match self {
            Self::NoServer(_) | Self::Lost(_) => true,
            Self::Refused { status, .. } => status.is_server_error() || *status == StatusCode::TOO_MANY_REQUESTS,
            Self::Unreadable(_) => false,
        }
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        Self::new(error.to_string())
    }
}

/// A call that is about to be made.
struct Call<'a> {
    method: Method,
    path: &'a str,
    body: Option<String>,
    idempotency_key: Option<String>,
    /// Whether making it twice is the same as making it once.
    repeatable: bool,
    timeout: Duration,
}

impl<'a> Call<'a> {
    fn new(method: Method, path: &'a str) -> Self {
        let repeatable = method != Method::POST;
        Self { method, path, body: None, idempotency_key: None, repeatable, timeout: CALL_TIMEOUT }
    }
}

/// Speaks to one server with one token.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    http: reqwest::Client,
    base: String,
    token: Option<SecretString>,
}

impl Client {
    /// A client for the configured server. `token_file` is the flag, which goes before all else.
    pub(crate) fn new(config: &Config, token_file: Option<&Path>, printer: Printer) -> Result<Self, Failure> {
        let expected = "a URL such as `https://alfred.example.com`";
        let base = config.text(Key::Url).unwrap_or_default().trim_end_matches('/').to_owned();
        let url = reqwest::Url::parse(&base).map_err(|_| config.wrong(Key::Url, expected))?;
        if !matches!(url.scheme(), "http" | "https") || !url.username().is_empty() || url.password().is_some() {
            return Err(config.wrong(Key::Url, expected));
        }
        let local = is_loopback(&url);
        let token = find_token(config, token_file, local)?;
        if !local && url.scheme() == "http" && token.is_some() {
            printer
                .warning(format_args!("`{base}` is not encrypted: anybody on the way can read the token, use https"));
        }
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("alfred/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none());
        if local {
            builder = builder.no_proxy();
        }
        if local && url.scheme() == "http" {
            builder = without_certificates(builder);
        }
        let http = builder.build().map_err(|error| Failure::because("cannot start the HTTP client", &error))?;
        Ok(Self { http, base, token })
    }

    /// A client for a server inside this process.
    pub(crate) fn inside(base: String, token: SecretString) -> Result<Self, Failure> {
        let builder = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy();
        let http = without_certificates(builder)
            .build()
            .map_err(|error| Failure::because("cannot start the HTTP client", &error))?;
        Ok(Self { http, base, token: Some(token) })
    }

    /// Reads.
    pub(crate) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        self.json(Call::new(Method::GET, path)).await
    }

    /// Reads what takes minutes.
    pub(crate) async fn get_slowly<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        self.json(Call { timeout: SLOW_TIMEOUT, ..Call::new(Method::GET, path) }).await
    }

    /// Deletes; deleting twice is deleting once.
    pub(crate) async fn delete(&self, path: &str) -> Result<(), ClientError> {
        self.send(Call::new(Method::DELETE, path)).await.map(|_| ())
    }

    /// Deletes, and reads what there was.
    pub(crate) async fn delete_and_read<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        self.json(Call::new(Method::DELETE, path)).await
    }

    /// Sets something that needs no more words than its path.
    pub(crate) async fn put_nothing(&self, path: &str) -> Result<(), ClientError> {
        self.send(Call::new(Method::PUT, path)).await.map(drop)
    }

    /// Copies an answer of any length, as it comes, and says how long it was.
    pub(crate) async fn copy(&self, path: &str, sink: &mut (dyn Write + Send)) -> Result<u64, Failure> {
        let request = self.request(&Method::GET, path).timeout(SLOW_TIMEOUT);
        let response = request.send().await.map_err(|error| self.transport(&error))?;
        let status = response.status();
        if !status.is_success() {
            let body = self.read(response).await?;
            return Err(refused(status, &body).into());
        }
        let mut length = 0;
        let mut stream = response.bytes_stream();
        while let Some(part) = stream.next().await {
            let part = part.map_err(|error| self.transport(&error))?;
            sink.write_all(&part)?;
            length += part.len() as u64;
        }
        sink.flush()?;
        Ok(length)
    }

    /// Asks for something that is not repeated when its answer is lost.
    pub(crate) async fn post<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T, ClientError> {
        let body = Some(self.body(body)?);
        self.json(Call { body, ..Call::new(Method::POST, path) }).await
    }

    /// Sets something; setting it twice is setting it once.
    pub(crate) async fn put<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T, ClientError> {
        let body = Some(self.body(body)?);
        self.json(Call { body, ..Call::new(Method::PUT, path) }).await
    }

    /// The same for what takes minutes.
    pub(crate) async fn post_slowly<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, ClientError> {
        let body = Some(self.body(body)?);
        self.json(Call { body, timeout: SLOW_TIMEOUT, ..Call::new(Method::POST, path) }).await
    }

    /// Asks for something under an idempotency key, so that it is done once however often it is sent.
    pub(crate) async fn create<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, ClientError> {
        let body = Some(self.body(body)?);
        let idempotency_key = Some(SystemRandom.uuid().to_string());
        self.json(Call { body, idempotency_key, repeatable: true, ..Call::new(Method::POST, path) }).await
    }

    /// Every environment of a list, over all its pages. `query` is empty or begins with `&`.
    pub(crate) async fn environments(&self, query: &str) -> Result<Vec<Environment>, ClientError> {
        let mut environments = Vec::new();
        let mut cursor: Option<String> = None;
        loop {
            let after = cursor.map(|cursor| format!("&cursor={}", encode(&cursor))).unwrap_or_default();
            let page: Environments = self.get(&format!("/v1/environments?limit=1000{query}{after}")).await?;
            let empty = page.environments.is_empty();
            environments.extend(page.environments);
            match page.next_cursor {
                Some(next) if !empty => cursor = Some(next),
                _ => return Ok(environments),
            }
        }
    }

    /// What happens from now on, or after an event: to one environment or to all.
    pub(crate) async fn events(&self, slug: Option<&str>, after: Option<i64>) -> Result<EventStream, ClientError> {
        let mut query = Vec::new();
        query.extend(slug.map(|slug| format!("environment={slug}")));
        query.extend(after.map(|after| format!("after={after}")));
        let request = self.request(&Method::GET, &format!("/v1/events?{}", query.join("&")));
        let response = request.send().await.map_err(|error| self.transport(&error))?;
        if !response.status().is_success() {
            let status = response.status();
            let body = self.read(response).await?;
            return Err(refused(status, &body));
        }
        Ok(EventStream::new(response))
    }

    fn body(&self, body: &impl Serialize) -> Result<String, ClientError> {
        serde_json::to_string(body).map_err(|_| ClientError::Unreadable(self.base.clone()))
    }

    async fn json<T: DeserializeOwned>(&self, call: Call<'_>) -> Result<T, ClientError> {
        let body = self.send(call).await?;
        serde_json::from_slice(&body).map_err(|_| ClientError::Unreadable(self.base.clone()))
    }

    /// A call that may be repeated is, once it is known that a server was there: a first connection that is refused
    /// is told at once, because then there is most likely no server at all.
    async fn send(&self, call: Call<'_>) -> Result<Vec<u8>, ClientError> {
        let mut result = self.send_once(&call).await;
        if !call.repeatable || !matches!(result, Err(ClientError::Lost(_))) {
            return result;
        }
        for wait in REPEATS {
            tokio::time::sleep(wait).await;
            result = self.send_once(&call).await;
            if !matches!(result, Err(ClientError::Lost(_) | ClientError::NoServer(_))) {
                break;
            }
        }
        result
    }

    async fn send_once(&self, call: &Call<'_>) -> Result<Vec<u8>, ClientError> {
        let mut request = self.request(&call.method, call.path).timeout(call.timeout);
        if let Some(key) = &call.idempotency_key {
            request = request.header("idempotency-key", key);
        }
        if let Some(body) = &call.body {
            request = request.header(header::CONTENT_TYPE, "application/json").body(body.clone());
        }
        let response = request.send().await.map_err(|error| self.transport(&error))?;
        let status = response.status();
        let body = self.read(response).await?;
        if status.is_success() { Ok(body) } else { Err(refused(status, &body)) }
    }

    fn request(&self, method: &Method, path: &str) -> reqwest::RequestBuilder {
        let mut request = self.http.request(method.clone(), format!("{}{path}", self.base));
        if let Some(token) = &self.token {
            request = request.bearer_auth(token.expose_secret());
        }
        request
    }

    async fn read(&self, response: reqwest::Response) -> Result<Vec<u8>, ClientError> {
        let mut body = Vec::new();
        let mut stream = response.bytes_stream();
        while let Some(part) = stream.next().await {
            body.extend_from_slice(&part.map_err(|error| self.transport(&error))?);
            if body.len() > ANSWER_MAX {
                return Err(ClientError::Unreadable(self.base.clone()));
            }
        }
        Ok(body)
    }

    fn transport(&self, error: &reqwest::Error) -> ClientError {
        if error.is_connect() { ClientError::NoServer(self.base.clone()) } else { ClientError::Lost(chain(error)) }
    }
}

/// The system's certificates are hundreds of files on some systems. Where nothing is encrypted, no proxy is on the way and
/// no redirection is followed, nobody reads them.
fn without_certificates(builder: reqwest::ClientBuilder) -> reqwest::ClientBuilder {
    builder.tls_certs_only([])
}

/// A text as part of a URL's query.
pub(crate) fn encode(text: &str) -> String {
    use std::fmt::Write as _;
    text.bytes().fold(String::new(), |mut encoded, byte| {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
            encoded.push(char::from(byte));
        } else {
            // Writing to a text cannot fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
        encoded
    })
}

fn refused(status: StatusCode, body: &[u8]) -> ClientError {
    let problem: Problem = serde_json::from_slice(body).unwrap_or_default();
    let code = problem.code.unwrap_or_default();
    let mut words = problem.detail.or(problem.title).unwrap_or_else(|| format!("the server answered {status}"));
    // The server's hints are for those who speak HTTP; where a command says it better, that is said.
    let hint = match (status, code.as_str()) {
        (StatusCode::UNAUTHORIZED, _) => Some("give a token with `ALFRED_TOKEN` or `--token-file`".to_owned()),
        (_, "environment_not_found") => Some("`alfred env list --all` shows yours".to_owned()),
        (_, "over_quota") => Some("`alfred env quota` shows it".to_owned()),
        // What these say is complete, in the words of commands.
        (
            _,
            "extension_refused" | "bad_ttl" | "vm_not_found" | "vm_name_wrong" | "vm_foreign" | "cancel_refused"
            | "adopt_refused" | "state_refused" | "state_damaged" | "bad_grant",
        ) => None,
        (_, "state_not_found") => Some("`alfred state list --all` shows yours".to_owned()),
        (_, "version_not_found") => Some("`alfred state versions` lists those that are kept".to_owned()),
        (_, "state_locked") => Some("`alfred state show` tells more about the lock".to_owned()),
        (_, "token_not_found") => Some("`alfred token list` shows yours".to_owned()),
        (_, "intent_not_found" | "abandon_refused") => Some("`alfred vm pool` shows orders that can be".to_owned()),
        _ => problem.hint,
    };
    if let Some(hint) = hint {
        words = format!("{words}: {hint}");
    }
    ClientError::Refused { status, code, words: one_line(&words) }
}

fn is_loopback(url: &reqwest::Url) -> bool {
    match url.host_str() {
        Some("localhost") => true,
        Some(host) => host.trim_matches(['[', ']']).parse().is_ok_and(|address: IpAddr| address.is_loopback()),
        None => false,
    }
}

/// The token: the flag's file, then the configuration's, then the administrator's of this machine's own server. The
/// last is for servers on this machine only, lest it be shown to somebody else's.
fn find_token(config: &Config, file: Option<&Path>, local: bool) -> Result<Option<SecretString>, Failure> {
    if let Some(path) = file {
        let token = read_token(path)?;
        return token.map(Some).ok_or_else(|| Failure::usage(format!("there is no token file `{}`", path.display())));
    }
    if let Some(token) = config.secret(Key::Token) {
        return Ok(Some(token.clone()));
    }
    if !local && config.origin(Key::Url) != Some(&Origin::Default) {
        return Ok(None);
    }
    match config.data_dir() {
        Ok(directory) => read_token(&directory.join(TOKEN_FILE)),
        Err(_) => Ok(None),
    }
}

fn read_token(path: &Path) -> Result<Option<SecretString>, Failure> {
    files::check_private(path)?;
    let token = files::read_text(path, TOKEN_MAX)?;
    Ok(token.map(|token| token.trim().into()))
}

#[cfg(test)]
mod tests;
