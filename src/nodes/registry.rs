//! All nodes.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    ids::{Mac, Stage, Time},
    nodes::{Grant, Node, Sign},
};

/// More unlisted machines than this are not kept track of: a flood of invented addresses must not fill the
/// card.
const MOST_NODES: usize = 4096;

/// A stage change, for the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moved {
    /// Which node.
    pub mac: Mac,
    /// From here
    pub from: Stage,
    /// to here.
    pub to: Stage,
}

/// What was done to one node: a stage change worth a log line, and whether the journal must know.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Update {
    /// The stage change, if there was one.
    pub moved: Option<Moved>,
    /// The node to journal, if it changed in more than its last sign of life and its transfer's count.
    pub changed: Option<Box<Node>>,
}

/// The nodes, by their first hardware address.
#[derive(Debug, Clone, Default)]
pub struct Registry {
    nodes: BTreeMap<Mac, Node>,
    names: BTreeMap<Mac, String>,
    aliases: BTreeMap<Mac, Mac>,
}

impl Registry {
    /// A registry of nodes that the journal kept.
    pub fn restore(nodes: impl IntoIterator<Item = Node>) -> Registry {
        Registry { nodes: nodes.into_iter().map(|node| (node.mac, node)).collect(), ..Registry::default() }
    }

    /// Takes the nodes' names and addresses from the configuration: name and hardware addresses of each.
    pub fn list<'a>(&mut self, listed: impl IntoIterator<Item = (&'a str, &'a [Mac])>) {
        self.names.clear();
        self.aliases.clear();
        for (name, macs) in listed {
            let Some(first) = macs.first() else { continue };
            self.names.insert(*first, name.to_owned());
            self.aliases.extend(macs.iter().map(|mac| (*mac, *first)));
        }
    }

    /// The address that names the machine which `mac` belongs to.
    pub fn primary(&self, mac: Mac) -> Mac {
        self.aliases.get(&mac).copied().unwrap_or(mac)
    }

    /// Whether the configuration lists it.
    pub fn is_listed(&self, mac: Mac) -> bool {
        self.names.contains_key(&self.primary(mac))
    }

    /// Its name in the configuration.
    pub fn name(&self, mac: Mac) -> Option<&str> {
        self.names.get(&self.primary(mac)).map(String::as_str)
    }

    /// One node.
    pub fn get(&self, mac: Mac) -> Option<&Node> {
        self.nodes.get(&self.primary(mac))
    }

    /// Every node, those that are listed but were never seen included, in order of their addresses.
    pub fn all(&self) -> impl Iterator<Item = (Mac, Option<&Node>)> {
        let macs: BTreeSet<Mac> = self.nodes.keys().chain(self.names.keys()).copied().collect();
        macs.into_iter().map(|mac| (mac, self.nodes.get(&mac)))
    }

    /// The machine that a person means by its name or any spelling of one of its addresses.
    pub fn find(&self, text: &str) -> Option<Mac> {
        let named = self.names.iter().find(|(_, name)| name.eq_ignore_ascii_case(text));
        named.map(|(mac, _)| *mac).or_else(|| text.parse().ok().map(|mac| self.primary(mac)))
    }

    /// The node whose grant has this token.
    pub fn by_token(&self, token: &str) -> Option<Mac> {
        let mut nodes = self.nodes.values();
        let has = |node: &&Node| node.grant.as_ref().is_some_and(|grant| grant.token == token);
        nodes.find(has).map(|node| node.mac)
    }

    /// Takes in what a machine was seen to do. `record` makes a node of a machine that had none yet.
    pub fn saw(&mut self, mac: Mac, sign: Sign, record: bool, now: Time) -> Update {
        let mac = self.primary(mac);
        if !self.nodes.contains_key(&mac) {
            let room = self.nodes.len() < MOST_NODES || self.names.contains_key(&mac);
            if !(record && room) {
                return Update::default();
            }
        }
        self.change(mac, now, |node| node.saw(sign, now))
    }

    /// Grants an install, unless this arming has granted that node before or an install of it is open.
    pub fn grant(&mut self, mac: Mac, grant: Grant, now: Time) -> Update {
        self.change(mac, now, |node| {
            if node.can_be_granted(grant.arming) {
                node.grant(grant, now);
            }
        })
    }

    /// Withdraws unspent grants: all of them, or only those whose install does not run yet.
    pub fn withdraw(&mut self, running_too: bool, now: Time) -> Vec<Update> {
        self.sweep(now, |node| {
            if running_too || !node.stage.is_running() {
                node.withdraw(now);
            }
        })
    }

    /// A new arming took the place of the open one: unspent grants of those that it `admits` are its own now, the
    /// others are withdrawn. Installs that run go on.
    pub fn replace_arming(
        &mut self,
        arming: u64,
        admits: impl Fn(Mac, bool) -> bool,
        now: Time,
    ) -> Vec<Update> {
        self.sweep(now, |node| {
            if admits(node.mac, node.installed.is_some()) {
                node.carry_over(arming);
            } else if !node.stage.is_running() {
                node.withdraw(now);
            }
        })
    }

    /// Fails the nodes that were silent too long.
    pub fn time_out(&mut self, now: Time) -> Vec<Update> {
        self.sweep(now, |node| {
            if node.deadline().is_some_and(|deadline| deadline <= now) {
                node.time_out(now);
            }
        })
    }

    /// When [`Registry::time_out`] has work next.
    pub fn deadline(&self) -> Option<Time> {
        self.nodes.values().filter_map(Node::deadline).min()
    }

    /// Changes one node as `change` says, making it first where nothing was known of it.
    pub fn change(&mut self, mac: Mac, now: Time, change: impl FnOnce(&mut Node)) -> Update {
        let mac = self.primary(mac);
        let known = self.nodes.get(&mac);
        let is_new = known.is_none();
        let before = known.cloned().unwrap_or_else(|| Node::new(mac, now));
        let mut node = before.clone();
        change(&mut node);
        let update = compare(&before, &node, is_new);
        self.nodes.insert(mac, node);
        update
    }

    /// Drops what is known of a node; true if something was.
    pub fn forget(&mut self, mac: Mac) -> bool {
        self.nodes.remove(&self.primary(mac)).is_some()
    }

    /// After a restart: silence counts from now, since nobody listened before, and installs that had not begun
    /// don't begin.
    pub fn wake(&mut self, now: Time) {
        for node in self.nodes.values_mut() {
            if node.stage.is_running() {
                node.seen = now;
            } else {
                node.withdraw(now);
            }
        }
    }

    fn sweep(&mut self, now: Time, mut change: impl FnMut(&mut Node)) -> Vec<Update> {
        let macs: Vec<Mac> = self.nodes.keys().copied().collect();
        macs.into_iter()
            .map(|mac| self.change(mac, now, &mut change))
            .filter(|update| update.changed.is_some())
            .collect()
    }
}

fn compare(before: &Node, after: &Node, is_new: bool) -> Update {
    let mut same_but_for_counts = after.clone();
    same_but_for_counts.seen = before.seen;
    if let (Some(image), Some(earlier)) = (&mut same_but_for_counts.image, &before.image) {
        image.sent = earlier.sent;
    }
    let moved = (before.stage != after.stage).then_some(Moved {
        mac: after.mac,
        from: before.stage,
        to: after.stage,
    });
    let changed = (is_new || same_but_for_counts != *before).then(|| Box::new(after.clone()));
    Update { moved, changed }
}
