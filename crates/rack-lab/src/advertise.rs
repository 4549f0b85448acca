//! Answers a machine that asks for an IPv6 router (RFC 4861), as a router without a prefix would.
//!
//! iPXE asks at every start and waits 13 s for an answer before it goes on with IPv4. In a rack the nearest
//! router answers; in the demo's network nobody else would.

use std::net::Ipv6Addr;

use rackberry_core::dhcp::frame::checksum;

/// The advertiser's hardware address, locally administered, and its link-local address.
const ADVERTISER: [u8; 6] = [0x52, 0x54, 0, 0xff, 0xff, 1];
const FROM: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0x5054, 0xff, 0xfeff, 0xff01);
const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
/// Where in an Ethernet frame the type, IPv6's next header, and the ICMPv6 type are, without extension headers.
const ETHERTYPE: usize = 12;
const NEXT_HEADER: usize = 20;
const ICMP_TYPE: usize = 54;
const ICMPV6: u8 = 58;
const SOLICITATION: u8 = 133;
const ADVERTISEMENT: u8 = 134;

/// The frame that answers `frame`, if that is a router solicitation.
pub fn answer(frame: &[u8]) -> Option<Vec<u8>> {
    let asks = frame.get(ETHERTYPE..ETHERTYPE + 2) == Some(&[0x86, 0xdd])
        && frame.get(NEXT_HEADER) == Some(&ICMPV6)
        && frame.get(ICMP_TYPE) == Some(&SOLICITATION);
    asks.then(advertisement)
}

fn advertisement() -> Vec<u8> {
    // Hop limit 64, no flags, lifetime 0: this is no default router; then the source link-layer address.
    let mut message = vec![ADVERTISEMENT, 0, 0, 0, 64, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1];
    message.extend(ADVERTISER);
    let length = message.len().to_be_bytes();
    let [.., high, low] = length;
    let pseudo = [&FROM.octets()[..], &ALL_NODES.octets(), &[0, 0, high, low, 0, 0, 0, ICMPV6]].concat();
    let sum = checksum(&[&pseudo, &message]);
    message.splice(2..4, sum);
    let mut frame = vec![0x33, 0x33, 0, 0, 0, 1];
    frame.extend(ADVERTISER);
    frame.extend([0x86, 0xdd, 0x60, 0, 0, 0, high, low, ICMPV6, 255]);
    frame.extend(FROM.octets());
    frame.extend(ALL_NODES.octets());
    frame.extend(message);
    frame
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_solicitations_are_answered() {
        let mut frame = vec![0; 62];
        assert_eq!(answer(&frame), None);
        frame[12..14].copy_from_slice(&[0x86, 0xdd]);
        frame[20] = 58;
        frame[54] = 133;
        let answer = answer(&frame).unwrap();
        assert_eq!(answer.len(), 14 + 40 + 24);
        // The checksum over pseudo header and message, its own field filled, is zero (RFC 1071).
        let (header, message) = answer[14..].split_at(40);
        let pseudo = [&header[8..40], &[0, 0, 0, 24, 0, 0, 0, 58]].concat();
        assert_eq!(checksum(&[&pseudo, message]), [0, 0]);
        assert_eq!(super::answer(&[]), None);
    }
}
