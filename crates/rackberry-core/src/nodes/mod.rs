//! Nodes: what is known of each machine, how far its install is, and the one gate that says whether it may
//! install.
//!
//! A node's life (`docs/architecture.md` has the picture):
//! idle, discovered, loading, booting, configuring, installing, written, installed; failed from any of them.

mod diagnosis;
mod event;
mod grant;
mod groups;
mod identity;
mod image;
mod life;
mod node;
mod patience;
mod registry;
mod remedy;
mod stored;
mod tokens;
mod trail;
mod update;

pub use diagnosis::{Around, diagnosis, diagnosis_changes};
pub use event::{NodeEvent, Word};
pub use grant::{Destination, Grant, Verdict};
pub use identity::{Identity, Recognized};
pub use image::{Image, ImageProgress};
pub use life::{Approach, Disk, Failure, Installed, Life};
pub use node::{LastInstall, Node};
pub use registry::{Registry, Unknown};
pub use stored::StoredNode;
pub use tokens::Tokens;
pub use trail::{Step, Trail, Trails};
pub use update::{Moved, RecordChange, Update};

#[cfg(test)]
mod tests;
