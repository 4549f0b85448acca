//! What is written down, and what comes of it after a crash and while nothing can be written down.

use super::*;

pub(super) const DISK_FAILS: &str = "the disk is full";

impl World {
    /// Writes changes down. What can't be written down did not happen, as the service's owner has it; leases hold.
    pub(in crate::appliance::tests) fn keep(&mut self, changes: Vec<Change>) -> bool {
        let is_kept = !self.disk_fails || changes.iter().all(|change| matches!(change, Change::Lease(_)));
        for change in changes {
            if !is_kept && !matches!(change, Change::Lease(_)) {
                continue;
            }
            match change {
                Change::Node(node) => drop(self.nodes.insert(node.mac, *node)),
                Change::NoNode(mac) => drop(self.nodes.remove(&mac)),
                Change::Lease(LeaseChange::Put(lease)) => drop(self.leases.insert(lease.mac, lease)),
                Change::Lease(LeaseChange::Drop(mac)) => drop(self.leases.remove(&mac)),
                Change::Order(number) => self.order = number,
                Change::Shared(machine) => self.shared.push(machine),
                Change::Loss(loss) => self.loss = loss,
            }
        }
        if !is_kept && !std::mem::replace(&mut self.is_taken_back, true) {
            drop(self.appliance.restore(self.stored(), self.now));
            self.appliance.journal_fails(Some(DISK_FAILS.into()));
        }
        is_kept
    }

    /// What can be written down again is taken up from what was kept.
    pub(in crate::appliance::tests) fn disk_is_mended(&mut self) {
        (self.disk_fails, self.is_taken_back) = (false, false);
        if self.appliance.journal_fails(None) {
            let resumed = self.appliance.restore(self.stored(), self.now);
            self.take(resumed);
        }
    }

    fn stored(&self) -> Stored {
        Stored {
            nodes: self.nodes.values().cloned().collect(),
            leases: self.leases.values().copied().collect(),
            shared: self.shared.clone(),
            order: self.order,
            time: self.now,
            loss: self.loss.clone(),
        }
    }

    pub(in crate::appliance::tests) fn restart(&mut self) {
        self.restart_in("full");
    }

    pub(in crate::appliance::tests) fn restart_in(&mut self, mode: &str) {
        self.restart_with(settings_in(mode));
    }

    /// The service is killed, and starts with this configuration.
    pub(in crate::appliance::tests) fn restart_with(&mut self, settings: Arc<config::Settings>) {
        let catalog = self.appliance.setup().catalog().clone();
        self.restarts += 1;
        self.is_taken_back = false;
        let secret = [7 + self.restarts; 32];
        self.appliance = Appliance::new(settings, catalog, self.stored(), secret, self.now);
        let started = self.appliance.started();
        self.take(started);
    }
}
