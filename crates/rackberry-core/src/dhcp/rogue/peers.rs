//! Other services of this kind on the same network, of which one hands out the addresses.
//!
//! Each asks whether a server is there, and its question says what it is. Whoever hands out addresses when another one comes goes
//! on: that one hears it within its first look and stands by. Two that find each other while both do (they were switched on in the same
//! second; a cable between two switches is plugged in) go by their hardware addresses: the lower one goes on. Nothing is agreed
//! upon by messages, and nothing is remembered, so there is nothing to be lost or made up but a server that is none.

use std::{collections::BTreeMap, time::Duration};

use crate::ids::{Mac, Time};

/// A service that has asked nothing for so long is not there any more: some nine of its questions.
const GONE: Duration = Duration::from_secs(3 * 60);
/// More of them are not kept apart.
const MOST: usize = 16;

/// The others.
#[derive(Debug, Clone, Default)]
pub(super) struct Peers {
    own: Option<Mac>,
    until: BTreeMap<Mac, Time>,
    /// Whether the first look was made longer for one of them.
    pub has_waited: bool,
}

impl Peers {
    /// None is known, and this is the interface's own address.
    pub fn of(own: Mac) -> Peers {
        Peers { own: Some(own), ..Peers::default() }
    }

    /// One of them asks. Whether this service gives way to it where both hand out addresses.
    pub fn asks(&mut self, mac: Mac, now: Time) -> bool {
        self.until.retain(|_, until| now < *until);
        if self.own == Some(mac) || (self.until.len() >= MOST && !self.until.contains_key(&mac)) {
            return false;
        }
        self.until.insert(mac, now + GONE);
        self.own.is_some_and(|own| mac < own)
    }

    /// Whether this is one of them.
    pub fn is(&self, mac: Mac) -> bool {
        self.until.contains_key(&mac)
    }

    /// Whether this is one of them that gives way to this service where both hand out addresses.
    pub fn gives_way(&self, mac: Mac) -> bool {
        self.is(mac) && self.own.is_some_and(|own| own < mac)
    }

    /// Whether this is the interface's own address.
    pub fn is_own(&self, mac: Mac) -> bool {
        self.own == Some(mac)
    }
}
