//! Nodes: what is known of each machine, how far its install is, and the one gate that says whether it may
//! install.
//!
//! A node's life (`docs/architecture.md` has the picture):
//! idle, discovered, loading, booting, configuring, installing, written, installed; failed from any of them.

mod diagnosis;
mod grant;
pub mod journal;
mod node;
mod registry;
mod remedy;
mod tokens;
mod trail;

pub use diagnosis::{Around, diagnosis, no_loader};
pub use grant::{Grant, Verdict};
pub use node::{Failure, ImageProgress, Installed, Node, Sign};
pub use registry::{Moved, Registry, Update};
pub use tokens::Tokens;
pub use trail::{Step, Trail, Trails};

#[cfg(test)]
mod tests;
