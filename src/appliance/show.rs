//! Making the views.

use crate::{
    appliance::{Answer, Appliance, NodeView, Refusal, StatusView, View},
    config::Verify,
    ids::{Mac, Stage, Time},
    nodes::Node,
};

impl Appliance {
    /// Answers a look at the state.
    pub(super) fn view(&self, view: &View, now: Time) -> Answer {
        let json = match view {
            View::Status => serde_json::to_value(self.status(now)),
            View::Nodes => serde_json::to_value(self.node_views(now)),
            View::Node(text) => match self.find(text) {
                Ok(mac) => match self.node_views(now).into_iter().find(|node| node.mac == mac) {
                    Some(node) => serde_json::to_value(node),
                    None => return Answer::Refused(Refusal::NotFound(format!("nothing is known of {text}"))),
                },
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
        let install = &self.settings.install;
        let ready = self.catalog.ready(&install.profile, &install.version);
        StatusView {
            version: env!("CARGO_PKG_VERSION").into(),
            armed_seconds: window.map(|window| window.until.since(now).as_secs()),
            live: window.is_some_and(|window| window.live),
            interface: self.settings.network.interface.clone().unwrap_or_default(),
            address: format!("{}/{}", self.settings.network.address, self.settings.network.prefix),
            url: self.base_url(),
            ready: ready.map(|v| format!("{} {}", v.profile.name, v.version)).map_err(|e| e.to_string()),
            counts,
            leases: self.dhcp.leases_in_force(now),
            warnings: self.warnings(),
        }
    }

    fn warnings(&self) -> Vec<String> {
        let mut warnings: Vec<String> = self.config_fault.iter().cloned().collect();
        if self.settings.assets.verify == Verify::UnsignedOk {
            warnings.push("unsigned operating systems are accepted (assets.verify = \"unsigned-ok\")".into());
        }
        for node in &self.settings.nodes {
            let Some(mac) = node.macs.first() else { continue };
            if self.catalog.node_config(*mac, Some(&node.name)).is_none() {
                warnings.push(format!(
                    "{} has no configuration: put cloud-configs/{mac}.yml into an asset folder",
                    node.name
                ));
            }
        }
        warnings
    }

    /// Every node.
    pub fn node_views(&self, now: Time) -> Vec<NodeView> {
        let view = |(mac, node): (Mac, Option<&Node>)| {
            let name = self.nodes.name(mac).map(str::to_owned);
            let led = self.node_settings(mac).and_then(|own| own.led);
            let address = self.dhcp.address_of(mac, now).or(node.and_then(|node| node.address));
            NodeView {
                mac,
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
                installed: node.and_then(|node| node.installed.clone()),
                writes: node.map_or(0, |node| node.writes),
                log: node.map(|node| node.log.clone()).unwrap_or_default(),
            }
        };
        self.nodes.all().map(view).collect()
    }
}
