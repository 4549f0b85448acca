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
        /// First byte.
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
    /// It goes on.
    GoesOn,
    /// It has its configuration.
    Configuring,
    /// The image is on the disk.
    Written,
    /// It is up from its own disk.
    Up,
    /// It gave up.
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
            NodeEvent::Loader => self.advance(Stage::Loading),
            NodeEvent::Led => self.is_led = self.grant().is_some(),
            NodeEvent::HasOwn => self.has_own(),
            NodeEvent::Kernel => self.has_fetched(|approach| approach.kernel = true),
            NodeEvent::Initrd => self.has_fetched(|approach| approach.initrd = true),
            NodeEvent::Config => self.advance(Stage::Configuring),
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
        match &mut self.life {
            Life::Granted { grant, approach, .. } if approach.is_own => {
                self.last = Some(ended(grant, now));
                let reason =
                    "it restarted, and what its own menu or install script did to its disk is not known";
                self.fail(Stage::Installing, reason);
            }
            Life::Granted { approach, .. } => *approach = Approach::START,
            Life::Overwriting { .. } => {
                let Some((grant, image)) = self.end_overwrite(now) else { return };
                match image {
                    Some(image) if image.is_whole() => {
                        self.disk = Disk::Written { system: grant.installed(now), said: false };
                    }
                    Some(image) if image.is_incomplete() => {
                        self.disk = Disk::Incomplete;
                        self.fail(
                            Stage::Installing,
                            "it restarted before the image was complete on its disk",
                        );
                    }
                    _ => {
                        self.disk = Disk::Unsure;
                        self.fail(Stage::Installing, "it restarted before it said that its disk is written");
                    }
                }
            }
            // It was silent, and is known to have restarted now.
            Life::Failed(failure) if !failure.said => match &self.disk {
                Disk::Sent(system) => {
                    self.disk = Disk::Written { system: system.clone(), said: false };
                    self.life = Life::Resting;
                }
                Disk::Partial => self.disk = Disk::Incomplete,
                _ => {}
            },
            Life::Failed(_) | Life::Resting => {}
        }
    }

    fn system_is_up(&mut self) {
        if self.is_led {
            return;
        }
        match (&self.life, &self.disk) {
            (Life::Resting, Disk::Written { system, .. }) => {
                self.disk = Disk::Running { system: system.clone(), said: false };
            }
            (Life::Failed(failure), Disk::Written { system, .. }) if !failure.said => {
                self.disk = Disk::Running { system: system.clone(), said: false };
                self.life = Life::Resting;
            }
            // Its last install failed, and yet a system starts: the one from before, most likely. "Everybody" must not
            // mean it.
            (Life::Failed(_), Disk::Incomplete | Disk::Partial) => self.disk = Disk::Unsure,
            _ => {}
        }
    }

    fn approach(&mut self, change: impl FnOnce(&mut Approach)) {
        if let Life::Granted { approach, .. } = &mut self.life {
            change(approach);
        }
    }

    /// Moves forward to `stage` on the way into the installer, never back.
    fn advance(&mut self, stage: Stage) {
        self.approach(|approach| approach.stage = approach.stage.max(stage));
    }

    fn has_fetched(&mut self, mark: impl FnOnce(&mut Approach)) {
        self.approach(mark);
        let has_both =
            matches!(&self.life, Life::Granted { approach, .. } if approach.kernel && approach.initrd);
        self.advance(if has_both { Stage::Booting } else { Stage::Loading });
    }

    fn has_own(&mut self) {
        if let Life::Granted { approach, .. } = &mut self.life {
            (self.is_led, self.disk) = (true, Disk::Unsure);
            self.writes += u32::from(!std::mem::replace(&mut approach.is_own, true));
        }
    }

    fn overwrites(&mut self, length: Option<u64>) {
        match &mut self.life {
            Life::Granted { grant, approach, .. } => {
                self.writes += u32::from(!approach.is_own);
                self.disk = Disk::Unsure;
                self.life = Life::Overwriting { grant: grant.clone(), image: length.map(Image::new) };
            }
            // Another file than before is another image.
            Life::Overwriting { image, .. } => match length {
                Some(length) if image.as_ref().is_none_or(|image| image.total() != length) => {
                    *image = Some(Image::new(length));
                }
                _ => {}
            },
            Life::Resting | Life::Failed(_) => {}
        }
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
            Word::Configuring => self.advance(Stage::Configuring),
            Word::Up => self.says_it_is_up(now),
            Word::Written => self.says_it_is_written(now),
            Word::GaveUp { stage, reason, cause } => match &self.life {
                Life::Granted { .. } | Life::Overwriting { .. } => self.gives_up(stage, reason, cause, now),
                Life::Failed(failure) if !failure.said => self.gives_up(stage, reason, cause, now),
                Life::Failed(_) | Life::Resting => {}
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
        match &self.life {
            // It never asked for leave; that its disk is another one now is a fact.
            Life::Granted { .. } => {
                self.overwrites(None);
                self.says_it_is_written(now);
            }
            Life::Overwriting { .. } => {
                if let Some((grant, _)) = self.end_overwrite(now) {
                    self.disk = Disk::Written { system: grant.installed(now), said: true };
                }
            }
            Life::Failed(_) | Life::Resting => {
                let system = self.last_system();
                if let (Some(system), false) = (system, matches!(self.disk, Disk::Running { .. })) {
                    // It was thought to have ended before that.
                    self.disk = Disk::Written { system: Installed { at: now, ..system }, said: true };
                    self.life = Life::Resting;
                }
            }
        }
    }

    fn says_it_is_up(&mut self, now: Time) {
        self.is_led = false;
        let unknown = || Installed { profile: "unknown".into(), version: "unknown".into(), at: now };
        match &self.life {
            Life::Overwriting { .. } => {
                if let Some((grant, _)) = self.end_overwrite(now) {
                    self.disk = Disk::Running { system: grant.installed(now), said: true };
                }
            }
            life => {
                let system = match &self.disk {
                    Disk::Written { system, .. } | Disk::Running { system, .. } | Disk::Sent(system) => {
                        system.clone()
                    }
                    Disk::Untouched => unknown(),
                    _ => self.last_system().unwrap_or_else(unknown),
                };
                let is_done = !matches!(life, Life::Granted { .. });
                self.disk = Disk::Running { system, said: true };
                if is_done {
                    self.life = Life::Resting;
                }
            }
        }
    }

    fn gives_up(&mut self, stage: Stage, reason: String, cause: Option<Cause>, now: Time) {
        let stage = if (Stage::Discovered..=Stage::Written).contains(&stage) { stage } else { self.stage() };
        match &self.life {
            Life::Granted { grant, approach, .. } => {
                if approach.is_own && stage >= Stage::Installing {
                    self.disk = Disk::Incomplete;
                }
                // Its own state was lost, or it is known by another card now: its disk knows better.
                if cause == Some(Cause::MarkedDisk) && !self.disk.is_ours() {
                    self.disk = Disk::Unsure;
                }
                self.last = Some(ended(grant, now));
            }
            Life::Overwriting { .. } => {
                self.end_overwrite(now);
                // Before that stage an installer leaves the disk alone.
                self.disk = if stage < Stage::Installing { Disk::Unsure } else { Disk::Incomplete };
            }
            // It never came to its disk: what an earlier install put there is there.
            Life::Resting | Life::Failed(_) if stage < Stage::Installing => {}
            // Two words that can't both be true: nobody knows.
            Life::Resting | Life::Failed(_) if matches!(self.disk, Disk::Running { said: true, .. }) => {
                self.disk = Disk::Unsure;
            }
            Life::Resting | Life::Failed(_) if self.disk.is_ours() => self.disk = Disk::Incomplete,
            Life::Resting | Life::Failed(_) => {}
        }
        self.life = Life::Failed(Failure { stage, reason, said: true, cause });
    }

    fn fail(&mut self, stage: Stage, reason: &str) {
        self.life = Life::Failed(Failure { stage, reason: reason.to_owned(), said: false, cause: None });
    }

    /// Ends an overwrite: what it went by, and what was sent.
    fn end_overwrite(&mut self, now: Time) -> Option<(Grant, Option<Image>)> {
        match std::mem::replace(&mut self.life, Life::Resting) {
            Life::Overwriting { grant, image } => {
                self.last = Some(ended(&grant, now));
                Some((grant, image))
            }
            other => {
                self.life = other;
                None
            }
        }
    }

    fn last_system(&self) -> Option<Installed> {
        let last = self.last.as_ref()?;
        Some(Installed { profile: last.profile.clone(), version: last.version.clone(), at: last.at })
    }

    /// Gives up on a node that was silent too long.
    pub fn time_out(&mut self, now: Time) {
        let Some(patience) = self.patience() else { return };
        let stage = self.stage();
        let reason = format!("no sign of life for {} minutes", patience.as_secs() / 60);
        let mut failed_in = stage;
        if let Some((grant, image)) = self.end_overwrite(now) {
            self.disk = match image {
                Some(image) if image.is_whole() => {
                    failed_in = Stage::Written;
                    Disk::Sent(grant.installed(now))
                }
                Some(image) if image.is_incomplete() => Disk::Partial,
                _ => Disk::Unsure,
            };
        } else if let Some(grant) = self.grant() {
            self.last = Some(ended(grant, now));
        }
        self.fail(failed_in, &reason);
        self.since = now;
    }
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
