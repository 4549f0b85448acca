//! What a server asks whoever uses it.

use std::{future::Future, net::SocketAddr, path::PathBuf};

use crate::{options::RequestedOptions, packet::ErrorCode, transfer::End};

/// A client's request to read a file.
#[derive(Debug, Clone, PartialEq, Eq)]
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

/// What a client gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// A file. It must not change while it is sent.
    File(PathBuf),
    /// Bytes.
    Bytes(Vec<u8>),
}

/// Why a client gets nothing: sent to it as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// What kind of refusal.
    pub code: ErrorCode,
    /// For people.
    pub message: String,
}

/// What becomes of a transfer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// It begins.
    Started {
        /// Its bytes.
        total: u64,
    },
    /// It moved on; told a few times a second at most.
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

    /// A transfer began, moved on or ended. It waits while this runs, others don't.
    fn event(&self, transfer: &mut Self::Transfer, event: Event) -> impl Future<Output = ()> + Send;
}
