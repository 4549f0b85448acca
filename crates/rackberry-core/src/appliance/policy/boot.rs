//! Boot policy: where a machine's start leads, and what it is told to load for that.

use crate::{
    appliance::{
        decision::{BootChoice, Decision, Lead, SpeaksFor},
        policy::Known,
    },
    boot::{self, Addresses, Rom},
    dhcp::{self, ServingMode},
    ids::{Arch, Loader, Mac},
    nodes::{BootDestination, Node, NodeEvent, Verdict},
};

/// Decides by what is known.
#[derive(Debug, Clone, Copy)]
pub struct BootPolicy<'a> {
    known: Known<'a>,
    /// Another DHCP server hands out the addresses.
    addresses: Addresses,
}

impl<'a> BootPolicy<'a> {
    /// By what is known.
    pub fn new(known: Known<'a>) -> BootPolicy<'a> {
        let addresses = match known.network.serving_mode() {
            ServingMode::Proxy => Addresses::Elsewhere,
            ServingMode::Looking | ServingMode::Full => Addresses::Here,
        };
        BootPolicy { known, addresses }
    }

    /// Where a start from the network by this card leads that begins now.
    pub fn decide(&self, card: Mac) -> Decision {
        let Known { machines, now, .. } = self.known;
        let nodes = machines.nodes();
        if let Some(reason) = self.known.condition.unwritable() {
            return Decision::Refused(format!("the state can't be written, so nobody installs: {reason}"));
        }
        let key = nodes.key(card);
        let mut node = nodes.get(card).cloned().unwrap_or_else(|| Node::new(key, now));
        if let Some(reason) = self.is_not_its_card(&node, card) {
            return Decision::Refused(reason);
        }
        if let Some(other) = nodes.namesake(card) {
            return Decision::Refused(format!(
                "its firmware calls its machine the same as that of {}, which is at work: if they are two machines, list both \
                 as [[node]]",
                self.known.label(other.mac)
            ));
        }
        node.apply(NodeEvent::NetworkBoot { arch: None }, now);
        let (subject, tries) = (nodes.subject(card, &node), self.known.settings().install.tries);
        let order = match node.destination(&subject, machines.orders(), tries, now) {
            BootDestination::Disk(why) => return Decision::Disk(why.into()),
            BootDestination::Refused(why) => return Decision::Refused(why),
            BootDestination::Order(order) => order,
        };
        if !self.known.is_allowed(key) {
            let why = "the configuration does not list it (install.unknown_nodes = \"ignore\")";
            return Decision::Disk(why.into());
        }
        if let Some(why) = node.arch.and_then(|arch| self.no_loader(arch)) {
            return Decision::Refused(why);
        }
        match self.known.wanted_files(key) {
            Ok((version, set)) => Decision::Lead(Box::new(Lead::of(order, version, set))),
            Err(reason) => Decision::Refused(reason.to_string()),
        }
    }

    /// Whom a card speaks for that starts.
    pub fn speaks_for(&self, card: Mac) -> SpeaksFor {
        match self.known.nodes().get(card) {
            Some(node) if self.is_not_its_card(node, card).is_some() => SpeaksFor::ItselfOnly,
            _ => SpeaksFor::ItsMachine,
        }
    }

    /// Why a card does not get what its machine may have. A firmware's identifier is a claim: it joins a card to a machine,
    /// so that this is not taken for a fresh one, and entitles it to nothing that is the configured card's.
    fn is_not_its_card(&self, node: &Node, card: Mac) -> Option<String> {
        let nodes = self.known.nodes();
        if nodes.stands_for_its_node(card) {
            return None;
        }
        if let Some(other) = nodes.installs_by_another(node.mac).filter(|_| nodes.lists(node.mac, card)) {
            return Some(format!("its machine is being installed by its card {other}"));
        }
        if nodes.is_listed(card) {
            return Some(format!(
                "its firmware says that it is {}; if it is that machine's second card, add {card} to its macs, else list it \
                 as a [[node]] of its own",
                self.known.label(node.mac)
            ));
        }
        let other = node.grant().map(|grant| grant.card.to_string()).unwrap_or_default();
        nodes
            .is_at_work(node.mac, self.known.now)
            .then(|| format!("its machine is being installed by its card {other}"))
    }

    /// Whether this is a loader that the machine has from here and that asks for an address of its own, and no new start of
    /// the machine.
    pub fn is_loader_from_here(&self, client: &dhcp::Client) -> bool {
        self.is_second_stage(client) || self.is_pis_uboot(client)
    }

    /// The iPXE that a node was given as its loader.
    fn is_second_stage(&self, client: &dhcp::Client) -> bool {
        let attempts = self.known.machines.attempts(client.mac);
        client.is_ipxe() && attempts.offered_loader() == Some(Loader::Ipxe) && attempts.has_only_its_loader()
    }

    /// The U-Boot that a Raspberry Pi has loaded. After its own way (architecture 22) U-Boot tries that of UEFI (11).
    fn is_pis_uboot(&self, client: &dhcp::Client) -> bool {
        let is_uboot = matches!(client.arch, Some(Arch::UbootArm64 | Arch::EfiArm64));
        is_uboot
            && self.known.nodes().get(client.mac).is_some_and(Node::is_raspberry_pi)
            && self.known.machines.attempts(client.mac).has_only_its_loader()
    }

    /// What a client is told: a loader, unless its node is to boot its disk and its firmware goes on to it by itself.
    pub fn choose(&self, client: &dhcp::Client) -> BootChoice {
        let arch = client.arch.unwrap_or(Arch::Bios);
        let nodes = self.known.nodes();
        let node = nodes.get(client.mac);
        // A grant is its card's: the machine's others go on to the disk.
        let is_led = |node: &Node| {
            self.known.may_be_led(node) == Verdict::Yes && nodes.stands_for_its_node(client.mac)
        };
        let to_disk = !node.is_some_and(is_led);
        if to_disk && boot::goes_on_without_file(arch) {
            return BootChoice::Nothing;
        }
        // In somebody else's network, others' machines boot as if this service were not there.
        let ours = nodes.is_listed(client.mac) || node.is_some_and(|node| node.writes > 0);
        if to_disk && self.addresses == Addresses::Elsewhere && !ours {
            return BootChoice::Nothing;
        }
        if boot::asks_by_itself(arch) {
            return BootChoice::Load { file: String::new(), loader: None };
        }
        let Some(loader) = self.loader_for(client, arch) else { return BootChoice::Nothing };
        let url = |path: &str| format!("{}/{path}", self.known.setup.server_url());
        let file = match loader {
            Loader::Ipxe if client.boots_scripts() => Some(url(&format!("boot.ipxe?mac={}", client.mac))),
            // iPXE would only be the long way round.
            Loader::Ipxe if to_disk => boot::disk_loader(arch).map(str::to_owned),
            loader => boot::file(loader, arch).map(|file| match arch.boots_by_http() {
                true => url(file),
                false => file.to_owned(),
            }),
        };
        file.map_or(BootChoice::Nothing, |file| BootChoice::Load { file, loader: Some(loader) })
    }

    /// The loader for a client: the one that the configuration says, or the best of those that have not failed it.
    fn loader_for(&self, client: &dhcp::Client, arch: Arch) -> Option<Loader> {
        let Known { setup, machines, .. } = self.known;
        let script = |loader: Loader| loader == Loader::Ipxe && client.boots_scripts();
        let usable = |loader: Loader| {
            script(loader) || boot::file(loader, arch).is_some_and(|file| self.has_loader_file(file))
        };
        if self.is_second_stage(client) {
            return Some(Loader::Ipxe);
        }
        let own = self.known.node_settings(client.mac).and_then(|node| node.loader);
        let configured = own.or(setup.settings().install.loader);
        if let Some(chosen) = configured.filter(|loader| usable(*loader)) {
            return Some(chosen);
        }
        // Menus that somebody wrote by hand are pxelinux's.
        if arch == Arch::Bios && setup.catalog().pxelinux_menu(machines.nodes().key(client.mac)).is_some() {
            return Some(Loader::Pxelinux);
        }
        let rom = if client.boots_scripts() { Rom::Ipxe } else { Rom::Own };
        let suited: Vec<Loader> = boot::loaders(arch, rom, self.addresses)
            .iter()
            .copied()
            .filter(|loader| usable(*loader))
            .collect();
        let worked = machines.nodes().get(client.mac).and_then(|node| node.loader);
        boot::choose(&suited, worked, machines.attempts(client.mac).refused())
    }

    /// Why a machine of this kind is not led to an installer, if there is no loader for it: none exists, or its file is not
    /// there.
    pub fn no_loader(&self, arch: Arch) -> Option<String> {
        if arch == Arch::EfiIa32 {
            return Some(
                "its firmware is 32-bit UEFI, for which there is no loader; switch BIOS boot on".into(),
            );
        }
        if !boot::is_served(arch) {
            return Some(format!("there is no loader for its firmware ({arch})"));
        }
        let loaders = boot::loaders(arch, Rom::Own, self.addresses).iter();
        let mut files = loaders.filter_map(|loader| boot::file(*loader, arch));
        let is_there = boot::asks_by_itself(arch) || files.any(|file| self.has_loader_file(file));
        (!is_there).then(|| {
            let folder = self.known.settings().assets.loaders.display();
            format!("{folder} has no boot loader for its firmware ({arch}): put them there, or mend assets.loaders")
        })
    }

    fn has_loader_file(&self, file: &str) -> bool {
        let name: Vec<String> = file.split('/').map(str::to_owned).collect();
        self.known.setup.catalog().loader(&name).is_some()
    }
}
