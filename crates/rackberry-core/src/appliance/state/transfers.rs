//! Transfers that move a node on, from the answer that began them to their end.

use std::collections::BTreeMap;

use crate::{
    appliance::{Progress, TransferEnd, TransferId},
    ids::{Mac, Time},
    nodes::NodeEvent,
};

/// What a file is to the node that is sent it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    /// The boot loader.
    Loader,
    /// The kernel of its installer.
    Kernel,
    /// The initrd that goes with it.
    Initrd,
    /// The root file system that this fetches.
    Rootfs,
    /// The image that is written to its disk.
    Image,
}

/// A transfer to a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NodeTransfer {
    /// The node.
    pub node: Mac,
    /// The card that asked for it, where that is known.
    pub card: Option<Mac>,
    /// What it carries.
    pub kind: FileKind,
    /// When it began.
    pub began: Time,
}

impl NodeTransfer {
    /// What its progress shows its node to do.
    pub fn event(&self, progress: &Progress) -> NodeEvent {
        let Progress { total, start, sent, end, .. } = *progress;
        let is_whole = end == Some(TransferEnd::Complete) && sent == total;
        match self.kind {
            FileKind::Image => NodeEvent::ImagePart { start, end: sent, total },
            _ if !is_whole => NodeEvent::Alive,
            FileKind::Loader => NodeEvent::Loader,
            FileKind::Kernel => NodeEvent::Kernel,
            FileKind::Initrd => NodeEvent::Initrd,
            FileKind::Rootfs => NodeEvent::Alive,
        }
    }
}

/// The transfers that run.
#[derive(Debug, Clone, Default)]
pub struct Transfers {
    running: BTreeMap<TransferId, NodeTransfer>,
    last: u64,
}

impl Transfers {
    /// A transfer begins.
    pub fn begin(&mut self, transfer: NodeTransfer) -> TransferId {
        self.last += 1;
        let id = TransferId(self.last);
        self.running.insert(id, transfer);
        id
    }

    /// The transfer that moved on; it is forgotten with its end. None for one that is over, or of an earlier start.
    pub fn moved_on(&mut self, progress: &Progress) -> Option<NodeTransfer> {
        match progress.end {
            Some(_) => self.running.remove(&progress.transfer),
            None => self.running.get(&progress.transfer).copied(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NODE: Mac = Mac([2, 0, 0, 0, 0, 1]);

    fn transfer(kind: FileKind) -> NodeTransfer {
        NodeTransfer { node: NODE, card: Some(NODE), kind, began: Time(7) }
    }

    #[test]
    fn a_transfer_is_known_until_its_end_and_numbers_never_come_twice() {
        let mut transfers = Transfers::default();
        let one = transfers.begin(transfer(FileKind::Kernel));
        let other = transfers.begin(transfer(FileKind::Initrd));
        assert_ne!(one, other);
        let progress = |end| Progress { transfer: one, total: 10, start: 0, sent: 5, end };
        assert_eq!(transfers.moved_on(&progress(None)), Some(transfer(FileKind::Kernel)));
        assert!(transfers.moved_on(&progress(Some(TransferEnd::Cut))).is_some());
        assert_eq!(transfers.moved_on(&progress(Some(TransferEnd::Cut))), None);
        assert!(transfers.begin(transfer(FileKind::Image)) > other);
    }

    #[test]
    fn only_a_whole_file_counts_and_of_an_image_each_part() {
        let progress = |sent, end| Progress { transfer: TransferId(1), total: 10, start: 0, sent, end };
        let kernel = transfer(FileKind::Kernel);
        assert_eq!(kernel.event(&progress(10, None)), NodeEvent::Alive);
        assert_eq!(kernel.event(&progress(9, Some(TransferEnd::Complete))), NodeEvent::Alive);
        assert_eq!(kernel.event(&progress(10, Some(TransferEnd::Cut))), NodeEvent::Alive);
        assert_eq!(kernel.event(&progress(10, Some(TransferEnd::Complete))), NodeEvent::Kernel);
        let part = NodeEvent::ImagePart { start: 0, end: 4, total: 10 };
        assert_eq!(transfer(FileKind::Image).event(&progress(4, Some(TransferEnd::Cut))), part);
    }
}
