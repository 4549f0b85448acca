//! The state, and what every kind of event does to it.

use std::{collections::BTreeMap, net::Ipv4Addr, sync::Arc};

use crate::{
    appliance::{Ask, Change, Effect, Note, Outcome, Progress, ReplyId, TransferEnd, TransferId},
    arm::Arming,
    assets::catalog::{Catalog, Version},
    boot::{self, Kernel, Plan},
    config::{NodeSettings, Settings, UnknownNodes},
    dhcp,
    ids::{Arch, Mac, Stage, Time},
    nodes::{Grant, Node, Registry, Sign, Update, Verdict},
};

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
    pub(super) arming: Arming,
    pub(super) last_arming: u64,
    /// What is wrong with the configuration that the running one stands in for.
    pub(super) config_fault: Option<String>,
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
    Image,
}

impl Appliance {
    /// The service as it starts: what the journal kept, and disarmed.
    pub fn new(settings: Arc<Settings>, catalog: Arc<Catalog>, stored: Stored, now: Time) -> Appliance {
        let mut appliance = Appliance {
            dhcp: dhcp::Server::new(&settings),
            nodes: Registry::default(),
            arming: Arming::default(),
            last_arming: 0,
            config_fault: None,
            transfers: BTreeMap::new(),
            last_transfer: 0,
            settings,
            catalog,
        };
        appliance.restore(stored, now);
        appliance
    }

    /// Shows what is wrong with the configuration that was meant, where another stands in for it.
    #[must_use]
    pub fn instead_of(self, config_fault: Option<String>) -> Appliance {
        Appliance { config_fault, ..self }
    }

    /// Whether the configuration is not the one that was meant.
    pub fn is_stand_in(&self) -> bool {
        self.config_fault.is_some()
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

    /// Takes over a reloaded configuration.
    pub fn reconfigure(&mut self, settings: Arc<Settings>) {
        self.settings = settings;
        self.dhcp.reconfigure(&self.settings);
        self.list_nodes();
    }

    /// Takes over what a scan found.
    pub fn restock(&mut self, catalog: Arc<Catalog>) {
        self.catalog = catalog;
    }

    fn list_nodes(&mut self) {
        self.nodes.list(self.settings.nodes.iter().map(|node| (node.name.as_str(), node.macs.as_slice())));
    }

    /// A DHCP packet came in.
    pub fn packet(&mut self, packet: &dhcp::Packet, now: Time) -> Outcome {
        let mut out = Outcome::default();
        let boot = self.boot_for(&dhcp::Client::of(packet), now, &mut out);
        let outcome = self.dhcp.handle(packet, &boot, now);
        out.take_dhcp(outcome);
        out
    }

    /// The probe of an address ended.
    pub fn probed(&mut self, probe: dhcp::ProbeId, in_use: bool, now: Time) -> Outcome {
        let mut out = Outcome::default();
        let outcome = self.dhcp.probed(probe, in_use, now);
        out.take_dhcp(outcome);
        out
    }

    /// Notes what a DHCP client's message says of its node, and decides what it boots.
    fn boot_for(&mut self, client: &dhcp::Client, now: Time, out: &mut Outcome) -> dhcp::Boot {
        if client.wants_boot() {
            if client.is_discover() {
                let sign = Sign::NetworkBoot { arch: client.arch, open: self.arming.open(now) };
                let update = self.nodes.saw(client.mac, sign, true, now);
                self.note(update, out);
                self.grant_if_armed(client.mac, now, out);
            }
            return self.boot_file(client);
        }
        if client.starts_afresh() {
            let listed = self.nodes.is_listed(client.mac);
            let update = self.nodes.saw(client.mac, Sign::SystemBoot, listed, now);
            self.note(update, out);
        }
        dhcp::Boot::None
    }

    /// The loader, unless the node is to boot its disk and its firmware goes on to it by itself.
    fn boot_file(&self, client: &dhcp::Client) -> dhcp::Boot {
        let arch = client.arch.unwrap_or(Arch::Bios);
        let Some(file) = boot::loader(arch) else { return dhcp::Boot::None };
        let to_disk = self.nodes.get(client.mac).is_none_or(|node| node.grant.is_none());
        if to_disk && boot::goes_on_without_file(arch) {
            return dhcp::Boot::None;
        }
        dhcp::Boot::Load { server: self.settings.network.address, file: file.to_owned() }
    }

    /// Grants an install if the open arming takes the node in and has not granted it yet.
    fn grant_if_armed(&mut self, mac: Mac, now: Time, out: &mut Outcome) {
        let mac = self.nodes.primary(mac);
        let Some(window) = self.arming.window(now) else { return };
        let installed = self.nodes.get(mac).is_some_and(|node| node.installed.is_some());
        if !window.scope.admits(mac, installed) || !self.is_allowed(mac) {
            return;
        }
        let (arming, live) = (window.id, window.live);
        match self.version_for(mac) {
            Ok(version) => {
                let profile = version.profile.name.to_owned();
                let grant =
                    Grant { arming, live, profile, version: version.version, made: now, spent: false };
                let update = self.nodes.grant(mac, grant, now);
                self.note(update, out);
            }
            Err(reason) => out.note(Note::NotGranted { node: self.label(mac), reason: reason.to_string() }),
        }
    }

    /// Whether the configuration lets a node install at all.
    fn is_allowed(&self, mac: Mac) -> bool {
        self.nodes.is_listed(mac) || self.settings.install.unknown_nodes == UnknownNodes::Install
    }

    /// The node's own settings.
    pub(super) fn node_settings(&self, mac: Mac) -> Option<&NodeSettings> {
        let mac = self.nodes.primary(mac);
        self.settings.nodes.iter().find(|node| node.macs.first() == Some(&mac))
    }

    /// What a node would be installed with.
    pub(super) fn version_for(&self, mac: Mac) -> Result<Version, crate::assets::catalog::NotReady> {
        let own = self.node_settings(mac);
        let profile = own.and_then(|node| node.profile.as_deref()).unwrap_or(&self.settings.install.profile);
        let version = own.and_then(|node| node.version.as_deref()).unwrap_or(&self.settings.install.version);
        self.catalog.ready(profile, version)
    }

    /// What a node boots when its loader asks for a menu.
    pub(super) fn plan(&self, node: Option<&Node>, now: Time) -> Plan {
        let disk = |why: &str| Plan::Disk { why: why.to_owned() };
        let Some(node) = node else { return disk("this machine is not known") };
        let verdict = node.may_boot_installer(self.arming.open(now));
        let grant = match (verdict, &node.grant) {
            (Verdict::Yes, Some(grant)) => grant,
            (Verdict::No(why), _) => return disk(why),
            (Verdict::Yes, None) => return disk("it has no grant"),
        };
        let version = match self.catalog.ready(&grant.profile, &grant.version) {
            Ok(version) => version,
            Err(reason) => return disk(&reason.to_string()),
        };
        let script = format!("{}/cloud-configs/install.sh", self.base_url());
        let script = (!grant.live).then_some(script.as_str());
        let console = self.settings.install.console.as_ref();
        let console = console.map(|console| format!(" console=tty0 console={console}")).unwrap_or_default();
        let arguments = format!("{}{console}", version.profile.kernel_arguments(script));
        let path = |file: &str| format!("{}/{file}", version.base.join("/"));
        Plan::Kernel(Kernel {
            title: format!(
                "{} {} {} on {}",
                if grant.live { "starting" } else { "installing" },
                grant.profile,
                grant.version,
                self.label(node.mac)
            ),
            server: self.server(),
            kernel: path(version.profile.kernel),
            initrd: path(version.profile.initrd),
            bootif: node.mac.bootif(),
            arguments,
        })
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
    pub(super) fn base_url(&self) -> String {
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
        };
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
        out
    }

    /// When [`Appliance::tick`] has work next.
    pub fn deadline(&self) -> Option<Time> {
        [self.arming.deadline(), self.nodes.deadline(), self.dhcp.deadline()].into_iter().flatten().min()
    }

    /// Answers a question.
    pub fn ask(&mut self, reply: ReplyId, ask: Ask, now: Time) -> Outcome {
        let mut out = Outcome::default();
        let answer = match ask {
            Ask::Fetch { peer, via, head, route } => self.fetch(peer, via, head, route, now, &mut out),
            Ask::Report { peer, mac, report } => self.report(peer, mac, report, now, &mut out),
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
