//! Packets (RFC 1350 section 5, RFC 2347).

use alloc::{string::String, vec, vec::Vec};
use core::fmt;

/// Opcode of DATA.
pub(crate) const DATA: u16 = 3;

/// A packet, as it is on the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Packet<'a> {
    /// Opcode 1, RRQ.
    Read(FileRequest),
    /// Opcode 2, WRQ.
    Write(FileRequest),
    /// Opcode 3.
    Data {
        /// Its number, from 1; beyond 65,535 it goes on with 0.
        block: u16,
        /// Its bytes.
        data: &'a [u8],
    },
    /// Opcode 4.
    Ack(u16),
    /// Opcode 5.
    Error {
        /// What kind.
        code: ErrorCode,
        /// For people.
        message: String,
    },
    /// Opcode 6, OACK (RFC 2347): names and values.
    OptionAck(Vec<(String, String)>),
}

/// What RRQ and WRQ carry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileRequest {
    /// The file's name.
    pub file: String,
    /// The transfer mode, as it was written.
    pub mode: String,
    /// Options, names and values, as they were written (RFC 2347).
    pub options: Vec<(String, String)>,
}

/// Error codes (RFC 1350 appendix; 8 is RFC 2347's).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorCode {
    /// 0: not defined, see the message.
    NotDefined,
    /// 1: file not found.
    FileNotFound,
    /// 2: access violation.
    AccessViolation,
    /// 3: disk full or allocation exceeded.
    DiskFull,
    /// 4: illegal TFTP operation.
    IllegalOperation,
    /// 5: unknown transfer ID.
    UnknownTransferId,
    /// 6: file already exists.
    FileExists,
    /// 7: no such user.
    NoSuchUser,
    /// 8: terminated by option negotiation.
    OptionNegotiation,
    /// Any other number.
    Other(u16),
}

/// Why bytes are no packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PacketError {
    /// Cut off.
    #[error("the packet is cut off")]
    Short,
    /// No such opcode.
    #[error("opcode {0} means nothing")]
    Opcode(u16),
    /// A text without its end.
    #[error("a text in the packet has no end")]
    Text,
}

impl<'a> Packet<'a> {
    /// Reads a packet. Bytes after its end are ignored, as servers of old did.
    ///
    /// # Errors
    /// [`PacketError`]; nothing panics.
    pub fn decode(bytes: &'a [u8]) -> Result<Packet<'a>, PacketError> {
        let (opcode, rest) = number(bytes)?;
        match opcode {
            1 => file_request(rest).map(Packet::Read),
            2 => file_request(rest).map(Packet::Write),
            DATA => number(rest).map(|(block, data)| Packet::Data { block, data }),
            4 => number(rest).map(|(block, _)| Packet::Ack(block)),
            5 => {
                let (code, rest) = number(rest)?;
                // Many senders leave the final NUL out.
                let message = rest.split(|byte| *byte == 0).next().unwrap_or_default();
                Ok(Packet::Error { code: code.into(), message: lossy(message) })
            }
            6 => Ok(Packet::OptionAck(pairs(rest))),
            other => Err(PacketError::Opcode(other)),
        }
    }

    /// The packet's bytes. A NUL in a text, which would end it, is left out.
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Packet::Read(request) => request.encode(1),
            Packet::Write(request) => request.encode(2),
            Packet::Data { block, data } => [&DATA.to_be_bytes()[..], &block.to_be_bytes(), data].concat(),
            Packet::Ack(block) => [[0, 4], block.to_be_bytes()].concat(),
            Packet::Error { code, message } => {
                let mut bytes = [[0, 5], u16::from(*code).to_be_bytes()].concat();
                text(&mut bytes, message);
                bytes
            }
            Packet::OptionAck(options) => {
                let mut bytes = vec![0, 6];
                options.iter().for_each(|(name, value)| {
                    text(&mut bytes, name);
                    text(&mut bytes, value);
                });
                bytes
            }
        }
    }
}

impl FileRequest {
    fn encode(&self, opcode: u8) -> Vec<u8> {
        let mut bytes = vec![0, opcode];
        text(&mut bytes, &self.file);
        text(&mut bytes, &self.mode);
        for (name, value) in &self.options {
            text(&mut bytes, name);
            text(&mut bytes, value);
        }
        bytes
    }
}

fn text(bytes: &mut Vec<u8>, text: &str) {
    bytes.extend(text.bytes().filter(|byte| *byte != 0));
    bytes.push(0);
}

fn number(bytes: &[u8]) -> Result<(u16, &[u8]), PacketError> {
    let (number, rest) = bytes.split_first_chunk::<2>().ok_or(PacketError::Short)?;
    Ok((u16::from_be_bytes(*number), rest))
}

fn file_request(bytes: &[u8]) -> Result<FileRequest, PacketError> {
    let (file, rest) = string(bytes)?;
    let (mut mode, mut rest) = string(rest)?;
    // Firmware that takes the file's name from DHCP with more than belongs to it sends that, too. A mode is a word.
    while mode.is_empty() || !mode.bytes().all(|byte| byte.is_ascii_alphabetic()) {
        (mode, rest) = string(rest)?;
    }
    Ok(FileRequest { file, mode, options: pairs(rest) })
}

/// Options as far as they can be read. Firmware pads its requests, before, between and behind the options; what is no
/// whole option (a name without a value, a value without its end) takes nothing from those before it.
fn pairs(mut bytes: &[u8]) -> Vec<(String, String)> {
    let mut pairs = Vec::new();
    loop {
        // No option has an empty name, so zeros are padding.
        let start = bytes.iter().position(|byte| *byte != 0).unwrap_or(bytes.len());
        let Ok((name, rest)) = string(&bytes[start..]) else { return pairs };
        let Ok((value, rest)) = string(rest) else { return pairs };
        pairs.push((name, value));
        bytes = rest;
    }
}

fn string(bytes: &[u8]) -> Result<(String, &[u8]), PacketError> {
    let end = bytes.iter().position(|byte| *byte == 0).ok_or(PacketError::Text)?;
    Ok((lossy(&bytes[..end]), &bytes[end + 1..]))
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

impl From<u16> for ErrorCode {
    fn from(code: u16) -> Self {
        match code {
            0 => Self::NotDefined,
            1 => Self::FileNotFound,
            2 => Self::AccessViolation,
            3 => Self::DiskFull,
            4 => Self::IllegalOperation,
            5 => Self::UnknownTransferId,
            6 => Self::FileExists,
            7 => Self::NoSuchUser,
            8 => Self::OptionNegotiation,
            other => Self::Other(other),
        }
    }
}

impl From<ErrorCode> for u16 {
    fn from(code: ErrorCode) -> Self {
        match code {
            ErrorCode::NotDefined => 0,
            ErrorCode::FileNotFound => 1,
            ErrorCode::AccessViolation => 2,
            ErrorCode::DiskFull => 3,
            ErrorCode::IllegalOperation => 4,
            ErrorCode::UnknownTransferId => 5,
            ErrorCode::FileExists => 6,
            ErrorCode::NoSuchUser => 7,
            ErrorCode::OptionNegotiation => 8,
            ErrorCode::Other(other) => other,
        }
    }
}

impl fmt::Display for ErrorCode {
    /// In the standard's words.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotDefined => f.write_str("not defined"),
            Self::FileNotFound => f.write_str("file not found"),
            Self::AccessViolation => f.write_str("access violation"),
            Self::DiskFull => f.write_str("disk full or allocation exceeded"),
            Self::IllegalOperation => f.write_str("illegal TFTP operation"),
            Self::UnknownTransferId => f.write_str("unknown transfer ID"),
            Self::FileExists => f.write_str("file already exists"),
            Self::NoSuchUser => f.write_str("no such user"),
            Self::OptionNegotiation => f.write_str("terminated by option negotiation"),
            Self::Other(code) => write!(f, "error {code}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    fn texts() -> impl Strategy<Value = String> {
        "[^\0]{0,12}"
    }

    fn requests() -> impl Strategy<Value = FileRequest> {
        (texts(), "[a-zA-Z]{1,12}", vec(("[^\0]{1,12}", texts()), 0..4))
            .prop_map(|(file, mode, options)| FileRequest { file, mode, options })
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in vec(any::<u8>(), 0..64)) {
            let _ = Packet::decode(&bytes);
        }

        #[test]
        fn packets_read_back(request in requests(), block: u16, data in vec(any::<u8>(), 0..32), code: u16, message in texts()) {
            for packet in [
                Packet::Read(request.clone()),
                Packet::Write(request.clone()),
                Packet::Data { block, data: &data },
                Packet::Ack(block),
                Packet::Error { code: code.into(), message },
                Packet::OptionAck(request.options),
            ] {
                let bytes = packet.encode();
                prop_assert_eq!(Packet::decode(&bytes), Ok(packet));
            }
        }
    }

    fn options_of(after_mode: &[u8]) -> Vec<(String, String)> {
        let bytes = [b"\0\x01pxelinux.0\0octet\0", after_mode].concat();
        let Ok(Packet::Read(request)) = Packet::decode(&bytes) else { panic!("{after_mode:?}") };
        assert_eq!((request.file.as_str(), request.mode.as_str()), ("pxelinux.0", "octet"));
        request.options
    }

    /// Requests as firmware pads them or cuts them off, and what is read: blksize 1432 where it is there.
    #[test]
    fn what_is_no_option_takes_nothing_from_options() {
        let blksize = [("blksize".to_owned(), "1432".to_owned())];
        for rest in [
            &b"blksize\x001432\0"[..],
            b"blksize\x001432\0\0",
            b"blksize\x001432\0\0\0\0\0\0\0",
            b"\0blksize\x001432\0",
            b"\0\0\0blksize\x001432\0\0\0\0",
            b"blksize\x001432\0tsize",
            b"blksize\x001432\0tsize\0",
            b"blksize\x001432\0tsize\x000",
            b"blksize\x001432\0\xff\xff",
            b"blksize\x001432\0\0\x07junk",
        ] {
            assert_eq!(options_of(rest), blksize, "{rest:?}");
        }
        assert_eq!(options_of(b"junk"), []);
        let empty = [("tsize".to_owned(), String::new()), ("blksize".to_owned(), "1432".to_owned())];
        assert_eq!(options_of(b"tsize\0\0blksize\x001432\0"), empty, "a value may be empty");
    }

    #[test]
    fn what_stands_between_name_and_mode_is_passed_over() {
        for between in [&b"\0"[..], b"\0\0\0", b"\xff\0", b"\xff\xff\0\0\x0c\x04\0"] {
            let bytes = [b"\0\x01pxelinux.0\0", between, b"octet\0tsize\x000\0"].concat();
            let Ok(Packet::Read(request)) = Packet::decode(&bytes) else { panic!("{between:?}") };
            assert_eq!((request.mode.as_str(), request.options.len()), ("octet", 1), "{between:?}");
        }
        assert_eq!(Packet::decode(b"\0\x01pxelinux.0\0\xff\0"), Err(PacketError::Text), "no mode at all");
    }

    proptest! {
        /// Whatever stands behind whole options: they are read, and what is behind them is at most added.
        #[test]
        fn nothing_behind_options_takes_them_away(
            options in vec(("[^\0]{1,12}", texts()), 0..4),
            zeros in 0usize..9,
            rest in vec(any::<u8>(), 0..40),
        ) {
            let whole: Vec<u8> = options
                .iter()
                .flat_map(|(name, value)| [vec![0; zeros], name.clone().into_bytes(), vec![0], value.clone().into_bytes(), vec![0]])
                .flatten()
                .collect();
            prop_assert_eq!(&options_of(&whole), &options);
            let read = options_of(&[whole, rest].concat());
            prop_assert_eq!(&read[..options.len()], &options[..]);
        }
    }
}
