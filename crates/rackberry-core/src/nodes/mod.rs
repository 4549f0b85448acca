//! Nodes: what is known of each machine, how far its install is, and the one gate that says whether it may
//! install.
//!
//! A node's life (`docs/architecture.md` has the picture):
//! idle, discovered, loading, booting, configuring, installing, written, installed; failed from any of them.

mod boot_attempts;
mod diagnosis;
mod event;
mod grant;
mod groups;
mod identity;
mod node;
mod registry;
mod stored;
mod tokens;

pub use boot_attempts::{BootAttempt, BootAttempts, BootStep};
pub use diagnosis::{Around, diagnosis, diagnosis_changes};
pub use event::{NodeEvent, Word};
pub use grant::{BootDestination, Grant, Verdict};
pub use identity::{Identity, Recognized};
pub use node::{
    Approach, Disk, Failure, Installed, LastInstall, Life, Node,
    image::{Image, ImageProgress},
};
pub use registry::{Moved, RecordChange, Registry, Stranger, Update};
pub use stored::StoredNode;
pub use tokens::Tokens;

#[cfg(test)]
mod tests;
