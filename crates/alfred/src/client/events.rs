//! Server-sent events, as the HTML standard has them
//! (<https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream>), of one kind only.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt as _;
use futures::stream::BoxStream;

use crate::api::Event;

/// An event is not longer.
const EVENT_MAX: usize = 1024 * 1024;

/// The server sends a heartbeat much more often: after so long without a byte the connection is dead.
const SILENCE_MAX: Duration = Duration::from_secs(90);

/// Events as they come.
pub(crate) struct EventStream {
    source: BoxStream<'static, Option<Bytes>>,
    parser: Parser,
}

impl fmt::Debug for EventStream {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("EventStream").finish_non_exhaustive()
    }
}

impl EventStream {
    pub(super) fn new(response: reqwest::Response) -> Self {
        Self { source: response.bytes_stream().map(Result::ok).boxed(), parser: Parser::default() }
    }

    /// The next event; nothing, when the connection ended. A future that is dropped loses no event.
    pub(crate) async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(data) = self.parser.next() {
                // An event of another kind, or of a newer server, is not for us.
                if let Ok(event) = serde_json::from_str(&data) {
                    return Some(event);
                }
                continue;
            }
            let bytes = tokio::time::timeout(SILENCE_MAX, self.source.next()).await.ok()???;
            if !self.parser.feed(&bytes) {
                return None;
            }
        }
    }
}

/// Cuts the stream into the data of its events.
#[derive(Debug, Default)]
struct Parser {
    buffer: Vec<u8>,
    data: Option<String>,
}

impl Parser {
    /// Takes more bytes; whether they may be part of an event that is not too long.
    fn feed(&mut self, bytes: &[u8]) -> bool {
        self.buffer.extend_from_slice(bytes);
        self.buffer.len() <= EVENT_MAX + bytes.len()
    }

    /// The data of the next whole event.
    fn next(&mut self) -> Option<String> {
        while let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.buffer.drain(..=end).collect();
            let line = String::from_utf8_lossy(&line);
            let line = line.trim_end_matches(['\r', '\n']);
            if line.is_empty() {
                if let Some(data) = self.data.take() {
                    return Some(data);
                }
            } else if let Some(value) = line.strip_prefix("data:") {
                let value = value.strip_prefix(' ').unwrap_or(value);
                let data = self.data.get_or_insert_default();
                if !data.is_empty() {
                    data.push('\n');
                }
                data.push_str(value);
                data.truncate(data.floor_char_boundary(EVENT_MAX));
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(parts: &[&str]) -> Vec<String> {
        let mut parser = Parser::default();
        let mut events = Vec::new();
        for part in parts {
            assert!(parser.feed(part.as_bytes()));
            events.extend(std::iter::from_fn(|| parser.next()));
        }
        events
    }

    #[test]
    fn events_are_whole_wherever_the_connection_cuts_them() {
        let stream = ": heartbeat\n\nid: 1\nevent: environment\ndata: {\"a\":\ndata: 1}\n\r\ndata:x\r\n\r\n";
        let whole = parse(&[stream]);
        assert_eq!(whole, ["{\"a\":\n1}", "x"]);
        let single: Vec<String> = stream.chars().map(String::from).collect();
        assert_eq!(parse(&single.iter().map(String::as_str).collect::<Vec<_>>()), whole);
    }

    #[test]
    fn an_unfinished_event_is_not_told() {
        assert!(parse(&["data: 1\n"]).is_empty());
    }

    #[test]
    fn a_line_without_end_ends_the_stream() {
        let mut parser = Parser::default();
        let part = vec![b'x'; EVENT_MAX];
        assert!(parser.feed(&part));
        assert!(parser.next().is_none());
        assert!(parser.feed(&part));
        assert!(!parser.feed(b"x"));
    }
}
