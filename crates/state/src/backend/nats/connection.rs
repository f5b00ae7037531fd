//! One connection, the bucket and the stream behind it, and writes that are sent again until they are answered.

use std::future::Future;
use std::time::Duration;

use async_nats::jetstream::context::PublishErrorKind;
use async_nats::jetstream::message::{PublishMessage, StreamMessage};
use async_nats::jetstream::stream::{LastRawMessageErrorKind, Stream};
use async_nats::jetstream::{self, Context};
use async_nats::{ConnectOptions, ServerAddr};
use secrecy::{ExposeSecret as _, SecretString};

use super::denials::Denials;
use super::failure::{Refusal, connect_error, is_overtaken, words};
use super::{NatsOptions, streams};
use crate::backend::BackendError;
use crate::backend::place::Place;

/// An answer is waited for so long, and asked for so many times.
const PATIENCE: Duration = Duration::from_secs(3);
pub(super) const ATTEMPTS: u32 = 5;
pub(super) const PAUSE: Duration = Duration::from_millis(300);

/// The first pause while several servers agree on somebody else's message; each further one is twice as long.
const OVERTAKEN_PAUSE: Duration = Duration::from_millis(20);

/// Cloudflare cuts WebSockets that are idle for 100 seconds.
const PING: Duration = Duration::from_secs(30);

/// A connection and what it is for.
pub(super) struct Connection {
    pub(super) place: Place,
    pub(super) bucket: String,
    pub(super) context: Context,
    pub(super) documents: Stream<()>,
    pub(super) contents: Stream<()>,
    denials: Denials,
}

/// What a write that depends on its subject's last sequence came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Published {
    /// It is the last message now, under this sequence.
    At(u64),
    /// The last message was another, and no sending of this one is without an answer: it was not taken.
    Refused,
    /// The last message was another at a later sending: it may be that an earlier one was taken and its answer was lost.
    RefusedLater,
}

impl Connection {
    pub(super) async fn open(address: &str, bucket: &str, options: &NatsOptions) -> Result<Self, BackendError> {
        let is_known = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        let is_bucket = (1..=64).contains(&bucket.len()) && bucket.bytes().all(is_known);
        let parsed = parse(address);
        let host = parsed
            .as_ref()
            .map_or_else(|| "…".to_owned(), |(server, _)| format!("{}:{}", server.host(), server.port()));
        let place = Place(format!("nats {host} {bucket}"));
        if !is_bucket {
            return Err(
                place.refused("the name of a bucket has 1 to 64 characters of `A-Z`, `a-z`, `0-9`, `-` and `_`")
            );
        }
        let (server, login) = parsed.ok_or_else(|| {
            place.refused("its address cannot be read: it must be `nats://HOST:PORT`, or begin with `tls://`, `ws://` or `wss://`")
        })?;
        let denials = Denials::new();
        let client = connect(&place, server, login, options, denials.clone()).await?;
        let mut context = jetstream::new(client);
        context.set_timeout(PATIENCE);
        let documents = streams::documents(&place, &context, &denials, bucket, options).await?;
        let contents = streams::contents(&place, &context, &denials, bucket, options).await?;
        Ok(Self { place, bucket: bucket.to_owned(), context, documents, contents, denials })
    }

    /// The most that one message may hold, in bytes, with its headers.
    pub(super) fn message_max(&self) -> usize {
        self.context.client().server_info().max_payload
    }

    /// Sends a message that names the sequence its subject must be at, until it is answered. So it is taken once at the most.
    /// `id` goes with it and tells it from every other.
    pub(super) async fn publish(
        &self,
        subject: &str,
        id: &str,
        message: impl Fn() -> PublishMessage,
    ) -> Result<Published, BackendError> {
        let mut last_words = String::new();
        // Whether an earlier sending may have been taken.
        let mut is_unknown = false;
        let mut pause = Duration::ZERO;
        for attempt in 0..ATTEMPTS {
            tokio::time::sleep(pause).await;
            pause = PAUSE;
            let sent = async { self.context.send_publish(subject.to_owned(), message().message_id(id)).await?.await };
            let error = match self.denials.unless_denied(subject, sent).await {
                Ok(Ok(ack)) => return Ok(Published::At(ack.sequence)),
                Ok(Err(error)) => error,
                Err(advice) if is_unknown => return Err(self.place.unavailable(advice)),
                Err(advice) => return Err(self.place.refused(advice)),
            };
            match error.kind() {
                PublishErrorKind::WrongLastSequence if is_unknown => return Ok(Published::RefusedLater),
                PublishErrorKind::WrongLastSequence => return Ok(Published::Refused),
                _ if is_overtaken(&error) => {
                    // Somebody else's message is about to be the last. Until it is, a refusal would tell the caller nothing.
                    last_words = words(&error);
                    pause = OVERTAKEN_PAUSE * 2_u32.pow(attempt);
                    continue;
                }
                PublishErrorKind::MaxPayloadExceeded => {
                    return Err(self.place.refused(format_args!(
                        "a message may have {} bytes there, which is too few: raise `max_payload`, or keep fewer versions",
                        self.message_max()
                    )));
                }
                PublishErrorKind::TimedOut | PublishErrorKind::BrokenPipe | PublishErrorKind::StreamNotFound => {}
                _ => {
                    if let Some(refusal) = Refusal::of(&error) {
                        return Err(self.place.refused(refusal));
                    }
                }
            }
            last_words = words(&error);
            is_unknown = true;
        }
        Err(self.place.unavailable(last_words))
    }

    /// The last message of a subject, as the stream's leader has it.
    pub(super) async fn last(&self, stream: &Stream<()>, subject: &str) -> Result<Option<StreamMessage>, BackendError> {
        let ask = || async {
            match stream.get_last_raw_message_by_subject(subject).await {
                Ok(message) => Ok(Some(message)),
                Err(error) if error.kind() == LastRawMessageErrorKind::NoMessageFound => Ok(None),
                Err(error) => Err(words(&error)),
            }
        };
        self.repeat("STREAM.MSG.GET", ask).await
    }

    /// Asks until there is an answer; only for what may be asked any number of times. `api` is what JetStream calls it
    /// (<https://docs.nats.io/reference/reference-protocols/nats_api_reference>), or how that begins.
    pub(super) async fn repeat<T, F>(&self, api: &str, mut ask: impl FnMut() -> F) -> Result<T, BackendError>
    where
        F: Future<Output = Result<T, String>>,
    {
        let subject = format!("$JS.API.{api}");
        let mut last_words = String::new();
        for attempt in 0..ATTEMPTS {
            if attempt > 0 {
                tokio::time::sleep(PAUSE).await;
            }
            let asked = self.denials.unless_denied(&subject, tokio::time::timeout(2 * PATIENCE, ask())).await;
            match asked.map_err(|advice| self.place.refused(advice))? {
                Ok(Ok(answer)) => return Ok(answer),
                Ok(Err(words)) => last_words = words,
                Err(_) => "it did not answer in time".clone_into(&mut last_words),
            }
        }
        Err(self.place.unavailable(last_words))
    }
}

/// Who an address says that asks.
enum Login {
    Nobody,
    Token(SecretString),
    User { name: String, password: SecretString },
}

/// Takes an address apart: the server, and what stands before the `@`, which the client would not look at.
fn parse(address: &str) -> Option<(ServerAddr, Login)> {
    let mut url = reqwest::Url::parse(address).ok().filter(reqwest::Url::has_host)?;
    let name = decoded(url.username())?;
    let password = url.password().map(decoded);
    let login = match password {
        _ if name.is_empty() => Login::Nobody,
        Some(password) => Login::User { name, password: password?.into() },
        None => Login::Token(name.into()),
    };
    url.set_username("").ok()?;
    url.set_password(None).ok()?;
    Some((ServerAddr::from_url(url).ok()?, login))
}

/// Undoes percent-encoding.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        if *first == b'%' {
            let (digits, after) = rest.split_at_checked(2)?;
            bytes.push(u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?);
            rest = after;
        } else {
            bytes.push(*first);
        }
    }
    String::from_utf8(bytes).ok()
}

async fn connect(
    place: &Place,
    server: ServerAddr,
    login: Login,
    options: &NatsOptions,
    denials: Denials,
) -> Result<async_nats::Client, BackendError> {
    let mut connect = ConnectOptions::new();
    if let Some(credentials) = &options.credentials {
        // The client wants the end of the last line, which whoever reads a file for a variable cuts off.
        let credentials = format!("{}\n", credentials.expose_secret());
        let refused = "its credentials cannot be read: they must be the content of a `.creds` file";
        let with_them = ConnectOptions::with_credentials(&credentials).map_err(|_| place.refused(refused))?;
        // An address that names somebody may mean another system than the one that the credentials are for.
        if matches!(login, Login::Nobody) {
            connect = with_them;
        }
    }
    connect = connect
        .name("alfred states")
        .connection_timeout(PATIENCE)
        .request_timeout(Some(PATIENCE))
        .ping_interval(PING)
        .event_callback(move |event| {
            denials.note(&event);
            std::future::ready(())
        })
        // Of the neighbours that a server tells of it says host and port alone, before anything is encrypted: without this
        // somebody in between could name one that gets the password in the clear.
        .require_tls(server.scheme() == "tls");
    if server.is_websocket() {
        // What a server tells of its neighbours are addresses for plain connections.
        connect = connect.ignore_discovered_servers();
    }
    connect = match login {
        Login::Nobody => connect,
        Login::Token(token) => connect.token(token.expose_secret().to_owned()),
        Login::User { name, password } => connect.user_and_password(name, password.expose_secret().to_owned()),
    };
    let scheme = server.scheme().to_owned();
    connect.connect(server).await.map_err(|error| connect_error(place, &scheme, &error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_taken_apart() {
        let (server, login) = parse("wss://al%40fred:cor%2Frect@edge.example/team/a").unwrap();
        assert_eq!(server.as_url_str(), "wss://edge.example/team/a");
        assert!(
            matches!(login, Login::User { name, password } if name == "al@fred" && password.expose_secret() == "cor/rect")
        );
        let (server, login) = parse("nats://token@[::1]").unwrap();
        assert_eq!((server.host(), server.port()), ("::1", 4222));
        assert!(matches!(login, Login::Token(token) if token.expose_secret() == "token"));
        assert!(matches!(parse("tls://connect.ngs.global").unwrap().1, Login::Nobody));
        for wrong in ["", "nats", "ftp://host", "nats://", "nats://a%ff@host", "nats://a%f@host"] {
            assert!(parse(wrong).is_none(), "{wrong}");
        }
    }
}
