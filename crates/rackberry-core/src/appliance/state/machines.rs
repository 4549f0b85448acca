//! The machines: what is known of each, the orders that people gave for them, and how their attempts to boot went.
//!
//! These are kept together because no event may change one of them without the others: a disk that begins to be overwritten
//! uses orders up, an order that is over takes grants back, a machine that goes by another address keeps its attempts.

mod orders;
mod reports;
mod starts;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use crate::{
    appliance::{
        Change, Note, Reaction,
        state::{Setup, refusals::Refusals, report_rate::ReportRate},
    },
    ids::{Mac, OfferStyle, OrderKind, Stage, Time},
    nodes::{
        BootAttempt, BootAttempts, BootStep, Grant, Identity, Node, NodeEvent, Recognized, RecordChange,
        Registry, Tokens, Unknown, Update, Verdict,
    },
    orders::Orders,
};

pub use reports::ReportedInstall;

/// The records, the orders and the attempts.
#[derive(Debug, Clone)]
pub struct Machines {
    nodes: Registry,
    orders: Orders,
    attempts: BootAttempts,
    refusals: Refusals,
    tokens: Tokens,
    report_rate: ReportRate,
}

/// What was handed out to a node, and says how far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Handed {
    /// The script that an iPXE in its card fetches in a loader's place.
    IpxeScript,
    /// Its loader's menu, and whether that leads into the installer or the live system.
    Menu(Leads),
    /// A boot loader that somebody put there: it need not ask for its menu, whatever it does.
    OwnLoader,
    /// A menu or an install script that its owner wrote.
    OwnMenuOrScript,
    /// A script or a configuration.
    Config,
    /// Its kernel.
    Kernel,
    /// The image, of this many bytes.
    Image(u64),
}

/// Where a menu leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leads {
    /// To the disk.
    ToDisk,
    /// To a kernel from here.
    ToKernel,
}

impl Machines {
    /// None are known. `secret` is random: grants' tokens come from it.
    pub fn new(secret: [u8; 32]) -> Machines {
        Machines {
            nodes: Registry::default(),
            orders: Orders::default(),
            attempts: BootAttempts::default(),
            refusals: Refusals::default(),
            tokens: Tokens::new(secret),
            report_rate: ReportRate::default(),
        }
    }

    /// Their records.
    pub fn nodes(&self) -> &Registry {
        &self.nodes
    }

    /// The orders.
    pub fn orders(&self) -> &Orders {
        &self.orders
    }

    /// How the present attempt to boot by this card went so far, and those before it.
    pub fn attempts(&self, card: Mac) -> BootAttempt {
        self.attempts.of(self.attempts_key(card))
    }

    /// By which address a card's attempts to boot are kept: its machine's, if it stands for that.
    fn attempts_key(&self, card: Mac) -> Mac {
        if self.nodes.stands_for_its_node(card) { self.nodes.key(card) } else { card }
    }

    /// Why a node was refused last.
    pub fn refusal(&self, node: Mac) -> Option<&str> {
        self.refusals.of(node)
    }

    /// Which nodes may look different than at the last call; none if it may be all.
    pub fn take_changed(&mut self) -> Option<BTreeSet<Mac>> {
        let (nodes, attempts) = (self.nodes.changed().take(), self.attempts.changed().take());
        nodes.zip(attempts).map(|(mut nodes, attempts)| {
            nodes.extend(attempts);
            nodes
        })
    }

    /// From now on nothing changes, and nobody is armed: what can't be written down must not be acted upon.
    pub fn freeze(&mut self) {
        self.orders.close_all();
        self.nodes.freeze();
    }

    /// From now on things may change again.
    pub fn thaw(&mut self) {
        self.nodes.thaw();
    }

    /// Takes over which nodes the configuration lists.
    pub fn set_configured(&mut self, setup: &Setup, out: &mut Reaction) {
        let listed = setup.settings().nodes.iter().map(|node| (node.name.as_str(), node.macs.as_slice()));
        let recognized = self.nodes.set_configured(listed, out.now());
        self.learned(recognized, out);
    }

    /// Journals and tells what was learned of who is who; everything that is kept by node follows.
    fn learned(&mut self, recognized: Recognized, out: &mut Reaction) {
        out.change(recognized.changes.into_iter().map(|change| match change {
            RecordChange::Put(node) => Change::Node(node),
            RecordChange::Drop(mac) => Change::NoNode(mac),
            RecordChange::Shared(machine) => Change::Shared(machine),
        }));
        for news in recognized.news {
            if let Identity::Renamed { old, new } = &news {
                self.attempts.rename(*old, *new);
            }
            let (Identity::Renamed { new: node, .. }
            | Identity::Joined { node, .. }
            | Identity::Shared { node, .. }
            | Identity::Parted { node, .. }) = &news;
            out.note(Note::Identity { node: self.nodes.label(*node), news });
        }
    }

    /// Journals and tells what became of a node.
    fn updated(&self, update: Update, out: &mut Reaction) {
        if let Some(moved) = update.moved {
            let node = self.nodes.get(moved.mac);
            out.note(Note::Moved {
                mac: moved.mac,
                node: self.nodes.label(moved.mac),
                from: moved.from,
                to: moved.to,
                story: node.map(|node| story(node, moved.to)).unwrap_or_default(),
            });
        }
        out.change(update.forgotten.map(Change::NoNode));
        out.change(update.changed.map(Change::Node));
    }

    /// A node was seen to do something.
    pub fn apply(&mut self, card: Mac, event: NodeEvent, out: &mut Reaction) {
        self.apply_to(card, event, Unknown::Ignored, out);
    }

    fn apply_to(&mut self, card: Mac, event: NodeEvent, unknown: Unknown, out: &mut Reaction) {
        let update = self.nodes.apply(card, event, unknown, out.now());
        self.updated(update, out);
    }

    /// Something was handed out to a node.
    pub fn handed_out(&mut self, node: Mac, handed: Handed, out: &mut Reaction) {
        match handed {
            Handed::IpxeScript => self.apply(node, NodeEvent::Loader, out),
            Handed::Menu(leads) => {
                self.attempts.take(node, BootStep::Menu { kernel: leads == Leads::ToKernel });
                if leads == Leads::ToKernel {
                    self.counts_as_led(node, out);
                }
            }
            Handed::OwnLoader => self.counts_as_led(node, out),
            Handed::OwnMenuOrScript => self.overwrites(node, NodeEvent::HasOwn, out),
            Handed::Config => self.apply(node, NodeEvent::Config, out),
            Handed::Kernel => self.remember_loader(node, out),
            Handed::Image(len) => self.overwrites(node, NodeEvent::Overwrites { image: Some(len) }, out),
        }
    }

    /// A transfer of a file to a node moved on.
    pub fn transferred(&mut self, node: Mac, event: NodeEvent, out: &mut Reaction) {
        if event == NodeEvent::Loader {
            self.attempts.take(self.nodes.key(node), BootStep::Loader);
        }
        self.apply(node, event, out);
    }

    /// What the disk of a node begins to be overwritten by: its permission is used, by every order that is open.
    fn overwrites(&mut self, node: Mac, event: NodeEvent, out: &mut Reaction) {
        let was_unused = self.nodes.get(node).is_some_and(|node| node.unused_grant().is_some());
        let update = self.nodes.apply(node, event, Unknown::Ignored, out.now());
        if was_unused {
            self.orders.use_up(&self.nodes.cards(node));
        }
        self.updated(update, out);
    }

    /// A node goes into the installer, once for each start.
    fn counts_as_led(&mut self, mac: Mac, out: &mut Reaction) {
        // What can't be written down is not counted: nobody is led by it.
        if self.nodes.is_frozen() {
            return;
        }
        let may = |node: &&Node| !node.is_led && node.may_be_led(&self.orders, out.now()) == Verdict::Yes;
        let grant = self.nodes.get(mac).filter(may).and_then(Node::grant);
        let Some((order, kind)) = grant.map(|grant| (grant.order, grant.kind)) else { return };
        if kind == OrderKind::Install {
            self.orders.started(order, &self.nodes.cards(mac));
        }
        self.apply(mac, NodeEvent::Led, out);
    }

    /// A loader asked for the kernel that its menu names: it is the one that works with its node.
    fn remember_loader(&mut self, mac: Mac, out: &mut Reaction) {
        let told = self.attempts.of(mac).offered_loader();
        self.attempts.take(mac, BootStep::Kernel);
        if told.is_some() && self.nodes.get(mac).is_some_and(|node| node.loader != told) {
            let update = self.nodes.change(mac, out.now(), |node| node.loader = told);
            self.updated(update, out);
        }
    }

    /// A style of offers has led a node to its loader: it is the one that works with it.
    pub fn remember_offer_style(&mut self, mac: Mac, style: OfferStyle, out: &mut Reaction) {
        let update = self.nodes.change(mac, out.now(), |node| node.offer_style = Some(style));
        self.updated(update, out);
    }

    /// When time has work for them next.
    pub fn deadline(&self) -> Option<Time> {
        [self.orders.deadline(), self.nodes.deadline()].into_iter().flatten().min()
    }

    /// Whether any of them is on its way into an installer, or being installed.
    pub fn is_any_at_work(&self) -> bool {
        self.nodes.granted().next().is_some() || self.nodes.running() > 0
    }

    /// The records, for tests that look ahead.
    #[cfg(test)]
    pub fn nodes_mut(&mut self) -> &mut Registry {
        &mut self.nodes
    }
}

/// What a node's entering a stage means, in one clause for the log.
fn story(node: &Node, stage: Stage) -> String {
    let version = |grant: &Grant| format!("{} {}", grant.profile, grant.version);
    let what = node.grant().map(version).unwrap_or_default();
    match stage {
        Stage::Idle => "left alone".into(),
        Stage::Discovered => format!("asks for a network boot; may install {what}"),
        Stage::Loading => "has its boot loader".into(),
        Stage::Booting => format!("has kernel and initrd of {what}"),
        Stage::Configuring => "asks for its configuration".into(),
        Stage::Installing => format!("takes the image of {what}; its disk is being overwritten"),
        Stage::Written => "has its image on the disk".into(),
        Stage::Installed => "is up from its own disk".into(),
        Stage::Failed => node
            .failure()
            .map(|failure| format!("failed while {}: {}", failure.stage, failure.reason))
            .unwrap_or_default(),
    }
}
