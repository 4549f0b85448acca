//! What people and programs see of the state.

use std::{net::Ipv4Addr, path::PathBuf};

use serde::{Deserialize, Serialize};

use crate::{
    dhcp::ServingMode,
    ids::{Arch, Loader, Mac, OfferStyle, OrderKind, Stage},
    nodes::{Failure, ImageProgress, Installed},
    orders::OrderId,
};

/// `rackberry status`, `GET /api/v1/status`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct StatusView {
    /// The service's version.
    pub version: String,
    /// Seconds that the arming still lasts; absent when disarmed.
    pub armed_seconds: Option<u64>,
    /// Every open order is one of `--live`.
    pub live: bool,
    /// The open orders, the oldest first.
    #[serde(default)]
    pub orders: Vec<OrderView>,
    /// The interface that is served.
    pub interface: String,
    /// The service's address and prefix.
    pub address: String,
    /// URL of the HTTP server.
    pub url: String,
    /// Whether addresses are handed out.
    pub dhcp: ServingMode,
    /// Which panel there is, or why none; empty where none is wanted.
    pub panel: String,
    /// What would be installed by default: `coreos 1010.5.0`, or why nothing can be.
    pub ready: Result<String, String>,
    /// Number of nodes by stage, stages without nodes left out.
    pub counts: Vec<(Stage, usize)>,
    /// Leases in force.
    pub leases: usize,
    /// What somebody should look at.
    pub warnings: Vec<String>,
}

/// An open order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct OrderView {
    /// Its number.
    pub id: OrderId,
    /// What it lets machines do.
    pub kind: OrderKind,
    /// For whom, in words.
    pub nodes: String,
    /// Who gave it, in words.
    pub source: String,
    /// Seconds that it still lasts.
    pub seconds: u64,
}

/// What happens if a node's power is switched on now, and it boots from the network.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct NextBoot {
    /// Where it leads.
    pub leads_to: LeadsTo,
    /// The same in a sentence, with the reason.
    pub words: String,
    /// What is overwritten by it, as far as is known.
    pub overwrites: Option<String>,
}

/// Where a network boot leads.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum LeadsTo {
    /// To its disk.
    #[default]
    Disk,
    /// Into the installer: its disk is overwritten.
    Install,
    /// To a live system.
    Live,
    /// To its disk, although it is meant to install.
    Refused,
}

/// `rackberry assets list`, `GET /api/v1/assets`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct AssetsView {
    /// The asset folders, the first of which counts most.
    pub dirs: Vec<PathBuf>,
    /// The folder of boot loaders.
    pub loaders: PathBuf,
    /// Whether only authentic versions may be installed.
    pub must_be_authentic: bool,
    /// What is there, a row for each processor of each version.
    pub versions: Vec<VersionView>,
    /// Signing keys that count, beside those that the profiles pin.
    pub own_keys: Vec<String>,
    /// Profiles and keys that can't be read.
    pub faults: Vec<String>,
}

/// A version's files for one processor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct VersionView {
    /// Operating system.
    pub profile: String,
    /// Version.
    pub version: String,
    /// Whether `current` means it.
    pub is_current: bool,
    /// Processor.
    pub arch: String,
    /// The asset folder.
    pub folder: PathBuf,
    /// Bytes of all its files.
    pub bytes: u64,
    /// What is known of it.
    pub state: VersionState,
    /// A word on it, for people.
    pub note: String,
}

/// What is known of a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum VersionState {
    /// All there, and what its maker released.
    Authentic,
    /// Files are being read.
    Verifying,
    /// It must not be installed, unless the configuration lets everything pass.
    NotAuthentic,
    /// It is authentic, and its own installer would refuse it.
    NotInstallable,
    /// A file is missing.
    Incomplete,
}

/// `rackberry node show --render`: what a node would be given if it were armed now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct RenderView {
    /// Operating system and version.
    pub system: String,
    /// The kernel's arguments.
    pub arguments: String,
    /// The install script, where its system has one.
    pub script: Option<String>,
    /// The profile's other texts, by their names.
    pub texts: Vec<(String, String)>,
    /// Kind and text of its configuration, if it has one.
    pub config: Option<(String, String)>,
}

/// `rackberry nodes`, `GET /api/v1/nodes`: one node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct NodeView {
    /// Its first hardware address.
    pub mac: Mac,
    /// All of its hardware addresses.
    pub macs: Vec<Mac>,
    /// Its name in the configuration.
    pub name: Option<String>,
    /// Its LED, from 1.
    pub led: Option<u16>,
    /// How far its install is.
    pub stage: Stage,
    /// For how many seconds it has been in that stage.
    pub stage_seconds: u64,
    /// Seconds since its last sign of life; absent when it was never seen.
    pub seen_seconds: Option<u64>,
    /// What it boots with.
    pub arch: Option<Arch>,
    /// The address it holds or held last.
    pub address: Option<Ipv4Addr>,
    /// Whether it holds a grant.
    pub granted: bool,
    /// What happens if its power is switched on now.
    #[serde(default)]
    pub next_boot: NextBoot,
    /// The image's transfer.
    pub image: Option<ImageProgress>,
    /// Why its last install failed.
    pub failure: Option<Failure>,
    /// Why it does not get on, and what helps, where it is stuck.
    pub diagnosis: Option<String>,
    /// What is on its disk.
    pub installed: Option<Installed>,
    /// How many installs have begun to overwrite its disk.
    pub writes: u32,
    /// How it is told what to boot beside another DHCP server, once that has worked.
    pub offer_style: Option<OfferStyle>,
    /// The loader that has led it to its kernel.
    pub loader: Option<Loader>,
    /// The last lines of its own log.
    pub log: String,
}
