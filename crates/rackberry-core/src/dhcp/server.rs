//! The server's decisions: a packet and the time in, leases to keep and messages to send out.

mod answers;
mod encode;
pub(super) mod guests;
pub(super) mod lease;
pub(super) mod notice;
mod pool;
pub mod probe;
mod queries;
pub(super) mod reply;

use std::{collections::BTreeMap, net::Ipv4Addr, time::Duration};

use dhcproto::v4::MessageType;

use crate::{
    config::Settings,
    dhcp::{
        Boot, Lease, LeaseChange, Notice, Packet, Reply,
        server::{
            guests::{Guest, Guests},
            lease::Leases,
            pool::Pool,
            reply::{Granted, Terms},
        },
    },
    ids::{Deadlines, Mac, Time, Told},
};

/// How long an offered address waits for its REQUEST. EDK2 takes some seconds to choose.
const OFFER_HOLDS: Duration = Duration::from_secs(60);
/// No probe takes longer.
const PROBE_LASTS: Duration = Duration::from_secs(1);
/// How long an address is left alone that somebody else was found to use.
const QUARANTINE: Duration = Duration::from_secs(10 * 60);
/// A learned address is written down again when that prolongs it by this.
const LEARN_AGAIN: Duration = Duration::from_secs(10 * 60);
/// How often a full pool is told of.
const SAY_AGAIN: Duration = Duration::from_secs(60);

/// A probe of an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProbeId(pub u64);

/// Something for the adapter to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Send a message to a client or relay agent.
    Send(Reply),
    /// Find out who uses the address: [`Server::probed`] is called for every host that answers, and at the end.
    Probe(ProbeId, Ipv4Addr),
    /// Find out whether a DHCP server can be at the address, then call
    /// [`RogueDetection::verified`](crate::dhcp::RogueDetection::verified).
    Verify(Ipv4Addr),
    /// Ask whether another server is there; every answer goes to [`RogueDetection::heard`](crate::dhcp::RogueDetection::heard).
    Seek,
    /// Switch on the machine with this hardware address, by Wake-on-LAN.
    Wake(Mac),
}

/// What one event leads to. The changes must be on disk before the actions happen.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct DhcpOutcome {
    /// Leases, for the journal.
    pub changes: Vec<LeaseChange>,
    /// What to send and probe.
    pub actions: Vec<Action>,
    /// What an operator should hear of.
    pub notices: Vec<Notice>,
}

/// The server of one network.
#[derive(Debug, Clone)]
pub struct Server {
    terms: Terms,
    network: (u32, u32),
    pool: (Ipv4Addr, Ipv4Addr),
    probing: bool,
    /// Reserved addresses, both ways, and the nodes' names.
    reserved: BTreeMap<Mac, Ipv4Addr>,
    reserved_for: BTreeMap<Ipv4Addr, Mac>,
    names: BTreeMap<Mac, String>,
    leases: Leases,
    /// Addresses that are offered, or about to be: to whom and until when.
    offers: BTreeMap<Mac, Lease>,
    offered: BTreeMap<Ipv4Addr, Mac>,
    offers_end: Deadlines<Mac>,
    /// Offers that wait for a probe, and whose each probe is.
    parked: BTreeMap<Mac, Parked>,
    probes: BTreeMap<ProbeId, Mac>,
    last_probe: u64,
    /// Addresses that others use, and until when they are left alone.
    in_use: Deadlines<Ipv4Addr>,
    said_empty: Option<Time>,
    foreign_relays: Told<Ipv4Addr>,
    guests: Guests,
}

/// A client's message, what that client is to boot, and when it came.
#[derive(Clone, Copy)]
struct Question<'a> {
    packet: &'a Packet,
    boot: &'a Boot,
    guest: Guest,
    now: Time,
}

/// A DISCOVER whose answer waits for a probe.
#[derive(Debug, Clone)]
struct Parked {
    probe: ProbeId,
    since: Time,
    packet: Packet,
    boot: Boot,
    guest: Guest,
}

impl Server {
    /// A server by these settings, without leases.
    pub fn new(settings: &Settings) -> Server {
        let mut server = Server {
            terms: Terms::of(settings),
            network: (0, 0),
            pool: settings.dhcp.pool,
            probing: settings.dhcp.probe,
            reserved: BTreeMap::new(),
            reserved_for: BTreeMap::new(),
            names: BTreeMap::new(),
            leases: Leases::default(),
            offers: BTreeMap::new(),
            offered: BTreeMap::new(),
            offers_end: Deadlines::default(),
            parked: BTreeMap::new(),
            probes: BTreeMap::new(),
            last_probe: 0,
            in_use: Deadlines::default(),
            said_empty: None,
            foreign_relays: Told::default(),
            guests: Guests::default(),
        };
        server.reconfigure(settings);
        server
    }

    /// Takes over leases that the journal kept.
    pub fn restore(&mut self, leases: Vec<Lease>) {
        for lease in leases {
            self.leases.put(lease);
        }
    }

    /// Takes over changed settings. Leases stay; those that don't fit any more are refused when their holders
    /// renew them.
    pub fn reconfigure(&mut self, settings: &Settings) {
        self.terms = Terms::of(settings);
        let (base, last) = (settings.network.base(), settings.network.broadcast());
        self.network = (base.into(), last.into());
        self.pool = settings.dhcp.pool;
        self.probing = settings.dhcp.probe;
        self.reserved.clear();
        self.reserved_for.clear();
        self.names.clear();
        for node in &settings.nodes {
            // One machine's cards may be up together, so only the first can have the address.
            if let (Some(mac), Some(address)) = (node.macs.first(), node.address) {
                self.reserved.insert(*mac, address);
                self.reserved_for.insert(address, *mac);
            }
            self.names.extend(node.macs.iter().map(|mac| (*mac, node.name.clone())));
        }
    }

    /// Handles a client's message; `boot` is what that client is to boot, and `guest` what it may have of a scarce pool.
    pub fn handle(&mut self, packet: &Packet, boot: &Boot, guest: Guest, now: Time) -> DhcpOutcome {
        let mut out = DhcpOutcome::default();
        self.leases.tick(now);
        self.guests.is(packet.mac(), guest);
        if let Some(relay) = packet.giaddr().filter(|relay| !self.is_here(*relay)) {
            if self.foreign_relays.is_news(relay, now) {
                out.notices.push(Notice::ForeignRelay { relay });
            }
            return out;
        }
        let question = Question { packet, boot, guest, now };
        match packet.kind() {
            MessageType::Discover => self.discover(question, &mut out),
            MessageType::Request => self.request(question, &mut out),
            MessageType::Decline => self.decline(packet, now, &mut out),
            MessageType::Release => self.release(packet, now, &mut out),
            MessageType::Inform => self.inform(packet, boot, &mut out),
            // Servers' messages, and those of other protocols on the same port.
            _ => {}
        }
        out
    }

    /// A host answered a probe, or nobody else did until its end. A machine that answers for its own address (Intel AMT does
    /// while the firmware runs; a system with a fixed address) is in nobody's way.
    pub fn probed(&mut self, probe: ProbeId, answered: Option<Mac>, now: Time) -> DhcpOutcome {
        let mut out = DhcpOutcome::default();
        let Some(mac) = self.probes.get(&probe).copied() else { return out };
        if answered.is_some_and(|host| self.is_same_machine(host, mac)) {
            return out;
        }
        self.probes.remove(&probe);
        let Some(Parked { packet, boot, guest, .. }) = self.parked.remove(&mac) else { return out };
        let Some(offer) = self.offers.get(&mac).copied() else { return out };
        let question = Question { packet: &packet, boot: &boot, guest, now };
        if answered.is_some() {
            // Who has leased it and answers for it keeps it.
            if !self.keeps_its_lease(offer, now) {
                self.quarantine(offer.address, mac, now, &mut out);
            }
            self.withdraw(mac);
            self.discover(question, &mut out);
        } else {
            self.take_over(offer, now, &mut out);
            self.offer(question, offer.address, &mut out);
        }
        out
    }

    /// Another server gave `address` to a machine, or that machine says so: it is known by it until `until`.
    pub fn learn(&mut self, mac: Mac, address: Ipv4Addr, until: Time) -> Vec<LeaseChange> {
        // A thousand renewals of the same address are not worth a write each.
        let known = self.leases.of(mac).filter(|lease| lease.address == address);
        let is_lasting = known.is_some_and(|lease| until.since(lease.until) < LEARN_AGAIN);
        if is_lasting || !self.is_here(address) {
            return Vec::new();
        }
        self.leases.put(Lease { mac, address, until })
    }

    /// Takes back every offer that is out or about to be made: another server hands out the addresses.
    pub fn stand_down(&mut self) {
        self.offers.clear();
        self.offered.clear();
        self.offers_end.clear();
        self.parked.clear();
        self.probes.clear();
    }

    /// Forgets offers that nobody took, and lets quarantined addresses go.
    pub fn tick(&mut self, now: Time) -> DhcpOutcome {
        for mac in self.offers_end.take_due(now) {
            self.withdraw(mac);
        }
        self.in_use.take_due(now);
        self.guests.tick(now);
        DhcpOutcome::default()
    }

    /// A client uses the address that it was offered, without having asked for it.
    pub fn take_up(&mut self, mac: Mac, now: Time) -> Vec<LeaseChange> {
        let Some(offer) = self.offers.get(&mac).copied() else { return Vec::new() };
        self.withdraw(mac);
        self.leases.put(Lease { until: now + self.terms.lease, ..offer })
    }

    /// RFC 2131 section 4.3.1.
    fn discover(&mut self, question: Question<'_>, out: &mut DhcpOutcome) {
        let Question { packet, boot, guest, now } = question;
        let mac = packet.mac();
        if let Some(parked) = self.parked.get_mut(&mac) {
            // It asks again while its address is probed: the answer goes to the question it asked last.
            (parked.packet, parked.boot) = (packet.clone(), boot.clone());
            if now.since(parked.since) >= PROBE_LASTS
                && let Some(offer) = self.offers.get(&mac)
            {
                // The interface went away and the probe with it.
                parked.since = now;
                out.actions.push(Action::Probe(parked.probe, offer.address));
            }
            return;
        }
        let Some(address) = self.choose(question) else {
            let due = self.said_empty.is_none_or(|said| now.since(said) >= SAY_AGAIN);
            if due {
                self.said_empty = Some(now);
                let (first, last) = self.pool;
                out.notices.push(Notice::PoolIsEmpty { mac, first, last });
            }
            return;
        };
        let known = self.address_of(mac, now) == Some(address)
            || self.offers.get(&mac).is_some_and(|offer| offer.address == address);
        self.hold(Lease { mac, address, until: now + OFFER_HOLDS });
        if known || !self.probing {
            self.offer(question, address, out);
        } else {
            self.last_probe += 1;
            let probe = ProbeId(self.last_probe);
            self.probes.insert(probe, mac);
            self.parked
                .insert(mac, Parked { probe, since: now, packet: packet.clone(), boot: boot.clone(), guest });
            out.actions.push(Action::Probe(probe, address));
        }
    }

    fn offer(&mut self, question: Question<'_>, address: Ipv4Addr, out: &mut DhcpOutcome) {
        let Question { packet, boot, guest, now } = question;
        self.hold(Lease { mac: packet.mac(), address, until: now + OFFER_HOLDS });
        let granted = Granted { kind: MessageType::Offer, address: Some(address), boot };
        self.say(packet, granted, self.lease_time(guest, now), out);
    }

    /// Sends an OFFER or ACK.
    fn say(&self, packet: &Packet, granted: Granted<'_>, lease: Duration, out: &mut DhcpOutcome) {
        let name = self.names.get(&packet.mac()).map(String::as_str);
        let terms = Terms { lease, ..self.terms.clone() };
        out.actions.push(Action::Send(reply::grant(packet, granted, name, &terms)));
    }

    /// The address for a DISCOVER: the reserved one, the one it has or had, the one it was offered, the one it
    /// asks for, a fresh one, one that another machine had, and at last, for a known machine, one that a stranger has
    /// leased: it is probed whether that one is there.
    fn choose(&self, question: Question<'_>) -> Option<Ipv4Addr> {
        let Question { packet, guest, now, .. } = question;
        let mac = packet.mac();
        let free = |address: &Ipv4Addr| self.is_free(*address, mac, now);
        let held = self.leases.of(mac).map(|lease| lease.address);
        let offered = self.offers.get(&mac).map(|offer| offer.address);
        let wanted = [self.reserved.get(&mac).copied(), held, offered, packet.requested()];
        let wanted = wanted.into_iter().flatten().find(|address| self.may_keep(*address, question));
        if wanted.is_some() || !self.has_room(guest, now) {
            return wanted;
        }
        let pool = Pool::new(self.pool);
        pool.from(mac)
            .find(|address| free(address) && self.leases.at(*address).is_none())
            .or_else(|| {
                let expired = self.leases.all().filter(|lease| pool.contains(lease.address));
                expired
                    .filter(|lease| free(&lease.address))
                    .min_by_key(|lease| lease.until)
                    .map(|l| l.address)
            })
            .or_else(|| self.strangers_lease(guest, now))
    }

    /// Whether a machine may go on with an address, or begin with it.
    fn may_keep(&self, address: Ipv4Addr, Question { packet, guest, now, .. }: Question<'_>) -> bool {
        let mac = packet.mac();
        let is_its_own = self.address_of(mac, now) == Some(address)
            || self.offers.get(&mac).is_some_and(|offer| offer.address == address);
        self.is_free(address, mac, now)
            && self.is_for(address, mac)
            && (is_its_own || self.has_room(guest, now))
    }

    /// Whether nobody else has, is offered or uses an address.
    fn is_free(&self, address: Ipv4Addr, mac: Mac, now: Time) -> bool {
        let ours = |holder: Option<&Mac>| holder.is_none_or(|holder| *holder == mac);
        let number = u32::from(address);
        let is_host = self.network.0 < number && number < self.network.1;
        is_host
            && address != self.terms.server
            && self.terms.router != Some(address)
            && ours(self.reserved_for.get(&address))
            && ours(self.mac_of(address, now).as_ref())
            && ours(self.offered.get(&address))
            && self.in_use.get(address).is_none_or(|until| until <= now)
    }

    fn hold(&mut self, offer: Lease) {
        if let Some(old) = self.offers.insert(offer.mac, offer) {
            self.offered.remove(&old.address);
        }
        self.offered.insert(offer.address, offer.mac);
        self.offers_end.set(offer.mac, offer.until);
    }

    /// Takes an offer back, and the probe with it.
    fn withdraw(&mut self, mac: Mac) {
        if let Some(offer) = self.offers.remove(&mac) {
            self.offered.remove(&offer.address);
            self.offers_end.remove(mac);
        }
        if let Some(parked) = self.parked.remove(&mac) {
            self.probes.remove(&parked.probe);
        }
    }

    fn quarantine(&mut self, address: Ipv4Addr, mac: Mac, now: Time, out: &mut DhcpOutcome) {
        self.in_use.set(address, now + QUARANTINE);
        out.notices.push(Notice::InUse { address, mac });
    }
}
