//! The kernel's table of neighbours: which hardware address answers for a network address on the switch.
//!
//! By netlink, because /proc/net is hidden from the service (`ProcSubset=pid` in its unit). One question and one answer of
//! fixed form (rtnetlink(7)) are few lines; the crates for it bring all of netlink with them. Who asks needs no privilege.

mod message;

use std::{
    io,
    net::{Ipv4Addr, UdpSocket},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use message::NeighbourEntry;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, send, socket_with};
use tokio::time::sleep;

use rackberry_core::ids::Mac;

/// Discard (RFC 863).
const DISCARD_PORT: u16 = 9;
/// How often the table is looked at while the kernel asks who has an address, and how long that lasts in all (a quarter of a
/// second): a host on the same switch answers within a millisecond.
const PAUSES: [u64; 8] = [1, 2, 4, 8, 16, 32, 64, 128];

/// The neighbours on the interface that is served.
#[derive(Debug, Default)]
pub struct Neighbours {
    network: Mutex<Option<Network>>,
    said: AtomicBool,
}

#[derive(Debug, Clone, Copy)]
struct Network {
    index: u32,
    own: Ipv4Addr,
    prefix: u8,
}

impl Neighbours {
    /// The network that is served: the interface's number, the service's address in it, and the length of its prefix.
    pub fn serve(&self, index: u32, own: Ipv4Addr, prefix: u8) {
        *self.network.lock().unwrap_or_else(PoisonError::into_inner) = Some(Network { index, own, prefix });
    }

    /// The hardware address of whoever has a network address now. Where the kernel does not know yet, as at the first
    /// datagram of a machine, it is made to ask, and waited for briefly. Nothing for addresses of other networks.
    pub async fn mac_of(&self, address: Ipv4Addr) -> Option<Mac> {
        let network = *self.network.lock().unwrap_or_else(PoisonError::into_inner);
        let network = network.filter(|network| network.has(address))?;
        for pause in [0].into_iter().chain(PAUSES) {
            if pause > 0 {
                sleep(Duration::from_millis(pause)).await;
            }
            match look_up(network.index, address) {
                Ok(NeighbourEntry::Known(mac)) => return Some(mac),
                Ok(NeighbourEntry::Asked) => {}
                // Anything that is sent there makes the kernel ask; nobody reads it.
                Ok(NeighbourEntry::Unknown) => drop(
                    UdpSocket::bind((network.own, 0))
                        .and_then(|socket| socket.send_to(&[], (address, DISCARD_PORT))),
                ),
                Err(error) => return self.unreadable(&error),
            }
        }
        None
    }

    fn unreadable(&self, error: &io::Error) -> Option<Mac> {
        if !self.said.swap(true, Relaxed) {
            tracing::warn!(
                "can't read the kernel's table of neighbours: {error}; whether an address is still that of the machine \
                 which leased it is not known, and beside another DHCP server a machine is known only if its REQUEST was \
                 heard; the service needs AF_NETLINK (RestrictAddressFamilies= of its unit) and Linux 5.0 or later"
            );
        }
        None
    }
}

impl Network {
    /// Whether an address is another host's in this network.
    fn has(&self, address: Ipv4Addr) -> bool {
        let hosts = u32::MAX.checked_shr(self.prefix.into()).unwrap_or_default();
        let differs = address.to_bits() ^ self.own.to_bits();
        differs != 0 && differs & !hosts == 0
    }
}

/// The kernel answers within the call, so nothing is waited for.
fn look_up(index: u32, address: Ipv4Addr) -> io::Result<NeighbourEntry> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    // Without a protocol it is NETLINK_ROUTE's, which is 0.
    let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, None)?;
    send(&socket, &message::question(index, address), SendFlags::empty())?;
    let mut buffer = [0; 1024];
    let (_, length) = recv(&socket, &mut buffer[..], RecvFlags::empty())?;
    message::answer(buffer.get(..length).unwrap_or(&buffer))
}
