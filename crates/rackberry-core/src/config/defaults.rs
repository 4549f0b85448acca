//! The settings of an empty file.

use std::{net::Ipv4Addr, time::Duration};

use super::settings::{
    Assets, Dhcp, Http, Install, Mode, Network, PanelSettings, Settings, System, UnknownNodes, Usb, Verify,
};

impl Default for Settings {
    /// The settings of an empty file.
    fn default() -> Self {
        let network = Network::default();
        Self {
            dhcp: Dhcp::of(&network),
            network,
            http: Http::default(),
            install: Install::default(),
            assets: Assets::default(),
            nodes: Vec::new(),
            panel: PanelSettings::default(),
            system: System::default(),
        }
    }
}

impl Default for Network {
    fn default() -> Self {
        Self { interface: None, address: Ipv4Addr::new(10, 10, 10, 1), prefix: 24, mode: Mode::Auto }
    }
}

impl Dhcp {
    /// The defaults in a network, which the pool follows.
    pub fn of(network: &Network) -> Self {
        Self {
            pool: network.default_pool(),
            router: None,
            dns: Vec::new(),
            ntp: Vec::new(),
            domain: None,
            lease: Duration::from_secs(60 * 60),
            probe: true,
        }
    }
}

impl Default for Http {
    fn default() -> Self {
        Self { ports: vec![80, 8080], token_file: None }
    }
}

impl Default for Install {
    fn default() -> Self {
        Self {
            profile: "coreos".into(),
            version: "current".into(),
            disk: "/dev/sda".into(),
            unknown_nodes: UnknownNodes::Install,
            arm_for: Duration::from_secs(30 * 60),
            tries: 2,
            console: None,
            loader: None,
            ssh_keys: Vec::new(),
            vars: toml::Table::new(),
        }
    }
}

impl Default for Assets {
    fn default() -> Self {
        Self {
            dirs: vec!["/media/usb/rackberry".into(), "/data/assets".into()],
            verify: Verify::Required,
            loaders: "/usr/lib/rackberry/loaders".into(),
        }
    }
}

impl Default for PanelSettings {
    fn default() -> Self {
        Self { board: "breadboard-8".into() }
    }
}

impl Default for System {
    fn default() -> Self {
        Self { hostname: "rackberry".into(), root_login: false, keep_journal: true, usb: Usb::Serve }
    }
}
