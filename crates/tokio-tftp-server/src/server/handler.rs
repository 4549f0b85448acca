//! What a server asks whoever uses it.

use std::{io, net::SocketAddr};

use crate::{options::RequestedOptions, packet::ErrorCode, server::content::Content, transfer::End};

/// A client's request to read a file.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Request {
    /// The client's address and port.
    pub peer: SocketAddr,
    /// The file's name, as the client wrote it: anything may be in it.
    pub file: String,
    /// How it wants the bytes.
    pub mode: Mode,
    /// The options that it asks for.
    pub options: RequestedOptions,
}

/// Transfer modes (RFC 1350 section 1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Bytes as they are.
    Octet,
    /// Text, with the network's line ends (RFC 764).
    Netascii,
}

/// Why a client gets nothing: sent to it as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// What kind of refusal.
    pub code: ErrorCode,
    /// For people.
    pub message: String,
}

impl Refusal {
    /// For people, and what kind of refusal it is.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Refusal {
        Refusal { code, message: message.into() }
    }
}

impl From<io::Error> for Refusal {
    /// That a file can't be opened, in the system's words.
    fn from(error: io::Error) -> Refusal {
        let code = match error.kind() {
            io::ErrorKind::NotFound => ErrorCode::FileNotFound,
            io::ErrorKind::PermissionDenied => ErrorCode::AccessViolation,
            _ => ErrorCode::NotDefined,
        };
        Refusal::new(code, error.to_string())
    }
}

/// What becomes of a transfer.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// It begins.
    Started {
        /// Its bytes.
        total: u64,
    },
    /// It moved on; told a few times a second at most, and not while the handler is at it yet.
    Sent {
        /// Bytes that the client has said it has.
        acknowledged: u64,
        /// All bytes.
        total: u64,
    },
    /// It is over; told once, and last.
    Ended(End),
}

/// Decides what clients get.
pub trait Handler: Send + Sync + 'static {
    /// The handler's own mark on a transfer.
    type Transfer: Send + 'static;

    /// What this client gets. Other clients don't wait for it.
    fn open(
        &self,
        request: &Request,
    ) -> impl Future<Output = Result<(Content, Self::Transfer), Refusal>> + Send;

    /// A transfer began, moved on or ended: one after the other. No packet is sent before this has returned for the beginning;
    /// nothing else waits for it.
    fn event(&self, transfer: &mut Self::Transfer, event: Event) -> impl Future<Output = ()> + Send;
}
