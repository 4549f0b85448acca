//! Whether somebody takes datagrams on a port.

use std::{
    io,
    net::{Ipv4Addr, SocketAddrV4},
    time::Duration,
};

use socket2::{Domain, Socket, Type};
use tokio::{net::UdpSocket, time::timeout};

/// How long a host on the same switch may take to say that nobody listens there.
const PATIENCE: Duration = Duration::from_millis(300);

/// Whether the host says that nobody listens (ICMP port unreachable), which a DHCP server or relay agent does not. It is asked by
/// an empty datagram, which is no DHCP message. One that says nothing may be a server, or discard what it does not know.
pub(super) async fn refuses(interface: &str, own: Ipv4Addr, host: SocketAddrV4) -> bool {
    let refused = async {
        let socket = connected(interface, own, host)?;
        socket.send(&[]).await?;
        socket.recv(&mut [0; 1]).await
    };
    matches!(timeout(PATIENCE, refused).await, Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused)
}

/// The kernel tells ICMP errors to sockets that have one peer only.
fn connected(interface: &str, own: Ipv4Addr, host: SocketAddrV4) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, None)?;
    socket.bind_device(Some(interface.as_bytes()))?;
    socket.bind(&SocketAddrV4::new(own, 0).into())?;
    socket.connect(&host.into())?;
    socket.set_nonblocking(true)?;
    UdpSocket::from_std(socket.into())
}
