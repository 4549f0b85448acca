//! One transfer, from its request to its end.

use std::{
    io,
    net::{SocketAddr, UdpSocket},
    pin::Pin,
    sync::Arc,
    time::Duration,
};

use tokio::{
    sync::mpsc,
    time::{Instant, Sleep},
};

use crate::{
    options::{Limits, Negotiated, RequestedOptions},
    packet::{ErrorCode, FileRequest, Packet},
    server::arrival::{Arrival, Received},
    server::blocks::Blocks,
    server::caution::Trial,
    server::clients::{News, Seat},
    server::content::Source,
    server::engine::{Engine, Running},
    server::handler::{Event, Handler, Mode, Refusal, Request},
    server::socket::{SOON, TransferSocket},
    server::unproven::Unproven,
    transfer::{End, Step, Transfer},
};

/// Longest packet that a client sends within a transfer: an ERROR with a long message.
const LONGEST: usize = 1024;
/// How often a handler is told how far a transfer is.
const TELL: Duration = Duration::from_millis(250);
/// Blocks that are read and sent at once; a window may be larger.
const PIECE: u64 = 64;
/// What clients are told when the server stops.
const STOPPED: &str = "this server is being stopped";

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

/// Rings at a moment. That moment mostly moves on before it is there, which costs nothing: the timer is set anew only when it ends.
#[derive(Debug)]
struct Alarm(Pin<Box<Sleep>>);

impl Alarm {
    async fn ring(&mut self, at: Instant) {
        if at < self.0.deadline() {
            self.0.as_mut().reset(at);
        }
        loop {
            self.0.as_mut().await;
            if self.0.deadline() >= at {
                return;
            }
            self.0.as_mut().reset(at);
        }
    }
}

/// A request, and what answers it.
pub(crate) struct Job {
    pub peer: SocketAddr,
    pub asked: FileRequest,
    pub socket: UdpSocket,
    pub limits: Limits,
    pub trial: Trial,
    pub unproven: Unproven,
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
pub(crate) async fn answer(job: Job, handler: Arc<impl Handler>, engine: Arc<Engine>) -> Left {
    let Job { peer, asked, socket, limits, trial, unproven, mut seat } = job;
    let FileRequest { file, mode, options } = asked;
    let mode = match mode.to_ascii_lowercase().as_str() {
        "octet" => Mode::Octet,
        "netascii" => Mode::Netascii,
        _ => {
            let message = format!("mode {mode:?} is not octet or netascii");
            return refused(&socket, seat, peer, Refusal::new(ErrorCode::IllegalOperation, message));
        }
    };
    let options = RequestedOptions::read(&options);
    let request = Request { peer, file, mode, options };
    tracing::debug!(%peer, file = request.file, ?options, "RRQ");
    let opened = handler.open(&request).await;
    // Meanwhile the client may have asked for something else, or started anew: it must hear nothing of this.
    let over = seat.begin();
    if over == Some(End::Stopped) {
        refuse(&socket, peer, ErrorCode::NotDefined, STOPPED.into());
    }
    let (content, mut mark) = match (opened, over) {
        (Ok(opened), None) => opened,
        (Ok((_, mut mark)), Some(end)) => {
            handler.event(&mut mark, Event::Ended(end)).await;
            return Left::default();
        }
        (Err(refusal), None) => return refused(&socket, seat, peer, refusal),
        (Err(_), Some(_)) => return Left::default(),
    };
    let source = match Source::open(content, mode).await {
        Ok(source) => source,
        Err(error) => {
            let message = error.to_string();
            let Refusal { code, .. } = Refusal::from(error);
            refused(&socket, seat, peer, Refusal::new(code, format!("{}: {message}", request.file)));
            handler.event(&mut mark, Event::Ended(End::Failed(message))).await;
            return Left::default();
        }
    };
    handler.event(&mut mark, Event::Started { total: source.length() }).await;
    let negotiated = options.negotiate(&limits, Some(source.length()));
    // What the handler is too busy for is told by what comes next.
    let (tell, mut told) = mpsc::channel(1);
    let start = Start { peer, socket, source, negotiated, limits, trial, unproven, seat, tell };
    let running = engine.spawn(|running| run(start, running));
    while let Some(event) = told.recv().await {
        handler.event(&mut mark, event).await;
    }
    let (end, left) = running.await.unwrap_or_else(|error| (End::Failed(error.to_string()), Left::default()));
    tracing::debug!(%peer, file = request.file, ?end, "transfer ended");
    handler.event(&mut mark, Event::Ended(end)).await;
    left
}

/// Refuses a request whose transfer never began.
fn refused(socket: &UdpSocket, seat: Seat, peer: SocketAddr, refusal: Refusal) -> Left {
    // First of all: a request that comes after the refusal is a new one.
    seat.leave(None);
    refuse(socket, peer, refusal.code, refusal.message);
    Left::default()
}

/// Sends an ERROR. If it gets lost, the client asks again.
pub(crate) fn refuse(socket: &UdpSocket, peer: SocketAddr, code: ErrorCode, message: String) {
    tracing::debug!(%peer, %code, message, "refused");
    let packet = Packet::Error { code, message }.encode();
    if let Err(error) = socket.send_to(&packet, peer) {
        tracing::debug!(%peer, %error, "can't send");
    }
}

/// What a transfer needs.
struct Start {
    peer: SocketAddr,
    socket: UdpSocket,
    source: Source,
    negotiated: Negotiated,
    limits: Limits,
    trial: Trial,
    unproven: Unproven,
    seat: Seat,
    tell: mpsc::Sender<Event>,
}

/// A transfer in the engine's thread.
async fn run(start: Start, running: Running) -> (End, Left) {
    let Start { peer, socket, source, negotiated, limits, trial, unproven, seat, tell } = start;
    let clock = Clock::start();
    let (transfer, first) = Transfer::new(source.length(), &negotiated, &limits, clock.now());
    let socket = match TransferSocket::new(socket, peer) {
        Ok(socket) => socket,
        Err(error) => return (End::Failed(error.to_string()), Left::default()),
    };
    let mut driver = Driver {
        socket,
        peer,
        blocks: Blocks::new(source, negotiated.blksize),
        answer: Packet::OptionAck(negotiated.answer).encode(),
        transfer,
        tell,
        trial,
        unproven,
        seat,
        running,
        is_quick: false,
        heard: None,
        last: None,
        begins_anew: false,
        clock,
        told: Duration::ZERO,
        alarm: Alarm(Box::pin(tokio::time::sleep_until(clock.at(limits.longest_timeout)))),
    };
    let end = match driver.run(first).await {
        Ok(end) => end,
        Err(error) => {
            refuse(driver.socket.plain(), peer, ErrorCode::NotDefined, error.to_string());
            End::Failed(error.to_string())
        }
    };
    let left = driver.end(&end);
    (end, left)
}

struct Driver {
    socket: TransferSocket,
    peer: SocketAddr,
    blocks: Blocks,
    /// The OACK.
    answer: Vec<u8>,
    transfer: Transfer,
    tell: mpsc::Sender<Event>,
    trial: Trial,
    unproven: Unproven,
    seat: Seat,
    running: Running,
    /// Whether the client's last packet came soon after what it answers.
    is_quick: bool,
    /// When the client's first acknowledgement came.
    heard: Option<Arrival>,
    /// When the last packet of the client's came.
    last: Option<Arrival>,
    /// Whether a repeated request ended it.
    begins_anew: bool,
    clock: Clock,
    told: Duration,
    alarm: Alarm,
}

/// What a transfer waits for.
enum Next {
    News(News),
    Packet(io::Result<Received>),
    Deadline,
}

impl Driver {
    async fn run(&mut self, first: Step) -> io::Result<End> {
        let mut step = first;
        let mut buffer = [0; LONGEST];
        loop {
            match step {
                Step::OptionAck => self.socket.send(&self.answer, self.answer.len()).await?,
                Step::Blocks(blocks) => self.send(blocks.into_inner()).await?,
                Step::Wait => {}
                Step::End(end) => return Ok(end),
            }
            step = match self.next(&mut buffer).await {
                Next::News(News::End(end)) => Step::End(end),
                Next::News(News::Again(at)) => self.again(&mut buffer, at),
                Next::Deadline => self.transfer.timeout(self.clock.now()),
                // An ICMP error: the client is gone. It may be about to ask again, so patience decides.
                Next::Packet(Err(_)) => Step::Wait,
                Next::Packet(Ok(received)) => self.receive(&buffer, received),
            };
        }
    }

    async fn next(&mut self, buffer: &mut [u8]) -> Next {
        if self.is_quick && self.running.is_alone() {
            if let Some(news) = self.seat.told() {
                return Next::News(news);
            }
            if let Ok(received) = self.socket.receive_soon(buffer) {
                return Next::Packet(Ok(received));
            }
            self.is_quick = false;
        }
        let deadline = self.clock.at(self.transfer.deadline());
        tokio::select! {
            biased;
            news = self.seat.news() => Next::News(news),
            received = self.socket.receive(buffer) => Next::Packet(received),
            () = self.alarm.ring(deadline) => Next::Deadline,
        }
    }

    /// The client's request came again, at a time. What came before it decides: had the client acknowledged anything, or
    /// given up, then this is a new start's request.
    fn again(&mut self, buffer: &mut [u8], at: Arrival) -> Step {
        while self.heard.is_none() {
            let Ok(received) = self.socket.receive_waiting(buffer) else { break };
            let step = self.receive(buffer, received);
            self.begins_anew = matches!(step, Step::End(_)) && self.last <= Some(at);
            let came_later = self.heard.is_none_or(|heard| at < heard);
            if step != Step::Wait && came_later {
                return step;
            }
        }
        match self.heard {
            None => self.transfer.repeated(self.clock.now()),
            // They have crossed on the way.
            Some(heard) if at < heard => Step::Wait,
            Some(_) => {
                self.begins_anew = true;
                Step::End(End::Superseded)
            }
        }
    }

    fn receive(&mut self, buffer: &[u8], (length, from, at): Received) -> Step {
        if from != self.peer {
            // RFC 1350 section 4: somebody else's packet does not disturb the transfer.
            let message = "this port serves another transfer".into();
            refuse(self.socket.plain(), from, ErrorCode::UnknownTransferId, message);
            return Step::Wait;
        }
        let Ok(packet) = Packet::decode(&buffer[..length]) else { return Step::Wait };
        if self.last.replace(at).is_none() {
            // Whoever has made its address up does not know this port.
            self.seat.heard();
            self.unproven.proven(self.peer.ip());
        }
        let now = self.clock.now();
        self.is_quick = now.saturating_sub(self.transfer.sent_at()) < SOON;
        let before = self.transfer.acknowledged();
        let step = self.transfer.receive(&packet, now);
        if self.heard.is_none() && self.transfer.is_heard() {
            self.heard = Some(at);
        }
        if before == 0 && self.transfer.acknowledged() > 0 {
            self.trial.arrived();
        }
        if matches!(step, Step::Blocks(_)) && now.saturating_sub(self.told) >= TELL {
            self.told = now;
            let (acknowledged, total) = (self.transfer.acknowledged(), self.blocks.total());
            let _ = self.tell.try_send(Event::Sent { acknowledged, total });
        }
        step
    }

    /// Gives its place up.
    fn end(self, end: &End) -> Left {
        let Driver { socket, peer, trial, seat, last, begins_anew, .. } = self;
        if *end == End::Stopped {
            refuse(socket.plain(), peer, ErrorCode::NotDefined, STOPPED.into());
        }
        let is_replaced = matches!(end, End::Superseded | End::Restarted);
        // What came again and was not looked at yet is a new request, if it came after the end.
        let again = begins_anew | (seat.leave(last).is_some() && !is_replaced);
        if matches!(end, End::TimedOut | End::Superseded) {
            trial.leave_open();
        }
        let socket = socket.into_inner();
        // What comes to it is not read, so there need be no room.
        let _ = socket2::SockRef::from(&socket).set_recv_buffer_size(0);
        Left { mute: is_replaced.then_some(socket), again }
    }

    async fn send(&mut self, (first, last): (u64, u64)) -> io::Result<()> {
        let (stride, needed) = (self.blocks.stride(), self.transfer.first_unacknowledged());
        for from in (first..=last).step_by(PIECE as usize) {
            let piece = from..=last.min(from + PIECE - 1);
            self.blocks.load(piece.clone(), needed).await?;
            self.socket.send(self.blocks.packets(piece), stride).await?;
        }
        Ok(())
    }
}
