//! The rack: the appliance, its machines, and all that may happen next.

mod checks;
mod fingerprint;
mod steps;

use std::hash::{DefaultHasher, Hash, Hasher};

use super::{
    super::*,
    machine::{Machine, Runs, TrueDisk, token_in},
};
use crate::{
    appliance::{LeadsTo, tests::world::*},
    ids::{OrderKind, Time},
    nodes::Life,
    orders::{Repeat, Scope},
};

const THREE: Mac = Mac([0x52, 0x54, 0, 0, 0, 3]);
const HOUR: u64 = 3600;
/// Long enough for a card to count as silent.
const PAUSE: u64 = 31;
/// How long an order lasts here.
const LENGTH: u64 = 600;

/// Which machines there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rack {
    /// A configured machine with one card.
    OneMachine,
    /// One with two cards that is not configured at first, and an identifier.
    TwoCards,
    /// Two machines, one of them with two cards.
    TwoMachines,
    /// Two machines that are not configured and call themselves the same.
    SharedIdentifier,
    /// A machine, and an install script of somebody's own that takes its image from elsewhere.
    OwnScript,
}

/// How often each may happen in one history.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Left {
    /// A person's word: armed, disarmed, forgotten.
    pub orders: u8,
    /// The configuration is changed.
    pub reloads: u8,
    /// The service is killed, or its state is lost.
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
}

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
    /// Disarmed.
    Disarm,
    /// What is known of a machine is dropped.
    Forget(usize),
    /// The configuration lists nobody, or everybody, or everybody with the cards the other way round, or allows no others.
    Reload(u8),
    /// The service is killed and starts.
    Crash,
    /// The card with the state is lost; the service starts with a mark of it.
    Lose,
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
    /// The installer gives up, and its machine restarts without a word.
    Die(usize),
    /// The image comes whole, and is not good.
    ComesBad(usize),
    /// A card asks for an address as a system does, while another system runs: a link flaps, a second card comes up.
    Stray(usize, usize),
    /// A running system says that it is up.
    SayUp(usize),
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
    listed: u8,
    /// The state was lost, so that nobody but who is named or all installs.
    lost: bool,
}

impl Model {
    pub fn new(rack: Rack, left: Left) -> Model {
        let machines = match rack {
            Rack::OneMachine | Rack::OwnScript => vec![Machine::new(&[ONE], None)],
            Rack::TwoCards => vec![Machine::new(&[ONE, THREE], Some(7))],
            Rack::TwoMachines => vec![Machine::new(&[ONE, THREE], Some(7)), Machine::new(&[TWO], None)],
            Rack::SharedIdentifier => vec![Machine::new(&[ONE], Some(7)), Machine::new(&[TWO], Some(7))],
        };
        let listed = match rack {
            Rack::OneMachine | Rack::OwnScript => 1,
            Rack::TwoCards | Rack::TwoMachines | Rack::SharedIdentifier => 0,
        };
        let world = World::with(settings_of(rack, listed), catalog_of(rack));
        Model { rack, world, machines, orders: Vec::new(), left, listed, lost: false }
    }

    /// Whether a machine has a whole system on its disk that was put there in this history.
    pub fn has_installed(&self) -> bool {
        self.machines.iter().any(|machine| machine.disk == TrueDisk::Good)
    }

    /// Everything that may happen next.
    pub fn actions(&self) -> Vec<Action> {
        let mut actions = Vec::new();
        let Left { orders, reloads, crashes, strays, pauses } = self.left;
        if orders > 0 {
            actions.extend([Action::ArmEverybody, Action::ArmAll]);
            for machine in 0..self.machines.len() {
                actions.extend([
                    Action::ArmNamed(machine),
                    Action::ArmAgain(machine),
                    Action::ArmLive(machine),
                ]);
                actions.push(Action::Forget(machine));
            }
            actions.push(Action::Disarm);
        }
        if reloads > 0 {
            actions.extend((0..4).filter(|listed| *listed != self.listed).map(Action::Reload));
        }
        if crashes > 0 {
            actions.extend([Action::Crash, Action::Lose]);
        }
        actions.push(Action::Wait(HOUR));
        if self.due().is_some() {
            actions.push(Action::WaitForDeadline);
        }
        if pauses > 0 && self.machines.iter().any(|machine| machine.id.is_some()) {
            actions.push(Action::Wait(PAUSE));
        }
        for (number, machine) in self.machines.iter().enumerate() {
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
            if matches!(machine.runs, Runs::Configured(..) | Runs::Writes(..)) {
                actions.extend([Action::GiveUp(number), Action::Die(number)]);
            }
            if matches!(machine.runs, Runs::Writes(..)) {
                actions.push(Action::ComesBad(number));
            }
            if machine.runs == Runs::System && machine.disk == TrueDisk::Good {
                actions.push(Action::SayUp(number));
            }
        }
        actions
    }

    /// Lets it happen; an error is a broken promise.
    pub fn take(&mut self, action: Action) -> Result<(), String> {
        use OrderKind::{Install, Live};
        match action {
            Action::ArmEverybody => self.arm(Install, Scope::NotInstalled, false),
            Action::ArmAll => self.arm(Install, Scope::All, false),
            Action::ArmNamed(machine) => self.arm(Install, self.named(machine), false),
            Action::ArmAgain(machine) => self.arm(Install, self.named(machine), true),
            Action::ArmLive(machine) => self.arm(Live, self.named(machine), false),
            Action::Disarm => {
                self.left.orders -= 1;
                self.world.order(Command::Disarm);
                self.orders.iter_mut().for_each(|order| order.until = order.until.min(self.world.now));
            }
            Action::Forget(machine) => self.forget(machine),
            Action::Reload(listed) => {
                self.left.reloads -= 1;
                self.listed = listed;
                let outcome =
                    self.world.appliance.reconfigure(settings_of(self.rack, listed), self.world.now);
                self.world.take(outcome);
            }
            Action::Crash => self.crash(),
            Action::Lose => {
                self.world.nodes.clear();
                self.world.leases.clear();
                self.world.shared.clear();
                self.world.loss = Some("its state is gone".into());
                self.lost = true;
                self.crash();
            }
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
            Action::GiveUp(machine) => {
                if let Some((card, token)) = self.installer(machine) {
                    let stage = match self.machines[machine].runs {
                        Runs::Writes(..) => Stage::Installing,
                        _ => Stage::Configuring,
                    };
                    if stage == Stage::Installing {
                        // It knows best.
                        self.machines[machine].disk = TrueDisk::Bad;
                    }
                    self.world.report_by(card, Some(&token), stage, false);
                }
                self.machines[machine].runs = Runs::Done;
            }
            Action::Die(machine) => self.machines[machine].runs = Runs::Done,
            Action::ComesBad(machine) => {
                if let Some((card, token)) = self.installer(machine) {
                    let answer = self.world.fetch_by(card, &token, IMAGE, 1000);
                    if is_given(&answer) {
                        self.machines[machine].disk = TrueDisk::Bad;
                    }
                }
            }
            Action::Stray(machine, card) => {
                self.left.strays -= 1;
                self.world.start(self.machines[machine].cards[card], false);
            }
            Action::SayUp(machine) => {
                let card = self.machines[machine].cards[0];
                self.world.report(card, Stage::Installed, true);
            }
        }
        Ok(())
    }

    /// When an order or somebody's patience ends.
    fn due(&self) -> Option<Time> {
        let appliance = &self.world.appliance;
        [appliance.orders().deadline(), appliance.nodes().deadline()].into_iter().flatten().min()
    }

    fn named(&self, machine: usize) -> Scope {
        Scope::Named([self.world.appliance.nodes().key(self.machines[machine].cards[0])].into())
    }

    fn arm(&mut self, kind: OrderKind, scope: Scope, again: bool) {
        self.left.orders -= 1;
        let whom = match &scope {
            Scope::Named(nodes) => Whom::Named(nodes.iter().map(ToString::to_string).collect()),
            Scope::NotInstalled => Whom::NotInstalled,
            Scope::All => Whom::All,
        };
        let repeat = if again { Repeat::Again } else { Repeat::Same };
        let length = Some(Duration::from_secs(LENGTH));
        let command = Command::Arm(Arm { kind, length, repeat, ..Arm::install(whom) });
        let Answer::Done(_) = self.world.order(command) else { return };
        let now = self.world.now;
        let until = now + Duration::from_secs(LENGTH);
        // The same order again is one order; whoever gives it means no second overwrite.
        let same = self
            .orders
            .iter_mut()
            .find(|order| !again && now < order.until && order.kind == kind && order.scope == scope);
        match same {
            Some(order) => order.until = until,
            None => self.orders.push(Memory { kind, scope, until }),
        }
    }

    fn forget(&mut self, machine: usize) {
        self.left.orders -= 1;
        let card = self.machines[machine].cards[0];
        if let Answer::Done(_) = self.world.order(Command::Forget(card.to_string())) {
            // Who is forgotten is a machine like others for orders that come later.
            let machine = &mut self.machines[machine];
            machine.used = self.orders.len() as u8;
            if machine.disk == TrueDisk::Good {
                machine.disk = TrueDisk::Before;
            }
        }
    }

    fn crash(&mut self) {
        self.left.crashes -= 1;
        let settings = settings_of(self.rack, self.listed);
        self.world.restart_with(settings);
        let now = self.world.now;
        self.orders.iter_mut().for_each(|order| order.until = order.until.min(now));
    }
}

fn settings_of(rack: Rack, listed: u8) -> Arc<config::Settings> {
    let nodes = match (rack, listed) {
        (_, 0 | 3) => String::new(),
        (Rack::OneMachine | Rack::OwnScript, 1) => format!("[[node]]\nname = 'one'\nmac = '{ONE}'\n"),
        (Rack::OneMachine | Rack::OwnScript, _) => {
            format!("[[node]]\nname = 'uno'\nmacs = ['{THREE}', '{ONE}']\n")
        }
        (Rack::TwoCards, 1) => format!("[[node]]\nname = 'one'\nmacs = ['{ONE}', '{THREE}']\n"),
        (Rack::TwoCards, _) => format!("[[node]]\nname = 'one'\nmacs = ['{THREE}', '{ONE}']\n"),
        (Rack::TwoMachines, 1) => format!(
            "[[node]]\nname = 'one'\nmacs = ['{THREE}', '{ONE}']\n[[node]]\nname = 'two'\nmac = '{TWO}'\n"
        ),
        (Rack::TwoMachines, _) => format!("[[node]]\nname = 'one'\nmac = '{THREE}'\n"),
        (Rack::SharedIdentifier, 1) => {
            format!("[[node]]\nname = 'one'\nmac = '{ONE}'\n[[node]]\nname = 'two'\nmac = '{TWO}'\n")
        }
        (Rack::SharedIdentifier, _) => format!("[[node]]\nname = 'two'\nmac = '{TWO}'\n"),
    };
    let unknown = if listed == 3 { "ignore" } else { "install" };
    let text = format!(
        "[network]\nmode = 'full'\n[dhcp]\nprobe = false\nlease = '365d'\n[install]\nunknown_nodes = '{unknown}'\n\
         [assets]\nverify = 'unsigned-ok'\n{nodes}"
    );
    Arc::new(config::parse(&[("test".into(), text)]).unwrap())
}

/// A system, and a configuration for each machine that says whose it is.
fn catalog_of(rack: Rack) -> Arc<Catalog> {
    let mut own: Vec<Found> = [ONE, TWO, THREE]
        .map(|mac| {
            let text = format!("#cloud-config\nwrite_files: [{{path: /of, content: {}}}]\n", mac.dashed());
            found(&format!("cloud-configs/{mac}.yml"), Some(text.as_str()))
        })
        .to_vec();
    if rack == Rack::OwnScript {
        own.push(found("cloud-configs/install.sh", Some("#!/bin/sh\n")));
    }
    let files =
        catalog().files().filter(|found| found.name[0] != "cloud-configs").cloned().collect::<Vec<_>>();
    let loaders = Folder::new("loaders".into(), [found("pxelinux.0", None)]);
    let folders = vec![Folder::new("own".into(), own), Folder::new("assets".into(), files)];
    Arc::new(Catalog::new(folders, loaders, None).all_good())
}
