//! `/api/v1/events`: the state, each time it changes, as server-sent events (WHATWG HTML section 9.2).

use std::{sync::Arc, time::Duration};

use serde_json::json;
use tokio::{
    sync::{Notify, mpsc, watch},
    time::{sleep, timeout},
};

use super::nodes;
use crate::service::seen::{Seen, Snapshot};

/// A comment goes out after so much silence, so that both ends notice a broken connection.
const SILENCE: Duration = Duration::from_secs(15);
/// Least time between two events of a client; states in between are passed over.
const PACE: Duration = Duration::from_millis(200);

/// The state as one line of JSON.
pub(super) fn line(state: &Snapshot) -> Arc<str> {
    format!(r#"{{"nodes":{},"status":{}}}"#, nodes::list(state), json!(state.status)).into()
}

/// Writes the state down once for all clients, each time it changes, until it changes no more. While nobody follows it,
/// nothing is written; `followed` ends that.
pub(super) async fn write(mut states: Seen, lines: watch::Sender<Arc<str>>, followed: &Notify) {
    loop {
        while lines.receiver_count() == 0 {
            followed.notified().await;
        }
        tokio::select! {
            changed = states.changed() => if changed.is_err() { return },
            () = lines.closed() => continue,
        }
        let new = line(&states.look());
        lines.send_if_modified(|line| {
            let differs = *line != new;
            *line = new;
            differs
        });
        sleep(PACE).await;
    }
}

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
    use crate::service::seen;
    use rackberry_core::appliance::{NodeView, NodeViews, TimedView};

    #[test]
    fn data_stays_in_its_event() {
        assert_eq!(event("{}"), "data: {}\n\n");
        assert_eq!(event("a\n\nevent: b"), "data: a\ndata: \ndata: event: b\n\n");
    }

    #[tokio::test(start_paused = true)]
    async fn the_state_is_written_once_a_change_and_for_those_who_follow() {
        let (showing, states) = seen::channel(Snapshot::default());
        let lines = watch::Sender::new(line(&Snapshot::default()));
        let mut written = lines.subscribe();
        assert_eq!(*written.borrow().to_owned(), *r#"{"nodes":[],"status":null}"#);
        let followed = Arc::new(Notify::new());
        let writer = tokio::spawn({
            let (lines, followed) = (lines.clone(), followed.clone());
            async move { write(states, lines, &followed).await }
        });
        showing.show(Snapshot::default());
        assert!(timeout(PACE * 9, written.changed()).await.is_err(), "nothing has changed");
        let node = json!({
            "mac": "00:25:90:c0:f7:86", "macs": ["00:25:90:c0:f7:86"], "name": "node1", "led": 1, "stage": "idle", "stage_seconds": 0,
            "seen_seconds": null, "arch": null, "address": null, "granted": false, "image": null,
            "failure": null, "installed": null, "writes": 0, "log": "one\ntwo",
        });
        let view: NodeView = serde_json::from_value(node).unwrap();
        let node = TimedView { view, since: None, seen: None };
        let nodes = Arc::new(NodeViews::from([(node.view.mac, Arc::new(node))]));
        let state = Snapshot { nodes, ..Snapshot::default() };
        assert_eq!(
            *line(&state),
            json!({ "nodes": state.node_views().collect::<Vec<_>>(), "status": null }).to_string()
        );
        showing.show(state);
        written.changed().await.unwrap();
        assert!(written.borrow().contains(r#""name":"node1""#) && !written.borrow().contains('\n'));
        drop(written);
        sleep(PACE * 2).await;
        showing.show(Snapshot::default());
        sleep(PACE * 2).await;
        assert!(lines.borrow().contains("node1"), "nobody follows it");
        let mut written = lines.subscribe();
        followed.notify_one();
        written.changed().await.unwrap();
        drop(showing);
        writer.await.unwrap();
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
