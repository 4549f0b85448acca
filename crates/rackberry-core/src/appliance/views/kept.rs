//! Every node's view, made when somebody looks. What is made once stays until the node, what all nodes depend on or the
//! time changes it, so that an event costs the same however many nodes there are.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use crate::{
    appliance::{NodeView, policy::Known, views::NodeViewer},
    assets::catalog::Catalog,
    config::Settings,
    dhcp::ServingMode,
    ids::{Deadlines, Mac, Time},
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
pub struct KeptViews {
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

impl Common {
    fn of(known: &Known<'_>) -> Common {
        Common {
            settings: known.setup.settings().clone(),
            catalog: known.setup.catalog().clone(),
            unwritable: known.condition.unwritable().map(str::to_owned),
            serving_mode: known.network.serving_mode(),
            rivals: known.network.rivals(),
            orders: known.machines.orders().open(known.now).map(|order| order.id).collect(),
        }
    }
}

impl KeptViews {
    /// Every node. Only those are made anew that may look different since the last call: those that are `changed` (all, if
    /// that is not known), and those whose time has come. Of the same nodes it is the same map.
    pub fn look(&mut self, known: Known<'_>, changed: Option<BTreeSet<Mac>>) -> Arc<NodeViews> {
        let viewer = NodeViewer::new(known);
        for mac in self.outdated(&known, changed) {
            if known.nodes().has(mac) {
                self.put(mac, Some(timed_view(&known, &viewer, mac)), viewer.changes(mac));
            } else {
                self.put(mac, None, None);
            }
        }
        Arc::clone(&self.nodes)
    }

    /// Whose views have to be made anew, or taken out.
    fn outdated(&mut self, known: &Known<'_>, changed: Option<BTreeSet<Mac>>) -> BTreeSet<Mac> {
        let common = Common::of(known);
        let is_same = self.common.as_ref() == Some(&common);
        self.common = Some(common);
        let over = self.ends.take_due(known.now);
        match changed.filter(|_| is_same) {
            // What is kept by card belongs to the machine that the card is one of.
            Some(changed) => {
                changed.into_iter().chain(over).flat_map(|mac| [mac, known.nodes().key(mac)]).collect()
            }
            None => self.nodes.keys().copied().chain(known.nodes().all().map(|(mac, _)| mac)).collect(),
        }
    }

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

fn timed_view(known: &Known<'_>, viewer: &NodeViewer<'_>, mac: Mac) -> TimedView {
    let node = known.nodes().get(mac);
    let (since, seen) = (node.map(|node| node.since), node.map(|node| node.seen));
    let view = NodeView { stage_seconds: 0, seen_seconds: None, ..viewer.view(mac) };
    TimedView { view, since, seen }
}
