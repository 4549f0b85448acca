//! How far a reply has got, and telling the owner.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::{mpsc, watch},
    time::timeout,
};

use super::metrics::{Counters, Kind};
use crate::{
    appliance::{Progress, TransferEnd, TransferId},
    handle::Handle,
};

/// Least time between two tellings of one transfer, but for its end.
const PACE: Duration = Duration::from_millis(250);

/// The body of one reply on its way to the kernel. Every piece of it holds this, so that it is dropped with the
/// last piece, sent or not; what is not all sent by then was cut.
#[derive(Debug)]
pub(super) struct Transfer {
    counters: Arc<Counters>,
    kind: Kind,
    /// Offset in the file of the next byte to send.
    at: AtomicU64,
    /// Offset in the file behind the last byte to send.
    until: u64,
    report: Option<watch::Sender<Sent>>,
    /// Buffers that came back.
    spare: Mutex<Vec<Vec<u8>>>,
}

#[derive(Debug, Clone, Copy)]
struct Sent {
    at: u64,
    end: Option<TransferEnd>,
}

/// A transfer that the owner has numbered and waits for the end of. Whatever becomes of the request, dropping
/// this tells that end.
#[derive(Debug)]
pub(super) struct Ticket(Option<Reporter>);

#[derive(Debug)]
struct Reporter {
    handle: Handle,
    id: TransferId,
    /// Held until the end is told, so that the server doesn't stop before.
    alive: mpsc::Sender<()>,
}

impl Transfer {
    /// A transfer of `len` bytes from offset `start` of `total`. One of no bytes is complete at once.
    pub(super) fn new(
        counters: Arc<Counters>,
        kind: Kind,
        (start, len, total): (u64, u64, u64),
        ticket: Option<Ticket>,
    ) -> Arc<Transfer> {
        let end = (len == 0).then_some(TransferEnd::Complete);
        let report = ticket.and_then(|mut ticket| ticket.0.take()).map(|reporter| {
            let (report, sent) = watch::channel(Sent { at: start, end });
            reporter.start(total, sent);
            report
        });
        let at = AtomicU64::new(start);
        Arc::new(Transfer { counters, kind, at, until: start + len, report, spare: Mutex::default() })
    }

    /// The kernel has taken `n` more bytes.
    pub(super) fn advance(&self, n: usize) {
        let n = n as u64;
        self.counters.sent(self.kind, n);
        let at = self.at.fetch_add(n, Ordering::Relaxed) + n;
        if let Some(report) = &self.report {
            let end = (at == self.until).then_some(TransferEnd::Complete);
            report.send_replace(Sent { at, end });
        }
    }

    /// A buffer of `size` bytes whose content doesn't matter.
    pub(super) fn buffer(&self, size: usize) -> Vec<u8> {
        let spare = self.spare.lock().unwrap_or_else(PoisonError::into_inner).pop();
        spare.filter(|buffer| buffer.len() >= size).unwrap_or_else(|| vec![0; size])
    }

    /// Takes back a buffer that is sent.
    pub(super) fn give_back(&self, buffer: Vec<u8>) {
        self.spare.lock().unwrap_or_else(PoisonError::into_inner).push(buffer);
    }
}

impl Drop for Transfer {
    fn drop(&mut self) {
        if let Some(report) = &self.report {
            report.send_if_modified(|sent| {
                let open = sent.end.is_none();
                if open {
                    sent.end = Some(TransferEnd::Cut);
                }
                open
            });
        }
    }
}

impl Ticket {
    /// For the transfer with this number.
    pub(super) fn new(handle: Handle, id: TransferId, alive: mpsc::Sender<()>) -> Ticket {
        Ticket(Some(Reporter { handle, id, alive }))
    }

    /// The client has the file already: all the bytes it wants are none.
    pub(super) fn not_needed(mut self, total: u64) {
        if let Some(reporter) = self.0.take() {
            reporter.over(total, TransferEnd::Complete);
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if let Some(reporter) = self.0.take() {
            reporter.over(0, TransferEnd::Cut);
        }
    }
}

impl Reporter {
    fn over(self, total: u64, end: TransferEnd) {
        let (_, sent) = watch::channel(Sent { at: 0, end: Some(end) });
        self.start(total, sent);
    }

    fn start(self, total: u64, sent: watch::Receiver<Sent>) {
        // Without a runtime the service has ended, and nobody counts.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(self.run(total, sent));
        }
    }

    async fn run(self, total: u64, mut sent: watch::Receiver<Sent>) {
        loop {
            // Time's over, or the end has come: tell it either way. The sender goes only with an end set.
            let _ = timeout(PACE, sent.wait_for(|sent| sent.end.is_some())).await;
            let changed = sent.has_changed().unwrap_or(true);
            let Sent { at, end } = *sent.borrow_and_update();
            if changed || end.is_some() {
                self.handle.progress(Progress { transfer: self.id, total, sent: at, end }).await;
            }
            if end.is_some() {
                drop(self.alive);
                return;
            }
        }
    }
}
