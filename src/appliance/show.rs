//! Making the views.

use crate::{
    appliance::{Answer, Appliance, NodeView, Refusal, StatusView, View},
    assets::version::{NotReady, Version},
    boot,
    config::Verify,
    ids::{Mac, Stage, Time},
    nodes::{self, Around, Node},
};

impl Appliance {
    /// Answers a look at the state.
    pub(super) fn view(&self, view: &View, now: Time) -> Answer {
        let json = match view {
            View::Status => serde_json::to_value(self.status(now)),
            View::Assets => serde_json::to_value(self.assets()),
            View::Nodes => serde_json::to_value(self.node_views(now)),
            View::Node(text) => match self.find(text) {
                Ok(mac) => match self.node_views(now).into_iter().find(|node| node.mac == mac) {
                    Some(node) => serde_json::to_value(node),
                    None => return Answer::Refused(Refusal::NotFound(format!("nothing is known of {text}"))),
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
        let window = self.arming.window(now);
        let nodes = self.node_views(now);
        let count = |stage| nodes.iter().filter(|node| node.stage == stage).count();
        let counts =
            Stage::ALL.into_iter().map(|stage| (stage, count(stage))).filter(|(_, n)| *n > 0).collect();
        let ready = self.default_version();
        let name = |version: &Version| format!("{} {}", version.profile.name, version.name);
        StatusView {
            version: env!("CARGO_PKG_VERSION").into(),
            armed_seconds: window.map(|window| window.until.since(now).as_secs()),
            live: window.is_some_and(|window| window.live),
            interface: self.settings.network.interface.clone().unwrap_or_default(),
            address: format!("{}/{}", self.settings.network.address, self.settings.network.prefix),
            url: self.server_url(),
            dhcp: self.interlock.standing(),
            panel: String::new(),
            ready: ready.map(name).map_err(|reason| reason.to_string()),
            counts,
            leases: self.dhcp.leases_in_force(now),
            warnings: self.warnings(),
        }
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
        if self.settings.assets.verify == Verify::UnsignedOk {
            warnings.push("unsigned operating systems are accepted (assets.verify = \"unsigned-ok\")".into());
        }
        warnings.extend(self.other_server());
        warnings.extend(self.catalog.faults().cloned());
        warnings.extend(self.file_warnings.iter().cloned());
        warnings
            .extend(self.config_faults.iter().map(|(mac, fault)| format!("{}: {fault}", self.label(*mac))));
        warnings
    }

    fn diagnosis(&self, node: &Node, now: Time) -> Option<String> {
        let rivals = self.interlock.rivals();
        let around = Around { rival: rivals.as_deref(), has_loader: node.arch.is_none_or(boot::is_served) };
        nodes::diagnosis(node, &self.trails.of(node.mac), around, now)
    }

    /// Every node.
    pub fn node_views(&self, now: Time) -> Vec<NodeView> {
        let view = |(mac, node): (Mac, Option<&Node>)| {
            let name = self.nodes.name(mac).map(str::to_owned);
            let led = self.node_settings(mac).and_then(|own| own.led);
            let address = self.dhcp.address_of(mac, now).or(node.and_then(|node| node.address));
            NodeView {
                mac,
                macs: self.node_settings(mac).map_or_else(|| vec![mac], |own| own.macs.clone()),
                name,
                led,
                stage: node.map_or(Stage::Idle, |node| node.stage),
                stage_seconds: node.map_or(0, |node| now.since(node.since).as_secs()),
                seen_seconds: node.map(|node| now.since(node.seen).as_secs()),
                arch: node.and_then(|node| node.arch),
                address,
                granted: node.is_some_and(|node| node.grant.is_some()),
                image: node.and_then(|node| node.image),
                failure: node.and_then(|node| node.failure.clone()),
                diagnosis: node.and_then(|node| self.diagnosis(node, now)),
                installed: node.and_then(|node| node.installed.clone()),
                writes: node.map_or(0, |node| node.writes),
                offer_style: node.and_then(|node| node.offer_style),
                loader: node.and_then(|node| node.loader),
                log: node.map(|node| node.log.clone()).unwrap_or_default(),
            }
        };
        self.nodes.all().map(view).collect()
    }
}
