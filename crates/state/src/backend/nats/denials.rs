//! What the server says a user may not do. It says so beside the answers: whoever asked would only wait for one.

use std::future::Future;
use std::sync::Arc;

use async_nats::{Event, ServerError};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::broadcast::{Sender, channel};

/// So many are kept for whoever waits; one that is overtaken by more of them waits on, as it would without.
const KEPT: usize = 64;

/// The way to them.
#[derive(Debug, Clone)]
pub(super) struct Denials(Sender<Arc<Denial>>);

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Denial {
    /// `publish` or `subscribe`.
    verb: &'static str,
    subject: String,
}

impl Denials {
    pub(super) fn new() -> Self {
        Self(channel(KEPT).0)
    }

    /// Takes note of what the connection reports.
    pub(super) fn note(&self, event: &Event) {
        if let Event::ServerError(ServerError::Other(words)) = event
            && let Some(denial) = Denial::read(words)
        {
            // Nobody may be waiting.
            let _ = self.0.send(Arc::new(denial));
        }
    }

    /// Waits for an answer to a message to `subject`, or below it, as long as the server does not say that it may not be
    /// sent, or its answer not be had. Then the error is what to do.
    pub(super) async fn unless_denied<T>(&self, subject: &str, answer: impl Future<Output = T>) -> Result<T, String> {
        let mut denials = self.0.subscribe();
        let denied = async {
            loop {
                match denials.recv().await {
                    Ok(denial) if denial.is_about(subject) => return denial.advice(),
                    Ok(_) | Err(RecvError::Lagged(_)) => {}
                    Err(RecvError::Closed) => std::future::pending().await,
                }
            }
        };
        tokio::select! {
            biased;
            answer = answer => Ok(answer),
            advice = denied => Err(advice),
        }
    }
}

impl Denial {
    /// Reads `Permissions Violation for Publish to "a.b"`; behind the subject there may be more
    /// (<https://github.com/nats-io/nats-server/blob/main/server/client.go>).
    fn read(words: &str) -> Option<Self> {
        let (before, rest) = words.split_once('"')?;
        let (subject, _) = rest.split_once('"')?;
        let before = before.to_ascii_lowercase();
        let (verb, _) = [("publish", "publish to"), ("subscribe", "subscription to")]
            .into_iter()
            .find(|(_, words)| before.contains("permissions violation") && before.contains(words))?;
        // It was ours: none of them is longer.
        let subject = subject.chars().filter(|character| !character.is_control()).take(300).collect();
        Some(Self { verb, subject })
    }

    /// Without answers nothing can be asked.
    fn is_about(&self, subject: &str) -> bool {
        if self.verb == "subscribe" { self.subject.starts_with("_INBOX.") } else { self.subject.starts_with(subject) }
    }

    fn advice(&self) -> String {
        let subject = if self.verb == "subscribe" { "_INBOX.>" } else { &*self.subject };
        format!("its user may not {} to `{subject}`: allow that in the user's permissions", self.verb)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_server_says_is_read() {
        let publish = Denial::read("Permissions Violation for Publish to \"$KV.states.a\"").unwrap();
        assert_eq!(publish, Denial { verb: "publish", subject: "$KV.states.a".to_owned() });
        assert!(
            publish.is_about("$KV.states.a") && publish.is_about("$KV.states.") && !publish.is_about("$KV.states.b")
        );
        assert_eq!(
            publish.advice(),
            "its user may not publish to `$KV.states.a`: allow that in the user's permissions"
        );
        let inbox =
            Denial::read("permissions violation for subscription to \"_INBOX.abc.*\" using queue \"q\"").unwrap();
        assert!(inbox.is_about("$JS.API.STREAM.INFO.a"));
        assert!(inbox.advice().contains("may not subscribe to `_INBOX.>`"));
        for other in
            ["", "stale connection", "Permissions Violation for Publish to", "Other to \"a\"", "publish to \"a\""]
        {
            assert_eq!(Denial::read(other), None, "{other}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_is_waited_for_only_while_it_may_come() {
        let denials = Denials::new();
        let deny = |subject: &str| {
            let words = format!("Permissions Violation for Publish to \"{subject}\"");
            denials.note(&Event::ServerError(ServerError::Other(words)));
        };
        // One from before is about somebody else's message.
        deny("a.b");
        let answer = async {
            deny("a.c");
            tokio::task::yield_now().await;
            7
        };
        assert_eq!(denials.unless_denied("a.b", answer).await, Ok(7));
        let never = async {
            deny("a.b");
            std::future::pending::<()>().await;
        };
        let advice = denials.unless_denied("a.b", never).await.unwrap_err();
        assert!(advice.contains("`a.b`"), "{advice}");
    }
}
