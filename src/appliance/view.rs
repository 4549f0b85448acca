//! What people and programs see of the state.

use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};

use crate::{
    ids::{Arch, Mac, Stage},
    nodes::{Failure, ImageProgress, Installed},
};

/// `rackberry status`, `GET /api/v1/status`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusView {
    /// The service's version.
    pub version: String,
    /// Seconds that the arming still lasts; absent when disarmed.
    pub armed_seconds: Option<u64>,
    /// Armed with `--live`.
    pub live: bool,
    /// The interface that is served.
    pub interface: String,
    /// The service's address and prefix.
    pub address: String,
    /// URL of the HTTP server.
    pub url: String,
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

/// `rackberry nodes`, `GET /api/v1/nodes`: one node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeView {
    /// Its first hardware address.
    pub mac: Mac,
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
    /// The image's transfer.
    pub image: Option<ImageProgress>,
    /// Why its last install failed.
    pub failure: Option<Failure>,
    /// What is on its disk.
    pub installed: Option<Installed>,
    /// How many installs have begun to overwrite its disk.
    pub writes: u32,
    /// The last lines of its own log.
    pub log: String,
}
