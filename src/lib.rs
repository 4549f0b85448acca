//! rackberry: a Raspberry Pi that installs a rack.
//!
//! `rackberry_core` decides; this crate is the service around it: sockets ([`net`]), files ([`storage`]), the panel's
//! hardware ([`hardware`]), the owner of the state and its start ([`service`]) and the command line ([`cli`]).
//! docs/architecture.md has the map.

pub mod cli;
#[cfg(feature = "demo")]
pub mod demo;
pub mod hardware;
pub mod image;
pub mod net;
pub mod service;
pub mod storage;
