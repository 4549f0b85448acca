//! What must hold after every step, whatever happened.

use super::*;

impl Model {
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
        let is_news = !after.appliance.nodes_mut().recognize(*card, id, after.now).news.is_empty();
        if is_news || after.appliance.nodes().namesake(*card).is_some() {
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
                let nodes = &self.world.appliance.setup().settings().nodes;
                let mut own = machine.cards.clone();
                let with_it = nodes.iter().filter(|node| node.macs.contains(asker));
                own.extend(with_it.flat_map(|node| node.macs.clone()));
                let is_own = own.iter().any(|card| body.contains(&card.dashed()));
                if !is_own {
                    return Err(format!("{asker} gets another machine's configuration: {body}"));
                }
            }
            let may = self.world.appliance.nodes().get(*asker).is_some_and(|node| node.grant().is_some());
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
}
