//! Bodies of replies: nothing, bytes, a file read piece by piece, or events.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Buf;
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use tokio::sync::mpsc;

use super::{file::FileBody, transfer::Transfer};

/// The body of a reply.
#[derive(Debug)]
pub(super) enum Body {
    /// None.
    Empty,
    /// One piece.
    Whole(Option<Piece>),
    /// Part of a file.
    File(FileBody),
    /// As they come.
    Events(mpsc::Receiver<String>, Arc<Transfer>),
}

/// A piece of a body. hyper queues it and calls [`Buf::advance`] as the kernel takes bytes, so what is counted
/// there has been sent. (It does so only for sockets with vectored writes; all of ours have them.)
#[derive(Debug)]
pub(super) struct Piece {
    data: Vec<u8>,
    at: usize,
    len: usize,
    transfer: Arc<Transfer>,
}

impl Piece {
    /// The first `len` bytes of `data`.
    pub(super) fn new(data: Vec<u8>, len: usize, transfer: Arc<Transfer>) -> Piece {
        debug_assert!(len <= data.len());
        Piece { data, at: 0, len, transfer }
    }
}

impl Buf for Piece {
    fn remaining(&self) -> usize {
        self.len - self.at
    }

    fn chunk(&self) -> &[u8] {
        &self.data[self.at..self.len]
    }

    fn advance(&mut self, n: usize) {
        assert!(n <= self.remaining(), "advanced by {n} of {}", self.remaining());
        self.at += n;
        self.transfer.advance(n);
    }
}

impl Drop for Piece {
    fn drop(&mut self) {
        self.transfer.give_back(std::mem::take(&mut self.data));
    }
}

impl HttpBody for Body {
    type Data = Piece;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Piece>, io::Error>>> {
        let piece = match self.get_mut() {
            Self::Empty => return Poll::Ready(None),
            Self::Whole(piece) => piece.take().map(Ok),
            Self::File(file) => std::task::ready!(file.poll_piece(cx)),
            Self::Events(events, transfer) => std::task::ready!(events.poll_recv(cx)).map(|event| {
                let data = event.into_bytes();
                let len = data.len();
                Ok(Piece::new(data, len, Arc::clone(transfer)))
            }),
        };
        Poll::Ready(piece.map(|piece| piece.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Whole(piece) => piece.is_none(),
            Self::File(file) => file.remaining() == 0,
            Self::Events(..) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Empty => SizeHint::with_exact(0),
            Self::Whole(piece) => SizeHint::with_exact(piece.as_ref().map_or(0, |p| p.remaining() as u64)),
            Self::File(file) => SizeHint::with_exact(file.remaining()),
            Self::Events(..) => SizeHint::default(),
        }
    }
}
