//! One transfer with its socket.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use tokio::{net::UdpSocket, time::Instant};

use crate::{
    caution::Trial,
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

/// Answers a request from its first packet to its end, on a socket of its own.
pub(crate) async fn answer(
    socket: UdpSocket,
    peer: SocketAddr,
    asked: FileRequest,
    handler: Arc<impl Handler>,
    limits: Limits,
    trial: Trial,
) {
    let FileRequest { file, mode, options } = asked;
    let mode = match mode.to_ascii_lowercase().as_str() {
        "octet" => Mode::Octet,
        "netascii" => Mode::Netascii,
        _ => {
            let message = format!("mode {mode:?} is not octet or netascii");
            return refuse(&socket, peer, ErrorCode::IllegalOperation, message).await;
        }
    };
    let options = RequestedOptions::read(&options);
    let request = Request { peer, file, mode, options };
    tracing::debug!(%peer, file = request.file, ?options, "RRQ");
    let (content, mut mark) = match handler.open(&request).await {
        Ok(opened) => opened,
        Err(Refusal { code, message }) => return refuse(&socket, peer, code, message).await,
    };
    let source = match Source::open(content, mode).await {
        Ok(source) => source,
        Err(error) => {
            let code = match error.kind() {
                io::ErrorKind::NotFound => ErrorCode::FileNotFound,
                io::ErrorKind::PermissionDenied => ErrorCode::AccessViolation,
                _ => ErrorCode::NotDefined,
            };
            refuse(&socket, peer, code, format!("{}: {error}", request.file)).await;
            return handler.event(&mut mark, Event::Ended(End::Failed(error.to_string()))).await;
        }
    };
    let total = source.length();
    handler.event(&mut mark, Event::Started { total }).await;
    let mut driver =
        Driver { socket, peer, source, handler, mark, trial, clock: Clock::start(), told: Duration::ZERO };
    let end = match driver.run(&options, &limits).await {
        Ok(end) => end,
        Err(error) => {
            refuse(&driver.socket, peer, ErrorCode::NotDefined, error.to_string()).await;
            End::Failed(error.to_string())
        }
    };
    tracing::debug!(%peer, file = request.file, ?end, "transfer ended");
    let Driver { handler, mut mark, trial, .. } = driver;
    if end == End::TimedOut {
        trial.leave_open();
    }
    handler.event(&mut mark, Event::Ended(end)).await;
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
    clock: Clock,
    told: Duration,
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
            let received = tokio::time::timeout_at(
                self.clock.at(transfer.deadline()),
                self.socket.recv_from(&mut buffer),
            );
            step = match received.await {
                Err(_) => transfer.timeout(self.clock.now()),
                // An ICMP error: the client is gone. It may be about to ask again, so patience decides.
                Ok(Err(_)) => Step::Wait,
                Ok(Ok((length, from))) => self.receive(&mut transfer, &buffer[..length], from).await,
            };
        }
    }

    async fn receive(&mut self, transfer: &mut Transfer, packet: &[u8], from: SocketAddr) -> Step {
        if from != self.peer {
            // RFC 1350 section 4: somebody else's packet does not disturb the transfer.
            let message = "this port serves another transfer".into();
            refuse(&self.socket, from, ErrorCode::UnknownTransferId, message).await;
            return Step::Wait;
        }
        let Ok(packet) = Packet::decode(packet) else { return Step::Wait };
        let now = self.clock.now();
        let before = transfer.acknowledged();
        let step = transfer.receive(&packet, now);
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
