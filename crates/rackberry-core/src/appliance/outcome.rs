//! What comes out of the appliance.

use std::{fmt, net::Ipv4Addr};

use crate::{
    appliance::Answer,
    dhcp,
    ids::{Mac, MachineId, Source, Stage, Time},
    nodes::{Identity, Node},
    orders::OrderId,
};

/// Marks which question an answer belongs to; the number is the owner's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReplyId(pub u64);

/// What one event leads to. The changes must be on disk before any of the effects happens.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    /// For the journal.
    pub changes: Vec<Change>,
    /// For the adapters, in order.
    pub effects: Vec<Effect>,
}

/// One record for the journal.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// A node as it is now.
    Node(Box<Node>),
    /// Nothing is known of this node any more.
    NoNode(Mac),
    /// A lease came, changed or went.
    Lease(dhcp::LeaseChange),
    /// Several machines call themselves by this identifier.
    Shared(MachineId),
    /// The number of the last order.
    Order(OrderId),
    /// A state was lost, in words; or that it was is of no account any more.
    Loss(Option<String>),
}

/// Something for an adapter to do.
#[derive(Debug, Clone)]
pub enum Effect {
    /// Send or probe.
    Dhcp(dhcp::Action),
    /// Answer a question.
    Answer(ReplyId, Answer),
    /// The machine that had this address starts anew: the connections that it had are nobody's any more.
    Restarted(Ipv4Addr),
    /// Write a line to the log.
    Note(Note),
}

/// A line of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Note {
    /// A node entered a stage.
    Moved {
        /// Its address.
        mac: Mac,
        /// Its name, or the address again.
        node: String,
        /// The stage it left.
        from: Stage,
        /// The stage it is in.
        to: Stage,
        /// What that means.
        story: String,
    },
    /// A node that should install can't be granted it.
    NotGranted {
        /// Its name.
        node: String,
        /// Why.
        reason: String,
    },
    /// A node asked for something that it may not have.
    Denied {
        /// Its name or its network address.
        node: String,
        /// What, and why not.
        reason: String,
    },
    /// Armed.
    Armed {
        /// By whom.
        source: Source,
        /// In words: how long and for whom.
        how: String,
    },
    /// Nodes were called awake.
    Woken {
        /// Their names.
        nodes: String,
    },
    /// Disarmed by somebody.
    Disarmed {
        /// By whom.
        source: Source,
        /// Installs that go on.
        running: usize,
    },
    /// An order's time is over.
    OrderOver {
        /// Which, in words.
        order: String,
        /// Installs that go on.
        running: usize,
    },
    /// Something was learned about who is who.
    Identity {
        /// The node's name.
        node: String,
        /// What.
        news: Identity,
    },
    /// Another machine answers for an address than the one that has leased it.
    AddressTaken {
        /// The address.
        address: Ipv4Addr,
        /// Who has leased it.
        node: String,
        /// Who answers for it.
        hardware: Mac,
    },
    /// Somebody says that the state that was lost is of no account.
    LossAccepted {
        /// Who.
        source: Source,
    },
    /// Something the DHCP server wants known.
    Dhcp(dhcp::Notice),
}

/// One event while it is handled: when it happens, and what it has led to so far.
#[derive(Debug)]
pub struct Reaction {
    now: Time,
    outcome: Outcome,
}

impl Reaction {
    /// To an event that happens now.
    pub fn at(now: Time) -> Reaction {
        Reaction { now, outcome: Outcome::default() }
    }

    /// When the event happens.
    pub fn now(&self) -> Time {
        self.now
    }

    /// Adds records for the journal.
    pub fn change(&mut self, changes: impl IntoIterator<Item = Change>) {
        self.outcome.changes.extend(changes);
    }

    /// Adds something for an adapter to do.
    pub fn effect(&mut self, effect: Effect) {
        self.outcome.effects.push(effect);
    }

    /// Adds a log line.
    pub fn note(&mut self, note: Note) {
        self.effect(Effect::Note(note));
    }

    /// Adds what the DHCP server wants done.
    pub fn take_dhcp(&mut self, outcome: dhcp::DhcpOutcome) {
        self.change(outcome.changes.into_iter().map(Change::Lease));
        let effects = &mut self.outcome.effects;
        effects.extend(outcome.notices.into_iter().map(|notice| Effect::Note(Note::Dhcp(notice))));
        effects.extend(outcome.actions.into_iter().map(Effect::Dhcp));
    }

    /// All that it has led to.
    pub fn into_outcome(self) -> Outcome {
        self.outcome
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Moved { story, .. } => f.write_str(story),
            Self::NotGranted { reason, .. } => {
                write!(f, "asks for a network boot but can't install: {reason}")
            }
            Self::Denied { reason, .. } => f.write_str(reason),
            Self::Armed { source, how } => write!(f, "armed by {source}: {how}"),
            Self::Woken { nodes } => write!(f, "wake-up call sent to {nodes}"),
            Self::Disarmed { source, running: 0 } => write!(f, "disarmed by {source}"),
            Self::Disarmed { source, running } => {
                write!(f, "disarmed by {source}; {running} installs that already write a disk go on")
            }
            Self::OrderOver { order, running: 0 } => write!(f, "the time of an order is over: {order}"),
            Self::OrderOver { order, running } => {
                write!(f, "the time of an order is over: {order}; {running} installs that run go on")
            }
            Self::Identity { node, news: Identity::Renamed { old, .. } } => {
                write!(
                    f,
                    "{node} is the machine that was known as {old}; what is known of that one is its own"
                )
            }
            Self::Identity { node, news: Identity::Joined { card, .. } } => write!(
                f,
                "{card} is taken for another card of {node}: its firmware calls itself by the same identifier; if it is \
                 another machine, list both as [[node]]"
            ),
            Self::Identity { node, news: Identity::Shared { machine, .. } } => write!(
                f,
                "{node} and another machine call themselves {machine}: that identifier tells nothing, and second cards of such \
                 machines are known only if they are configured"
            ),
            Self::Identity { node, news: Identity::Parted { card, .. } } => {
                write!(f, "{card} is another machine than {node}, of which it was taken for a card")
            }
            Self::AddressTaken { address, node, hardware } => write!(
                f,
                "{address} is leased to {node}, but {hardware} answers for it: it gets nothing that is {node}'s; look for a \
                 machine with a fixed address, or list both cards of one machine in its macs"
            ),
            Self::LossAccepted { source } => {
                write!(
                    f,
                    "{source} says that the lost state is of no account: everybody means every machine again"
                )
            }
            Self::Dhcp(notice) => notice.fmt(f),
        }
    }
}
