//! What the server tells people.

use std::{fmt, net::Ipv4Addr};

use dhcproto::v4::MessageType;

use crate::{
    dhcp::{Presence, rogue::named},
    ids::Mac,
};

/// Something worth a line in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// No address is left.
    PoolIsEmpty {
        /// The machine that asked in vain.
        mac: Mac,
        /// First address of the pool.
        first: Ipv4Addr,
        /// Last address of the pool.
        last: Ipv4Addr,
    },
    /// A probe or a DECLINE found an address in use.
    InUse {
        /// The address that somebody else uses.
        address: Ipv4Addr,
        /// The client that was to have it.
        mac: Mac,
    },
    /// Another DHCP server is in this network.
    OtherServer {
        /// The other server, as it names itself.
        address: Ipv4Addr,
        /// Where its frames come from.
        mac: Mac,
        /// Whether addresses are handed out no more.
        stands_down: bool,
    },
    /// It has not been heard of for long.
    OtherServerGone {
        /// The other server, as it names itself.
        address: Ipv4Addr,
        /// Where its frames come from.
        mac: Mac,
        /// Whether addresses are handed out again.
        resumes: bool,
    },
    /// Somebody spoke of another DHCP server, and there is none.
    NoSuchServer {
        /// The address of that server.
        address: Ipv4Addr,
        /// Who spoke of it.
        by: Mac,
        /// Who was found there.
        presence: Presence,
    },
    /// A message came from another machine than the one it speaks of, and no relay agent had passed it on; or one had, of a
    /// machine that is on this switch itself.
    Spoofed {
        /// The hardware address that sent the frame.
        source: Mac,
        /// The client's hardware address that the message names.
        mac: Mac,
        /// What the message is: DISCOVER, REQUEST, ...
        kind: MessageType,
        /// The relay agent, as the message says.
        relay: Option<Ipv4Addr>,
    },
    /// Messages that would all be written to the disk are not answered for a while.
    Flood {
        /// The machine that sends them; none where many unknown ones do.
        culprit: Option<Mac>,
    },
    /// A relay agent asks for a network that is not served.
    ForeignRelay {
        /// Address of the relay agent.
        relay: Ipv4Addr,
    },
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PoolIsEmpty { mac, first, last } => write!(
                f,
                "no address is left for {mac}: all of {first} to {last} are taken; widen dhcp.pool or shorten dhcp.lease"
            ),
            Self::InUse { address, mac } => write!(
                f,
                "{address} was to be {mac}'s, but another machine uses it; it is left alone for 10 minutes: look for \
                 a machine with a fixed address, or another DHCP server"
            ),
            Self::OtherServer { address, mac, stands_down: true } => write!(
                f,
                "another DHCP server is in this network: {}; no addresses are handed out while it is there",
                named(*address, *mac)
            ),
            Self::OtherServer { address, mac, stands_down: false } => write!(
                f,
                "ANOTHER DHCP SERVER is in this network: {}; network.mode is \"full\", so addresses are handed out all \
                 the same, and machines may get one of either",
                named(*address, *mac)
            ),
            Self::OtherServerGone { address, mac, resumes } => {
                let then = if *resumes { "; addresses are handed out again" } else { "" };
                write!(f, "the other DHCP server {} is not heard any more{then}", named(*address, *mac))
            }
            Self::NoSuchServer { address, by, presence } => {
                let found = match presence {
                    Presence::Absent => "nobody answers at that address".to_owned(),
                    Presence::Refuses(mac) => format!("{mac} has that address and takes no DHCP messages"),
                    Presence::There(mac) => format!("that address is {mac}'s"),
                };
                write!(f, "{by} speaks of a DHCP server {address}, but {found}; nothing changes")
            }
            Self::Spoofed { source, mac, kind, relay } => spoofed(f, (*source, *mac), *kind, *relay),
            Self::Flood { culprit: Some(mac) } => write!(
                f,
                "{mac} sends more DHCP messages that would be written down than any machine needs; it is answered again bit \
                 by bit"
            ),
            Self::Flood { culprit: None } => f.write_str(
                "more unknown machines ask for addresses than are written down at once; those that are listed as [[node]] or \
                 were installed are answered, others bit by bit: look for a machine that makes hardware addresses up",
            ),
            Self::ForeignRelay { relay } => {
                write!(f, "the relay agent {relay} asks for another network than the one that is served")
            }
        }
    }
}

fn spoofed(
    f: &mut fmt::Formatter<'_>,
    (source, mac): (Mac, Mac),
    kind: MessageType,
    relay: Option<Ipv4Addr>,
) -> fmt::Result {
    let kind = format!("{kind:?}").to_uppercase();
    write!(f, "dropped a {kind} in the name of {mac}, because {source} has sent it")?;
    match relay {
        None => write!(
            f,
            ": a machine speaks for itself only, unless a relay agent passes its messages on; if {source} is \
             a bridge or repeater that puts its own address into frames, connect {mac} without it"
        ),
        Some(relay) => write!(
            f,
            " as the relay agent {relay}, and {mac} is on this switch itself: no relay agent is needed in this \
             network"
        ),
    }
}
