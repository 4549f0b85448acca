//! The state as one event finds it, to be read: what is configured, there and known, looked up together.

use crate::{
    appliance::{
        Refusal,
        state::{Condition, Machines, NetworkState, Setup},
    },
    assets::version::{FileSet, NotReady, Version},
    config::{NodeSettings, Settings, UnknownNodes},
    ids::{Arch, Mac, OrderKind, Time},
    nodes::{Grant, Node, Registry, Verdict},
    orders::{Order, Scope},
};

/// The parts of the state, and the time.
#[derive(Debug, Clone, Copy)]
pub struct Known<'a> {
    /// What is configured and there.
    pub setup: &'a Setup,
    /// The machines.
    pub machines: &'a Machines,
    /// The network.
    pub network: &'a NetworkState,
    /// Whether the state can be kept.
    pub condition: &'a Condition,
    /// The time.
    pub now: Time,
}

impl<'a> Known<'a> {
    /// The configuration.
    pub fn settings(&self) -> &'a Settings {
        self.setup.settings()
    }

    /// The records.
    pub fn nodes(&self) -> &'a Registry {
        self.machines.nodes()
    }

    /// A node's name, or its address where it has none.
    pub fn label(&self, card: Mac) -> String {
        self.nodes().label(card)
    }

    /// The node's own settings.
    pub fn node_settings(&self, card: Mac) -> Option<&'a NodeSettings> {
        self.setup.node(self.nodes().key(card))
    }

    /// Every hardware address that is configured of a node, or the one that it is asked by.
    pub fn macs_of(&self, card: Mac) -> Vec<Mac> {
        self.node_settings(card).map_or_else(|| vec![card], |own| own.macs.clone())
    }

    /// Whose files a node that installs by this permission may have. A machine that nobody configured is what its card is:
    /// another card's files may be another machine's.
    pub fn has_files_of(&self, node: Mac, grant: &Grant) -> Mac {
        if self.nodes().is_listed(node) { self.nodes().key(node) } else { grant.card }
    }

    /// Whether the menu of the start that runs may lead a node into the installer. While the state can't be written a new
    /// start can't be told from the one that was led already, so nobody is.
    pub fn may_be_led(&self, node: &Node) -> Verdict {
        match self.condition.unwritable() {
            Some(_) => Verdict::No("the state can't be written, so nobody installs"),
            None => node.may_be_led(self.machines.orders(), self.now),
        }
    }

    /// Whether the configuration lets a node install at all.
    pub fn is_allowed(&self, card: Mac) -> bool {
        self.nodes().is_listed(card) || self.settings().install.unknown_nodes == UnknownNodes::Install
    }

    /// What a node would be installed with: profile and version, which may be `current`.
    pub fn wanted(&self, card: Mac) -> (&'a str, &'a str) {
        let (own, install) = (self.node_settings(card), &self.settings().install);
        let profile = own.and_then(|node| node.profile.as_deref()).unwrap_or(&install.profile);
        let version = own.and_then(|node| node.version.as_deref()).unwrap_or(&install.version);
        (profile, version)
    }

    /// The same, complete and resolved.
    ///
    /// # Errors
    /// [`NotReady`] says what is missing.
    pub fn wanted_files(&self, card: Mac) -> Result<(&'a Version, &'a FileSet), NotReady> {
        let (profile, version) = self.wanted(card);
        self.setup.files_of(profile, version, self.processor(card))
    }

    /// A node's processor, as far as it is known.
    pub fn processor(&self, card: Mac) -> &'static str {
        self.nodes().get(card).and_then(|node| node.arch).map_or("x86_64", Arch::machine)
    }

    /// Nodes with unused grants that may not install any more, or are to install something else: the configuration was
    /// changed.
    pub fn no_longer_allowed(&self) -> Vec<Mac> {
        let is_kept = |node: &&Node| {
            let (wanted, grant) = (self.wanted_files(node.mac).ok(), node.unused_grant());
            self.is_allowed(node.mac)
                && wanted.zip(grant).is_some_and(|((version, set), grant)| {
                    (version.profile.name.as_str(), version.name.as_str(), set.arch.as_str())
                        == (grant.profile.as_str(), grant.version.as_str(), grant.arch.as_str())
                })
        };
        self.nodes().granted().filter(|node| !is_kept(node)).map(|node| node.mac).collect()
    }

    /// The machine that somebody means by its name or one of its addresses.
    ///
    /// # Errors
    /// [`Refusal::NotFound`] for a name that nobody has.
    pub fn find(&self, text: &str) -> Result<Mac, Refusal> {
        self.nodes().find(text).ok_or_else(|| {
            Refusal::NotFound(format!(
                "{text:?} is neither a node's name nor a MAC address; `rackberry nodes` lists them"
            ))
        })
    }

    /// For whom an order is, and what it lets them do.
    pub fn order_words(&self, order: &Order) -> String {
        let nodes = self.nodes();
        let labels =
            |macs: Vec<Mac>| macs.into_iter().map(|mac| self.label(mac)).collect::<Vec<_>>().join(", ");
        let whom = match &order.scope {
            Scope::Named(named) => labels(named.iter().copied().collect()),
            Scope::All => "every node, installed ones too".into(),
            Scope::NotInstalled => {
                let (installed, unsure) = (nodes.installed(), labels(nodes.unsure().collect()));
                let mut whom = String::from("every node");
                if installed > 0 {
                    whom += &format!(
                        " but the {installed} installed already (name them, or use --all, to reinstall)"
                    );
                }
                if !unsure.is_empty() {
                    whom += &format!(
                        "; nor {unsure}, whose last install ended nobody knows how (name it to install it again)"
                    );
                }
                whom
            }
        };
        let live = if order.kind == OrderKind::Live { ", to RAM only" } else { "" };
        format!("{whom}{live}")
    }
}
