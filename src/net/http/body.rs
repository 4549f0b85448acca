//! Bodies of replies: nothing, bytes, part of a file, or events.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::{Buf, Bytes};
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use tokio::sync::mpsc;

use super::{
    sendfile::{Outlet, Part, stand_in},
    transfer::Transfer,
};

/// Most bytes of a file that hyper is given at once to write: they are added up in a `usize`.
const LARGEST: u64 = 1 << 30;

/// The body of a reply.
#[derive(Debug)]
pub(super) enum Body {
    /// None.
    Empty,
    /// One piece.
    Whole(Option<BodyPiece>),
    /// Part of a file.
    File(FileBody),
    /// As they come.
    Events(mpsc::Receiver<String>, Arc<Transfer>),
}

/// Part of a file, as the body of a reply.
#[derive(Debug)]
pub(super) struct FileBody {
    part: Option<Part>,
    /// Bytes that hyper has not been given yet.
    left: u64,
    /// The connection's.
    outlet: Option<Arc<Outlet>>,
}

/// A piece of a body. hyper queues pieces and calls [`Buf::advance`] as the kernel takes their bytes. (It does so only for
/// sockets with vectored writes; all of ours have them.)
#[derive(Debug)]
pub(super) enum BodyPiece {
    /// Bytes, which count as sent when they are taken.
    Bytes(Bytes, Arc<Transfer>),
    /// So many bytes of the file that the connection sends.
    File(usize),
}

impl Body {
    /// The body of a reply on this connection.
    pub(super) fn on(self, connection: &Arc<Outlet>) -> Body {
        match self {
            Body::File(file) => Body::File(FileBody { outlet: Some(Arc::clone(connection)), ..file }),
            other => other,
        }
    }
}

impl FileBody {
    /// The part as a body, which still needs the connection that sends it.
    pub(super) fn new(part: Part) -> FileBody {
        FileBody { left: part.left(), part: Some(part), outlet: None }
    }

    /// The next piece.
    fn piece(&mut self) -> Option<io::Result<BodyPiece>> {
        let next = usize::try_from(self.left.min(LARGEST)).ok().filter(|next| *next > 0)?;
        let Some(outlet) = &self.outlet else {
            return Some(Err(io::Error::other("this connection can't send files")));
        };
        if let Some(part) = self.part.take() {
            outlet.put(part);
        }
        self.left -= next as u64;
        Some(Ok(BodyPiece::File(next)))
    }
}

impl BodyPiece {
    /// Bytes, if there are any.
    pub(super) fn new(bytes: impl Into<Bytes>, transfer: Arc<Transfer>) -> Option<BodyPiece> {
        let bytes = bytes.into();
        (!bytes.is_empty()).then_some(BodyPiece::Bytes(bytes, transfer))
    }
}

impl Buf for BodyPiece {
    fn remaining(&self) -> usize {
        match self {
            BodyPiece::Bytes(bytes, _) => bytes.len(),
            BodyPiece::File(left) => *left,
        }
    }

    fn chunk(&self) -> &[u8] {
        match self {
            BodyPiece::Bytes(bytes, _) => bytes,
            BodyPiece::File(left) => stand_in(*left),
        }
    }

    fn advance(&mut self, n: usize) {
        match self {
            BodyPiece::Bytes(bytes, transfer) => {
                bytes.advance(n);
                transfer.advance(n);
            }
            // Counted where it is sent.
            BodyPiece::File(left) => *left -= n,
        }
    }
}

impl HttpBody for Body {
    type Data = BodyPiece;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<BodyPiece>, io::Error>>> {
        let piece = match self.get_mut() {
            Self::Empty => return Poll::Ready(None),
            Self::Whole(piece) => piece.take().map(Ok),
            Self::File(file) => file.piece(),
            Self::Events(events, transfer) => std::task::ready!(events.poll_recv(cx))
                .map(|event| Ok(BodyPiece::Bytes(event.into(), Arc::clone(transfer)))),
        };
        Poll::Ready(piece.map(|piece| piece.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Whole(piece) => piece.is_none(),
            Self::File(file) => file.left == 0,
            Self::Events(..) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Empty => SizeHint::with_exact(0),
            Self::Whole(piece) => SizeHint::with_exact(piece.as_ref().map_or(0, |p| p.remaining() as u64)),
            Self::File(file) => SizeHint::with_exact(file.left),
            Self::Events(..) => SizeHint::default(),
        }
    }
}
