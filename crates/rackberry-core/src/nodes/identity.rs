//! Which card belongs to which machine.
//!
//! A machine is known by all that is known of it: its configuration's addresses, its firmware's identifier, what its
//! installer says from inside. But these don't entitle to the same. The configuration is a person's word: any of those
//! cards stands for the machine. An identifier is a claim that any machine can make: it tells that a second card must
//! not be taken for a fresh machine and overwritten, and never gives that card what is another's.

mod records;

use std::collections::BTreeSet;

use crate::{
    ids::{Mac, MachineId, Stage, Time},
    nodes::{Disk, Life, Node, RecordChange, Registry},
    orders::Subject,
};

/// What one card did in these minutes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Heard {
    /// Its firmware asked for a network boot.
    pub firmware: Option<Time>,
    /// It began to use an address: firmware and systems do, when they come up.
    pub fresh: Option<Time>,
    /// It was heard of at all.
    pub last: Time,
    /// What its firmware called its machine.
    pub machine: Option<MachineId>,
}

/// Something that was learned about who is who, for the log and for whoever keeps things by node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Identity {
    /// A machine goes by another address now.
    Renamed {
        /// The one until now.
        old: Mac,
        /// The one from now on.
        new: Mac,
    },
    /// A card is one of a known machine.
    Joined {
        /// The machine.
        node: Mac,
        /// The card.
        card: Mac,
    },
    /// Several machines call themselves the same, of which this is one.
    Shared {
        /// The machine.
        node: Mac,
        /// The identifier.
        machine: MachineId,
    },
    /// A card that was taken for one of a machine is another machine.
    Parted {
        /// The machine.
        node: Mac,
        /// The card that is none of its.
        card: Mac,
    },
}

/// What recognising a machine leads to.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Recognized {
    /// For the journal.
    pub changes: Vec<RecordChange>,
    /// What was learned.
    pub news: Vec<Identity>,
}

/// Two cards of one machine are not heard at work together with its firmware: whoever goes on with an old conversation
/// so long after the other's firmware asked is another machine.
const APART: std::time::Duration = std::time::Duration::from_secs(3);
/// A machine that starts by another card than the one that holds its grant may go on by that one when the first has been
/// silent for so long.
const OTHER_CARD: std::time::Duration = std::time::Duration::from_secs(30);
/// More cards than this no machine has.
const MOST_CARDS: usize = 16;

impl Registry {
    /// Whether a card stands for its machine: by its configuration; where it is not configured, the card that it is
    /// being installed by, or the first that was known.
    pub fn stands_for_its_node(&self, card: Mac) -> bool {
        let key = self.key(card);
        if self.listed.contains_key(&key) {
            return self.lists(key, card) && self.installs_by_another(key).is_none();
        }
        match self.nodes.get(&key).and_then(Node::grant) {
            Some(grant) => grant.card == card,
            None => self.nodes.get(&key).is_none_or(|node| {
                node.mac == card || node.last.as_ref().is_some_and(|last| last.card == card)
            }),
        }
    }

    /// The card that a configured machine's disk is being overwritten by, if the configuration does not list it: it may be
    /// another machine's, which only calls itself the same, and whose install nobody else's start must break off.
    pub fn installs_by_another(&self, key: Mac) -> Option<Mac> {
        let node = self.nodes.get(&key)?;
        let (Life::Overwriting { grant, .. } | Life::RunsOwn { grant, .. }) = &node.life else { return None };
        Some(grant.card).filter(|card| !self.lists(key, *card))
    }

    /// What orders know of the machine that starts by this card. `node` is its record, as it is or would be.
    pub fn subject(&self, card: Mac, node: &Node) -> Subject {
        let key = self.key(card);
        let mut named_by = vec![card];
        if self.lists(key, card) {
            named_by.extend(self.cards(card).into_iter().filter(|other| self.lists(key, *other)));
        }
        let mut cards = self.cards(card);
        cards.push(card);
        Subject { cards, named_by, is_ours: node.disk().is_ours() }
    }

    /// Learns from a packet of its firmware which machine a card belongs to: `machine` is what that calls it.
    pub fn recognize(&mut self, card: Mac, machine: Option<MachineId>, now: Time) -> Recognized {
        let mut out = Recognized::default();
        let machine = machine.filter(|machine| !self.shared.contains(machine));
        let heard = self.heard(card, now);
        (heard.firmware, heard.fresh) = (Some(now), Some(now));
        heard.machine = machine;
        let Some(machine) = machine.filter(|_| !self.is_frozen()) else { return out };
        self.claims.entry(machine).or_default().insert(card);
        let key = self.key(card);
        match self.machines.get(&machine).copied() {
            Some(node) if node == key => {}
            Some(node) if self.listed.contains_key(&key) && self.listed.contains_key(&node) => {
                // A person says that they are two.
                self.share(machine, &mut out);
            }
            // One of them is at work. That may be this machine before it restarted, or another one: it will be seen.
            Some(node) if self.is_at_work(node, now) || self.is_at_work(key, now) => {}
            Some(node) => self.join(node, key, now, &mut out),
            // A main board was changed, or its firmware: what it says now counts.
            None if self.nodes.contains_key(&key) || self.has_room_for(key) => {
                self.alter(key, now, |node| node.machine = Some(machine), &mut out);
            }
            None => {}
        }
        out
    }

    /// Whether a machine is on its way into its installer, or being installed, and that may still go on.
    pub fn is_at_work(&self, key: Mac, now: Time) -> bool {
        match self.nodes.get(&key).map(|node| &node.life) {
            Some(Life::RunsOwn { .. } | Life::Overwriting { .. }) => true,
            Some(Life::Granted { grant, approach, .. }) => {
                let silent = self.heard_last(grant.card).is_none_or(|last| now.since(last) >= OTHER_CARD);
                approach.stage() > Stage::Loading || !silent
            }
            Some(Life::Resting { .. } | Life::Failed { .. }) | None => false,
        }
    }

    /// When a machine whose card is silent is not [at work](Registry::is_at_work) any more, if nothing else happens.
    pub fn at_work_until(&self, node: &Node) -> Option<Time> {
        let (Life::Granted { grant, .. } | Life::RunsOwn { grant, .. }) = &node.life else { return None };
        self.heard_last(grant.card).map(|last| last + OTHER_CARD)
    }

    /// Another node than the card's own that calls its machine the same.
    pub fn namesake(&self, card: Mac) -> Option<&Node> {
        let machine = self.heard.get(&card)?.machine?;
        let node = self.machines.get(&machine)?;
        self.nodes.get(node).filter(|node| node.mac != self.key(card))
    }

    /// Learns what a machine's installer says of it from inside. Cards that are another node's by configuration, or have a
    /// record of their own that something is known by, stay that.
    pub fn learn_cards(
        &mut self,
        node: Mac,
        machine: Option<MachineId>,
        cards: &[Mac],
        now: Time,
    ) -> Recognized {
        let mut out = Recognized::default();
        let key = self.key(node);
        if self.is_frozen() || !self.nodes.contains_key(&key) {
            return out;
        }
        for card in cards.iter().take(MOST_CARDS).filter(|card| card.is_unicast()) {
            let other = self.key(*card);
            if other == key || self.listed.contains_key(&other) {
                continue;
            }
            self.join(key, other, now, &mut out);
        }
        let machine =
            machine.filter(|machine| !self.shared.contains(machine) && !self.machines.contains_key(machine));
        if machine.is_some() && self.nodes.get(&key).is_some_and(|node| node.machine.is_none()) {
            self.alter(key, now, |node| node.machine = machine, &mut out);
        }
        out
    }

    /// A system or installer on this card goes on with a conversation that it began at `began`, or before anything is
    /// known where that is absent. If the firmware of another card of its machine has started since, they are two machines.
    pub fn goes_on(&mut self, card: Mac, began: Option<Time>, now: Time) -> Recognized {
        let mut out = Recognized::default();
        self.heard(card, now);
        let key = self.key(card);
        let Some(node) = self.nodes.get(&key).filter(|_| !self.is_frozen()) else { return out };
        let claims = node.machine.and_then(|machine| self.claims.get(&machine));
        if node.cards.len() == 1 && claims.is_none_or(|claims| claims.len() == 1) {
            return out;
        }
        let has_started = |other: &Mac| {
            let started = self.heard.get(other).and_then(|heard| heard.firmware);
            started.is_some_and(|at| began.is_none_or(|began| began < at) && now.since(at) >= APART)
        };
        let configured = |other: &Mac| self.lists(key, card) && self.lists(key, *other);
        let is_other = |other: &Mac| *other != card && !configured(other) && has_started(other);
        let claimed: Vec<Mac> = claims.into_iter().flatten().copied().filter(is_other).collect();
        let own: Vec<Mac> = node.cards.iter().copied().filter(is_other).collect();
        for other in own {
            let goes =
                if self.stands_for_its_node(card) || !self.stands_for_its_node(other) { other } else { card };
            let key = self.key(goes);
            if self.nodes.get(&key).is_some_and(|node| node.cards.len() > 1) {
                self.part(key, goes, now, &mut out);
            }
        }
        let machine = self.nodes.get(&self.key(card)).and_then(|node| node.machine);
        if let Some(machine) =
            machine.filter(|_| claimed.iter().any(|other| self.key(*other) != self.key(card)))
        {
            self.share(machine, &mut out);
        }
        out
    }

    /// A card began to use an address.
    pub fn is_fresh(&mut self, card: Mac, now: Time) {
        self.heard(card, now).fresh = Some(now);
    }

    /// When a card began to use its address, if that was in these minutes.
    pub fn fresh_since(&self, card: Mac) -> Option<Time> {
        self.heard.get(&card).and_then(|heard| heard.fresh)
    }

    /// When a card was heard of last, if that was in these minutes.
    pub fn heard_last(&self, card: Mac) -> Option<Time> {
        self.heard.get(&card).map(|heard| heard.last)
    }

    /// How long ago a card's firmware was heard, it began to use its address, and it was heard at all; for tests that
    /// compare states.
    #[cfg(test)]
    pub fn heard_ago(&self, card: Mac, now: Time) -> [Option<std::time::Duration>; 3] {
        let heard = self.heard.get(&card);
        let times =
            [heard.and_then(|it| it.firmware), heard.and_then(|it| it.fresh), heard.map(|it| it.last)];
        times.map(|time| time.map(|time| now.since(time)))
    }

    fn heard(&mut self, card: Mac, now: Time) -> &mut Heard {
        const MOST_HEARD: usize = 2 * super::registry::MOST_NODES;
        if self.heard.len() >= MOST_HEARD && !self.heard.contains_key(&card) {
            self.heard.clear();
            self.claims.clear();
            self.changed.note_all();
        }
        self.changed.note(self.key(card));
        let heard = self.heard.entry(card).or_default();
        heard.last = now;
        heard
    }
}
