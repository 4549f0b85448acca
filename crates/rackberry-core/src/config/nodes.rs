//! `[[node]]`: each by itself, then what must be unique among them.

use std::{collections::HashMap, hash::Hash, net::Ipv4Addr};

use super::{
    fault::Wrong,
    keys,
    raw::{RawConfig, RawNode},
    settings::{Network, NodeSettings},
    source::Place,
    validate::{Check, UsedBy, in_network},
    values,
};
use crate::ids::Mac;

/// What was taken by whom, and where that was written.
struct Taken<K>(HashMap<K, (String, Place)>);

impl<K: Hash + Eq> Taken<K> {
    fn new() -> Self {
        Self(HashMap::new())
    }

    /// Takes `what` for `owner`; reports it where that is taken already.
    fn take(&mut self, what: K, shown: &str, UsedBy { owner, place, key }: UsedBy<'_>, check: &mut Check) {
        if let Some((other, at)) = self.0.get(&what) {
            let refer = check.report.refer(place, *at);
            let problem = format!("{shown} is {other}'s already ({refer})");
            check.report.fault(place, key, Wrong::new(problem, "each node needs its own"));
            return;
        }
        self.0.insert(what, (owner.to_owned(), place));
    }
}

/// Checks all nodes; `network` is absent where its own address is at fault.
pub(super) fn settings(raw: &RawConfig, network: Option<&Network>, check: &mut Check) -> Vec<NodeSettings> {
    let router = raw.dhcp.router.set().and_then(|at| at.value.parse::<Ipv4Addr>().ok());
    let mut names = Taken::new();
    let mut macs = Taken::new();
    let mut addresses = Taken::new();
    let mut leds = Taken::new();
    let mut nodes = Vec::new();
    for node in &raw.nodes {
        let read = one(node, network, router, check);
        let owner = &read.name;
        let keys = &node.keys;
        // Names are compared as host names are: in any case.
        let name_place = keys.name.set().map_or(node.place, |at| at.place);
        if !keys.name.is_bad() && !owner.is_empty() {
            let shown = format!("the name {owner:?}");
            if let Some((_, at)) = names.0.get(&owner.to_lowercase()) {
                let refer = check.report.refer(name_place, *at);
                let wrong =
                    Wrong::new(format!("{shown} is taken already ({refer})"), "each node needs its own");
                check.report.fault(name_place, "node.name", wrong);
            } else {
                names.0.insert(owner.to_lowercase(), (owner.clone(), name_place));
            }
        }
        for (mac, place, key) in mac_places(node) {
            macs.take(mac, &mac.to_string(), UsedBy { owner, place, key }, check);
        }
        if let (Some(address), Some(at)) = (read.address, keys.address.set()) {
            let written = UsedBy { owner, place: at.place, key: "node.address" };
            addresses.take(address, &address.to_string(), written, check);
        }
        if let (Some(led), Some(at)) = (read.led, keys.led.set()) {
            let written = UsedBy { owner, place: at.place, key: "node.led" };
            leds.take(led, &format!("LED {led}"), written, check);
        }
        nodes.push(read);
    }
    names_are_not_macs(raw, &macs, check);
    nodes
}

/// The MACs of a node that can be read, with their places and keys.
fn mac_places(node: &RawNode) -> Vec<(Mac, Place, &'static str)> {
    let single = node.keys.mac.set().map(|at| (at, "node.mac"));
    let list = node.keys.macs.set().into_iter().flat_map(|macs| &macs.value).map(|at| (at, "node.macs"));
    single
        .into_iter()
        .chain(list)
        .filter_map(|(at, key)| Some((values::mac(&at.value).ok()?, at.place, key)))
        .collect()
}

/// A name that reads as another node's MAC would make commands ambiguous.
fn names_are_not_macs(raw: &RawConfig, macs: &Taken<Mac>, check: &mut Check) {
    for node in &raw.nodes {
        let Some(name) = node.keys.name.set() else { continue };
        let Ok(mac) = name.value.parse::<Mac>() else { continue };
        if mac_places(node).iter().any(|(own, ..)| *own == mac) {
            continue;
        }
        let problem = match macs.0.get(&mac) {
            Some((owner, _)) => format!("{:?} is the MAC of {owner}", name.value),
            None => format!("{:?} reads as a MAC, but is not this node's", name.value),
        };
        let help = "commands take a name or a MAC: choose a name that isn't one";
        check.report.fault(name.place, "node.name", Wrong::new(problem, help));
    }
}

fn one(
    node: &RawNode,
    network: Option<&Network>,
    router: Option<Ipv4Addr>,
    check: &mut Check,
) -> NodeSettings {
    let keys = &node.keys;
    let macs = macs(node, check);
    let name = check.value(&keys.name, "node.name", |text: &String| values::node_name(text));
    // Where the name is at fault, messages about other keys still quote it.
    let stand_in = || match keys.name.set() {
        Some(at) => at.value.clone(),
        None => macs.first().map_or_else(String::new, |mac| mac.dashed()),
    };
    NodeSettings {
        name: name.unwrap_or_else(stand_in),
        macs,
        address: check.text(&keys.address, "node.address", |text| {
            let address = values::host_address(text)?;
            let Some(network) = network else { return Ok(address) };
            let help = "leave the address out, or choose a free one of the network";
            in_network(address, network).map_err(|problem| Wrong::new(problem.to_string(), help))?;
            if address == network.address {
                return Err(Wrong::new(format!("{address} is rackberry's own (network.address)"), help));
            }
            if Some(address) == router {
                return Err(Wrong::new(format!("{address} is the router's (dhcp.router)"), help));
            }
            Ok(address)
        }),
        profile: check.text(&keys.profile, "node.profile", values::profile),
        version: check.text(&keys.version, "node.version", values::file_name),
        disk: check.text(&keys.disk, "node.disk", values::disk),
        loader: check.text(&keys.loader, "node.loader", values::loader),
        led: check.value(&keys.led, "node.led", |number| {
            u16::try_from(*number)
                .ok()
                .filter(|led| *led > 0)
                .ok_or_else(|| Wrong::new(format!("{number} is not an LED's number"), "LEDs count from 1"))
        }),
        vars: keys.vars.set().map(|at| at.value.clone()).unwrap_or_default(),
    }
}

fn macs(node: &RawNode, check: &mut Check) -> Vec<Mac> {
    let keys = &node.keys;
    if let (Some(_), Some(macs)) = (keys.mac.set(), keys.macs.set()) {
        let wrong = Wrong::new("`mac` and `macs` are both there", "put all MACs into `macs`");
        check.report.fault(macs.place, "node.macs", wrong);
    }
    if keys.mac.is_absent() && keys.macs.is_absent() {
        let wrong = Wrong::new("the node has no MAC", keys::example("node.mac"));
        check.report.fault(node.place, "node", wrong);
    }
    if let Some(macs) = keys.macs.set().filter(|macs| macs.value.is_empty()) {
        check.report.fault(
            macs.place,
            "node.macs",
            Wrong::new("the list is empty", keys::example("node.macs")),
        );
    }
    let single = check.value(&keys.mac, "node.mac", |text: &String| values::mac(text));
    let mut all: Vec<Mac> = single.into_iter().collect();
    for item in keys.macs.set().into_iter().flat_map(|macs| &macs.value) {
        all.extend(check.checked(item.place, "node.macs", values::mac(&item.value)));
    }
    all
}
