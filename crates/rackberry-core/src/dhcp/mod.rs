//! DHCP for one network (RFC 2131, RFC 2132).
//!
//! The path of a DISCOVER: the service's socket reads the frame, [`Packet`] is what it says and who sent it, the appliance
//! decides what this machine may boot, [`Server::handle`] chooses an address and makes the OFFER, and the socket sends it
//! after the journal has what it relies on.

mod client;
pub mod datagram;
pub mod frame;
mod interlock;
mod lease;
mod notice;
mod options;
pub mod overheard;
mod packet;
mod pool;
pub mod probe;
mod proxy;
mod recorder;
mod reply;
mod server;
mod spoof;
#[cfg(test)]
mod tests;

pub use client::Client;
pub use interlock::{Interlock, Presence, Standing};
pub use lease::{Lease, LeaseChange};
pub use notice::Notice;
pub use overheard::Overheard;
pub use packet::{Malformed, Packet, Sender};
pub use proxy::Proxy;
pub use recorder::Recorder;
pub use reply::{Boot, Destination, Reply};
pub use server::{Action, Outcome, ProbeId, Server};
pub use spoof::Spoofs;
