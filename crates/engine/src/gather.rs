//! Group commit: what arrives within a short window is handled together.

use std::time::Duration;

use tokio::sync::mpsc;

/// Waits for a first item, then takes what arrives within `window`, at most `max` in all. Ends when nobody can send
/// any more.
pub(crate) async fn gather<T>(
    receiver: &mut mpsc::UnboundedReceiver<T>,
    window: Duration,
    max: usize,
) -> Option<Vec<T>> {
    let mut items = vec![receiver.recv().await?];
    let end = tokio::time::sleep(window);
    tokio::pin!(end);
    while items.len() < max {
        tokio::select! {
            biased;
            item = receiver.recv() => match item {
                Some(item) => items.push(item),
                None => break,
            },
            () = &mut end => break,
        }
    }
    Some(items)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn takes_what_arrives_within_the_window_and_no_more_than_the_limit() {
        let (sender, mut receiver) = mpsc::unbounded_channel();
        for item in 0..5 {
            sender.send(item).unwrap();
        }
        assert_eq!(gather(&mut receiver, Duration::from_millis(5), 3).await, Some(vec![0, 1, 2]));
        assert_eq!(gather(&mut receiver, Duration::from_millis(5), 3).await, Some(vec![3, 4]));
        drop(sender);
        assert_eq!(gather(&mut receiver, Duration::from_millis(5), 3).await, None);
    }
}
