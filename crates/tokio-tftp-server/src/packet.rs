//! Packets (RFC 1350 section 5, RFC 2347).

use std::fmt;

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
pub enum PacketError {
    /// Cut off.
    #[error("the packet is cut off")]
    Short,
    /// No such opcode.
    #[error("opcode {0} means nothing")]
    Opcode(u16),
    /// A text without its end, or options without values.
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
            3 => number(rest).map(|(block, data)| Packet::Data { block, data }),
            4 => number(rest).map(|(block, _)| Packet::Ack(block)),
            5 => {
                let (code, rest) = number(rest)?;
                // Many senders leave the final NUL out.
                let message = rest.split(|byte| *byte == 0).next().unwrap_or_default();
                Ok(Packet::Error { code: code.into(), message: lossy(message) })
            }
            6 => pairs(rest).map(Packet::OptionAck),
            other => Err(PacketError::Opcode(other)),
        }
    }

    /// The packet's bytes. A NUL in a text, which would end it, is left out.
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Packet::Read(request) => request.encode(1),
            Packet::Write(request) => request.encode(2),
            Packet::Data { block, data } => [&[0, 3], &block.to_be_bytes()[..], data].concat(),
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
    let (mode, rest) = string(rest)?;
    // Some clients pad their requests; what is no option does not make a request wrong.
    let options = pairs(rest).unwrap_or_default();
    Ok(FileRequest { file, mode, options })
}

fn pairs(mut bytes: &[u8]) -> Result<Vec<(String, String)>, PacketError> {
    let mut pairs = Vec::new();
    while !bytes.is_empty() {
        let (name, rest) = string(bytes)?;
        let (value, rest) = string(rest)?;
        pairs.push((name, value));
        bytes = rest;
    }
    Ok(pairs)
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
        (texts(), texts(), vec((texts(), texts()), 0..4)).prop_map(|(file, mode, options)| FileRequest {
            file,
            mode,
            options,
        })
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

    #[test]
    fn a_request_of_old_firmware_with_padding_is_a_request() {
        let bytes = b"\0\x01pxelinux.0\0octet\0junk";
        let Ok(Packet::Read(request)) = Packet::decode(bytes) else { panic!() };
        assert_eq!((request.file.as_str(), request.options.len()), ("pxelinux.0", 0));
    }
}
