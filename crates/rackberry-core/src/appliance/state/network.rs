//! The network: who has which address, and who answers there. Addresses are handed out from here, or by another DHCP server,
//! beside which this one says only what to boot.

use std::{
    collections::HashMap,
    net::{Ipv4Addr, SocketAddrV4},
    time::Duration,
};

use dhcproto::v4::MessageType;

use crate::{
    appliance::{Change, Effect, Note, Reaction, Requester},
    config::Settings,
    dhcp::{self, ServingMode},
    ids::{Changed, Mac, OfferStyle, Time, Told},
    nodes::Registry,
};

/// How long a machine is known by an address that another server gave it. Renewals of its lease are not to be heard,
/// so this is longer than an install takes and shorter than such servers let an address rest.
const KNOWN: Duration = Duration::from_secs(12 * 3600);

/// How often it is counted for how many machines an address is kept.
const COUNT_AGAIN: Duration = Duration::from_millis(250);

/// Leases, other servers, and machines that speak in others' names.
#[derive(Debug, Clone)]
pub struct NetworkState {
    own: Ipv4Addr,
    server: dhcp::Server,
    other_servers: dhcp::RogueDetection,
    proxy: dhcp::Proxy,
    spoofs: dhcp::Spoofs,
    /// Addresses that another machine answers for than the one that has leased them, and who that is.
    taken: HashMap<Ipv4Addr, Mac>,
    taken_told: Told<(Ipv4Addr, Mac)>,
    /// How many addresses were kept for known machines, and when they were counted.
    kept: Option<(Time, usize)>,
}

impl NetworkState {
    /// With the leases that the journal kept.
    pub fn new(settings: &Settings, leases: Vec<dhcp::Lease>) -> NetworkState {
        let mut server = dhcp::Server::new(settings);
        server.restore(leases);
        NetworkState {
            own: settings.network.address,
            server,
            other_servers: dhcp::RogueDetection::new(settings.network.mode, settings.network.address),
            proxy: dhcp::Proxy::default(),
            spoofs: dhcp::Spoofs::default(),
            taken: HashMap::new(),
            taken_told: Told::default(),
            kept: None,
        }
    }

    /// Takes over a reloaded configuration.
    pub fn reconfigure(&mut self, settings: &Settings) {
        self.own = settings.network.address;
        self.kept = None;
        self.server.reconfigure(settings);
    }

    /// Whether a packet on port 67 counts for the machine that it speaks of; if so, it is heard what it tells of other
    /// servers.
    pub fn takes(&mut self, packet: &dhcp::Packet, out: &mut Reaction) -> bool {
        if let Err(news) = self.spoofs.judge(packet, out.now()) {
            turn_away(news, out);
            return false;
        }
        let outcome = match (packet.kind(), packet.server()) {
            (MessageType::Discover, _) => {
                if dhcp::server_reply::is_peers_question(packet) {
                    self.other_servers.peer_asks(packet.mac(), out.now());
                }
                self.other_servers.asked(out.now())
            }
            // Who chooses a server names it beside the address it was offered, and has none yet (RFC 2131 table 5); others name one
            // of earlier days. Beyond a relay agent is another network, which may have a server of its own.
            (MessageType::Request, Some(server))
                if packet.giaddr().is_none()
                    && packet.requested().is_some()
                    && packet.ciaddr_field().is_none() =>
            {
                self.other_servers.named(server, packet.mac(), packet.message().xid(), out.now())
            }
            _ => dhcp::DhcpOutcome::default(),
        };
        self.stand_as_it_is(outcome, out);
        true
    }

    /// Answers a packet on port 67 as far as that is this server's to do; `boot` is what its client is to boot.
    pub fn answer(&mut self, packet: &dhcp::Packet, boot: &dhcp::Boot, nodes: &Registry, out: &mut Reaction) {
        match self.serving_mode() {
            ServingMode::Looking => {}
            ServingMode::Full => {
                let guest = self.guest(packet.mac(), nodes, out.now());
                let outcome = self.server.handle(packet, boot, guest, out.now());
                out.take_dhcp(outcome);
            }
            // That one says what to boot, too.
            ServingMode::Proxy if self.other_servers.stands_by() => {}
            ServingMode::Proxy => self.answer_beside(packet, boot, nodes, out),
        }
    }

    /// What a machine may have of the pool. Who is to be left some is counted only when it matters.
    fn guest(&mut self, mac: Mac, nodes: &Registry, now: Time) -> dhcp::Guest {
        if nodes.is_acquainted(mac) || self.other_servers.is_peer(mac) {
            return dhcp::Guest::Known;
        }
        let kept = if self.server.is_scarce(now) { self.kept_for_known(nodes, now) } else { 0 };
        dhcp::Guest::Stranger { kept }
    }

    /// How many known machines have no address. A flood of strangers must not have them counted each time.
    fn kept_for_known(&mut self, nodes: &Registry, now: Time) -> usize {
        let lately = self.kept.filter(|(at, _)| now.since(*at) < COUNT_AGAIN && *at <= now);
        let (at, kept) = lately.unwrap_or_else(|| {
            let wait = |cards: &Vec<Mac>| !self.server.has_its_own(cards, now);
            (now, nodes.acquainted().filter(wait).count())
        });
        self.kept = Some((at, kept));
        kept
    }

    /// Another server hands out the addresses.
    fn answer_beside(
        &mut self,
        packet: &dhcp::Packet,
        boot: &dhcp::Boot,
        nodes: &Registry,
        out: &mut Reaction,
    ) {
        let mac = packet.mac();
        if packet.kind() == MessageType::Request
            && packet.giaddr().is_none()
            && let Some(address) = packet.requested().or(packet.ciaddr())
        {
            self.learn(mac, address, nodes, out);
        }
        let worked = nodes.get(mac).and_then(|node| node.offer_style);
        let offer =
            self.proxy.offer(packet, dhcp::ProxyClient { node: nodes.key(mac), worked }, boot, self.own);
        offer.into_iter().for_each(|offer| out.effect(Effect::Dhcp(offer)));
    }

    /// Whether a packet on port 4011 is answered from here.
    pub fn takes_as_boot_server(
        &mut self,
        packet: &dhcp::Packet,
        peer: SocketAddrV4,
        nodes: &Registry,
        out: &mut Reaction,
    ) -> bool {
        // Relay agents pass nothing on that is sent to one server.
        if packet.giaddr().is_some() || !packet.speaks_for_itself() {
            let news = self.spoofs.news(packet, out.now());
            turn_away(news, out);
            return false;
        }
        if self.serving_mode() != ServingMode::Proxy || self.other_servers.stands_by() {
            return false;
        }
        if packet.ciaddr() == Some(*peer.ip()) {
            self.learn(packet.mac(), *peer.ip(), nodes, out);
        }
        true
    }

    /// Answers it.
    pub fn answer_as_boot_server(
        &self,
        packet: &dhcp::Packet,
        peer: SocketAddrV4,
        boot: &dhcp::Boot,
        out: &mut Reaction,
    ) {
        let answer = dhcp::Proxy::answer(packet, peer, boot, self.own);
        answer.into_iter().for_each(|answer| out.effect(Effect::Dhcp(answer)));
    }

    /// A host answered the probe of an address, or the probe is over.
    pub fn probed(&mut self, probe: dhcp::ProbeId, answered: Option<Mac>, out: &mut Reaction) {
        let outcome = self.server.probed(probe, answered, out.now());
        out.take_dhcp(outcome);
    }

    /// The interface is there, or there again, with this hardware address.
    pub fn linked(&mut self, own: Mac, out: &mut Reaction) {
        let outcome = self.other_servers.linked(own, out.now());
        self.stand_as_it_is(outcome, out);
    }

    /// Another DHCP server said something.
    pub fn server_reply(&mut self, heard: &dhcp::ServerReply, out: &mut Reaction) {
        let outcome = self.other_servers.heard(heard, out.now());
        self.stand_as_it_is(outcome, out);
    }

    /// Who is at an address that is said to be another DHCP server's.
    pub fn verified(&mut self, address: Ipv4Addr, presence: dhcp::Presence, out: &mut Reaction) {
        let outcome = self.other_servers.verified(address, presence, out.now());
        self.stand_as_it_is(outcome, out);
    }

    /// Time passed.
    pub fn tick(&mut self, out: &mut Reaction) {
        let outcome = self.server.tick(out.now());
        out.take_dhcp(outcome);
        let outcome = self.other_servers.tick(out.now());
        self.stand_as_it_is(outcome, out);
    }

    /// When time has work for it next.
    pub fn deadline(&self) -> Option<Time> {
        [self.server.deadline(), self.other_servers.deadline()].into_iter().flatten().min()
    }

    /// Takes over what the look at other servers wants done; offers that are out stand no longer than the leave to make
    /// them.
    fn stand_as_it_is(&mut self, outcome: dhcp::DhcpOutcome, out: &mut Reaction) {
        if self.serving_mode() != ServingMode::Full {
            self.server.stand_down();
        }
        out.take_dhcp(outcome);
    }

    /// Whether addresses are handed out.
    pub fn serving_mode(&self) -> ServingMode {
        self.other_servers.serving_mode()
    }

    /// The other servers, where they hand out addresses beside this one.
    pub fn rivals(&self) -> Option<String> {
        self.other_servers.rivals()
    }

    /// What is to be told of another server.
    pub fn other_server(&self) -> Option<String> {
        self.other_servers.trouble()
    }

    /// A machine's firmware starts anew: the connections of its address are nobody's any more.
    pub fn restarted(&self, mac: Mac, out: &mut Reaction) {
        let address = self.address_of(mac, out.now());
        address.into_iter().for_each(|address| out.effect(Effect::Restarted(address)));
    }

    /// Beside another server, the switch tells whose an address is, whatever its requests say: a machine is known by the
    /// hardware address that answers for it, from its first request on.
    pub fn learn_from(&mut self, from: Requester, nodes: &Registry, out: &mut Reaction) {
        if let Some(mac) = from.hardware
            && self.serving_mode() == ServingMode::Proxy
        {
            self.learn(mac, from.address, nodes, out);
        }
    }

    /// Only of nodes: other machines of this network are nobody's business here.
    fn learn(&mut self, mac: Mac, address: Ipv4Addr, nodes: &Registry, out: &mut Reaction) {
        if nodes.is_listed(mac) || nodes.get(mac).is_some() {
            out.change(self.server.learn(mac, address, out.now() + KNOWN).into_iter().map(Change::Lease));
        }
    }

    /// The card that an address is offered to and that has not asked for it, if that may be who asks from there.
    pub fn offered_to(&self, from: Requester, now: Time) -> Option<Mac> {
        let mac = self.server.offered_to(from.address)?;
        let is_it = from.hardware.is_none_or(|hardware| hardware == mac);
        (is_it && self.address_of(mac, now) != Some(from.address)).then_some(mac)
    }

    /// A client uses the address that it was offered, without having asked for it.
    pub fn take_up_offer(&mut self, mac: Mac, out: &mut Reaction) {
        out.change(self.server.take_up(mac, out.now()).into_iter().map(Change::Lease));
    }

    /// The card that has an address. That is the one that has leased it, if the hardware address that answers for it is its
    /// machine's; beside another DHCP server, the one whose hardware address it is.
    pub fn holder(
        &mut self,
        Requester { address, hardware }: Requester,
        nodes: &Registry,
        out: &mut Reaction,
    ) -> Option<Mac> {
        let leased = self.server.mac_of(address, out.now());
        let Some(hardware) = hardware else { return leased };
        let Some(card) = leased else {
            return (self.serving_mode() == ServingMode::Proxy).then_some(hardware);
        };
        let key = nodes.key(card);
        let is_same = card == hardware || (nodes.lists(key, card) && nodes.lists(key, hardware));
        if is_same {
            self.taken.remove(&address);
            return Some(card);
        }
        if self.serving_mode() == ServingMode::Proxy {
            return Some(hardware);
        }
        // Two machines may answer for it in turn.
        if self.taken.insert(address, hardware) != Some(hardware)
            && self.taken_told.is_news((address, hardware), out.now())
        {
            out.note(Note::AddressTaken { address, node: nodes.label(card), hardware });
        }
        None
    }

    /// Who answers for an address that another machine has leased.
    pub fn taken_by(&self, address: Ipv4Addr) -> Option<Mac> {
        self.taken.get(&address).copied()
    }

    /// A machine has fetched its loader: the style of the offer that has led it there, which works with it.
    pub fn loader_was_fetched(&mut self, node: Mac) -> Option<OfferStyle> {
        self.proxy.progressed(node)
    }

    /// Which address a card holds.
    pub fn address_of(&self, mac: Mac, now: Time) -> Option<Ipv4Addr> {
        self.server.address_of(mac, now)
    }

    /// The lease that a card holds.
    pub fn lease_of(&self, mac: Mac, now: Time) -> Option<&dhcp::Lease> {
        self.server.lease_of(mac, now)
    }

    /// How many leases hold.
    pub fn leases_in_force(&self, now: Time) -> usize {
        self.server.leases_in_force(now)
    }

    /// Whose lease came, changed or went.
    pub fn changed(&mut self) -> &mut Changed {
        self.server.changed()
    }
}

/// A message does not count for the machine that it speaks of: nothing is decided by it.
fn turn_away(news: Option<dhcp::Notice>, out: &mut Reaction) {
    news.into_iter().for_each(|notice| out.note(Note::Dhcp(notice)));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;

    const ONE: Mac = Mac([2, 0, 0, 0, 0, 1]);
    const OTHER: Mac = Mac([2, 0, 0, 0, 0, 9]);
    const ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 10, 10, 50);

    fn network(mode: &str) -> NetworkState {
        let text = format!("[network]\nmode = '{mode}'\n");
        let settings = config::parse(&[("test".into(), text)]).unwrap();
        NetworkState::new(&settings, vec![dhcp::Lease { mac: ONE, address: ADDRESS, until: Time(100_000) }])
    }

    fn holder(network: &mut NetworkState, hardware: Option<Mac>, now: Time) -> (Option<Mac>, usize) {
        let mut out = Reaction::at(now);
        let from = Requester { address: ADDRESS, hardware };
        let card = network.holder(from, &Registry::default(), &mut out);
        (card, out.into_outcome().effects.len())
    }

    #[test]
    fn an_address_is_its_lease_holders_as_long_as_that_answers_for_it() {
        let mut network = network("full");
        assert_eq!(holder(&mut network, None, Time(1)), (Some(ONE), 0), "nobody knows who answers");
        assert_eq!(holder(&mut network, Some(ONE), Time(1)), (Some(ONE), 0));
        assert_eq!(holder(&mut network, Some(OTHER), Time(1)), (None, 1));
        assert_eq!(network.taken_by(ADDRESS), Some(OTHER));
        assert_eq!(holder(&mut network, Some(OTHER), Time(1)), (None, 0), "told once");
        assert_eq!(holder(&mut network, Some(ONE), Time(1)), (Some(ONE), 0));
        assert_eq!(network.taken_by(ADDRESS), None);
        assert_eq!(holder(&mut network, None, Time(100_001)), (None, 0), "the lease is over");
    }

    #[test]
    fn beside_another_server_the_switch_says_whose_an_address_is() {
        let mut network = network("proxy");
        assert_eq!(holder(&mut network, Some(OTHER), Time(1)), (Some(OTHER), 0));
        assert_eq!(holder(&mut network, Some(OTHER), Time(100_001)), (Some(OTHER), 0));
    }

    #[test]
    fn nothing_is_answered_before_the_network_was_looked_at() {
        let mut network = network("auto");
        assert_eq!(network.serving_mode(), ServingMode::Looking);
        let mut out = Reaction::at(Time(1));
        network.linked(OTHER, &mut out);
        network.tick(&mut Reaction::at(Time(6000)));
        assert_eq!(network.serving_mode(), ServingMode::Full);
    }
}
