//! The rack: the appliance, its machines, and all that may happen next.

use std::hash::{DefaultHasher, Hash, Hasher};

use super::{
    super::*,
    machine::{Machine, Runs, TrueDisk, token_in},
};
use crate::{
    appliance::{LeadsTo, tests::world::*},
    ids::{OrderKind, Time},
    nodes::Life,
    orders::Scope,
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
        [appliance.orders.deadline(), appliance.nodes.deadline()].into_iter().flatten().min()
    }

    fn named(&self, machine: usize) -> Scope {
        Scope::Named([self.world.appliance.nodes.key(self.machines[machine].cards[0])].into())
    }

    fn arm(&mut self, kind: OrderKind, scope: Scope, again: bool) {
        self.left.orders -= 1;
        let names: Vec<String> = match &scope {
            Scope::Named(nodes) => nodes.iter().map(ToString::to_string).collect(),
            _ => Vec::new(),
        };
        let command = Command::Arm {
            arm_for: Some(Duration::from_secs(LENGTH)),
            live: kind == OrderKind::Live,
            all: scope == Scope::All,
            again,
            wake: false,
            nodes: names,
        };
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

    fn installer(&self, machine: usize) -> Option<(Mac, String)> {
        self.machines[machine].installer().map(|(card, token)| (card, token.to_owned()))
    }

    fn start(&mut self, machine: usize, card: usize, crashes: bool) -> Result<(), String> {
        let (mac, id) = (self.machines[machine].cards[card], self.machines[machine].id);
        self.machines[machine].is_permitted = false;
        let file = self.world.start_as(mac, true, id);
        if crashes {
            self.crash();
            self.machines[machine].runs = Runs::Nothing;
            return Ok(());
        }
        match file {
            Some(_) => {
                self.machines[machine].runs = Runs::Loader(card);
                self.world.fetch(mac, "/pxelinux.0");
            }
            None => self.boot_disk(machine),
        }
        Ok(())
    }

    fn boot_disk(&mut self, machine: usize) {
        let starts = matches!(self.machines[machine].disk, TrueDisk::Good | TrueDisk::Before);
        self.machines[machine].runs = if starts { Runs::System } else { Runs::Nothing };
        if starts {
            self.world.start(self.machines[machine].cards[0], false);
        }
    }

    /// A machine does what comes next.
    fn next(&mut self, machine: usize, crashes: bool) -> Result<(), String> {
        let mut before = self.machines[machine].clone();
        self.step(machine)?;
        if crashes {
            // It has no answer, and will try the same again: what was permitted is permitted still, once.
            before.is_permitted |= before.used != self.machines[machine].used;
            before.used = self.machines[machine].used;
            self.machines[machine] = before;
            self.crash();
        }
        Ok(())
    }

    fn step(&mut self, machine: usize) -> Result<(), String> {
        match self.machines[machine].runs.clone() {
            Runs::Nothing | Runs::System => {}
            Runs::Loader(card) => self.ask_for_menu(machine, card),
            Runs::Installer(card, token) => {
                let mac = self.machines[machine].cards[card];
                self.world.start(mac, false);
                let script = self.world.fetch_by(mac, &token, "/cloud-configs/install.sh", 1000);
                if !is_given(&script) {
                    self.machines[machine].runs = Runs::Done;
                    return Ok(());
                }
                if matches!(script, Answer::File { .. }) {
                    // Somebody's own: it takes its image from elsewhere, and says nothing.
                    self.overwrites(machine)?;
                    self.machines[machine].disk = TrueDisk::Good;
                    self.machines[machine].runs = Runs::Done;
                    return Ok(());
                }
                self.world.report_by(mac, Some(&token), Stage::Configuring, true);
                self.machines[machine].runs = Runs::Configured(card, token);
            }
            Runs::Configured(card, token) | Runs::Live(card, token) => {
                let mac = self.machines[machine].cards[card];
                if is_given(&self.world.fetch_by(mac, &token, IMAGE, 500)) {
                    self.overwrites(machine)?;
                    self.machines[machine].disk = TrueDisk::Part;
                    self.machines[machine].runs = Runs::Writes(card, token);
                } else {
                    self.machines[machine].runs = Runs::Done;
                }
            }
            Runs::Writes(card, token) => {
                let mac = self.machines[machine].cards[card];
                if self.machines[machine].disk == TrueDisk::Part {
                    if is_given(&self.world.fetch_by(mac, &token, IMAGE, 1000)) {
                        self.machines[machine].disk = TrueDisk::Good;
                    }
                } else {
                    if self.machines[machine].disk == TrueDisk::Good {
                        self.world.report_by(mac, Some(&token), Stage::Written, true);
                    }
                    self.machines[machine].runs = Runs::Done;
                }
            }
            // It restarts, and its boot order has the disk first.
            Runs::Done => self.boot_disk(machine),
        }
        Ok(())
    }

    fn ask_for_menu(&mut self, machine: usize, card: usize) {
        let mac = self.machines[machine].cards[card];
        let menu = match self.world.get(mac, MENU) {
            Answer::Text { body, .. } if body.contains("KERNEL") => body,
            _ => return self.boot_disk(machine),
        };
        let Some(token) = token_in(&menu) else { return self.boot_disk(machine) };
        for file in ["pxe.vmlinuz", "pxe_image.cpio.gz"] {
            self.world.fetch_by(mac, &token, &format!("/coreos/1010.5.0/coreos_production_{file}"), 1000);
        }
        self.machines[machine].runs = match menu.contains("cloud-config-url") {
            true => Runs::Installer(card, token),
            false => Runs::Live(card, token),
        };
    }

    /// A machine's disk begins to be overwritten: somebody must have asked for that, and not for this machine's last one
    /// already.
    fn overwrites(&mut self, machine: usize) -> Result<(), String> {
        let now = self.world.now;
        let truth = self.machines[machine].disk;
        let key = self.world.appliance.nodes.key(self.machines[machine].cards[0]);
        let cards = &self.machines[machine].cards;
        let asked = self.orders.iter().skip(self.machines[machine].used.into()).any(|order| {
            let means = match &order.scope {
                Scope::NotInstalled => truth != TrueDisk::Good,
                Scope::All => true,
                Scope::Named(nodes) => nodes.contains(&key) || nodes.iter().any(|mac| cards.contains(mac)),
            };
            means && now < order.until
        });
        let machine = &mut self.machines[machine];
        // What was permitted before its answer was lost is one overwrite, whatever was ordered since.
        if std::mem::take(&mut machine.is_permitted) {
            return Ok(());
        }
        machine.used = self.orders.len() as u8;
        match asked {
            true => Ok(()),
            false => Err(format!(
                "{:?} is overwritten, and nobody asked for that (its disk: {truth:?})",
                machine.cards
            )),
        }
    }

    /// What must hold after each step.
    pub fn check(&self) -> Result<(), String> {
        for machine in &self.machines {
            self.check_view(machine)?;
            self.check_next_boot(machine)?;
        }
        self.check_secrets()?;
        self.check_restart()?;
        self.check_deadline()
    }

    /// No failure is shown as a success.
    fn check_view(&self, machine: &Machine) -> Result<(), String> {
        let views = self.world.appliance.node_views(self.world.now);
        let node = views.iter().find(|node| node.macs.contains(&machine.cards[0]));
        // Of two that call themselves the same, nobody knows which is which while one of them is off.
        let is_good = |other: &&Machine| {
            other.disk == TrueDisk::Good
                && (other.cards == machine.cards || (other.id.is_some() && other.id == machine.id))
        };
        match node {
            Some(node)
                if node.stage == Stage::Installed && !self.machines.iter().any(|other| is_good(&other)) =>
            {
                Err(format!(
                    "{:?} is shown as installed, and has {:?} on its disk",
                    machine.cards, machine.disk
                ))
            }
            _ => Ok(()),
        }
    }

    /// What is told of the next start is what then happens.
    fn check_next_boot(&self, machine: &Machine) -> Result<(), String> {
        let views = self.world.appliance.node_views(self.world.now);
        let Some(node) = views.iter().find(|node| node.macs.contains(&machine.cards[0])) else {
            return Ok(());
        };
        let Some(card) = machine.cards.iter().find(|card| **card == node.mac) else { return Ok(()) };
        let mut after = self.world.clone();
        let told = node.next_boot.clone();
        // Who is who may be learned by that very start; before it nobody can tell.
        let id = machine.id.and_then(machine_id);
        let is_news = !after.appliance.nodes.recognize(*card, id, after.now).news.is_empty();
        if is_news || after.appliance.nodes.namesake(*card).is_some() {
            return Ok(());
        }
        let led = after.start_as(*card, true, machine.id).is_some().then(|| after.get(*card, MENU));
        let menu = match led {
            Some(Answer::Text { body, .. }) => body,
            _ => String::new(),
        };
        let happens = match (menu.contains("KERNEL"), menu.contains("cloud-config-url")) {
            (false, _) => LeadsTo::Disk,
            (true, true) => LeadsTo::Install,
            (true, false) => LeadsTo::Live,
        };
        let told_disk = if told.leads_to == LeadsTo::Refused { LeadsTo::Disk } else { told.leads_to };
        if told_disk == happens {
            return Ok(());
        }
        Err(format!("the view says {:?} ({}), and what happens is {happens:?}", told.leads_to, told.words))
    }

    /// Nobody gets another machine's configuration, nor the image without a grant of its own.
    fn check_secrets(&self) -> Result<(), String> {
        let every: Vec<Mac> = self.machines.iter().flat_map(|machine| machine.cards.clone()).collect();
        for machine in &self.machines {
            let Some(asker) = machine.cards.iter().find(|card| self.world.leases.contains_key(card)) else {
                continue;
            };
            for of in &every {
                let mut world = self.world.clone();
                let Answer::Text { body, .. } = world.get(*asker, &format!("/cloud-configs/{of}.yml")) else {
                    continue;
                };
                let nodes = &self.world.appliance.settings.nodes;
                let mut own = machine.cards.clone();
                let with_it = nodes.iter().filter(|node| node.macs.contains(asker));
                own.extend(with_it.flat_map(|node| node.macs.clone()));
                let is_own = own.iter().any(|card| body.contains(&card.dashed()));
                if !is_own {
                    return Err(format!("{asker} gets another machine's configuration: {body}"));
                }
            }
            let may = self.world.appliance.nodes.get(*asker).is_some_and(|node| node.grant().is_some());
            if !may && is_given(&self.world.clone().get(*asker, IMAGE)) {
                return Err(format!("{asker} gets an image without a grant"));
            }
        }
        Ok(())
    }

    /// Nothing that was answered is lost by a crash.
    fn check_restart(&self) -> Result<(), String> {
        let mut after = self.world.clone();
        after.restart_with(settings_of(self.rack, self.listed));
        for node in self.world.appliance.nodes.known() {
            let Some(again) = after.appliance.nodes.get(node.mac) else {
                return Err(format!("{} is forgotten by a crash", node.mac));
            };
            let mut expected = node.clone();
            expected.withdraw(self.world.now);
            let begun = |node: &crate::nodes::Node| matches!(node.life, Life::Overwriting { .. });
            if (expected.stage(), &expected.disk, expected.writes, begun(node))
                != (again.stage(), &again.disk, again.writes, begun(again))
            {
                return Err(format!(
                    "{} is {:?} and after a crash {:?}",
                    node.mac,
                    expected.stage(),
                    again.stage()
                ));
            }
        }
        Ok(())
    }

    /// Time that is due passes.
    fn check_deadline(&self) -> Result<(), String> {
        let mut after = self.world.clone();
        drop(after.appliance.tick(after.now));
        match after.appliance.deadline() {
            Some(deadline) if deadline <= after.now => Err("a deadline that is over stays".into()),
            _ => Ok(()),
        }
    }

    /// Two states with the same fingerprint have the same future.
    pub fn fingerprint(&self) -> u128 {
        let half = |salt: u8| {
            let mut hasher = DefaultHasher::new();
            salt.hash(&mut hasher);
            self.hash_all(&mut hasher);
            u128::from(hasher.finish())
        };
        half(0) << 64 | half(1)
    }

    fn hash_all(&self, hasher: &mut DefaultHasher) {
        let now = self.world.now;
        let appliance = &self.world.appliance;
        (self.left, self.listed, &self.world.loss).hash(hasher);
        let open = |order: &&Memory| now < order.until;
        for order in self.orders.iter().filter(open) {
            (order.kind, &order.scope, order.until.since(now)).hash(hasher);
        }
        let mut tokens = Vec::new();
        for node in appliance.nodes.known() {
            let mut timeless = node.clone();
            let deadline = node.deadline().map(|deadline| deadline.since(now));
            let is_just_done =
                node.disk.system().is_some_and(|system| now.since(system.at) < Duration::from_secs(LENGTH));
            tokens.extend(node.grant().map(|grant| grant.token.clone()));
            tokens.extend(node.last.as_ref().map(|last| last.token.clone()));
            timeless.forget_times();
            timeless.writes = timeless.writes.min(2);
            (timeless, deadline, is_just_done).hash(hasher);
        }
        for order in appliance.orders.open(now) {
            let mut timeless = order.clone();
            timeless.until = Time(0);
            (timeless, order.until.since(now)).hash(hasher);
        }
        for machine in &self.machines {
            let unused = self.orders.iter().skip(machine.used.into()).filter(open).count();
            (&machine.cards, machine.disk, unused, machine.is_permitted).hash(hasher);
            machine.runs_as_numbers().hash(hasher);
            let token = machine.installer().map(|(_, token)| tokens.iter().position(|known| known == token));
            token.hash(hasher);
            for card in &machine.cards {
                appliance.dhcp.address_of(*card, now).is_some().hash(hasher);
                if machine.id.is_some() {
                    self.hash_what_was_heard(*card, hasher);
                }
            }
        }
    }

    /// What counts of when a card was heard: whether its firmware started a while ago, and since another one of its name
    /// began to use its address; and whether it is silent.
    fn hash_what_was_heard(&self, card: Mac, hasher: &mut DefaultHasher) {
        let nodes = &self.world.appliance.nodes;
        let [firmware, _, last] = nodes.heard_ago(card, self.world.now);
        let silent = last.is_none_or(|last| last >= Duration::from_secs(30));
        let apart = firmware.map(|firmware| firmware >= Duration::from_secs(3));
        (silent, apart, nodes.namesake(card).map(|node| node.mac)).hash(hasher);
        for other in self.machines.iter().flat_map(|machine| &machine.cards).filter(|other| **other != card) {
            let [_, fresh, _] = nodes.heard_ago(*other, self.world.now);
            firmware.map(|firmware| fresh.is_none_or(|fresh| fresh >= firmware)).hash(hasher);
        }
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
    Arc::new(Catalog::new(
        vec![Folder::new("own".into(), own), Folder::new("assets".into(), files)],
        loaders,
        None,
    ))
}
