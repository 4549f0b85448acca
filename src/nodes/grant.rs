//! The gate. Whether a node may install is decided here and nowhere else; DHCP, TFTP, HTTP and the rendered
//! menus all go by what these functions say.

use std::time::Duration;

use crate::{ids::Time, nodes::Node};

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
    /// For which processor.
    pub arch: String,
    /// What names this grant in URLs: only the node's own menu and scripts know it.
    pub token: String,
    /// The longest silence that is normal while the disk is written.
    pub silence: Duration,
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
    /// Whether a network boot of this node may lead into the installer: by a grant that is not spent. `open` is
    /// the number of the arming whose window is open.
    pub fn may_boot_installer(&self, open: Option<u64>) -> Verdict {
        match &self.grant {
            Some(grant) if grant.spent => Verdict::No("its grant is spent"),
            _ => self.may_fetch_install(open),
        }
    }

    /// Whether this node may have its configuration and its image now: by an open grant, and either the arming
    /// that gave it is still open, or the install runs already. A grant of an earlier arming begins nothing: who
    /// arms one node today must not set off another that was left over yesterday.
    ///
    /// A spent grant stays open until the install ended, so that a transfer that broke can be repeated by the
    /// same running installer.
    pub fn may_fetch_install(&self, open: Option<u64>) -> Verdict {
        match &self.grant {
            None => Verdict::No("it has no grant"),
            Some(grant) if open == Some(grant.arming) || self.stage.is_running() => Verdict::Yes,
            Some(_) if open.is_none() => Verdict::No("the installer is not armed"),
            Some(_) => Verdict::No("its grant is of an earlier arming"),
        }
    }

    /// Whether an arming may give this node a new grant: it has not given it one before, and none is open.
    pub(super) fn can_be_granted(&self, arming: u64) -> bool {
        self.last_arming != Some(arming) && self.grant.is_none()
    }
}
