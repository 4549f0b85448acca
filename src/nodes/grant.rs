//! The gate. Whether a node may install is decided here and nowhere else; DHCP, TFTP, HTTP and the rendered
//! menus all go by what these functions say.

use crate::{
    ids::{Stage, Time},
    nodes::Node,
};

/// One permission for one install of one node.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Grant {
    /// The arming that it comes from. An arming grants a node once.
    pub arming: u64,
    /// Boot to RAM only; a person runs the installer by hand.
    pub live: bool,
    /// What to install.
    pub profile: String,
    /// Its version, resolved: never `current`.
    pub version: String,
    /// When it was given.
    pub made: Time,
    /// The image transfer has begun: the disk is being overwritten, and a network boot from now on goes to
    /// the disk.
    pub spent: bool,
}

/// What the gate says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The node may go on with its install.
    Yes,
    /// No; the reason is one clause for people.
    No(&'static str),
}

impl Node {
    /// Whether a network boot of this node may lead into the installer: a grant that is not spent, and either
    /// an armed installer or an install that had already begun when the arming ended.
    ///
    /// A restart of the service disarms, and an install that had not fetched its kernel by then does not
    /// start by itself; one that had goes on without another network boot.
    pub fn may_boot_installer(&self, armed: bool) -> Verdict {
        match &self.grant {
            None => Verdict::No("it has no grant"),
            Some(grant) if grant.spent => Verdict::No("its grant is spent"),
            Some(_) if !armed => Verdict::No("the installer is not armed"),
            Some(_) => Verdict::Yes,
        }
    }

    /// Whether this node may have its menu, its configuration and its image now: an open grant and, unless
    /// its install runs already, an armed installer. A spent grant stays open until the install ended, so
    /// that a transfer that broke can be repeated by the same running installer.
    pub fn may_fetch_install(&self, armed: bool) -> Verdict {
        match &self.grant {
            None => Verdict::No("it has no grant"),
            Some(_) if armed || self.stage.is_running() => Verdict::Yes,
            Some(_) => Verdict::No("the installer is not armed"),
        }
    }

    /// Whether an arming may give this node a new grant: none is open, and nothing is being installed.
    pub(super) fn can_be_granted(&self, arming: u64) -> bool {
        self.last_arming != Some(arming) && self.grant.is_none() && !matches!(self.stage, Stage::Installing)
    }
}
