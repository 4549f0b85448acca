//! What is decided before the state changes: where a start leads, and what an order does.

use std::time::Duration;

use crate::{
    assets::version::{FileSet, Version},
    ids::{Loader, Mac, OrderKind, Time},
    nodes::Grant,
    orders::{Order, OrderId, Repeat, Scope},
};

/// Where a machine's next start from the network leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// To its disk; one clause says why.
    Disk(String),
    /// To its disk, although it is meant to install; one clause says why.
    Refused(String),
    /// Into the installer, or to the live system.
    Lead(Box<Lead>),
}

/// Whom a card speaks for that starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpeaksFor {
    /// The machine that it is one of.
    ItsMachine,
    /// Itself: what it does is not its machine's doing.
    ItselfOnly,
}

/// What a start leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lead {
    /// By which order.
    pub order: OrderId,
    /// What that lets the machine do.
    pub kind: OrderKind,
    /// It means installed machines, too.
    pub overwrites_marked: bool,
    /// The operating system.
    pub profile: String,
    /// Its version, never `current`.
    pub version: String,
    /// For which processor.
    pub arch: String,
    /// The longest silence that is normal while the disk is written.
    pub silence: Duration,
}

impl Lead {
    /// By this order, to these files.
    pub fn of(order: &Order, version: &Version, set: &FileSet) -> Lead {
        Lead {
            order: order.id,
            kind: order.kind,
            overwrites_marked: order.means_installed_ones(),
            profile: version.profile.name.clone(),
            version: version.name.clone(),
            arch: set.arch.clone(),
            silence: version.profile.silence,
        }
    }

    /// Whether a grant is for just that.
    pub fn is_what(&self, grant: &Grant) -> bool {
        (self.order, self.kind) == (grant.order, grant.kind)
            && (&self.profile, &self.version, &self.arch) == (&grant.profile, &grant.version, &grant.arch)
    }

    /// The permission for a card.
    pub fn into_grant(self, card: Mac, token: String, made: Time) -> Grant {
        Grant {
            order: self.order,
            kind: self.kind,
            card,
            overwrites_marked: self.overwrites_marked,
            profile: self.profile,
            version: self.version,
            arch: self.arch,
            token,
            silence: self.silence,
            made,
        }
    }
}

/// What a client is told to boot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BootChoice {
    /// Nothing: it goes on to its disk by itself, or boots as if this service were not there.
    Nothing,
    /// A file; empty where the client knows the names of its files by itself.
    Load {
        /// Path or URL.
        file: String,
        /// The loader that this is, where it is one.
        loader: Option<Loader>,
    },
}

/// What `arm` does, once everything is looked up and found good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArmPlan {
    /// What it lets machines do.
    pub kind: OrderKind,
    /// For whom.
    pub scope: Scope,
    /// Whether it counts once more.
    pub repeat: Repeat,
    /// How long.
    pub length: Duration,
    /// Nodes that it leaves out, because they were installed just now or are right now.
    pub just_done: Vec<Mac>,
}
