//! `/api/v1/nodes`: written down once for all who ask before anything changes.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use hyper::{
    HeaderMap, Response, StatusCode,
    header::{self, HeaderValue},
};
use rackberry_core::{appliance::NodeViews, http::range, ids::Time};

use super::{
    body::Body,
    metrics::{Counters, Kind},
    response::{JSON, set, string, text},
};
use crate::service::seen::Snapshot;

/// Every node as JSON, as it was written down last.
#[derive(Debug, Default)]
pub(super) struct NodesText(Mutex<Option<Arc<Text>>>);

#[derive(Debug)]
struct Text {
    /// Of which nodes. Who held them would have the owner copy the map before its next change.
    nodes: Weak<NodeViews>,
    /// In which second: the views count seconds.
    second: u64,
    /// Names this text and no other (RFC 9110 section 8.8.3).
    tag: String,
    json: Vec<u8>,
}

impl NodesText {
    /// The text, or that the client has it already.
    pub(super) fn reply(
        &self,
        snapshot: &Snapshot,
        request: &HeaderMap,
        counters: &Arc<Counters>,
    ) -> Response<Body> {
        let written = self.of(snapshot);
        let known = string(request, &header::IF_NONE_MATCH);
        let mut response = match known.is_some_and(|tags| range::has_tag(tags, &written.tag)) {
            true => {
                let mut response = Response::new(Body::Empty);
                *response.status_mut() = StatusCode::NOT_MODIFIED;
                response
            }
            false => text(counters, JSON, written.json.clone(), Kind::Other, None),
        };
        set(&mut response, header::ETAG, &written.tag);
        // May be kept, and has to be asked for again each time.
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        response
    }

    fn of(&self, snapshot: &Snapshot) -> Arc<Text> {
        let (nodes, second) = (Arc::downgrade(&snapshot.nodes), snapshot.at.0 / 1000);
        // Whoever panicked while holding it left a whole text.
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_it = |text: &&Arc<Text>| text.second == second && text.nodes.ptr_eq(&nodes);
        if let Some(text) = last.as_ref().filter(is_it) {
            return text.clone();
        }
        let mut json = list(snapshot).into_bytes();
        json.push(b'\n');
        let text = Arc::new(Text { nodes, second, tag: tag(snapshot.at, &json), json });
        *last = Some(text.clone());
        text
    }
}

/// Every node as JSON.
pub(super) fn list(snapshot: &Snapshot) -> String {
    // Each by itself: all of them as values at once would take many times the room of the text.
    let nodes = snapshot.node_views().map(|node| serde_json::to_value(node).map(|node| node.to_string()));
    let nodes: Vec<String> = nodes.filter_map(Result::ok).collect();
    format!("[{}]", nodes.join(","))
}

/// Time does not go back, not even over a restart.
fn tag(at: Time, json: &[u8]) -> String {
    format!("\"{:x}-{:x}\"", at.0, json.len())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn a_state_is_written_down_once_a_second() {
        let written = NodesText::default();
        let at = |milliseconds: u64| Time(1_000_000 + milliseconds);
        let mut snapshot = Snapshot { at: at(0), ..Snapshot::default() };
        let first = written.of(&snapshot);
        assert_eq!(first.json, b"[]\n");
        snapshot.at = at(999);
        assert!(Arc::ptr_eq(&first, &written.of(&snapshot)));
        snapshot.nodes = Arc::new(BTreeMap::new());
        let other = written.of(&snapshot);
        assert_ne!(other.tag, first.tag);
        snapshot.at = at(1000);
        assert_ne!(written.of(&snapshot).tag, other.tag);
    }
}
