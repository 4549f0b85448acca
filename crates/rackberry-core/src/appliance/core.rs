//! The composition of the parts: every kind of event, and which parts it asks in which order.

mod orders;
mod requests;
#[cfg(test)]
mod seen_by_tests;

use std::{
    net::{Ipv4Addr, SocketAddrV4},
    sync::Arc,
    time::Duration,
};

use self::requests::{FileRequest, NodeReport};
use crate::{
    appliance::{
        Answer, Ask, Change, Effect, Fates, NodeViews, Note, Outcome, Progress, Reaction, ReplyId,
        StatusView,
        check::{Checker, Findings},
        decision::BootChoice,
        policy::{BootPolicy, Known},
        state::{Condition, Denials, Machines, NetworkState, Setup, Transfers, WriteBudget, Writer},
        views::{KeptViews, StatusViewer},
    },
    assets::catalog::Catalog,
    config::Settings,
    dhcp,
    ids::{Mac, MachineId, Time},
    nodes::{Node, NodeEvent},
    orders::OrderId,
};

/// How often nodes that may install are shown anew when nothing happens: that they are silent is seen by nobody's message.
const SHOW_AGAIN: Duration = Duration::from_secs(5);

/// What the journal kept.
#[derive(Debug, Clone, Default)]
pub struct Stored {
    /// Nodes.
    pub nodes: Vec<Node>,
    /// Leases.
    pub leases: Vec<dhcp::Lease>,
    /// Identifiers that several machines have.
    pub shared: Vec<MachineId>,
    /// Number of the last order.
    pub order: OrderId,
    /// The last moment that was journaled.
    pub time: Time,
    /// What is known of a state that was there before this one and is lost, in words: nobody knows which machines are
    /// installed.
    pub loss: Option<String>,
}

/// The one state of the service. Made disarmed, always.
#[derive(Debug, Clone)]
pub struct Appliance {
    setup: Setup,
    network: NetworkState,
    machines: Machines,
    condition: Condition,
    transfers: Transfers,
    denials: Denials,
    budget: WriteBudget,
    findings: Findings,
    views: KeptViews,
    /// What the start has changed.
    started: Outcome,
    /// When time passed last.
    last_tick: Time,
}

impl Appliance {
    /// The service as it starts: what the journal kept, and disarmed. `secret` is random: grants' tokens come from
    /// it.
    pub fn new(
        settings: Arc<Settings>,
        catalog: Arc<Catalog>,
        mut stored: Stored,
        secret: [u8; 32],
        now: Time,
    ) -> Appliance {
        let mut appliance = Appliance {
            network: NetworkState::new(&settings, std::mem::take(&mut stored.leases)),
            machines: Machines::new(secret),
            condition: Condition::default(),
            transfers: Transfers::default(),
            denials: Denials::default(),
            budget: WriteBudget::default(),
            findings: Findings::default(),
            views: KeptViews::default(),
            started: Outcome::default(),
            last_tick: now,
            setup: Setup::new(settings, catalog),
        };
        appliance.started = appliance.restore(stored, now);
        appliance.look_at_configs(now);
        appliance
    }

    /// What the start has changed, for the journal; once.
    pub fn started(&mut self) -> Outcome {
        std::mem::take(&mut self.started)
    }

    /// Goes back to what the journal holds of nodes, disarmed: at the start, and when it could not take a change. Leases
    /// stay as they are: an address that was given is given (RFC 2131 wants them kept where that is possible).
    pub fn restore(&mut self, stored: Stored, now: Time) -> Outcome {
        let mut out = Reaction::at(now);
        // Until somebody says otherwise, whatever becomes of the mark that told of it.
        out.change(stored.loss.clone().map(|loss| Change::Loss(Some(loss))));
        self.condition.restore(stored.loss);
        self.machines.restore(stored.nodes, stored.shared, stored.order, &mut out);
        self.machines.set_configured(&self.setup, &mut out);
        out.into_outcome()
    }

    /// Takes note that the journal can't be written, and why; or that it can. While it can't, nobody is armed and nothing
    /// changes that would have to be kept. True if that is news.
    pub fn journal_fails(&mut self, reason: Option<String>) -> bool {
        match reason {
            Some(_) => self.machines.freeze(),
            None => self.machines.thaw(),
        }
        self.condition.journal_fails(reason)
    }

    /// Takes over a reloaded configuration. What it does not allow any more is taken back.
    pub fn reconfigure(&mut self, settings: Arc<Settings>, now: Time) -> Outcome {
        let mut out = Reaction::at(now);
        self.network.reconfigure(&settings);
        self.setup.reconfigure(settings);
        self.machines.set_configured(&self.setup, &mut out);
        for node in self.known(now).no_longer_allowed() {
            self.machines.take_grant_back(node, &mut out);
        }
        self.look_at_configs(now);
        out.into_outcome()
    }

    /// Takes over what a scan found.
    pub fn restock(&mut self, catalog: Arc<Catalog>, now: Time) {
        self.setup.restock(catalog);
        self.look_at_configs(now);
    }

    fn look_at_configs(&mut self, now: Time) {
        self.findings = Findings::of(&Checker::new(self.known(now)));
    }

    /// The state, to be read.
    fn known(&self, now: Time) -> Known<'_> {
        let Appliance { setup, machines, network, condition, .. } = self;
        Known { setup, machines, network, condition, now }
    }

    /// A DHCP packet came in.
    pub fn packet(&mut self, packet: &dhcp::Packet, now: Time) -> Outcome {
        let mut out = Reaction::at(now);
        let is_stranger = !self.machines.nodes().is_acquainted(packet.mac());
        let writer = Writer { mac: packet.mac(), is_stranger };
        if self.network.takes(packet, &mut out) && self.may_write(writer, &mut out) {
            let boot = self.boot(&dhcp::Client::of(packet), &mut out);
            if packet.ciaddr().is_some() {
                // It renews a lease: whatever runs there runs on.
                self.machines.goes_on(packet.mac(), &mut out);
            }
            self.network.answer(packet, &boot, self.machines.nodes(), &mut out);
        }
        let outcome = out.into_outcome();
        self.budget.spend(writer, outcome.changes.len(), now);
        outcome
    }

    /// Whether a machine's message is handled that may have something written down.
    fn may_write(&mut self, writer: Writer, out: &mut Reaction) -> bool {
        match self.budget.allow(writer, out.now()) {
            Ok(()) => true,
            Err(news) => {
                news.into_iter().for_each(|notice| out.note(Note::Dhcp(notice)));
                false
            }
        }
    }

    /// A DHCP packet on port 4011, and who sent it.
    pub fn boot_server_packet(&mut self, packet: &dhcp::Packet, peer: SocketAddrV4, now: Time) -> Outcome {
        let mut out = Reaction::at(now);
        if self.network.takes_as_boot_server(packet, peer, self.machines.nodes(), &mut out) {
            let boot = self.boot_file(&dhcp::Client::of(packet), now);
            self.network.answer_as_boot_server(packet, peer, &boot, &mut out);
        }
        out.into_outcome()
    }

    /// Notes what a DHCP client's message says of its node, and decides what it boots.
    fn boot(&mut self, client: &dhcp::Client, out: &mut Reaction) -> dhcp::Boot {
        if !client.wants_boot() {
            if client.starts_afresh() {
                self.machines.system_starts(client.mac, out);
            }
            return dhcp::Boot::None;
        }
        if client.is_discover() {
            self.machines.recognize(client, out);
        }
        if BootPolicy::new(self.known(out.now())).is_loader_from_here(client) {
            self.machines.loader_goes_on(client.mac, out);
        } else if client.is_discover() {
            self.network.restarted(client.mac, out);
            self.start(client, out);
        }
        self.boot_file(client, out.now())
    }

    /// A machine's firmware starts by this card: what ran on it is over, and it gets its permission, or loses one that it
    /// did not use.
    fn start(&mut self, client: &dhcp::Client, out: &mut Reaction) {
        let speaks = BootPolicy::new(self.known(out.now())).speaks_for(client.mac);
        self.machines.starts(client, speaks, out);
        let decision = BootPolicy::new(self.known(out.now())).decide(client.mac);
        self.machines.settle_start(client.mac, speaks, decision, out);
    }

    /// What a client is told to boot.
    fn boot_file(&mut self, client: &dhcp::Client, now: Time) -> dhcp::Boot {
        let choice = BootPolicy::new(self.known(now)).choose(client);
        self.machines.told(client.mac, &choice);
        match choice {
            BootChoice::Nothing => dhcp::Boot::None,
            BootChoice::Load { file, .. } => {
                dhcp::Boot::Load { server: self.setup.settings().network.address, file }
            }
        }
    }

    /// A host answered the probe of an address, or the probe is over.
    pub fn probed(&mut self, probe: dhcp::ProbeId, answered: Option<Mac>, now: Time) -> Outcome {
        let mut out = Reaction::at(now);
        self.network.probed(probe, answered, &mut out);
        out.into_outcome()
    }

    /// The interface is there, or there again, with this hardware address.
    pub fn linked(&mut self, own: Mac, now: Time) -> Outcome {
        let mut out = Reaction::at(now);
        self.network.linked(own, &mut out);
        out.into_outcome()
    }

    /// Another DHCP server said something.
    pub fn server_reply(&mut self, heard: &dhcp::ServerReply, now: Time) -> Outcome {
        let mut out = Reaction::at(now);
        self.network.server_reply(heard, &mut out);
        out.into_outcome()
    }

    /// Who is at an address that is said to be another DHCP server's.
    pub fn verified(&mut self, address: Ipv4Addr, presence: dhcp::Presence, now: Time) -> Outcome {
        let mut out = Reaction::at(now);
        self.network.verified(address, presence, &mut out);
        out.into_outcome()
    }

    /// A transfer moved on or ended.
    pub fn progress(&mut self, progress: Progress, now: Time) -> Outcome {
        let mut out = Reaction::at(now);
        let Some(transfer) = self.transfers.moved_on(&progress) else { return Outcome::default() };
        if let Some(card) = transfer.card.filter(|_| progress.sent > progress.start) {
            self.machines.goes_on_since(card, Some(transfer.began), &mut out);
        }
        let event = transfer.event(&progress);
        if event == NodeEvent::Loader {
            self.loader_was_fetched(transfer.node, &mut out);
        }
        self.machines.transferred(transfer.node, event, &mut out);
        out.into_outcome()
    }

    /// How its node was led to its loader is what works with that node.
    fn loader_was_fetched(&mut self, node: Mac, out: &mut Reaction) {
        if let Some(style) = self.network.loader_was_fetched(self.machines.nodes().key(node)) {
            self.machines.remember_offer_style(node, style, out);
        }
    }

    /// Time passed.
    pub fn tick(&mut self, now: Time) -> Outcome {
        let mut out = Reaction::at(now);
        for order in self.machines.expire_orders(&mut out) {
            let (order, running) = (self.known(now).order_words(&order), self.machines.nodes().running());
            out.note(Note::OrderOver { order, running });
        }
        self.machines.time_out(&mut out);
        self.network.tick(&mut out);
        self.last_tick = now;
        out.into_outcome()
    }

    /// When [`Appliance::tick`] has work next.
    pub fn deadline(&self) -> Option<Time> {
        let show_again = self.machines.is_any_at_work().then(|| self.last_tick + SHOW_AGAIN);
        let parts = [self.machines.deadline(), self.network.deadline(), show_again];
        parts.into_iter().flatten().min()
    }

    /// Answers a question.
    pub fn ask(&mut self, reply: ReplyId, ask: Ask, now: Time) -> Outcome {
        let mut out = Reaction::at(now);
        let answer = match ask {
            Ask::Fetch { from, via, extent, target } => {
                self.fetch(from, FileRequest { target, extent, via }, &mut out)
            }
            Ask::Report { from, grant, mac, report } => {
                let sent = NodeReport { grant: grant.as_deref(), mac, report };
                let noted = self.report(from, sent, &mut out);
                noted.map_or_else(Answer::Refused, |()| Answer::Done("noted".into()))
            }
            Ask::Command { source, command } => self.command(source, command, &mut out),
            Ask::View(view) => self.view(&view, now),
        };
        out.effect(Effect::Answer(reply, answer));
        out.into_outcome()
    }

    /// The state of the whole.
    pub fn status(&self, now: Time) -> StatusView {
        StatusViewer::new(self.known(now), &self.findings).view()
    }

    /// Every node. Only those are made anew that may look different since the last call; of the same nodes it is the
    /// same map.
    pub fn look(&mut self, now: Time) -> Arc<NodeViews> {
        let (machines, leases) = (self.machines.take_changed(), self.network.changed().take());
        let changed = machines.zip(leases).map(|(machines, leases)| &machines | &leases);
        let Appliance { setup, machines, network, condition, views, .. } = self;
        views.look(Known { setup, machines, network, condition, now }, changed)
    }

    /// What is wrong with operating systems and node configurations, a sentence each.
    pub fn faults(&self) -> Vec<String> {
        // No time is in what is wrong with files.
        Checker::new(self.known(self.last_tick)).faults(&self.findings)
    }

    /// What becomes of each file in cloud-configs/, and what menus name in vain.
    pub fn config_fates(&self) -> Fates {
        Checker::new(self.known(self.last_tick)).config_fates()
    }

    /// Why the journal can't be written, while that lasts.
    pub fn unwritable(&self) -> Option<&str> {
        self.condition.unwritable()
    }

    /// What is to be told of a lost state.
    pub fn loss(&self) -> Option<String> {
        self.condition.loss_words()
    }

    /// What is to be told of another DHCP server.
    pub fn other_server(&self) -> Option<String> {
        self.network.other_server()
    }
}
