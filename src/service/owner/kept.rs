//! What is on the disk.

use std::collections::{BTreeMap, BTreeSet};

use rackberry_core::{
    appliance::{Change, Stored},
    ids::{Mac, MachineId, Time},
    nodes::Node,
    orders::OrderId,
};

/// What the journal holds, as it is on the disk.
#[derive(Debug, Default)]
pub(super) struct OnDisk {
    nodes: BTreeMap<Mac, Node>,
    shared: BTreeSet<MachineId>,
    order: OrderId,
    time: Time,
    loss: Option<String>,
}

impl From<Stored> for OnDisk {
    fn from(stored: Stored) -> OnDisk {
        OnDisk {
            nodes: stored.nodes.into_iter().map(|node| (node.mac, node)).collect(),
            shared: stored.shared.into_iter().collect(),
            order: stored.order,
            time: stored.time,
            loss: stored.loss,
        }
    }
}

impl OnDisk {
    /// Takes over what was committed at `now`.
    pub(super) fn apply(&mut self, changes: Vec<Change>, now: Time) {
        self.time = now;
        for change in changes {
            match change {
                Change::Node(node) => drop(self.nodes.insert(node.mac, *node)),
                Change::NoNode(mac) => drop(self.nodes.remove(&mac)),
                Change::Shared(machine) => drop(self.shared.insert(machine)),
                Change::Order(order) => self.order = order,
                Change::Loss(loss) => self.loss = loss,
                // Those hold whether they are on the disk or not.
                Change::Lease(_) => {}
            }
        }
    }

    /// As it would be read from the disk.
    pub(super) fn stored(&self) -> Stored {
        Stored {
            nodes: self.nodes.values().cloned().collect(),
            leases: Vec::new(),
            shared: self.shared.iter().copied().collect(),
            order: self.order,
            time: self.time,
            loss: self.loss.clone(),
        }
    }
}
