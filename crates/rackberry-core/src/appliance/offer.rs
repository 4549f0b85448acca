//! What a machine that asks for a network boot is told to load.

use crate::{
    appliance::{Appliance, Change, Effect, Outcome},
    boot,
    dhcp::{self, Standing},
    ids::{Arch, Loader, Mac, Time},
    nodes::{Node, NodeEvent, Step, Verdict},
};

impl Appliance {
    /// Notes what a DHCP client's message says of its node, and decides what it boots.
    pub(super) fn boot_for(&mut self, client: &dhcp::Client, now: Time, out: &mut Outcome) -> dhcp::Boot {
        if client.wants_boot() {
            if client.is_discover() {
                let recognized = self.nodes.recognize(client.mac, client.machine, now);
                self.learned(recognized, out);
            }
            if self.is_second_stage(client) || self.is_pis_uboot(client) {
                let update = self.nodes.apply(client.mac, NodeEvent::Alive, true, now);
                self.note(update, out);
            } else if client.is_discover() {
                let trail = self.trail_of(client.mac);
                self.trails.take(trail, Step::Asked);
                out.effects.extend(self.dhcp.address_of(client.mac, now).map(Effect::Restarted));
                self.begin_start(client, now, out);
            }
            return self.boot_file(client, now);
        }
        if client.starts_afresh() {
            self.nodes.is_fresh(client.mac, now);
            // Another card of a machine, or its management controller, says nothing of the system on its disk.
            if self.nodes.stands_for_its_node(client.mac) {
                let listed = self.nodes.is_listed(client.mac);
                let update = self.nodes.apply(client.mac, NodeEvent::SystemUp, listed, now);
                self.note(update, out);
            }
        }
        dhcp::Boot::None
    }

    /// The loader, unless the node is to boot its disk and its firmware goes on to it by itself.
    pub(super) fn boot_file(&mut self, client: &dhcp::Client, now: Time) -> dhcp::Boot {
        let (boot, loader) = self.choose_boot(client, now);
        let mac = self.trail_of(client.mac);
        match boot {
            dhcp::Boot::None => self.trails.leave_alone(mac),
            dhcp::Boot::Load { .. } => self.trails.tell(mac, loader),
        }
        boot
    }

    /// What a client boots, and the loader that this is.
    fn choose_boot(&self, client: &dhcp::Client, now: Time) -> (dhcp::Boot, Option<Loader>) {
        const NOTHING: (dhcp::Boot, Option<Loader>) = (dhcp::Boot::None, None);
        let arch = client.arch.unwrap_or(Arch::Bios);
        let beside = self.interlock.standing() == Standing::Proxy;
        let node = self.nodes.get(client.mac);
        // A grant is its card's: the machine's others go on to the disk.
        let is_led = |node: &Node| {
            self.may_be_led(node, now) == Verdict::Yes && self.nodes.stands_for_its_node(client.mac)
        };
        let to_disk = !node.is_some_and(is_led);
        if to_disk && boot::goes_on_without_file(arch) {
            return NOTHING;
        }
        // In somebody else's network, others' machines boot as if this service were not there.
        let ours = self.nodes.is_listed(client.mac) || node.is_some_and(|node| node.writes > 0);
        if to_disk && beside && !ours {
            return NOTHING;
        }
        let load = |file: String| dhcp::Boot::Load { server: self.settings.network.address, file };
        if boot::asks_by_itself(arch) {
            return (load(String::new()), None);
        }
        let Some(loader) = self.loader_for(client, arch, beside) else { return NOTHING };
        let file = match loader {
            Loader::Ipxe if client.boots_scripts() => {
                Some(format!("{}/boot.ipxe?mac={}", self.server_url(), client.mac))
            }
            // iPXE would only be the long way round.
            Loader::Ipxe if to_disk => boot::disk_loader(arch).map(str::to_owned),
            loader => boot::file(loader, arch).map(|file| match arch.boots_by_http() {
                true => format!("{}/{file}", self.server_url()),
                false => file.to_owned(),
            }),
        };
        file.map_or(NOTHING, |file| (load(file), Some(loader)))
    }

    /// Why a machine of this kind is not led to an installer, if there is no loader for it: none exists, or its file is not
    /// there.
    pub(super) fn no_loader(&self, arch: Arch) -> Option<String> {
        if arch == Arch::EfiIa32 {
            return Some(
                "its firmware is 32-bit UEFI, for which there is no loader; switch BIOS boot on".into(),
            );
        }
        if !boot::is_served(arch) {
            return Some(format!("there is no loader for its firmware ({arch})"));
        }
        let beside = self.interlock.standing() == Standing::Proxy;
        let mut files =
            boot::loaders(arch, false, beside).iter().filter_map(|loader| boot::file(*loader, arch));
        let is_there = boot::asks_by_itself(arch) || files.any(|file| self.has_loader_file(file));
        (!is_there).then(|| {
            let folder = self.settings.assets.loaders.display();
            format!("{folder} has no boot loader for its firmware ({arch}): put them there, or mend assets.loaders")
        })
    }

    fn has_loader_file(&self, file: &str) -> bool {
        let name: Vec<String> = file.split('/').map(str::to_owned).collect();
        self.catalog.loader(&name).is_some()
    }

    /// The loader for a client: the one that the configuration says, or the best of those that have not failed it.
    fn loader_for(&self, client: &dhcp::Client, arch: Arch, beside: bool) -> Option<Loader> {
        let script = |loader: Loader| loader == Loader::Ipxe && client.boots_scripts();
        let usable = |loader: Loader| {
            script(loader) || boot::file(loader, arch).is_some_and(|file| self.has_loader_file(file))
        };
        if self.is_second_stage(client) {
            return Some(Loader::Ipxe);
        }
        let own = self.node_settings(client.mac).and_then(|node| node.loader);
        if let Some(chosen) = own.or(self.settings.install.loader).filter(|loader| usable(*loader)) {
            return Some(chosen);
        }
        // Menus that somebody wrote by hand are pxelinux's.
        if arch == Arch::Bios && self.catalog.pxelinux_menu(self.nodes.key(client.mac)).is_some() {
            return Some(Loader::Pxelinux);
        }
        let suited: Vec<Loader> = boot::loaders(arch, client.boots_scripts(), beside)
            .iter()
            .copied()
            .filter(|loader| usable(*loader))
            .collect();
        let worked = self.nodes.get(client.mac).and_then(|node| node.loader);
        boot::choose(&suited, worked, self.trails.of(self.trail_of(client.mac)).refused())
    }

    /// By which address a card's attempts to boot are kept: its machine's, if it stands for that.
    pub(super) fn trail_of(&self, card: Mac) -> Mac {
        if self.nodes.stands_for_its_node(card) { self.nodes.key(card) } else { card }
    }

    /// Whether this is the iPXE that a node was given as its loader, and no new start of the node.
    fn is_second_stage(&self, client: &dhcp::Client) -> bool {
        let trail = self.trails.of(self.trail_of(client.mac));
        client.is_ipxe() && trail.told() == Some(Loader::Ipxe) && trail.has_only_its_loader()
    }

    /// A loader asked for the kernel that its menu names: it is the one that works with its node.
    pub(super) fn remember_loader(&mut self, mac: Mac, now: Time, out: &mut Outcome) {
        let told = self.trails.of(mac).told();
        self.trails.take(mac, Step::Kernel);
        if told.is_some() && self.nodes.get(mac).is_some_and(|node| node.loader != told) {
            let update = self.nodes.change(mac, now, |node| node.loader = told);
            out.changes.extend(update.changed.map(Change::Node));
        }
    }
}
