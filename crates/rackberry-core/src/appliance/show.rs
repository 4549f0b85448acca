//! Making the views.

use crate::{
    appliance::{
        Answer, Appliance, LeadsTo, NextBoot, NodeView, OrderView, Refusal, StatusView, View,
        permission::Decision,
    },
    assets::version::{NotReady, Version},
    config::Verify,
    ids::{Mac, OrderKind, Stage, Time},
    nodes::{self, Around, Node},
    orders::Order,
};

impl Appliance {
    /// Answers a look at the state.
    pub(super) fn view(&self, view: &View, now: Time) -> Answer {
        let json = match view {
            View::Status => serde_json::to_value(self.status(now)),
            View::Assets => serde_json::to_value(self.assets()),
            View::Node(text) => match self.find(text) {
                Ok(mac) => match self.nodes.has(mac) {
                    true => serde_json::to_value(self.node_view(mac, now)),
                    false => {
                        return Answer::Refused(Refusal::NotFound(format!("nothing is known of {text}")));
                    }
                },
                Err(refusal) => return Answer::Refused(refusal),
            },
            View::Render(text) => match self.find(text).and_then(|mac| self.render(mac, now)) {
                Ok(view) => serde_json::to_value(view),
                Err(refusal) => return Answer::Refused(refusal),
            },
        };
        json.map_or_else(|error| Answer::Refused(Refusal::Unavailable(error.to_string())), Answer::Json)
    }

    /// The state of the whole.
    pub fn status(&self, now: Time) -> StatusView {
        let orders: Vec<OrderView> = self.orders.open(now).map(|order| self.order_view(order, now)).collect();
        let counts = Stage::ALL.into_iter().map(|stage| (stage, self.nodes.in_stage(stage)));
        let ready = self.default_version();
        let name = |version: &Version| format!("{} {}", version.profile.name, version.name);
        StatusView {
            version: env!("CARGO_PKG_VERSION").into(),
            armed_seconds: orders.iter().map(|order| order.seconds).max(),
            live: !orders.is_empty() && orders.iter().all(|order| order.kind == OrderKind::Live),
            orders,
            interface: self.settings.network.interface.clone().unwrap_or_default(),
            address: format!("{}/{}", self.settings.network.address, self.settings.network.prefix),
            url: self.server_url(),
            dhcp: self.rogue_detection.serving_mode(),
            panel: String::new(),
            ready: ready.map(name).map_err(|reason| reason.to_string()),
            counts: counts.filter(|(_, n)| *n > 0).collect(),
            leases: self.dhcp.leases_in_force(now),
            warnings: self.warnings(),
        }
    }

    fn order_view(&self, order: &Order, now: Time) -> OrderView {
        OrderView {
            id: order.id,
            kind: order.kind,
            nodes: self.order_words(order),
            source: order.source.to_string(),
            seconds: order.until.since(now).as_secs(),
        }
    }

    /// What happens if a node's power is switched on now.
    fn next_boot(&self, mac: Mac, node: Option<&Node>, now: Time) -> NextBoot {
        let (leads_to, why) = match self.decide(mac, now) {
            Decision::Disk(why) => (LeadsTo::Disk, format!("boots its disk: {why}")),
            Decision::Refused(why) => (LeadsTo::Refused, format!("boots its disk: {why}")),
            Decision::Lead(lead) if lead.kind == OrderKind::Live => (
                LeadsTo::Live,
                format!("boots {} {} to RAM, and a person goes on", lead.profile, lead.version),
            ),
            Decision::Lead(lead) => (
                LeadsTo::Install,
                format!("installs {} {}; its disk is overwritten", lead.profile, lead.version),
            ),
        };
        let overwrites = match (leads_to, node.map(|node| &node.disk)) {
            (LeadsTo::Install, Some(disk)) => disk.in_words(),
            _ => None,
        };
        let words = match &overwrites {
            Some(what) => format!("{why}, and {what} with it"),
            None => why,
        };
        NextBoot { leads_to, words, overwrites }
    }

    /// What is wrong with operating systems and node configurations, a sentence each.
    pub fn faults(&self) -> Vec<String> {
        let default = self.default_version().err();
        let listed =
            self.settings.nodes.iter().filter_map(|node| self.wanted_files(*node.macs.first()?).err());
        let versions = self.catalog.versions().iter().flat_map(|version| {
            version.sets.iter().filter_map(|set| match set.is_complete() {
                true => self.catalog.usable(version, set, self.settings.assets.verify).err(),
                false => Some(NotReady::incomplete(version, set)),
            })
        });
        let unready = default.into_iter().chain(listed).chain(versions).map(|reason| reason.to_string());
        let configs = self.config_faults.iter().map(|(mac, fault)| format!("{}: {fault}", self.label(*mac)));
        let mut faults: Vec<String> = Vec::new();
        for fault in self.catalog.faults().cloned().chain(unready).chain(configs) {
            if !faults.contains(&fault) {
                faults.push(fault);
            }
        }
        faults
    }

    fn warnings(&self) -> Vec<String> {
        let mut warnings: Vec<String> = self.unwritable.iter().cloned().collect();
        warnings.extend(self.loss());
        if self.settings.assets.verify == Verify::UnsignedOk {
            warnings.push("unsigned operating systems are accepted (assets.verify = \"unsigned-ok\")".into());
        }
        if self.catalog.has_no_loaders() {
            let folder = self.settings.assets.loaders.display();
            warnings
                .push(format!("{folder} holds no boot loader (assets.loaders): no machine can be installed"));
        }
        warnings.extend(self.other_server());
        warnings.extend(self.catalog.faults().cloned());
        warnings.extend(self.file_warnings.iter().cloned());
        warnings
            .extend(self.config_faults.iter().map(|(mac, fault)| format!("{}: {fault}", self.label(*mac))));
        warnings
    }

    /// What is to be told of a lost state.
    pub fn loss(&self) -> Option<String> {
        let loss = self.loss.as_ref()?;
        Some(format!(
            "{loss}; nobody knows which machines are installed, so \"everybody\" means nobody: name the nodes, or use --all, \
             or say `rackberry accept-loss` if no machine here was installed by this service"
        ))
    }

    fn diagnosis(&self, node: &Node, now: Time) -> Option<String> {
        let rivals = self.rogue_detection.rivals();
        let no_loader = node.arch.and_then(|arch| self.no_loader(arch));
        let around = Around { rival: rivals.as_deref(), no_loader: no_loader.as_deref() };
        nodes::diagnosis(node, &self.boot_attempts.of(node.mac), around, now)
    }

    /// A node as it is now.
    pub(super) fn node_view(&self, mac: Mac, now: Time) -> NodeView {
        let node = self.nodes.get(mac);
        let name = self.nodes.name(mac).map(str::to_owned);
        let led = self.node_settings(mac).and_then(|own| own.led);
        let next_boot = self.next_boot(mac, node, now);
        // What a machine is refused that asks for it is why it does not get on.
        let is_refused =
            next_boot.leads_to == LeadsTo::Refused && node.is_some_and(|node| node.arch.is_some());
        let diagnosis = node
            .and_then(|node| self.diagnosis(node, now))
            .or_else(|| self.refusals.get(&mac).filter(|_| is_refused).cloned());
        let cards = self.nodes.cards(mac);
        let address = cards.iter().find_map(|card| self.dhcp.address_of(*card, now));
        NodeView {
            mac,
            macs: cards,
            name,
            led,
            stage: node.map_or(Stage::Idle, Node::stage),
            stage_seconds: node.map_or(0, |node| now.since(node.since).as_secs()),
            seen_seconds: node.map(|node| now.since(node.seen).as_secs()),
            arch: node.and_then(|node| node.arch),
            address,
            granted: node.is_some_and(|node| node.grant().is_some()),
            next_boot,
            image: node.and_then(Node::image),
            failure: node.and_then(|node| node.failure().cloned()),
            diagnosis,
            installed: node.and_then(|node| node.disk.system().cloned()),
            writes: node.map_or(0, |node| node.writes),
            offer_style: node.and_then(|node| node.offer_style),
            loader: node.and_then(|node| node.loader),
            log: node.map(|node| node.log.clone()).unwrap_or_default(),
        }
    }

    /// Every node, made anew: what those that were kept must be like.
    #[cfg(test)]
    pub fn node_views(&self, now: Time) -> Vec<NodeView> {
        self.nodes.all().map(|(mac, _)| self.node_view(mac, now)).collect()
    }
}
