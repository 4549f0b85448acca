//! A network cable between an interface and a QEMU machine.
//!
//! A tap device would do, but takes /dev/net/tun, which ordinary users may not open everywhere. In a namespace
//! of their own they may open packet sockets, and QEMU talks frames over Unix datagram sockets.

use std::{fs, io, path::Path, time::Duration};

use anyhow::Context as _;
use tokio::net::UnixDatagram;

use crate::advertise;
use packet_socket::{FrameSocket, Frames};

/// Longer than any frame; checksum and segmentation offloads are off on such interfaces.
const LONGEST: usize = 65536;
/// A machine that takes no frame for so long is stopped, and misses it.
const LONGEST_STALL: Duration = Duration::from_millis(200);

/// Carries frames between the interface and QEMU, whose end is at `theirs` and who sends to `ours`
/// (`-netdev dgram,local.type=unix,local.path=THEIRS,remote.type=unix,remote.path=OURS`).
///
/// # Errors
/// When the interface or the socket can't be opened, or goes away.
pub async fn carry(interface: &str, ours: &Path, theirs: &Path) -> anyhow::Result<()> {
    let index = number(interface).with_context(|| format!("there is no network interface {interface:?}"))?;
    let frames = FrameSocket::open(index, Frames::All)
        .with_context(|| format!("can't open a packet socket on {interface}"))?;
    // The last run's.
    let _ = fs::remove_file(ours);
    let machine = UnixDatagram::bind(ours).with_context(|| format!("can't make {}", ours.display()))?;
    tokio::try_join!(inward(&frames, &machine, theirs), outward(&machine, &frames, theirs))?;
    Ok(())
}

/// From the interface to the machine. QEMU's socket holds ten frames, a server's burst is longer: what does not
/// fit waits, because GRUB's TCP does not recover from a lost segment.
async fn inward(frames: &FrameSocket, machine: &UnixDatagram, theirs: &Path) -> anyhow::Result<()> {
    let mut buffer = vec![0; LONGEST];
    loop {
        let length = frames.receive(&mut buffer).await.context("the interface is lost")?.length;
        for _ in 0..LONGEST_STALL.as_millis() {
            match machine.try_send_to(&buffer[..length], theirs) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
                // Nobody is plugged in: the frame is lost, as on a real cable.
                Ok(_) | Err(_) => break,
            }
        }
    }
}

/// From the machine to the interface.
async fn outward(machine: &UnixDatagram, frames: &FrameSocket, theirs: &Path) -> anyhow::Result<()> {
    let mut buffer = vec![0; LONGEST];
    loop {
        let length = machine.recv(&mut buffer).await.context("the machine's end is lost")?;
        if let Some(advertisement) = advertise::answer(&buffer[..length]) {
            let _ = machine.try_send_to(&advertisement, theirs);
        }
        match frames.send(&buffer[..length]) {
            Err(error) if error.kind() == io::ErrorKind::NotConnected => return Err(error.into()),
            Ok(()) | Err(_) => {}
        }
    }
}

/// The kernel's number of an interface.
fn number(interface: &str) -> io::Result<u32> {
    let any = rustix::net::socket(rustix::net::AddressFamily::UNIX, rustix::net::SocketType::DGRAM, None)?;
    Ok(rustix::net::netdevice::name_to_index(any, interface)?)
}
