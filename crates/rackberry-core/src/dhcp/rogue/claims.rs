//! What is said of other servers and not verified yet.
//!
//! A claim is cheap: a REQUEST that names the server of another network, from a device that was just plugged in; an old
//! packet that somebody sends again. So each one is verified by a probe of the address, and one conversation counts once.

use std::{
    collections::{BTreeMap, VecDeque},
    net::Ipv4Addr,
    time::Duration,
};

use crate::ids::{Mac, Time};

/// A verification takes a probe and a datagram, well below this. One that never ends (the interface went away) proves
/// nothing.
const VERIFIED: Duration = Duration::from_secs(2);
/// A server that was found not to be there is not looked for again sooner than this.
const DISMISSED: Duration = Duration::from_secs(60);
/// More servers than this are not kept apart: whoever invents them must not fill the memory.
const MOST: usize = 16;
/// Conversations that are remembered.
const CONVERSATIONS: usize = 256;

/// Whose word a claim is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Witness {
    /// A machine, whose REQUEST names the server that it has chosen.
    Client(Mac),
    /// The server itself, or the relay agent before it, by an OFFER or ACK to a machine. The frame's source.
    Server(Mac),
}

/// What somebody says of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Testimony {
    /// Address of the server that is spoken of.
    pub server: Ipv4Addr,
    /// Whose word it is.
    pub witness: Witness,
    /// The address at which that server, or its relay agent, must be.
    pub at: Ipv4Addr,
    /// In which conversation: the client, and its transaction's number.
    pub conversation: (Mac, u32),
}

/// A claim that is verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Claim {
    /// Whose word it is.
    pub witness: Witness,
    /// The address at which that server, or its relay agent, must be.
    pub at: Ipv4Addr,
    until: Time,
}

/// The claims that are being verified, and those that were found wrong.
#[derive(Debug, Clone, Default)]
pub(super) struct Claims {
    open: BTreeMap<Ipv4Addr, Claim>,
    dismissed: BTreeMap<Ipv4Addr, Time>,
    conversations: VecDeque<(Ipv4Addr, Mac, u32, bool)>,
}

impl Claims {
    /// Somebody speaks of a server. Whether that is to be verified.
    pub fn raise(&mut self, word: Testimony, now: Time) -> bool {
        let Testimony { server, witness, at, conversation: (client, xid) } = word;
        let by_server = matches!(witness, Witness::Server(_));
        let conversation = (server, client, xid, by_server);
        if self.conversations.contains(&conversation) {
            return false;
        }
        self.expire(now);
        self.dismissed.retain(|_, until| now < *until);
        let is_busy = self.open.contains_key(&server) || self.open.len() >= MOST;
        if is_busy || self.dismissed.contains_key(&server) || self.dismissed.len() >= MOST {
            return false;
        }
        if self.conversations.len() == CONVERSATIONS {
            self.conversations.pop_front();
        }
        self.conversations.push_back(conversation);
        self.open.insert(server, Claim { witness, at, until: now + VERIFIED });
        true
    }

    /// The claims that a verification of this address decides; they are open no more.
    pub fn decide(&mut self, at: Ipv4Addr) -> Vec<(Ipv4Addr, Claim)> {
        let (decided, open) =
            std::mem::take(&mut self.open).into_iter().partition(|(_, claim)| claim.at == at);
        self.open = open;
        BTreeMap::into_iter(decided).collect()
    }

    /// The server is not there.
    pub fn dismiss(&mut self, server: Ipv4Addr, now: Time) {
        self.dismissed.insert(server, now + DISMISSED);
    }

    /// The server was heard itself: nothing is to be verified.
    pub fn settle(&mut self, server: Ipv4Addr) {
        self.open.remove(&server);
        self.dismissed.remove(&server);
    }

    /// Forgets verifications that did not end.
    pub fn expire(&mut self, now: Time) {
        self.open.retain(|_, claim| now < claim.until);
    }

    /// When [`Claims::expire`] has work next.
    pub fn deadline(&self) -> Option<Time> {
        self.open.values().map(|claim| claim.until).min()
    }

    /// Whether a server's own word is being verified.
    pub fn has_servers_word(&self) -> bool {
        self.open.values().any(|claim| matches!(claim.witness, Witness::Server(_)))
    }
}
