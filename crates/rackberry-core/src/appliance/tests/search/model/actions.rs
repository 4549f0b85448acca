//! What may happen.

use super::*;

/// One thing that may happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Everybody is armed.
    ArmEverybody,
    /// Everybody is armed, installed ones too.
    ArmAll,
    /// A machine is named.
    ArmNamed(usize),
    /// A machine is named, and meant again.
    ArmAgain(usize),
    /// A machine is named, for its live system.
    ArmLive(usize),
    /// A machine is named that stays off.
    ArmOther,
    /// Disarmed.
    Disarm,
    /// What is known of a machine is dropped.
    Forget(usize),
    /// Somebody says that a lost state does not matter.
    AcceptLoss,
    /// The configuration is another one.
    Reload(Listing),
    /// The service is killed and starts.
    Crash,
    /// The card with the state is lost; the service starts with a mark of it.
    Lose,
    /// From now on nothing can be written down.
    DiskFails,
    /// It can again.
    DiskMends,
    /// Time passes until something is due.
    WaitForDeadline,
    /// Time passes: long enough for another card, or more than any patience.
    Wait(u64),
    /// A machine is switched on or reset, and starts by this card.
    Start(usize, usize),
    /// The same, and the service is killed after it has written down what that changes and before it answers.
    StartAndCrash(usize, usize),
    /// A machine does what comes next.
    Next(usize),
    /// The same, and the service is killed before it answers.
    NextAndCrash(usize),
    /// The installer gives up, and says so.
    GiveUp(usize),
    /// The installer ends, and its machine restarts without a word: it has died, or its last report was lost.
    Die(usize),
    /// The image comes whole, and is not good.
    ComesBad(usize),
    /// A card asks for an address as a system does, while another system runs: a link flaps, a second card comes up.
    Stray(usize, usize),
    /// A running system renews its lease, or a management controller by its card.
    Renew(usize),
    /// A running system says that it is up.
    SayUp(usize),
}

impl Model {
    /// Everything that may happen next.
    pub fn actions(&self) -> Vec<Action> {
        let mut actions = Vec::new();
        self.add_orders(&mut actions);
        let can_write = !self.world.disk_fails;
        if self.left.reloads > 0 && can_write {
            let others = Listing::ALL.into_iter().filter(|listing| *listing != self.listing);
            actions.extend(others.map(Action::Reload));
        }
        if self.left.crashes > 0 {
            actions.extend([Action::Crash, Action::Lose]);
            actions.extend(can_write.then_some(Action::DiskFails));
        }
        actions.extend((!can_write).then_some(Action::DiskMends));
        actions.push(Action::Wait(HOUR));
        if self.due().is_some() {
            actions.push(Action::WaitForDeadline);
        }
        if self.left.pauses > 0 && self.machines.iter().any(|machine| machine.id.is_some()) {
            actions.push(Action::Wait(PAUSE));
        }
        for number in 0..self.machines.len() {
            self.add_steps(number, &mut actions);
        }
        actions
    }

    fn add_orders(&self, actions: &mut Vec<Action>) {
        if self.left.orders == 0 {
            return;
        }
        actions.extend([Action::ArmEverybody, Action::ArmAll]);
        for machine in 0..self.machines.len() {
            actions.extend([Action::ArmNamed(machine), Action::ArmAgain(machine), Action::ArmLive(machine)]);
            actions.push(Action::Forget(machine));
        }
        actions.extend(matches!(self.rack, Rack::OneMachine | Rack::OwnMenu).then_some(Action::ArmOther));
        actions.push(Action::Disarm);
        actions.extend(self.lost.then_some(Action::AcceptLoss));
    }

    fn add_steps(&self, number: usize, actions: &mut Vec<Action>) {
        let machine = &self.machines[number];
        let Left { crashes, strays, .. } = self.left;
        for card in 0..machine.cards.len() {
            actions.push(Action::Start(number, card));
            if crashes > 0 {
                actions.push(Action::StartAndCrash(number, card));
            }
            if strays > 0 && (machine.installer().is_some() || machine.runs == Runs::System) {
                actions.push(Action::Stray(number, card));
            }
        }
        if !matches!(machine.runs, Runs::Nothing | Runs::System) {
            actions.push(Action::Next(number));
            if crashes > 0 {
                actions.push(Action::NextAndCrash(number));
            }
        }
        // Its management controller does so whatever runs.
        let has_controller = machine.known_by.is_some() && machine.installer().is_none();
        if strays > 0 && machine.id.is_some() && (machine.runs == Runs::System || has_controller) {
            actions.push(Action::Renew(number));
        }
        match machine.runs {
            Runs::Configured(..) => actions.extend([Action::GiveUp(number), Action::Die(number)]),
            Runs::Writes(..) => {
                actions.extend([Action::GiveUp(number), Action::Die(number)]);
                actions.extend(self.takes_image_from_here().then_some(Action::ComesBad(number)));
            }
            Runs::Reported(..) => actions.push(Action::GiveUp(number)),
            Runs::System if machine.disk == TrueDisk::Good => actions.push(Action::SayUp(number)),
            _ => {}
        }
    }

    pub(super) fn takes_image_from_here(&self) -> bool {
        !matches!(self.rack, Rack::OwnScript | Rack::OwnMenu | Rack::OwnLoader | Rack::OwnProfile)
    }
}
