//! The way to the owner of the state ([`super::owner`]): what reaches it, and a handle for each adapter.

use std::{
    net::{Ipv4Addr, SocketAddrV4},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::{broadcast, mpsc, oneshot};

use crate::{net::neighbours::Neighbours, service::seen::Snapshot};
use rackberry_core::{
    appliance::{Answer, Ask, Progress, Refusal, Requester},
    assets::catalog::Catalog,
    config::Settings,
    dhcp,
    ids::Mac,
    panel::Trouble,
};

/// So many machines may start anew before a connection has looked: whole batches of them.
const RESTARTS: usize = 4 * super::owner::BATCH;

/// What reaches the owner.
#[derive(Debug)]
pub enum Message {
    /// A question, and where its answer goes.
    Ask(Ask, oneshot::Sender<Answer>),
    /// The state as it is now, and where it goes.
    Look(oneshot::Sender<Snapshot>),
    /// A transfer moved on.
    Progress(Progress),
    /// A DHCP message came to port 67.
    Packet(dhcp::Packet),
    /// A packet on port 4011, and who sent it.
    BootServerPacket(dhcp::Packet, SocketAddrV4),
    /// A host answered a probe of an address; or, without one, the probe is over.
    Probed(dhcp::ProbeId, Option<Mac>),
    /// Who is at an address that is said to be another DHCP server's.
    Verified(Ipv4Addr, dhcp::Presence),
    /// The interface is there, or there again, with this hardware address.
    Linked(Mac),
    /// Another DHCP server said something.
    ServerReply(dhcp::ServerReply),
    /// The configuration was reloaded.
    Reconfigured(Arc<Settings>),
    /// The asset folders were scanned.
    Restocked(Arc<Catalog>),
    /// Something is wrong with the service, in words, or no longer.
    Trouble(Trouble, Option<String>),
    /// All sockets are open, and the network was looked at.
    Ready,
    /// Which panel there is, in words.
    Panel(String),
}

/// A cheap copy for each adapter.
#[derive(Debug, Clone)]
pub struct Handle {
    to_owner: mpsc::Sender<Message>,
    /// Nothing is decided by what is in it, so it is nobody's state.
    packets: Arc<Mutex<dhcp::Recorder>>,
    /// Addresses of machines that start anew.
    restarts: broadcast::Sender<Ipv4Addr>,
    neighbours: Arc<Neighbours>,
}

impl Handle {
    /// A handle and the owner's end of it, with room for `capacity` waiting messages.
    pub fn channel(capacity: usize) -> (Handle, mpsc::Receiver<Message>) {
        let (to_owner, inbox) = mpsc::channel(capacity);
        let restarts = broadcast::Sender::new(RESTARTS);
        (Handle { to_owner, packets: Arc::default(), restarts, neighbours: Arc::default() }, inbox)
    }

    /// Asks, and waits until the answer and everything it relies on is on disk.
    pub async fn ask(&self, ask: Ask) -> Answer {
        let gone = || Answer::Refused(Refusal::Unavailable("the service is shutting down".into()));
        let (reply, answer) = oneshot::channel();
        if self.to_owner.send(Message::Ask(ask, reply)).await.is_err() {
            return gone();
        }
        answer.await.unwrap_or_else(|_| gone())
    }

    /// The state as it is now, everything that was told before included; none while the service ends.
    pub async fn look(&self) -> Option<Snapshot> {
        let (reply, answer) = oneshot::channel();
        self.tell(Message::Look(reply)).await;
        answer.await.ok()
    }

    /// Who sends a request from this address.
    pub async fn requester(&self, address: Ipv4Addr) -> Requester {
        Requester { address, hardware: self.neighbours.mac_of(address).await }
    }

    /// Who answers for which address on the switch.
    pub fn neighbours(&self) -> &Neighbours {
        &self.neighbours
    }

    /// Machines' last DHCP packets.
    pub fn packets(&self) -> MutexGuard<'_, dhcp::Recorder> {
        // Whoever panicked while holding it left whole records.
        self.packets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where the addresses of machines that start anew are told.
    pub fn restarts(&self) -> &broadcast::Sender<Ipv4Addr> {
        &self.restarts
    }

    /// Tells how far a transfer is.
    pub async fn progress(&self, progress: Progress) {
        self.tell(Message::Progress(progress)).await;
    }

    /// Tells anything that has no answer.
    pub async fn tell(&self, message: Message) {
        // The owner is gone only when the service ends; nobody counts then.
        let _ = self.to_owner.send(message).await;
    }
}
