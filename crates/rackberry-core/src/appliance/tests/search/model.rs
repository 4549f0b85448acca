//! The rack: the appliance, its machines, and all that may happen next.

mod actions;
mod checks;
mod fingerprint;
mod people;
mod racks;
mod speakers;
mod steps;

use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash, Hasher},
};

pub use actions::Action;
pub use racks::{Listing, Rack};

use super::{
    super::*,
    machine::{Machine, Runs, TrueDisk, token_in},
};
use crate::{
    appliance::{LeadsTo, tests::world::*},
    ids::{OrderKind, Time},
    nodes::{Disk, Life},
    orders::Scope,
};

const THREE: Mac = Mac([0x52, 0x54, 0, 0, 0, 3]);
const HOUR: u64 = 3600;
/// Long enough for a card to count as silent.
const PAUSE: u64 = 31;
/// How often an order leads a machine into an installer that is not heard of, by default.
const TRIES: u8 = 2;
/// Who names a machine so shortly after its disk was overwritten may not know that.
const JUST: Duration = Duration::from_secs(600);

/// How often each may happen in one history.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Left {
    /// A person's word: armed, disarmed, forgotten.
    pub orders: u8,
    /// The configuration is changed.
    pub reloads: u8,
    /// The service is killed, its state is lost, or its disk fails.
    pub crashes: u8,
    /// A card asks for an address while something else runs.
    pub strays: u8,
    /// Half a minute passes.
    pub pauses: u8,
}

/// An order that was given, as the one who gave it remembers.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Memory {
    kind: OrderKind,
    scope: Scope,
    until: Time,
    /// The machines, by their numbers, that it was not for: they were being installed, or just had been.
    not_for: Vec<usize>,
}

/// The rack.
#[derive(Debug, Clone)]
pub struct Model {
    rack: Rack,
    world: World,
    machines: Vec<Machine>,
    orders: Vec<Memory>,
    /// What may still happen.
    left: Left,
    /// The configuration in force.
    listing: Listing,
    /// The state was lost, and nobody has said that no machine here is installed.
    lost: bool,
}

impl Model {
    pub fn new(rack: Rack, left: Left) -> Model {
        let listing = rack.first_listing();
        let mut world = World::with(rack.settings(listing), rack.catalog());
        world.is_looked_at = true;
        Model { rack, world, machines: rack.machines(), orders: Vec::new(), left, listing, lost: false }
    }

    /// The rack after these steps, each of which has kept the promise; what may happen is counted from there.
    pub fn after(rack: Rack, before: &[Action], left: Left) -> Model {
        let mut model = Model::new(rack, Left { orders: 9, reloads: 9, crashes: 9, strays: 9, pauses: 9 });
        for action in before {
            let kept = model.take(*action).and_then(|()| model.check());
            assert_eq!(kept, Ok(()), "{rack:?}: {action:?} of {before:?}");
        }
        Model { left, ..model }
    }

    /// Whether a machine has a whole system on its disk that was put there in this history; or, where that is not seen, has
    /// been led into its installer.
    pub fn has_installed(&self) -> bool {
        let is_seen = self.rack.is_seen_to_overwrite();
        self.machines.iter().any(|machine| machine.disk == TrueDisk::Good || (!is_seen && machine.led > 0))
    }

    /// Lets it happen; an error is a broken promise.
    pub fn take(&mut self, action: Action) -> Result<(), String> {
        self.carry_out(action)?;
        if self.world.appliance.unwritable().is_some() {
            self.all_is_disarmed();
        }
        Ok(())
    }

    fn carry_out(&mut self, action: Action) -> Result<(), String> {
        use OrderKind::{Install, Live};
        match action {
            Action::ArmEverybody => self.arm(Install, Scope::NotInstalled, false)?,
            Action::ArmAll => self.arm(Install, Scope::All, false)?,
            Action::ArmNamed(machine) => self.arm(Install, self.named(machine), false)?,
            Action::ArmAgain(machine) => self.arm(Install, self.named(machine), true)?,
            Action::ArmLive(machine) => self.arm(Live, self.named(machine), false)?,
            Action::ArmOther => self.arm(Install, Scope::Named([TWO].into()), false)?,
            Action::Disarm => {
                self.left.orders -= 1;
                self.world.order(Command::Disarm);
                self.all_is_disarmed();
            }
            Action::Forget(machine) => self.forget(machine),
            Action::AcceptLoss => self.accept_loss(),
            Action::Reload(listing) => self.reload(listing)?,
            Action::Crash => self.crash(),
            Action::Lose => self.lose(),
            Action::DiskFails => {
                self.left.crashes -= 1;
                self.world.disk_fails = true;
            }
            Action::DiskMends => self.world.disk_is_mended(),
            Action::WaitForDeadline => {
                let length = self.due().map(|due| due.since(self.world.now)).unwrap_or_default();
                self.world.wait(length);
            }
            Action::Wait(seconds) => {
                self.left.pauses -= u8::from(seconds == PAUSE);
                self.world.wait(Duration::from_secs(seconds));
            }
            Action::Start(machine, card) => self.start(machine, card, false)?,
            Action::StartAndCrash(machine, card) => self.start(machine, card, true)?,
            Action::Next(machine) => self.next(machine, false)?,
            Action::NextAndCrash(machine) => self.next(machine, true)?,
            Action::GiveUp(machine) => self.gives_up(machine)?,
            Action::Die(machine) => self.machines[machine].runs = Runs::Done,
            Action::ComesBad(machine) => {
                if let Some((card, token)) = self.installer(machine)
                    && is_given(&self.world.fetch_by(card, &token, IMAGE, 1000))
                {
                    self.machines[machine].disk = TrueDisk::Bad;
                }
            }
            Action::Stray(machine, card) => {
                self.left.strays -= 1;
                self.world.start(self.machines[machine].cards[card], false);
            }
            Action::Renew(machine) => {
                self.left.strays -= 1;
                self.world.renew(self.machines[machine].cards[0]);
            }
            Action::SayUp(machine) => self.says_it_is_up(machine)?,
        }
        Ok(())
    }

    /// When an order or somebody's patience ends.
    fn due(&self) -> Option<Time> {
        let appliance = &self.world.appliance;
        [appliance.orders().deadline(), appliance.nodes().deadline()].into_iter().flatten().min()
    }

    fn crash(&mut self) {
        self.left.crashes -= 1;
        let settings = self.rack.settings(self.listing);
        self.world.restart_with(settings);
        self.all_is_disarmed();
    }

    fn lose(&mut self) {
        self.world.nodes.clear();
        self.world.leases.clear();
        self.world.shared.clear();
        self.world.loss = Some("its state is gone".into());
        self.lost = true;
        self.machines.iter_mut().for_each(Machine::is_not_known);
        self.crash();
    }

    fn all_is_disarmed(&mut self) {
        let now = self.world.now;
        self.orders.iter_mut().for_each(|order| order.until = order.until.min(now));
    }
}
