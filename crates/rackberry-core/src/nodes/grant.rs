//! Permissions. Whether a machine may be led into an installer, and have what an installing machine needs, is decided
//! by the few functions here and nowhere else; DHCP, TFTP, HTTP and the rendered menus all go by what they say.

use std::time::Duration;

use crate::{
    ids::{Mac, OrderKind, Time},
    nodes::{Installed, Life, Node},
    orders::{Order, OrderId, Orders, Subject},
};

/// One machine's permission by one order.
#[derive(Debug, Clone, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub struct Grant {
    /// The order that it comes from; it dies with it, unless its overwrite has begun.
    pub order: OrderId,
    /// What it is for.
    pub kind: OrderKind,
    /// The network card that asked; the machine's other cards go by the token.
    pub card: Mac,
    /// A disk that carries this service's mark may be overwritten, too: the machine was named, or installed ones were
    /// meant.
    pub overwrites_marked: bool,
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
}

impl Grant {
    /// What is on a disk that was overwritten by it.
    pub fn installed(&self, at: Time) -> Installed {
        Installed { profile: self.profile.clone(), version: self.version.clone(), at }
    }

    /// Whether its order is open.
    pub fn is_open(&self, orders: &Orders, now: Time) -> bool {
        orders.get(self.order, now).is_some()
    }
}

/// What the gate says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The node may go on with its install.
    Yes,
    /// No; the reason is one clause for people.
    No(&'static str),
}

/// Where a node's next start from the network leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BootDestination<'o> {
    /// To its disk; one clause says why.
    Disk(&'static str),
    /// Where the order says.
    Order(&'o Order),
    /// To its disk, although an order takes it in; one clause says why.
    Refused(String),
}

impl Node {
    /// Where a start of this node leads that begins now; `machine` is what orders know of it. `tries`: so often an order
    /// leads it into an installer that is not heard of.
    pub fn destination<'o>(
        &self,
        machine: &Subject,
        orders: &'o Orders,
        tries: u8,
        now: Time,
    ) -> BootDestination<'o> {
        let Some(order) = orders.choose(machine, now) else {
            let is_open = orders.open(now).next().is_some();
            return BootDestination::Disk(match self.disk().is_ours() {
                _ if !is_open => "nobody has armed",
                true => "it is installed, and no order that is left means it",
                false => "no order that is left means it",
            });
        };
        let starts = order.starts_of(&machine.cards);
        if order.kind == OrderKind::Install && starts >= tries {
            return BootDestination::Refused(format!(
                "it was led into its installer {starts} times, and nothing was heard from there; when that is mended, \
                 `rackberry arm NODE --again` lets it try again"
            ));
        }
        BootDestination::Order(order)
    }

    /// Whether the menu of the start that runs may lead into the installer: by a grant whose order is open, and only if
    /// its overwrite has not begun.
    pub fn may_be_led(&self, orders: &Orders, now: Time) -> Verdict {
        match &self.life {
            Life::Overwriting { .. } => Verdict::No("its disk is being overwritten already"),
            _ => self.may_fetch_install(orders, now),
        }
    }

    /// Whether this node may have its configuration and its image now. An install whose overwrite has begun may go on
    /// after its order: a transfer that broke is repeated by the same running installer.
    pub fn may_fetch_install(&self, orders: &Orders, now: Time) -> Verdict {
        match &self.life {
            Life::Granted { grant, .. } if grant.is_open(orders, now) => Verdict::Yes,
            Life::Granted { .. } => Verdict::No("the order that let it install is over"),
            Life::RunsOwn { .. } | Life::Overwriting { .. } => Verdict::Yes,
            Life::Resting { .. } | Life::Failed { .. } => Verdict::No("it has no grant"),
        }
    }
}
