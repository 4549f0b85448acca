//! Arming: the window of time in which installs may start, and for whom.

use std::collections::BTreeSet;

use crate::ids::{Mac, Source, Time};

/// Whether installs may start. Disarmed at every start of the service.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Arming {
    window: Option<Window>,
}

/// An open window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    /// Its number; grants carry it, so that one arming grants a node once.
    pub id: u64,
    /// When it closes.
    pub until: Time,
    /// Grants boot to RAM only.
    pub live: bool,
    /// Who opened it.
    pub source: Source,
    /// For whom.
    pub scope: Scope,
}

/// For whom an arming is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    /// Everybody, or everybody of a kind.
    pub everybody: Everybody,
    /// These in any case, installed or not: a person named them.
    pub named: BTreeSet<Mac>,
}

/// Which nodes an arming takes in without naming them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Everybody {
    /// None: only the named ones.
    Nobody,
    /// Every node that this service has not installed yet. Asking for "everything" must not wipe a machine
    /// that was installed last week and happens to restart just now.
    NotInstalled,
    /// Every node, installed or not: a person said so.
    All,
}

impl Arming {
    /// The open window.
    pub fn window(&self, now: Time) -> Option<&Window> {
        self.window.as_ref().filter(|window| now < window.until)
    }

    /// The open window's number.
    pub fn open(&self, now: Time) -> Option<u64> {
        self.window(now).map(|window| window.id)
    }

    /// Opens a window, in place of the one that may be open.
    pub fn arm(&mut self, window: Window) {
        self.window = Some(window);
    }

    /// Takes more named nodes into the open window and keeps it open until `until` at least. Its number stays:
    /// the nodes it has granted already are not granted again by this.
    pub fn add(&mut self, named: impl IntoIterator<Item = Mac>, until: Time) {
        if let Some(window) = &mut self.window {
            window.scope.named.extend(named);
            window.until = window.until.max(until);
        }
    }

    /// Closes the window; true if one was open.
    pub fn disarm(&mut self) -> bool {
        self.window.take().is_some()
    }

    /// Closes the window when its time is over; true if it did.
    pub fn expire(&mut self, now: Time) -> bool {
        let over = self.window.as_ref().is_some_and(|window| window.until <= now);
        if over {
            self.window = None;
        }
        over
    }

    /// When [`Arming::expire`] has work next.
    pub fn deadline(&self) -> Option<Time> {
        self.window.as_ref().map(|window| window.until)
    }
}

impl Scope {
    /// Whether the scope takes in a node.
    pub fn admits(&self, mac: Mac, is_installed: bool) -> bool {
        self.named.contains(&mac)
            || match self.everybody {
                Everybody::Nobody => false,
                Everybody::NotInstalled => !is_installed,
                Everybody::All => true,
            }
    }
}
