//! What must hold after every step, whatever happened.

use super::*;
use crate::appliance::NodeView;

impl Model {
    /// What must hold after each step.
    pub fn check(&mut self) -> Result<(), String> {
        self.world.check_views();
        let views = self.world.appliance.node_views(self.world.now);
        for machine in &self.machines {
            let view = views.iter().find(|view| view.macs.contains(&machine.cards[0]));
            if let Some(view) = view {
                self.check_view(machine, view)?;
                self.check_next_boot(machine, view)?;
            }
            self.check_memory(machine)?;
            self.check_menu(machine)?;
        }
        self.check_secrets()?;
        self.check_speakers()?;
        self.check_restart()?;
        self.check_deadline()
    }

    /// No failure is shown as a success.
    fn check_view(&self, machine: &Machine, view: &NodeView) -> Result<(), String> {
        if view.stage != Stage::Installed {
            return Ok(());
        }
        // Of two that call themselves the same, nobody knows which is which before one of them says something.
        let is_same =
            |other: &&Machine| other.cards == machine.cards || (other.id.is_some() && other.id == machine.id);
        let same: Vec<&Machine> = self.machines.iter().filter(is_same).collect();
        let node = self.world.appliance.nodes().get(view.mac);
        let has_said = node.is_some_and(|node| matches!(node.disk(), Disk::Running { said: true, .. }));
        let is_sure = has_said || same.len() == 1;
        match is_sure && !same.iter().any(|same| same.disk == TrueDisk::Good) {
            true => Err(format!(
                "{:?} is shown as installed, and has {:?} on its disk",
                machine.cards, machine.disk
            )),
            false => Ok(()),
        }
    }

    /// Who has a system that this service put there is never taken for a fresh machine.
    fn check_memory(&self, machine: &Machine) -> Result<(), String> {
        let Some(card) = machine.known_by.filter(|_| machine.disk == TrueDisk::Good) else { return Ok(()) };
        match self.world.appliance.nodes().get(card).is_some_and(|node| node.disk().is_ours()) {
            true => Ok(()),
            false => Err(format!("{card} was installed, and that is forgotten")),
        }
    }

    /// Who writes its disk is led into no installer by a menu that it asks for without a start that was heard of.
    fn check_menu(&self, machine: &Machine) -> Result<(), String> {
        let Some((card, _)) = machine.installer().filter(|_| machine.is_known_to_write()) else {
            return Ok(());
        };
        if !self.takes_image_from_here() || !self.world.leases.contains_key(&card) {
            return Ok(());
        }
        match self.world.clone().leads_to(card) {
            LeadsTo::Install => Err(format!("{card} writes its disk, and its menu leads into the installer")),
            _ => Ok(()),
        }
    }

    /// What is told of the next start is what then happens.
    fn check_next_boot(&self, machine: &Machine, view: &NodeView) -> Result<(), String> {
        let Some(card) = machine.cards.iter().find(|card| **card == view.mac) else { return Ok(()) };
        // That the disk fails is not known before something is written.
        if self.world.disk_fails && self.world.appliance.unwritable().is_none() {
            return Ok(());
        }
        let mut after = self.world.clone();
        let told = view.next_boot.clone();
        // Who is who may be learned by that very start; before it nobody can tell.
        let id = machine.id.and_then(machine_id);
        let is_news = !after.appliance.nodes_mut().recognize(*card, id, after.now).news.is_empty();
        if is_news || after.appliance.nodes().namesake(*card).is_some() {
            return Ok(());
        }
        let happens = match after.start_as(*card, true, machine.id) {
            None => LeadsTo::Disk,
            Some(_) => after.leads_to(*card),
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
            let may = self.world.appliance.nodes().get(*asker).is_some_and(|node| node.grant().is_some());
            let mut world = self.world.clone();
            if !may && is_given(&world.fetch_by(*asker, "", IMAGE, 0)) {
                return Err(format!("{asker} gets an image without a grant"));
            }
            let nodes = &self.world.appliance.setup().settings().nodes;
            let mut own = machine.cards.clone();
            let with_it = nodes.iter().filter(|node| node.macs.contains(asker));
            own.extend(with_it.flat_map(|node| node.macs.clone()));
            for of in &every {
                let mut world = if may { self.world.clone() } else { world.clone() };
                if !own.contains(of)
                    && is_given(&world.fetch_by(*asker, "", &format!("/cloud-configs/{of}/key"), 0))
                {
                    return Err(format!("{asker} gets a file of {of}"));
                }
                let path = format!("/cloud-configs/{of}.yml");
                let Answer::Text { body, .. } = world.fetch_by(*asker, "", &path, 0) else { continue };
                if !own.iter().any(|card| body.contains(&card.dashed())) {
                    return Err(format!("{asker} gets another machine's configuration: {body}"));
                }
            }
        }
        Ok(())
    }

    /// Nothing that was answered is lost by a crash.
    fn check_restart(&self) -> Result<(), String> {
        let mut after = self.world.clone();
        after.restart_with(self.rack.settings(self.listing));
        if after.appliance.loss().is_some() != self.lost {
            return Err("after a crash it is not known that a state was lost".into());
        }
        for node in self.world.appliance.nodes().known() {
            let Some(again) = after.appliance.nodes().get(node.mac) else {
                return Err(format!("{} is forgotten by a crash", node.mac));
            };
            let mut expected = node.clone();
            expected.withdraw(self.world.now);
            let begun = |node: &crate::nodes::Node| matches!(node.life, Life::Overwriting { .. });
            if (expected.stage(), expected.disk(), expected.writes, begun(node))
                != (again.stage(), again.disk(), again.writes, begun(again))
            {
                return Err(format!(
                    "{} is {:?} and after a crash {:?}",
                    node.mac,
                    expected.stage(),
                    again.stage()
                ));
            }
        }
        let is_known =
            |mac: &Mac| self.world.appliance.nodes().get(*mac).is_some_and(|node| node.mac == *mac);
        match after.appliance.nodes().known().map(|node| node.mac).find(|mac| !is_known(mac)) {
            Some(mac) => Err(format!("{mac} is forgotten, and known after a crash")),
            None => Ok(()),
        }
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
}

impl World {
    /// Where the loader of a machine is led that asks for its menu.
    fn leads_to(&mut self, card: Mac) -> LeadsTo {
        let kind = self.appliance.nodes().get(card).and_then(|node| node.grant()).map(|grant| grant.kind);
        match (self.fetch_by(card, "", MENU, 0), kind) {
            (Answer::Text { body, .. }, _) if body.contains("cloud-config-url") => LeadsTo::Install,
            (Answer::Text { body, .. }, _) if body.contains("KERNEL") => LeadsTo::Live,
            // Somebody's own.
            (Answer::File { .. }, Some(OrderKind::Install)) => LeadsTo::Install,
            _ => LeadsTo::Disk,
        }
    }
}
