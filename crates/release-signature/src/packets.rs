//! The frames around packets (RFC 9580 section 4.2).

use pgp::{packet::PacketHeader, types::Tag};

/// Packet types (RFC 9580 section 5) that certificates and signature files have.
pub(super) mod types {
    pub(in super::super) const SIGNATURE: u8 = 2;
    pub(in super::super) const ONE_PASS: u8 = 4;
    pub(in super::super) const SECRET_KEY: u8 = 5;
    pub(in super::super) const PUBLIC_KEY: u8 = 6;
    pub(in super::super) const COMPRESSED: u8 = 8;
    pub(in super::super) const MARKER: u8 = 10;
    pub(in super::super) const USER_ID: u8 = 13;
    pub(in super::super) const PUBLIC_SUBKEY: u8 = 14;
    pub(in super::super) const PADDING: u8 = 21;
}

/// A file is no OpenPGP file, or not the kind that is wanted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "fields are what the message names")]
pub enum Unreadable {
    /// Nothing in it.
    #[error("it is empty")]
    Empty,
    /// More than a key or signature file ever has.
    #[error("it is too long for a key or a signature")]
    TooLong,
    /// Text without an armored block.
    #[error("it holds no PGP {0}")]
    NoBlock(&'static str),
    /// Only blocks of another kind.
    #[error("it holds a PGP {found}, not a PGP {wanted}")]
    OtherBlock { wanted: &'static str, found: String },
    /// A block without its last line.
    #[error("its PGP {0} is cut off")]
    Unclosed(&'static str),
    /// A block with other letters than base64's.
    #[error("its PGP {0} is damaged")]
    NotBase64(&'static str),
    /// The bytes are no packets.
    #[error("it is not OpenPGP, or damaged")]
    NotPackets,
    /// A packet is longer than what is left.
    #[error("it is cut off")]
    CutOff,
    /// Another kind of packet where this one belongs.
    #[error("it begins with a packet that has no place in {0}")]
    Misplaced(&'static str),
    /// A private key.
    #[error("it holds a secret key; export the public key, and keep this one off the server")]
    SecretKey,
}

/// A packet's type and its body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Packet<'a> {
    pub(super) kind: u8,
    pub(super) body: &'a [u8],
}

impl Packet<'_> {
    /// A header of the new format for rPGP's parsers, which ask for one.
    pub(super) fn header(&self) -> PacketHeader {
        PacketHeader::new_fixed(Tag::from(self.kind), self.body.len() as u32)
    }
}

/// The packets, one after the other. Lengths must be definite: partial ones are for data only (section
/// 4.2.1.4).
pub(super) fn split(mut bytes: &[u8]) -> Result<Vec<Packet<'_>>, Unreadable> {
    let mut packets = Vec::new();
    while let Some((&first, rest)) = bytes.split_first() {
        if first & 0x80 == 0 {
            return Err(Unreadable::NotPackets);
        }
        let (kind, len, rest) = if first & 0x40 != 0 {
            let (len, rest) = new_length(rest)?;
            (first & 0x3f, len, rest)
        } else {
            let octets = match first & 3 {
                3 => return Err(Unreadable::NotPackets),
                size => 1 << size,
            };
            let (len, rest) = rest.split_at_checked(octets).ok_or(Unreadable::CutOff)?;
            ((first >> 2) & 0xf, big_endian(len), rest)
        };
        let (body, rest) = rest.split_at_checked(len).ok_or(Unreadable::CutOff)?;
        packets.push(Packet { kind, body });
        bytes = rest;
    }
    if packets.is_empty() { Err(Unreadable::Empty) } else { Ok(packets) }
}

/// Section 4.2.1.
fn new_length(bytes: &[u8]) -> Result<(usize, &[u8]), Unreadable> {
    let (&first, rest) = bytes.split_first().ok_or(Unreadable::CutOff)?;
    match first {
        0..192 => Ok((first.into(), rest)),
        192..224 => {
            let (&second, rest) = rest.split_first().ok_or(Unreadable::CutOff)?;
            Ok((((usize::from(first) - 192) << 8) + usize::from(second) + 192, rest))
        }
        255 => {
            let (len, rest) = rest.split_at_checked(4).ok_or(Unreadable::CutOff)?;
            Ok((big_endian(len), rest))
        }
        224..255 => Err(Unreadable::NotPackets),
    }
}

/// A packet in the frame of the present format, with a length of five bytes (section 4.2.1.3).
pub(super) fn frame(packet: &Packet<'_>) -> Vec<u8> {
    let len = u32::try_from(packet.body.len()).unwrap_or(u32::MAX).to_be_bytes();
    [&[0xc0 | packet.kind, 0xff], len.as_slice(), packet.body].concat()
}

pub(super) fn big_endian(bytes: &[u8]) -> usize {
    bytes.iter().fold(0, |number, byte| (number << 8) | usize::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_of_both_formats_and_every_length() {
        let long = vec![7; 300];
        let two: Vec<u8> = [&[0xc2, 192, 108], &long[..]].concat();
        let five: Vec<u8> = [&[0xc2, 255, 0, 0, 1, 44], &long[..]].concat();
        let old: Vec<u8> = [&[0x89, 1, 44], &long[..]].concat();
        for bytes in [&two, &five, &old] {
            assert_eq!(split(bytes).unwrap(), [Packet { kind: 2, body: &long }]);
            for cut in 1..bytes.len() {
                assert_eq!(split(&bytes[..cut]), Err(Unreadable::CutOff), "at {cut}");
            }
        }
        let several = [&[0xc6, 1, 9][..], &[0xb4, 2, 8, 7], &[0x88, 0]].concat();
        let kinds: Vec<u8> = split(&several).unwrap().iter().map(|packet| packet.kind).collect();
        assert_eq!(kinds, [6, 13, 2]);
    }

    #[test]
    fn what_is_framed_is_split_again() {
        let packets = [Packet { kind: 6, body: &[1; 300] }, Packet { kind: 13, body: b"me" }];
        let bytes: Vec<u8> = packets.iter().flat_map(frame).collect();
        assert_eq!(split(&bytes).unwrap(), packets);
    }

    #[test]
    fn lengths_without_an_end_are_refused() {
        for bytes in [&[0x8b, 1][..], &[0xc2, 0xe1, 1, 2, 0], b"hello"] {
            assert_eq!(split(bytes), Err(Unreadable::NotPackets));
        }
        assert_eq!(split(&[]), Err(Unreadable::Empty));
    }
}
