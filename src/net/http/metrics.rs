//! The server's own counters, and `/metrics` in Prometheus' text format.

use std::{
    fmt::Write,
    sync::atomic::{AtomicU64, Ordering},
};

use crate::service::seen::Snapshot;
use rackberry_core::ids::Stage;

/// What a reply's body is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ResponseKind {
    /// A file from disk.
    File,
    /// A text made for a node.
    Text,
    /// The API, the page, and refusals.
    Other,
    /// Events of the API.
    Events,
}

const KINDS: [(ResponseKind, &str); 4] = [
    (ResponseKind::File, "file"),
    (ResponseKind::Text, "text"),
    (ResponseKind::Other, "other"),
    (ResponseKind::Events, "events"),
];

/// Counts since the start.
#[derive(Debug, Default)]
pub(super) struct Counters {
    /// By the status's first digit.
    responses: [AtomicU64; 6],
    bytes: [AtomicU64; KINDS.len()],
    connections: AtomicU64,
    open: AtomicU64,
}

impl Counters {
    /// A response with this status goes out.
    pub(super) fn response(&self, status: u16) {
        if let Some(count) = self.responses.get(usize::from(status / 100)) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The kernel took `n` bytes of a body.
    pub(super) fn sent(&self, kind: ResponseKind, n: u64) {
        self.bytes[kind as usize].fetch_add(n, Ordering::Relaxed);
    }

    /// A connection came.
    pub(super) fn opened(&self) {
        self.connections.fetch_add(1, Ordering::Relaxed);
        self.open.fetch_add(1, Ordering::Relaxed);
    }

    /// A connection went.
    pub(super) fn closed(&self) {
        self.open.fetch_sub(1, Ordering::Relaxed);
    }

    /// All of it as text, and the state's own counts.
    pub(super) fn render(&self, state: &Snapshot) -> String {
        let mut text = String::new();
        let mut family = |name: &str, kind: &str, help: &str, samples: &[(String, u64)]| {
            // Writing to a string can't fail.
            let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
            for (labels, count) in samples {
                let _ = writeln!(text, "{name}{labels} {count}");
            }
        };
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let plain = |count| [(String::new(), count)];
        let in_stage = |stage| state.nodes.values().filter(|node| node.view.stage == stage).count() as u64;
        let stages: Vec<_> =
            Stage::ALL.iter().map(|stage| (format!("{{stage=\"{stage}\"}}"), in_stage(*stage))).collect();
        family("rackberry_nodes", "gauge", "Nodes by stage of their install.", &stages);
        if let Some(status) = &state.status {
            let armed = u64::from(status.armed_seconds.is_some());
            family("rackberry_armed", "gauge", "1 while installs are granted.", &plain(armed));
            family("rackberry_leases", "gauge", "DHCP leases in force.", &plain(status.leases as u64));
            let warnings = plain(status.warnings.len() as u64);
            family("rackberry_warnings", "gauge", "What somebody should look at.", &warnings);
        }
        let responses: Vec<_> =
            (1..=5).map(|d| (format!("{{code=\"{d}xx\"}}"), read(&self.responses[d]))).collect();
        family("rackberry_http_responses_total", "counter", "HTTP responses by status.", &responses);
        let bytes: Vec<_> = KINDS
            .iter()
            .map(|(kind, name)| (format!("{{kind=\"{name}\"}}"), read(&self.bytes[*kind as usize])))
            .collect();
        family("rackberry_http_sent_bytes_total", "counter", "Bytes of response bodies sent.", &bytes);
        let all = plain(read(&self.connections));
        family("rackberry_http_connections_total", "counter", "Connections accepted.", &all);
        family("rackberry_http_connections", "gauge", "Connections open now.", &plain(read(&self.open)));
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_shown_under_their_labels() {
        let counters = Counters::default();
        counters.response(200);
        counters.response(206);
        counters.response(404);
        counters.sent(ResponseKind::File, 1000);
        counters.opened();
        let text = counters.render(&Snapshot::default());
        for line in [
            "rackberry_http_responses_total{code=\"2xx\"} 2",
            "rackberry_http_responses_total{code=\"4xx\"} 1",
            "rackberry_http_sent_bytes_total{kind=\"file\"} 1000",
            "rackberry_http_sent_bytes_total{kind=\"events\"} 0",
            "rackberry_http_connections 1",
            "rackberry_nodes{stage=\"installing\"} 0",
        ] {
            assert!(text.lines().any(|l| l == line), "{line} in {text}");
        }
    }
}
