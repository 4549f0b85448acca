//! One machine, and what is known of it.

pub(super) mod image;
pub(super) mod patience;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::{
    ids::{Arch, Loader, Mac, MachineId, OfferStyle, OrderKind, Stage, Time},
    nodes::{Approach, Disk, Failure, Grant, Image, ImageProgress, Life, stored::NodeRecord},
    orders::OrderId,
};

/// Longest log excerpt that is kept of a node's report, in bytes.
const LOG_LIMIT: usize = 16 * 1024;

/// What is known of one machine.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "NodeRecord", into = "NodeRecord")]
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
    /// What it is doing, and what is on its disk.
    pub life: Life,
    /// The install that ended last.
    pub last: Option<LastInstall>,
    /// Its last start was led into an installer or a live system, and nothing says that this is over: whatever runs on it
    /// is not the system on its disk.
    pub is_led: bool,
    /// How many installs have begun to overwrite its disk.
    pub writes: u32,
    /// The last lines of its log, from its last report.
    pub log: String,
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
            life: Life::Resting { disk: Disk::Untouched },
            last: None,
            is_led: false,
            writes: 0,
            log: String::new(),
        }
    }

    /// How far its install is.
    pub fn stage(&self) -> Stage {
        match &self.life {
            Life::Granted { approach, .. } | Life::RunsOwn { approach, .. } => approach.stage(),
            Life::Overwriting { .. } => Stage::Installing,
            Life::Failed { .. } => Stage::Failed,
            Life::Resting { disk: Disk::Written { .. } } => Stage::Written,
            Life::Resting { disk: Disk::Running { .. } } => Stage::Installed,
            Life::Resting { .. } => Stage::Idle,
        }
    }

    /// What is on its disk.
    pub fn disk(&self) -> &Disk {
        self.life.disk()
    }

    /// Whether its firmware is a Raspberry Pi's.
    pub fn is_raspberry_pi(&self) -> bool {
        self.arch == Some(Arch::RaspberryPi)
    }

    /// Its permission, used or not.
    pub fn grant(&self) -> Option<&Grant> {
        match &self.life {
            Life::Granted { grant, .. } | Life::RunsOwn { grant, .. } | Life::Overwriting { grant, .. } => {
                Some(grant)
            }
            Life::Resting { .. } | Life::Failed { .. } => None,
        }
    }

    /// Its permission, as long as its disk is untouched by it.
    pub fn unused_grant(&self) -> Option<&Grant> {
        match &self.life {
            Life::Granted { grant, .. } => Some(grant),
            _ => None,
        }
    }

    /// How its last install failed, if it did and no other has begun since.
    pub fn failure(&self) -> Option<&Failure> {
        match &self.life {
            Life::Failed { failure, .. } => Some(failure),
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

    /// Takes the node's life, to put the next one in its place.
    pub(super) fn take_life(&mut self) -> Life {
        std::mem::replace(&mut self.life, Life::Resting { disk: Disk::Untouched })
    }

    /// Gives this node, which asks for a network boot, its permission.
    pub fn give(&mut self, grant: Grant, now: Time) {
        let (before, disk) = match self.take_life() {
            Life::Failed { failure, disk } => (Some(failure), disk),
            Life::Granted { before, disk, .. } => (before, disk),
            life => (None, life.disk().clone()),
        };
        self.life = Life::Granted { grant, approach: Approach::default(), before, disk };
        self.since = now;
        self.log.clear();
    }

    /// Takes an unused grant away; the node is what it was before.
    pub fn withdraw(&mut self, now: Time) {
        self.life = match self.take_life() {
            Life::Granted { before, disk, .. } => {
                self.since = now;
                match before {
                    Some(failure) => Life::Failed { failure, disk },
                    None => Life::Resting { disk },
                }
            }
            life => life,
        };
    }

    /// What is left of a node without times and tokens, for tests that compare states.
    #[cfg(test)]
    pub fn forget_times(&mut self) {
        (self.since, self.seen) = (Time(0), Time(0));
        self.log.clear();
        match &mut self.life {
            Life::Granted { grant, .. } | Life::RunsOwn { grant, .. } | Life::Overwriting { grant, .. } => {
                grant.made = Time(0);
                grant.token.clear();
            }
            Life::Resting { .. } | Life::Failed { .. } => {}
        }
        if let Some(last) = &mut self.last {
            last.at = Time(0);
            last.token.clear();
        }
        let mut disk = self.disk().clone();
        if let Disk::Written { system, .. } | Disk::Running { system, .. } | Disk::Sent(system) = &mut disk {
            system.at = Time(0);
        }
        self.life = self.take_life().with_disk(disk);
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
