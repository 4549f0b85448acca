//! What people say, and what they mean by it.

use super::*;
use crate::orders::Repeat;

impl Model {
    pub(super) fn named(&self, machine: usize) -> Scope {
        Scope::Named([self.world.appliance.nodes().key(self.machines[machine].cards[0])].into())
    }

    pub(super) fn arm(&mut self, kind: OrderKind, scope: Scope, again: bool) -> Result<(), String> {
        self.left.orders -= 1;
        let names: Vec<String> = match &scope {
            Scope::Named(nodes) => nodes.iter().map(ToString::to_string).collect(),
            _ => Vec::new(),
        };
        // Orders of different lengths: one that prolonged another would be seen.
        let length = Duration::from_secs(if names.is_empty() { 600 } else { 1200 });
        let now = self.world.now;
        let until = now + length;
        let not_for = match (kind, again) {
            (OrderKind::Install, false) => self.just_done(&scope),
            _ => Vec::new(),
        };
        let whom = match &scope {
            Scope::Named(_) => Whom::Named(names),
            Scope::NotInstalled => Whom::NotInstalled,
            Scope::All => Whom::All,
        };
        let repeat = if again { Repeat::Again } else { Repeat::Same };
        let command = Command::Arm(Arm { kind, length: Some(length), repeat, ..Arm::install(whom) });
        let Answer::Done(_) = self.world.order(command) else { return Ok(()) };
        if self.world.appliance.unwritable().is_some() {
            return Err("an order is taken, and nothing can be written down".into());
        }
        if self.lost && (kind, &scope) == (OrderKind::Install, &Scope::NotInstalled) {
            return Err("everybody is armed, and nobody knows which machines are installed".into());
        }
        // The same order again is one order; whoever gives it means no second overwrite.
        let same = self
            .orders
            .iter_mut()
            .find(|order| !again && now < order.until && order.kind == kind && order.scope == scope);
        if let Some(order) = same {
            order.until = until;
            return Ok(());
        }
        if let (Scope::Named(_), Some(machine)) = (&scope, not_for.first()) {
            let cards = &self.machines[*machine].cards;
            return Err(format!(
                "{cards:?} is named, and was not meant --again: it is, or was just, installed"
            ));
        }
        self.orders.push(Memory { kind, scope, until, not_for });
        Ok(())
    }

    /// The machines that a new order does not mean: everybody can see that they are being installed, or just were.
    fn just_done(&self, scope: &Scope) -> Vec<usize> {
        let views = self.world.appliance.node_views(self.world.now);
        let is_done = |machine: &Machine| {
            let Some(view) = views.iter().find(|view| view.macs.contains(&machine.cards[0])) else {
                return false;
            };
            let is_meant = match scope {
                Scope::Named(nodes) => nodes.contains(&view.mac),
                Scope::All | Scope::NotInstalled => true,
            };
            let writes = matches!(machine.runs, Runs::Writes(..));
            let runs = machine.is_known_to_write() && writes && view.stage.is_running();
            let is_fresh = machine.begun.is_some_and(|begun| self.world.now.since(begun) < JUST);
            // Everybody else who is not installed is meant, and whoever turns out not to be.
            let is_done =
                *scope != Scope::NotInstalled && machine.known_by.is_some() && view.installed.is_some();
            is_meant && (runs || (is_done && is_fresh))
        };
        (0..self.machines.len()).filter(|machine| is_done(&self.machines[*machine])).collect()
    }

    pub(super) fn forget(&mut self, machine: usize) {
        self.left.orders -= 1;
        let card = self.machines[machine].cards[0];
        let id = self.machines[machine].id;
        if let Answer::Done(_) = self.world.order(Command::Forget(card.to_string())) {
            let orders = self.orders.len() as u8;
            self.is_no_more_known(machine, orders);
            // Of two that call themselves the same, one record may have been both.
            for (other, namesake) in self.machines.iter_mut().enumerate() {
                if other != machine && id.is_some() && namesake.id == id {
                    namesake.is_not_known();
                }
            }
        }
    }

    /// Who is forgotten is a machine like others for orders that come later.
    fn is_no_more_known(&mut self, machine: usize, orders: u8) {
        let machine = &mut self.machines[machine];
        machine.is_not_known();
        machine.used = orders;
        if machine.disk == TrueDisk::Good {
            machine.disk = TrueDisk::Before;
        }
    }

    pub(super) fn accept_loss(&mut self) {
        self.left.orders -= 1;
        if let Answer::Done(_) = self.world.order(Command::AcceptLoss) {
            self.lost = false;
            for machine in 0..self.machines.len() {
                if self.machines[machine].known_by.is_none() {
                    let used = self.machines[machine].used;
                    self.is_no_more_known(machine, used);
                }
            }
        }
    }

    /// Whatever is written goes on under another configuration.
    pub(super) fn reload(&mut self, listing: Listing) -> Result<(), String> {
        let before = self.writing(0..self.machines.len());
        self.left.reloads -= 1;
        self.listing = listing;
        let settings = self.rack.settings(listing);
        let outcome = self.world.appliance.reconfigure(settings, self.world.now);
        self.world.take(outcome);
        self.are_not_cut_off(&before, "a reload")
    }

    /// Those of these machines whose disk is written, and that may go on with that.
    pub(super) fn writing(&self, of: impl IntoIterator<Item = usize>) -> Vec<usize> {
        let goes_on = |machine: &Machine| {
            let installer = machine.installer().filter(|_| machine.is_known_to_write());
            installer
                .is_some_and(|(card, token)| is_given(&self.world.clone().fetch_by(card, token, IMAGE, 0)))
        };
        of.into_iter().filter(|machine| goes_on(&self.machines[*machine])).collect()
    }

    /// Those that were writing still may.
    pub(super) fn are_not_cut_off(&self, before: &[usize], by: &str) -> Result<(), String> {
        let after = self.writing(before.iter().copied());
        match before.iter().find(|machine| !after.contains(machine)) {
            Some(machine) => Err(format!(
                "{:?} is cut off by {by} while its disk is written",
                self.machines[*machine].cards
            )),
            None => Ok(()),
        }
    }

    /// Whether the configuration in force lets a machine install.
    pub(super) fn is_allowed(&self) -> bool {
        self.listing != Listing::NobodyAndOthersMayNot
    }
}
