//! Operating systems on disk: what is there and what vouches for it (pure); finding, reading, copying and fetching
//! it (adapters).

pub mod authentic;
pub mod catalog;
pub mod configs;
pub mod digest;
pub mod examine;
pub mod fetch;
pub mod folder;
pub mod import;
mod installer;
pub mod keys;
pub mod locate;
pub mod manifest;
pub mod menus;
mod misplaced;
pub mod openpgp;
mod proofs;
mod ready;
pub mod scan;
pub mod stage;
pub mod sums;
pub mod text;
pub mod verify;
pub mod version;
