//! A read-only TFTP server for tokio.
//!
//! | standard | what |
//! |---|---|
//! | RFC 1350 | the protocol; writes are refused |
//! | RFC 1123 §4.2.3.1 | no sorcerer's apprentice; retransmission backs off |
//! | RFC 2347 | option negotiation |
//! | RFC 2348 | `blksize` |
//! | RFC 2349 | `timeout`, `tsize` |
//! | RFC 7440 | `windowsize` |
//!
//! What a client gets is a `Handler`'s answer: an open file, bytes, whatever a reader yields, or a refusal. `Directory` is one
//! that is ready: the files of a folder. `Server` does the rest, each transfer from a socket of its own.
//!
//! Block numbers go on at 0 after 65,535, so files may be of any size. A client that asks for options and then
//! aborts (EDK2 asks for `tsize` that way) is reported as [`End::Probe`], not as a failure. A client that gets none of its
//! blocks and asks again gets smaller ones, unless that is switched off (`BlockBackOff`).
//!
//! A transfer is known by its client's address and port. A request from there is a repetition if its bytes are the same and
//! nothing was acknowledged before it came; any other ends the transfer, and is answered at once with what it asks for.
//! So machines that are reset in the middle of a transfer and use the same port again, as GRUB and many ROMs do, don't
//! wait for it. Whoever knows that a machine started anew says so to `Clients::restarted`.
//!
//! # Features
//!
//! `server`, which is on, has all that; it is for Linux (4.18 and later; on older kernels windows leave block by block). Without it there
//! are [`packet`], [`options`] and [`transfer`], which build anywhere, with `alloc` and without `std`: the protocol as a state
//! machine, into which packets and the time go, and which says what to send.
//!
//! ```
//! use core::time::Duration;
//! use tokio_tftp_server::{Limits, RequestedOptions, packet::Packet, transfer::{End, Step, Transfer}};
//!
//! let limits = Limits::default();
//! let asked = RequestedOptions::read(&[("blksize".into(), "1000".into())]);
//! let negotiated = asked.negotiate(&limits, Some(1500));
//! let (mut transfer, step) = Transfer::new(1500, &negotiated, &limits, Duration::ZERO);
//! assert_eq!(step, Step::OptionAck);
//! let ms = Duration::from_millis;
//! assert_eq!(transfer.receive(&Packet::Ack(0), ms(1)), Step::Blocks(1..=1));
//! assert_eq!(transfer.place(1), (0, 1000));
//! // Block 1 got lost. The client answers within a millisecond, so it is sent again soon.
//! assert_eq!(transfer.timeout(transfer.deadline()), Step::Blocks(1..=1));
//! assert_eq!(transfer.receive(&Packet::Ack(1), ms(12)), Step::Blocks(2..=2));
//! assert_eq!(transfer.place(2), (1000, 500));
//! assert_eq!(transfer.receive(&Packet::Ack(2), ms(13)), Step::End(End::Complete));
//! ```

#![cfg_attr(not(any(feature = "server", test)), no_std)]

// The README's example must compile.
#[cfg(all(doctest, feature = "server"))]
#[doc = include_str!("../README.md")]
struct Readme;

extern crate alloc;

#[cfg(all(feature = "server", not(target_os = "linux")))]
compile_error!("the server is for Linux; without the feature `server`, this crate builds anywhere");

pub mod options;
pub mod packet;
#[cfg(feature = "server")]
mod server;
pub mod transfer;

pub use options::{Limits, RequestedOptions};
pub use packet::ErrorCode;
#[cfg(feature = "server")]
pub use server::{
    BindError, BlockBackOff, Clients, Content, Directory, Event, Handler, Mode, Options, Reader, Refusal,
    Request, Server,
};
pub use transfer::End;
