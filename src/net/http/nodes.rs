//! `/api/v1/nodes`: written down once for all who ask before anything changes.

use std::{
    io::Write,
    sync::{Arc, Mutex, OnceLock, PoisonError, Weak},
};

use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use hyper::{
    HeaderMap, Response, StatusCode,
    header::{self, HeaderValue},
};
use rackberry_core::{appliance::NodeViews, http::range, ids::Time};

use super::{
    body::Body,
    metrics::{Counters, ResponseKind},
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
    gzip_tag: String,
    json: Bytes,
    /// The same compressed, once somebody has asked for it.
    gzip: OnceLock<Bytes>,
}

impl Text {
    fn gzip(&self) -> Bytes {
        let compress = || {
            let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
            // Writing to memory can't fail.
            let _ = gzip.write_all(&self.json);
            gzip.finish().unwrap_or_default().into()
        };
        self.gzip.get_or_init(compress).clone()
    }
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
        let packs = string(request, &header::ACCEPT_ENCODING).is_some_and(takes_gzip);
        // Other bytes are another representation, with a tag of its own.
        let tag = if packs { &written.gzip_tag } else { &written.tag };
        let known = string(request, &header::IF_NONE_MATCH);
        let mut response = if known.is_some_and(|tags| range::has_tag(tags, tag)) {
            let mut response = Response::new(Body::Empty);
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            response
        } else if packs {
            let mut response = text(counters, JSON, written.gzip(), ResponseKind::Other, None);
            set(&mut response, header::CONTENT_ENCODING, "gzip");
            response
        } else {
            text(counters, JSON, written.json.clone(), ResponseKind::Other, None)
        };
        set(&mut response, header::ETAG, tag);
        set(&mut response, header::VARY, "Accept-Encoding");
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
        let (name, json) = (name(snapshot.at, &json), Bytes::from(json));
        let (tag, gzip_tag) = (format!("\"{name}\""), format!("\"{name}-gzip\""));
        let text = Arc::new(Text { nodes, second, tag, gzip_tag, json, gzip: OnceLock::new() });
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
fn name(at: Time, json: &[u8]) -> String {
    format!("{:x}-{:x}", at.0, json.len())
}

/// Whether a client takes gzip, by its Accept-Encoding (RFC 9110 section 12.5.3).
fn takes_gzip(accepted: &str) -> bool {
    accepted.split(',').any(|coding| {
        let (name, quality) = coding.split_once(';').unwrap_or((coding, ""));
        let is_refused = quality.trim().trim_start_matches("q=").parse() == Ok(0.0);
        name.trim().eq_ignore_ascii_case("gzip") && !is_refused
    })
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, io::Read};

    use super::*;

    #[test]
    fn gzip_is_for_who_takes_it() {
        for takes in ["gzip", "deflate, gzip;q=1.0", "GZIP ; q=0.1", "br,gzip"] {
            assert!(takes_gzip(takes), "{takes}");
        }
        for refuses in ["", "identity", "gzip;q=0", "gzip; q=0.000, br", "x-gzip2", "*"] {
            assert!(!takes_gzip(refuses), "{refuses}");
        }
    }

    #[test]
    fn what_is_compressed_is_the_same() {
        let text = NodesText::default().of(&Snapshot::default());
        let mut unpacked = String::new();
        flate2::read::GzDecoder::new(&*text.gzip()).read_to_string(&mut unpacked).unwrap();
        assert_eq!(unpacked, "[]\n");
        assert_ne!(text.tag, text.gzip_tag);
    }

    #[test]
    fn a_state_is_written_down_once_a_second() {
        let written = NodesText::default();
        let at = |milliseconds: u64| Time(1_000_000 + milliseconds);
        let mut snapshot = Snapshot { at: at(0), ..Snapshot::default() };
        let first = written.of(&snapshot);
        assert_eq!(*first.json, *b"[]\n");
        snapshot.at = at(999);
        assert!(Arc::ptr_eq(&first, &written.of(&snapshot)));
        snapshot.nodes = Arc::new(BTreeMap::new());
        let other = written.of(&snapshot);
        assert_ne!(other.tag, first.tag);
        snapshot.at = at(1000);
        assert_ne!(written.of(&snapshot).tag, other.tag);
    }
}
