//! Frames from the wire to the owner.

use std::{net::Ipv4Addr, sync::PoisonError};

use tokio::time::sleep;

use super::{AFTER_ERROR, BOOT_SERVER_PORT, LONGEST, Sockets};
use crate::service::{
    clock::Clock,
    handle::{Handle, Message},
};
use packet_socket::Received;
use rackberry_core::dhcp::{
    Packet, ServerReply,
    datagram::{Checksum, Datagram},
};

impl Sockets {
    /// Hands every client's message to the owner. A burst waits in the kernel's buffer while the owner is busy.
    pub(super) async fn receive(&self, handle: &Handle, clock: Clock) {
        let mut frame = vec![0; LONGEST];
        loop {
            let received = match self.requests.receive(&mut frame).await {
                Ok(received) => received,
                // `act` sees when the interface is gone.
                Err(error) => {
                    tracing::debug!(%error, "can't receive");
                    sleep(AFTER_ERROR).await;
                    continue;
                }
            };
            let frame = &frame[..received.length];
            match Datagram::read(frame, checksum(received)) {
                Ok(datagram) if self.is_meant(&datagram) => {
                    match Packet::read(datagram.payload, datagram.from) {
                        Ok(packet) => {
                            let (mac, kind, xid) = (packet.mac(), packet.kind(), packet.message().xid());
                            tracing::trace!(%mac, ?kind, xid, "received");
                            handle.packets().keep(mac, clock.now(), frame.to_vec());
                            handle.tell(message(packet, &datagram)).await;
                        }
                        Err(reason) => {
                            let from = datagram.from;
                            tracing::debug!(mac = %from.mac, from = %from.address, %reason, "not a DHCP client's message");
                        }
                    }
                }
                Ok(_) => {}
                Err(reason) => tracing::debug!(%reason, "not a DHCP client's datagram"),
            }
        }
    }

    /// Whether a datagram is meant for this server: sent to its address, or to everybody, by another host. Frames to other
    /// hardware addresses don't come here.
    fn is_meant(&self, datagram: &Datagram) -> bool {
        let (to, from) = (datagram.to.ip(), datagram.from.address.ip());
        let is_to_us = [self.address, self.broadcast, Ipv4Addr::BROADCAST].contains(to);
        // What has no sender who could be answered, and what this server itself asks and a loop in the switch brings back.
        let is_hosts = !from.is_multicast() && !from.is_loopback() && !from.is_broadcast();
        let is_others = ![self.address, self.broadcast].contains(from) && datagram.from.mac != self.mac;
        is_to_us && is_hosts && is_others
    }

    /// Hands what other servers say to the owner.
    pub(super) async fn listen(&self, handle: &Handle, clock: Clock) {
        let mut frame = vec![0; LONGEST];
        loop {
            let received = match self.replies.receive(&mut frame).await {
                Ok(received) => received,
                Err(error) => {
                    tracing::debug!(%error, "can't listen");
                    sleep(AFTER_ERROR).await;
                    continue;
                }
            };
            let frame = &frame[..received.length];
            let Ok(datagram) = Datagram::read(frame, checksum(received)) else { continue };
            if let Some(heard) = ServerReply::read(&datagram, self.mac, &self.asked()) {
                handle.packets().keep(heard.client, clock.now(), frame.to_vec());
                handle.tell(Message::ServerReply(heard)).await;
            }
        }
    }

    fn asked(&self) -> Vec<u32> {
        self.questions.lock().unwrap_or_else(PoisonError::into_inner).iter().copied().collect()
    }
}

/// A client's message, for the owner.
fn message(packet: Packet, datagram: &Datagram<'_>) -> Message {
    match datagram.to.port() {
        BOOT_SERVER_PORT => Message::BootServerPacket(packet, datagram.from.address),
        _ => Message::Packet(packet),
    }
}

fn checksum(received: Received) -> Checksum {
    if received.has_checksum { Checksum::AsSent } else { Checksum::Unfinished }
}
