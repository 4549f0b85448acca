//! Operating systems on disk: what is there, and what vouches for it.

pub mod authentic;
pub mod catalog;
pub mod configs;
pub mod examine;
pub mod folder;
mod installer;
pub mod keys;
pub mod locate;
pub mod menus;
mod misplaced;
mod proofs;
mod ready;
pub mod text;
pub mod version;
