//! Light stand-ins for machines: they speak DHCP, TFTP and HTTP as a BIOS PXE client, lpxelinux and the install
//! script do, without running any of them, each through a network card of its own. For quick looks and for scale, not for
//! proof.

use std::{
    net::{Ipv4Addr, SocketAddr, SocketAddrV4},
    time::Duration,
};

use anyhow::{Context as _, bail, ensure};
use dhcproto::{
    Decodable as _, Decoder, Encodable as _,
    v4::{DhcpOption, Flags, Message, MessageType, OptionCode},
};
use http_body_util::{BodyExt as _, Full};
use hyper::{Method, Request, body::Bytes};
use hyper_util::rt::TokioIo;
use tokio::{
    net::{TcpSocket, UdpSocket},
    process::Command,
    time::timeout,
};

use rackberry_core::ids::Mac;

const REPLY: Duration = Duration::from_secs(3);
const TRIES: usize = 10;
/// How long a simulated disk takes for one piece of the image, and how big a piece is.
const WRITE: Duration = Duration::from_millis(20);

/// The stand-ins' network cards: interfaces' names and hardware addresses.
pub fn cards(count: u8) -> impl Iterator<Item = (String, Mac)> {
    (1..=count).map(|number| (format!("node{number}"), Mac([0x52, 0x54, 0, 0x5a, 0, number])))
}

/// Runs `count` machines in this network namespace, which has their cards, each through one install and one more start.
/// They stay in each stage for `pause` at least, for whoever looks at them.
pub async fn run(count: u8, pause: Duration) -> anyhow::Result<()> {
    let mut nodes = tokio::task::JoinSet::new();
    for (card, mac) in cards(count) {
        let wire = Wire::open(&card)?;
        let node = StandIn { mac, card, wire, pause };
        nodes.spawn(async move { node.live().await.with_context(|| format!("simulated node {}", node.mac)) });
    }
    while let Some(ended) = nodes.join_next().await {
        ended??;
    }
    Ok(())
}

/// The DHCP client port of a card. Replies go to everybody, and each takes its own.
#[derive(Debug)]
struct Wire(UdpSocket);

impl Wire {
    fn open(card: &str) -> anyhow::Result<Wire> {
        let socket =
            on_card(card, SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 68)).context("DHCP client port 68")?;
        socket.set_broadcast(true)?;
        Ok(Wire(socket))
    }

    /// Sends until a reply to this transaction comes.
    async fn exchange(&self, request: &Message) -> anyhow::Result<Message> {
        let packet = request.to_vec()?;
        let mut buffer = vec![0; 2048];
        for _ in 0..TRIES {
            self.0.send_to(&packet, (Ipv4Addr::BROADCAST, 67)).await?;
            let answer = async {
                loop {
                    let length = self.0.recv(&mut buffer).await?;
                    let Ok(reply) = Message::decode(&mut Decoder::new(&buffer[..length])) else { continue };
                    if is_reply(&reply, request) {
                        return anyhow::Ok(reply);
                    }
                }
            };
            if let Ok(reply) = timeout(REPLY, answer).await {
                return reply;
            }
        }
        bail!("no DHCP reply")
    }
}

/// Whether this is the reply that a message waits for: an OFFER that comes late, for a DISCOVER that was sent twice, is none
/// to the REQUEST.
fn is_reply(reply: &Message, request: &Message) -> bool {
    let is_offer = reply.opts().msg_type() == Some(MessageType::Offer);
    let wants_offer = request.opts().msg_type() == Some(MessageType::Discover);
    reply.xid() == request.xid() && reply.chaddr() == request.chaddr() && is_offer == wants_offer
}

/// A socket whose datagrams go through one card only.
fn on_card(card: &str, address: SocketAddrV4) -> std::io::Result<UdpSocket> {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::DGRAM, None)?;
    socket.set_nonblocking(true)?;
    socket.bind_device(Some(card.as_bytes()))?;
    socket.bind(&address.into())?;
    UdpSocket::from_std(socket.into())
}

/// What a menu's line names.
fn named<'a>(menu: &'a str, key: &str) -> anyhow::Result<&'a str> {
    let mut lines = menu.lines().map(str::trim);
    lines.find_map(|line| line.strip_prefix(key)).with_context(|| format!("the menu has no {key}"))
}

/// Server and path of a URL of this service.
fn place(lease: &GivenLease, url: &str) -> anyhow::Result<(SocketAddrV4, String)> {
    let (authority, path) = url
        .strip_prefix("http://")
        .and_then(|rest| rest.split_once('/'))
        .with_context(|| format!("{url} is no HTTP URL"))?;
    let port = authority.split(':').nth(1).map_or(Ok(80), str::parse)?;
    Ok((SocketAddrV4::new(lease.server, port), format!("/{path}")))
}

/// What DHCP gave.
#[derive(Debug)]
struct GivenLease {
    address: Ipv4Addr,
    server: Ipv4Addr,
    file: Option<String>,
}

/// What asks for an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Start {
    /// Firmware that boots from the network.
    Network,
    /// The system on the disk.
    Disk,
}

/// One machine.
#[derive(Debug)]
struct StandIn {
    mac: Mac,
    card: String,
    wire: Wire,
    pause: Duration,
}

impl StandIn {
    /// Starts from the network until it has installed, and once more, which must lead to the disk.
    async fn live(&self) -> anyhow::Result<()> {
        loop {
            let lease = self.dhcp(Start::Network).await?;
            let Some(file) = lease.file.clone() else {
                tokio::time::sleep(REPLY).await;
                continue;
            };
            tokio::time::sleep(self.pause).await;
            self.tftp(&lease, &file).await?;
            tokio::time::sleep(self.pause).await;
            let menu = self.tftp(&lease, &format!("pxelinux.cfg/{}", self.mac.bootif())).await?;
            let menu = String::from_utf8_lossy(&menu).into_owned();
            if menu.contains("LOCALBOOT") {
                tokio::time::sleep(REPLY).await;
                continue;
            }
            self.install(&lease, &menu).await?;
            break;
        }
        tokio::time::sleep(self.pause).await;
        let again = self.dhcp(Start::Network).await?;
        ensure!(again.file.is_none(), "was led into the installer again");
        self.dhcp(Start::Disk).await?;
        Ok(())
    }

    async fn install(&self, lease: &GivenLease, menu: &str) -> anyhow::Result<()> {
        let kernel = named(menu, "KERNEL ")?;
        for url in [kernel, named(menu, "INITRD ")?] {
            let (server, path) = place(lease, url)?;
            self.http(lease, (Method::GET, server, &path), None).await?;
        }
        let url = menu.split("cloud-config-url=").nth(1).context("the menu names no script")?;
        let (server, path) = place(lease, url.split_whitespace().next().unwrap_or_default())?;
        // The grant, which every further path begins with.
        let base = path.strip_suffix("/cloud-configs/install.sh").context("the script has another name")?;
        let script = self.http(lease, (Method::GET, server, &path), None).await?;
        ensure!(!script.is_empty(), "the install script is empty");
        let config = format!("{base}/cloud-config/{}", self.mac);
        self.http(lease, (Method::GET, server, &config), None).await?;
        let (_, kernel) = place(lease, kernel)?;
        let folder = kernel.rsplit_once('/').map_or("", |(folder, _)| folder);
        let image = format!("{folder}/coreos_production_image.bin.bz2");
        self.http(lease, (Method::HEAD, server, &image), None).await?;
        // A system that nobody has signed has none, and is only for installers that don't mind.
        let signature = self.http(lease, (Method::GET, server, &format!("{image}.sig")), None).await;
        tracing::debug!(is_signed = signature.is_ok(), "asked for the image's signature");
        self.http(lease, (Method::GET, server, &image), None).await?;
        let report = r#"{"stage":"written","ok":true}"#;
        let path = format!("{base}/api/v1/nodes/{}/report", self.mac);
        self.http(lease, (Method::POST, server, &path), Some(report)).await?;
        Ok(())
    }

    /// DISCOVER to ACK, and the address on the card.
    async fn dhcp(&self, start: Start) -> anyhow::Result<GivenLease> {
        let offer = self.wire.exchange(&self.message(MessageType::Discover, start, None)?).await?;
        let ack = self.wire.exchange(&self.message(MessageType::Request, start, Some(&offer))?).await?;
        ensure!(ack.opts().msg_type() == Some(MessageType::Ack), "the address was refused");
        let file = match ack.opts().get(OptionCode::BootfileName) {
            Some(DhcpOption::BootfileName(name)) => Some(name.as_slice()),
            _ => ack.fname(),
        };
        let file = file.map(|name| String::from_utf8_lossy(name).trim_end_matches('\0').to_owned());
        let lease = GivenLease {
            address: ack.yiaddr(),
            server: server_id(&ack).context("the ACK names no server")?,
            file: file.filter(|name| !name.is_empty()),
        };
        let address = format!("{}/24", lease.address);
        // It is there already when the machine starts again.
        Command::new("ip").args(["address", "replace", &address, "dev", &self.card]).status().await?;
        Ok(lease)
    }

    fn message(&self, kind: MessageType, start: Start, offer: Option<&Message>) -> anyhow::Result<Message> {
        let mut message = Message::default();
        message.set_flags(Flags::default().set_broadcast()).set_chaddr(&self.mac.0);
        if let Some(offer) = offer {
            message.set_xid(offer.xid());
        }
        let options = message.opts_mut();
        options.insert(DhcpOption::MessageType(kind));
        options.insert(DhcpOption::MaxMessageSize(1472));
        if start == Start::Network {
            options.insert(DhcpOption::ClassIdentifier(b"PXEClient:Arch:00000:UNDI:002001".to_vec()));
            options.insert(DhcpOption::ClientSystemArchitecture(0u16.into()));
        }
        if let Some(offer) = offer {
            options.insert(DhcpOption::RequestedIpAddress(offer.yiaddr()));
            options
                .insert(DhcpOption::ServerIdentifier(server_id(offer).context("the OFFER names no server")?));
        }
        Ok(message)
    }

    /// Reads a file in lock-step (RFC 1350) with 1468-byte blocks (RFC 2348).
    async fn tftp(&self, lease: &GivenLease, name: &str) -> anyhow::Result<Vec<u8>> {
        let own = SocketAddrV4::new(lease.address, 0);
        let socket = on_card(&self.card, own).context("TFTP client socket")?;
        let mut packet = [&[0, 1], name.as_bytes(), b"\0octet\0blksize\x001468\0"].concat();
        let mut to = SocketAddr::from((lease.server, 69));
        let (mut file, mut expected, mut buffer) = (Vec::new(), 1u16, vec![0; 2048]);
        let mut silent = 0;
        loop {
            socket.send_to(&packet, to).await?;
            let Ok(received) = timeout(REPLY, socket.recv_from(&mut buffer)).await else {
                silent += 1;
                ensure!(silent < TRIES, "{name}: no answer by TFTP");
                continue;
            };
            let (length, from) = received?;
            (to, silent) = (from, 0);
            match &buffer[..length] {
                [0, 6, ..] => packet = vec![0, 4, 0, 0],
                [0, 3, high, low, data @ ..] => {
                    let block = u16::from_be_bytes([*high, *low]);
                    packet = vec![0, 4, *high, *low];
                    if block == expected {
                        file.extend_from_slice(data);
                        expected = expected.wrapping_add(1);
                        if data.len() < 1468 {
                            socket.send_to(&packet, to).await?;
                            return Ok(file);
                        }
                    }
                }
                [0, 5, _, code, text @ ..] => {
                    bail!(
                        "{name}: TFTP error {code}: {}",
                        String::from_utf8_lossy(text).trim_end_matches('\0')
                    )
                }
                _ => bail!("{name}: an answer that is not TFTP"),
            }
        }
    }

    /// One request, from the machine's own address; reads the body at the pace of a disk.
    async fn http(
        &self,
        lease: &GivenLease,
        (method, server, path): (Method, SocketAddrV4, &str),
        body: Option<&'static str>,
    ) -> anyhow::Result<Vec<u8>> {
        let socket = TcpSocket::new_v4()?;
        socket.bind_device(Some(self.card.as_bytes()))?;
        socket.bind((lease.address, 0).into())?;
        let stream =
            socket.connect(server.into()).await.with_context(|| format!("can't connect to {server}"))?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        let body = Full::new(Bytes::from_static(body.unwrap_or_default().as_bytes()));
        let request =
            Request::builder().method(method).uri(path).header("Host", server.to_string()).body(body)?;
        let mut response = sender.send_request(request).await?;
        ensure!(response.status().is_success(), "{path}: {}", response.status());
        let all = hyper::body::Body::size_hint(response.body()).exact().unwrap_or(0).max(1);
        let mut received = Vec::new();
        while let Some(frame) = response.body_mut().frame().await {
            let frame = frame?;
            received.extend_from_slice(frame.data_ref().map_or(&[], |data| data));
            if path.ends_with(".bz2") {
                // The stage lasts for the pause, however much comes at once.
                let share = frame.data_ref().map_or(0, Bytes::len) as f64 / all as f64;
                tokio::time::sleep(WRITE + self.pause.mul_f64(share.min(1.0))).await;
            }
        }
        Ok(received)
    }
}

fn server_id(message: &Message) -> Option<Ipv4Addr> {
    match message.opts().get(OptionCode::ServerIdentifier) {
        Some(DhcpOption::ServerIdentifier(server)) => Some(*server),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_late_offer_is_no_reply_to_a_request() {
        let message = |kind| {
            let mut message = Message::default();
            message.set_xid(7).opts_mut().insert(DhcpOption::MessageType(kind));
            message
        };
        let request = message(MessageType::Request);
        assert!(
            is_reply(&message(MessageType::Ack), &request) && is_reply(&message(MessageType::Nak), &request)
        );
        assert!(!is_reply(&message(MessageType::Offer), &request));
        assert!(is_reply(&message(MessageType::Offer), &message(MessageType::Discover)));
    }
}
