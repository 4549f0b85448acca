//! A UDP datagram as it lies in an Ethernet frame: what the kernel does for sockets, for those who need the frame, too.

use std::net::{Ipv4Addr, SocketAddrV4};

use crate::{
    dhcp::{Sender, frame::checksum},
    ids::Mac,
};

const IPV4: [u8; 2] = [0x08, 0x00];
const UDP: u8 = 17;
/// More fragments follow, or the place of this one (RFC 791 section 3.1).
const FRAGMENT: u16 = 0x3fff;

/// A UDP datagram whose lengths and checksums are right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Datagram<'a> {
    /// Hardware and network address that sent it.
    pub from: Sender,
    /// To which hardware address.
    pub to_mac: Mac,
    /// To which address and port.
    pub to: SocketAddrV4,
    /// The bytes after the UDP header.
    pub payload: &'a [u8],
}

/// Why a frame is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoDatagram {
    /// Shorter than its headers, or they say.
    #[error("it is cut off")]
    CutOff,
    /// Not UDP, or not IPv4.
    #[error("it is no UDP in IPv4")]
    Other,
    /// Part of a datagram.
    #[error("it is a fragment")]
    Fragment,
    /// Its bytes are not those that were sent.
    #[error("its checksum is wrong")]
    Damaged,
}

/// What the UDP checksum in a frame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Checksum {
    /// The sender computed it over what it sent.
    AsSent,
    /// Not there yet: it was left to a network card that the frame never came to.
    Unfinished,
}

impl<'a> Datagram<'a> {
    /// Reads a frame.
    ///
    /// # Errors
    /// [`NoDatagram`] says why it is none.
    pub fn read(frame: &'a [u8], udp_checksum: Checksum) -> Result<Datagram<'a>, NoDatagram> {
        let (ethernet, packet) = frame.split_at_checked(14).ok_or(NoDatagram::CutOff)?;
        if ethernet[12..14] != IPV4 {
            return Err(NoDatagram::Other);
        }
        let mac = |at: usize| ethernet.get(at..at + 6).and_then(|mac| mac.try_into().ok()).map(Mac);
        let (Some(to_mac), Some(from_mac)) = (mac(0), mac(6)) else { return Err(NoDatagram::CutOff) };
        let (ip, datagram) = in_ip(packet)?;
        let (udp, rest) = datagram.split_at_checked(8).ok_or(NoDatagram::CutOff)?;
        let word = |at: usize| u16::from_be_bytes([udp[at], udp[at + 1]]);
        let length = usize::from(word(4)).checked_sub(8).ok_or(NoDatagram::CutOff)?;
        let payload = rest.get(..length).ok_or(NoDatagram::CutOff)?;
        // Zero says that there is no checksum (RFC 768).
        if udp_checksum == Checksum::AsSent && word(6) != 0 {
            let pseudo = [&ip[12..20], &[0, UDP], &udp[4..6]].concat();
            if checksum(&[&pseudo, udp, payload]) != [0, 0] {
                return Err(NoDatagram::Damaged);
            }
        }
        let address = |at: usize| Ipv4Addr::new(ip[at], ip[at + 1], ip[at + 2], ip[at + 3]);
        Ok(Datagram {
            from: Sender { mac: from_mac, address: SocketAddrV4::new(address(12), word(0)) },
            to_mac,
            to: SocketAddrV4::new(address(16), word(2)),
            payload,
        })
    }
}

/// An IPv4 packet's header, options included, and the UDP datagram in it, without the padding of the frame.
fn in_ip(packet: &[u8]) -> Result<(&[u8], &[u8]), NoDatagram> {
    let first = packet.get(..20).ok_or(NoDatagram::CutOff)?;
    let word = |at: usize| u16::from_be_bytes([first[at], first[at + 1]]);
    let header = usize::from(first[0] & 15) * 4;
    if first[0] >> 4 != 4 || header < 20 || first[9] != UDP {
        return Err(NoDatagram::Other);
    }
    if word(6) & FRAGMENT != 0 {
        return Err(NoDatagram::Fragment);
    }
    let whole = packet.get(..usize::from(word(2))).ok_or(NoDatagram::CutOff)?;
    let (ip, datagram) = whole.split_at_checked(header).ok_or(NoDatagram::CutOff)?;
    if checksum(&[ip]) != [0, 0] {
        return Err(NoDatagram::Damaged);
    }
    Ok((ip, datagram))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::dhcp::frame::datagram;

    const FROM: (Mac, SocketAddrV4) =
        (Mac([2, 0, 0, 0, 0, 1]), SocketAddrV4::new(Ipv4Addr::new(10, 10, 10, 7), 68));
    const TO: (Mac, SocketAddrV4) =
        (Mac([2, 0, 0, 0, 0, 2]), SocketAddrV4::new(Ipv4Addr::new(10, 10, 10, 1), 67));

    fn framed(payload: &[u8]) -> Vec<u8> {
        datagram((FROM.0, TO.0), (*FROM.1.ip(), *TO.1.ip()), (FROM.1.port(), TO.1.port()), payload)
    }

    /// With options in the IP header (router alert, RFC 2113), its length and checksum made right.
    fn with_options(payload: &[u8], options: &[u8]) -> Vec<u8> {
        let mut frame = framed(payload);
        let length = u16::try_from(frame.len() - 14 + options.len()).unwrap();
        frame[14] += u8::try_from(options.len() / 4).unwrap();
        frame[16..18].copy_from_slice(&length.to_be_bytes());
        frame.splice(34..34, options.iter().copied());
        finish(&mut frame, 20 + options.len());
        frame
    }

    fn finish(frame: &mut [u8], header: usize) {
        frame[24..26].fill(0);
        let sum = checksum(&[&frame[14..14 + header]]);
        frame[24..26].copy_from_slice(&sum);
    }

    #[test]
    fn a_datagram_reads_back_with_who_sent_it() {
        for frame in [
            framed(b"odd"),
            [framed(b"odd"), vec![0; 15]].concat(),
            with_options(b"odd", &[0x94, 4, 0, 0]),
            with_options(b"odd", &[1; 40]),
        ] {
            let read = Datagram::read(&frame, Checksum::AsSent).unwrap();
            assert_eq!((read.from.mac, read.from.address), FROM);
            assert_eq!((read.to_mac, read.to), TO);
            assert_eq!(read.payload, b"odd");
        }
    }

    #[test]
    fn a_checksum_that_is_not_there_yet_or_never_is_not_checked() {
        let mut frame = framed(b"payload");
        frame[40..42].copy_from_slice(&[0x12, 0x34]);
        assert_eq!(Datagram::read(&frame, Checksum::AsSent), Err(NoDatagram::Damaged));
        assert!(Datagram::read(&frame, Checksum::Unfinished).is_ok(), "left to the network card");
        frame[40..42].fill(0);
        assert!(Datagram::read(&frame, Checksum::AsSent).is_ok(), "the sender makes none");
    }

    #[test]
    fn what_is_no_whole_datagram_is_refused() {
        let good = framed(b"payload");
        let with = |at: usize, byte: u8| {
            let mut bad = good.clone();
            bad[at] = byte;
            finish(&mut bad, 20);
            Datagram::read(&bad, Checksum::AsSent).map(|datagram| datagram.payload.to_vec())
        };
        assert_eq!(with(12, 0x86), Err(NoDatagram::Other), "IPv6");
        assert_eq!(with(23, 6), Err(NoDatagram::Other), "TCP");
        assert_eq!(with(20, 0x20), Err(NoDatagram::Fragment), "the first");
        assert_eq!(with(21, 9), Err(NoDatagram::Fragment), "the last");
        assert_eq!(with(17, 99), Err(NoDatagram::CutOff), "longer than the frame");
        assert_eq!(with(17, 21), Err(NoDatagram::CutOff), "shorter than its headers");
        assert_eq!(with(39, 99), Err(NoDatagram::CutOff), "UDP is longer than IP");
        assert_eq!(with(39, 7), Err(NoDatagram::CutOff), "UDP is shorter than its header");
        for length in 0..good.len() {
            assert_eq!(
                Datagram::read(&good[..length], Checksum::AsSent),
                Err(NoDatagram::CutOff),
                "{length}"
            );
        }
        for at in 14..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 0x10;
            assert!(Datagram::read(&bad, Checksum::AsSent).is_err(), "byte {at} is damaged");
        }
    }

    proptest! {
        #[test]
        fn any_frame_is_read_or_refused(
            frame in proptest::collection::vec(any::<u8>(), 0..120),
            (at, byte, cut) in (0usize..80, any::<u8>(), 0usize..80),
        ) {
            let _ = Datagram::read(&frame, Checksum::AsSent);
            let mut near = framed(b"payload of some length, to be damaged");
            near[at % 79] = byte;
            near.truncate(near.len() - cut.min(near.len()));
            let _ = Datagram::read(&near, Checksum::Unfinished);
        }
    }
}
