//! What tests see of the parts.

use super::Appliance;
use crate::{
    appliance::{
        NodeView,
        state::{NetworkState, Setup},
        views::NodeViewer,
    },
    ids::Time,
    nodes::Registry,
    orders::Orders,
};

impl Appliance {
    /// What is configured and there.
    pub fn setup(&self) -> &Setup {
        &self.setup
    }

    /// The network.
    pub fn network(&self) -> &NetworkState {
        &self.network
    }

    /// The records.
    pub fn nodes(&self) -> &Registry {
        self.machines.nodes()
    }

    /// The records, to look ahead.
    pub fn nodes_mut(&mut self) -> &mut Registry {
        self.machines.nodes_mut()
    }

    /// The orders.
    pub fn orders(&self) -> &Orders {
        self.machines.orders()
    }

    /// Every node, made anew: what those that were kept must be like.
    pub fn node_views(&self, now: Time) -> Vec<NodeView> {
        let viewer = NodeViewer::new(self.known(now));
        self.nodes().all().map(|(mac, _)| viewer.view(mac)).collect()
    }
}
