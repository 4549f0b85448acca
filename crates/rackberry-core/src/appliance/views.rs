//! Every node's view, made when somebody looks. What is made once stays until the node, what all nodes depend on or the
//! time changes it, so that an event costs the same however many nodes there are.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use crate::{
    appliance::{Appliance, NodeView},
    assets::catalog::Catalog,
    config::Settings,
    dhcp::ServingMode,
    ids::{Deadlines, Mac, Time},
    nodes::{self, Node},
    orders::OrderId,
};

/// Every node, by its first address, as it is until the next look.
pub type NodeViews = BTreeMap<Mac, Arc<TimedView>>;

/// A node's view, and the moments that its seconds count from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimedView {
    /// All but its seconds.
    pub view: NodeView,
    /// Since when it is in its stage; absent when it was never seen, as the next.
    pub since: Option<Time>,
    /// Its last sign of life.
    pub seen: Option<Time>,
}

impl TimedView {
    /// The view as it is now.
    pub fn at(&self, now: Time) -> NodeView {
        let seconds = |since: Time| now.since(since).as_secs();
        NodeView {
            stage_seconds: self.since.map_or(0, seconds),
            seen_seconds: self.seen.map(seconds),
            ..self.view.clone()
        }
    }
}

/// The views that were made last.
#[derive(Debug, Clone, Default)]
pub(super) struct Views {
    nodes: Arc<NodeViews>,
    /// When time alone may change a node's view.
    ends: Deadlines<Mac>,
    /// What all views rest on; none are made yet without it.
    common: Option<Common>,
}

/// What every node's view rests on.
#[derive(Debug, Clone)]
struct Common {
    settings: Arc<Settings>,
    catalog: Arc<Catalog>,
    unwritable: Option<String>,
    serving_mode: ServingMode,
    rivals: Option<String>,
    orders: Vec<OrderId>,
}

impl PartialEq for Common {
    fn eq(&self, other: &Common) -> bool {
        let rest =
            |it: &Common| (it.unwritable.clone(), it.serving_mode, it.rivals.clone(), it.orders.clone());
        Arc::ptr_eq(&self.settings, &other.settings)
            && Arc::ptr_eq(&self.catalog, &other.catalog)
            && rest(self) == rest(other)
    }
}

impl Appliance {
    /// Every node. Only those are made anew that may look different since the last call; of the same nodes it is the
    /// same map.
    pub fn look(&mut self, now: Time) -> Arc<NodeViews> {
        for mac in self.changed_views(now) {
            let made = self.nodes.has(mac).then(|| self.timed_view(mac, now));
            let until = made.is_some().then(|| self.view_changes(mac, now)).flatten();
            self.views.put(mac, made, until);
        }
        Arc::clone(&self.views.nodes)
    }

    /// Whose views have to be made anew, or taken out.
    fn changed_views(&mut self, now: Time) -> BTreeSet<Mac> {
        let common = Common {
            settings: self.settings.clone(),
            catalog: self.catalog.clone(),
            unwritable: self.unwritable.clone(),
            serving_mode: self.rogue_detection.serving_mode(),
            rivals: self.rogue_detection.rivals(),
            orders: self.orders.open(now).map(|order| order.id).collect(),
        };
        let is_same = self.views.common.as_ref() == Some(&common);
        self.views.common = Some(common);
        let parts =
            [self.nodes.changed().take(), self.boot_attempts.changed().take(), self.dhcp.changed().take()];
        let parts: Option<Vec<BTreeSet<Mac>>> = parts.into_iter().collect();
        let over = self.views.ends.take_due(now);
        match parts.filter(|_| is_same) {
            // What is kept by card belongs to the machine that the card is one of.
            Some(parts) => {
                parts.into_iter().flatten().chain(over).flat_map(|mac| [mac, self.nodes.key(mac)]).collect()
            }
            None => self.views.nodes.keys().copied().chain(self.nodes.all().map(|(mac, _)| mac)).collect(),
        }
    }

    fn timed_view(&self, mac: Mac, now: Time) -> TimedView {
        let node = self.nodes.get(mac);
        let (since, seen) = (node.map(|node| node.since), node.map(|node| node.seen));
        let view = NodeView { stage_seconds: 0, seen_seconds: None, ..self.node_view(mac, now) };
        TimedView { view, since, seen }
    }

    /// When a node's view is another one, if nothing happens until then: its lease is over, or its silence is long
    /// enough to tell something.
    fn view_changes(&self, mac: Mac, now: Time) -> Option<Time> {
        let cards = self.nodes.cards(mac);
        let lease = cards.iter().find_map(|card| self.dhcp.lease_of(*card, now)).map(|lease| lease.until);
        let silence = |node: &Node| {
            [nodes::diagnosis_changes(node, now), self.nodes.at_work_until(node).filter(|at| now < *at)]
        };
        let silence = self.nodes.get(mac).map(silence).into_iter().flatten().flatten();
        lease.into_iter().chain(silence).min()
    }
}

impl Views {
    /// Keeps a node's view until then, or takes it out.
    fn put(&mut self, mac: Mac, view: Option<TimedView>, until: Option<Time>) {
        match until {
            Some(until) => self.ends.set(mac, until),
            None => self.ends.remove(mac),
        }
        if self.nodes.get(&mac).map(|known| &**known) == view.as_ref() {
            return;
        }
        // A copy, of pointers, only while somebody holds the last one.
        let nodes = Arc::make_mut(&mut self.nodes);
        match view {
            Some(view) => drop(nodes.insert(mac, Arc::new(view))),
            None => drop(nodes.remove(&mac)),
        }
    }
}
