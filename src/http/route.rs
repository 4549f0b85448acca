//! The trees that clients ask for, the same over HTTP and TFTP.

use crate::ids::Mac;

/// What a path means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Route {
    /// A file of an operating system or a loader: `/VERSION/FILE`, `/PROFILE/VERSION/FILE`,
    /// `/static/VERSION/FILE`, `pxelinux.0`. Cleaned: no empty, `.` or `..` segment, no NUL, no backslash.
    File(Vec<String>),
    /// `/VERSION/version.txt`, `/static/current/version.txt` and so on are files too; this is the rendered
    /// pxelinux menu: `pxelinux.cfg/NAME`.
    PxelinuxMenu(String),
    /// `grub/grub.cfg`, `grub/grub.cfg-NAME`, rendered.
    GrubMenu(String),
    /// `/cloud-configs/MAC.yml`, `/cloud-config/MAC`, `/static/cloud-configs/MAC.yml`.
    NodeConfig(Mac),
    /// `/cloud-configs/install.sh`, `/static/cloud-config/install.sh`.
    InstallScript,
    /// `/ignition?mac=MAC`
    Ignition(Mac),
    /// `/boot.ipxe?mac=MAC`
    IpxeScript(Mac),
    /// `/api/v1/...`
    Api(Api),
    /// `/healthz`
    Health,
    /// `/metrics`
    Metrics,
    /// `/`
    Page,
}

/// The part of the tree below `/api/v1/`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Api {
    /// GET status
    Status,
    /// GET nodes
    Nodes,
    /// GET nodes/NODE
    Node(String),
    /// GET events (server-sent)
    Events,
    /// POST arm
    Arm,
    /// POST disarm
    Disarm,
    /// POST nodes/MAC/report
    Report(Mac),
    /// POST nodes/NODE/reinstall
    Reinstall(String),
    /// POST nodes/NODE/forget
    Forget(String),
}
