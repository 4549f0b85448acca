//! Bytes: Ethernet frames, datagrams in them, DHCP messages in these and their options.

pub mod datagram;
pub mod frame;
pub(super) mod options;
mod packet;

pub use packet::{Malformed, Packet, Sender};
