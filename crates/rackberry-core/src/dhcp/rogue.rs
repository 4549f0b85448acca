//! Whether addresses may be handed out: not while another server of the network does.
//!
//! Two servers that don't know of each other give one address to two machines, and firmware that gets two offers
//! takes either. So, in mode `auto`, the network is looked at before the first offer and for as long as the service
//! runs. What is heard of another server counts by how much it proves:
//!
//! - It answers a DISCOVER of the service's own, by that question's number: it is a server. Addresses are handed out no
//!   more until it has been silent for three minutes, in which it was asked nine times.
//! - It is heard to answer a machine, or a machine's REQUEST names it, and it answers no question: it may be a server that
//!   answers known machines only, or a packet of another network, or an old one sent again. The claim is verified first:
//!   somebody must answer at that address (a server's own word: with the hardware address that sent it), and must not
//!   refuse DHCP's port. If so, it counts for three minutes, and each further conversation that tells of it prolongs that
//!   by as much, up to half an hour. If not, it is told in the log and nothing changes.
//!
//! While a server's own word is verified (a third of a second), nobody is answered; once a minute at most, so that whoever
//! makes such words up can't stop the service. A machine's word stops nothing until it is verified: the machine itself has
//! chosen, and others are no worse off than they were before it spoke.

mod claims;
mod peers;
pub mod server_reply;
#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, fmt, net::Ipv4Addr, time::Duration};

use claims::{Claims, Testimony, Witness};
use peers::Peers;

use crate::{
    config::Mode,
    dhcp::{Action, DhcpOutcome, Notice, ServerReply},
    ids::{Mac, Time},
};

/// How long the first look lasts. dnsmasq pings an address for 3 s before it offers it; ISC's server for 1 s.
const LOOK: Duration = Duration::from_secs(5);
/// Time between the questions of the first look: any of them may get lost.
const ASK_AGAIN: Duration = Duration::from_millis(1500);
/// Time between questions after it.
const WATCH: Duration = Duration::from_secs(20);
/// A machine that comes up causes a question of its own, unless the last one is more recent than this.
const RECENT: Duration = Duration::from_secs(5);
/// A server that answers questions is gone when it has answered none for this long: some nine of them. One that answers none
/// counts for as long by each conversation that tells of it.
const GONE: Duration = Duration::from_secs(3 * 60);
/// The longest that a server counts by what others say, in conversations: half an hour.
const CONVERSATIONS: u32 = 10;
/// Time between two servers' words that are waited for.
const PAUSE_AGAIN: Duration = Duration::from_secs(60);
/// More servers than this are not kept apart: whoever invents them must not fill the memory.
const MOST: usize = 16;

/// What the service does on its network.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "Standing")]
pub enum ServingMode {
    /// Looks whether another server is there, and answers nobody until it knows.
    #[default]
    Looking,
    /// Hands out addresses: no other server does, or the configuration says so.
    Full,
    /// Hands out none: another server does.
    Proxy,
}

/// Who is at an address that is said to be a DHCP server's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// Nobody answers at the address.
    Absent,
    /// Somebody who takes no datagrams on DHCP's port.
    Refuses(Mac),
    /// Somebody who may be one.
    There(Mac),
}

/// Another server that counts at present.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Other {
    mac: Mac,
    /// Conversations that tell of it; none that is counted for one that answers questions.
    told: u32,
    until: Time,
}

/// The detection of other servers.
#[derive(Debug, Clone)]
pub struct RogueDetection {
    mode: Mode,
    own: Ipv4Addr,
    /// When the first look ends; absent before the interface is there.
    look_ends: Option<Time>,
    is_looking: bool,
    last_question: Option<Time>,
    next_question: Option<Time>,
    others: BTreeMap<Ipv4Addr, Other>,
    claims: Claims,
    /// Whether nobody is answered until a server's word is verified, and when that began last.
    is_paused: bool,
    last_pause: Option<Time>,
    peers: Peers,
}

impl RogueDetection {
    /// The detection of the server whose address is `own`. It begins when the interface is there.
    pub fn new(mode: Mode, own: Ipv4Addr) -> RogueDetection {
        RogueDetection {
            mode,
            own,
            look_ends: None,
            is_looking: mode == Mode::Auto,
            last_question: None,
            next_question: None,
            others: BTreeMap::new(),
            claims: Claims::default(),
            is_paused: false,
            last_pause: None,
            peers: Peers::default(),
        }
    }

    /// What the service may do now.
    pub fn serving_mode(&self) -> ServingMode {
        match self.mode {
            Mode::Full => ServingMode::Full,
            Mode::Proxy => ServingMode::Proxy,
            Mode::Auto if !self.others.is_empty() => ServingMode::Proxy,
            Mode::Auto if self.is_looking || self.is_paused => ServingMode::Looking,
            Mode::Auto => ServingMode::Full,
        }
    }

    /// The other servers in words, where they are somebody's trouble.
    pub fn trouble(&self) -> Option<String> {
        if self.others.is_empty() || self.mode == Mode::Proxy {
            return None;
        }
        let names = self.names();
        if self.stands_by() {
            return Some(format!(
                "another rackberry hands out the addresses of this network: {names}; this one answers nobody while it is there, \
                 and takes its place three minutes after it was heard last"
            ));
        }
        let what = match self.mode {
            Mode::Full => "machines may get an address of either (network.mode is \"full\")",
            _ => "this service hands out no addresses while it is there",
        };
        Some(format!("another DHCP server answers in this network: {names}; {what}"))
    }

    /// The other servers, where they hand out addresses beside this one.
    pub fn rivals(&self) -> Option<String> {
        (self.serving_mode() == ServingMode::Full && !self.others.is_empty()).then(|| self.names())
    }

    /// Whether what hands out the addresses is another service of this kind, which also says what to boot: this one says
    /// nothing at all.
    pub fn stands_by(&self) -> bool {
        let is_peer = |other: &Other| self.peers.is(other.mac);
        self.mode == Mode::Auto && !self.others.is_empty() && self.others.values().all(is_peer)
    }

    fn names(&self) -> String {
        let names: Vec<String> =
            self.others.iter().map(|(address, other)| named(*address, other.mac).to_string()).collect();
        names.join(", ")
    }

    /// The interface is there with this hardware address, or is there again and may be in another network now: what was known
    /// counts no more.
    pub fn linked(&mut self, own: Mac, now: Time) -> DhcpOutcome {
        self.others.clear();
        self.peers = Peers::of(own);
        self.claims = Claims::default();
        (self.is_paused, self.last_pause) = (false, None);
        self.is_looking = self.mode == Mode::Auto;
        self.look_ends = Some(now + LOOK);
        self.last_question = None;
        self.next_question = (self.mode != Mode::Proxy).then_some(now);
        self.tick(now)
    }

    /// Another server's OFFER or ACK was heard.
    pub fn heard(&mut self, heard: &ServerReply, now: Time) -> DhcpOutcome {
        let mut out = DhcpOutcome::default();
        if self.goes_on_beside(heard.from.mac) {
            return out;
        }
        if heard.is_answer {
            self.claims.settle(heard.server);
            self.saw((heard.server, heard.from.mac), 0, now, &mut out);
            self.settle_pause();
        } else {
            let sender = *heard.from.address.ip();
            let is_sender = !sender.is_unspecified() && sender != self.own;
            let at = if is_sender { sender } else { heard.server };
            let witness = Witness::Server(heard.from.mac);
            let conversation = (heard.client, heard.xid);
            self.claim(Testimony { server: heard.server, witness, at, conversation }, now, &mut out);
        }
        out
    }

    /// Another service of this kind asks whether a server is there.
    pub fn peer_asks(&mut self, mac: Mac, now: Time) {
        if self.mode != Mode::Auto {
            return;
        }
        let gives_way = self.peers.asks(mac, now);
        // Both look, and that one will hand out addresses: it is to be heard before this one does, by two questions of this one's.
        if gives_way && self.is_looking && !self.peers.has_waited {
            self.peers.has_waited = true;
            self.look_ends = self.look_ends.max(Some(now + LOOK + ASK_AGAIN * 2));
        }
    }

    /// Whether a machine asks as another service of this kind: it must always be answered, to know of this one.
    pub fn is_peer(&self, mac: Mac) -> bool {
        self.peers.is(mac)
    }

    /// Whether a server is another service of this kind that gives way, once it hears this one.
    fn goes_on_beside(&self, server: Mac) -> bool {
        let hands_out = !self.is_looking && self.others.is_empty();
        self.mode == Mode::Auto && hands_out && self.peers.gives_way(server)
    }

    /// A machine's REQUEST named the server it has chosen (option 54), in its conversation `xid`.
    pub fn named(&mut self, server: Ipv4Addr, client: Mac, xid: u32, now: Time) -> DhcpOutcome {
        let mut out = DhcpOutcome::default();
        let witness = Witness::Client(client);
        self.claim(Testimony { server, witness, at: server, conversation: (client, xid) }, now, &mut out);
        out
    }

    /// Who is at an address that was to be verified.
    pub fn verified(&mut self, at: Ipv4Addr, presence: Presence, now: Time) -> DhcpOutcome {
        let mut out = DhcpOutcome::default();
        for (server, claim) in self.claims.decide(at) {
            if matches!(presence, Presence::There(mac) if self.goes_on_beside(mac)) {
                continue;
            }
            let is_witness = |mac: Mac| match claim.witness {
                Witness::Server(source) => source == mac,
                Witness::Client(_) => true,
            };
            match presence {
                Presence::There(mac) if is_witness(mac) => {
                    let told = self.others.get(&server).map_or(1, |other| other.told + 1);
                    self.saw((server, mac), told.min(CONVERSATIONS), now, &mut out);
                }
                _ => {
                    self.claims.dismiss(server, now);
                    self.dismiss(server, claim.witness, presence, &mut out);
                }
            }
        }
        self.settle_pause();
        out
    }

    /// A machine asks for an address: before it has one from here and one from another server, look again.
    pub fn asked(&mut self, now: Time) -> DhcpOutcome {
        let mut out = DhcpOutcome::default();
        self.ask_unless_recent(now, &mut out);
        out
    }

    /// Asks when it is time to, and forgets servers that are gone.
    pub fn tick(&mut self, now: Time) -> DhcpOutcome {
        let mut out = DhcpOutcome::default();
        if self.next_question.is_some_and(|next| next <= now) {
            self.ask(now, &mut out);
        }
        if self.is_looking && self.look_ends.is_some_and(|end| end <= now) {
            self.is_looking = false;
        }
        self.claims.expire(now);
        self.settle_pause();
        let gone: Vec<Ipv4Addr> =
            self.others.iter().filter(|(_, other)| other.until <= now).map(|(address, _)| *address).collect();
        gone.into_iter().for_each(|server| self.lose(server, &mut out));
        out
    }

    /// When [`RogueDetection::tick`] has work next.
    pub fn deadline(&self) -> Option<Time> {
        let look = self.look_ends.filter(|_| self.is_looking);
        let gone = self.others.values().map(|other| other.until);
        [self.next_question, look, self.claims.deadline()].into_iter().flatten().chain(gone).min()
    }

    fn claim(&mut self, word: Testimony, now: Time, out: &mut DhcpOutcome) {
        let Testimony { server, witness, at, .. } = word;
        // In mode proxy another server is what is expected, and one that answers questions is known by that.
        let answers = self.others.get(&server).is_some_and(|other| other.told == 0);
        let is_void = server == self.own || server.is_unspecified() || self.mode == Mode::Proxy;
        // Without an interface there is nobody to ask.
        if is_void || answers || self.next_question.is_none() {
            return;
        }
        // Its answer would tell more than all else.
        self.ask_unless_recent(now, out);
        if !self.claims.raise(word, now) {
            return;
        }
        out.actions.push(Action::Verify(at));
        let may_pause = self.last_pause.is_none_or(|last| now.since(last) >= PAUSE_AGAIN);
        if matches!(witness, Witness::Server(_)) && may_pause {
            (self.is_paused, self.last_pause) = (true, Some(now));
        }
    }

    fn settle_pause(&mut self) {
        self.is_paused &= self.claims.has_servers_word();
    }

    /// A server is there: by its own answer where nobody else `told` of it, else by so many conversations.
    fn saw(&mut self, (server, mac): (Ipv4Addr, Mac), told: u32, now: Time, out: &mut DhcpOutcome) {
        let known = self.others.get(&server).copied();
        // Another one may have this one's address: two that were never configured.
        let is_own = server == self.own && (told > 0 || self.peers.is_own(mac));
        let is_void = is_own || server.is_unspecified() || self.mode == Mode::Proxy;
        if is_void || (known.is_none() && self.others.len() >= MOST) {
            return;
        }
        self.others.insert(server, Other { mac, told, until: now + GONE * told.max(1) });
        if known.is_none_or(|known| known.mac != mac) {
            let stands_down = self.mode == Mode::Auto;
            out.notices.push(Notice::OtherServer { address: server, mac, stands_down });
        }
    }

    /// A claim was wrong. A server that was there by such claims is gone.
    fn dismiss(&mut self, server: Ipv4Addr, witness: Witness, presence: Presence, out: &mut DhcpOutcome) {
        if self.others.get(&server).is_some_and(|other| other.told > 0) {
            self.lose(server, out);
        }
        let (Witness::Client(by) | Witness::Server(by)) = witness;
        out.notices.push(Notice::NoSuchServer { address: server, by, presence });
    }

    fn lose(&mut self, server: Ipv4Addr, out: &mut DhcpOutcome) {
        if let Some(other) = self.others.remove(&server) {
            let resumes = self.mode == Mode::Auto && self.others.is_empty();
            out.notices.push(Notice::OtherServerGone { address: server, mac: other.mac, resumes });
        }
    }

    fn ask_unless_recent(&mut self, now: Time, out: &mut DhcpOutcome) {
        let is_recent = self.last_question.is_some_and(|last| now.since(last) < RECENT);
        // Without an interface, and in mode proxy, there is nothing to ask.
        if self.next_question.is_some() && !is_recent {
            self.ask(now, out);
        }
    }

    fn ask(&mut self, now: Time, out: &mut DhcpOutcome) {
        self.last_question = Some(now);
        self.next_question = Some(now + if self.is_looking { ASK_AGAIN } else { WATCH });
        out.actions.push(Action::Seek);
    }
}

/// `10.10.10.254 (00:25:90:c0:f7:86)`
pub(super) fn named(address: Ipv4Addr, mac: Mac) -> impl fmt::Display {
    format!("{address} ({mac})")
}
