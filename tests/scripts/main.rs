//! Shell scripts that run on machines which are installed, in the shells and with the tools that they meet there.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "tests run real shells, and end where something is not as it should be"
)]

mod card_init;
mod debian;
mod disks;
mod install;
mod real;
mod release;
mod restart;
mod rig;
#[path = "../support/mod.rs"]
mod support;
mod usb_disk;
mod why;
mod write_image;
