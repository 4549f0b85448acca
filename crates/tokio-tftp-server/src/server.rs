//! Requests on one port, and transfers in a thread of their own.

mod arrival;
mod blocks;
mod caution;
mod clients;
mod content;
mod directory;
mod drive;
mod engine;
mod handler;
mod listener;
mod socket;
mod unproven;
mod watched;

pub use caution::BlockBackOff;
pub use clients::Clients;
pub use content::{Content, Reader};
pub use directory::Directory;
pub use handler::{Event, Handler, Mode, Refusal, Request};
pub use listener::{BindError, Options, Server};
