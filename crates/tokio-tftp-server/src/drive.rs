//! One transfer with its socket.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use tokio::{net::UdpSocket, time::Instant};

use crate::{
    arrival::{self, Arrival, Received},
    caution::Trial,
    clients::{News, Seat},
    content::Source,
    handler::{Event, Handler, Mode, Refusal, Request},
    options::{Limits, RequestedOptions},
    packet::{ErrorCode, FileRequest, Packet},
    transfer::{End, Step, Transfer, wire_number},
};

/// Longest packet that a client sends within a transfer: an ERROR with a long message.
const LONGEST: usize = 1024;
/// How often a handler is told how far a transfer is.
const TELL: Duration = Duration::from_millis(250);

/// A moment on this driver's own time line.
#[derive(Debug, Clone, Copy)]
struct Clock(Instant);

impl Clock {
    fn start() -> Clock {
        Clock(now())
    }

    fn now(self) -> Duration {
        self.0.elapsed()
    }

    fn at(self, time: Duration) -> Instant {
        self.0 + time
    }
}

#[allow(clippy::disallowed_methods, reason = "the driver is where the time comes from")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// A request, and what answers it.
pub(crate) struct Job {
    pub peer: SocketAddr,
    pub asked: FileRequest,
    pub socket: UdpSocket,
    pub limits: Limits,
    pub trial: Trial,
    pub seat: Seat,
}

/// What a transfer leaves behind.
#[derive(Debug, Default)]
pub(crate) struct Left {
    /// Its socket, where late packets of the client's may come that must not be answered: an ERROR, or the kernel's own word
    /// that nobody listens, to the port from which the client has asked for something else, would be taken for the answer.
    pub mute: Option<UdpSocket>,
    /// Whether its request came again after its end, and is to be answered.
    pub again: bool,
}

/// Answers a request from its first packet to its end, on a socket of its own.
pub(crate) async fn answer(job: Job, handler: Arc<impl Handler>) -> Left {
    let Job { peer, asked, socket, limits, trial, mut seat } = job;
    let FileRequest { file, mode, options } = asked;
    let mode = match mode.to_ascii_lowercase().as_str() {
        "octet" => Mode::Octet,
        "netascii" => Mode::Netascii,
        _ => {
            let message = format!("mode {mode:?} is not octet or netascii");
            return refused(&socket, seat, peer, ErrorCode::IllegalOperation, message).await;
        }
    };
    let options = RequestedOptions::read(&options);
    let request = Request { peer, file, mode, options };
    tracing::debug!(%peer, file = request.file, ?options, "RRQ");
    let opened = handler.open(&request).await;
    // Meanwhile the client may have asked for something else, or started anew: it must hear nothing of this.
    let over = seat.begin();
    let (content, mut mark) = match (opened, over) {
        (Ok(opened), None) => opened,
        (Ok((_, mut mark)), Some(end)) => {
            handler.event(&mut mark, Event::Ended(end)).await;
            return Left::default();
        }
        (Err(Refusal { code, message }), None) => return refused(&socket, seat, peer, code, message).await,
        (Err(_), Some(_)) => return Left::default(),
    };
    let source = match Source::open(content, mode).await {
        Ok(source) => source,
        Err(error) => {
            let code = match error.kind() {
                io::ErrorKind::NotFound => ErrorCode::FileNotFound,
                io::ErrorKind::PermissionDenied => ErrorCode::AccessViolation,
                _ => ErrorCode::NotDefined,
            };
            refused(&socket, seat, peer, code, format!("{}: {error}", request.file)).await;
            handler.event(&mut mark, Event::Ended(End::Failed(error.to_string()))).await;
            return Left::default();
        }
    };
    let total = source.length();
    handler.event(&mut mark, Event::Started { total }).await;
    let mut driver = Driver {
        socket,
        peer,
        source,
        handler,
        mark,
        trial,
        seat,
        heard: None,
        last: None,
        begins_anew: false,
        clock: Clock::start(),
        told: Duration::ZERO,
    };
    let end = match driver.run(&options, &limits).await {
        Ok(end) => end,
        Err(error) => {
            refuse(&driver.socket, peer, ErrorCode::NotDefined, error.to_string()).await;
            End::Failed(error.to_string())
        }
    };
    tracing::debug!(%peer, file = request.file, ?end, "transfer ended");
    driver.end(end).await
}

/// Refuses a request whose transfer never began.
async fn refused(socket: &UdpSocket, seat: Seat, peer: SocketAddr, code: ErrorCode, message: String) -> Left {
    // First of all: a request that comes after the refusal is a new one.
    seat.leave(None);
    refuse(socket, peer, code, message).await;
    Left::default()
}

/// Sends an ERROR. If it gets lost, the client asks again.
pub(crate) async fn refuse(socket: &UdpSocket, peer: SocketAddr, code: ErrorCode, message: String) {
    tracing::debug!(%peer, %code, message, "refused");
    let packet = Packet::Error { code, message }.encode();
    if let Err(error) = socket.send_to(&packet, peer).await {
        tracing::debug!(%peer, %error, "can't send");
    }
}

struct Driver<H: Handler> {
    socket: UdpSocket,
    peer: SocketAddr,
    source: Source,
    handler: Arc<H>,
    mark: H::Transfer,
    trial: Trial,
    seat: Seat,
    /// When the client's first acknowledgement came.
    heard: Option<Arrival>,
    /// When the last packet of the client's came.
    last: Option<Arrival>,
    /// Whether a repeated request ended it.
    begins_anew: bool,
    clock: Clock,
    told: Duration,
}

/// What a transfer waits for.
enum Next {
    News(News),
    Packet(io::Result<Received>),
    Deadline,
}

impl<H: Handler> Driver<H> {
    async fn run(&mut self, options: &RequestedOptions, limits: &Limits) -> io::Result<End> {
        let negotiated = options.negotiate(limits, Some(self.source.length()));
        let (mut transfer, mut step) =
            Transfer::new(self.source.length(), &negotiated, limits, self.clock.now());
        let mut buffer = [0; LONGEST];
        loop {
            match step {
                Step::OptionAck => {
                    self.send(&Packet::OptionAck(negotiated.answer.clone()).encode()).await?;
                }
                Step::Blocks(blocks) => {
                    for block in blocks {
                        self.send_block(&transfer, block).await?;
                    }
                }
                Step::Wait => {}
                Step::End(end) => return Ok(end),
            }
            step = match self.next(&mut buffer, transfer.deadline()).await {
                Next::News(News::End(end)) => Step::End(end),
                Next::News(News::Again(at)) => self.again(&mut transfer, &mut buffer, at).await,
                Next::Deadline => transfer.timeout(self.clock.now()),
                // An ICMP error: the client is gone. It may be about to ask again, so patience decides.
                Next::Packet(Err(_)) => Step::Wait,
                Next::Packet(Ok(received)) => self.receive(&mut transfer, &buffer, received).await,
            };
        }
    }

    async fn next(&mut self, buffer: &mut [u8], deadline: Duration) -> Next {
        tokio::select! {
            biased;
            news = self.seat.news() => Next::News(news),
            received = arrival::receive(&self.socket, buffer) => Next::Packet(received),
            () = tokio::time::sleep_until(self.clock.at(deadline)) => Next::Deadline,
        }
    }

    /// The client's request came again, at a time. What came before it decides: had the client acknowledged anything, or
    /// given up, then this is a new start's request.
    async fn again(&mut self, transfer: &mut Transfer, buffer: &mut [u8], at: Arrival) -> Step {
        while self.heard.is_none() {
            let Ok(received) = arrival::receive_waiting(&self.socket, buffer) else { break };
            let step = self.receive(transfer, buffer, received).await;
            self.begins_anew = matches!(step, Step::End(_)) && self.last <= Some(at);
            let came_later = self.heard.is_none_or(|heard| at < heard);
            if step != Step::Wait && came_later {
                return step;
            }
        }
        match self.heard {
            None => transfer.repeated(self.clock.now()),
            // They have crossed on the way.
            Some(heard) if at < heard => Step::Wait,
            Some(_) => {
                self.begins_anew = true;
                Step::End(End::Superseded)
            }
        }
    }

    async fn receive(
        &mut self,
        transfer: &mut Transfer,
        buffer: &[u8],
        (length, from, at): Received,
    ) -> Step {
        if from != self.peer {
            // RFC 1350 section 4: somebody else's packet does not disturb the transfer.
            let message = "this port serves another transfer".into();
            refuse(&self.socket, from, ErrorCode::UnknownTransferId, message).await;
            return Step::Wait;
        }
        let Ok(packet) = Packet::decode(&buffer[..length]) else { return Step::Wait };
        self.last = Some(at);
        let now = self.clock.now();
        let before = transfer.acknowledged();
        let step = transfer.receive(&packet, now);
        if self.heard.is_none() && transfer.is_heard() {
            self.heard = Some(at);
        }
        if before == 0 && transfer.acknowledged() > 0 {
            self.trial.arrived();
        }
        if matches!(step, Step::Blocks(_)) && now.saturating_sub(self.told) >= TELL {
            self.told = now;
            let event = Event::Sent { acknowledged: transfer.acknowledged(), total: self.source.length() };
            self.handler.event(&mut self.mark, event).await;
        }
        step
    }

    /// Tells how it ended.
    async fn end(self, end: End) -> Left {
        let Driver { socket, handler, mut mark, trial, seat, last, begins_anew, .. } = self;
        let is_replaced = matches!(end, End::Superseded | End::Restarted);
        // What came again and was not looked at yet is a new request, if it came after the end.
        let again = begins_anew | (seat.leave(last).is_some() && !is_replaced);
        if matches!(end, End::TimedOut | End::Superseded) {
            trial.leave_open();
        }
        handler.event(&mut mark, Event::Ended(end)).await;
        // What comes to it is not read, so there need be no room.
        let _ = socket2::SockRef::from(&socket).set_recv_buffer_size(0);
        Left { mute: is_replaced.then_some(socket), again }
    }

    async fn send_block(&mut self, transfer: &Transfer, block: u64) -> io::Result<()> {
        let (offset, length) = transfer.place(block);
        self.source.load(offset, length).await?;
        let data = self.source.bytes(offset, length);
        let packet = Packet::Data { block: wire_number(block), data }.encode();
        self.send(&packet).await
    }

    async fn send(&mut self, packet: &[u8]) -> io::Result<()> {
        match self.socket.send_to(packet, self.peer).await {
            Ok(_) => Ok(()),
            // An ICMP error about an earlier packet, or no room: this one is lost, which is what retransmission
            // is for.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Err(error),
            Err(error) => {
                tracing::debug!(peer = %self.peer, %error, "can't send");
                Ok(())
            }
        }
    }
}
