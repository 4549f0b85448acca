//! How far each machine has come on its way from its firmware to its kernel, and where it turned back.

use std::collections::{BTreeMap, BTreeSet};

use crate::ids::{Changed, Loader, Mac};

/// So many DISCOVERs without anything being fetched, and another loader is tried: beside another server, each style of
/// offer has had its turn by then.
const UNREACHED: u32 = 8;

/// What a node did since it last got on; not kept, because it is about the present minutes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trail {
    /// DISCOVERs since anything was fetched.
    asks: u32,
    /// The loader that it was told to fetch.
    told: Option<Loader>,
    /// How far it is since its last start.
    reached: Reached,
    /// Starts in a row that ended with the loader.
    in_vain: u32,
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
pub enum Step {
    /// Its firmware's DISCOVER.
    Asked,
    /// It has its loader.
    Loader,
    /// Its loader asked for the menu, which names a kernel or leads to the disk.
    Menu {
        /// It names one.
        kernel: bool,
    },
    /// It asked for the kernel, or for anything that comes after that.
    Kernel,
}

impl Trail {
    /// Notes a step.
    pub fn take(&mut self, step: Step) {
        match step {
            Step::Asked => {
                match self.reached {
                    // The loader did not run, or could not do what its menu says.
                    Reached::Loader | Reached::Menu(true) => {
                        self.in_vain += 1;
                        self.refused.extend(self.told);
                    }
                    // It can't fetch it, as an iPXE that does not get through to this server by HTTP.
                    Reached::Nothing if self.asks > 0 && self.asks.is_multiple_of(UNREACHED) => {
                        self.refused.extend(self.told);
                    }
                    Reached::Nothing => {}
                    Reached::Menu(false) | Reached::Kernel => self.gets_on(),
                }
                self.reached = Reached::Nothing;
                self.asks += 1;
            }
            Step::Loader => (self.reached, self.asks) = (Reached::Loader, 0),
            Step::Menu { kernel } => (self.reached, self.asks) = (Reached::Menu(kernel), 0),
            Step::Kernel => {
                self.reached = Reached::Kernel;
                self.gets_on();
            }
        }
    }

    fn gets_on(&mut self) {
        (self.asks, self.in_vain) = (0, 0);
        self.refused.clear();
    }

    /// Notes that the node is told nothing to boot: it asks for nothing in vain.
    pub fn leave_alone(&mut self) {
        (self.told, self.asks) = (None, 0);
    }

    /// Notes which loader the node is told to fetch.
    pub fn tell(&mut self, loader: Option<Loader>) {
        self.told = loader;
    }

    /// The loader that the node was told last.
    pub fn told(&self) -> Option<Loader> {
        self.told
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
    pub fn in_vain(&self) -> u32 {
        self.in_vain
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

/// The trails of nodes, by their first address.
#[derive(Debug, Clone, Default)]
pub struct Trails {
    trails: BTreeMap<Mac, Trail>,
    changed: Changed,
}

impl Trails {
    /// Notes a node's step.
    pub fn take(&mut self, mac: Mac, step: Step) {
        self.change(mac, |trail| trail.take(step));
    }

    /// Notes that a node is told nothing to boot.
    pub fn leave_alone(&mut self, mac: Mac) {
        if let Some(trail) = self.trails.get_mut(&mac) {
            trail.leave_alone();
            self.changed.note(mac);
        }
    }

    /// Notes which loader a node is told to fetch.
    pub fn tell(&mut self, mac: Mac, loader: Option<Loader>) {
        self.change(mac, |trail| trail.tell(loader));
    }

    fn change(&mut self, mac: Mac, change: impl FnOnce(&mut Trail)) {
        // As the registry does: invented addresses must not fill the memory.
        if self.trails.len() < 4096 || self.trails.contains_key(&mac) {
            change(self.trails.entry(mac).or_default());
            self.changed.note(mac);
        }
    }

    /// A node's trail.
    pub fn of(&self, mac: Mac) -> Trail {
        self.trails.get(&mac).cloned().unwrap_or_default()
    }

    /// A node goes by another address.
    pub fn rename(&mut self, old: Mac, new: Mac) {
        if let Some(trail) = self.trails.remove(&old) {
            self.trails.entry(new).or_insert(trail);
            self.changed.note(new);
        }
    }

    /// Nothing is known of a node any more.
    pub fn forget(&mut self, mac: Mac) {
        self.trails.remove(&mac);
        self.changed.note(mac);
    }

    /// Whose trail has changed.
    pub fn changed(&mut self) -> &mut Changed {
        &mut self.changed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_never_fetched_is_given_up_for_another() {
        let mut trail = Trail::default();
        trail.tell(Some(Loader::Ipxe));
        for _ in 0..UNREACHED {
            trail.take(Step::Asked);
            assert!(trail.refused().is_empty());
        }
        trail.take(Step::Asked);
        assert_eq!(trail.refused(), &BTreeSet::from([Loader::Ipxe]));
        assert_eq!(trail.in_vain(), 0, "that is no start that ended with its loader");
        trail.tell(Some(Loader::Lpxelinux));
        trail.take(Step::Loader);
        trail.take(Step::Menu { kernel: true });
        trail.take(Step::Kernel);
        assert!(trail.refused().is_empty(), "it gets on");
    }

    /// A BIOS that boots its disk asks each time, and is told nothing.
    #[test]
    fn who_is_left_alone_asks_nothing_in_vain() {
        let mut trail = Trail::default();
        trail.tell(Some(Loader::Lpxelinux));
        trail.take(Step::Kernel);
        for _ in 0..3 * UNREACHED {
            trail.take(Step::Asked);
            trail.leave_alone();
        }
        assert_eq!((trail.asks(), trail.refused().len()), (0, 0));
    }

    /// A menu that leads to the disk is an end that was meant.
    #[test]
    fn a_disk_boot_refuses_nothing() {
        let mut trail = Trail::default();
        for _ in 0..3 {
            trail.take(Step::Asked);
            trail.tell(Some(Loader::Grub));
            trail.take(Step::Loader);
            trail.take(Step::Menu { kernel: false });
        }
        trail.take(Step::Asked);
        assert!(trail.refused().is_empty() && trail.in_vain() == 0);
    }
}
