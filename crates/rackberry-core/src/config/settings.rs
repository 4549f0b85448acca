//! What the service runs by: every value validated, every default filled in.

use std::{net::Ipv4Addr, path::PathBuf, time::Duration};

use crate::ids::{Loader, Mac};

/// The configuration, merged, checked and with its defaults.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// `[network]`
    pub network: Network,
    /// `[dhcp]`
    pub dhcp: Dhcp,
    /// `[http]`
    pub http: Http,
    /// `[install]`
    pub install: Install,
    /// `[assets]`
    pub assets: Assets,
    /// `[[node]]`, in the order of the file.
    pub nodes: Vec<NodeSettings>,
    /// `[panel]`
    pub panel: PanelSettings,
    /// `[system]`
    pub system: System,
}

/// The network that the service serves.
#[derive(Debug, Clone, PartialEq)]
pub struct Network {
    /// The interface's name; without one, the only wired interface is taken at start.
    pub interface: Option<String>,
    /// The service's own address.
    pub address: Ipv4Addr,
    /// Length of the network's prefix, 1 to 30.
    pub prefix: u8,
    /// Whether the service hands out addresses.
    pub mode: Mode,
}

impl Network {
    /// The network itself: its first address, which no host has.
    pub fn base(&self) -> Ipv4Addr {
        Ipv4Addr::from_bits(self.address.to_bits() & self.mask().to_bits())
    }

    /// The prefix as a mask.
    pub fn mask(&self) -> Ipv4Addr {
        Ipv4Addr::from_bits(u32::MAX.checked_shl(32 - u32::from(self.prefix)).unwrap_or(0))
    }

    /// The broadcast address: the network's last.
    pub fn broadcast(&self) -> Ipv4Addr {
        Ipv4Addr::from_bits(self.address.to_bits() | !self.mask().to_bits())
    }

    /// Whether `address` lies in the network, its first and last address included.
    pub fn contains(&self, address: Ipv4Addr) -> bool {
        address.to_bits() & self.mask().to_bits() == self.base().to_bits()
    }

    /// Whether a host of the network can have `address`.
    pub fn is_host(&self, address: Ipv4Addr) -> bool {
        self.contains(address) && address != self.base() && address != self.broadcast()
    }

    /// The pool when none is configured: the 100th to the 200th address, or the upper half of a network
    /// smaller than /24.
    pub fn default_pool(&self) -> (Ipv4Addr, Ipv4Addr) {
        let (base, broadcast) = (self.base().to_bits(), self.broadcast().to_bits());
        let (first, last) = if self.prefix <= 24 {
            (base + 100, base + 200)
        } else {
            (base + (broadcast - base) / 2 + 1, broadcast - 1)
        };
        (Ipv4Addr::from_bits(first), Ipv4Addr::from_bits(last))
    }
}

/// How the service shares the network with other DHCP servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Full, unless another DHCP server answers.
    Auto,
    /// This service hands out addresses, whoever else does.
    Full,
    /// Gives boot data only.
    Proxy,
}

/// What leases hold beside the address.
#[derive(Debug, Clone, PartialEq)]
pub struct Dhcp {
    /// First and last address of the pool.
    pub pool: (Ipv4Addr, Ipv4Addr),
    /// The router, which clients get as option 3.
    pub router: Option<Ipv4Addr>,
    /// DNS servers, option 6.
    pub dns: Vec<Ipv4Addr>,
    /// NTP servers, option 42.
    pub ntp: Vec<Ipv4Addr>,
    /// Domain name, option 15.
    pub domain: Option<String>,
    /// How long a lease lasts.
    pub lease: Duration,
    /// Whether a new address is probed by ARP before it is offered.
    pub probe: bool,
}

/// Where HTTP is served, and by which token orders are given.
#[derive(Debug, Clone, PartialEq)]
pub struct Http {
    /// TCP ports; the first is the one that rendered URLs name, unless 80 is among them.
    pub ports: Vec<u16>,
    /// File with the token that the network API asks for; without it that API is read-only.
    pub token_file: Option<PathBuf>,
}

/// Defaults for installs.
#[derive(Debug, Clone, PartialEq)]
pub struct Install {
    /// The profile of nodes that name none.
    pub profile: String,
    /// A version's name, or `current`.
    pub version: String,
    /// The target: a whole disk's path, or `smallest`.
    pub disk: String,
    /// What becomes of nodes that the configuration does not list.
    pub unknown_nodes: UnknownNodes,
    /// How long arming lasts.
    pub arm_for: Duration,
    /// How often one order leads a machine into an installer that is not heard of.
    pub tries: u8,
    /// Value of the kernel's `console=`.
    pub console: Option<String>,
    /// The boot loader, where not the one that suits a machine best.
    pub loader: Option<Loader>,
    /// SSH public keys, for templates.
    pub ssh_keys: Vec<String>,
    /// Values that every node's config template may name.
    pub vars: toml::Table,
}

/// What becomes of nodes that the configuration does not list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnknownNodes {
    /// They install as listed ones do.
    Install,
    /// Machines that no `[[node]]` lists never install.
    Ignore,
}

/// Where operating systems and configs lie.
#[derive(Debug, Clone, PartialEq)]
pub struct Assets {
    /// Folders, first match wins.
    pub dirs: Vec<PathBuf>,
    /// Whether signatures are required.
    pub verify: Verify,
    /// The folder of boot loaders that come with rackberry.
    pub loaders: PathBuf,
}

/// Whether unsigned assets may be installed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verify {
    /// Only what a pinned key has signed.
    Required,
    /// What nobody vouches for, too, with a warning on every view; never what is proven to be wrong.
    UnsignedOk,
}

/// What a `[[node]]` says of its machine.
#[derive(Debug, Clone, PartialEq)]
pub struct NodeSettings {
    /// Unique name, which is the host name, too.
    pub name: String,
    /// Its hardware addresses, at least one; the first names it.
    pub macs: Vec<Mac>,
    /// The address that only this node gets.
    pub address: Option<Ipv4Addr>,
    /// Profile, where not the default.
    pub profile: Option<String>,
    /// Version, where not the default.
    pub version: Option<String>,
    /// Target disk, where not the default.
    pub disk: Option<String>,
    /// Boot loader, where not the default.
    pub loader: Option<Loader>,
    /// Its LED's number, from 1.
    pub led: Option<u16>,
    /// Values for its config template.
    pub vars: toml::Table,
}

/// Which panel is driven.
#[derive(Debug, Clone, PartialEq)]
pub struct PanelSettings {
    /// Name of a file in board/.
    pub board: String,
}

/// The SD image itself.
#[derive(Debug, Clone, PartialEq)]
pub struct System {
    /// The appliance's own host name.
    pub hostname: String,
    /// Whether root may log in, by key.
    pub root_login: bool,
    /// Whether the log is kept over restarts.
    pub keep_journal: bool,
    /// What becomes of operating systems on a USB disk.
    pub usb: Usb,
}

/// What becomes of operating systems on a USB disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Usb {
    /// They are served from there.
    Serve,
    /// They are copied to the card.
    Import,
}
