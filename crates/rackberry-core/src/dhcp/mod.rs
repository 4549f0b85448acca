//! DHCP for one network (RFC 2131, RFC 2132).
//!
//! The path of a DISCOVER: the service's socket reads the frame, [`Packet`] is what it says and who sent it, the appliance
//! decides what this machine may boot, [`Server::handle`] chooses an address and makes the OFFER, and the socket sends it
//! after the journal has what it relies on.

mod client;
mod proxy;
mod recorder;
mod rogue;
mod server;
mod spoof;
#[cfg(test)]
mod tests;
mod wire;

pub use client::Client;
pub use proxy::{Proxy, ProxyClient};
pub use recorder::Recorder;
pub use rogue::{
    Presence, RogueDetection, ServingMode,
    server_reply::{self, Asker, ServerReply},
};
pub use server::{
    Action, DhcpOutcome, ProbeId, Server,
    guests::Guest,
    lease::{Lease, LeaseChange},
    notice::Notice,
    probe,
    reply::{Boot, Destination, Reply},
};
pub use spoof::Spoofs;
use wire::options;
pub use wire::{Malformed, Packet, Sender, datagram, frame};
