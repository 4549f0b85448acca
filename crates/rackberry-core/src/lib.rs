//! What rackberry decides, and nothing of how it does it: events, configuration and time go in, answers, changes and
//! effects come out.
//!
//! No socket, file, thread, process, clock or random number is touched here: the dependencies have none, and
//! `clippy.toml` refuses those of the standard library. Modules import downwards only; docs/architecture.md has the map.

#![forbid(unsafe_code)]
// Tests read fixtures.
#![cfg_attr(test, allow(clippy::disallowed_macros, clippy::disallowed_methods, clippy::disallowed_types))]

pub mod appliance;
pub mod assets;
pub mod boot;
pub mod config;
pub mod dhcp;
pub mod http;
pub mod ids;
pub mod nodes;
pub mod orders;
pub mod panel;
pub mod profiles;
pub mod templates;
