//! What templates may name.

use std::collections::BTreeMap;

use serde::Serialize;

/// Everything that a template may name.
#[derive(Debug, Clone, Serialize)]
pub struct Context {
    /// The node that the text is for.
    pub node: NodeFacts,
    /// Every node of the configuration, in its order.
    pub nodes: Vec<NodeFacts>,
    /// `[vars]` of the configuration.
    pub vars: toml::Table,
    /// SSH keys of the configuration.
    pub ssh_keys: Vec<String>,
    /// URL of the HTTP server, without a slash at its end.
    pub server_url: String,
    /// The same with the node's grant: what an installer must use.
    pub base_url: String,
    /// Operating system.
    pub profile: String,
    /// Its version.
    pub version: String,
    /// The disk to write: a whole disk's path, or `smallest`.
    pub disk: String,
    /// The kernel's console, if one is configured.
    pub console: Option<String>,
    /// The version's files by what they are for: `kernel`, `initrd`, `rootfs`, `image`; none where a file is not
    /// there.
    pub files: BTreeMap<&'static str, Option<FileFacts>>,
    /// Whether signatures vouch for all of these files.
    pub verified: bool,
    /// Whether the installer is handed the keys that signed them.
    pub hands_keys: bool,
    /// The kind of the node's configuration: `cloud-config`, `ignition`, `preseed`; none where it has none.
    pub config_kind: Option<&'static str>,
    /// The node's configuration, in templates of profiles.
    pub config: String,
    /// What it answers, by question, where it is for Debian's installer.
    pub answers: BTreeMap<String, String>,
    /// The command that writes the disk, in install scripts.
    pub command: String,
    /// Whether the permission is for disks with rackberry's mark, too: `yes` or empty.
    pub overwrite_marked: &'static str,
}

/// A node, as templates see it.
#[derive(Debug, Clone, Serialize)]
pub struct NodeFacts {
    /// Its name; its address where it has none.
    pub name: String,
    /// Its first hardware address.
    pub mac: String,
    /// All of them.
    pub macs: Vec<String>,
    /// Its network address: the reserved one, or the one that it holds.
    pub address: Option<String>,
    /// Its processor: `x86_64`, `aarch64`.
    pub arch: String,
    /// Its own `vars`.
    pub vars: toml::Table,
}

/// A file of the version, as templates see it.
#[derive(Debug, Clone, Serialize)]
pub struct FileFacts {
    /// Its name.
    pub name: String,
    /// Its URL.
    pub url: String,
    /// Whether a signature of it lies beside it, as `URL.sig`.
    pub signed: bool,
    /// Its SHA-256 in hexadecimal digits, where it is known.
    pub sha256: Option<String>,
}
