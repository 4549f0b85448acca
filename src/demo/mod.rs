//! `rackberry demo`: the whole thing on this computer.
//!
//! The real service in a private network, its panel drawn on the terminal, and machines that install themselves:
//! QEMU with real firmware, or light stand-ins where many are wanted.

mod advertise;
pub mod cable;
pub mod machine;
mod namespace;
pub mod simulated;
mod story;

use std::path::PathBuf;

/// What the demo is asked for.
#[derive(Debug, Clone)]
pub struct Options {
    /// How many machines.
    pub nodes: u8,
    /// Stand-ins instead of QEMU.
    pub simulated: bool,
    /// The folder of operating systems.
    pub assets: PathBuf,
    /// The folder of boot loaders.
    pub loaders: PathBuf,
}

/// Runs the demo to its end; as the first step, this process goes into namespaces of its own.
///
/// # Errors
/// When something is missing, or a machine did not do what it was to do.
pub fn run(options: &Options) -> anyhow::Result<()> {
    story::check(options)?;
    if !namespace::is_inside() {
        match namespace::enter()? {}
    }
    story::run(options)
}
