//! Lines of the log, and their levels.

use rackberry_core::{appliance::Note, dhcp, ids::Stage};

/// Writes what the appliance notes.
pub(super) fn log(note: &Note) {
    match note {
        Note::Moved { mac, node, to: stage @ Stage::Failed, .. } => {
            tracing::warn!(%mac, node, %stage, "{note}");
        }
        Note::Moved { mac, node, to: stage, .. } => tracing::info!(%mac, node, %stage, "{note}"),
        Note::NotGranted { node, .. } | Note::Denied { node, .. } | Note::AddressTaken { node, .. } => {
            tracing::warn!(node, "{note}")
        }
        Note::Identity { node, .. } => tracing::warn!(node, "{note}"),
        Note::Armed { .. }
        | Note::Woken { .. }
        | Note::Disarmed { .. }
        | Note::OrderOver { .. }
        | Note::LossAccepted { .. } => tracing::info!("{note}"),
        Note::Dhcp(
            notice @ (dhcp::Notice::OtherServer { .. }
            | dhcp::Notice::Spoofed { .. }
            | dhcp::Notice::Flood { .. }
            | dhcp::Notice::PoolIsEmpty { .. }),
        ) => {
            tracing::warn!("{notice}");
        }
        Note::Dhcp(notice) => tracing::info!("{notice}"),
    }
}
