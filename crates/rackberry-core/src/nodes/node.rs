//! One machine, and what is known of it.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::{
    ids::{Arch, Cause, Loader, Mac, MachineId, OfferStyle, OrderKind, Stage, Time},
    nodes::{Grant, Image, ImageProgress},
    orders::OrderId,
};

/// Longest log excerpt that is kept of a node's report, in bytes.
const LOG_LIMIT: usize = 16 * 1024;

/// What is known of one machine.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Node {
    /// The hardware address that names it: the first one in its configuration, or the first that was seen.
    pub mac: Mac,
    /// All of its hardware addresses that are known, that one included.
    pub cards: BTreeSet<Mac>,
    /// What its firmware calls it.
    pub machine: Option<MachineId>,
    /// When it entered its stage.
    pub since: Time,
    /// Its last sign of life.
    pub seen: Time,
    /// What it boots with, as its firmware said last.
    pub arch: Option<Arch>,
    /// The style of a proxy's offer that has led it to its loader.
    pub offer_style: Option<OfferStyle>,
    /// The loader that has led it to its kernel.
    pub loader: Option<Loader>,
    /// What it is doing.
    pub life: Life,
    /// What is on its disk.
    pub disk: Disk,
    /// The install that ended last.
    pub last: Option<LastInstall>,
    /// Its last start was led into an installer or a live system, and nothing says that this is over: whatever runs on it
    /// is not the system on its disk.
    #[serde(default)]
    pub is_led: bool,
    /// How many installs have begun to overwrite its disk.
    pub writes: u32,
    /// The last lines of its log, from its last report.
    pub log: String,
}

/// What a machine is doing, as far as installing goes.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Life {
    /// Nothing.
    Resting,
    /// It is on its way into the installer; its disk is untouched.
    Granted {
        /// By this permission.
        grant: Grant,
        /// How far it is.
        approach: Approach,
        /// How its last install failed, if it did: what it goes back to when the grant is withdrawn.
        before: Option<Failure>,
    },
    /// Its disk is being overwritten.
    Overwriting {
        /// By this permission.
        grant: Grant,
        /// The image that it is sent from here; none where its installer has one, or takes it from elsewhere.
        image: Option<Image>,
    },
    /// Its last install failed.
    Failed(Failure),
}

/// How far a machine is on its way into the installer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Approach {
    /// `discovered`, `loading`, `booting` or `configuring`.
    pub stage: Stage,
    /// It has the kernel.
    pub kernel: bool,
    /// It has the initrd.
    pub initrd: bool,
    /// It was given a menu or a script that its owner wrote. What that does with the disk is not seen from here: the
    /// permission is used by it.
    pub is_own: bool,
}

impl Approach {
    /// Its firmware has asked.
    pub const START: Approach =
        Approach { stage: Stage::Discovered, kernel: false, initrd: false, is_own: false };
}

/// What is on a machine's disk, as far as this service knows.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Disk {
    /// Nothing that this service put there.
    Untouched,
    /// An install has begun to overwrite it, and failed before it was whole.
    Incomplete,
    /// An install has begun to overwrite it, and was sent a part of its image. Nothing was heard since.
    Partial,
    /// An install has begun to overwrite it. Nobody knows what became of that: it may hold a system.
    Unsure,
    /// The whole image was sent. Nothing was heard since.
    Sent(Installed),
    /// The image is on it.
    Written {
        /// Which system.
        system: Installed,
        /// The installer said so; otherwise it follows from what was seen.
        said: bool,
    },
    /// The machine has come up from it.
    Running {
        /// Which system.
        system: Installed,
        /// The system said so itself; otherwise it follows from what was seen.
        said: bool,
    },
}

impl Disk {
    /// Whether it holds a system that this service put there, or may hold one. "Everybody" never means such a disk.
    pub fn is_ours(&self) -> bool {
        !matches!(self, Self::Untouched | Self::Incomplete)
    }

    /// What would be lost with it; nothing where nothing is known to be there.
    pub fn in_words(&self) -> Option<String> {
        match self {
            Self::Untouched | Self::Incomplete => None,
            Self::Partial | Self::Unsure => Some("whatever the last install left".into()),
            Self::Sent(system) | Self::Written { system, .. } | Self::Running { system, .. } => {
                Some(format!("{} {}", system.profile, system.version))
            }
        }
    }

    /// The system that is known to be on it.
    pub fn system(&self) -> Option<&Installed> {
        match self {
            Self::Written { system, .. } | Self::Running { system, .. } => Some(system),
            Self::Untouched | Self::Incomplete | Self::Partial | Self::Unsure | Self::Sent(_) => None,
        }
    }
}

/// What is on a node's disk.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Installed {
    /// Operating system.
    pub profile: String,
    /// Its version.
    pub version: String,
    /// When it was written, or first seen.
    pub at: Time,
}

/// Why an install failed.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Failure {
    /// The stage it failed in.
    pub stage: Stage,
    /// One clause.
    pub reason: String,
    /// Its installer said so; otherwise it follows from what was seen, and what is seen later may mend it.
    #[serde(default)]
    pub said: bool,
    /// What kind of failure it is, where the machine said so.
    #[serde(default)]
    pub cause: Option<Cause>,
}

/// An install that has ended, or seems to: its installer may still have something to say.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct LastInstall {
    /// The grant's token: reports by it are this install's.
    pub token: String,
    /// The card that it went by.
    pub card: Mac,
    /// The order.
    pub order: OrderId,
    /// What kind of order.
    pub kind: OrderKind,
    /// What was to be installed.
    pub profile: String,
    /// Its version.
    pub version: String,
    /// When it ended.
    pub at: Time,
}

impl Node {
    /// A node that nothing is known of.
    pub fn new(mac: Mac, now: Time) -> Node {
        Node {
            mac,
            cards: BTreeSet::from([mac]),
            machine: None,
            since: now,
            seen: now,
            arch: None,
            offer_style: None,
            loader: None,
            life: Life::Resting,
            disk: Disk::Untouched,
            last: None,
            is_led: false,
            writes: 0,
            log: String::new(),
        }
    }

    /// How far its install is.
    pub fn stage(&self) -> Stage {
        match (&self.life, &self.disk) {
            (Life::Granted { approach, .. }, _) => approach.stage,
            (Life::Overwriting { .. }, _) => Stage::Installing,
            (Life::Failed(_), _) => Stage::Failed,
            (Life::Resting, Disk::Written { .. }) => Stage::Written,
            (Life::Resting, Disk::Running { .. }) => Stage::Installed,
            (Life::Resting, _) => Stage::Idle,
        }
    }

    /// Whether its firmware is a Raspberry Pi's.
    pub fn is_raspberry_pi(&self) -> bool {
        self.arch == Some(Arch::RaspberryPi)
    }

    /// Its permission, used or not.
    pub fn grant(&self) -> Option<&Grant> {
        match &self.life {
            Life::Granted { grant, .. } | Life::Overwriting { grant, .. } => Some(grant),
            Life::Resting | Life::Failed(_) => None,
        }
    }

    /// Its permission, as long as its disk is untouched by it.
    pub fn unused_grant(&self) -> Option<&Grant> {
        match &self.life {
            Life::Granted { grant, approach, .. } if !approach.is_own => Some(grant),
            _ => None,
        }
    }

    /// How its last install failed, if it did and no other has begun since.
    pub fn failure(&self) -> Option<&Failure> {
        match &self.life {
            Life::Failed(failure) => Some(failure),
            _ => None,
        }
    }

    /// The image's transfer.
    pub fn image(&self) -> Option<ImageProgress> {
        match &self.life {
            Life::Overwriting { image, .. } => image.as_ref().map(Image::progress),
            _ => None,
        }
    }

    /// Gives this node, which asks for a network boot, its permission.
    pub fn give(&mut self, grant: Grant, now: Time) {
        let before = match std::mem::replace(&mut self.life, Life::Resting) {
            Life::Failed(failure) => Some(failure),
            Life::Granted { before, .. } => before,
            Life::Resting | Life::Overwriting { .. } => None,
        };
        self.life = Life::Granted { grant, approach: Approach::START, before };
        self.since = now;
        self.log.clear();
    }

    /// Takes an unused grant away; the node is what it was before.
    pub fn withdraw(&mut self, now: Time) {
        if let Life::Granted { before, approach, .. } = &mut self.life
            && !approach.is_own
        {
            self.life = before.take().map_or(Life::Resting, Life::Failed);
            self.since = now;
        }
    }

    /// What is left of a node without times and tokens, for tests that compare states.
    #[cfg(test)]
    pub fn forget_times(&mut self) {
        (self.since, self.seen) = (Time(0), Time(0));
        self.log.clear();
        if let Life::Granted { grant, .. } | Life::Overwriting { grant, .. } = &mut self.life {
            grant.made = Time(0);
            grant.token.clear();
        }
        if let Some(last) = &mut self.last {
            last.at = Time(0);
            last.token.clear();
        }
        if let Disk::Written { system, .. } | Disk::Running { system, .. } | Disk::Sent(system) =
            &mut self.disk
        {
            system.at = Time(0);
        }
    }

    /// Keeps the last lines of the node's log.
    pub fn keep_log(&mut self, log: &str) {
        let mut start = log.len().saturating_sub(LOG_LIMIT);
        while !log.is_char_boundary(start) {
            start += 1;
        }
        log[start..].clone_into(&mut self.log);
    }
}
