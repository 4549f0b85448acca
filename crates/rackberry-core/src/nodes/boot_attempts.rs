//! How far each machine has come on its way from its firmware to its kernel, and where it turned back.

use std::collections::{BTreeMap, BTreeSet};

use crate::ids::{Changed, Loader, Mac};

/// So many DISCOVERs without anything being fetched, and another loader is tried: beside another server, each style of
/// offer has had its turn by then.
const UNREACHED: u32 = 8;

/// What a node did since it last got on; not kept, because it is about the present minutes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BootAttempt {
    /// DISCOVERs since anything was fetched.
    asks: u32,
    /// The loader that it was told to fetch.
    offered: Option<Loader>,
    /// How far it is since its last start.
    reached: Reached,
    /// Starts in a row that ended with the loader.
    failed_starts: u32,
    /// The loaders that they ended with.
    refused: BTreeSet<Loader>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Reached {
    #[default]
    Nothing,
    Loader,
    /// Its menu, which names a kernel or not.
    Menu(bool),
    Kernel,
}

/// A step on a node's way from its firmware to its kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BootStep {
    /// The firmware sent a DISCOVER.
    Asked,
    /// It has its loader.
    Loader,
    /// Its loader asked for the menu, which names a kernel or leads to the disk.
    Menu {
        /// Whether the menu names a kernel.
        kernel: bool,
    },
    /// It asked for the kernel, or for anything that comes after that.
    Kernel,
}

impl BootAttempt {
    /// Takes in the next step, and what it says of the one before.
    pub fn take(&mut self, step: BootStep) {
        match step {
            BootStep::Asked => {
                match self.reached {
                    // The loader did not run, or could not do what its menu says.
                    Reached::Loader | Reached::Menu(true) => {
                        self.failed_starts += 1;
                        self.refused.extend(self.offered);
                    }
                    // It can't fetch it, as an iPXE that does not get through to this server by HTTP.
                    Reached::Nothing if self.asks > 0 && self.asks.is_multiple_of(UNREACHED) => {
                        self.refused.extend(self.offered);
                    }
                    Reached::Nothing => {}
                    Reached::Menu(false) | Reached::Kernel => self.gets_on(),
                }
                self.reached = Reached::Nothing;
                self.asks += 1;
            }
            BootStep::Loader => (self.reached, self.asks) = (Reached::Loader, 0),
            BootStep::Menu { kernel } => (self.reached, self.asks) = (Reached::Menu(kernel), 0),
            BootStep::Kernel => {
                self.reached = Reached::Kernel;
                self.gets_on();
            }
        }
    }

    fn gets_on(&mut self) {
        (self.asks, self.failed_starts) = (0, 0);
        self.refused.clear();
    }

    /// Notes that the node is given nothing to boot: that it asks again means nothing.
    pub fn nothing_to_boot(&mut self) {
        (self.offered, self.asks) = (None, 0);
    }

    /// Notes which loader the node is told to fetch.
    pub fn offer_loader(&mut self, loader: Option<Loader>) {
        self.offered = loader;
    }

    /// The loader that the node was told last.
    pub fn offered_loader(&self) -> Option<Loader> {
        self.offered
    }

    /// Loaders that it fetched, and then started over.
    pub fn refused(&self) -> &BTreeSet<Loader> {
        &self.refused
    }

    /// DISCOVERs since anything was fetched.
    pub fn asks(&self) -> u32 {
        self.asks
    }

    /// Starts in a row that ended with the loader, or with a menu that names a kernel.
    pub fn failed_starts(&self) -> u32 {
        self.failed_starts
    }

    /// Whether it has its menu.
    pub fn has_its_menu(&self) -> bool {
        matches!(self.reached, Reached::Menu(_) | Reached::Kernel)
    }

    /// Whether it has fetched its loader and not yet its menu.
    pub fn has_only_its_loader(&self) -> bool {
        self.reached == Reached::Loader
    }
}

/// The boot attempts of nodes, by their first address.
#[derive(Debug, Clone, Default)]
pub struct BootAttempts {
    boot_attempts: BTreeMap<Mac, BootAttempt>,
    changed: Changed,
}

impl BootAttempts {
    /// Notes a node's step.
    pub fn take(&mut self, mac: Mac, step: BootStep) {
        self.change(mac, |attempt| attempt.take(step));
    }

    /// Notes that a node is told nothing to boot.
    pub fn nothing_to_boot(&mut self, mac: Mac) {
        if let Some(attempt) = self.boot_attempts.get_mut(&mac) {
            attempt.nothing_to_boot();
            self.changed.note(mac);
        }
    }

    /// Notes which loader a node is told to fetch.
    pub fn offer_loader(&mut self, mac: Mac, loader: Option<Loader>) {
        self.change(mac, |attempt| attempt.offer_loader(loader));
    }

    fn change(&mut self, mac: Mac, change: impl FnOnce(&mut BootAttempt)) {
        // As the registry does: invented addresses must not fill the memory.
        if self.boot_attempts.len() < 4096 || self.boot_attempts.contains_key(&mac) {
            change(self.boot_attempts.entry(mac).or_default());
            self.changed.note(mac);
        }
    }

    /// How far a node's present attempt has come.
    pub fn of(&self, mac: Mac) -> BootAttempt {
        self.boot_attempts.get(&mac).cloned().unwrap_or_default()
    }

    /// A node goes by another address.
    pub fn rename(&mut self, old: Mac, new: Mac) {
        if let Some(attempt) = self.boot_attempts.remove(&old) {
            self.boot_attempts.entry(new).or_insert(attempt);
            self.changed.note(new);
        }
    }

    /// Nothing is known of a node any more.
    pub fn forget(&mut self, mac: Mac) {
        self.boot_attempts.remove(&mac);
        self.changed.note(mac);
    }

    /// Whose attempt has changed.
    pub fn changed(&mut self) -> &mut Changed {
        &mut self.changed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loader_that_is_never_fetched_is_given_up_for_another() {
        let mut attempt = BootAttempt::default();
        attempt.offer_loader(Some(Loader::Ipxe));
        for _ in 0..UNREACHED {
            attempt.take(BootStep::Asked);
            assert!(attempt.refused().is_empty());
        }
        attempt.take(BootStep::Asked);
        assert_eq!(attempt.refused(), &BTreeSet::from([Loader::Ipxe]));
        assert_eq!(attempt.failed_starts(), 0, "that is no start that ended with its loader");
        attempt.offer_loader(Some(Loader::Lpxelinux));
        attempt.take(BootStep::Loader);
        attempt.take(BootStep::Menu { kernel: true });
        attempt.take(BootStep::Kernel);
        assert!(attempt.refused().is_empty(), "it gets on");
    }

    /// A BIOS that boots its disk asks each time, and is told nothing.
    #[test]
    fn who_is_given_nothing_to_boot_is_not_counted_as_stuck() {
        let mut attempt = BootAttempt::default();
        attempt.offer_loader(Some(Loader::Lpxelinux));
        attempt.take(BootStep::Kernel);
        for _ in 0..3 * UNREACHED {
            attempt.take(BootStep::Asked);
            attempt.nothing_to_boot();
        }
        assert_eq!((attempt.asks(), attempt.refused().len()), (0, 0));
    }

    /// A menu that leads to the disk is an end that was meant.
    #[test]
    fn a_start_from_the_disk_counts_against_no_loader() {
        let mut attempt = BootAttempt::default();
        for _ in 0..3 {
            attempt.take(BootStep::Asked);
            attempt.offer_loader(Some(Loader::Grub));
            attempt.take(BootStep::Loader);
            attempt.take(BootStep::Menu { kernel: false });
        }
        attempt.take(BootStep::Asked);
        assert!(attempt.refused().is_empty() && attempt.failed_starts() == 0);
    }
}
