//! What a machine is doing, as far as installing goes, with what is known in each of these states and in no other.

use serde::{Deserialize, Serialize};

use crate::{
    ids::{Cause, Stage, Time},
    nodes::{Grant, Image},
};

/// What a machine is doing. It is kept as [`crate::nodes::StoredNode`] writes it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Life {
    /// Nothing.
    Resting {
        /// What is on its disk.
        disk: Disk,
    },
    /// It is on its way into the installer; its disk is untouched by that.
    Granted {
        /// By this permission.
        grant: Grant,
        /// How far it is.
        approach: Approach,
        /// How its last install failed, if it did: what it goes back to when the grant is withdrawn.
        before: Option<Failure>,
        /// What is on its disk.
        disk: Disk,
    },
    /// It was given a menu or a script that its owner wrote. What that does with the disk is not seen from here: the
    /// permission is used by it.
    RunsOwn {
        /// By this permission.
        grant: Grant,
        /// How far it is.
        approach: Approach,
        /// What is on its disk.
        disk: Disk,
    },
    /// Its disk is being overwritten; nobody knows what is on it until that ends.
    Overwriting {
        /// By this permission.
        grant: Grant,
        /// The image that it is sent from here; none where its installer has one, or takes it from elsewhere.
        image: Option<Image>,
    },
    /// Its last install failed.
    Failed {
        /// How.
        failure: Failure,
        /// What is on its disk.
        disk: Disk,
    },
}

impl Life {
    /// What is on its disk.
    pub fn disk(&self) -> &Disk {
        match self {
            Self::Resting { disk }
            | Self::Granted { disk, .. }
            | Self::RunsOwn { disk, .. }
            | Self::Failed { disk, .. } => disk,
            Self::Overwriting { .. } => &Disk::Unsure,
        }
    }

    /// The same life with another disk; while that is overwritten, it is what it is.
    pub fn with_disk(self, disk: Disk) -> Life {
        match self {
            Self::Resting { .. } => Self::Resting { disk },
            Self::Granted { grant, approach, before, .. } => Self::Granted { grant, approach, before, disk },
            Self::RunsOwn { grant, approach, .. } => Self::RunsOwn { grant, approach, disk },
            Self::Failed { failure, .. } => Self::Failed { failure, disk },
            Self::Overwriting { .. } => self,
        }
    }

    /// How far it is on its way into an installer.
    pub(super) fn approach_mut(&mut self) -> Option<&mut Approach> {
        match self {
            Self::Granted { approach, .. } | Self::RunsOwn { approach, .. } => Some(approach),
            Self::Resting { .. } | Self::Overwriting { .. } | Self::Failed { .. } => None,
        }
    }
}

/// How far a machine is on its way into the installer: `discovered`, `loading`, `booting` or `configuring`, which it goes
/// through in this order and never back.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Approach {
    reached: Reached,
    has_kernel: bool,
    has_initrd: bool,
}

/// The stages of the way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Reached {
    #[default]
    Discovered,
    Loading,
    Booting,
    Configuring,
}

impl Approach {
    /// As a journal has it. No stage before or after the way is on it.
    pub(super) fn restored(stage: Stage, (has_kernel, has_initrd): (bool, bool)) -> Approach {
        let reached = match stage {
            Stage::Idle | Stage::Discovered => Reached::Discovered,
            Stage::Loading => Reached::Loading,
            Stage::Booting => Reached::Booting,
            _ => Reached::Configuring,
        };
        Approach { reached, has_kernel, has_initrd }
    }

    /// Its stage.
    pub fn stage(&self) -> Stage {
        match self.reached {
            Reached::Discovered => Stage::Discovered,
            Reached::Loading => Stage::Loading,
            Reached::Booting => Stage::Booting,
            Reached::Configuring => Stage::Configuring,
        }
    }

    /// Whether it has the kernel, and the initrd.
    pub fn has(&self) -> (bool, bool) {
        (self.has_kernel, self.has_initrd)
    }

    pub(super) fn has_its_loader(&mut self) {
        self.reached = self.reached.max(Reached::Loading);
    }

    pub(super) fn has_its_kernel(&mut self) {
        self.has_kernel = true;
        self.has_fetched();
    }

    pub(super) fn has_its_initrd(&mut self) {
        self.has_initrd = true;
        self.has_fetched();
    }

    pub(super) fn is_configuring(&mut self) {
        self.reached = Reached::Configuring;
    }

    fn has_fetched(&mut self) {
        let reached = if self.has() == (true, true) { Reached::Booting } else { Reached::Loading };
        self.reached = self.reached.max(reached);
    }
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
