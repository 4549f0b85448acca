//! Orders: who may install, or boot to RAM, until when, and by whose word. Orders stand side by side: none prolongs,
//! drops or stands for another.
//!
//! An order is good for one overwrite of each machine that it takes in. When a disk begins to be overwritten, every
//! order that takes that machine in by then has had its overwrite: whoever armed everybody and named one machine as
//! well gets that machine installed once.

use std::collections::{BTreeMap, BTreeSet};

use crate::ids::{Mac, OrderKind, Source, Time};

/// More orders than this at once are somebody's script gone wrong.
pub const MOST: usize = 64;

/// An order's number; they count up for ever, over restarts too.
#[derive(
    Debug,
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    serde::Serialize,
    serde::Deserialize,
    schemars::JsonSchema,
)]
pub struct OrderId(pub u64);

/// For whom an order is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Scope {
    /// Every machine on whose disk there is nothing that this service put there. Asking for "everybody" must not wipe a
    /// machine that was installed last week and happens to restart just now.
    NotInstalled,
    /// Every machine, installed or not: a person said so.
    All,
    /// These, installed or not: a person named them.
    Named(BTreeSet<Mac>),
}

/// One order.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Order {
    /// Its number.
    pub id: OrderId,
    /// What it lets machines do.
    pub kind: OrderKind,
    /// For whom.
    pub scope: Scope,
    /// Its end.
    pub until: Time,
    /// Who gave it.
    pub source: Source,
    /// What became of it, by card: whichever of a machine's cards it is remembered by, it counts for all.
    uses: BTreeMap<Mac, Use>,
}

/// A machine, as orders know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// All of its addresses that are known.
    pub cards: Vec<Mac>,
    /// Those by which a person may have named it: a claim of its own is no reason to take it for the one that was named.
    pub named_by: Vec<Mac>,
    /// What is on its disk, as far as known, was put there by this service.
    pub is_ours: bool,
}

/// What became of an order at one machine.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
struct Use {
    /// Starts into the installer since that was last heard of.
    starts: u8,
    /// The node has had what the order is good for.
    is_over: bool,
}

/// What an order means that is given while the same one is open.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Repeat {
    /// The same order, with another end.
    #[default]
    Same,
    /// Once more: another order, for the same machines.
    Again,
}

/// What became of a new order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Given {
    /// It stands beside the others.
    New(OrderId),
    /// It is open already; only its end is another one now.
    Same(OrderId),
}

impl Given {
    /// Its number.
    pub fn id(self) -> OrderId {
        match self {
            Given::New(id) | Given::Same(id) => id,
        }
    }
}

impl Order {
    /// Whether it takes a machine in.
    pub fn takes_in(&self, machine: &Subject) -> bool {
        match &self.scope {
            Scope::NotInstalled => !machine.is_ours,
            Scope::All => true,
            Scope::Named(nodes) => machine.named_by.iter().any(|address| nodes.contains(address)),
        }
    }

    /// Whether a person meant this very machine, or said that installed ones are meant too.
    pub fn means_installed_ones(&self) -> bool {
        self.scope != Scope::NotInstalled
    }

    /// Whether a machine with these cards has had what this order is good for.
    pub fn is_over_for(&self, cards: &[Mac]) -> bool {
        cards.iter().any(|card| self.uses.get(card).is_some_and(|used| used.is_over))
    }

    /// How often it has led such a machine into the installer since that was last heard of.
    pub fn starts_of(&self, cards: &[Mac]) -> u8 {
        cards.iter().filter_map(|card| self.uses.get(card)).map(|used| used.starts).max().unwrap_or(0)
    }

    fn is_open(&self, now: Time) -> bool {
        now < self.until
    }
}

/// Until when an order holds, and who gives it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OrderTerms {
    /// Its end.
    pub until: Time,
    /// Who gives it.
    pub source: Source,
}

/// The orders that are open. None at the start of the service.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Orders {
    /// The oldest first.
    orders: Vec<Order>,
    last: OrderId,
}

impl Orders {
    /// No orders; the next one's number follows `last`.
    pub fn after(last: OrderId) -> Orders {
        Orders { orders: Vec::new(), last }
    }

    /// Gives an order. One that is open already, for the same nodes, gets the new end and nothing else, unless it is
    /// to count again.
    pub fn give(&mut self, kind: OrderKind, scope: Scope, repeat: Repeat, terms: OrderTerms) -> Given {
        let OrderTerms { until, source } = terms;
        let same = self.orders.iter_mut().find(|order| order.kind == kind && order.scope == scope);
        if let Some(order) = same.filter(|_| repeat == Repeat::Same) {
            order.until = until;
            return Given::Same(order.id);
        }
        self.last = OrderId(self.last.0 + 1);
        self.orders.push(Order { id: self.last, kind, scope, until, source, uses: BTreeMap::new() });
        Given::New(self.last)
    }

    /// Whether no further order finds room.
    pub fn is_full(&self) -> bool {
        self.orders.len() >= MOST
    }

    /// The number of the last order.
    pub fn last(&self) -> OrderId {
        self.last
    }

    /// Those in force, the oldest first.
    pub fn open(&self, now: Time) -> impl DoubleEndedIterator<Item = &Order> {
        self.orders.iter().filter(move |order| order.is_open(now))
    }

    /// One that is in force.
    pub fn get(&self, id: OrderId, now: Time) -> Option<&Order> {
        self.open(now).find(|order| order.id == id)
    }

    /// The order that a machine's next start goes by: of those that take it in and are not over for it, the youngest.
    /// What was said last counts.
    pub fn choose(&self, machine: &Subject, now: Time) -> Option<&Order> {
        self.open(now).rev().find(|order| order.takes_in(machine) && !order.is_over_for(&machine.cards))
    }

    /// Notes that an order leads a machine into the installer.
    pub fn started(&mut self, id: OrderId, cards: &[Mac]) {
        self.change(id, cards, |used| used.starts = used.starts.saturating_add(1));
    }

    /// Notes that the installer of a machine was heard of.
    pub fn heard(&mut self, id: OrderId, cards: &[Mac]) {
        self.change(id, cards, |used| used.starts = 0);
    }

    /// Notes that one order is over for a machine: it has failed by its installer's own word, and must not try for ever.
    pub fn end_for(&mut self, id: OrderId, cards: &[Mac]) {
        self.change(id, cards, |used| used.is_over = true);
    }

    /// Notes that a machine's disk begins to be overwritten: the orders that are open by now have had their overwrite of
    /// it, those that did not mean it until then included. What comes after that is a new permission.
    pub fn use_up(&mut self, cards: &[Mac]) {
        for order in &mut self.orders {
            cards.iter().for_each(|card| order.uses.entry(*card).or_default().is_over = true);
        }
    }

    /// Closes every order; returns how many were open.
    pub fn close_all(&mut self) -> usize {
        std::mem::take(&mut self.orders).len()
    }

    /// Closes the orders whose time is over, and returns them.
    pub fn expire(&mut self, now: Time) -> Vec<Order> {
        let (open, over) = std::mem::take(&mut self.orders).into_iter().partition(|order| order.is_open(now));
        self.orders = open;
        over
    }

    /// When [`Orders::expire`] has work next.
    pub fn deadline(&self) -> Option<Time> {
        self.orders.iter().map(|order| order.until).min()
    }

    /// When the last of them ends.
    pub fn end(&self, now: Time) -> Option<Time> {
        self.open(now).map(|order| order.until).max()
    }

    fn change(&mut self, id: OrderId, cards: &[Mac], change: impl Fn(&mut Use)) {
        if let Some(order) = self.orders.iter_mut().find(|order| order.id == id) {
            cards.iter().for_each(|card| change(order.uses.entry(*card).or_default()));
        }
    }
}

#[cfg(test)]
mod tests;
