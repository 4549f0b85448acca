//! Settings that are valid, and yet probably not what was meant.

use std::{collections::BTreeSet, fmt, net::Ipv4Addr};

use super::settings::{Settings, UnknownNodes, Verify};

/// A doubt about valid settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// The key's path, `dhcp.pool`.
    pub key: &'static str,
    /// What to think about, in one sentence.
    pub message: String,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.key, self.message)
    }
}

impl Settings {
    /// The addresses that nodes without a reservation never get, wherever the pool lies: the service's own,
    /// the router's, and the reserved ones.
    pub fn taken_addresses(&self) -> BTreeSet<Ipv4Addr> {
        let reserved = self.nodes.iter().filter_map(|node| node.address);
        reserved.chain(self.dhcp.router).chain([self.network.address]).collect()
    }

    /// How many addresses of the pool nodes without a reservation can get.
    pub fn free_in_pool(&self) -> usize {
        let (first, last) = self.dhcp.pool;
        let taken = self.taken_addresses().range(first..=last).count();
        let size = last.to_bits() - first.to_bits() + 1;
        (size as usize).saturating_sub(taken)
    }

    /// What is valid, and yet probably not what was meant.
    pub fn warnings(&self) -> Vec<Warning> {
        let mut warnings = Vec::new();
        let mut warn = |key, message: String| warnings.push(Warning { key, message });
        if let Some(router) = self.dhcp.router.filter(|router| !self.network.is_host(*router)) {
            let network = format!("{}/{}", self.network.base(), self.network.prefix);
            warn(
                "dhcp.router",
                format!("{router} is outside of the network {network}: nodes can't reach it"),
            );
        }
        let unreserved = self.nodes.iter().filter(|node| node.address.is_none()).count();
        let free = self.free_in_pool();
        if free < unreserved || (free == 0 && self.install.unknown_nodes == UnknownNodes::Install) {
            let nodes = if unreserved == 1 {
                "1 listed node has".into()
            } else {
                format!("{unreserved} listed nodes have")
            };
            warn("dhcp.pool", format!("{free} addresses are free in it, but {nodes} no address reserved"));
        }
        if self.install.unknown_nodes == UnknownNodes::Ignore && self.nodes.is_empty() {
            let message = "is \"ignore\", and no [[node]] is listed: nothing will ever install";
            warn("install.unknown_nodes", message.into());
        }
        if self.assets.verify == Verify::UnsignedOk {
            let message = "is \"unsigned-ok\": whoever can write to the assets decides what the rack runs";
            warn("assets.verify", message.into());
        }
        warnings
    }
}

#[cfg(test)]
mod tests {
    use super::super::parse;

    fn warnings(text: &str) -> Vec<String> {
        let settings = parse(&[("f".into(), text.to_owned())]).unwrap();
        settings.warnings().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn defaults_have_none() {
        assert_eq!(warnings(""), Vec::<String>::new());
    }

    #[test]
    fn doubtful_settings_are_told() {
        assert_eq!(
            warnings("[dhcp]\nrouter = '10.10.11.1'"),
            ["dhcp.router: 10.10.11.1 is outside of the network 10.10.10.0/24: nodes can't reach it"]
        );
        assert_eq!(
            warnings("[assets]\nverify = 'unsigned-ok'\n[install]\nunknown_nodes = 'ignore'"),
            [
                "install.unknown_nodes: is \"ignore\", and no [[node]] is listed: nothing will ever install",
                "assets.verify: is \"unsigned-ok\": whoever can write to the assets decides what the rack runs"
            ]
        );
    }

    #[test]
    fn a_pool_of_taken_addresses_is_told() {
        let nodes = "[[node]]\nmac = '00:25:90:c0:f7:86'\naddress = '10.10.10.2'\n[[node]]\nmac = '00:25:90:c0:f7:87'";
        let text = format!("[dhcp]\npool = '10.10.10.1-10.10.10.3'\nrouter = '10.10.10.3'\n{nodes}");
        let expected = ["dhcp.pool: 0 addresses are free in it, but 1 listed node has no address reserved"];
        assert_eq!(warnings(&text), expected);
        assert_eq!(
            warnings(&format!("[dhcp]\npool = '10.10.10.1-10.10.10.3'\n{nodes}")),
            Vec::<String>::new()
        );
    }
}
