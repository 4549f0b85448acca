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
//! Block numbers go on at 0 after 65,535, so files may be of any size. A client that asks for options and then
//! aborts (EDK2 asks for `tsize` that way) is reported as [`End::Probe`], not as a failure. A client that gets none of its
//! blocks and asks again gets smaller ones.
//!
//! A transfer is known by its client's address and port. A request from there is a repetition if its bytes are the same and
//! nothing was acknowledged before it came; any other ends the transfer, and is answered at once with what it asks for.
//! So machines that are reset in the middle of a transfer and use the same port again, as GRUB and many ROMs do, don't
//! wait for it. Whoever knows that a machine started anew says so to [`Clients::restarted`].
//!
//! What a client gets is a [`Handler`]'s answer: a file, bytes made on the fly, or a refusal. [`Server`] does the
//! rest, each transfer from a socket of its own. The protocol itself is [`transfer::Transfer`], which does no I/O.
//!
//! ```no_run
//! use tokio_tftp_server::{Content, ErrorCode, Event, Handler, Options, Refusal, Request, Server};
//!
//! struct Hello;
//!
//! impl Handler for Hello {
//!     type Transfer = ();
//!
//!     async fn open(&self, request: &Request) -> Result<(Content, ()), Refusal> {
//!         match request.file.as_str() {
//!             "hello" => Ok((Content::from("hello, world\n"), ())),
//!             other => Err(Refusal::new(ErrorCode::FileNotFound, format!("no {other} here"))),
//!         }
//!     }
//!
//!     async fn event(&self, (): &mut (), event: Event) {
//!         println!("{event:?}");
//!     }
//! }
//!
//! # async fn main_() -> Result<(), Box<dyn std::error::Error>> {
//! let server = Server::bind(Options::new(([127, 0, 0, 1], 6969).into()))?;
//! server.run(Hello, std::future::pending()).await?;
//! # Ok(())
//! # }
//! ```

// The README's example must compile.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

extern crate alloc;

mod arrival;
mod blocks;
mod caution;
mod clients;
mod content;
mod directory;
mod drive;
mod engine;
mod handler;
pub mod options;
pub mod packet;
mod server;
mod socket;
pub mod transfer;
mod watched;

pub use clients::Clients;
pub use content::{Content, Reader};
pub use directory::Directory;
pub use handler::{Event, Handler, Mode, Refusal, Request};
pub use options::{Limits, RequestedOptions};
pub use packet::ErrorCode;
pub use server::{BindError, Options, Server};
pub use transfer::End;
