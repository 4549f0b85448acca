//! One node and its transitions.

use std::net::Ipv4Addr;

use crate::{
    ids::{Arch, Cause, Loader, Mac, OfferStyle, Stage, Time},
    nodes::Grant,
};

/// Longest log excerpt that is kept of a node's report, in bytes.
const LOG_LIMIT: usize = 16 * 1024;

/// What is known of one machine.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Node {
    /// Its first hardware address, which names it for good.
    pub mac: Mac,
    /// How far its install is.
    pub stage: Stage,
    /// When it entered that stage.
    pub since: Time,
    /// Its last sign of life.
    pub seen: Time,
    /// What it boots with, as its firmware said last.
    pub arch: Option<Arch>,
    /// The address it held last.
    pub address: Option<Ipv4Addr>,
    /// The open grant.
    pub grant: Option<Grant>,
    /// The last arming that granted it.
    pub last_arming: Option<u64>,
    /// Kernel fetched, initrd fetched, in this install.
    pub fetched: (bool, bool),
    /// The image's transfer in this install.
    pub image: Option<ImageProgress>,
    /// How the last install ended, if badly.
    pub failure: Option<Failure>,
    /// What is on its disk, as far as this service put it there.
    pub installed: Option<Installed>,
    /// How many installs have begun to overwrite its disk.
    pub writes: u32,
    /// The last lines of its log, from its last report.
    pub log: String,
    /// The style of a proxy's offer that has led it to its loader.
    #[serde(default)]
    pub offer_style: Option<OfferStyle>,
    /// The loader that has led it to its kernel.
    #[serde(default)]
    pub loader: Option<Loader>,
}

/// The image's transfer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct ImageProgress {
    /// Bytes sent.
    pub sent: u64,
    /// Bytes in all.
    pub total: u64,
}

/// Why an install failed.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct Failure {
    /// The stage it failed in.
    pub stage: Stage,
    /// One clause.
    pub reason: String,
    /// What kind of failure it is, where the machine said so.
    #[serde(default)]
    pub cause: Option<Cause>,
}

/// What is on a node's disk.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
pub struct Installed {
    /// Operating system.
    pub profile: String,
    /// Its version.
    pub version: String,
    /// When its image was complete.
    pub at: Time,
}

/// What a node was seen to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sign {
    /// Its firmware or loader asked for a network boot.
    NetworkBoot {
        /// What it boots with, where it says so.
        arch: Option<Arch>,
        /// The number of the arming whose window is open.
        open: Option<u64>,
    },
    /// A system that is up asked for an address from scratch (not a renewal), without asking for a boot file.
    SystemBoot,
    /// It has the boot loader.
    Loader,
    /// It has the kernel.
    Kernel,
    /// It has the initrd.
    Initrd,
    /// It asked for its install script or configuration.
    Config,
    /// It asks for the image, or is about to write its disk without one. The grant is spent by this.
    Image {
        /// The image's length in bytes, where there is an image.
        total: Option<u64>,
    },
    /// So much of the image has been sent.
    ImageSent {
        /// End of the furthest byte sent.
        sent: u64,
        /// The image's length in bytes.
        total: u64,
    },
    /// A transfer to it moved on.
    Alive,
    /// The whole image has been sent.
    ImageComplete,
    /// It says that the image is on the disk.
    Wrote,
    /// It says that it is up from its own disk.
    Up,
    /// It says that it gave up.
    GaveUp {
        /// Where.
        stage: Stage,
        /// Why.
        reason: String,
    },
}

impl Node {
    /// A node that nothing is known of.
    pub fn new(mac: Mac, now: Time) -> Node {
        Node {
            mac,
            stage: Stage::Idle,
            since: now,
            seen: now,
            arch: None,
            address: None,
            grant: None,
            last_arming: None,
            fetched: (false, false),
            image: None,
            failure: None,
            installed: None,
            writes: 0,
            log: String::new(),
            offer_style: None,
            loader: None,
        }
    }

    /// Takes in what the node was seen to do. The stage only moves along the install that its grant allows:
    /// without one, only its last sign of life changes.
    pub fn saw(&mut self, sign: Sign, now: Time) {
        self.seen = now;
        match sign {
            Sign::NetworkBoot { arch, open } => {
                self.arch = arch.or(self.arch);
                self.network_boot(open, now);
            }
            Sign::SystemBoot | Sign::Up if self.disk_is_written() => self.up(now),
            Sign::SystemBoot | Sign::Up => {}
            Sign::Loader => self.advance(Stage::Loading, now),
            Sign::Kernel => self.has_fetched(|fetched| fetched.0 = true, now),
            Sign::Initrd => self.has_fetched(|fetched| fetched.1 = true, now),
            Sign::Config => self.advance(Stage::Configuring, now),
            Sign::Image { total } => self.spend(total, now),
            Sign::ImageSent { sent, total } if self.stage == Stage::Installing => {
                self.image = Some(ImageProgress { sent, total });
            }
            Sign::ImageSent { .. } | Sign::Alive => {}
            Sign::ImageComplete if self.stage == Stage::Installing => {
                self.image = self.image.map(|image| ImageProgress { sent: image.total, ..image });
                self.written(now);
            }
            Sign::ImageComplete => {}
            Sign::Wrote if self.grant.as_ref().is_some_and(|grant| grant.spent) => {
                self.written(now);
                self.close();
            }
            Sign::Wrote => {}
            Sign::GaveUp { stage, reason } if self.grant.is_some() => self.fail(stage, reason, now),
            Sign::GaveUp { .. } => {}
        }
    }

    /// The longest silence that is normal in the present stage; after it the install counts as failed.
    pub fn patience(&self) -> Option<std::time::Duration> {
        let minutes = |m: u64| Some(std::time::Duration::from_secs(60 * m));
        let by_hand = self.grant.as_ref().is_some_and(|grant| grant.live && !grant.spent);
        match self.stage {
            Stage::Booting | Stage::Configuring if by_hand => None,
            Stage::Loading => minutes(5),
            Stage::Installing => self.grant.as_ref().map(|grant| grant.silence),
            Stage::Booting | Stage::Configuring => minutes(10),
            Stage::Written => minutes(30),
            Stage::Idle | Stage::Discovered | Stage::Installed | Stage::Failed => None,
        }
    }

    /// When [`Node::patience`] ends.
    pub fn deadline(&self) -> Option<Time> {
        self.patience().map(|patience| self.seen + patience)
    }

    /// Gives up on a node that was silent too long.
    pub fn time_out(&mut self, now: Time) {
        if let Some(patience) = self.patience() {
            self.fail(self.stage, format!("no sign of life for {} minutes", patience.as_secs() / 60), now);
        }
    }

    /// Gives this node, which asks for a network boot, its permission to install.
    pub fn grant(&mut self, grant: Grant, now: Time) {
        self.enter(Stage::Discovered, now);
        self.last_arming = Some(grant.arming);
        self.grant = Some(grant);
        self.fetched = (false, false);
        self.image = None;
        self.failure = None;
        self.log.clear();
    }

    /// Takes an unspent grant away; the node is what it was before.
    pub fn withdraw(&mut self, now: Time) {
        if self.grant.as_ref().is_some_and(|grant| !grant.spent) {
            self.grant = None;
            self.rest(now);
        }
    }

    /// Moves an unspent grant to the arming that took the place of the one which gave it.
    pub fn carry_over(&mut self, arming: u64) {
        if let Some(grant) = self.grant.as_mut().filter(|grant| !grant.spent) {
            grant.arming = arming;
            self.last_arming = Some(arming);
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

    fn network_boot(&mut self, open: Option<u64>, now: Time) {
        match &self.grant {
            Some(grant) if !grant.spent && open == Some(grant.arming) => self.enter(Stage::Discovered, now),
            // It restarted before its disk was touched, and the arming is over.
            Some(grant) if !grant.spent => self.withdraw(now),
            Some(_) if self.stage == Stage::Written => self.close(),
            Some(_) => {
                let reason = "it restarted before the image was complete on its disk".to_owned();
                self.fail(Stage::Installing, reason, now);
            }
            None => {}
        }
    }

    fn has_fetched(&mut self, mark: impl FnOnce(&mut (bool, bool)), now: Time) {
        if self.grant.is_none() {
            return;
        }
        mark(&mut self.fetched);
        self.advance(if self.fetched == (true, true) { Stage::Booting } else { Stage::Loading }, now);
    }

    /// Moves forward to `stage` within the install that the grant allows, never back.
    fn advance(&mut self, stage: Stage, now: Time) {
        if self.grant.is_some() && self.stage < stage {
            self.enter(stage, now);
        }
    }

    fn spend(&mut self, total: Option<u64>, now: Time) {
        let Some(grant) = &mut self.grant else { return };
        if !grant.spent {
            grant.spent = true;
            self.writes += 1;
            self.installed = None;
        }
        if let Some(total) = total {
            self.image = Some(ImageProgress { sent: 0, total });
        }
        if self.stage != Stage::Installing {
            self.enter(Stage::Installing, now);
        }
    }

    fn written(&mut self, now: Time) {
        if let Some(grant) = &self.grant {
            let (profile, version) = (grant.profile.clone(), grant.version.clone());
            self.installed = Some(Installed { profile, version, at: now });
        }
        if self.stage != Stage::Written {
            self.enter(Stage::Written, now);
        }
    }

    fn up(&mut self, now: Time) {
        self.close();
        self.failure = None;
        self.enter(Stage::Installed, now);
    }

    fn fail(&mut self, stage: Stage, reason: String, now: Time) {
        self.close();
        if stage == Stage::Installing {
            self.installed = None;
        }
        self.failure = Some(Failure { stage, reason, cause: None });
        self.enter(Stage::Failed, now);
    }

    /// Whether only its own system's start is missing, late ones included.
    fn disk_is_written(&self) -> bool {
        let late = self.failure.as_ref().is_some_and(|failure| failure.stage == Stage::Written);
        self.stage == Stage::Written || (self.stage == Stage::Failed && late)
    }

    fn close(&mut self) {
        self.grant = None;
    }

    /// Back to what the node was before an install that never touched its disk.
    fn rest(&mut self, now: Time) {
        self.enter(if self.installed.is_some() { Stage::Installed } else { Stage::Idle }, now);
    }

    fn enter(&mut self, stage: Stage, now: Time) {
        self.stage = stage;
        self.since = now;
    }
}
