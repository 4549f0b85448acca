//! What a machine does next, by its firmware, its installer or the system on its disk.

use super::*;

impl Model {
    pub(super) fn installer(&self, machine: usize) -> Option<(Mac, String)> {
        self.machines[machine].installer().map(|(card, token)| (card, token.to_owned()))
    }

    pub(super) fn start(&mut self, machine: usize, card: usize, crashes: bool) -> Result<(), String> {
        let (mac, id) = (self.machines[machine].cards[card], self.machines[machine].id);
        self.machines[machine].is_permitted = false;
        let others = self.writing((0..self.machines.len()).filter(|other| *other != machine));
        let file = self.world.start_as(mac, true, id);
        self.are_not_cut_off(&others, "another machine's start")?;
        if crashes {
            self.crash();
            self.machines[machine].runs = Runs::Nothing;
            return Ok(());
        }
        if file.is_none() {
            // Much may happen before the system on its disk is up.
            self.machines[machine].runs = Runs::Done;
            return Ok(());
        }
        self.machines[machine].runs = Runs::Loader(card);
        self.world.fetch_by(mac, "", "/pxelinux.0", 1000);
        if self.rack == Rack::OwnLoader {
            // What it does now is its own.
            self.is_led(machine, mac)?;
            self.machines[machine].runs = Runs::Writes(card, String::new());
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
        if !crashes {
            return self.step(machine);
        }
        let mut before = self.machines[machine].clone();
        if let (Runs::Writes(card, token), TrueDisk::Part, true) =
            (&before.runs, before.disk, self.takes_image_from_here())
        {
            // It has all of its image, and nobody has noted that.
            if is_given(&self.world.fetch_by(before.cards[*card], token, IMAGE, 0)) {
                self.machines[machine].disk = TrueDisk::Good;
            }
            self.crash();
            return Ok(());
        }
        self.step(machine)?;
        // It has no answer, and will try the same again: what was permitted is permitted still, once.
        let after = &self.machines[machine];
        before.is_permitted |= before.used != after.used;
        (before.used, before.begun, before.led) = (after.used, after.begun, after.led);
        before.known_by = after.known_by;
        self.machines[machine] = before;
        self.crash();
        Ok(())
    }

    fn step(&mut self, machine: usize) -> Result<(), String> {
        match self.machines[machine].runs.clone() {
            Runs::Nothing | Runs::System => {}
            Runs::Loader(card) => self.ask_for_menu(machine, card)?,
            Runs::Installer(card, token) => self.ask_for_script(machine, card, token)?,
            Runs::Configured(card, token) if self.rack == Rack::OwnProfile => {
                self.machines[machine].runs = Runs::Writes(card, token);
            }
            // A person looks around.
            Runs::Live(..) if !self.takes_image_from_here() => self.machines[machine].runs = Runs::Done,
            Runs::Configured(card, token) | Runs::Live(card, token) => {
                let mac = self.machines[machine].cards[card];
                match self.world.fetch_by(mac, &token, IMAGE, 500) {
                    answer if is_given(&answer) => {
                        self.overwrites(machine, mac)?;
                        self.machines[machine].runs = Runs::Writes(card, token);
                    }
                    // It tries again.
                    Answer::Refused(Refusal::Unavailable(_)) => {}
                    _ => self.machines[machine].runs = Runs::Done,
                }
            }
            Runs::Writes(card, token) => self.go_on_writing(machine, card, token),
            // It restarts, and its boot order has the disk first.
            Runs::Reported(..) | Runs::Done => self.boot_disk(machine),
        }
        Ok(())
    }

    fn ask_for_menu(&mut self, machine: usize, card: usize) -> Result<(), String> {
        let mac = self.machines[machine].cards[card];
        let menu = match self.world.fetch_by(mac, "", MENU, 0) {
            Answer::Text { body, .. } if body.contains("KERNEL") => body,
            Answer::File { .. } => {
                // Somebody's own: what it starts takes its image from elsewhere.
                self.is_led(machine, mac)?;
                self.overwrites(machine, mac)?;
                self.machines[machine].runs = Runs::Writes(card, String::new());
                return Ok(());
            }
            _ => {
                self.boot_disk(machine);
                return Ok(());
            }
        };
        let Some(token) = token_in(&menu) else {
            self.boot_disk(machine);
            return Ok(());
        };
        for file in ["pxe.vmlinuz", "pxe_image.cpio.gz"] {
            self.world.fetch_by(mac, &token, &format!("/coreos/1010.5.0/coreos_production_{file}"), 1000);
        }
        self.machines[machine].runs = if menu.contains("cloud-config-url") {
            self.is_led(machine, mac)?;
            Runs::Installer(card, token)
        } else {
            Runs::Live(card, token)
        };
        Ok(())
    }

    /// A machine is led into an installer: each order does that so often at most.
    fn is_led(&mut self, machine: usize, card: Mac) -> Result<(), String> {
        let grant = self.world.appliance.nodes().get(card).and_then(|node| node.grant());
        if grant.is_none_or(|grant| grant.kind == OrderKind::Live) {
            return Ok(());
        }
        let machine = &mut self.machines[machine];
        machine.led += 1;
        if machine.failed >= self.orders.len() as u8 {
            return Err(format!(
                "{:?} has said that it failed, and is led into its installer again",
                machine.cards
            ));
        }
        match machine.led > TRIES * self.orders.len() as u8 {
            true => Err(format!(
                "{:?} is led into its installer {} times, and nothing is heard from there",
                machine.cards, machine.led
            )),
            false => Ok(()),
        }
    }

    fn ask_for_script(&mut self, machine: usize, card: usize, token: String) -> Result<(), String> {
        let mac = self.machines[machine].cards[card];
        self.world.start(mac, false);
        let script = self.world.fetch_by(mac, &token, CONFIG, 1000);
        match script {
            // Somebody's own: it takes its image from elsewhere.
            Answer::File { .. } => {
                self.overwrites(machine, mac)?;
                self.machines[machine].runs = Runs::Writes(card, token);
            }
            Answer::Text { .. } => {
                let heard = self.world.says(mac, &token, Stage::Configuring, true);
                if matches!(heard, Answer::Done(_)) && self.rack != Rack::OwnProfile {
                    // Of those that call themselves the same, it may be another one's word.
                    let id = self.machines[machine].id;
                    self.machines[machine].led = 0;
                    let namesakes = self.machines.iter_mut().filter(|other| id.is_some() && other.id == id);
                    namesakes.for_each(|namesake| namesake.led = 0);
                }
                self.machines[machine].runs = Runs::Configured(card, token);
            }
            Answer::Refused(Refusal::Unavailable(_)) => {}
            _ => self.machines[machine].runs = Runs::Done,
        }
        Ok(())
    }

    fn go_on_writing(&mut self, machine: usize, card: usize, token: String) {
        let mac = self.machines[machine].cards[card];
        if !self.takes_image_from_here() {
            // It says nothing.
            let disk = if self.rack.is_seen_to_overwrite() { TrueDisk::Good } else { TrueDisk::Before };
            self.machines[machine].disk = disk;
            self.machines[machine].runs = Runs::Done;
            return;
        }
        match self.machines[machine].disk {
            TrueDisk::Part => {
                if is_given(&self.world.fetch_by(mac, &token, IMAGE, 1000)) {
                    self.machines[machine].disk = TrueDisk::Good;
                }
            }
            TrueDisk::Good => {
                if let Answer::Done(_) = self.world.says(mac, &token, Stage::Written, true) {
                    self.machines[machine].begun = Some(self.world.now);
                }
                self.machines[machine].runs = Runs::Reported(card, token);
            }
            TrueDisk::Bad | TrueDisk::Before => self.machines[machine].runs = Runs::Done,
        }
    }

    /// The installer gives up, and says so: that must be heard, whatever was concluded before.
    pub(super) fn gives_up(&mut self, machine: usize) -> Result<(), String> {
        let Some((card, token)) = self.installer(machine) else { return Ok(()) };
        let writes = matches!(self.machines[machine].runs, Runs::Writes(..) | Runs::Reported(..));
        let is_known = self.machines[machine].is_known_to_write() && !token.is_empty();
        let stage = if writes { Stage::Installing } else { Stage::Configuring };
        let grant = self.world.appliance.nodes().get(card).and_then(|node| node.grant());
        let is_by_order = grant.is_some_and(|grant| grant.token == token);
        let answer = self.world.says(card, &token, stage, false);
        if matches!(answer, Answer::Refused(Refusal::Unavailable(_))) {
            // It will say so again.
            return Ok(());
        }
        let is_heard = matches!(answer, Answer::Done(_));
        let machine = &mut self.machines[machine];
        machine.failed += u8::from(is_by_order && is_heard);
        machine.runs = Runs::Done;
        if writes && self.rack.is_seen_to_overwrite() {
            // It knows best.
            machine.disk = TrueDisk::Bad;
        }
        match is_known && !is_heard {
            true => Err(format!("{card} says that its install failed, and is not heard: {answer:?}")),
            false => Ok(()),
        }
    }

    /// A running system says that it is up: that counts, whatever was concluded before.
    pub(super) fn says_it_is_up(&mut self, machine: usize) -> Result<(), String> {
        let card = self.machines[machine].cards[0];
        let answer = self.world.says(card, "", Stage::Installed, true);
        let node = self.world.appliance.nodes().get(card);
        let is_running = node.is_some_and(|node| matches!(node.disk(), Disk::Running { .. }));
        match answer {
            Answer::Done(_) if !is_running => {
                Err(format!("{card} says that it is up, is heard, and is not known to be"))
            }
            Answer::Done(_) => {
                self.machines[machine].known_by = Some(card);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// A machine's disk begins to be overwritten: somebody must have asked for that, and not for this machine's last one
    /// already.
    fn overwrites(&mut self, machine: usize, card: Mac) -> Result<(), String> {
        let (now, cards) = (self.world.now, self.machines[machine].cards.clone());
        let truth = std::mem::replace(&mut self.machines[machine].disk, TrueDisk::Part);
        let is_new = !std::mem::take(&mut self.machines[machine].is_permitted);
        let key = self.world.appliance.nodes().key(cards[0]);
        let asked = self.orders.iter().skip(self.machines[machine].used.into()).any(|order| {
            let means = match &order.scope {
                Scope::NotInstalled => truth != TrueDisk::Good,
                Scope::All => true,
                Scope::Named(nodes) => nodes.contains(&key) || nodes.iter().any(|mac| cards.contains(mac)),
            };
            means && now < order.until && !order.not_for.contains(&machine)
        });
        let known = self.world.nodes.values().find(|node| node.cards.contains(&card));
        let is_written_down = known.is_some_and(|node| node.writes > 0 && node.disk().is_ours());
        let machine = &mut self.machines[machine];
        (machine.begun, machine.known_by) = (Some(now), Some(card));
        if !is_written_down {
            return Err(format!("{cards:?} is overwritten, and that is not written down"));
        }
        // What was permitted before its answer was lost is one overwrite, whatever was ordered since.
        if !is_new {
            return Ok(());
        }
        machine.used = self.orders.len() as u8;
        if !asked {
            return Err(format!("{cards:?} is overwritten, and nobody asked for that (its disk: {truth:?})"));
        }
        match self.is_allowed() {
            true => Ok(()),
            false => Err(format!("{cards:?} is overwritten, and the configuration does not allow that")),
        }
    }
}
