//! How far a reply has got, and telling the owner.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::{mpsc, oneshot},
    time::timeout,
};

use super::metrics::{Counters, ResponseKind};
use crate::service::handle::Handle;
use rackberry_core::appliance::{Progress, TransferEnd, TransferId};

/// Least time between two tellings of one transfer, but for its end.
const PACE: Duration = Duration::from_millis(250);

/// The body of one reply on its way to the kernel. Every piece of it holds this, so that it is dropped with the
/// last piece, sent or not; what is not all sent by then was cut.
#[derive(Debug)]
pub(super) struct Transfer {
    counters: Arc<Counters>,
    kind: ResponseKind,
    /// Offset in the file of the next byte to send.
    at: Arc<AtomicU64>,
    /// Offset in the file behind the last byte to send.
    until: u64,
    /// Taken when all is sent; dropped before that, it says that the transfer was cut.
    complete: Mutex<Option<oneshot::Sender<()>>>,
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
        kind: ResponseKind,
        (start, len, total): (u64, u64, u64),
        ticket: Option<Ticket>,
    ) -> Arc<Transfer> {
        let at = Arc::new(AtomicU64::new(start));
        let complete = ticket.and_then(|mut ticket| ticket.0.take()).map(|reporter| {
            let (complete, completed) = oneshot::channel();
            spawn(reporter.follow((start, total), Arc::clone(&at), completed));
            complete
        });
        let complete = Mutex::new(complete);
        let transfer = Transfer { counters, kind, at, until: start + len, complete };
        if len == 0 {
            transfer.end();
        }
        Arc::new(transfer)
    }

    /// The kernel has taken `n` more bytes.
    pub(super) fn advance(&self, n: usize) {
        let n = n as u64;
        self.counters.sent(self.kind, n);
        let at = self.at.fetch_add(n, Ordering::Relaxed) + n;
        if at == self.until {
            self.end();
        }
    }

    fn end(&self) {
        let complete = self.complete.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(complete) = complete {
            // Nobody listens only when the service has ended.
            let _ = complete.send(());
        }
    }
}

impl Ticket {
    /// For the transfer with this number.
    pub(super) fn new(handle: Handle, id: TransferId, alive: mpsc::Sender<()>) -> Ticket {
        Ticket(Some(Reporter { handle, id, alive }))
    }

    /// The client has the file already: all the bytes it wants are none.
    pub(super) fn not_needed(self, total: u64) {
        self.over(total, TransferEnd::Complete);
    }

    /// The client asked for something that the file of this length does not have.
    pub(super) fn not_sent(self, total: u64) {
        self.over(total, TransferEnd::Cut);
    }

    fn over(mut self, total: u64, end: TransferEnd) {
        if let Some(reporter) = self.0.take() {
            spawn(reporter.tell((0, 0, total), end));
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if let Some(reporter) = self.0.take() {
            spawn(reporter.tell((0, 0, 0), TransferEnd::Cut));
        }
    }
}

impl Reporter {
    /// Tells how far it is whenever that changed, and the end: where in the file it began, where it is, the file's
    /// length.
    async fn follow(
        self,
        (start, total): (u64, u64),
        at: Arc<AtomicU64>,
        mut completed: oneshot::Receiver<()>,
    ) {
        let mut told = None;
        loop {
            let ended = timeout(PACE, &mut completed).await;
            let sent = at.load(Ordering::Relaxed);
            match ended {
                Ok(Ok(())) => return self.tell((start, sent, total), TransferEnd::Complete).await,
                Ok(Err(_)) => return self.tell((start, sent, total), TransferEnd::Cut).await,
                Err(_) if told == Some(sent) => {}
                Err(_) => {
                    self.progress((start, sent, total), None).await;
                    told = Some(sent);
                }
            }
        }
    }

    /// The last word.
    async fn tell(self, part: (u64, u64, u64), end: TransferEnd) {
        self.progress(part, Some(end)).await;
        drop(self.alive);
    }

    async fn progress(&self, (start, sent, total): (u64, u64, u64), end: Option<TransferEnd>) {
        self.handle.progress(Progress { transfer: self.id, total, start, sent, end }).await;
    }
}

/// Without a runtime the service has ended, and nobody counts.
fn spawn(telling: impl Future<Output = ()> + Send + 'static) {
    if let Ok(runtime) = tokio::runtime::Handle::try_current() {
        drop(runtime.spawn(telling));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::handle::Message;

    struct Told(mpsc::Receiver<Message>);

    impl Told {
        async fn next(&mut self) -> Option<(u64, u64, Option<TransferEnd>)> {
            match self.0.recv().await? {
                Message::Progress(Progress { sent, total, end, transfer: TransferId(7), .. }) => {
                    Some((sent, total, end))
                }
                other => panic!("{other:?}"),
            }
        }
    }

    fn ticket() -> (Ticket, Told) {
        let (handle, inbox) = Handle::channel(64);
        (Ticket::new(handle, TransferId(7), mpsc::channel(1).0), Told(inbox))
    }

    fn transfer(part: (u64, u64, u64)) -> (Arc<Transfer>, Told) {
        let (ticket, told) = ticket();
        (Transfer::new(Arc::default(), ResponseKind::File, part, Some(ticket)), told)
    }

    #[tokio::test(start_paused = true)]
    async fn progress_is_paced_and_ends_once() {
        let (transfer, mut told) = transfer((0, 1000, 1000));
        for _ in 0..9 {
            transfer.advance(50);
        }
        assert_eq!(told.next().await, Some((450, 1000, None)));
        transfer.advance(50);
        assert_eq!(told.next().await, Some((500, 1000, None)));
        transfer.advance(500);
        assert_eq!(told.next().await, Some((1000, 1000, Some(TransferEnd::Complete))));
        drop(transfer);
        assert_eq!(told.next().await, None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_goes_away_cuts_it() {
        let (transfer, mut told) = transfer((100, 900, 1000));
        transfer.advance(1);
        drop(transfer);
        assert_eq!(told.next().await, Some((101, 1000, Some(TransferEnd::Cut))));
        assert_eq!(told.next().await, None);
    }

    #[tokio::test(start_paused = true)]
    async fn silence_is_not_told_again() {
        let (transfer, mut told) = transfer((0, 9, 9));
        transfer.advance(1);
        assert_eq!(told.next().await, Some((1, 9, None)));
        assert!(timeout(PACE * 40, told.next()).await.is_err());
        drop(transfer);
        assert_eq!(told.next().await, Some((1, 9, Some(TransferEnd::Cut))));
    }

    #[tokio::test(start_paused = true)]
    async fn every_ticket_ends_once() {
        let cut = Some(TransferEnd::Cut);
        let complete = Some(TransferEnd::Complete);
        let (empty, mut told) = transfer((0, 0, 0));
        drop(empty);
        assert_eq!((told.next().await, told.next().await), (Some((0, 0, complete)), None));
        let ends: [(fn(Ticket), _); 3] = [
            (drop, (0, 0, cut)),
            (|ticket| ticket.not_sent(9), (0, 9, cut)),
            (|ticket| ticket.not_needed(9), (0, 9, complete)),
        ];
        for (end, expected) in ends {
            let (ticket, mut told) = ticket();
            end(ticket);
            assert_eq!((told.next().await, told.next().await), (Some(expected), None));
        }
    }
}
