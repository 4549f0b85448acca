//! rackberry: a Raspberry Pi that installs a rack.
//!
//! The floors of the house, lowest first (`docs/architecture.md` tells why): [`ids`] is the vocabulary, the
//! pure modules above it decide, [`appliance`] composes them, and the adapters carry packets, files and time
//! to it and its effects away.

pub mod appliance;
pub mod assets;
pub mod boot;
pub mod cli;
pub mod clock;
pub mod config;
pub mod daemon;
pub mod demo;
pub mod dhcp;
pub mod handle;
pub mod http;
pub mod ids;
pub mod image;
pub mod nodes;
pub mod orders;
pub mod panel;
pub mod profiles;
pub mod progress;
pub mod templates;
