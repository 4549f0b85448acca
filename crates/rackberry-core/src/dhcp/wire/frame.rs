//! Ethernet frames, for what sockets can't do: datagrams to a client that has no address yet, and ARP probes.

use std::net::Ipv4Addr;

use crate::ids::Mac;

const IPV4: [u8; 2] = [0x08, 0x00];
const ARP: [u8; 2] = [0x08, 0x06];
const UDP: u8 = 17;

/// The hardware address that everybody on the network listens to.
pub const EVERYBODY: Mac = Mac([0xff; 6]);

/// A UDP datagram (RFC 768) in IPv4 (RFC 791) in Ethernet, checksums included.
pub fn datagram(
    (from_mac, to_mac): (Mac, Mac),
    (from, to): (Ipv4Addr, Ipv4Addr),
    (from_port, to_port): (u16, u16),
    payload: &[u8],
) -> Vec<u8> {
    // A DHCP message is never longer than a frame; `reply` sees to that.
    let length = |n: usize| u16::try_from(n).unwrap_or(u16::MAX).to_be_bytes();
    let mut frame = Vec::with_capacity(42 + payload.len());
    frame.extend_from_slice(&to_mac.0);
    frame.extend_from_slice(&from_mac.0);
    frame.extend_from_slice(&IPV4);

    let mut ip = Vec::with_capacity(20);
    ip.extend_from_slice(&[0x45, 0]);
    ip.extend_from_slice(&length(28 + payload.len()));
    // No identification, no fragments, 64 hops, checksum to come.
    ip.extend_from_slice(&[0, 0, 0x40, 0, 64, UDP, 0, 0]);
    ip.extend_from_slice(&from.octets());
    ip.extend_from_slice(&to.octets());
    let sum = checksum(&[&ip]);
    ip[10..12].copy_from_slice(&sum);
    frame.extend_from_slice(&ip);

    let mut udp = Vec::with_capacity(8);
    udp.extend_from_slice(&from_port.to_be_bytes());
    udp.extend_from_slice(&to_port.to_be_bytes());
    udp.extend_from_slice(&length(8 + payload.len()));
    udp.extend_from_slice(&[0, 0]);
    let pseudo = [&ip[12..20], &[0, UDP], &udp[4..6]].concat();
    let sum = checksum(&[&pseudo, &udp, payload]);
    // Zero would mean that there is none.
    udp[6..8].copy_from_slice(if sum == [0, 0] { &[0xff, 0xff] } else { &sum });
    frame.extend_from_slice(&udp);
    frame.extend_from_slice(payload);
    frame
}

/// What a card that listens for Wake-on-LAN looks for in any frame: six bytes of ones and its own address sixteen
/// times (AMD's Magic Packet, publication 20213).
pub fn magic_packet(mac: Mac) -> Vec<u8> {
    [EVERYBODY.0.to_vec(), mac.0.repeat(16)].concat()
}

/// An ARP probe (RFC 5227 section 2.1.1): a request that claims no address.
pub fn arp_probe(from: Mac, address: Ipv4Addr) -> Vec<u8> {
    let mut frame = Vec::with_capacity(60);
    frame.extend_from_slice(&EVERYBODY.0);
    frame.extend_from_slice(&from.0);
    frame.extend_from_slice(&ARP);
    frame.extend_from_slice(&[0, 1, 8, 0, 6, 4, 0, 1]);
    frame.extend_from_slice(&from.0);
    frame.extend_from_slice(&[0; 4 + 6]);
    frame.extend_from_slice(&address.octets());
    frame.resize(60, 0);
    frame
}

/// The address that an ARP frame shows to be in use (RFC 5227 section 2.1.1), its sender's or the one that its sender probes
/// for, and the hardware address of whoever says so.
pub fn arp_in_use(frame: &[u8], own: Mac) -> Option<(Ipv4Addr, Mac)> {
    let arp = frame.get(14..42).filter(|_| frame[12..14] == ARP)?;
    let by = Mac(arp[8..14].try_into().ok()?);
    if arp[..6] != [0, 1, 8, 0, 6, 4] || by == own {
        return None;
    }
    let address = |at: usize| Ipv4Addr::new(arp[at], arp[at + 1], arp[at + 2], arp[at + 3]);
    let (sender, target) = (address(14), address(24));
    Some((if sender.is_unspecified() { target } else { sender }, by))
}

/// The internet checksum (RFC 1071); every part but the last has an even length.
pub fn checksum(parts: &[&[u8]]) -> [u8; 2] {
    let words = parts.iter().flat_map(|part| part.chunks(2));
    let sum: u32 = words.map(|word| u32::from(word[0]) << 8 | u32::from(*word.get(1).unwrap_or(&0))).sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    let folded = (folded & 0xffff) + (folded >> 16);
    (!(folded as u16)).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HERE: Mac = Mac([2, 0, 0, 0, 0, 1]);
    const THERE: Mac = Mac([2, 0, 0, 0, 0, 2]);
    const ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 10, 10, 7);

    #[test]
    fn a_datagram_checks() {
        let frame = datagram((HERE, THERE), (Ipv4Addr::new(10, 10, 10, 1), ADDRESS), (67, 68), b"odd");
        assert_eq!(frame.len(), 14 + 20 + 8 + 3);
        assert_eq!(frame[..6], THERE.0);
        // A receiver's sum over header and checksum is zero.
        assert_eq!(checksum(&[&frame[14..34]]), [0, 0]);
        let pseudo = [&frame[26..34], &[0, UDP], &frame[38..40]].concat();
        assert_eq!(checksum(&[&pseudo, &frame[34..]]), [0, 0]);
    }

    #[test]
    fn a_magic_packet_has_the_address_sixteen_times() {
        let call = magic_packet(THERE);
        assert_eq!((call.len(), &call[..6]), (102, &[0xff; 6][..]));
        assert!(call[6..].chunks(6).all(|part| part == THERE.0));
    }

    #[test]
    fn a_probe_claims_nothing_and_asks_for_the_address() {
        let frame = arp_probe(HERE, ADDRESS);
        assert_eq!(frame.len(), 60);
        assert_eq!(arp_in_use(&frame, HERE), None, "our own");
        assert_eq!(
            arp_in_use(&frame, THERE),
            Some((ADDRESS, HERE)),
            "another host that wants the address, too"
        );
    }

    #[test]
    fn an_answer_shows_its_senders_address() {
        let mut frame = arp_probe(THERE, Ipv4Addr::new(10, 10, 10, 1));
        frame[28..32].copy_from_slice(&ADDRESS.octets());
        assert_eq!(arp_in_use(&frame, HERE), Some((ADDRESS, THERE)));
    }

    proptest! {
        #[test]
        fn any_frame_is_read_without_panic(frame in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _ = arp_in_use(&frame, HERE);
        }
    }
}
