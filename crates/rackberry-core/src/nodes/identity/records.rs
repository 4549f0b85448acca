//! Records that are joined, parted and brought to where the configuration wants them.

use super::*;

impl Registry {
    /// Takes the nodes' names and addresses from the configuration: name and hardware addresses of each. Records follow
    /// their machines: a machine that goes by another first address keeps its record, two records of one machine become
    /// one, and what was one machine and is two by the configuration is no fresh machine in either part.
    pub fn set_configured<'a>(
        &mut self,
        listed: impl IntoIterator<Item = (&'a str, &'a [Mac])>,
        now: Time,
    ) -> Recognized {
        let mut out = Recognized::default();
        self.unlist();
        self.changed.note_all();
        let mut lists = Vec::new();
        for (name, macs) in listed {
            let Some(first) = macs.first() else { continue };
            self.listed.insert(*first, (name.to_owned(), macs.to_vec()));
            self.keys.extend(macs.iter().map(|mac| (*mac, *first)));
            lists.push((*first, macs.to_vec()));
        }
        let records: Vec<Mac> = self.nodes.keys().copied().collect();
        for mac in records {
            self.follow(mac, &lists, now, &mut out);
        }
        self.unseen = self.listed.keys().filter(|mac| !self.nodes.contains_key(*mac)).copied().collect();
        out
    }

    /// Brings one record to where the configuration wants it.
    fn follow(&mut self, mac: Mac, lists: &[(Mac, Vec<Mac>)], now: Time, out: &mut Recognized) {
        let Some(node) = self.nodes.get(&mac) else { return };
        let claims = |macs: &[Mac]| macs.iter().any(|mac| node.cards.contains(mac));
        let claimed: Vec<&(Mac, Vec<Mac>)> = lists.iter().filter(|(_, macs)| claims(macs)).collect();
        // The record stays with the card that its install goes by, else with the one that named it.
        let holder = installs_by(node)
            .into_iter()
            .chain([mac])
            .find_map(|card| claimed.iter().find(|(_, macs)| macs.contains(&card)));
        let Some((first, macs)) = holder.or(claimed.first()).copied() else { return };
        let others: Vec<(Mac, Vec<Mac>)> =
            claimed.iter().filter(|(other, _)| other != first).map(|other| (*other).clone()).collect();
        let mut parts = Vec::new();
        for (other, macs) in &others {
            let mut part = parted(node, *other, now);
            part.cards.extend(macs.iter().filter(|mac| node.cards.contains(mac)));
            parts.push(part);
        }
        let mut node = node.clone();
        node.cards.retain(|card| !others.iter().any(|(_, macs)| macs.contains(card)));
        node.cards.extend(macs);
        // Its cards have what it may have from now on, and that card is another machine's for all that a person says.
        if node.unused_grant().is_some_and(|grant| !macs.contains(&grant.card)) {
            node.withdraw(now);
        }
        if !parts.is_empty() {
            // Which of them its firmware's identifier is of will be seen.
            node.machine = None;
        }
        self.rekey(node, *first, now, out);
        for part in parts {
            let card = part.mac;
            out.news.push(Identity::Parted { node: *first, card });
            let part = match self.nodes.get(&card) {
                Some(known) => merged(known.clone(), part, now),
                None => part,
            };
            self.put(part.clone());
            out.changes.push(RecordChange::Put(Box::new(part)));
        }
    }

    /// Puts a record under another address, into the record that is there already, if one is.
    fn rekey(&mut self, mut node: Node, key: Mac, now: Time, out: &mut Recognized) {
        let old = node.mac;
        let before = self.nodes.get(&old).cloned();
        if old != key && before.is_some() {
            self.take(old);
            out.changes.push(RecordChange::Drop(old));
            out.news.push(Identity::Renamed { old, new: key });
        }
        node.mac = key;
        node.cards.insert(key);
        if let Some(known) = self.nodes.get(&key).filter(|_| old != key || before.is_none()) {
            node = merged(known.clone(), node, now);
        } else if before.as_ref() == Some(&node) {
            return;
        }
        self.put(node.clone());
        out.changes.push(RecordChange::Put(Box::new(node)));
    }

    /// `other`, a card or a record that nobody configured, is the machine that goes by `node`, or the other way round.
    pub(super) fn join(&mut self, node: Mac, other: Mac, now: Time, out: &mut Recognized) {
        let (node, other) = if self.listed.contains_key(&other) { (other, node) } else { (node, other) };
        let full = self.nodes.get(&node).is_some_and(|node| node.cards.len() >= MOST_CARDS);
        if full {
            return;
        }
        match self.nodes.get(&other).cloned() {
            Some(record) => {
                for card in &record.cards {
                    out.news.push(Identity::Joined { node, card: *card });
                }
                self.rekey(record, node, now, out);
            }
            None => {
                out.news.push(Identity::Joined { node, card: other });
                self.alter(node, now, |node| node.cards.extend([other]), out);
            }
        }
    }

    /// A card is another machine: its identifier is one that several have. What is known stays with the card that the last
    /// install goes by.
    pub(super) fn part(&mut self, key: Mac, card: Mac, now: Time, out: &mut Recognized) {
        let Some(mut node) = self.take(key) else { return };
        if let Some(machine) = node.machine.take() {
            self.share(machine, out);
        }
        let mut rest = node.cards.clone();
        rest.remove(&card);
        let Some(stays) = rest.get(&key).or(rest.first()).copied() else { return };
        let mut other = parted(&node, card, now);
        if installs_by(&node) == Some(card) {
            (other.mac, other.cards) = (stays, rest);
            (node.mac, node.cards) = (card, BTreeSet::from([card]));
        } else {
            (node.mac, node.cards) = (stays, rest);
        }
        if ![node.mac, other.mac].contains(&key) {
            out.changes.push(RecordChange::Drop(key));
            out.news.push(Identity::Renamed { old: key, new: stays });
        }
        other.seen = now;
        out.news.push(Identity::Parted { node: stays, card });
        for node in [node, other] {
            self.put(node.clone());
            out.changes.push(RecordChange::Put(Box::new(node)));
        }
    }

    /// An identifier tells nothing from now on.
    pub(super) fn share(&mut self, machine: MachineId, out: &mut Recognized) {
        self.shared.insert(machine);
        self.note_claims(machine);
        self.claims.remove(&machine);
        out.changes.push(RecordChange::Shared(machine));
        if let Some(mac) = self.machines.remove(&machine)
            && let Some(mut node) = self.take(mac)
        {
            out.news.push(Identity::Shared { node: mac, machine });
            node.machine = None;
            self.put(node.clone());
            out.changes.push(RecordChange::Put(Box::new(node)));
        }
    }

    pub(super) fn alter(
        &mut self,
        key: Mac,
        now: Time,
        change: impl FnOnce(&mut Node),
        out: &mut Recognized,
    ) {
        let update = self.change(key, now, change);
        out.changes.extend(update.changed.map(RecordChange::Put));
    }
}

/// The card that a machine's present or last install goes by.
fn installs_by(node: &Node) -> Option<Mac> {
    node.grant().map(|grant| grant.card).or(node.last.as_ref().map(|last| last.card))
}

/// A machine that was taken for a part of `node` until now. Whether its disk is one that was written, nobody knows.
fn parted(node: &Node, card: Mac, now: Time) -> Node {
    let mut part = Node::new(card, now);
    let before_this = node.writes - u32::from(matches!(node.life, Life::Overwriting { .. }));
    if before_this > 0 || (node.disk().is_ours() && !matches!(node.life, Life::Overwriting { .. })) {
        part.life = Life::Resting { disk: Disk::Unsure };
    }
    part
}

/// What two records tell of one machine. What says that there is a system on its disk counts more, and so does an
/// install that runs.
fn merged(one: Node, other: Node, now: Time) -> Node {
    let runs = |node: &Node| matches!(node.life, Life::Overwriting { .. });
    let rank = |node: &Node| match node.disk() {
        Disk::Running { .. } => 6,
        Disk::Written { .. } => 5,
        Disk::Sent(_) => 4,
        Disk::Unsure => 3,
        Disk::Partial => 2,
        Disk::Incomplete => 1,
        Disk::Untouched => 0,
    };
    let key = one.mac;
    let cards: BTreeSet<Mac> = one.cards.union(&other.cards).copied().collect();
    let (mut main, mut rest) =
        if (runs(&other), rank(&other)) > (runs(&one), rank(&one)) { (other, one) } else { (one, other) };
    // A permission was one card's, and rested on what was known of that one; the machine asks again.
    rest.withdraw(now);
    if runs(&rest) {
        main.life = main.take_life().with_disk(Disk::Unsure);
    }
    Node {
        mac: key,
        cards,
        machine: main.machine.or(rest.machine),
        seen: main.seen.max(rest.seen),
        arch: main.arch.or(rest.arch),
        offer_style: main.offer_style.or(rest.offer_style),
        loader: main.loader.or(rest.loader),
        last: main.last.take().or(rest.last.take()),
        is_led: main.is_led || rest.is_led,
        writes: main.writes + rest.writes,
        ..main
    }
}
