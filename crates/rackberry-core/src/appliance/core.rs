//! The state, and what every kind of event does to it.

use std::{
    collections::{BTreeMap, HashMap},
    net::Ipv4Addr,
    sync::Arc,
    time::Duration,
};

use crate::{
    appliance::{
        Ask, Change, Effect, Note, Outcome, Progress, ReplyId, TransferEnd, TransferId, lookout::turned_away,
        report_rate::ReportRate, texts::InstallPlan, views::Views,
    },
    assets::{
        catalog::Catalog,
        version::{FileSet, NotReady, Version},
    },
    config::{NodeSettings, Settings},
    dhcp::{self, ServingMode},
    ids::{Mac, MachineId, Stage, Time, folded},
    nodes::{
        BootAttempts, BootStep, Grant, Identity, Node, NodeEvent, Recognized, RecordChange, Registry,
        Stranger, Tokens, Update,
    },
    orders::{OrderId, Orders},
};

/// How often nodes that may install are looked at when nothing happens: who shows them tells of silences, too.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

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
    pub(super) settings: Arc<Settings>,
    pub(super) catalog: Arc<Catalog>,
    pub(super) nodes: Registry,
    pub(super) dhcp: dhcp::Server,
    pub(super) rogue_detection: dhcp::RogueDetection,
    pub(super) proxy: dhcp::Proxy,
    pub(super) spoofs: dhcp::Spoofs,
    pub(super) orders: Orders,
    /// What is known of a lost state, until somebody says that this is a first day.
    pub(super) loss: Option<String>,
    /// Why the journal can't be written, while that lasts.
    pub(super) unwritable: Option<String>,
    /// What is wrong with configured nodes' configurations, or missing.
    pub(super) config_faults: BTreeMap<Mac, String>,
    /// What should be known of files in cloud-configs/ and of menus; found once, because there may be many.
    pub(super) file_warnings: Vec<String>,
    pub(super) boot_attempts: BootAttempts,
    /// What each node was refused last.
    pub(super) refusals: HashMap<Mac, String>,
    pub(super) report_rate: ReportRate,
    /// Addresses that another machine answers for than the one that has leased them, and who that is.
    pub(super) taken: HashMap<Ipv4Addr, Mac>,
    /// What the start has changed.
    started: Outcome,
    /// When time last passed for those who show the nodes: a silence is seen by nobody's message.
    looked: Time,
    pub(super) tokens: Tokens,
    /// What was made for those who looked last.
    pub(super) views: Views,
    /// Where the settings of each listed node stand, by its first address.
    positions: BTreeMap<Mac, usize>,
    /// The same by its name, [folded].
    pub(super) named: BTreeMap<String, usize>,
    transfers: BTreeMap<TransferId, Transfer>,
    last_transfer: u64,
}

/// A transfer that moves a node on.
#[derive(Debug, Clone, Copy)]
struct Transfer {
    node: Mac,
    /// The card that asked for it, where that is known.
    card: Option<Mac>,
    cargo: Cargo,
    began: Time,
}

/// What a transfer carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cargo {
    Loader,
    Kernel,
    Initrd,
    Rootfs,
    Image,
}

impl Appliance {
    /// The service as it starts: what the journal kept, and disarmed. `secret` is random: grants' tokens come from
    /// it.
    pub fn new(
        settings: Arc<Settings>,
        catalog: Arc<Catalog>,
        stored: Stored,
        secret: [u8; 32],
        now: Time,
    ) -> Appliance {
        let mut appliance = Appliance {
            dhcp: dhcp::Server::new(&settings),
            rogue_detection: dhcp::RogueDetection::new(settings.network.mode, settings.network.address),
            proxy: dhcp::Proxy::default(),
            spoofs: dhcp::Spoofs::default(),
            nodes: Registry::default(),
            orders: Orders::default(),
            loss: stored.loss.clone(),
            unwritable: None,
            config_faults: BTreeMap::new(),
            file_warnings: Vec::new(),
            boot_attempts: BootAttempts::default(),
            refusals: HashMap::new(),
            report_rate: ReportRate::default(),
            taken: HashMap::new(),
            started: Outcome::default(),
            looked: now,
            tokens: Tokens::new(secret),
            views: Views::default(),
            positions: BTreeMap::new(),
            named: BTreeMap::new(),
            transfers: BTreeMap::new(),
            last_transfer: 0,
            settings,
            catalog,
        };
        appliance.dhcp.restore(stored.leases.clone());
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
        let mut out = Outcome::default();
        self.orders = Orders::after(self.orders.last().max(stored.order));
        self.nodes = Registry::restore(stored.nodes, stored.shared);
        self.loss = stored.loss;
        // Until somebody says otherwise, whatever becomes of the mark that told of it.
        out.changes.extend(self.loss.clone().map(|loss| Change::Loss(Some(loss))));
        for update in self.nodes.resume_after_restart(now) {
            out.changes.extend(update.changed.map(Change::Node));
        }
        self.list_nodes(now, &mut out);
        out
    }

    /// Takes note that the journal can't be written, and why; or that it can. While it can't, nobody is armed and nothing
    /// changes that would have to be kept. True if that is news.
    pub fn journal_fails(&mut self, reason: Option<String>) -> bool {
        let is_news = self.unwritable != reason;
        match reason {
            Some(_) => {
                self.orders.close_all();
                self.nodes.freeze();
            }
            None => self.nodes.thaw(),
        }
        self.unwritable = reason;
        is_news
    }

    /// Why the journal can't be written, while that lasts.
    pub fn unwritable(&self) -> Option<&str> {
        self.unwritable.as_deref()
    }

    /// Takes over a reloaded configuration. What it does not allow any more is taken back.
    pub fn reconfigure(&mut self, settings: Arc<Settings>, now: Time) -> Outcome {
        let mut out = Outcome::default();
        self.settings = settings;
        self.dhcp.reconfigure(&self.settings);
        self.list_nodes(now, &mut out);
        self.withdraw_what_is_not_allowed(now, &mut out);
        self.look_at_configs(now);
        out
    }

    /// Takes over what a scan found.
    pub fn restock(&mut self, catalog: Arc<Catalog>, now: Time) {
        self.catalog = catalog;
        self.look_at_configs(now);
    }

    /// Makes every configured node's configuration once, so that faults show before a machine needs it.
    fn look_at_configs(&mut self, now: Time) {
        let listed = self.settings.nodes.iter().filter_map(|node| node.macs.first());
        self.config_faults = listed.filter_map(|mac| Some((*mac, self.config_fault(*mac, now)?))).collect();
        self.file_warnings = self.config_warnings();
    }

    fn config_fault(&self, mac: Mac, now: Time) -> Option<String> {
        let (version, set) = self.wanted_files(mac).ok()?;
        if version.profile.configs.is_empty() {
            return None;
        }
        match self.node_config(
            &InstallPlan { mac, version, set, token: "", overwrite_marked: true },
            None,
            now,
        ) {
            Ok(Some(_)) => None,
            Ok(None) => Some(self.no_config(mac, &version.profile)),
            Err(fault) => Some(fault),
        }
    }

    fn list_nodes(&mut self, now: Time, out: &mut Outcome) {
        let settings = self.settings.clone();
        let firsts = settings.nodes.iter().map(|node| node.macs.first());
        self.positions = firsts.enumerate().filter_map(|(at, mac)| Some((*mac?, at))).collect();
        self.named =
            settings.nodes.iter().enumerate().rev().map(|(at, node)| (folded(&node.name), at)).collect();
        let listed = settings.nodes.iter().map(|node| (node.name.as_str(), node.macs.as_slice()));
        let recognized = self.nodes.set_configured(listed, now);
        self.learned(recognized, out);
    }

    /// Journals and tells what was learned of who is who; everything that is kept by node follows.
    pub(super) fn learned(&mut self, recognized: Recognized, out: &mut Outcome) {
        out.changes.extend(recognized.changes.into_iter().map(|change| match change {
            RecordChange::Put(node) => Change::Node(node),
            RecordChange::Drop(mac) => Change::NoNode(mac),
            RecordChange::Shared(machine) => Change::Shared(machine),
        }));
        for news in recognized.news {
            if let Identity::Renamed { old, new } = &news {
                self.boot_attempts.rename(*old, *new);
            }
            let (Identity::Renamed { new: node, .. }
            | Identity::Joined { node, .. }
            | Identity::Shared { node, .. }
            | Identity::Parted { node, .. }) = &news;
            let node = self.label(*node);
            out.note(Note::Identity { node, news });
        }
    }

    /// A DHCP packet came in.
    pub fn packet(&mut self, packet: &dhcp::Packet, now: Time) -> Outcome {
        if let Err(news) = self.spoofs.judge(packet, now) {
            return turned_away(news);
        }
        let mut out = Outcome::default();
        let outcome = self.look_out(packet, now);
        self.take_detection(outcome, &mut out);
        let boot = self.boot_for(&dhcp::Client::of(packet), now, &mut out);
        if packet.ciaddr().is_some() {
            // It renews a lease: whatever runs there runs on.
            let recognized = self.nodes.goes_on(packet.mac(), self.nodes.fresh_since(packet.mac()), now);
            self.learned(recognized, &mut out);
        }
        match self.rogue_detection.serving_mode() {
            ServingMode::Looking => {}
            ServingMode::Full => {
                let outcome = self.dhcp.handle(packet, &boot, now);
                out.take_dhcp(outcome);
            }
            ServingMode::Proxy => self.beside(packet, &boot, now, &mut out),
        }
        out
    }

    /// A host answered the probe of an address, or the probe is over.
    pub fn probed(&mut self, probe: dhcp::ProbeId, answered: Option<Mac>, now: Time) -> Outcome {
        let mut out = Outcome::default();
        let outcome = self.dhcp.probed(probe, answered, now);
        out.take_dhcp(outcome);
        out
    }

    /// The node's own settings.
    pub(super) fn node_settings(&self, mac: Mac) -> Option<&NodeSettings> {
        self.settings.nodes.get(*self.positions.get(&self.nodes.key(mac))?)
    }

    /// What a node would be installed with: profile and version, which may be `current`.
    pub(super) fn wanted(&self, mac: Mac) -> (&str, &str) {
        let (own, install) = (self.node_settings(mac), &self.settings.install);
        let profile = own.and_then(|node| node.profile.as_deref()).unwrap_or(&install.profile);
        let version = own.and_then(|node| node.version.as_deref()).unwrap_or(&install.version);
        (profile, version)
    }

    /// The same, complete and resolved.
    pub(super) fn wanted_files(&self, mac: Mac) -> Result<(&Version, &FileSet), NotReady> {
        let (profile, version) = self.wanted(mac);
        self.files_of(profile, version, self.machine(mac))
    }

    /// A version's files for a processor: all there, authentic unless the configuration lets that pass, and such as its
    /// own installer will accept.
    pub(super) fn files_of(
        &self,
        profile: &str,
        version: &str,
        arch: &str,
    ) -> Result<(&Version, &FileSet), NotReady> {
        self.catalog.usable_for(profile, version, arch, self.settings.assets.verify)
    }

    /// What is installed by default, on one kind of processor at least.
    pub(super) fn default_version(&self) -> Result<&Version, NotReady> {
        let install = &self.settings.install;
        let version = self.catalog.ready(&install.profile, &install.version)?;
        let tried = version.sets.iter().map(|set| self.files_of(&install.profile, &version.name, &set.arch));
        let mut refused = None;
        for tried in tried {
            match tried {
                Ok((version, _)) => return Ok(version),
                Err(reason) => refused = refused.or(Some(reason)),
            }
        }
        refused.map_or(Ok(version), Err)
    }

    /// `ADDRESS[:PORT]` of the HTTP server.
    pub(super) fn server(&self) -> String {
        let (address, ports) = (self.settings.network.address, &self.settings.http.ports);
        match ports.first() {
            Some(port) if !ports.contains(&80) => format!("{address}:{port}"),
            _ => address.to_string(),
        }
    }

    /// URL of the HTTP server, without a trailing slash (the installers of 2016 don't strip one).
    pub(super) fn server_url(&self) -> String {
        format!("http://{}", self.server())
    }

    /// A node's name, or its address where it has none.
    pub(super) fn label(&self, mac: Mac) -> String {
        self.nodes.name(mac).map_or_else(|| mac.to_string(), str::to_owned)
    }

    /// A transfer to a node begins.
    pub(super) fn begin_transfer(
        &mut self,
        node: Mac,
        card: Option<Mac>,
        cargo: Cargo,
        now: Time,
    ) -> TransferId {
        self.last_transfer += 1;
        let id = TransferId(self.last_transfer);
        self.transfers.insert(id, Transfer { node, card, cargo, began: now });
        id
    }

    /// A transfer moved on or ended.
    pub fn progress(&mut self, progress: Progress, now: Time) -> Outcome {
        let mut out = Outcome::default();
        let Some(transfer) = self.transfers.get(&progress.transfer).copied() else { return out };
        let Transfer { node, card, cargo, began } = transfer;
        if progress.end.is_some() {
            self.transfers.remove(&progress.transfer);
        }
        if let Some(card) = card.filter(|_| progress.sent > progress.start) {
            let recognized = self.nodes.goes_on(card, Some(began), now);
            self.learned(recognized, &mut out);
        }
        let Progress { total, start, sent, .. } = progress;
        let whole = progress.end == Some(TransferEnd::Complete) && sent == total;
        let event = match cargo {
            Cargo::Image => NodeEvent::ImagePart { start, end: sent, total },
            _ if !whole => NodeEvent::Alive,
            Cargo::Loader => NodeEvent::Loader,
            Cargo::Kernel => NodeEvent::Kernel,
            Cargo::Initrd => NodeEvent::Initrd,
            Cargo::Rootfs => NodeEvent::Alive,
        };
        if event == NodeEvent::Loader {
            self.boot_attempts.take(self.nodes.key(node), BootStep::Loader);
            self.remember_offer_style(node, now, &mut out);
        }
        let update = self.nodes.apply(node, event, Stranger::Stays, now);
        self.note(update, &mut out);
        out
    }

    /// Time passed.
    pub fn tick(&mut self, now: Time) -> Outcome {
        let mut out = Outcome::default();
        let over = self.orders.expire(now);
        if !over.is_empty() {
            for update in self.nodes.withdraw_closed(&self.orders, now) {
                self.note(update, &mut out);
            }
            for order in over {
                out.note(Note::OrderOver { order: self.order_words(&order), running: self.running() });
            }
        }
        for update in self.nodes.time_out(now) {
            self.note(update, &mut out);
        }
        let outcome = self.dhcp.tick(now);
        out.take_dhcp(outcome);
        self.looked = now;
        let outcome = self.rogue_detection.tick(now);
        self.take_detection(outcome, &mut out);
        out
    }

    /// When [`Appliance::tick`] has work next.
    pub fn deadline(&self) -> Option<Time> {
        let installing = self.nodes.granted().next().is_some() || self.running() > 0;
        let parts = [
            self.orders.deadline(),
            self.nodes.deadline(),
            self.dhcp.deadline(),
            self.rogue_detection.deadline(),
            installing.then(|| self.looked + LOOK_AGAIN),
        ];
        parts.into_iter().flatten().min()
    }

    /// Answers a question.
    pub fn ask(&mut self, reply: ReplyId, ask: Ask, now: Time) -> Outcome {
        let mut out = Outcome::default();
        if let Ask::Fetch { from, .. } | Ask::Report { from, .. } = &ask {
            self.recognize(*from, now, &mut out);
        }
        let answer = match ask {
            Ask::Fetch { from, via, head, target } => self.fetch(from, via, head, target, now, &mut out),
            Ask::Report { from, grant, mac, report } => {
                self.report(from, grant.as_deref(), mac, report, now, &mut out)
            }
            Ask::Command { source, command } => self.command(source, command, now, &mut out),
            Ask::View(view) => self.view(&view, now),
        };
        out.effects.push(Effect::Answer(reply, answer));
        out
    }

    /// Journals and tells what became of a node.
    pub(super) fn note(&self, update: Update, out: &mut Outcome) {
        if let Some(moved) = update.moved {
            let node = self.nodes.get(moved.mac);
            out.note(Note::Moved {
                mac: moved.mac,
                node: self.label(moved.mac),
                from: moved.from,
                to: moved.to,
                story: node.map(|node| story(node, moved.to)).unwrap_or_default(),
            });
        }
        out.changes.extend(update.changed.map(Change::Node));
    }

    /// How many installs run.
    pub(super) fn running(&self) -> usize {
        self.nodes.running()
    }
}

/// What a node's entering a stage means, in one clause for the log.
fn story(node: &Node, stage: Stage) -> String {
    let version = |grant: &Grant| format!("{} {}", grant.profile, grant.version);
    let what = node.grant().map(version).unwrap_or_default();
    match stage {
        Stage::Idle => "left alone".into(),
        Stage::Discovered => format!("asks for a network boot; may install {what}"),
        Stage::Loading => "has its boot loader".into(),
        Stage::Booting => format!("has kernel and initrd of {what}"),
        Stage::Configuring => "asks for its configuration".into(),
        Stage::Installing => format!("takes the image of {what}; its disk is being overwritten"),
        Stage::Written => "has its image on the disk".into(),
        Stage::Installed => "is up from its own disk".into(),
        Stage::Failed => node
            .failure()
            .map(|failure| format!("failed while {}: {}", failure.stage, failure.reason))
            .unwrap_or_default(),
    }
}
