//! `cargo xtask`: what builds need beside the compiler, and the product has no use for.

mod manuals;

use std::path::PathBuf;

use clap::Parser;

/// What builds need beside the compiler.
#[derive(Debug, Parser)]
#[command(name = "xtask", arg_required_else_help = true)]
enum Task {
    /// Write man pages and completions of `rackberry` into a folder, for packages.
    Manuals {
        /// The folder.
        dir: PathBuf,
    },
}

fn main() -> anyhow::Result<()> {
    match Task::parse() {
        Task::Manuals { dir } => manuals::write(&dir),
    }
}
