//! A network cable between an interface and a QEMU machine.
//!
//! A tap device would do, but takes /dev/net/tun, which ordinary users may not open everywhere. In a namespace
//! of their own they may open packet sockets, and QEMU talks frames over Unix datagram sockets.

use std::{fs, io, path::Path};

use anyhow::Context as _;
use tokio::net::UnixDatagram;

use crate::dhcp::raw::{FrameSocket, Frames};

/// Longer than any frame; checksum and segmentation offloads are off on such interfaces.
const LONGEST: usize = 65536;

/// Carries frames between the interface and QEMU, whose end is at `theirs` and who sends to `ours`
/// (`-netdev dgram,local.type=unix,local.path=THEIRS,remote.type=unix,remote.path=OURS`).
///
/// # Errors
/// When the interface or the socket can't be opened, or goes away.
pub async fn carry(interface: &str, ours: &Path, theirs: &Path) -> anyhow::Result<()> {
    let index = nix::net::if_::if_nametoindex(interface)
        .with_context(|| format!("there is no network interface {interface:?}"))?;
    let frames = FrameSocket::open(index, Frames::All)
        .with_context(|| format!("can't open a packet socket on {interface}"))?;
    // The last run's.
    let _ = fs::remove_file(ours);
    let machine = UnixDatagram::bind(ours).with_context(|| format!("can't make {}", ours.display()))?;
    let (mut in_frame, mut out_frame) = (vec![0; LONGEST], vec![0; LONGEST]);
    loop {
        tokio::select! {
            received = frames.receive(&mut in_frame) => {
                let length = received.context("the interface is lost")?;
                // Nobody is plugged in, or the machine is busy: the frame is lost, as on a real cable.
                let _ = machine.try_send_to(&in_frame[..length], theirs);
            }
            received = machine.recv(&mut out_frame) => {
                let length = received.context("the machine's end is lost")?;
                match frames.send(&out_frame[..length]) {
                    Err(error) if error.kind() == io::ErrorKind::NotConnected => return Err(error.into()),
                    Ok(()) | Err(_) => {}
                }
            }
        }
    }
}
