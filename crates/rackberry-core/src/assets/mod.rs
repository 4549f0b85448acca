//! Operating systems on disk: what is there, and what vouches for it.

pub mod catalog;
pub mod configs;
pub mod folder;
mod installer;
pub mod locate;
pub mod menus;
mod misplaced;
mod ready;
pub mod text;
mod verify;
pub mod version;

use verify::proofs;
pub use verify::{authentic, examine, keys};
