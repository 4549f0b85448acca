//! The nodes by what they have in common, kept as each of them changes: nobody has to look through all of them.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    ids::{Deadlines, Mac, Stage},
    nodes::Node,
};

#[derive(Debug, Clone, Default)]
pub(super) struct Groups {
    /// When each node's patience ends.
    pub deadlines: Deadlines<Mac>,
    /// Nodes with an unused grant.
    pub granted: BTreeSet<Mac>,
    /// Nodes whose install runs.
    pub running: BTreeSet<Mac>,
    /// Nodes with an installed system.
    pub installed: BTreeSet<Mac>,
    /// Nodes whose last install ended nobody knows how.
    pub unsure: BTreeSet<Mac>,
    stages: BTreeMap<Stage, usize>,
}

impl Groups {
    pub fn add(&mut self, node: &Node) {
        if let Some(deadline) = node.deadline() {
            self.deadlines.set(node.mac, deadline);
        }
        let (stage, has_system) = (node.stage(), node.disk().system().is_some());
        *self.stages.entry(stage).or_default() += 1;
        let sets = [
            (&mut self.granted, node.unused_grant().is_some()),
            (&mut self.running, stage.is_running()),
            (&mut self.installed, has_system),
            (&mut self.unsure, node.disk().is_ours() && !has_system && !stage.is_running()),
        ];
        for (set, _) in sets.into_iter().filter(|(_, is_in)| *is_in) {
            set.insert(node.mac);
        }
    }

    /// Takes a node out that is as it was when it was added.
    pub fn remove(&mut self, node: &Node) {
        self.deadlines.remove(node.mac);
        if let Some(count) = self.stages.get_mut(&node.stage()) {
            *count -= 1;
        }
        for set in [&mut self.granted, &mut self.running, &mut self.installed, &mut self.unsure] {
            set.remove(&node.mac);
        }
    }

    /// How many are in a stage.
    pub fn in_stage(&self, stage: Stage) -> usize {
        self.stages.get(&stage).copied().unwrap_or(0)
    }
}
