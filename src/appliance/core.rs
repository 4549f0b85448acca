//! The state, and what every kind of event does to it.

use std::{collections::BTreeMap, net::Ipv4Addr, sync::Arc, time::Duration};

use crate::{
    appliance::{
        Ask, Change, Effect, Note, Outcome, Progress, ReplyId, TransferEnd, TransferId, lookout::turned_away,
        texts::Order,
    },
    arm::{Arming, Window},
    assets::{
        catalog::Catalog,
        version::{FileSet, NotReady, Version},
    },
    boot,
    config::{NodeSettings, Settings, UnknownNodes, Verify},
    dhcp::{self, Standing},
    ids::{Mac, Stage, Time},
    nodes::{Grant, Node, Registry, Sign, Step, Tokens, Trails, Update, no_loader},
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
    /// Number of the last arming.
    pub arming: u64,
    /// The last moment that was journaled.
    pub time: Time,
}

/// The one state of the service. Made disarmed, always.
#[derive(Debug)]
pub struct Appliance {
    pub(super) settings: Arc<Settings>,
    pub(super) catalog: Arc<Catalog>,
    pub(super) nodes: Registry,
    pub(super) dhcp: dhcp::Server,
    pub(super) interlock: dhcp::Interlock,
    pub(super) proxy: dhcp::Proxy,
    pub(super) spoofs: dhcp::Spoofs,
    pub(super) arming: Arming,
    pub(super) last_arming: u64,
    /// Why the journal can't be written, while that lasts.
    pub(super) unwritable: Option<String>,
    /// What is wrong with configured nodes' configurations, or missing.
    pub(super) config_faults: BTreeMap<Mac, String>,
    pub(super) trails: Trails,
    /// When time last passed for those who show the nodes: a silence is seen by nobody's message.
    looked: Time,
    tokens: Tokens,
    transfers: BTreeMap<TransferId, Transfer>,
    last_transfer: u64,
}

/// A transfer that moves a node on.
#[derive(Debug, Clone, Copy)]
struct Transfer {
    mac: Mac,
    cargo: Cargo,
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
            interlock: dhcp::Interlock::new(settings.network.mode, settings.network.address),
            proxy: dhcp::Proxy::default(),
            spoofs: dhcp::Spoofs::default(),
            nodes: Registry::default(),
            arming: Arming::default(),
            last_arming: 0,
            unwritable: None,
            config_faults: BTreeMap::new(),
            trails: Trails::default(),
            looked: now,
            tokens: Tokens::new(secret),
            transfers: BTreeMap::new(),
            last_transfer: 0,
            settings,
            catalog,
        };
        appliance.restore(stored, now);
        appliance.look_at_configs(now);
        appliance
    }

    /// Goes back to what the journal holds, disarmed: at the start, and when it could not take a change.
    pub fn restore(&mut self, stored: Stored, now: Time) {
        self.arming.disarm();
        self.nodes = Registry::restore(stored.nodes);
        self.nodes.wake(now);
        self.last_arming = self.last_arming.max(stored.arming);
        self.dhcp = dhcp::Server::new(&self.settings);
        self.dhcp.restore(stored.leases);
        self.list_nodes();
    }

    /// Takes note that the journal can't be written, and why; or that it can. True if that is news.
    pub fn journal_fails(&mut self, reason: Option<String>) -> bool {
        let is_news = self.unwritable != reason;
        self.unwritable = reason;
        is_news
    }

    /// Why the journal can't be written, while that lasts.
    pub fn unwritable(&self) -> Option<&str> {
        self.unwritable.as_deref()
    }

    /// Takes over a reloaded configuration.
    pub fn reconfigure(&mut self, settings: Arc<Settings>, now: Time) {
        self.settings = settings;
        self.dhcp.reconfigure(&self.settings);
        self.list_nodes();
        self.look_at_configs(now);
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
    }

    fn config_fault(&self, mac: Mac, now: Time) -> Option<String> {
        let (version, set) = self.wanted_files(mac).ok()?;
        if version.profile.configs.is_empty() {
            return None;
        }
        match self.node_config(&Order { mac, version, set, token: "" }, None, now) {
            Ok(Some(_)) => None,
            Ok(None) => Some(self.no_config(mac, &version.profile)),
            Err(fault) => Some(fault),
        }
    }

    fn list_nodes(&mut self) {
        self.nodes.list(self.settings.nodes.iter().map(|node| (node.name.as_str(), node.macs.as_slice())));
    }

    /// A DHCP packet came in.
    pub fn packet(&mut self, packet: &dhcp::Packet, now: Time) -> Outcome {
        if let Err(news) = self.spoofs.judge(packet, now) {
            return turned_away(news);
        }
        let mut out = Outcome::default();
        let outcome = self.look_out(packet, now);
        self.take_sighting(outcome, &mut out);
        let boot = self.boot_for(&dhcp::Client::of(packet), now, &mut out);
        match self.interlock.standing() {
            Standing::Looking => {}
            Standing::Full => {
                let outcome = self.dhcp.handle(packet, &boot, now);
                out.take_dhcp(outcome);
            }
            Standing::Proxy => self.beside(packet, &boot, now, &mut out),
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

    /// Grants an install if the open arming takes the node in and has not granted it yet.
    pub(super) fn grant_if_armed(&mut self, mac: Mac, now: Time, out: &mut Outcome) {
        let mac = self.nodes.primary(mac);
        let Some(window) = self.admitting(mac, now) else { return };
        let (arming, live) = (window.id, window.live);
        let ready = self.wanted_files(mac).map(|(version, set)| (version.clone(), set.arch.clone()));
        match ready {
            Ok((version, arch)) => {
                let grant = Grant {
                    arming,
                    live,
                    profile: version.profile.name.clone(),
                    version: version.name,
                    arch,
                    token: self.tokens.next(mac),
                    silence: version.profile.silence,
                    made: now,
                    spent: false,
                };
                let update = self.nodes.grant(mac, grant, now);
                let firmware = self.nodes.get(mac).and_then(|node| node.arch);
                if update.moved.is_some() && !firmware.is_none_or(boot::is_served) {
                    let reason = no_loader(firmware);
                    out.note(Note::NotGranted { node: self.label(mac), reason });
                }
                self.note(update, out);
            }
            Err(reason) => out.note(Note::NotGranted { node: self.label(mac), reason: reason.to_string() }),
        }
    }

    /// The open arming, if it takes a node in and the configuration lets that node install at all.
    pub(super) fn admitting(&self, mac: Mac, now: Time) -> Option<&Window> {
        let installed = self.nodes.get(mac).is_some_and(|node| node.installed.is_some());
        let window = self.arming.window(now)?;
        (window.scope.admits(mac, installed) && self.is_allowed(mac)).then_some(window)
    }

    /// Whether the configuration lets a node install at all.
    pub(super) fn is_allowed(&self, mac: Mac) -> bool {
        self.nodes.is_listed(mac) || self.settings.install.unknown_nodes == UnknownNodes::Install
    }

    /// The node's own settings.
    pub(super) fn node_settings(&self, mac: Mac) -> Option<&NodeSettings> {
        let mac = self.nodes.primary(mac);
        self.settings.nodes.iter().find(|node| node.macs.first() == Some(&mac))
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

    /// A version's files for a processor: all there and, unless the configuration lets everything pass, authentic.
    pub(super) fn files_of(
        &self,
        profile: &str,
        version: &str,
        arch: &str,
    ) -> Result<(&Version, &FileSet), NotReady> {
        match self.settings.assets.verify {
            Verify::Required => self.catalog.verified_for(profile, version, arch),
            Verify::UnsignedOk => self.catalog.ready_for(profile, version, arch),
        }
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

    /// The node that holds an address.
    pub(super) fn node_at(&self, peer: Ipv4Addr, now: Time) -> Option<Mac> {
        self.dhcp.mac_of(peer, now).map(|mac| self.nodes.primary(mac))
    }

    /// A transfer to a node begins.
    pub(super) fn begin_transfer(&mut self, mac: Mac, cargo: Cargo) -> TransferId {
        self.last_transfer += 1;
        let id = TransferId(self.last_transfer);
        self.transfers.insert(id, Transfer { mac, cargo });
        id
    }

    /// A transfer moved on or ended.
    pub fn progress(&mut self, progress: Progress, now: Time) -> Outcome {
        let mut out = Outcome::default();
        let Some(Transfer { mac, cargo }) = self.transfers.get(&progress.transfer).copied() else {
            return out;
        };
        if progress.end.is_some() {
            self.transfers.remove(&progress.transfer);
        }
        let whole = progress.end == Some(TransferEnd::Complete) && progress.sent == progress.total;
        let sign = match cargo {
            Cargo::Image if whole => Sign::ImageComplete,
            Cargo::Image => Sign::ImageSent { sent: progress.sent, total: progress.total },
            _ if !whole => Sign::Alive,
            Cargo::Loader => Sign::Loader,
            Cargo::Kernel => Sign::Kernel,
            Cargo::Initrd => Sign::Initrd,
            Cargo::Rootfs => Sign::Alive,
        };
        if sign == Sign::Loader {
            self.trails.take(mac, Step::Loader);
            self.remember_offer_style(mac, now, &mut out);
        }
        let update = self.nodes.saw(mac, sign, false, now);
        self.note(update, &mut out);
        out
    }

    /// Time passed.
    pub fn tick(&mut self, now: Time) -> Outcome {
        let mut out = Outcome::default();
        if self.arming.expire(now) {
            out.note(Note::ArmingOver { running: self.running() });
            for update in self.nodes.withdraw(false, now) {
                self.note(update, &mut out);
            }
        }
        for update in self.nodes.time_out(now) {
            self.note(update, &mut out);
        }
        let outcome = self.dhcp.tick(now);
        out.take_dhcp(outcome);
        self.looked = now;
        let outcome = self.interlock.tick(now);
        self.take_sighting(outcome, &mut out);
        out
    }

    /// When [`Appliance::tick`] has work next.
    pub fn deadline(&self) -> Option<Time> {
        let installing = self.nodes.all().any(|(_, node)| node.is_some_and(|node| node.grant.is_some()));
        let parts = [
            self.arming.deadline(),
            self.nodes.deadline(),
            self.dhcp.deadline(),
            self.interlock.deadline(),
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
        self.nodes.all().filter(|(_, node)| node.is_some_and(|node| node.stage.is_running())).count()
    }
}

/// What a node's entering a stage means, in one clause for the log.
fn story(node: &Node, stage: Stage) -> String {
    let version = |grant: &Grant| format!("{} {}", grant.profile, grant.version);
    let what = node.grant.as_ref().map(version).unwrap_or_default();
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
            .failure
            .as_ref()
            .map(|failure| format!("failed while {}: {}", failure.stage, failure.reason))
            .unwrap_or_default(),
    }
}
