//! The TFTP server: the crate's transfers, the owner's answers.

use std::{
    fs::File,
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::PathBuf,
};

use tokio::{sync::broadcast::error::RecvError, task::spawn_blocking};
use tokio_tftp_server::{
    Clients, Content, End, ErrorCode, Event, Handler, Refusal as TftpRefusal, Request, Server,
};

use crate::{service::handle::Handle, storage::scan};
use rackberry_core::{
    appliance::{Answer, Ask, Extent, Progress, Refusal, TransferEnd, TransferId, Via},
    assets::folder::Stamp,
    http::route,
};

/// Answers TFTP requests by what the owner says.
#[derive(Debug)]
struct Files(Handle);

/// Serves until `stopped`; what a machine was being sent ends when it starts anew.
pub async fn run(server: Server, handle: Handle, stopped: impl Future<Output = ()>) -> anyhow::Result<()> {
    let (clients, restarts) = (server.clients(), handle.clone());
    tokio::select! {
        ended = server.run(Files(handle), stopped) => Ok(ended?),
        () = end_with_their_machines(&clients, &restarts) => Ok(()),
    }
}

/// Firmware that asks for an address knows nothing of what it asked for before it was reset.
async fn end_with_their_machines(clients: &Clients, handle: &Handle) {
    let mut restarts = handle.restarts().subscribe();
    loop {
        match restarts.recv().await {
            Ok(address) => clients.restarted(address.into()),
            // Those that were missed will time out, or ask for something else.
            Err(RecvError::Lagged(_)) => {}
            Err(RecvError::Closed) => std::future::pending().await,
        }
    }
}

/// A transfer that moves its node on.
#[derive(Debug, Clone, Copy)]
pub struct Tracked {
    id: Option<TransferId>,
    total: u64,
    sent: u64,
}

impl Handler for Files {
    type Transfer = Tracked;

    async fn open(&self, request: &Request) -> Result<(Content, Tracked), TftpRefusal> {
        let peer = ipv4(request.peer).ok_or_else(|| refuse(ErrorCode::AccessViolation, "IPv4 only"))?;
        let target = route::tree(file_name(&request.file))
            .map_err(|error| refuse(ErrorCode::FileNotFound, &format!("{}: {error}", request.file)))?;
        let from = self.0.requester(peer).await;
        let answer = self.0.ask(Ask::Fetch { from, via: Via::Tftp, extent: Extent::Whole, target }).await;
        let (content, id) = match answer {
            Answer::File { path, state, transfer } => match open_unchanged(path, state).await {
                Ok(file) => (file.into(), transfer),
                Err(reason) => {
                    if let Some(transfer) = transfer {
                        let end = Some(TransferEnd::Cut);
                        self.0.progress(Progress { transfer, total: 0, start: 0, sent: 0, end }).await;
                    }
                    return Err(refuse(ErrorCode::NotDefined, &reason));
                }
            },
            Answer::Text { body, transfer, .. } => (body.into(), transfer),
            Answer::Refused(refusal) => return Err(in_tftp(&refusal)),
            Answer::Json(_) | Answer::Done(_) => return Err(refuse(ErrorCode::FileNotFound, "not a file")),
        };
        Ok((content, Tracked { id, total: 0, sent: 0 }))
    }

    async fn event(&self, tracked: &mut Tracked, event: Event) {
        let Some(transfer) = tracked.id else { return };
        let end = match event {
            Event::Started { total } => {
                tracked.total = total;
                None
            }
            Event::Sent { acknowledged, total } => {
                (tracked.sent, tracked.total) = (acknowledged, total);
                None
            }
            Event::Ended(End::Complete) => {
                tracked.sent = tracked.total;
                Some(TransferEnd::Complete)
            }
            Event::Ended(_) => Some(TransferEnd::Cut),
            // What a later version of the crate may tell.
            _ => return,
        };
        let Tracked { total, sent, .. } = *tracked;
        self.0.progress(Progress { transfer, total, start: 0, sent, end }).await;
    }
}

/// The name without what some firmware has behind it: it reads option 67 of DHCP up to a zero that RFC 2132 does not ask
/// for, and so the option's successors, END (255) above all, with it. No file here has such characters in its name.
fn file_name(asked: &str) -> &str {
    let is_rubbish = |c: char| c.is_control() || c == char::REPLACEMENT_CHARACTER;
    asked.find(is_rubbish).map_or(asked, |end| &asked[..end])
}

/// What is sent must be what was looked at: the file is opened first, and it is the open one that is compared.
async fn open_unchanged(path: PathBuf, state: Option<(u64, Stamp)>) -> Result<File, String> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let opened = spawn_blocking(move || {
        let file = File::open(path)?;
        let meta = file.metadata()?;
        Ok((file, (meta.len(), scan::stamp(&meta))))
    });
    let opened = opened.await.unwrap_or_else(|error| Err(io::Error::other(error)));
    let (file, now) = opened.map_err(|error| format!("{name}: {error}"))?;
    match state {
        Some(state) if state != now => {
            Err(format!("{name} has changed and is looked at again; ask again in some seconds"))
        }
        _ => Ok(file),
    }
}

fn in_tftp(refusal: &Refusal) -> TftpRefusal {
    let code = match refusal {
        Refusal::NotFound(_) => ErrorCode::FileNotFound,
        Refusal::Forbidden(_) => ErrorCode::AccessViolation,
        Refusal::Invalid(_) | Refusal::Conflict(_) | Refusal::Unavailable(_) => ErrorCode::NotDefined,
    };
    refuse(code, &refusal.to_string())
}

fn refuse(code: ErrorCode, message: &str) -> TftpRefusal {
    TftpRefusal::new(code, message)
}

fn ipv4(peer: SocketAddr) -> Option<Ipv4Addr> {
    match peer.ip() {
        IpAddr::V4(address) => Some(address),
        IpAddr::V6(address) => address.to_ipv4_mapped(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Whatever stands in memory behind a boot file's name: it is asked for.
        #[test]
        fn what_firmware_reads_behind_a_name_is_left_out(
            first in prop::sample::select(vec![0x01u8, 0x0c, 0x1f, 0x7f, 0x80, 0xa0, 0xc0, 0xff]),
            rest in prop::collection::vec(any::<u8>(), 0..20),
        ) {
            for name in ["lpxelinux.0", "grubx64.efi", "raspberry-pi/start.elf", "pxelinux.cfg/default", "Größe.img"] {
                let bytes = [name.as_bytes(), &[first], &rest].concat();
                // As the server reads names.
                let asked = String::from_utf8_lossy(&bytes);
                prop_assert_eq!(file_name(&asked), name);
                prop_assert_eq!(file_name(name), name);
            }
        }
    }
}
