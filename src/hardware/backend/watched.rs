//! The one place with `unsafe`: tokio wants a promise to watch a file descriptor.
#![allow(unsafe_code)]

use std::io;

use gpiocdev::Request;
use tokio::io::unix::AsyncFd;

/// The request of a line, for whose edges the runtime can wait.
pub fn watched(request: Request) -> io::Result<AsyncFd<Request>> {
    // SAFETY: a `Request` owns its file descriptor, which is open as long as it lives; nothing replaces it or
    // closes it before, and it is never taken out of the `AsyncFd`.
    unsafe { AsyncFd::register(request) }.map_err(|error| error.into_parts().1)
}
