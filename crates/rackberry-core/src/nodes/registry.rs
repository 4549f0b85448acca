//! All nodes, found by any of their addresses, their machine's identifier, their name or their grant's token.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    time::Duration,
};

use crate::{
    ids::{Changed, Mac, MachineId, Stage, Time},
    nodes::{Disk, Grant, Life, Node, NodeEvent, Update, groups::Groups, update::compare},
    orders::{OrderId, Orders},
};

/// More unlisted machines than this are not kept track of: a flood of invented addresses must not fill the
/// card.
pub(super) const MOST_NODES: usize = 4096;
/// A machine of which nothing is known but that it asked for a boot gives way to another one after this time.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(600);

/// What becomes of an event of a machine that has no record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unknown {
    /// Nothing.
    Ignored,
    /// It gets one.
    Recorded,
}

/// The nodes.
#[derive(Debug, Clone, Default)]
pub struct Registry {
    pub(super) nodes: BTreeMap<Mac, Node>,
    /// What the configuration says, by the node's first address: its name and all of its addresses.
    pub(super) listed: BTreeMap<Mac, (String, Vec<Mac>)>,
    /// Which node each address belongs to.
    pub(super) keys: HashMap<Mac, Mac>,
    pub(super) machines: HashMap<MachineId, Mac>,
    /// Identifiers that several machines have.
    pub(super) shared: BTreeSet<MachineId>,
    /// When each card was last heard to start, and to get an address; of these minutes only.
    pub(super) heard: HashMap<Mac, super::identity::Heard>,
    /// The cards whose firmware has called its machine so, in these minutes.
    pub(super) claims: HashMap<MachineId, BTreeSet<Mac>>,
    tokens: HashMap<String, Mac>,
    groups: Groups,
    /// Nodes that are listed and were never seen.
    pub(super) unseen: BTreeSet<Mac>,
    /// Which nodes may look different.
    pub(super) changed: Changed,
    /// Until when nobody of those that only asked for a boot gives way to another one.
    full_until: Time,
    /// Nothing may change, because it could not be written down.
    is_frozen: bool,
}

impl Registry {
    /// A registry of nodes that the journal kept, and of identifiers that tell nothing.
    pub fn restore(
        nodes: impl IntoIterator<Item = Node>,
        shared: impl IntoIterator<Item = MachineId>,
    ) -> Registry {
        let mut registry = Registry { shared: shared.into_iter().collect(), ..Registry::default() };
        nodes.into_iter().for_each(|node| registry.put(node));
        registry.changed.note_all();
        registry
    }

    /// From now on nothing changes: what can't be written down must not be acted upon.
    pub fn freeze(&mut self) {
        self.is_frozen = true;
    }

    /// From now on things may change again.
    pub fn thaw(&mut self) {
        self.is_frozen = false;
    }

    /// Whether nothing changes.
    pub fn is_frozen(&self) -> bool {
        self.is_frozen
    }

    /// The address that names the machine which `card` belongs to.
    pub fn key(&self, card: Mac) -> Mac {
        self.keys.get(&card).copied().unwrap_or(card)
    }

    /// Whether the configuration lists the machine.
    pub fn is_listed(&self, card: Mac) -> bool {
        self.listed.contains_key(&self.key(card))
    }

    /// Whether the machine is listed, or was installed from here: nobody becomes that by what it sends.
    pub fn is_acquainted(&self, card: Mac) -> bool {
        self.is_listed(card) || self.get(card).is_some_and(|node| node.writes > 0)
    }

    /// The cards of each machine that is listed or was installed from here.
    pub fn acquainted(&self) -> impl Iterator<Item = Vec<Mac>> {
        let installed = self.nodes.values().filter(|node| node.writes > 0).map(|node| node.mac);
        let keys: BTreeSet<Mac> = self.listed.keys().copied().chain(installed).collect();
        keys.into_iter().map(|key| self.cards(key))
    }

    /// Its name in the configuration.
    pub fn name(&self, card: Mac) -> Option<&str> {
        self.listed.get(&self.key(card)).map(|(name, _)| name.as_str())
    }

    /// Its name, or its address where it has none.
    pub fn label(&self, card: Mac) -> String {
        self.name(card).map_or_else(|| card.to_string(), str::to_owned)
    }

    /// One node.
    pub fn get(&self, card: Mac) -> Option<&Node> {
        self.nodes.get(&self.key(card))
    }

    /// All addresses of a machine: those of its configuration first, in their order.
    pub fn cards(&self, card: Mac) -> Vec<Mac> {
        let key = self.key(card);
        let mut cards = self.listed.get(&key).map_or_else(|| vec![key], |(_, macs)| macs.clone());
        let seen = self.nodes.get(&key).into_iter().flat_map(|node| &node.cards);
        for card in seen {
            if !cards.contains(card) {
                cards.push(*card);
            }
        }
        cards
    }

    /// Every node, those that are listed but were never seen included, in order of their addresses.
    pub fn all(&self) -> impl Iterator<Item = (Mac, Option<&Node>)> {
        let macs: BTreeSet<Mac> = self.nodes.keys().chain(&self.unseen).copied().collect();
        macs.into_iter().map(|mac| (mac, self.nodes.get(&mac)))
    }

    /// Whether a node goes by this address.
    pub fn has(&self, mac: Mac) -> bool {
        self.nodes.contains_key(&mac) || self.unseen.contains(&mac)
    }

    /// Which nodes may look different than before.
    pub fn changed(&mut self) -> &mut Changed {
        &mut self.changed
    }

    /// Every node that something is known of.
    pub fn known(&self) -> impl Iterator<Item = &Node> {
        self.nodes.values()
    }

    /// Nodes with a grant by which nothing was overwritten yet.
    pub fn granted(&self) -> impl Iterator<Item = &Node> {
        self.groups.granted.iter().filter_map(|mac| self.nodes.get(mac))
    }

    /// How many installs run.
    pub fn running(&self) -> usize {
        self.groups.running.len()
    }

    /// How many nodes are in a stage, those that were never seen included.
    pub fn in_stage(&self, stage: Stage) -> usize {
        let unseen = if stage == Stage::Idle { self.unseen.len() } else { 0 };
        self.groups.in_stage(stage) + unseen
    }

    /// How many nodes have an installed system.
    pub fn installed(&self) -> usize {
        self.groups.installed.len()
    }

    /// The nodes whose last install ended nobody knows how.
    pub fn unsure(&self) -> impl Iterator<Item = Mac> {
        self.groups.unsure.iter().copied()
    }

    /// The machine that a person means by its name or any spelling of one of its addresses.
    pub fn find(&self, text: &str) -> Option<Mac> {
        let named = self.listed.iter().find(|(_, (name, _))| name.eq_ignore_ascii_case(text));
        named.map(|(mac, _)| *mac).or_else(|| text.parse().ok().map(|mac| self.key(mac)))
    }

    /// The node whose grant, or whose last one, has this token.
    pub fn by_token(&self, token: &str) -> Option<&Node> {
        self.tokens.get(token).and_then(|mac| self.nodes.get(mac))
    }

    /// Takes in what a machine was seen to do.
    pub fn apply(&mut self, card: Mac, event: NodeEvent, unknown: Unknown, now: Time) -> Update {
        let key = self.key(card);
        let is_new = unknown == Unknown::Recorded && !self.nodes.contains_key(&key) && !self.is_frozen;
        let forgotten = if is_new { self.make_room_for(key, now) } else { None };
        let is_recorded = unknown == Unknown::Recorded && self.has_room_for(key);
        let known = self.nodes.contains_key(&key) || is_recorded;
        if !known {
            return Update::default();
        }
        Update { forgotten, ..self.change(key, now, |node| node.apply(event, now)) }
    }

    /// Where there is no room for one more machine: forgets the one that was silent longest among those that only ever asked
    /// for a boot. Whoever makes addresses up keeps nobody out for longer than it goes on.
    fn make_room_for(&mut self, key: Mac, now: Time) -> Option<Mac> {
        if self.has_room_for(key) || now < self.full_until {
            return None;
        }
        let is_empty = |node: &&Node| {
            let rests = matches!(node.life, Life::Resting { disk: Disk::Untouched });
            rests && node.writes == 0 && node.last.is_none() && !self.listed.contains_key(&node.mac)
        };
        let silent = self.nodes.values().filter(is_empty).min_by_key(|node| node.seen);
        let silent = silent.map(|node| (node.mac, node.seen + FORGOTTEN_AFTER));
        let Some((mac, _)) = silent.filter(|(_, until)| *until <= now) else {
            // A flood must not have them looked through for each of its addresses.
            self.full_until = silent.map_or(now + FORGOTTEN_AFTER, |(_, until)| until);
            return None;
        };
        self.take(mac).map(|node| node.mac)
    }

    pub(super) fn has_room_for(&self, key: Mac) -> bool {
        self.nodes.len() < MOST_NODES || self.listed.contains_key(&key)
    }

    /// Gives a node its permission for the start that begins, in place of one that it may have had and not used.
    pub fn give(&mut self, node: Mac, grant: Grant, now: Time) -> Update {
        self.change(node, now, |node| {
            if !matches!(node.life, Life::Overwriting { .. }) {
                node.give(grant, now);
            }
        })
    }

    /// Withdraws the unused grants that `keeps` does not want kept.
    pub fn withdraw(&mut self, now: Time, keeps: impl Fn(&Node, &Grant) -> bool) -> Vec<Update> {
        let is_kept = |node: &Node| node.unused_grant().is_some_and(|grant| keeps(node, grant));
        let macs: Vec<Mac> = self.granted().filter(|node| !is_kept(node)).map(|node| node.mac).collect();
        macs.into_iter().map(|mac| self.change(mac, now, |node| node.withdraw(now))).collect()
    }

    /// Withdraws the unused grants whose orders are not open.
    pub fn withdraw_closed(&mut self, orders: &Orders, now: Time) -> Vec<Update> {
        let open: BTreeSet<OrderId> = orders.open(now).map(|order| order.id).collect();
        self.withdraw(now, |_, grant| open.contains(&grant.order))
    }

    /// Fails the nodes that were silent too long.
    pub fn time_out(&mut self, now: Time) -> Vec<Update> {
        if self.is_frozen {
            return Vec::new();
        }
        let due: Vec<Mac> = self.groups.deadlines.due(now).collect();
        due.into_iter().map(|mac| self.change(mac, now, |node| node.time_out(now))).collect()
    }

    /// When [`Registry::time_out`] has work next.
    pub fn deadline(&self) -> Option<Time> {
        self.groups.deadlines.first().filter(|_| !self.is_frozen)
    }

    /// Changes one node as `change` says, making it first where nothing was known of it.
    pub fn change(&mut self, card: Mac, now: Time, change: impl FnOnce(&mut Node)) -> Update {
        if self.is_frozen {
            return Update::default();
        }
        let key = self.key(card);
        let known = self.nodes.get(&key);
        let is_new = known.is_none();
        let before = known.cloned().unwrap_or_else(|| self.fresh(key, now));
        let mut node = before.clone();
        change(&mut node);
        let mut update = compare(&before, &node);
        if is_new {
            update.changed.get_or_insert_with(|| Box::new(node.clone()));
        }
        self.put(node);
        update
    }

    /// A node that nothing is known of but what the configuration says.
    fn fresh(&self, key: Mac, now: Time) -> Node {
        let mut node = Node::new(key, now);
        node.cards.extend(self.listed.get(&key).into_iter().flat_map(|(_, macs)| macs));
        node
    }

    /// Drops what is known of a node; true if something was.
    pub fn forget(&mut self, card: Mac) -> bool {
        !self.is_frozen && self.take(self.key(card)).is_some()
    }

    /// After a restart: silence counts from now, since nobody listened before, and installs that had not begun don't
    /// begin.
    pub fn resume_after_restart(&mut self, now: Time) -> Vec<Update> {
        let macs: Vec<Mac> = self.nodes.keys().copied().collect();
        let resume = |node: &mut Node| {
            node.seen = now;
            node.withdraw(now);
            if let Life::Overwriting { image: Some(image), .. } = &mut node.life {
                image.was_away();
            }
        };
        macs.into_iter().map(|mac| self.change(mac, now, resume)).collect()
    }

    /// Forgets what the configuration says; records are found by what they say themselves.
    pub(super) fn unlist(&mut self) {
        self.listed.clear();
        self.keys.clear();
        self.unseen.clear();
        self.groups = Groups::default();
        for node in std::mem::take(&mut self.nodes).into_values() {
            self.put(node);
        }
    }

    /// Keeps a node, and whatever it is found by.
    pub(super) fn put(&mut self, node: Node) {
        let mac = node.mac;
        self.take(mac);
        for card in &node.cards {
            // What the configuration says of a card comes first.
            let is_others = self.keys.get(card).is_some_and(|key| self.lists(*key, *card) && *key != mac);
            if !is_others {
                self.keys.insert(*card, mac);
            }
        }
        if let Some(machine) = node.machine.filter(|machine| !self.shared.contains(machine)) {
            self.machines.insert(machine, mac);
        }
        let tokens = node
            .grant()
            .map(|grant| &grant.token)
            .into_iter()
            .chain(node.last.as_ref().map(|last| &last.token));
        for token in tokens {
            self.tokens.insert(token.clone(), mac);
        }
        self.groups.add(&node);
        self.unseen.remove(&mac);
        self.note_changed(&node);
        self.nodes.insert(mac, node);
    }

    /// Whether the configuration gives a card to the node that goes by `key`.
    pub fn lists(&self, key: Mac, card: Mac) -> bool {
        self.listed.get(&key).is_some_and(|(_, macs)| macs.contains(&card))
    }

    /// Takes a node out, and whatever it was found by.
    pub(super) fn take(&mut self, mac: Mac) -> Option<Node> {
        let node = self.nodes.remove(&mac)?;
        for card in &node.cards {
            if self.keys.get(card) == Some(&mac) && !self.lists(mac, *card) {
                self.keys.remove(card);
            }
        }
        if let Some(machine) = &node.machine
            && self.machines.get(machine) == Some(&mac)
        {
            self.machines.remove(machine);
        }
        let tokens = node
            .grant()
            .map(|grant| &grant.token)
            .into_iter()
            .chain(node.last.as_ref().map(|last| &last.token));
        for token in tokens {
            self.tokens.remove(token);
        }
        self.groups.remove(&node);
        if self.listed.contains_key(&mac) {
            self.unseen.insert(mac);
        }
        self.note_changed(&node);
        Some(node)
    }

    /// A node looks different, and so may those whose firmware calls its machine the same.
    fn note_changed(&mut self, node: &Node) {
        self.changed.note(node.mac);
        if let Some(machine) = node.machine {
            self.note_claims(machine);
        }
    }

    /// What is told of those that call their machine so may be different.
    pub(super) fn note_claims(&mut self, machine: MachineId) {
        for card in self.claims.get(&machine).into_iter().flatten() {
            self.changed.note(self.keys.get(card).copied().unwrap_or(*card));
        }
    }
}
