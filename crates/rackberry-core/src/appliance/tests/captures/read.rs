//! Reading the captures.

use super::*;

/// A captured UDP datagram of DHCP.
pub(super) struct Datagram {
    pub(super) from: SocketAddrV4,
    pub(super) to: SocketAddrV4,
    pub(super) payload: Vec<u8>,
}

impl Datagram {
    pub(super) fn is_clients(&self) -> bool {
        self.to.port() != 68 && self.payload[0] == 1
    }
}

/// Every capture, with its name.
pub(super) fn captures() -> Vec<(String, Vec<Datagram>)> {
    let folder = format!("{}/../../tests/data/dhcp", env!("CARGO_MANIFEST_DIR"));
    let mut captures: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| (entry.file_name().into_string().unwrap(), read(&std::fs::read(entry.path()).unwrap())))
        .collect();
    captures.sort_by(|(one, _), (two, _)| one.cmp(two));
    let datagrams: usize = captures.iter().map(|(_, datagrams)| datagrams.len()).sum();
    assert_eq!((captures.len(), datagrams), (16, 165), "as many as tcpdump counts");
    captures
}

/// The DHCP in a pcap file of Ethernet frames.
pub(super) fn read(file: &[u8]) -> Vec<Datagram> {
    assert_eq!(file[..4], 0xa1b2_c3d4u32.to_le_bytes());
    let (mut datagrams, mut rest) = (Vec::new(), &file[24..]);
    while !rest.is_empty() {
        let length = u32::from_le_bytes(rest[8..12].try_into().unwrap()) as usize;
        let frame = &rest[16..16 + length];
        datagrams.extend(datagram(frame));
        rest = &rest[16 + length..];
    }
    datagrams
}

pub(super) fn datagram(frame: &[u8]) -> Option<Datagram> {
    assert_eq!((&frame[12..14], frame[14] >> 4, frame[23]), (&[8, 0][..], 4, 17), "UDP in IPv4");
    let ip = &frame[14..];
    let udp = &ip[usize::from(ip[0] & 15) * 4..];
    let word = |at: usize| u16::from_be_bytes([udp[at], udp[at + 1]]);
    let end = |at: usize, port: u16| {
        let address: [u8; 4] = ip[at..at + 4].try_into().unwrap();
        SocketAddrV4::new(address.into(), port)
    };
    let is_dhcp = [67, 68, 4011].contains(&word(2));
    is_dhcp.then(|| Datagram {
        from: end(12, word(0)),
        to: end(16, word(2)),
        payload: udp[8..usize::from(word(4))].to_vec(),
    })
}

/// The codes and values of a client's options, as they lie there.
pub(super) fn options(payload: &[u8]) -> Vec<(u8, &[u8])> {
    let (mut options, mut rest) = (Vec::new(), &payload[240..]);
    while let [code, length, after @ ..] = rest
        && *code != 255
    {
        let (value, after) = after.split_at(usize::from(*length));
        options.push((*code, value));
        rest = after;
    }
    options
}
