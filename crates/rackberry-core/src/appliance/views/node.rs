//! A node's view.

use crate::{
    appliance::{
        LeadsTo, NextBoot, NodeView,
        decision::Decision,
        policy::{BootPolicy, Known},
    },
    ids::{Mac, OrderKind, Stage, Time},
    nodes::{self, Around, Node},
};

/// Makes nodes' views by what is known.
#[derive(Debug, Clone, Copy)]
pub struct NodeViewer<'a> {
    known: Known<'a>,
    policy: BootPolicy<'a>,
}

impl<'a> NodeViewer<'a> {
    /// By what is known.
    pub fn new(known: Known<'a>) -> NodeViewer<'a> {
        NodeViewer { known, policy: BootPolicy::new(known) }
    }

    /// A node as it is now.
    pub fn view(&self, mac: Mac) -> NodeView {
        let Known { machines, network, now, .. } = self.known;
        let node = machines.nodes().get(mac);
        let next_boot = self.next_boot(mac, node);
        // What a machine is refused that asks for it is why it does not get on.
        let is_refused =
            next_boot.leads_to == LeadsTo::Refused && node.is_some_and(|node| node.arch.is_some());
        let diagnosis = node
            .and_then(|node| self.diagnosis(node))
            .or_else(|| machines.refusal(mac).filter(|_| is_refused).map(str::to_owned));
        let cards = machines.nodes().cards(mac);
        let address = cards.iter().find_map(|card| network.address_of(*card, now));
        NodeView {
            mac,
            macs: cards,
            name: machines.nodes().name(mac).map(str::to_owned),
            led: self.known.node_settings(mac).and_then(|own| own.led),
            stage: node.map_or(Stage::Idle, Node::stage),
            stage_seconds: node.map_or(0, |node| now.since(node.since).as_secs()),
            seen_seconds: node.map(|node| now.since(node.seen).as_secs()),
            arch: node.and_then(|node| node.arch),
            address,
            granted: node.is_some_and(|node| node.grant().is_some()),
            next_boot,
            image: node.and_then(Node::image),
            failure: node.and_then(|node| node.failure().cloned()),
            diagnosis,
            installed: node.and_then(|node| node.disk().system().cloned()),
            writes: node.map_or(0, |node| node.writes),
            offer_style: node.and_then(|node| node.offer_style),
            loader: node.and_then(|node| node.loader),
            log: node.map(|node| node.log.clone()).unwrap_or_default(),
        }
    }

    /// When a node's view is another one, if nothing happens until then: its lease is over, or its silence is long
    /// enough to tell something.
    pub fn changes(&self, mac: Mac) -> Option<Time> {
        let Known { machines, network, now, .. } = self.known;
        let cards = machines.nodes().cards(mac);
        let lease = cards.iter().find_map(|card| network.lease_of(*card, now)).map(|lease| lease.until);
        let silence = |node: &Node| {
            let at_work = machines.nodes().at_work_until(node).filter(|at| now < *at);
            [nodes::diagnosis_changes(node, now), at_work]
        };
        let silence = machines.nodes().get(mac).map(silence).into_iter().flatten().flatten();
        lease.into_iter().chain(silence).min()
    }

    /// What happens if a node's power is switched on now.
    fn next_boot(&self, mac: Mac, node: Option<&Node>) -> NextBoot {
        let (leads_to, why) = match self.policy.decide(mac) {
            Decision::Disk(why) => (LeadsTo::Disk, format!("boots its disk: {why}")),
            Decision::Refused(why) => (LeadsTo::Refused, format!("boots its disk: {why}")),
            Decision::Lead(lead) if lead.kind == OrderKind::Live => (
                LeadsTo::Live,
                format!("boots {} {} to RAM, and a person goes on", lead.profile, lead.version),
            ),
            Decision::Lead(lead) => (
                LeadsTo::Install,
                format!("installs {} {}; its disk is overwritten", lead.profile, lead.version),
            ),
        };
        let overwrites = match (leads_to, node.map(Node::disk)) {
            (LeadsTo::Install, Some(disk)) => disk.in_words(),
            _ => None,
        };
        let words = match &overwrites {
            Some(what) => format!("{why}, and {what} with it"),
            None => why,
        };
        NextBoot { leads_to, words, overwrites }
    }

    fn diagnosis(&self, node: &Node) -> Option<String> {
        let rivals = self.known.network.rivals();
        let no_loader = node.arch.and_then(|arch| self.policy.no_loader(arch));
        let around = Around { rival: rivals.as_deref(), no_loader: no_loader.as_deref() };
        nodes::diagnosis(node, &self.known.machines.attempts(node.mac), around, self.known.now)
    }
}
