//! What a machine does next, by its firmware, its installer or the system on its disk.

use super::*;

impl Model {
    pub(super) fn installer(&self, machine: usize) -> Option<(Mac, String)> {
        self.machines[machine].installer().map(|(card, token)| (card, token.to_owned()))
    }

    pub(super) fn start(&mut self, machine: usize, card: usize, crashes: bool) -> Result<(), String> {
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

    pub(super) fn boot_disk(&mut self, machine: usize) {
        let starts = matches!(self.machines[machine].disk, TrueDisk::Good | TrueDisk::Before);
        self.machines[machine].runs = if starts { Runs::System } else { Runs::Nothing };
        if starts {
            self.world.start(self.machines[machine].cards[0], false);
        }
    }

    /// A machine does what comes next.
    pub(super) fn next(&mut self, machine: usize, crashes: bool) -> Result<(), String> {
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

    pub(super) fn step(&mut self, machine: usize) -> Result<(), String> {
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

    pub(super) fn ask_for_menu(&mut self, machine: usize, card: usize) {
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
    pub(super) fn overwrites(&mut self, machine: usize) -> Result<(), String> {
        let now = self.world.now;
        let truth = self.machines[machine].disk;
        let key = self.world.appliance.nodes().key(self.machines[machine].cards[0]);
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
}
