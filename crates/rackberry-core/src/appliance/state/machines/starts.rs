//! Machines that start, by their firmware or from their disks, and who is who by what they say then.

use crate::{
    appliance::{
        Change, Note, Reaction,
        decision::{BootChoice, Decision, Lead, SpeaksFor},
        state::Machines,
    },
    dhcp,
    ids::{Mac, MachineId, Time},
    nodes::{BootStep, Node, NodeEvent, Registry, Unknown},
    orders::{OrderId, Orders},
};

impl Machines {
    /// Firmware asks for a network boot: which machine that is.
    pub fn recognize(&mut self, client: &dhcp::Client, out: &mut Reaction) {
        let recognized = self.nodes.recognize(client.mac, client.machine, out.now());
        self.learned(recognized, out);
    }

    /// A system or installer on this card goes on with what it began, so far as anything is known of that.
    pub fn goes_on(&mut self, card: Mac, out: &mut Reaction) {
        let began = self.nodes.fresh_since(card);
        self.goes_on_since(card, began, out);
    }

    /// The same, with what it began then.
    pub fn goes_on_since(&mut self, card: Mac, began: Option<Time>, out: &mut Reaction) {
        let recognized = self.nodes.goes_on(card, began, out.now());
        self.learned(recognized, out);
    }

    /// The loader that a machine has from here asks for an address of its own.
    pub fn loader_goes_on(&mut self, card: Mac, out: &mut Reaction) {
        self.apply_to(card, NodeEvent::Alive, Unknown::Recorded, out);
    }

    /// A machine's firmware starts by this card. If that speaks for the machine, what ran on it is over.
    pub fn starts(&mut self, client: &dhcp::Client, speaks: SpeaksFor, out: &mut Reaction) {
        self.attempts.take(self.attempts_key(client.mac), BootStep::Asked);
        if speaks == SpeaksFor::ItsMachine {
            let event = NodeEvent::NetworkBoot { arch: client.arch };
            self.apply_to(client.mac, event, Unknown::Recorded, out);
        }
    }

    /// What was decided of a start: the machine gets its permission, or loses one that it did not use.
    pub fn settle_start(&mut self, card: Mac, speaks: SpeaksFor, decision: Decision, out: &mut Reaction) {
        let node = self.nodes.key(card);
        match decision {
            Decision::Lead(lead) => return self.grant(node, card, *lead, out),
            Decision::Refused(reason) => {
                if self.refusals.of(node) != Some(reason.as_str()) {
                    self.nodes.changed().note(node);
                }
                if self.refusals.put(node, &reason, out.now()) {
                    out.note(Note::NotGranted { node: self.nodes.label(node), reason });
                }
            }
            Decision::Disk(_) => {}
        }
        if speaks == SpeaksFor::ItsMachine {
            self.take_grant_back(node, out);
        }
    }

    fn grant(&mut self, node: Mac, card: Mac, lead: Lead, out: &mut Reaction) {
        if self.refusals.remove(node) {
            self.nodes.changed().note(node);
        }
        // Of more machines than can be kept track of, those without a record are none.
        if self.nodes.get(node).is_none() {
            return;
        }
        let known = self.nodes.get(node).and_then(Node::unused_grant);
        if known.is_some_and(|grant| grant.card == card && lead.is_what(grant)) {
            return;
        }
        let grant = lead.into_grant(card, self.tokens.next(card), out.now());
        let update = self.nodes.give(node, grant, out.now());
        self.updated(update, out);
    }

    /// Takes a grant away that was not used.
    pub fn take_grant_back(&mut self, node: Mac, out: &mut Reaction) {
        if self.nodes.get(node).is_some_and(|node| node.unused_grant().is_some()) {
            let now = out.now();
            let update = self.nodes.change(node, now, |node| node.withdraw(now));
            self.updated(update, out);
        }
    }

    /// A machine is told what to boot.
    pub fn told(&mut self, card: Mac, choice: &BootChoice) {
        let key = self.attempts_key(card);
        match choice {
            BootChoice::Nothing => self.attempts.nothing_to_boot(key),
            BootChoice::Load { loader, .. } => self.attempts.offer_loader(key, *loader),
        }
    }

    /// A system asks for an address from scratch.
    pub fn system_starts(&mut self, card: Mac, out: &mut Reaction) {
        self.nodes.is_fresh(card, out.now());
        // Another card of a machine, or its management controller, says nothing of the system on its disk.
        if self.nodes.stands_for_its_node(card) {
            let unknown = if self.nodes.is_listed(card) { Unknown::Recorded } else { Unknown::Ignored };
            self.apply_to(card, NodeEvent::SystemUp, unknown, out);
        }
    }

    /// Goes back to what the journal holds, disarmed: the records, the identifiers that tell nothing, and the number of the
    /// last order.
    pub fn restore(&mut self, nodes: Vec<Node>, shared: Vec<MachineId>, order: OrderId, out: &mut Reaction) {
        self.orders = Orders::after(self.orders.last().max(order));
        self.nodes = Registry::restore(nodes, shared);
        for update in self.nodes.resume_after_restart(out.now()) {
            out.change(update.changed.map(Change::Node));
        }
    }
}
