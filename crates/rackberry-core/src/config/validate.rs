//! Raw tables to [`Settings`]: every value checked by itself, then those that depend on each other.

use std::{net::Ipv4Addr, path::PathBuf, time::Duration};

use super::{
    duration,
    fault::Wrong,
    keys, nodes,
    raw::{self, RawConfig},
    read::{Field, List},
    settings::{
        Assets, Dhcp, Http, Install, Mode, Network, PanelSettings, Settings, System, UnknownNodes, Usb,
        Verify,
    },
    source::{FaultReport, Place},
    values,
};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Checks everything. The settings are good if `report` stayed empty; what was reported has its default.
/// Who uses something that only one may use, and where that is written.
#[derive(Clone, Copy)]
pub(crate) struct UsedBy<'a> {
    pub owner: &'a str,
    pub place: Place,
    pub key: &'a str,
}

pub(super) fn settings(raw: &RawConfig, report: &mut FaultReport) -> Settings {
    let check = &mut Check { report };
    let (network, address_known) = network(&raw.network, check);
    let known_network = address_known.then_some(&network);
    Settings {
        dhcp: dhcp(&raw.dhcp, known_network, check),
        http: http(&raw.http, check),
        install: install(&raw.install, check),
        assets: assets(&raw.assets, check),
        nodes: nodes::settings(raw, known_network, check),
        panel: panel(&raw.panel, check),
        system: system(&raw.system, check),
        network,
    }
}

/// Turns fields into values, and reports those that can't be.
pub(crate) struct Check<'a, 'b> {
    pub report: &'a mut FaultReport<'b>,
}

impl Check<'_, '_> {
    /// The value of a field; `None` where it is absent, or wrong and reported.
    pub fn value<T, U>(
        &mut self,
        field: &Field<T>,
        key: &str,
        read: impl FnOnce(&T) -> Result<U, Wrong>,
    ) -> Option<U> {
        let at = field.set()?;
        self.checked(at.place, key, read(&at.value))
    }

    /// As [`Check::value`]; empty text stands for "not set", so that a later file can take a value back.
    pub fn text<U>(
        &mut self,
        field: &Field<String>,
        key: &str,
        read: impl FnOnce(&str) -> Result<U, Wrong>,
    ) -> Option<U> {
        let at = field.set().filter(|at| !at.value.is_empty())?;
        self.checked(at.place, key, read(&at.value))
    }

    /// Each item of a list that can be read.
    pub fn list<T, U: PartialEq>(
        &mut self,
        field: &Field<List<T>>,
        key: &str,
        read: impl Fn(&T) -> Result<U, Wrong>,
    ) -> Option<Vec<U>> {
        let items = field.set()?;
        let mut values = Vec::new();
        for item in &items.value {
            let Some(value) = self.checked(item.place, key, read(&item.value)) else { continue };
            if values.contains(&value) {
                self.report.fault(item.place, key, Wrong::new("is in the list twice", "remove one of them"));
            }
            values.push(value);
        }
        Some(values)
    }

    pub fn checked<U>(&mut self, place: Place, key: &str, result: Result<U, Wrong>) -> Option<U> {
        result.map_err(|wrong| self.report.fault(place, key, wrong)).ok()
    }
}

/// The network, and whether its address is what was meant: after a fault there, nothing can be held against it.
fn network(raw: &raw::Network, check: &mut Check) -> (Network, bool) {
    let default = Network::default();
    let address = check.text(&raw.address, "network.address", values::interface_address);
    let known =
        address.is_some() || raw.address.set().map_or(raw.address.is_absent(), |at| at.value.is_empty());
    let (address, prefix) = address.unwrap_or((default.address, default.prefix));
    let modes = [("auto", Mode::Auto), ("full", Mode::Full), ("proxy", Mode::Proxy)];
    let network = Network {
        interface: check.text(&raw.interface, "network.interface", values::interface),
        address,
        prefix,
        mode: check
            .text(&raw.mode, "network.mode", |text| values::choice(text, &modes))
            .unwrap_or(default.mode),
    };
    (network, known)
}

fn dhcp(raw: &raw::Dhcp, network: Option<&Network>, check: &mut Check) -> Dhcp {
    let default = Dhcp::of(network.unwrap_or(&Network::default()));
    let pool = check.text(&raw.pool, "dhcp.pool", |text| {
        let pool = values::pool(text)?;
        network.map_or(Ok(()), |network| pool_fits(pool, network))?;
        Ok(pool)
    });
    Dhcp {
        pool: pool.unwrap_or(default.pool),
        router: check.text(&raw.router, "dhcp.router", values::host_address),
        dns: servers(&raw.dns, "dhcp.dns", check),
        ntp: servers(&raw.ntp, "dhcp.ntp", check),
        domain: check.text(&raw.domain, "dhcp.domain", values::dns_name),
        lease: check
            .text(&raw.lease, "dhcp.lease", |text| duration::within(text, 2 * MINUTE, 365 * DAY))
            .unwrap_or(default.lease),
        probe: raw.probe.set().map_or(default.probe, |at| at.value),
    }
}

fn pool_fits((first, last): (Ipv4Addr, Ipv4Addr), network: &Network) -> Result<(), Wrong> {
    let (from, to) = network.default_pool();
    let help = format!("for example {from}-{to}");
    for address in [first, last] {
        in_network(address, network).map_err(|problem| Wrong::new(problem.to_string(), help.as_str()))?;
    }
    Ok(())
}

/// Why no host of a network can have an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum NoHost {
    #[error("{0} is outside of the network {1}/{2}")]
    Outside(Ipv4Addr, Ipv4Addr, u8),
    #[error("{0} is the network itself, which no host can have")]
    Network(Ipv4Addr),
    #[error("{0} is the broadcast address, which no host can have")]
    Broadcast(Ipv4Addr),
}

/// Whether a host of the network can have `address`.
pub(super) fn in_network(address: Ipv4Addr, network: &Network) -> Result<(), NoHost> {
    if !network.contains(address) {
        Err(NoHost::Outside(address, network.base(), network.prefix))
    } else if address == network.base() {
        Err(NoHost::Network(address))
    } else if address == network.broadcast() {
        Err(NoHost::Broadcast(address))
    } else {
        Ok(())
    }
}

fn servers(field: &Field<List<String>>, key: &str, check: &mut Check) -> Vec<Ipv4Addr> {
    if let Some(at) = field.set().filter(|at| at.value.len() > 8) {
        let wrong = Wrong::new("are too many servers for one DHCP packet", "name up to 8");
        check.report.fault(at.place, key, wrong);
    }
    check.list(field, key, |text| values::host_address(text)).unwrap_or_default()
}

fn http(raw: &raw::Http, check: &mut Check) -> Http {
    let default = Http::default();
    let ports = check.list(&raw.ports, "http.ports", |number| {
        u16::try_from(*number)
            .ok()
            .filter(|port| *port != 0)
            .ok_or_else(|| Wrong::new(format!("{number} is not a port"), "choose from 1 to 65535"))
    });
    not_empty(&raw.ports, "http.ports", check);
    Http {
        ports: ports.unwrap_or(default.ports),
        token_file: check.text(&raw.token_file, "http.token_file", values::absolute),
    }
}

fn not_empty<T>(field: &Field<List<T>>, key: &str, check: &mut Check) {
    if let Some(at) = field.set().filter(|at| at.value.is_empty()) {
        check.report.fault(at.place, key, Wrong::new("the list is empty", keys::example(key)));
    }
}

fn install(raw: &raw::Install, check: &mut Check) -> Install {
    let default = Install::default();
    let choices = [("install", UnknownNodes::Install), ("ignore", UnknownNodes::Ignore)];
    Install {
        profile: check.text(&raw.profile, "install.profile", values::profile).unwrap_or(default.profile),
        version: check.text(&raw.version, "install.version", values::file_name).unwrap_or(default.version),
        disk: check.text(&raw.disk, "install.disk", values::disk).unwrap_or(default.disk),
        unknown_nodes: check
            .text(&raw.unknown_nodes, "install.unknown_nodes", |text| values::choice(text, &choices))
            .unwrap_or(default.unknown_nodes),
        arm_for: check
            .text(&raw.arm_for, "install.arm_for", |text| duration::within(text, MINUTE, 24 * HOUR))
            .unwrap_or(default.arm_for),
        tries: check
            .value(&raw.tries, "install.tries", |number| {
                u8::try_from(*number).ok().filter(|tries| (1..=10).contains(tries)).ok_or_else(|| {
                    Wrong::new(format!("{number} tries are not possible"), "choose from 1 to 10")
                })
            })
            .unwrap_or(default.tries),
        console: check.text(&raw.console, "install.console", values::console),
        loader: check.text(&raw.loader, "install.loader", values::any_loader).flatten(),
        ssh_keys: check
            .list(&raw.ssh_keys, "install.ssh_keys", |text| values::ssh_key(text))
            .unwrap_or_default(),
        vars: raw.vars.set().map(|at| at.value.clone()).unwrap_or_default(),
    }
}

fn assets(raw: &raw::Assets, check: &mut Check) -> Assets {
    let default = Assets::default();
    let choices = [("required", Verify::Required), ("unsigned-ok", Verify::UnsignedOk)];
    let dirs: Option<Vec<PathBuf>> = check.list(&raw.dirs, "assets.dirs", |text| values::absolute(text));
    not_empty(&raw.dirs, "assets.dirs", check);
    Assets {
        dirs: dirs.unwrap_or(default.dirs),
        verify: check
            .text(&raw.verify, "assets.verify", |text| values::choice(text, &choices))
            .unwrap_or(default.verify),
        loaders: check.text(&raw.loaders, "assets.loaders", values::absolute).unwrap_or(default.loaders),
    }
}

fn panel(raw: &raw::Panel, check: &mut Check) -> PanelSettings {
    PanelSettings {
        board: check.text(&raw.board, "panel.board", values::board).unwrap_or(PanelSettings::default().board),
    }
}

fn system(raw: &raw::System, check: &mut Check) -> System {
    let default = System::default();
    let choices = [("serve", Usb::Serve), ("import", Usb::Import)];
    System {
        hostname: check
            .text(&raw.hostname, "system.hostname", values::host_label)
            .unwrap_or(default.hostname),
        root_login: raw.root_login.set().map_or(default.root_login, |at| at.value),
        keep_journal: raw.keep_journal.set().map_or(default.keep_journal, |at| at.value),
        usb: check.text(&raw.usb, "system.usb", |text| values::choice(text, &choices)).unwrap_or(default.usb),
    }
}
