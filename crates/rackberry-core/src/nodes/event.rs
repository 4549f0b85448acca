//! What a machine is seen to do, and what each of these observations proves: the evidence table.
//!
//! | observation | proves | does not prove |
//! |---|---|---|
//! | its firmware asks for a network boot | no installer and no system of its own runs any more; an image that was wholly sent before is taken for written | that the disk starts |
//! | a system asks for an address from scratch | after the image is written: it is up from its disk; after an install that failed half way: its disk may hold a system | before that, nothing: live systems ask again after each link flap, and so do second cards and management controllers |
//! | a part of the image was sent | that part was sent | that anything is on the disk |
//! | all of the image was sent | nothing yet; with the next network boot, that it is written | that the installer found it good |
//! | its installer says that it begins | its disk is being overwritten | |
//! | its installer says that it has written | the image is on the disk | that the disk starts |
//! | its installer says that it failed | it failed, whatever was concluded before | |
//! | its system says that it is up | it runs from its disk, whatever was concluded before | |
//! | it is silent for long | nothing; it is told as failed until something better is known | that its disk is as it was |
//! | its own menu or install script was handed out | its disk may be overwritten from now on, and nobody will say so | |
//!
//! What a machine says beats what was concluded; among what it says, the last word counts.

use crate::{
    ids::{Arch, Cause, Stage, Time},
    nodes::{Approach, Disk, Failure, Grant, Image, Installed, LastInstall, Life, Node},
};

/// What a node was seen to do, by a card that stands for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NodeEvent {
    /// Its firmware asked for a network boot.
    NetworkBoot {
        /// What it boots with, where it says so.
        arch: Option<Arch>,
    },
    /// A system that is up asked for an address from scratch (not a renewal), without asking for a boot file.
    SystemUp,
    /// It has the boot loader.
    Loader,
    /// It has the menu that leads it into the installer.
    Led,
    /// It has a menu or an install script that its owner wrote: its disk may be overwritten from now on.
    HasOwn,
    /// It has the kernel.
    Kernel,
    /// It has the initrd.
    Initrd,
    /// It asked for its install script or configuration.
    Config,
    /// Its disk is overwritten from now on: it asks for the image, or is about to write its disk without one.
    Overwrites {
        /// The image's length in bytes, where there is an image.
        image: Option<u64>,
    },
    /// A part of the image has been sent.
    ImagePart {
        /// The first byte that is sent.
        start: u64,
        /// The byte after the last one.
        end: u64,
        /// The image's length in bytes.
        total: u64,
    },
    /// A transfer to it moved on.
    Alive,
    /// Its installer or its system says something, by its grant or from its address.
    Said(Word),
    /// The installer of its last install says something, by the grant that is over.
    SaidLate(Word),
}

/// What a machine says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Word {
    /// The installer runs and goes on.
    GoesOn,
    /// It has its configuration.
    Configuring,
    /// The image is on the disk.
    Written,
    /// It is up from its own disk.
    Up,
    /// The installer gave up, and says why.
    GaveUp {
        /// Where.
        stage: Stage,
        /// Why.
        reason: String,
        /// What kind of failure that is, where it says so.
        cause: Option<Cause>,
    },
}

impl Node {
    /// Takes in what the node was seen to do. The stage only moves along the install that its grant allows: without one,
    /// only its last sign of life changes, and what is known of its disk.
    pub fn apply(&mut self, event: NodeEvent, now: Time) {
        let stage = self.stage();
        self.seen = now;
        match event {
            NodeEvent::NetworkBoot { arch } => {
                self.arch = arch.or(self.arch);
                self.starts_anew(now);
            }
            NodeEvent::SystemUp => self.system_is_up(),
            NodeEvent::Loader => self.approach(Approach::has_its_loader),
            NodeEvent::Led => self.is_led = self.grant().is_some(),
            NodeEvent::HasOwn => self.has_own(),
            NodeEvent::Kernel => self.approach(Approach::has_its_kernel),
            NodeEvent::Initrd => self.approach(Approach::has_its_initrd),
            NodeEvent::Config => self.approach(Approach::is_configuring),
            NodeEvent::Overwrites { image } => self.overwrites(image),
            NodeEvent::ImagePart { start, end, total } => self.is_sent(start, end, total),
            NodeEvent::Alive => {}
            NodeEvent::Said(word) => self.says(word, now),
            NodeEvent::SaidLate(word) => self.says_late(word, now),
        }
        if self.stage() != stage {
            self.since = now;
        }
    }

    /// A start of its firmware ends whatever ran.
    fn starts_anew(&mut self, now: Time) {
        self.is_led = false;
        self.life = match self.take_life() {
            Life::Granted { grant, before, disk, .. } => {
                Life::Granted { grant, approach: Approach::default(), before, disk }
            }
            Life::RunsOwn { grant, disk, .. } => {
                self.last = Some(ended(&grant, now));
                let reason =
                    "it restarted, and what its own menu or install script did to its disk is not known";
                Life::Failed { failure: concluded(Stage::Installing, reason), disk }
            }
            Life::Overwriting { grant, image } => {
                self.last = Some(ended(&grant, now));
                restarted_while_writing(&grant, image, now)
            }
            // It was silent, and is known to have restarted now.
            Life::Failed { failure, disk } if !failure.said => match disk {
                Disk::Sent(system) => Life::Resting { disk: Disk::Written { system, said: false } },
                Disk::Partial => Life::Failed { failure, disk: Disk::Incomplete },
                disk => Life::Failed { failure, disk },
            },
            life => life,
        };
    }

    fn system_is_up(&mut self) {
        if self.is_led {
            return;
        }
        self.life = match self.take_life() {
            Life::Resting { disk: Disk::Written { system, .. } } => {
                Life::Resting { disk: Disk::Running { system, said: false } }
            }
            Life::Failed { failure, disk: Disk::Written { system, .. } } if !failure.said => {
                Life::Resting { disk: Disk::Running { system, said: false } }
            }
            // Its last install failed, and yet a system starts: the one from before, most likely. "Everybody" must not
            // mean it.
            Life::Failed { failure, disk: Disk::Incomplete | Disk::Partial } => {
                Life::Failed { failure, disk: Disk::Unsure }
            }
            life => life,
        };
    }

    fn approach(&mut self, change: impl FnOnce(&mut Approach)) {
        if let Some(approach) = self.life.approach_mut() {
            change(approach);
        }
    }

    fn has_own(&mut self) {
        self.life = match self.take_life() {
            Life::Granted { grant, approach, .. } => {
                self.is_led = true;
                self.writes += 1;
                Life::RunsOwn { grant, approach, disk: Disk::Unsure }
            }
            Life::RunsOwn { grant, approach, .. } => {
                self.is_led = true;
                Life::RunsOwn { grant, approach, disk: Disk::Unsure }
            }
            life => life,
        };
    }

    fn overwrites(&mut self, length: Option<u64>) {
        self.life = match self.take_life() {
            Life::Granted { grant, .. } => {
                self.writes += 1;
                Life::Overwriting { grant, image: length.map(Image::new) }
            }
            Life::RunsOwn { grant, .. } => Life::Overwriting { grant, image: length.map(Image::new) },
            // Another file than before is another image.
            Life::Overwriting { grant, image } => {
                let is_same = |length: &u64| image.as_ref().is_some_and(|image| image.total() == *length);
                let other = length.filter(|length| !is_same(length)).map(Image::new);
                Life::Overwriting { grant, image: other.or(image) }
            }
            life => life,
        };
    }

    fn is_sent(&mut self, start: u64, end: u64, total: u64) {
        if let Life::Overwriting { image: Some(image), .. } = &mut self.life
            && image.total() == total
        {
            image.add(start, end);
        }
    }

    fn says(&mut self, word: Word, now: Time) {
        match word {
            Word::GoesOn => {}
            Word::Configuring => self.approach(Approach::is_configuring),
            Word::Up => self.says_it_is_up(now),
            Word::Written => self.says_it_is_written(now),
            Word::GaveUp { stage, reason, cause } => match &self.life {
                Life::Granted { .. } | Life::RunsOwn { .. } | Life::Overwriting { .. } => {
                    self.gives_up(stage, reason, cause, now);
                }
                Life::Failed { failure, .. } if !failure.said => self.gives_up(stage, reason, cause, now),
                Life::Failed { .. } | Life::Resting { .. } => {}
            },
        }
    }

    /// Its installer still runs, so whatever was concluded from signs since was wrong.
    fn says_late(&mut self, word: Word, now: Time) {
        match word {
            // What it says is about another install than the one that has been allowed since.
            _ if self.grant().is_some() => {}
            Word::GoesOn | Word::Configuring => {}
            Word::Up => self.says_it_is_up(now),
            Word::Written => self.says_it_is_written(now),
            Word::GaveUp { stage, reason, cause } => self.gives_up(stage, reason, cause, now),
        }
    }

    fn says_it_is_written(&mut self, now: Time) {
        // It restarts next.
        self.is_led = false;
        // If it never asked for leave: that its disk is another one now is a fact.
        self.overwrites(None);
        let system = self.last_system();
        self.life = match (self.take_life(), system) {
            (Life::Overwriting { grant, .. }, _) => {
                self.last = Some(ended(&grant, now));
                Life::Resting { disk: Disk::Written { system: grant.installed(now), said: true } }
            }
            // By its own word: then this one is an echo.
            (life @ Life::Resting { disk: Disk::Running { said: true, .. } }, _)
            | (life @ Life::Failed { disk: Disk::Running { said: true, .. }, .. }, _) => life,
            // It was thought to have ended before that.
            (Life::Resting { .. } | Life::Failed { .. }, Some(system)) => {
                Life::Resting { disk: Disk::Written { system: Installed { at: now, ..system }, said: true } }
            }
            (life, _) => life,
        };
    }

    fn says_it_is_up(&mut self, now: Time) {
        self.is_led = false;
        let running = |system| Disk::Running { system, said: true };
        let system = self.system_that_is_up(now);
        self.life = match self.take_life() {
            Life::Overwriting { grant, .. } => {
                self.last = Some(ended(&grant, now));
                Life::Resting { disk: running(grant.installed(now)) }
            }
            life @ (Life::Granted { .. } | Life::RunsOwn { .. }) => life.with_disk(running(system)),
            Life::Resting { .. } | Life::Failed { .. } => Life::Resting { disk: running(system) },
        };
    }

    /// What a machine runs that says that it is up.
    fn system_that_is_up(&self, now: Time) -> Installed {
        let unknown = || Installed { profile: "unknown".into(), version: "unknown".into(), at: now };
        match self.disk() {
            Disk::Written { system, .. } | Disk::Running { system, .. } | Disk::Sent(system) => {
                system.clone()
            }
            Disk::Untouched => unknown(),
            Disk::Incomplete | Disk::Partial | Disk::Unsure => self.last_system().unwrap_or_else(unknown),
        }
    }

    fn gives_up(&mut self, stage: Stage, reason: String, cause: Option<Cause>, now: Time) {
        let stage = if (Stage::Discovered..=Stage::Written).contains(&stage) { stage } else { self.stage() };
        self.last = self.grant().map(|grant| ended(grant, now)).or(self.last.take());
        let writes = stage >= Stage::Installing;
        // Its own state was lost, or it is known by another card now: its disk knows better.
        let is_marked = cause == Some(Cause::MarkedDisk);
        let marked = |disk: Disk| if is_marked && !disk.is_ours() { Disk::Unsure } else { disk };
        let disk = match self.take_life() {
            Life::RunsOwn { .. } if writes => marked(Disk::Incomplete),
            Life::Granted { disk, .. } | Life::RunsOwn { disk, .. } => marked(disk),
            Life::Overwriting { .. } if writes => Disk::Incomplete,
            // Before that stage an installer leaves the disk alone.
            Life::Overwriting { .. } => Disk::Unsure,
            // It never came to its disk: what an earlier install put there is there.
            Life::Resting { disk: disk @ (Disk::Running { .. } | Disk::Written { .. }) }
            | Life::Failed { disk: disk @ (Disk::Running { .. } | Disk::Written { .. }), .. }
                if !writes =>
            {
                disk
            }
            // Two words that can't both be true: nobody knows.
            Life::Resting { disk: Disk::Running { said: true, .. } }
            | Life::Failed { disk: Disk::Running { said: true, .. }, .. } => Disk::Unsure,
            Life::Resting { disk } | Life::Failed { disk, .. } if disk.is_ours() => Disk::Incomplete,
            Life::Resting { disk } | Life::Failed { disk, .. } => disk,
        };
        self.life = Life::Failed { failure: Failure { stage, reason, said: true, cause }, disk };
    }

    fn last_system(&self) -> Option<Installed> {
        let last = self.last.as_ref()?;
        Some(Installed { profile: last.profile.clone(), version: last.version.clone(), at: last.at })
    }

    /// Gives up on a node that was silent too long.
    pub fn time_out(&mut self, now: Time) {
        let Some(patience) = self.patience() else { return };
        let reason = format!("no sign of life for {} minutes", patience.as_secs() / 60);
        let stage = self.stage();
        self.last = self.grant().map(|grant| ended(grant, now)).or(self.last.take());
        let (stage, disk) = match self.take_life() {
            Life::Overwriting { grant, image: Some(image) } if image.is_whole() => {
                (Stage::Written, Disk::Sent(grant.installed(now)))
            }
            Life::Overwriting { image: Some(image), .. } if image.is_incomplete() => (stage, Disk::Partial),
            life => (stage, life.disk().clone()),
        };
        self.life = Life::Failed { failure: concluded(stage, &reason), disk };
        self.since = now;
    }
}

/// What becomes of a machine that restarts while its disk is overwritten.
fn restarted_while_writing(grant: &Grant, image: Option<Image>, now: Time) -> Life {
    let failed = |reason, disk| Life::Failed { failure: concluded(Stage::Installing, reason), disk };
    match image {
        Some(image) if image.is_whole() => {
            Life::Resting { disk: Disk::Written { system: grant.installed(now), said: false } }
        }
        Some(image) if image.is_incomplete() => {
            failed("it restarted before the image was complete on its disk", Disk::Incomplete)
        }
        _ => failed("it restarted before it said that its disk is written", Disk::Unsure),
    }
}

/// A failure that follows from what was seen.
fn concluded(stage: Stage, reason: &str) -> Failure {
    Failure { stage, reason: reason.to_owned(), said: false, cause: None }
}

fn ended(grant: &Grant, at: Time) -> LastInstall {
    LastInstall {
        token: grant.token.clone(),
        card: grant.card,
        order: grant.order,
        kind: grant.kind,
        profile: grant.profile.clone(),
        version: grant.version.clone(),
        at,
    }
}
