//! Who has a transfer, and what a further request from there means.
//!
//! A client is an address and a port. Firmware uses the same ports after each start (GRUB 25300, Intel's ROM 2070, a
//! Raspberry Pi 49153), so a request from the port of a transfer may be that transfer's own, sent again because its answer
//! was late, or a new start's, which knows nothing of the transfer.

use std::{
    collections::HashMap,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::{mpsc, oneshot};

use crate::{server::arrival::Arrival, transfer::End};

/// Requests that a transfer has not looked at yet; one that finds no room is the same as those before it.
const REPEATED: usize = 4;

/// Clients that have transfers; copies are of the same ones.
#[derive(Debug, Clone, Default)]
pub struct Clients(Arc<Mutex<HashMap<SocketAddr, Entry>>>);

#[derive(Debug)]
struct Entry {
    number: u64,
    /// Whether the client has answered, and so is where its request says.
    is_heard: bool,
    request: Vec<u8>,
    again: mpsc::Sender<Arrival>,
    end: oneshot::Sender<End>,
}

/// A transfer's own end of its entry.
#[derive(Debug)]
pub(crate) struct Seat {
    clients: Clients,
    peer: SocketAddr,
    number: u64,
    again: mpsc::Receiver<Arrival>,
    end: oneshot::Receiver<End>,
}

/// What is to be done about a request.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Answer it.
    Answer,
    /// The transfer that this request began, or one like it, is told of it.
    Told,
}

/// What a transfer hears while it waits.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum News {
    /// Its request came again.
    Again(Arrival),
    /// It is over.
    End(End),
}

impl Clients {
    /// A machine starts anew, and knows nothing of what it asked for before: its transfers end, and nothing more is sent
    /// to it of them.
    pub fn restarted(&self, client: IpAddr) {
        let mut entries = self.entries();
        let peers: Vec<SocketAddr> = entries.keys().filter(|peer| peer.ip() == client).copied().collect();
        for peer in peers {
            entries.remove(&peer).map(|entry| entry.end.send(End::Restarted));
        }
    }

    /// How many transfers a client's address has.
    pub fn of(&self, client: IpAddr) -> usize {
        self.entries().keys().filter(|peer| peer.ip() == client).count()
    }

    /// The server stops: all transfers end.
    pub(crate) fn stop(&self) {
        for (_, entry) in self.entries().drain() {
            // Who has ended by itself does not listen.
            let _ = entry.end.send(End::Stopped);
        }
    }

    /// Whether a client has one.
    pub(crate) fn has(&self, peer: SocketAddr) -> bool {
        self.entries().contains_key(&peer)
    }

    /// Makes room for one more transfer of a client's: ends the oldest of those whose clients have not answered, where this
    /// address has `each` of them already or all together are `most`. Whether there is room.
    pub(crate) fn make_room(&self, client: IpAddr, each: usize, most: usize) -> bool {
        let mut entries = self.entries();
        let waiting = |ip: Option<IpAddr>| {
            let silent =
                entries.iter().filter(|(peer, entry)| !entry.is_heard && ip.is_none_or(|ip| peer.ip() == ip));
            let oldest = silent.clone().min_by_key(|(_, entry)| entry.number).map(|(peer, _)| *peer);
            (silent.count(), oldest)
        };
        let (own, own_oldest) = waiting(Some(client));
        let gives_way = match (own >= each, entries.len() >= most) {
            (true, _) => own_oldest,
            (false, true) => waiting(None).1,
            (false, false) => return true,
        };
        // Its client hears nothing of that: it may be somebody else's address.
        let ended =
            gives_way.and_then(|peer| entries.remove(&peer)).map(|entry| entry.end.send(End::Superseded));
        ended.is_some() && entries.len() < most
    }

    /// A request came. One with other bytes than the request of the client's transfer ends that: who asks for something
    /// else waits for nothing. With the same bytes it depends on what came before, which the transfer knows.
    pub(crate) fn asked(&self, peer: SocketAddr, request: &[u8], at: Arrival) -> Verdict {
        let mut entries = self.entries();
        match entries.get(&peer) {
            None => Verdict::Answer,
            Some(entry) if entry.request == request => {
                // A transfer leaves its seat before it stops to listen, see `Seat::leave`.
                let _ = entry.again.try_send(at);
                Verdict::Told
            }
            Some(_) => {
                entries.remove(&peer).map(|entry| entry.end.send(End::Superseded));
                Verdict::Answer
            }
        }
    }

    /// A transfer begins. If the client has another one, that ends.
    pub(crate) fn seat(&self, peer: SocketAddr, number: u64, request: Vec<u8>) -> Seat {
        let (again, heard) = mpsc::channel(REPEATED);
        let (end, ended) = oneshot::channel();
        let entry = Entry { number, is_heard: false, request, again, end };
        self.entries().insert(peer, entry).map(|before| before.end.send(End::Superseded));
        Seat { clients: self.clone(), peer, number, again: heard, end: ended }
    }

    fn entries(&self) -> MutexGuard<'_, HashMap<SocketAddr, Entry>> {
        // Whoever panicked while holding it left whole entries.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seat {
    /// What the transfer is told next.
    pub(crate) async fn news(&mut self) -> News {
        tokio::select! {
            biased;
            end = &mut self.end => News::End(end.unwrap_or(End::Superseded)),
            Some(at) = self.again.recv() => News::Again(at),
        }
    }

    /// What the transfer has been told and not heard yet.
    pub(crate) fn told(&mut self) -> Option<News> {
        match self.end.try_recv() {
            Ok(end) => Some(News::End(end)),
            Err(oneshot::error::TryRecvError::Closed) => Some(News::End(End::Superseded)),
            Err(oneshot::error::TryRecvError::Empty) => self.again.try_recv().ok().map(News::Again),
        }
    }

    /// The client has answered.
    pub(crate) fn heard(&self) {
        let mut entries = self.clients.entries();
        if let Some(entry) = entries.get_mut(&self.peer).filter(|entry| entry.number == self.number) {
            entry.is_heard = true;
        }
    }

    /// What the transfer was told while it was busy before its first packet: nothing was sent, so repeated requests are
    /// answered by that.
    pub(crate) fn begin(&mut self) -> Option<End> {
        while self.again.try_recv().is_ok() {}
        self.end.try_recv().ok()
    }

    /// Ends the transfer's claim on its client. Whether its request came again after `last`, the packet that ended it:
    /// then it is a new one.
    pub(crate) fn leave(mut self, last: Option<Arrival>) -> Option<Arrival> {
        self.give_up();
        std::iter::from_fn(|| self.again.try_recv().ok()).find(|at| last.is_none_or(|last| last < *at))
    }

    fn give_up(&self) {
        let mut entries = self.clients.entries();
        if entries.get(&self.peer).is_some_and(|entry| entry.number == self.number) {
            entries.remove(&self.peer);
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.give_up();
    }
}
