//! Who may do what: where a machine's start leads, and for whom a request speaks. All ways in ask here.

use std::{net::Ipv4Addr, time::Duration};

use crate::{
    appliance::{Appliance, Note, Outcome, Refusal, Requester},
    assets::version::{FileSet, Version},
    config::UnknownNodes,
    dhcp::{self, Standing},
    ids::{Mac, OrderKind, Time},
    nodes::{Destination, Grant, Node, NodeEvent, Verdict},
    orders::OrderId,
};

/// Where a machine's next start from the network leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Decision {
    /// To its disk; one clause says why.
    Disk(String),
    /// To its disk, although it is meant to install; one clause says why.
    Refused(String),
    /// Into the installer, or to the live system.
    Lead(Box<Lead>),
}

/// What a start leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Lead {
    pub order: OrderId,
    pub kind: OrderKind,
    pub overwrites_marked: bool,
    pub profile: String,
    pub version: String,
    pub arch: String,
    pub silence: Duration,
}

/// Who asks, as far as that can be told.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asker {
    pub address: Ipv4Addr,
    /// The machine that it stands for.
    pub node: Option<Mac>,
    /// The card that holds the address; none where a grant says who asks.
    pub card: Option<Mac>,
}

impl Appliance {
    /// Where a start from the network by this card leads that begins now.
    pub(super) fn decide(&self, card: Mac, now: Time) -> Decision {
        if let Some(reason) = &self.unwritable {
            return Decision::Refused(format!("the state can't be written, so nobody installs: {reason}"));
        }
        let key = self.nodes.key(card);
        let mut node = self.nodes.get(card).cloned().unwrap_or_else(|| Node::new(key, now));
        if let Some(reason) = self.is_not_its_card(&node, card, now) {
            return Decision::Refused(reason);
        }
        if let Some(other) = self.nodes.namesake(card) {
            return Decision::Refused(format!(
                "its firmware calls its machine the same as that of {}, which is at work: if they are two machines, list both \
                 as [[node]]",
                self.label(other.mac)
            ));
        }
        node.apply(NodeEvent::NetworkBoot { arch: None }, now);
        let order = match node.destination(
            &self.nodes.subject(card, &node),
            &self.orders,
            self.settings.install.tries,
            now,
        ) {
            Destination::Disk(why) => return Decision::Disk(why.into()),
            Destination::Refused(why) => return Decision::Refused(why),
            Destination::Order(order) => order,
        };
        if !self.is_allowed(key) {
            let why = "the configuration does not list it (install.unknown_nodes = \"ignore\")";
            return Decision::Disk(why.into());
        }
        if let Some(why) = node.arch.and_then(|arch| self.no_loader(arch)) {
            return Decision::Refused(why);
        }
        match self.wanted_files(key) {
            Ok((version, set)) => Decision::Lead(Box::new(Lead::of(
                order.id,
                order.kind,
                order.means_installed_ones(),
                version,
                set,
            ))),
            Err(reason) => Decision::Refused(reason.to_string()),
        }
    }

    /// Why a card does not get what its machine may have. A firmware's identifier is a claim: it joins a card to a machine,
    /// so that this is not taken for a fresh one, and entitles it to nothing that is the configured card's.
    fn is_not_its_card(&self, node: &Node, card: Mac, now: Time) -> Option<String> {
        if self.nodes.stands_for_its_node(card) {
            return None;
        }
        if self.nodes.is_listed(card) {
            return Some(format!(
                "its firmware says that it is {}; if it is that machine's second card, add {card} to its macs, else list it \
                 as a [[node]] of its own",
                self.label(node.mac)
            ));
        }
        let other = node.grant().map(|grant| grant.card.to_string()).unwrap_or_default();
        self.nodes
            .is_at_work(node.mac, now)
            .then(|| format!("its machine is being installed by its card {other}"))
    }

    /// A machine's firmware starts by this card: what ran on it is over, and it gets its permission, or loses one that it
    /// did not use.
    pub(super) fn begin_start(&mut self, client: &dhcp::Client, now: Time, out: &mut Outcome) {
        let (card, key) = (client.mac, self.nodes.key(client.mac));
        let is_its_card =
            self.nodes.get(card).is_none_or(|node| self.is_not_its_card(node, card, now).is_none());
        if is_its_card {
            let update = self.nodes.apply(card, NodeEvent::NetworkBoot { arch: client.arch }, true, now);
            self.note(update, out);
        }
        match self.decide(card, now) {
            Decision::Lead(lead) => return self.grant(key, card, *lead, now, out),
            Decision::Refused(reason) => self.tell_refusal(key, reason, out),
            Decision::Disk(_) => {}
        }
        if is_its_card {
            self.take_grant_back(key, now, out);
        }
    }

    fn grant(&mut self, node: Mac, card: Mac, lead: Lead, now: Time, out: &mut Outcome) {
        if self.refusals.remove(&node).is_some() {
            self.nodes.changed().note(node);
        }
        // Of more machines than can be kept track of, those without a record are none.
        if self.nodes.get(node).is_none() {
            return;
        }
        let known = self.nodes.get(node).and_then(Node::unused_grant);
        if known.is_some_and(|grant| grant.card == card && lead.is_what(grant)) {
            return;
        }
        let grant = lead.into_grant(card, self.tokens.next(card), now);
        let update = self.nodes.give(node, grant, now);
        self.note(update, out);
    }

    fn take_grant_back(&mut self, node: Mac, now: Time, out: &mut Outcome) {
        if self.nodes.get(node).is_some_and(|node| node.unused_grant().is_some()) {
            let update = self.nodes.change(node, now, |node| node.withdraw(now));
            self.note(update, out);
        }
    }

    /// Firmware asks again and again; what it is refused is told once.
    fn tell_refusal(&mut self, node: Mac, reason: String, out: &mut Outcome) {
        if self.refusals.get(&node) != Some(&reason) && self.refusals.len() < 4096 {
            out.note(Note::NotGranted { node: self.label(node), reason: reason.clone() });
            self.refusals.insert(node, reason);
            self.nodes.changed().note(node);
        }
    }

    /// Takes back the unused grants of those who may not install any more, or are to install something else: the
    /// configuration was changed.
    pub(super) fn withdraw_what_is_not_allowed(&mut self, now: Time, out: &mut Outcome) {
        let kept = |node: &&Node| {
            let wanted = self.wanted_files(node.mac).ok();
            let grant = node.unused_grant();
            self.is_allowed(node.mac)
                && wanted.zip(grant).is_some_and(|((version, set), grant)| {
                    (version.profile.name.as_str(), version.name.as_str(), set.arch.as_str())
                        == (grant.profile.as_str(), grant.version.as_str(), grant.arch.as_str())
                })
        };
        let lost: Vec<Mac> = self.nodes.granted().filter(|node| !kept(node)).map(|node| node.mac).collect();
        for mac in lost {
            self.take_grant_back(mac, now, out);
        }
    }

    /// Whether the configuration lets a node install at all.
    pub(super) fn is_allowed(&self, mac: Mac) -> bool {
        self.nodes.is_listed(mac) || self.settings.install.unknown_nodes == UnknownNodes::Install
    }

    /// For whom a request speaks: the node whose grant it names, else the machine that holds the address. That is the one
    /// that has leased it, if the hardware address that answers for it is that machine's; beside another DHCP server, the
    /// one whose hardware address it is.
    pub(super) fn asker(
        &mut self,
        from: Requester,
        token: Option<&str>,
        now: Time,
        out: &mut Outcome,
    ) -> Asker {
        let address = from.address;
        if let Some(token) = token {
            let node = self.nodes.by_token(token).map(|node| node.mac);
            return Asker { address, node, card: None };
        }
        let card = self.holder(from, now, out);
        if let Some(card) = card {
            let recognized = self.nodes.goes_on(card, self.nodes.fresh_since(card), now);
            self.learned(recognized, out);
        }
        let node = card.filter(|card| self.nodes.stands_for_its_node(*card)).map(|card| self.nodes.key(card));
        Asker { address, node, card }
    }

    /// The card that has an address.
    fn holder(
        &mut self,
        Requester { address, hardware }: Requester,
        now: Time,
        out: &mut Outcome,
    ) -> Option<Mac> {
        let leased = self.dhcp.mac_of(address, now);
        let Some(hardware) = hardware else { return leased };
        let Some(card) = leased else {
            return (self.interlock.standing() == Standing::Proxy).then_some(hardware);
        };
        let key = self.nodes.key(card);
        let is_same = card == hardware || (self.nodes.lists(key, card) && self.nodes.lists(key, hardware));
        if is_same {
            self.taken.remove(&address);
            return Some(card);
        }
        if self.interlock.standing() == Standing::Proxy {
            return Some(hardware);
        }
        if self.taken.insert(address, hardware) != Some(hardware) {
            out.note(Note::AddressTaken { address, node: self.label(card), hardware });
        }
        None
    }

    /// Whether the menu of the start that runs may lead a node into the installer. While the state can't be written a new
    /// start can't be told from the one that was led already, so nobody is.
    pub(super) fn may_be_led(&self, node: &Node, now: Time) -> Verdict {
        match self.unwritable {
            Some(_) => Verdict::No("the state can't be written, so nobody installs"),
            None => node.may_be_led(&self.orders, now),
        }
    }

    /// The gate for what only an installing node may have.
    pub(super) fn pass(&self, asker: Asker, what: &str, now: Time) -> Result<Mac, Refusal> {
        let forbidden =
            |why: &str| Err(Refusal::Forbidden(format!("{} may not have {what} now: {why}", asker.address)));
        let Some(mac) = asker.node else { return forbidden(&self.why_nobody(asker)) };
        let Some(node) = self.nodes.get(mac) else {
            return forbidden("this machine has never asked for a network boot");
        };
        match node.may_fetch_install(&self.orders, now) {
            Verdict::Yes => Ok(mac),
            Verdict::No(_) if self.unwritable.is_some() => {
                Err(Refusal::Unavailable(self.unwritable.clone().unwrap_or_default()))
            }
            Verdict::No(why) => forbidden(&format!("{}: {why}", self.label(mac))),
        }
    }

    fn why_nobody(&self, asker: Asker) -> String {
        match asker.card {
            None => match self.taken.get(&asker.address) {
                Some(hardware) => format!("the address is another machine's; {hardware} answers for it now"),
                None => "no machine holds a lease of this address".into(),
            },
            Some(card) => format!(
                "{card} is known as another card of {}; the card that it is configured by, or that it started from, may",
                self.label(self.nodes.key(card))
            ),
        }
    }

    /// A node gets its own configuration, nobody else's.
    pub(super) fn require_same_node(&self, asker: Asker, mac: Mac) -> Result<(), Refusal> {
        if asker.node.is_some() && asker.node == Some(self.nodes.key(mac)) {
            return Ok(());
        }
        let address = asker.address;
        let why = match asker.node {
            Some(other) => format!("it is {}", self.label(other)),
            None => self.why_nobody(asker),
        };
        Err(Refusal::Forbidden(format!("{address} is not {mac}: {why}")))
    }

    /// What the disk of a node begins to be overwritten by: its permission is used, by every order that is open.
    pub(super) fn overwrites(&mut self, node: Mac, event: NodeEvent, now: Time, out: &mut Outcome) {
        let was_unused = self.nodes.get(node).is_some_and(|node| node.unused_grant().is_some());
        let update = self.nodes.apply(node, event, false, now);
        if was_unused {
            self.orders.use_up(&self.nodes.cards(node));
        }
        self.note(update, out);
    }
}

impl Lead {
    fn of(
        order: OrderId,
        kind: OrderKind,
        overwrites_marked: bool,
        version: &Version,
        set: &FileSet,
    ) -> Lead {
        Lead {
            order,
            kind,
            overwrites_marked,
            profile: version.profile.name.clone(),
            version: version.name.clone(),
            arch: set.arch.clone(),
            silence: version.profile.silence,
        }
    }

    /// Whether a grant is for just that.
    fn is_what(&self, grant: &Grant) -> bool {
        (self.order, self.kind) == (grant.order, grant.kind)
            && (&self.profile, &self.version, &self.arch) == (&grant.profile, &grant.version, &grant.arch)
    }

    fn into_grant(self, card: Mac, token: String, made: Time) -> Grant {
        Grant {
            order: self.order,
            kind: self.kind,
            card,
            overwrites_marked: self.overwrites_marked,
            profile: self.profile,
            version: self.version,
            arch: self.arch,
            token,
            silence: self.silence,
            made,
        }
    }
}
