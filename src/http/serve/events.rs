//! `/api/v1/events`: the state, each time it changes, as server-sent events (WHATWG HTML section 9.2).

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::{mpsc, watch},
    time::{sleep, timeout},
};

/// A comment goes out after so much silence, so that both ends notice a broken connection.
const SILENCE: Duration = Duration::from_secs(15);
/// Least time between two events of a client; states in between are passed over.
const PACE: Duration = Duration::from_millis(200);

/// Feeds one client until it goes away, the states end, or the server stops.
pub(super) async fn feed(
    mut states: watch::Receiver<Arc<str>>,
    events: mpsc::Sender<String>,
    mut stop: watch::Receiver<bool>,
) {
    let feeding = async {
        states.mark_changed();
        loop {
            let event = match timeout(SILENCE, states.changed()).await {
                Ok(Ok(())) => event(&states.borrow_and_update()),
                Ok(Err(_)) => return,
                Err(_) => ":\n\n".to_owned(),
            };
            if events.send(event).await.is_err() {
                return;
            }
            sleep(PACE).await;
        }
    };
    tokio::select! {
        () = feeding => {}
        () = events.closed() => {}
        _ = stop.wait_for(|stop| *stop) => {}
    }
}

/// One event; line ends inside the data can't end it.
fn event(data: &str) -> String {
    let mut text = String::with_capacity(data.len() + 16);
    for line in data.split(['\n', '\r']) {
        text.push_str("data: ");
        text.push_str(line);
        text.push('\n');
    }
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_stays_in_its_event() {
        assert_eq!(event("{}"), "data: {}\n\n");
        assert_eq!(event("a\n\nevent: b"), "data: a\ndata: \ndata: event: b\n\n");
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_event_comes_at_once_and_later_ones_are_paced() {
        let (state, states) = watch::channel(Arc::from("0"));
        let (send, mut receive) = mpsc::channel(1);
        let (stop, stopped) = watch::channel(false);
        let feeder = tokio::spawn(feed(states, send, stopped));
        assert_eq!(receive.recv().await.as_deref(), Some("data: 0\n\n"));
        for n in 1..=9 {
            state.send_replace(Arc::from(n.to_string()));
        }
        assert_eq!(receive.recv().await.as_deref(), Some("data: 9\n\n"));
        assert_eq!(receive.recv().await.as_deref(), Some(":\n\n"));
        stop.send_replace(true);
        feeder.await.unwrap();
    }
}
