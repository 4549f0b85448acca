//! What goes into the appliance and what comes out of it.

use std::{net::Ipv4Addr, path::PathBuf};

use crate::{
    appliance::Arm,
    assets::folder::{Found, Stamp},
    http::route::Target,
    ids::{Cause, Mac, Source, Stage},
};

/// Who sends a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Requester {
    /// The client's network address.
    pub address: Ipv4Addr,
    /// The hardware address that answers for it on the switch, as the kernel's table of neighbours says; nothing
    /// where the kernel does not know (beyond a router, say).
    pub hardware: Option<Mac>,
}

/// One transfer of a file to a node; the number is the appliance's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TransferId(pub u64);

/// Which server asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Via {
    /// The TFTP server.
    Tftp,
    /// The HTTP server.
    Http,
}

/// What is wanted of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// All of it.
    Whole,
    /// Only the length and the headers: nothing is counted and no grant is spent.
    HeadersOnly,
}

/// A question that an adapter must have answered before it can reply to a client. Whatever the answer relies
/// on is on disk when it arrives.
#[derive(Debug, Clone, PartialEq)]
pub enum Ask {
    /// A file or a rendered text.
    Fetch {
        /// Who asks.
        from: Requester,
        /// Which server asks.
        via: Via,
        /// What is wanted of it.
        extent: Extent,
        /// What it asks for.
        target: Target,
    },
    /// A node's own report (`POST /api/v1/nodes/MAC/report`).
    Report {
        /// Who sends it.
        from: Requester,
        /// The grant that it names.
        grant: Option<String>,
        /// The node it speaks of.
        mac: Mac,
        /// What it says.
        report: Report,
    },
    /// Someone's order.
    Command {
        /// Who gives it.
        source: Source,
        /// What it is.
        command: Command,
    },
    /// A look at the state; answered by [`Answer::Json`].
    View(View),
}

/// What a node says of its own install.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// The stage it is in.
    pub stage: Stage,
    /// False when it gave up.
    pub ok: bool,
    /// One clause for people.
    #[serde(default)]
    pub message: String,
    /// The last lines of its log.
    #[serde(default)]
    pub log: String,
    /// What kind of failure it is, where it gave up and knows.
    #[serde(default)]
    pub cause: Option<Cause>,
    /// Which machine speaks; in the first report of an install.
    #[serde(default)]
    pub machine: Option<MachineFacts>,
}

/// A machine, as its own firmware and cards tell it. What vendors leave unwritten (`Default string`, a UUID of one
/// digit) is left out.
#[derive(Debug, Clone, Default, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MachineFacts {
    /// The UUID of its firmware (SMBIOS type 1), in its usual spelling: its first three fields are stored with the
    /// lowest byte first, as in option 97.
    #[serde(default)]
    pub uuid: Option<String>,
    /// Its serial number (SMBIOS type 1, or the device tree's).
    #[serde(default)]
    pub serial: Option<String>,
    /// The hardware addresses of its Ethernet cards.
    #[serde(default)]
    pub macs: Vec<Mac>,
}

/// An order.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Grant installs.
    Arm(Arm),
    /// Withdraw every grant whose install does not run yet.
    Disarm,
    /// A new grant for one node, installed or not.
    Reinstall(String),
    /// Drop what is known of a node.
    Forget(String),
    /// Switch a node on (Wake-on-LAN).
    Wake(String),
    /// The state that was lost is of no account: this is a first day.
    AcceptLoss,
}

/// A look at the state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum View {
    /// Mode, network, counts, warnings.
    Status,
    /// One node, by name or MAC.
    Node(String),
    /// What a node would be given.
    Render(String),
    /// Operating systems and keys.
    Assets,
}

/// The reply to an [`Ask`].
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// Send this file.
    File {
        /// Where it lies.
        path: PathBuf,
        /// The length and the times that it must still have, so that what is sent is what was looked at.
        state: Option<(u64, Stamp)>,
        /// Count its bytes under this number, where they count.
        transfer: Option<TransferId>,
    },
    /// Send this text, made for the asking node; never to be cached.
    Text {
        /// The text.
        body: String,
        /// Its media type.
        media: &'static str,
        /// Report its transfer under this number.
        transfer: Option<TransferId>,
    },
    /// A view.
    Json(serde_json::Value),
    /// The order is carried out; a sentence says how.
    Done(String),
    /// No.
    Refused(Refusal),
}

impl Answer {
    /// A text that a program or a person reads.
    pub fn plain(body: String) -> Answer {
        Answer::Text { body, media: "text/plain; charset=utf-8", transfer: None }
    }

    /// A file as it was found.
    pub fn file(found: &Found) -> Answer {
        Answer::File { path: found.path.clone(), state: Some((found.len, found.stamp)), transfer: None }
    }

    /// The same, whose bytes count under this number if it is a file.
    pub fn counted_as(self, number: TransferId) -> Answer {
        match self {
            Answer::File { path, state, .. } => Answer::File { path, state, transfer: Some(number) },
            other => other,
        }
    }
}

/// Why not. The text names the thing and, where there is one, the remedy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// HTTP 404, TFTP error 1.
    #[error("{0}")]
    NotFound(String),
    /// HTTP 403, TFTP error 2: this client may not have it (now).
    #[error("{0}")]
    Forbidden(String),
    /// HTTP 400, TFTP error 0: the request makes no sense.
    #[error("{0}")]
    Invalid(String),
    /// HTTP 409: the state does not allow it (arming without assets, say).
    #[error("{0}")]
    Conflict(String),
    /// HTTP 503, TFTP error 0: the service can't just now (the disk is full, it shuts down).
    #[error("{0}")]
    Unavailable(String),
}

/// How far a transfer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Which.
    pub transfer: TransferId,
    /// The file's length in bytes.
    pub total: u64,
    /// Where in the file the transfer began: 0, or the start of the range that was asked for.
    pub start: u64,
    /// End of the furthest byte sent, from the file's start.
    pub sent: u64,
    /// Set once, when the transfer is over.
    pub end: Option<TransferEnd>,
}

/// How a transfer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransferEnd {
    /// The client has every byte it asked for.
    Complete,
    /// The connection broke, or the client gave up.
    Cut,
}
